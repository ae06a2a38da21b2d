"""The spaces in which an objective can look at a layer: each moves a model and a direction."""

from dataclasses import dataclass, replace
from functools import cache

import jax.numpy as jnp
import numpy as np

from fvjax import checks
from fvjax.affine_map import AffineMap
from fvjax.data.arrays import read_array
from fvjax.direction import AnyDirection, Direction
from fvjax.models.model import Model
from fvjax.models.transformed import with_affine_layer
from fvjax.objectives.objective import Objective
from fvjax.objectives.similarity import DotCosine, LucidAtlas
from fvjax.reference.activation_statistics import ReferenceStatistics, require_reference
from fvjax.reference.covariance import Shrinkage, components, refuse_singular
from fvjax.sources.direction_info import DirectionInfo
from fvjax.sources.setup import Setup


class Space:
    """Where an objective looks; constructed from plain values."""

    def move(self, setup: Setup, info: DirectionInfo) -> tuple[Model, AnyDirection]:
        """The model with what the space needs (the same object each time), and the direction."""
        raise NotImplementedError

    def objective(self, score: Objective) -> Objective:
        """The objective as it is in this space."""
        return score


@dataclass(frozen=True)
class Plain(Space):
    """The network's own activations."""

    def move(self, setup: Setup, info: DirectionInfo) -> tuple[Model, AnyDirection]:
        """Everything stays."""
        return setup.model, info.direction


@dataclass(frozen=True)
class Whiten(Space):
    """Activations of identity covariance on the reference images, but for the shrinkage."""

    shrinkage: Shrinkage = "cross_validated"

    def move(self, setup: Setup, info: DirectionInfo) -> tuple[Model, AnyDirection]:
        """To "<layer>@whitened"."""
        layer, known = info.direction.layer, setup.require_reference("space=whitened")
        affine_map = known.whitening(layer, self.shrinkage)
        return _with(setup.model, layer, affine_map, "whitened"), affine_map.map_direction(
            info.direction, info.kind, "whitened"
        )


@dataclass(frozen=True)
class Linear(Space):
    """Activations times a matrix: from a file, or the first principal components.

    Args:
        matrix: a file with an array (channels, features).
        components: so many principal components of the reference images; instead of `matrix`.
        name: of the array, where the file holds several.
    """

    matrix: str | None = None
    components: int | None = None
    name: str | None = None

    def move(self, setup: Setup, info: DirectionInfo) -> tuple[Model, AnyDirection]:
        """To "<layer>@linear"; a file's matrix is applied about 0, components about the mean."""
        layer = info.direction.layer
        affine_map = _linear(setup.model, setup.reference, layer, self)
        return _with(setup.model, layer, affine_map, "linear"), affine_map.map_direction(
            info.direction, info.kind, "linear"
        )


@dataclass(frozen=True)
class Atlas(Space):
    """Lucid's activation atlas: plain activations, a direction times the inverse second moment.

    As lucid/recipes/activation_atlas/render.py: S = inverse of X'X/N over positions of reference
    images, not centred and not shrunk; the direction is v S whatever its kind; the objective is
    `LucidAtlas`, which is no cosine.
    """

    def move(self, setup: Setup, info: DirectionInfo) -> tuple[Model, AnyDirection]:
        """The direction times S; the layer stays."""
        known = setup.require_reference("space=lucid_atlas")
        plain = info.direction
        if not isinstance(plain, Direction):
            raise ValueError("space=lucid_atlas needs a vector (channels,), not a whole image's")
        statistics = known.statistics(plain.layer)
        refuse_singular(statistics, plain.layer)
        moment = statistics.covariance + np.outer(statistics.mean, statistics.mean)
        solved = np.linalg.solve(moment, np.asarray(plain.vector, np.float64))
        vector = jnp.asarray(solved, jnp.float32)
        return setup.model, replace(plain, vector=vector, origin=plain)

    def objective(self, score: Objective) -> Objective:
        """`LucidAtlas` in place of `DotCosine`.

        Raises:
            ValueError: any other objective, which Lucid has not.
        """
        if not isinstance(score, DotCosine):
            raise ValueError("space=lucid_atlas is defined for objective=dot and dot_cosine only")
        return LucidAtlas(exponent=score.exponent, floor=score.floor)


@cache
def _with(model: Model, layer: str, affine_map: AffineMap, name: str) -> Model:
    return with_affine_layer(
        model, layer=layer, matrix=affine_map.matrix, mean=affine_map.mean, name=name
    )


def whiten(model: Model, reference: ReferenceStatistics, layer: str, shrinkage: Shrinkage) -> Model:
    """The model with "<layer>@whitened"; the same object each time."""
    return _with(model, layer, reference.whitening(layer, shrinkage), "whitened")


@cache
def _linear(
    model: Model, reference: ReferenceStatistics | None, layer: str, space: Linear
) -> AffineMap:
    channels = model.layers[layer][-1]
    if (space.matrix is None) == (space.components is None):
        raise ValueError("space=linear needs space.matrix or space.components, one of them")
    if space.matrix is not None:
        return AffineMap(np.zeros(channels), np.asarray(read_array(space.matrix, space.name)))
    checks.count("space.components", space.components, most=channels)
    statistics = require_reference("space.components", reference).statistics(layer)
    return AffineMap(statistics.mean, components(statistics.covariance)[:, : space.components])
