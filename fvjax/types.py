"""The type names shared by all of fvjax."""

from collections.abc import Mapping
from typing import TypeAlias

import jaxtyping
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

Activations: TypeAlias = Mapping[str, Array]
Image: TypeAlias = Float[Array, "height width 3"] | Float[Array, "height width 4"]  # or alpha
Images: TypeAlias = Float[Array, "*images height width 3"] | Float[Array, "*images height width 4"]
Scalar: TypeAlias = Float[Array, ""]
Scalars: TypeAlias = Float[Array, "*batch"]  # leaves of a pytree that vmap may return in batches
Number: TypeAlias = float | int | np.floating | Array
Flag: TypeAlias = bool | Bool[Array, ""]
Flags: TypeAlias = bool | np.bool_ | Bool[Array, "*batch"]
Key: TypeAlias = PRNGKeyArray
Keys: TypeAlias = jaxtyping.Key[Array, "*batch"]

__all__ = [
    "Activations",
    "Flag",
    "Flags",
    "Image",
    "Images",
    "Key",
    "Keys",
    "Number",
    "Scalar",
    "Scalars",
]
