"""Conversion of PyTorch's exported program to the steps and weights of a `Graph`."""

import operator
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch.fx import Node
from torch.utils import _pytree as pytree

from fvjax.models.torch.graph import ITEM, TUPLE, Layer, Step, Value, Weight
from fvjax.models.torch.interpret import RECTIFIERS
from fvjax.models.torch.operators import OPERATORS, convolutions
from fvjax.models.torch.tracing.axes import IMAGE, Axes, axes_of, recorded_axes, shape_of
from fvjax.models.torch.tracing.nodes import UnsupportedError, arguments_of, as_array, module_of
from fvjax.models.torch.tracing.trace import MARK, base_of, name_of, writes

_BATCH_NORMS = ("batch_norm.default", "_native_batch_norm_legit_no_training.default")


class Conversion:
    """The walk over an exported program: constants are evaluated, other nodes become steps.

    PyTorch computes once, now, whatever does not depend on the image.
    """

    def __init__(self, program: Any) -> None:
        """Convert every node, or raise UnsupportedError."""
        self.steps: list[Step] = []
        self.weights: dict[str, Any] = {}  # arrays of NumPy
        self.constants: dict[Node, Any] = {}
        self.names: dict[Node, str] = {}  # of parameters and buffers
        self.number: dict[Node, int] = {}  # the step that returns a node's value
        self.axes: dict[Node, Axes] = {}
        self.newest: dict[Node, Node] = {}  # what in-place writes made of a node
        self.kept: dict[tuple[Node, str], Weight] = {}  # by the constant and how it is turned
        self.layers: set[str] = set()
        self.missing: dict[str, list[str]] = defaultdict(list)
        self._inputs(program)
        with torch.no_grad():
            for node in program.graph.nodes:
                if node.op == "call_function":
                    self._node(node)
        if self.missing:
            raise UnsupportedError(self.missing)
        self.end = self._end(program.graph)

    def _inputs(self, program: Any) -> None:
        placeholders = [n for n in program.graph.nodes if n.op == "placeholder"]
        for spec, node in zip(program.graph_signature.input_specs, placeholders, strict=True):
            if spec.kind.name == "USER_INPUT":
                self.number[node], self.axes[node] = -1, IMAGE
                continue
            kept = program.state_dict
            tensor = kept[spec.target] if spec.target in kept else program.constants[spec.target]
            self.constants[node], self.names[node] = tensor.detach(), spec.target

    def _end(self, graph: Any) -> int:
        """Return the step of the network's first output."""
        returned = next(n for n in graph.nodes if n.op == "output")
        nodes = [n for n in pytree.tree_leaves(returned.args) if isinstance(n, Node)]
        numbers = [self.number[self._latest(n)] for n in nodes if self._latest(n) in self.number]
        if not numbers:
            raise ValueError("the network's output does not depend on the image")
        return numbers[0]

    def _latest(self, node: Node) -> Node:
        return self.newest.get(node, node)

    def _node(self, node: Node) -> None:
        inputs = [self._latest(n) for n in node.all_input_nodes]
        if name_of(node.target).startswith(("_assert", "sym_")):
            return
        if all(n in self.constants for n in inputs):
            self._fold(node)
        else:
            self.axes[node] = axes_of(node, self._current_axes(node))
            self._convert(node)
        if writes(node):
            written: Any = node.args[0]
            for old, new in list(self.newest.items()):
                if new is written:
                    self.newest[old] = node
            self.newest[written] = node

    def _current_axes(self, node: Node) -> dict[Node, Axes]:
        known = ((n, self.axes.get(self._latest(n))) for n in node.all_input_nodes)
        return {n: axes for n, axes in known if axes is not None}

    def _fold(self, node: Node) -> None:
        def see(argument: Any) -> Any:
            return (
                self.constants[self._latest(argument)] if isinstance(argument, Node) else argument
            )

        given = pytree.tree_map(
            see, (node.args, node.kwargs), is_leaf=lambda a: isinstance(a, Node)
        )
        args, kwargs = given
        if writes(node):
            args = (args[0].clone(), *args[1:])
        target: Any = node.target
        self.constants[node] = target(*args, **kwargs)

    def _convert(self, node: Node) -> None:
        name = name_of(node.target)
        if node.target is operator.getitem:
            self._step(node, ITEM, (self._argument(node.args[0]), node.args[1]))
        elif name == MARK:
            self._layer(node, self._argument(node.args[0]), str(node.args[1]))
        elif name in _BATCH_NORMS and self._batch_norm(node, name):
            pass
        else:
            self._operator(node, name)

    def _operator(self, node: Node, name: str) -> None:
        if writes(node) and name not in OPERATORS:
            base, _, overload = name.partition(".")
            name = f"{base.removesuffix('_')}.{overload}"
        if name not in OPERATORS and name not in RECTIFIERS:
            self.missing[name].append(module_of(node)[0] or "the network itself")
            return
        given = arguments_of(node)
        if name in RECTIFIERS:
            channels = recorded_axes(shape_of(node), self.axes[node])[1]
            self._step(node, name, (*map(self._argument, given), channels))
            if base_of(node.target) == "relu":
                self._functional_relu(node)
        elif not self._turned(node, name, given):
            self._step(node, name, tuple(map(self._argument, given)))

    def _functional_relu(self, node: Node) -> None:
        """Return the layer `path.relu` for a ReLU outside a ReLU module.

        Where the module returns it at once, it is the layer `path` already.
        """
        path, kind = module_of(node)
        marks = [str(n.args[1]) for n in node.users if name_of(n.target) == MARK]
        returned = len(node.users) == len(marks) and any(m.startswith(path) for m in marks)
        if not kind.endswith(".ReLU") and not returned:
            name = f"{path}.relu" if path else "relu"
            self._layer(node, Value(self.number[node]), name)

    def _layer(self, node: Node, source: Any, name: str) -> None:
        unique, count = name, 0
        while unique in self.layers:
            count += 1
            unique = f"{name}_{count}"
        self.layers.add(unique)
        shape = shape_of(node)
        batch, channels = recorded_axes(shape, self.axes[node])
        if len(shape) - (batch is not None) > 3:  # heads of windows: neither image nor tokens
            self.number[node] = source.step
            return
        step = Layer(unique, batch, channels, False).step(source)
        self._step(node, step.operator, step.arguments)

    def _batch_norm(self, node: Node, name: str) -> bool:
        """Return batch normalisation by stored statistics, as a scale and a shift."""
        given = arguments_of(node)
        native = name.startswith("_native")
        x, weight, bias, mean, variance = given[:5]
        fixed = all(n is None or self._latest(n) in self.constants for n in given[1:5])
        if mean is None or not fixed or (not native and given[5]):
            return False
        weight, bias, mean, variance = (
            None if n is None else self.constants[self._latest(n)] for n in given[1:5]
        )
        eps = given[6 if native else 7]
        scale = torch.rsqrt(variance + eps) * (1 if weight is None else weight)
        shift = (0 if bias is None else bias) - mean * scale
        path = self.names.get(given[3], node.name).removesuffix(".running_mean")
        arrays = (self._new(f"{path}.scale", scale), self._new(f"{path}.shift", shift))
        self._step(node, "fvjax.affine", (self._argument(x), *arrays))
        if native:  # it returns a tuple
            self._step(node, TUPLE, ((Value(self.number[node]),),))
        return True

    def _turned(self, node: Node, name: str, given: Sequence[Any]) -> bool:
        """Return a product with fixed weights, transposed once instead of in each step."""
        weight = self._latest(given[1]) if len(given) > 1 and isinstance(given[1], Node) else None
        if weight not in self.constants:
            return False
        tensor: torch.Tensor = self.constants[weight]
        options = convolutions.unified(name, tuple(given), tensor.ndim - 2)
        if name == "linear.default" and tensor.ndim == 2:
            kind, rest, turned = "fvjax.linear", (), as_array(tensor).T
        elif options is not None and len(shape_of(given[0])) == tensor.ndim:
            kind, rest = convolutions.TURNED, tuple(map(self._argument, options))
            turned = convolutions.turned(as_array(tensor), options[3], options[5])
        else:
            return False
        kernel = self._keep(weight, f"{kind}{options[3:] if options else ''}", turned)
        x, bias = self._argument(given[0]), self._argument(given[2] if len(given) > 2 else None)
        self._step(node, kind, (x, kernel, bias, *rest))
        return True

    def _step(self, node: Node, name: str, arguments: tuple[Any, ...]) -> None:
        self.number[node] = len(self.steps)
        self.steps.append(Step(name, arguments))

    def _keep(self, node: Node, how: str, value: Any) -> Weight:
        """Return a constant as a weight, transposed if asked, stored once."""
        if (node, how) not in self.kept:
            self.kept[node, how] = self._new(self.names.get(node, node.name), value)
        return self.kept[node, how]

    def _new(self, name: str, value: Any) -> Weight:
        unique, count = name, 0
        while unique in self.weights:
            count += 1
            unique = f"{name}_{count}"
        self.weights[unique] = as_array(value) if isinstance(value, torch.Tensor) else value
        return Weight(unique)

    def _argument(self, argument: Any) -> Any:
        """Return an argument of a node as an argument of a step."""
        if isinstance(argument, Node):
            node = self._latest(argument)
            constant = self.constants.get(node)
            if isinstance(constant, torch.Tensor):
                return self._keep(node, "", constant)
            if node in self.constants:  # a number
                return constant
            return Value(self.number.get(node, -1))  # an unsupported one has no number
        if isinstance(argument, (list, tuple)):
            return tuple(map(self._argument, argument))
        if argument is None or isinstance(argument, (bool, int, float, str)):
            return argument
        return str(argument).removeprefix("torch.")  # a dtype
