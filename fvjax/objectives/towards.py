"""An objective with a direction of its own: units of several layers at once."""

import jax
import jax.numpy as jnp

from fvjax.direction import Direction
from fvjax.objectives.objective import Objective, as_objective
from fvjax.pytree import dataclass
from fvjax.types import Activations, Scalar


@dataclass
class Towards(Objective):
    """An objective that reads its own direction, in any layer, in place of the job's.

    `Dot() + Towards(objective=Dot(), direction=other)` excites two units at once. Reviving and
    `Result.dead` follow the directions that the whole objective reads.
    """

    objective: Objective
    direction: Direction

    def __post_init__(self) -> None:
        """Accept a function or an instance of a plain class as the objective."""
        if not isinstance(self.objective, Objective) and callable(self.objective):
            object.__setattr__(self, "objective", as_objective(self.objective))

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Return the score of one image; the job's direction has no effect."""
        del direction
        return self.objective(activations, self.direction)

    def score_batch(self, activations: Activations, direction: Direction) -> Scalar:
        """Return the mean score of several images."""
        del direction
        images = jax.tree.leaves(dict(activations))[0].shape[0]
        repeated = jax.tree.map(
            lambda x: jnp.broadcast_to(x, (images, *jnp.shape(x))), self.direction
        )
        return self.objective.score_batch(activations, repeated)
