"""A recipe (how to make an image) and a job (for what direction, from which seed)."""

from flax import struct

from fvjax import checks
from fvjax.direction import AnyDirection
from fvjax.objective import Objective
from fvjax.optimizers import OPTIMIZERS
from fvjax.parameterizations import Parameterization
from fvjax.transforms import Transform
from fvjax.types import Key, Number


@struct.dataclass(kw_only=True)
class Recipe:
    """How to make an image: numbers are leaves, structure is static."""

    objective: Objective
    parameterization: Parameterization
    transform: Transform
    learning_rate: Number
    steps: int = struct.field(pytree_node=False)
    optimizer: str = struct.field(pytree_node=False)

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        checks.positive("learning_rate", self.learning_rate)
        checks.count("steps", self.steps)
        checks.choice("optimizer", self.optimizer, OPTIMIZERS)


@struct.dataclass(kw_only=True)
class Job:
    """One image to make. A pytree: what is a leaf may differ inside one compiled program."""

    recipe: Recipe
    direction: AnyDirection
    key: Key  # decides the initial noise and every step's transform, whatever the objective
