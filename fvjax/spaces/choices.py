"""The spaces of an objective: each adds a layer to the model and maps the direction."""

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
    """A space of an objective, constructed from plain values."""

    def move(self, setup: Setup, info: DirectionInfo) -> tuple[Model, AnyDirection]:
        """Return the model with the space's layer, always the same object, and the direction."""
        raise NotImplementedError

    def objective(self, score: Objective) -> Objective:
        """Return the objective in this space."""
        return score


@dataclass(frozen=True)
class Plain(Space):
    """The network's own activations."""

    def move(self, setup: Setup, info: DirectionInfo) -> tuple[Model, AnyDirection]:
        """Return model and direction unchanged."""
        return setup.model, info.direction


@dataclass(frozen=True)
class Whiten(Space):
    """Activations of identity covariance on the reference images, up to the shrinkage."""

    shrinkage: Shrinkage = "cross_validated"

    def move(self, setup: Setup, info: DirectionInfo) -> tuple[Model, AnyDirection]:
        """Add the layer "<layer>@whitened" and map the direction to it."""
        layer, reference = info.direction.layer, setup.require_reference("space=whitened")
        affine_map = reference.whitening(layer, self.shrinkage)
        return with_map(setup.model, layer, affine_map, "whitened"), affine_map.map_direction(
            info.direction, info.kind, "whitened"
        )


@dataclass(frozen=True)
class Linear(Space):
    """Activations times a matrix: from a file, or the first principal components.

    Args:
        matrix: a file with an array (channels, features).
        components: number of principal components of the reference images; instead of `matrix`.
        name: name of the array, if the file holds several.
    """

    matrix: str | None = None
    components: int | None = None
    name: str | None = None

    def move(self, setup: Setup, info: DirectionInfo) -> tuple[Model, AnyDirection]:
        """Add the layer "<layer>@linear" and map the direction to it.

        The origin is 0 for a file's matrix, and the mean for principal components.
        """
        layer = info.direction.layer
        affine_map = _linear(setup.model, setup.reference, layer, self)
        return with_map(setup.model, layer, affine_map, "linear"), affine_map.map_direction(
            info.direction, info.kind, "linear"
        )


@dataclass(frozen=True)
class Atlas(Space):
    """Lucid's activation atlas: the direction is multiplied by the inverse second moment.

    As in lucid/recipes/activation_atlas/render.py: S is the inverse of X'X/N over positions of
    reference images, neither centred nor shrunk. The direction is v S for every kind, and the
    objective is `LucidAtlas`.
    """

    def move(self, setup: Setup, info: DirectionInfo) -> tuple[Model, AnyDirection]:
        """Return the same model, and the direction times S."""
        reference = setup.require_reference("space=lucid_atlas")
        original = info.direction
        if not isinstance(original, Direction):
            raise ValueError("space=lucid_atlas needs a vector (channels,), not a whole image's")
        statistics = reference.statistics(original.layer)
        refuse_singular(statistics, original.layer)
        moment = statistics.covariance + np.outer(statistics.mean, statistics.mean)
        solution = np.linalg.solve(moment, np.asarray(original.vector, np.float64))
        vector = jnp.asarray(solution, jnp.float32)
        return setup.model, replace(original, vector=vector, origin=original)

    def objective(self, score: Objective) -> Objective:
        """Return `LucidAtlas` in place of `DotCosine`.

        Raises:
            ValueError: any other objective.
        """
        if not isinstance(score, DotCosine):
            raise ValueError("space=lucid_atlas is defined for objective=dot and dot_cosine only")
        return LucidAtlas(exponent=score.exponent, floor=score.floor)


@cache
def with_map(model: Model, layer: str, affine_map: AffineMap, name: str) -> Model:
    """Return the model with the layer "<layer>@<name>" of a map; the same object each time."""
    return with_affine_layer(
        model, layer=layer, matrix=affine_map.matrix, mean=affine_map.mean, name=name
    )


def whiten(model: Model, reference: ReferenceStatistics, layer: str, shrinkage: Shrinkage) -> Model:
    """Return the model with "<layer>@whitened"; the same object each time."""
    return with_map(model, layer, reference.whitening(layer, shrinkage), "whitened")


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
