"""ATen's operators in JAX, by the name that `torch.export` gives them.

Each takes all arguments of the operator's schema in its order, less those about memory (`layout`,
`device`, `pin_memory`, `non_blocking`, `memory_format`). Arrays keep PyTorch's order of axes.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fvjax.models.torch.operators import (
    activations,
    convolutions,
    elementwise,
    normalisations,
    pooling,
    products,
    reductions,
    resampling,
    shape,
    writes,
)

OPERATORS: Mapping[str, Callable[..., Any]] = {
    **elementwise.OPERATORS,
    **activations.OPERATORS,
    **shape.OPERATORS,
    **writes.OPERATORS,
    **reductions.OPERATORS,
    **normalisations.OPERATORS,
    **products.OPERATORS,
    **convolutions.OPERATORS,
    **pooling.OPERATORS,
    **resampling.OPERATORS,
}
