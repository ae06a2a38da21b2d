"""A recipe (how to make an image) and a job (for what direction, from which seed)."""

from collections.abc import Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from fvjax import checks
from fvjax.direction import AnyDirection
from fvjax.objectives.objective import Objective
from fvjax.optimization.optimizers import OPTIMIZERS
from fvjax.parameterizations import Parameterization
from fvjax.pytree import dataclass, static
from fvjax.transforms import Standard, Transform
from fvjax.types import Image, Key, Number

Tree = TypeVar("Tree")


@dataclass
class Recipe:
    """How to make an image: numbers are leaves, structure is static."""

    objective: Objective
    parameterization: Parameterization
    transform: Transform = Standard()
    learning_rate: Number = 0.05
    steps: int = static(default=256)
    optimizer: str = static(default="adam")
    images_per_job: int = static(default=1)  # made together, see `batch_penalties`

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        checks.positive("learning_rate", self.learning_rate)
        checks.count("steps", self.steps)
        checks.choice("optimizer", self.optimizer, OPTIMIZERS)
        checks.count("images_per_job", self.images_per_job)

    def init(self, key: Key) -> Any:
        """Parameters of the first image, or of several, with a leading axis."""
        if self.images_per_job == 1:
            return self.parameterization.init(key)
        return jax.vmap(self.parameterization.init)(jax.random.split(key, self.images_per_job))

    def decode(self, params: Any) -> Image:
        """The image of the parameters, or several, with a leading axis."""
        decode = self.parameterization.decode
        return decode(params) if self.images_per_job == 1 else jax.vmap(decode)(params)


@dataclass
class Job:
    """One image to make. A pytree: what is a leaf may differ inside one compiled program."""

    recipe: Recipe
    direction: AnyDirection
    key: Key  # decides the initial noise and every step's transform, whatever the objective


def as_leaves(job: Job) -> Job:
    """Return the job with float32 in place of plain numbers: 3, 3.0 and float32(3) share a program."""
    cast: Job = jax.tree.map(lambda x: np.float32(x) if isinstance(x, (int, float)) else x, job)
    return cast


def stack_jobs(jobs: Sequence[Tree]) -> Tree:
    """Return one job (or other pytree) whose leaves have a leading axis."""

    def together(*rows: Any) -> Any:
        is_key = jnp.issubdtype(rows[0].dtype, jax.dtypes.prng_key)
        return jnp.stack(rows) if is_key else np.stack([np.asarray(row) for row in rows])

    stacked: Tree = jax.tree.map(together, *jobs)
    return stacked
