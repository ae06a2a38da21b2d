"""Ground-truth metrics of a planted model: the share of an image that is the target feature."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from fvjax.activations import layer_of
from fvjax.direction import Direction, layer_at
from fvjax.metrics.ideal_optimum import optimum, planted_activations
from fvjax.models.model import Model
from fvjax.objectives.batch_penalties import Alignment, Diversity
from fvjax.objectives.examples import Anchor, Match
from fvjax.objectives.objective import Objective, parts
from fvjax.objectives.penalties import HighFrequency, IrrelevantNorm, TotalVariation
from fvjax.positions import Place
from fvjax.pytree import dataclass
from fvjax.types import Activations, Image, Scalar

_LEAST_SUM = 0.05  # least sum of F for which a share is defined
_RECOVERED_MARGIN = 0.1  # least margin of a recovered feature

Content = Float[Array, "features"]
_OPTIONAL = (
    "optimum_purity",
    "optimum_strength",
    "best_reference_purity",
    "best_reference_recovered",
    "best_reference_strength",
)
_WITHOUT_OPTIMUM = (
    *(TotalVariation, HighFrequency, IrrelevantNorm),
    *(Diversity, Alignment, Anchor, Match),
)


@dataclass
class GroundTruth:
    """Reference contents of a planted model, shared by all jobs."""

    grey: Content  # content of a uniform grey image
    oracle: Float[Array, "images features"]  # row j: the oracle's image of feature j
    gratings: Float[Array, "images features"]  # row j: the rendered grating of feature j
    maps: (
        Float[Array, "references height width detectors"] | None
    )  # detector values of reference images


def content(activations: Activations, place: Place, layer: str = "features") -> Content:
    """Return the activation of each feature, averaged over positions.

    Args:
        activations: activations of a planted model.
        place: one position, or None for all.
        layer: `features`, or `decoys` for the decoys' activations.
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
    """Return the scores of an image optimized for feature k = `index`.

    F is the content less the grey image's, divided by the largest content of the oracle's images.

    - strength: F_k.
    - margin: F_k less the largest other F_j.
    - recovered: 1 if the margin is above .1, else 0.
    - purity: F_k / sum of F, divided by the same share of the oracle's image for k, because
      detectors of similar gratings overlap. NaN if the sum of F is below .05.

    Args:
        found: content of the image.
        index: number of the feature.
        grey: content of a uniform grey image.
        oracle: row j is the content of an image optimized for unit j of the layer `features`.
    """
    f, best = (relative(c, grey, oracle) for c in (found, oracle[index]))
    is_target = jnp.arange(f.size) == index
    margin = f[index] - jnp.max(jnp.where(is_target, -jnp.inf, f))
    return {
        "purity": _share(f, index) / _share(best, index),
        "margin": margin,
        "recovered": jnp.where(jnp.isnan(margin), jnp.nan, margin > _RECOVERED_MARGIN),
        "strength": f[index],
    }


def relative(
    found: Content, grey: Content, oracle: Float[Array, "images features"]
) -> Float[Array, "features"]:
    """Return F: content less the grey image's, over the largest content of oracle images."""
    most = jnp.max(oracle, 0)
    return (found - grey) / jnp.where(most > 0, most, 1.0)


def _share(f: Content, index: int | Int[Array, ""]) -> Scalar:
    total = jnp.sum(f)
    return jnp.where(
        total < _LEAST_SUM, jnp.nan, f[index] / jnp.where(total < _LEAST_SUM, 1.0, total)
    )


def ground_truth_metrics(
    model: Model,
    objective: Objective,
    direction: Direction,
    image: Image,
    truth: GroundTruth,
    feature: int | Int[Array, ""],
) -> dict[str, Array]:
    """Return the scores of an image, of the objective's optimum and of the best reference image.

    Objectives of the image, or of several images, have no optimum over contents: the last two
    groups are then NaN.

    Returns:
        The scores of `content_metrics`; `content`, F of every feature; `decoys`, the decoys' mean.
        `grating_purity` and `grating_strength`: the same scores with rendered gratings in place of
        the oracle's images, a yardstick that no optimizer made.
        `optimum_purity` and `optimum_strength` of the optimal content; its purity is the raw share.
        `best_reference_purity`, `best_reference_recovered` and `best_reference_strength` of the
        reference image of highest score.
    """
    activations, place = model(image), direction.position
    of_image = content(activations, place)
    metrics = {
        **content_metrics(of_image, feature, truth.grey, truth.oracle),
        "content": relative(of_image, truth.grey, truth.oracle),
        "decoys": jnp.mean(content(activations, place, "decoys")),
    }
    rendered = content_metrics(of_image, feature, truth.grey, truth.gratings)
    metrics |= {f"grating_{name}": rendered[name] for name in ("purity", "strength")}
    metrics |= dict.fromkeys(_OPTIONAL, jnp.array(jnp.nan))
    if any(isinstance(part, _WITHOUT_OPTIMUM) for part in parts(objective)):
        return metrics
    best = optimum(model, objective, direction).features
    ideal = content_metrics(best, feature, jnp.zeros_like(best), jnp.eye(best.size))
    metrics |= {f"optimum_{name}": ideal[name] for name in ("purity", "strength")}
    if truth.maps is not None:
        best_maps = _best_reference(model, objective, direction, truth.maps)
        best_content = content(planted_activations(model, best_maps), place)
        scores = content_metrics(best_content, feature, truth.grey, truth.oracle)
        metrics |= {f"best_reference_{n}": scores[n] for n in ("purity", "recovered", "strength")}
    return metrics


def _best_reference(model: Model, objective: Objective, direction: Direction, maps: Array) -> Array:
    """Return the detector values of the reference image of highest score."""
    scores = lax.map(lambda m: objective(planted_activations(model, m), direction), maps)
    best: Array = maps[jnp.argmax(scores)]
    return best
