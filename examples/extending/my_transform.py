"""A transform: mirror the image left to right in some of the steps."""

import jax
import jax.numpy as jnp

from fvjax import checks
from fvjax.pytree import dataclass


@dataclass
class Mirror:
    """The mirrored image with this probability. At probability 0 it is the identity."""

    probability: float = 0.5

    def __post_init__(self) -> None:
        """Refuse a wrong value before anything is compiled."""
        checks.not_negative("probability", self.probability)

    def __call__(self, key, image):
        """Return a view of the same shape; all randomness comes from the key."""
        mirrored = jax.random.uniform(key) < self.probability
        return jnp.where(mirrored, image[:, ::-1], image)
