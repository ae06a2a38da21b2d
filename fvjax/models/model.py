"""A model: weights and a network that records its activations by name."""

import dataclasses
from collections.abc import Callable, Mapping
from functools import lru_cache, wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from fvjax import checks
from fvjax.direction import SPACE, base
from fvjax.image_size import ImageSize, height_width
from fvjax.ops.platform import activation_type
from fvjax.pytree import dataclass, static
from fvjax.transparency import opaque
from fvjax.types import Activations, Flag, Image

Shape = tuple[int, ...]
_LUMA = (0.299, 0.587, 0.114)  # Rec. 601, as PIL and torchvision turn colours to gray
P = ParamSpec("P")
R = TypeVar("R")
# What `jax.default_matmul_precision` is in each. By default a GPU rounds the factors of float32
# products to 10 bits, which is tf32; a CPU has no tf32 and computes in float32.
PRECISIONS = {"float32": "highest", "tf32": "tensorfloat32", "bfloat16": "default"}


class Record:
    """Passed to a network, which calls it at each layer: `x = record("conv1", x)`.

    It keeps the activation under that name and returns it plus `offsets[name]`, if given, so that a
    gradient with respect to an offset is the gradient at that layer. `record.redirect` is the flag
    for `layers.relu`.
    """

    def __init__(self, offsets: Mapping[str, Array], redirect: Flag) -> None:
        """Begin with no layers."""
        self.offsets, self.redirect = offsets, redirect
        self.activations: dict[str, Array] = {}
        self.main: list[str] = []

    def __call__(self, name: str, x: Array, main: bool = True) -> Array:
        """Record and return layer `name`; `main=False` for a branch or a pre-activation."""
        if SPACE in name:
            raise ValueError(f"layer {name!r} holds {SPACE!r}, which separates a layer and a space")
        return self._keep(name, x, main)

    def add_space(self, layer: str, name: str, x: Array) -> Array:
        """Record the activations of a layer in another space as "<layer>@<name>"."""
        return self._keep(f"{layer}{SPACE}{name}", x, main=False)

    def _keep(self, name: str, x: Array, main: bool) -> Array:
        if name in self.activations:
            raise ValueError(f"the network records layer {name!r} twice")
        x = x + self.offsets[name].astype(x.dtype) if name in self.offsets else x
        self.activations[name] = x
        if main:
            self.main.append(name)
        return x


@runtime_checkable
class Network(Protocol):
    """The function of a model: it calls `record(name, x)` at each layer, in forward order."""

    def __hash__(self) -> int:
        """Return a hash: equal networks share a program."""

    def __call__(self, weights: Any, image: Image, record: Record, /) -> Any:
        """Run forward on one image (height, width, 3), RGB in [0, 1]."""


@dataclass
class Model:
    """Weights (leaves) and network (static). One image in, a dict of activations by layer out."""

    weights: Any
    network: Network = static()
    image_size: tuple[int, int] = static()  # pixels: the network's own input
    default_layer: str = static()
    classes: tuple[str, ...] = static(default=())  # names of the logits
    precision: str = static(default="float32")  # see `in_precision`

    @classmethod
    def from_function(
        cls,
        apply: Callable[[Any, Image, Record], Any],
        weights: Any,
        *,
        image_size: ImageSize,
        default_layer: str | None = None,
        channels: int = 3,
    ) -> "Model":
        """Return a model of a function that calls `x = record(name, x)` at each layer.

        Args:
            apply: a module-level function or another hashable callable; a new lambda each time is a
                new program each time.
            weights: any pytree of arrays.
            image_size: pixels that the network was made for: one number, or height and width.
            default_layer: the last main layer if None.
            channels: 3 for a network of RGB, 1 for one of gray images, which receives the luma.

        Raises:
            ValueError: no layer, a layer with a batch axis, or another number of channels.
        """
        if channels not in (1, 3):
            raise ValueError(
                f"channels must be 3 (RGB) or 1 (gray), got {channels!r}: for other inputs, "
                "map the image (height, width, 3) to them in apply"
            )
        network = Gray(apply) if channels == 1 else apply
        model = model_of(network, weights, image_size, default_layer)
        _refuse_batch_axes(model)
        return model

    def in_precision(self, precision: str) -> "Model":
        """Return the same model, whose network computes in another precision.

        Args:
            precision: float32; tf32, products of factors with 10 bits after the point on an NVIDIA
                GPU; bfloat16, weights, image and activations with 7. On a CPU, bfloat16 is that of
                weights and of the factors of products alone. Scores, metrics, parameters and
                optimizer are float32 in each.
        """
        checks.choice("precision", precision, PRECISIONS)
        model = self.replace(precision=precision)  # type: ignore[attr-defined]
        kind = _weights_type(precision)
        weights = jax.tree.map(
            lambda x: x.astype(kind) if jnp.issubdtype(x.dtype, jnp.floating) else x,
            self.weights,
        )
        return model.replace(weights=weights)  # type: ignore[no-any-return]

    @property
    def dtype(self) -> Any:
        """The type of activations inside the network."""
        return activation_type(_weights_type(self.precision))

    def __call__(
        self, image: Image, offsets: Mapping[str, Array] | None = None, redirect: Flag = False
    ) -> Activations:
        """Return activations by layer, float32, in forward order, "image" first.

        Args:
            image: (height, width, 3), RGB in [0, 1]; with alpha, (height, width, 4), it is seen
                over grey.
            offsets: added to the layers they name; differentiate by them for a layer's gradient.
            redirect: let gradient through units that would block all of it (`layers.relu`).
        """
        record = Record({} if offsets is None else offsets, redirect)
        self.network(self.weights, record("image", opaque(image)).astype(self.dtype), record)
        for name in record.offsets:
            checks.choice("layer", name, record.activations)
        return {name: x.astype(jnp.float32) for name, x in record.activations.items()}

    def shapes(self, size: tuple[int, int]) -> dict[str, Shape]:
        """Return the shape of every layer, in forward order, for (height, width) pixels."""
        return dict(self._structure(size)[0])

    @property
    def layers(self) -> dict[str, Shape]:
        """Shape of every layer, in forward order, at the model's own image size."""
        return self.shapes(self.image_size)

    @property
    def main_layers(self) -> tuple[str, ...]:
        """Names on the main path: no branches, no pre-activations."""
        return self._structure(self.image_size)[1]

    def require_layer(self, name: str, key: str = "layer") -> None:
        """Refuse an unknown layer.

        Raises:
            ValueError: the message has the closest names, and those of the main path first.
        """
        layers, main = self.layers, self.main_layers
        if name not in layers:
            checks.choice(key, name, [*main, *(x for x in layers if x not in main)])

    def previous(self, layer: str) -> str | None:
        """Return the main-path layer before `layer`; None for the first layer."""
        names, main, layer = list(self.layers), set(self.main_layers), base(layer)
        checks.choice("layer", layer, names)
        before = [n for n in names[: names.index(layer)] if n in main]
        return before[-1] if before else None

    def _structure(
        self, size: tuple[int, int]
    ) -> tuple[tuple[tuple[str, Shape], ...], tuple[str, ...]]:
        leaves, tree = jax.tree.flatten(self.weights)
        kinds = tuple(jax.ShapeDtypeStruct(jnp.shape(x), _dtype(x)) for x in leaves)
        return _structure(self.network, tree, kinds, tuple(size), self.dtype)


