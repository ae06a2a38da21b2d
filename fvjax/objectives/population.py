"""The direction against the layer's other channels: differential and softmax.

Neuroscience knows both as population control: excite one unit and keep the others unchanged
(Bashivan, Kar and DiCarlo 2019, Science 364, eaav9436).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fvjax import checks
from fvjax.direction import Direction, activations_at
from fvjax.objectives.objective import Objective
from fvjax.objectives.similarity import dots
from fvjax.pytree import dataclass
from fvjax.types import Activations, Number, Scalar


@dataclass
class Differential(Objective):
    """mean_p (a·d)/s_d - weight · mean over channels of mean_p a_c/s_c: less the average.

    s_d, s_c: standard deviations over reference images. Channels with s_c = 0 are left out.
    """

    along: Number  # s_d, standard deviation of the dot product
    stddev: Float[Array, "*jobs channels"]  # s_c, standard deviation of each channel
    weight: Number = 1.0  # of the average

    def __post_init__(self) -> None:
        """Refuse a standard deviation of 0 along the direction, and a weight below 0."""
        checks.positive("standard deviation along the direction", self.along)
        checks.not_negative("weight", self.weight)

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Return the score of one image."""
        a, v = activations_at(activations, direction)
        varies = self.stddev > 0
        standardized = jnp.where(varies, jnp.mean(a, 0) / jnp.where(varies, self.stddev, 1.0), 0.0)
        average = jnp.sum(standardized) / jnp.maximum(jnp.sum(varies), 1)
        return jnp.mean(dots(a, v)) / self.along - self.weight * average


@dataclass
class Softmax(Objective):
    """z_d - τ · log Σ_c exp(z_c / τ): the direction's share of a softmax over the rivals.

    z_c = (mean_p a_c - m_c)/s_c and z_d = (mean_p a·d - m_d)/s_d, with means and standard
    deviations over reference images. For a channel among its rivals the value is at most 0. For a
    logit with mean 0, standard deviation 1 and τ = 1 it is the log-probability inside its head.
    τ near 0 subtracts the largest rival.
    """

    rivals: Float[Array, "*jobs channels"]  # 1 for channels of the sum, 0 for all others
    mean: Float[Array, "*jobs channels"]  # m_c
    stddev: Float[Array, "*jobs channels"]  # s_c; channels with s_c = 0 are left out
    along_mean: Number = 0.0  # m_d
    along: Number = 1.0  # s_d
    temperature: Number = 1.0  # τ

    def __post_init__(self) -> None:
        """Refuse a temperature or a standard deviation along the direction of 0 or below."""
        checks.positive("temperature", self.temperature)
        checks.positive("standard deviation along the direction", self.along)

    def __call__(self, activations: Activations, direction: Direction) -> Scalar:
        """Return the score of one image."""
        a, v = activations_at(activations, direction)
        varies = self.stddev > 0
        z = (jnp.mean(a, 0) - self.mean) / jnp.where(varies, self.stddev, 1.0)
        total = jax.nn.logsumexp(z / self.temperature, b=self.rivals * varies)
        z_d = (jnp.mean(dots(a, v)) - self.along_mean) / self.along
        return z_d - self.temperature * total
