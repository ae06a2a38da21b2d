"""The recipe of an image, and the job: a recipe with a direction and a key."""

import inspect
from collections.abc import Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from fvjax import checks
from fvjax.direction import AnyDirection
from fvjax.objectives.objective import Objective, as_objective
from fvjax.optimization.optimizers import OPTIMIZERS
from fvjax.parameterizations import Parameterization
from fvjax.pytree import dataclass, static
from fvjax.registration import as_pytree, is_unregistered
from fvjax.transforms import Standard, Transform
from fvjax.types import Flags, Images, Key, Keys, Number

Tree = TypeVar("Tree")


@dataclass
class Recipe:
    """The settings of an optimization: numbers are leaves, structure is static.

    Functions and instances of plain classes become pytrees (`fvjax.registration`).
    """

    objective: Objective
    parameterization: Parameterization
    transform: Transform = Standard()
    learning_rate: Number = 0.05
    steps: int = static(default=256)
    optimizer: str = static(default="adam")
    images_per_job: int = static(default=1)  # optimized together, see `batch_penalties`
    snapshots: tuple[int, ...] = static(default=())  # steps after which the image is kept
    stop_when_converged: Flags = False  # before `steps`, see `optimization.summary`
    octaves: tuple[tuple[int, int], ...] = static(default=())  # smaller sizes, see `octaves`
    anneal_steps: Number = 0.0  # over which penalties rise to full weight, see `annealing`
    transparency: bool = static(default=False)  # whether `Result.transparency` is summed

    def __post_init__(self) -> None:
        """Refuse a value that is not allowed."""
        self._register_user_code()
        checks.positive("learning_rate", self.learning_rate)
        checks.not_negative("anneal_steps", self.anneal_steps)
        checks.count("steps", self.steps)
        checks.choice("optimizer", self.optimizer, OPTIMIZERS)
        checks.count("images_per_job", self.images_per_job)
        checks.boolean("transparency", self.transparency)
        checks.increasing("snapshots", self.snapshots, most=self.steps)
        if isinstance(self.stop_when_converged, (str, int, float, type(None))):  # no leaf of JAX's
            checks.boolean("stop_when_converged", self.stop_when_converged)
        if self.octaves:
            self._check_octaves()

    def _check_octaves(self) -> None:
        """Refuse an ascent that would end before its last octave."""
        count = len(self.octaves) + 1
        if self.steps < count:
            raise ValueError(f"{count} octaves need at least {count} steps, got {self.steps}")
        if isinstance(self.stop_when_converged, bool | np.bool_) and self.stop_when_converged:
            raise ValueError(
                "stop_when_converged=true would end a picture before its last octave: give "
                "octaves=1 or stop_when_converged=false"
            )

    def _register_user_code(self) -> None:
        """Make pytrees of functions and plain classes; leave what JAX puts in while it maps."""
        for name in ("objective", "transform", "parameterization"):
            value = getattr(self, name)
            if inspect.isroutine(value) or is_unregistered(value):
                adapt = as_objective if name == "objective" else as_pytree
                object.__setattr__(self, name, adapt(value))

    def init(self, key: Key) -> Any:
        """Return the parameters of the initial image; several images have a leading axis."""
        if self.images_per_job == 1:
            return self.parameterization.init(key)
        return jax.vmap(self.parameterization.init)(jax.random.split(key, self.images_per_job))

    def decode(self, params: Any) -> Images:
        """Return the image of the parameters; several images have a leading axis."""
        decode = self.parameterization.decode
        return decode(params) if self.images_per_job == 1 else jax.vmap(decode)(params)

    def encode(self, images: Images) -> Any:
        """Return the parameters of an image; several images have a leading axis."""
        encode = self.parameterization.encode  # type: ignore[attr-defined]
        return encode(images) if self.images_per_job == 1 else jax.vmap(encode)(images)


@dataclass
class Job:
    """A pytree that decides one image. Its leaves may differ inside one compiled program."""

    recipe: Recipe
    direction: AnyDirection
    key: Keys  # of the initial noise and of every step's transform, for any objective


def as_leaves(job: Tree) -> Tree:
    """Return a job, or parts of it, with float32 for Python numbers: 3 and 3.0 share a program."""

    def as_leaf(x: Any) -> Any:
        if isinstance(x, bool):
            return np.bool_(x)
        return np.float32(x) if isinstance(x, (int, float)) else x

    cast: Tree = jax.tree.map(as_leaf, job)
    return cast


def stack_jobs(jobs: Sequence[Tree]) -> Tree:
    """Return one job (or another pytree) whose leaves have a leading axis."""

    def stack(*rows: Any) -> Any:
        is_key = jnp.issubdtype(rows[0].dtype, jax.dtypes.prng_key)
        return jnp.stack(rows) if is_key else np.stack([np.asarray(row) for row in rows])

    stacked: Tree = jax.tree.map(stack, *jobs)
    return stacked
