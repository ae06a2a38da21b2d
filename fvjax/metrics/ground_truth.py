"""Scores against the truth of a planted model: how much of an image is the feature asked for."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from fvjax.activations import layer_of
from fvjax.direction import Direction, Place, layer_at
from fvjax.metrics.ideal_optimum import optimum, planted_activations
from fvjax.models.model import Model
from fvjax.objectives.batch_penalties import Alignment, Diversity
from fvjax.objectives.objective import Objective, parts
from fvjax.objectives.penalties import HighFrequency, IrrelevantNorm, TotalVariation
from fvjax.pytree import dataclass
from fvjax.types import Activations, Image, Scalar

_LEAST = 0.05  # of the sum of F: a share of less means nothing
_CLEARLY = 0.1  # the margin of a recovered feature

Content = Float[Array, "features"]
_BESIDE = (
    "optimum_purity",
    "optimum_strength",
    "best_reference_purity",
    "best_reference_recovered",
    "best_reference_strength",
)
_WITHOUT_OPTIMUM = (TotalVariation, HighFrequency, IrrelevantNorm, Diversity, Alignment)


@dataclass
class GroundTruth:
    """What the scores of a planted model's images are relative to; shared by all jobs."""

    grey: Content  # of an even grey image
    oracle: Float[Array, "images features"]  # row j: of the image that an oracle made for feature j
    maps: Float[Array, "references height width detectors"] | None  # of reference images


def content(activations: Activations, place: Place, layer: str = "features") -> Content:
    """Return how far each feature is on: the mean over the positions.

    Args:
        activations: of a planted model.
        place: one position, or None for all.
        layer: `features`, or `decoys` for these.
    """
    channels = layer_of(activations, layer).shape[-1]
    direction = Direction(vector=jnp.zeros(channels), layer=layer, position=place)
    a = layer_at(activations, layer, direction)
    return jnp.mean(a, tuple(range(a.ndim - 1)))


def content_metrics(
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
    f, best = (relative(one, grey, oracle) for one in (found, oracle[index]))
    mine = jnp.arange(f.size) == index
    margin = f[index] - jnp.max(jnp.where(mine, -jnp.inf, f))
    return {
        "purity": _share(f, index) / _share(best, index),
        "margin": margin,
        "recovered": jnp.where(jnp.isnan(margin), jnp.nan, margin > _CLEARLY),
        "strength": f[index],
    }


def relative(
    found: Content, grey: Content, oracle: Float[Array, "images features"]
) -> Float[Array, "features"]:
    """F: the content over the most that any of the oracle's images has, less the grey image's."""
    most = jnp.max(oracle, 0)
    return (found - grey) / jnp.where(most > 0, most, 1.0)


def _share(f: Content, index: int | Int[Array, ""]) -> Scalar:
    total = jnp.sum(f)
    return jnp.where(total < _LEAST, jnp.nan, f[index] / jnp.where(total < _LEAST, 1.0, total))


def ground_truth_metrics(
    model: Model,
    objective: Objective,
    direction: Direction,
    image: Image,
    truth: GroundTruth,
    feature: int | Int[Array, ""],
) -> dict[str, Array]:
    """An image made for a feature, and beside it what its objective wants and finds elsewhere.

    The scores; `content`, every feature's F; `decoys`, their mean content; `optimum_purity` and
    `optimum_strength` of the optimum on paper, where purity is the raw share; `best_reference_purity`,
    `best_reference_recovered` and `best_reference_strength` of the reference image that the objective ranks
    first. Objectives that look at the image, or at several, have no optimum on paper and rank
    nothing here: NaN.
    """
    activations, place = model(image), direction.position
    mine = content(activations, place)
    found = {
        **content_metrics(mine, feature, truth.grey, truth.oracle),
        "content": relative(mine, truth.grey, truth.oracle),
        "decoys": jnp.mean(content(activations, place, "decoys")),
    }
    found |= dict.fromkeys(_BESIDE, jnp.array(jnp.nan))
    if any(isinstance(part, _WITHOUT_OPTIMUM) for part in parts(objective)):
        return found
    best = optimum(model, objective, direction).features
    ideal = content_metrics(best, feature, jnp.zeros_like(best), jnp.eye(best.size))
    found |= {f"optimum_{name}": ideal[name] for name in ("purity", "strength")}
    if truth.maps is not None:
        top = _first(model, objective, direction, truth.maps)
        shown = content(planted_activations(model, top), place)
        there = content_metrics(shown, feature, truth.grey, truth.oracle)
        found |= {f"best_reference_{n}": there[n] for n in ("purity", "recovered", "strength")}
    return found


def _first(model: Model, objective: Objective, direction: Direction, maps: Array) -> Array:
    """The reference image, as its detectors' values, that the objective ranks first."""
    ranked = lax.map(lambda one: objective(planted_activations(model, one), direction), maps)
    best: Array = maps[jnp.argmax(ranked)]
    return best
