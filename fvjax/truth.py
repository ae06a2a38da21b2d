"""Scores against the truth of a planted model: how much of an image is the feature asked for."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from fvjax.activations import layer_of
from fvjax.direction import Direction
from fvjax.objective import Focus
from fvjax.types import Activations, Scalar

_LEAST = 0.05  # of the sum of F: a share of less means nothing
_CLEARLY = 0.1  # the margin of a recovered feature

Content = Float[Array, "features"]


def content(activations: Activations, focus: Focus, layer: str = "features") -> Content:
    """How far each feature is on: its mean over the objective's positions.

    Args:
        activations: of a planted model.
        focus: the objective's: all positions, or the centre.
        layer: `features`, or `decoys` for these.
    """
    truth = layer_of(activations, layer)
    here, _ = focus(activations, Direction(vector=jnp.zeros(truth.shape[-1]), layer=layer))
    return jnp.mean(here[layer], (0, 1))


def scores(
    found: Content,
    index: int | Int[Array, ""],
    grey: Content,
    oracle: Float[Array, "images features"],
) -> dict[str, Scalar]:
    """The scores of an image made for feature k = `index`.

    F is the content over the most that any image of the oracle has, less the grey image's.

    - strength: F_k.
    - margin: F_k less the largest other F_j.
    - recovered: 1 where the margin is above .1, else 0.
    - purity: F_k / sum of F, over the same of the oracle's image for k: the detectors of similar
      gratings overlap, and a share of 1 is out of reach. NaN where the sum of F is below .05.

    Args:
        found: content of the image.
        index: of the feature.
        grey: content of an even grey image.
        oracle: row j is the content of the image that an oracle, which reads the layer `features`,
            made for feature j.
    """
    most = jnp.max(oracle, 0)
    most = jnp.where(most > 0, most, 1.0)
    f = (found - grey) / most
    best = (oracle[index] - grey) / most
    mine = jnp.arange(f.size) == index
    margin = f[index] - jnp.max(jnp.where(mine, -jnp.inf, f))
    return {
        "purity": _share(f, index) / _share(best, index),
        "margin": margin,
        "recovered": jnp.where(jnp.isnan(margin), jnp.nan, margin > _CLEARLY),
        "strength": f[index],
    }


def _share(f: Content, index: int | Int[Array, ""]) -> Scalar:
    total = jnp.sum(f)
    return jnp.where(total < _LEAST, jnp.nan, f[index] / jnp.where(total < _LEAST, 1.0, total))
