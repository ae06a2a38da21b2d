"""Arguments, shapes and modules of a node of PyTorch's exported graph."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.fx import Node

_OF_MEMORY = ("layout", "device", "pin_memory", "non_blocking", "memory_format")


class UnsupportedError(ValueError):
    """Operators without a counterpart in JAX, with the modules that contain them."""

    def __init__(self, found: Mapping[str, Sequence[str]]) -> None:
        """Name every operator and up to three modules of each."""
        self.found = found
        parts = []
        for name, modules in found.items():
            distinct = list(dict.fromkeys(modules))
            more = ", ..." if len(distinct) > 3 else ""
            parts.append(f"{name.removesuffix('.default')} (in {', '.join(distinct[:3])}{more})")
        super().__init__(f"the network has operators that fvjax cannot run: {'; '.join(parts)}")


def as_array(tensor: torch.Tensor) -> Any:
    """Return a tensor as a NumPy array; half precision becomes float32."""
    if tensor.is_complex():
        raise ValueError("the network computes with complex constants, which fvjax cannot run")
    if tensor.is_floating_point() and tensor.element_size() < 4:
        tensor = tensor.float()
    return tensor.detach().cpu().numpy()


def arguments_of(node: Node) -> list[Any]:
    """Return all arguments of the schema in its order, without arguments about memory."""
    schema: Any = node.target._schema
    names = [x.name for x in schema.arguments]
    given = dict(zip(names, node.args, strict=False)) | dict(node.kwargs)
    return [
        given.get(x.name, x.default_value if x.has_default_value() else None)
        for x in schema.arguments
        if x.name not in _OF_MEMORY
    ]


def module_of(node: Node) -> tuple[str, str]:
    """Return path and class of the innermost module that contains a node."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    path, kind = stack[-1] if stack else ("", "")
    return path, kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
