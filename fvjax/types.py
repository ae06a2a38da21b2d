"""The type names shared by all of fvjax."""

from collections.abc import Mapping
from typing import TypeAlias

from jaxtyping import Array, Bool, Float, PRNGKeyArray

Activations: TypeAlias = Mapping[str, Array]
Image: TypeAlias = Float[Array, "height width 3"]
Scalar: TypeAlias = Float[Array, ""]
Number: TypeAlias = float | int | Array
Flag: TypeAlias = bool | Bool[Array, ""]
Key: TypeAlias = PRNGKeyArray

__all__ = ["Activations", "Flag", "Image", "Key", "Number", "Scalar"]
