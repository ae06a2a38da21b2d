"""A `Graph` run in JAX, with every layer recorded; no PyTorch is needed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from fvjax.models.model import Record
from fvjax.models.torch.graph import (
    ITEM,
    LAYER,
    TUPLE,
    Graph,
    Layer,
    Step,
    Value,
    Weight,
    substitute,
)
from fvjax.models.torch.layout import ChannelsLast, apply, in_pytorchs_order
from fvjax.models.torch.operators import OPERATORS
from fvjax.ops import layers
from fvjax.ops.relu6 import relu6
from fvjax.types import Flag, Image

_LUMA = (0.299, 0.587, 0.114)  # Rec. 601, as PIL and torchvision turn colours to gray


@dataclass(frozen=True)
class GraphNetwork:
    """A graph as the network of a `Model`."""

    graph: Graph

    def __call__(self, weights: Mapping[str, Array], image: Image, record: Record) -> None:
        """Run forward on one image (height, width, 3), RGB in [0, 1], of the graph's size.

        Raises:
            ValueError: an image of another size: shapes are fixed when a network is imported.
        """
        graph = self.graph
        if tuple(image.shape[:2]) != graph.image_size:
            raise ValueError(
                f"the network was imported for images of {_pixels(graph.image_size)} pixels, not "
                f"of {_pixels(image.shape[:2])}: import it with image_size={image.shape[:2]}"
            )
        results: list[Any] = []  # what each step returned; the image is behind the last one
        given = ChannelsLast(preprocess(image, graph.mean, graph.std))

        def see(argument: Any) -> Any:
            if isinstance(argument, Value):
                return given if argument.step < 0 else results[argument.step]
            return weights[argument.name] if isinstance(argument, Weight) else argument

        with jax.numpy_rank_promotion("allow"):  # PyTorch's operators broadcast
            for step in graph.steps:
                results.append(_run(step, substitute(step.arguments, see), record))


def _pixels(size: Any) -> str:
    return " x ".join(map(str, size))


def preprocess(image: Image, mean: tuple[float, ...], std: tuple[float, ...]) -> Array:
    """Map (height, width, 3) to the network's input, (1, height, width, channels)."""
    if len(mean) == 1:
        image = image @ jnp.asarray(_LUMA, image.dtype).reshape(3, 1)
    shift, scale = (jnp.asarray(x, image.dtype).reshape(1, 1, -1) for x in (mean, std))
    return ((image - shift) / scale)[None]


def _run(step: Step, arguments: tuple[Any, ...], record: Record) -> Any:
    if step.operator == LAYER:
        return _recorded(record, arguments[0], Layer.of(step))
    if step.operator == TUPLE:
        return arguments[0]
    if step.operator == ITEM:
        return arguments[0][arguments[1]]
    if step.operator in RECTIFIERS:
        x, *given, channels = arguments
        rectify = partial(RECTIFIERS[step.operator], record.redirect)
        if isinstance(x, ChannelsLast) and channels == 1:
            return ChannelsLast(rectify(-1, x.array, *given))
        return rectify(channels, in_pytorchs_order(x), *given)
    return apply(step.operator, arguments)


def _recorded(record: Record, x: Any, layer: Layer) -> Any:
    """Record a value without batch axis and with channels last; return the value unchanged."""
    if isinstance(x, ChannelsLast):
        if (layer.batch, layer.channels) == (0, 1):
            return ChannelsLast(record(layer.name, x.array[0], main=layer.main)[None])
        x = in_pytorchs_order(x)
    channels = layer.channels % x.ndim
    y = jnp.moveaxis(x, channels, -1)
    if layer.batch is None:
        y = record(layer.name, y, main=layer.main)
        return jnp.moveaxis(y, -1, channels)
    batch = layer.batch - (layer.batch > channels)  # where it is once channels are last
    y = record(layer.name, jnp.squeeze(y, batch), main=layer.main)
    return jnp.moveaxis(jnp.expand_dims(y, batch), -1, channels)


def _relu(redirect: Flag, channels: int, x: Array) -> Array:
    """Apply fvjax's ReLU, whose channels are the last axis."""
    return jnp.moveaxis(layers.relu(jnp.moveaxis(x, channels, -1), redirect), -1, channels)


def _hardtanh(redirect: Flag, channels: int, x: Array, low: float = -1, high: float = 1) -> Array:
    if (low, high) == (0, 6):  # as PyTorch writes it
        return _relu6(redirect, channels, x)
    return jnp.clip(x, low, high)


def _relu6(redirect: Flag, channels: int, x: Array) -> Array:
    return jnp.moveaxis(relu6(jnp.moveaxis(x, channels, -1), redirect), -1, channels)


# Activations that may be redirected; their last argument is the axis of channels.
RECTIFIERS: Mapping[str, Callable[..., Array]] = {
    "relu.default": _relu,
    "relu6.default": _relu6,
    "hardtanh.default": _hardtanh,
}
KNOWN = frozenset({*OPERATORS, *RECTIFIERS, LAYER, ITEM, TUPLE})  # all operators that can be run