def with_model_precision(
    function: Callable[Concatenate[Model, P], R],
) -> Callable[Concatenate[Model, P], R]:
    """Trace a function of a model, gradients included, in the model's precision."""

    @wraps(function)
    def traced(model: Model, /, *args: P.args, **keywords: P.kwargs) -> R:
        with jax.default_matmul_precision(PRECISIONS[model.precision]):
            return function(model, *args, **keywords)

    return traced


def _weights_type(precision: str) -> Any:
    return jnp.bfloat16 if precision == "bfloat16" else jnp.float32


def _dtype(x: Any) -> Any:
    return x.dtype if hasattr(x, "dtype") else jnp.result_type(x)  # the latter is slow


@lru_cache(maxsize=256)
def _structure(
    network: Network, tree: Any, kinds: tuple[Any, ...], size: tuple[int, int], dtype: Any
) -> tuple[tuple[tuple[str, Shape], ...], tuple[str, ...]]:
    record = Record({}, False)

    def forward(weights: Any, image: Image) -> None:
        network(weights, image, record)

    image = jax.ShapeDtypeStruct((*size, 3), dtype)
    jax.eval_shape(forward, jax.tree.unflatten(tree, kinds), image)
    shapes = tuple((name, x.shape) for name, x in record.activations.items())
    return shapes, tuple(record.main)


@dataclasses.dataclass(frozen=True)
class Gray:
    """A network of gray images, which receives the luma of the image (Rec. 601)."""

    network: Network

    def __call__(self, weights: Any, image: Image, record: Record) -> Any:
        """Run forward on (height, width, 1)."""
        luma = jnp.asarray(_LUMA, image.dtype)[None, None]
        return self.network(weights, jnp.sum(image * luma, -1, keepdims=True), record)


def model_of(
    network: Network, weights: Any, image_size: ImageSize, default_layer: str | None = None
) -> Model:
    """Return a model of a network; its default layer is the last main layer if None."""
    weights = jax.tree.map(jnp.asarray, weights)
    size = height_width(image_size)
    model = Model(weights=weights, network=network, image_size=size, default_layer="")
    layers, main = model.layers, model.main_layers
    if set(layers) <= {"image"}:
        raise ValueError("the network recorded no layer: call record(name, x) at each of them")
    default = main[-1] if default_layer is None else default_layer
    checks.choice("layer", default, layers)
    return model.replace(default_layer=default)  # type: ignore[attr-defined, no-any-return]


def _refuse_batch_axes(model: Model) -> None:
    """Refuse layers that have a batch axis, or no axis at all.

    An axis of length 1 before all others is taken for a batch axis where the image is not flat.
    """
    for name, shape in model.layers.items():
        leading = len(shape) > 1 and shape[0] == 1 and (len(shape) != 3 or shape[1] > 1)
        if len(shape) in (1, 2, 3) and not (leading and model.image_size[0] > 1):
            continue
        raise ValueError(
            f"layer {name!r} has the shape {shape}: record (channels,), (tokens, channels) or "
            "(height, width, channels), of one image and without a batch axis"
        )
