"""The share of the layer before that helps a direction only slightly, by the weights alone."""

import jax
import jax.numpy as jnp

from fvjax.activations import layer_of
from fvjax.direction import Direction, activations_at
from fvjax.models.model import Model
from fvjax.objectives.similarity import dots
from fvjax.types import Activations, Image, Scalar

_STRONG_SHARE = 0.9  # of all contributions, by the strong helpers


def trivial_share(model: Model, direction: Direction, image: Image) -> Scalar:
    """Return the share of the previous layer's activity that is outside the strong helpers.

    A unit h of the main-path layer before contributes |h · ∂d/∂h| to the mean dot product d: its
    activation times the weights between the layers, at the ReLUs' states. Strong helpers are the
    fewest units that carry 90 % of all contributions. The result is Σ|h| over the other units as a
    share of Σ|h|: 0 if all activity helps strongly, near 1 if nearly all is trivial. Issue 116 of
    Lucid asks for inputs without such activity.

    Args:
        model: the network, in its own space.
        direction: what the image was made for.
        image: (height, width, 3), values in [0, 1].

    Returns:
        The share, shape (); NaN if no unit contributes.

    Raises:
        ValueError: the direction's layer is the first: no layer is before it.
    """
    before = model.previous(direction.layer)
    if before is None:
        raise ValueError(f"no layer is before {direction.layer!r}: choose a later one")
    h = layer_of(model(image), before)

    def mean_dot(offsets: Activations) -> Scalar:
        return jnp.mean(dots(*activations_at(model(image, offsets), direction)))

    gradient = jax.grad(mean_dot)({before: jnp.zeros_like(h)})[before]
    contributions, activity = jnp.abs(h * gradient).ravel(), jnp.abs(h).ravel()
    order = jnp.argsort(-contributions)
    carried = jnp.cumsum(contributions[order])
    total = carried[-1]
    # The unit that completes the 90 % is a strong helper: the sum before it is below.
    strong = carried - contributions[order] < _STRONG_SHARE * total
    share = jnp.sum(jnp.where(strong, 0.0, activity[order])) / jnp.sum(activity)
    return jnp.where(total > 0, share, jnp.nan)
