"""A PyTorch module as a graph of ATen's operators, with a marker behind each submodule."""

import operator
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.fx import Graph, Node
from torch.utils import _pytree as pytree

from fvjax.models.torch.operators import OPERATORS

MARK = "fvjax.mark.default"
_VIEWS = {
    *("view", "reshape", "flatten", "unflatten", "permute", "transpose", "t", "mT", "numpy_T"),
    *("unsqueeze", "squeeze", "expand", "slice", "select", "split", "split_with_sizes", "chunk"),
    *("unbind", "alias", "detach", "narrow", "movedim", "contiguous", "view_as", "expand_as"),
}


def _mark(x: torch.Tensor, name: str) -> torch.Tensor:
    return x.clone()


def _fake_mark(x: torch.Tensor, name: str) -> torch.Tensor:
    return torch.empty_like(x)


# A layer's consumers read the marker's output, so that what is added there reaches them.
mark = torch.library.custom_op(
    "fvjax::mark", _mark, mutates_args=(), schema="(Tensor x, str name) -> Tensor"
)
mark.register_fake(_fake_mark)


def trace(module: torch.nn.Module, image: torch.Tensor, functional: bool) -> Any:
    """Return the module's `ExportedProgram` in eval mode, without changing the module.

    Args:
        module: any module that `torch.export` can trace.
        image: its input, (1, channels, height, width); the values do not matter.
        functional: turn in-place writes into functions, and operators that fvjax lacks into
            PyTorch's core set. That takes as long again as the export.

    Raises:
        ValueError: one sentence for a module that cannot be traced.
    """
    try:
        with _as_exported(module), warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.export.export(module, (image,), strict=False)
            if not functional:
                return program
            table = torch.export.default_decompositions()
            for known in [o for o in table if name_of(o) in OPERATORS]:
                table.pop(known)
            return program.run_decompositions(table)
    except Exception as error:  # torch.export raises whatever the module or the tracer does
        raise ValueError(_reason(module, error)) from error


def _reason(module: torch.nn.Module, error: Exception) -> str:
    name, text = type(module).__name__, str(error).strip().split("\n")[0].strip()
    if type(error).__name__ in ("GuardOnDataDependentSymNode", "UserError"):
        return (
            f"{name} cannot be imported: which operators it runs depends on the values of pixels "
            f"({text})"
        )
    return f"{name} cannot be imported: torch.export fails with {type(error).__name__}: {text}"


@contextmanager
def _as_exported(module: torch.nn.Module) -> Iterator[None]:
    """Set eval mode, markers and decomposed attention, and undo all afterwards."""
    training = {m: m.training for m in module.modules()}
    fast = torch.backends.mha.get_fastpath_enabled()
    module.eval()
    calls: Counter[str] = Counter()
    handles = [
        part.register_forward_hook(_marker(path or "output", calls))
        for path, part in module.named_modules()
    ]
    torch.backends.mha.set_fastpath_enabled(False)  # or nn.MultiheadAttention is one operator
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for handle in handles:
            handle.remove()
        for part, mode in training.items():
            part.training = mode


def _marker(path: str, calls: Counter[str]) -> Callable[..., Any]:
    """Return a hook that marks a module's outputs: the first float tensor `path`, others `path.1`.

    A module that is called again gets `path_1`, as torchvision's feature extraction has it.
    """

    def hook(module: torch.nn.Module, inputs: Any, output: Any) -> Any:
        count = calls[path]
        calls[path] += 1
        name = path if count == 0 else f"{path}_{count}"
        parts, structure = pytree.tree_flatten(output)
        seen = 0
        for i, x in enumerate(parts):
            if isinstance(x, torch.Tensor) and x.is_floating_point() and x.ndim >= 1:
                parts[i] = mark(x, name if seen == 0 else f"{name}.{seen}")
                seen += 1
        return pytree.tree_unflatten(parts, structure)

    return hook


def name_of(target: Any) -> str:
    """Return `relu.default` of `aten.relu.default`; other operators keep their namespace."""
    return str(target).removeprefix("aten.")


def base_of(target: Any) -> str:
    """Return `relu` of `aten.relu_.default`."""
    return name_of(target).split(".")[0].rstrip("_")


def writes(node: Node) -> bool:
    """Return whether the node changes its first argument."""
    schema = getattr(node.target, "_schema", None)
    return schema is not None and bool(schema.is_mutable)


def _is_view(node: Node) -> bool:
    if node.op != "call_function":
        return False
    return node.target is operator.getitem or base_of(node.target) in _VIEWS


def writes_through_views(graph: Graph) -> bool:
    """Return whether a value with a view, or a view, is written in place."""
    for node in graph.nodes:
        if node.op == "call_function" and writes(node):
            written = node.args[0]
            if _is_view(written) or any(map(_is_view, written.users)):
                return True
    return False
