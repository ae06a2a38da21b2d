"""SharedMetricInputs: what a finished image does, measured the same way whatever objective made it.

Everything is measured in the network's own space with the original direction, at the direction's
positions.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from fvjax.activations import layer_of, norm
from fvjax.direction import Direction, Target, activations_at
from fvjax.image_quality import high_frequency, saturated, total_variation
from fvjax.models.model import Model, with_model_precision
from fvjax.objectives.similarity import cosines, dots, inversion_error, orthogonal
from fvjax.reference.distances import ReferenceDistribution, reference_metrics
from fvjax.transforms import Transform
from fvjax.types import Activations, Image, Scalar

VIEWS = 16  # fixed random views behind the robust_* metrics
BLOCKS = 8  # occlusion_support hides one of BLOCKS x BLOCKS patches at a time
_OCCLUSION_SHARE = 0.9  # of the dot product that the counted patches carry


def alignment(activations: Activations, direction: Direction) -> dict[str, Scalar]:
    """Mean over positions of dot, cosine, norm |a| and orthogonal share |a⊥|/|a|."""
    a, v = activations_at(activations, direction)
    length = norm(a)
    share = norm(orthogonal(a, v)) / jnp.where(length > 0, length, 1.0)
    return {
        "dot": jnp.mean(dots(a, v)),
        "cosine": jnp.mean(cosines(a, v)),
        "norm": jnp.mean(length),
        "orthogonal": jnp.mean(share),
    }


def is_dead(activations: Activations, direction: Direction) -> Bool[Array, ""]:
    """Whether at least half of what the direction wants is silent: exactly 0 at all positions.

    Of the channels that it wants (v > 0), weighted by v². An activation vector wants hundreds, some
    of which are always silent; it is is_dead only where most of it is.
    """
    a, v = activations_at(activations, direction)
    wanted = jnp.sum(jnp.maximum(v, 0) ** 2, 0)
    silent = jnp.all(a == 0, 0)
    return (jnp.sum(wanted) > 0) & (jnp.sum(wanted * silent) >= 0.5 * jnp.sum(wanted))


@with_model_precision
def measure(
    model: Model,
    direction: Target,
    image: Image,
    transform: Transform,
    distribution: ReferenceDistribution | None = None,
    whitened: Float[Array, "channels"] | None = None,
) -> dict[str, Scalar]:
    """All metrics of one image, by name.

    `rank` means something for a direction of one channel, `inversion_error` for one with a length
    of its own (no covector), `occlusion_support` where the dot product is positive; elsewhere the caller
    leaves them out. An image that is not finite has NaN for all.

    Args:
        model: the network.
        direction: of the job; measured is the one in the plain space that it came from.
        image: untransformed.
        transform: draws the fixed views behind `robust_dot` and `robust_cosine`.
        distribution: the reference images' at this layer, if there are any; adds `excitation
            whitened_cosine mahalanobis`, and with labels `class_distance centroid_margin`.
        whitened: the direction in the distribution's whitened space.
    """
    target = direction.original.resolve(model, lambda seen: seen)
    before = model.previous(target.layer)
    keys = jax.random.split(jax.random.key(0), VIEWS)
    hidden = 1 + BLOCKS * BLOCKS  # the first image hides patch -1, nothing

    def look(number: Array) -> dict[str, Scalar]:
        seen = lax.cond(
            number < hidden,
            lambda: hide(image, number - 1),
            lambda: transform(keys[number - hidden], image),
        )
        activations = model(seen)
        here = activations, target
        found = alignment(*here) | {
            "rank": rank(*here),
            "inversion_error": inversion_error(*activations_at(*here)),
        }
        if before is not None:
            earlier = layer_of(activations, before)
            found |= {
                "previous_l1": jnp.mean(jnp.abs(earlier)),
                "previous_l2": jnp.mean(earlier**2),
            }
        if distribution is not None:
            found |= reference_metrics(
                *here, layer_of(activations, target.layer), whitened, distribution
            )
        return found

    # One pass for all: the network is compiled once, and no drop is a rounding error.
    looks = lax.map(look, jnp.arange(hidden + VIEWS))
    kept = looks["dot"][:hidden]
    metrics = {name: values[0] for name, values in looks.items()} | {
        "robust_dot": jnp.mean(looks["dot"][hidden:]),
        "robust_cosine": jnp.mean(looks["cosine"][hidden:]),
        "occlusion_support": occlusion_support(kept[0] - kept[1:]),
        "total_variation": total_variation(image),
        "high_frequency": high_frequency(image),
        "saturated": saturated(image),
    }
    finite = jnp.all(jnp.isfinite(image))
    return {name: jnp.where(finite, value, jnp.nan) for name, value in metrics.items()}


def rank(activations: Activations, direction: Direction) -> Scalar:
    """Place, by mean activation among all channels, of the direction's largest; 1 = first."""
    a, v = activations_at(activations, direction)
    mean = jnp.mean(a, 0)
    return 1 + jnp.sum(mean > mean[jnp.argmax(v[0])])


def occlusion_support(drops: Float[Array, "patches"]) -> Scalar:
    """Smallest share of the patches that carries 90 % of what all of them carry.

    `drops`: how far the dot product falls when a patch is hidden; a patch whose hiding helps
    carries nothing. Where no patch carries anything there is no such share: NaN.
    """
    carried = jnp.sort(jnp.maximum(drops, 0))[::-1]
    total = jnp.sum(carried)
    share = jnp.cumsum(carried) / jnp.where(total > 0, total, 1.0)
    counted = (1 + jnp.sum(share < _OCCLUSION_SHARE)) / drops.size
    return jnp.where(total > 0, counted, jnp.nan)


def hide(image: Image, patch: Array) -> Image:
    """The image with one patch, counted row by row, replaced by the image's mean colour."""
    height, width, _ = image.shape
    row, column = jnp.arange(height) * BLOCKS // height, jnp.arange(width) * BLOCKS // width
    hidden = row[:, None] * BLOCKS + column[None, :] == patch
    return jnp.where(hidden[..., None], jnp.mean(image, (0, 1), keepdims=True), image)
