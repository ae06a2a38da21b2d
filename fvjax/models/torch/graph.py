"""A network as plain data: the operators from image to activations, in order.

A `Graph` is static and hashable. Two imports of the same architecture are equal for any weights,
so that the checkpoints of a training run share one compiled program.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

FORMAT = 1  # of the JSON text; raise it when an operator's arguments or a field change meaning
# fvjax's operators besides PyTorch's: record, select one of several values, return several.
LAYER, ITEM, TUPLE = "fvjax.layer", "fvjax.item", "fvjax.tuple"


@dataclass(frozen=True)
class Value:
    """The result of a step; -1 is the image after preprocessing."""

    step: int


@dataclass(frozen=True)
class Weight:
    """An array of the model's weights."""

    name: str


Argument = Any  # Value, Weight, None, bool, int, float, str, or a tuple of these


@dataclass(frozen=True)
class Step:
    """An operator and all its arguments, in the order of the operator's schema."""

    operator: str
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class Layer:
    """A recorded activation: its batch and channel axes, in PyTorch's order of axes.

    `batch` is None where the array has no batch axis, as for the windows of Swin's attention.
    """

    name: str
    batch: int | None
    channels: int
    main: bool

    @classmethod
    def of(cls, step: Step) -> "Layer":
        """Return the layer that a step with the operator `fvjax.layer` records."""
        return cls(*step.arguments[1:])

    def step(self, source: Argument) -> Step:
        """Return the step that records `source` as this layer."""
        return Step(LAYER, (source, self.name, self.batch, self.channels, self.main))


@dataclass(frozen=True)
class Graph:
    """A network for images of one size: preprocessing and steps."""

    image_size: tuple[int, int]  # (height, width) in pixels
    mean: tuple[float, ...]  # of each channel; gray images have one channel
    std: tuple[float, ...]
    steps: tuple[Step, ...]

    def __hash__(self) -> int:
        """Return the hash, computed once: JAX hashes at every call of a compiled program."""
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.image_size, self.mean, self.std, self.steps))

    def __getstate__(self) -> dict[str, Any]:
        """Return all fields but the hash, which is valid in one process only."""
        return {name: value for name, value in vars(self).items() if name != "_hash"}

    @property
    def weights(self) -> tuple[str, ...]:
        """Names of all weights that a step reads, in order of first use."""
        weights = (a for s in self.steps for a in leaves(s.arguments) if isinstance(a, Weight))
        return tuple(dict.fromkeys(weight.name for weight in weights))

    def to_json(self) -> str:
        """Return the graph as JSON text, without its weights."""
        steps = [[step.operator, *map(_encode, step.arguments)] for step in self.steps]
        fields = {"image_size": self.image_size, "mean": self.mean, "std": self.std}
        return json.dumps({"format": FORMAT, **fields, "steps": steps}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Graph":
        """Return the graph of a JSON text.

        Raises:
            ValueError: a text that is not a graph or has another format.
        """
        try:
            fields = json.loads(text)
            version = fields.pop("format")
            steps = tuple(
                Step(operator, tuple(map(_decode, arguments)))
                for operator, *arguments in fields.pop("steps")
            )
            graph = cls(steps=steps, **{name: tuple(value) for name, value in fields.items()})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"the text is no graph of a network: {error!r}") from error
        if version != FORMAT:
            raise ValueError(
                f"the graph has format {version}, but this fvjax reads format {FORMAT}"
            )
        return graph


def leaves(argument: Argument) -> Iterator[Argument]:
    """Yield every leaf of nested tuples, in order."""
    if isinstance(argument, tuple):
        for part in argument:
            yield from leaves(part)
    else:
        yield argument


def values(step: Step) -> list[int]:
    """Yield the steps whose values a step reads."""
    return [a.step for a in leaves(step.arguments) if isinstance(a, Value)]


def substitute(argument: Argument, new: Callable[[Argument], Argument]) -> Argument:
    """Return the same nested tuples with every leaf replaced by `new(leaf)`."""
    if isinstance(argument, tuple):
        return tuple(substitute(part, new) for part in argument)
    return new(argument)


def _encode(argument: Argument) -> Any:
    if isinstance(argument, tuple):
        return [_encode(part) for part in argument]
    if isinstance(argument, Value):
        return {"value": argument.step}
    if isinstance(argument, Weight):
        return {"weight": argument.name}
    if isinstance(argument, float) and not math.isfinite(argument):
        return {"float": repr(argument)}
    return argument


_KINDS: Mapping[str, Callable[[Any], Argument]] = {"value": Value, "weight": Weight, "float": float}


def _decode(argument: Any) -> Argument:
    if isinstance(argument, list):
        return tuple(map(_decode, argument))
    if isinstance(argument, dict):
        ((kind, content),) = argument.items()
        return _KINDS[kind](content)
    return argument
