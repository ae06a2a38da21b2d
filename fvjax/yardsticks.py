"""What a sweep measures pictures against: shared by its jobs, and each job's own."""

from jaxtyping import Array, Float

from fvjax.gauge import Gauge
from fvjax.pytree import dataclass
from fvjax.truth import Truth


@dataclass
class Yardsticks:
    """Shared by all jobs of a layer."""

    natural: Gauge | None = None  # of reference images
    truth: Truth | None = None  # of a planted model


@dataclass
class Marks:
    """Of one job."""

    whitened: Float[Array, "channels"] | None = None  # the direction in `natural`'s whitened space
    feature: Array | None = None  # the planted feature that it stands for
