"""A recipe (how to make an image) and a job (for what direction, from which seed)."""

from typing import Any

import jax

from fvjax import checks
from fvjax.direction import AnyDirection
from fvjax.objectives.objective import Objective
from fvjax.optimization.optimizers import OPTIMIZERS
from fvjax.parameterizations import Parameterization
from fvjax.pytree import dataclass, static
from fvjax.transforms import Transform
from fvjax.types import Image, Key, Number


@dataclass
class Recipe:
    """How to make an image: numbers are leaves, structure is static."""

    objective: Objective
    parameterization: Parameterization
    transform: Transform
    learning_rate: Number
    steps: int = static()
    optimizer: str = static()
    images_per_job: int = static(default=1)  # made together, see `sets`

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
