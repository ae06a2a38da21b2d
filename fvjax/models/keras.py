"""Keras's functional models, on its JAX backend, as a `Model`."""

import dataclasses
import importlib
import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from fvjax import checks
from fvjax.models.class_names import imagenet_classes
from fvjax.models.model import Model, Record, model_of
from fvjax.models.torch.factories import resolve, with_classes
from fvjax.models.torch.graph import Layer, Step, Value
from fvjax.models.torch.importer import as_size
from fvjax.models.torch.paths import on_main_path
from fvjax.ops import layers as ops
from fvjax.types import Image

_RECORD: ContextVar[Record | None] = ContextVar(
    "record", default=None
)  # of the image that is run forward


@dataclasses.dataclass(frozen=True, eq=False)
class KerasNetwork:
    """A functional model with a marker behind every layer, as the network of a `Model`."""

    marked: Any  # the keras.Model
    preprocess: Callable[[Image], Array]

    def __call__(self, weights: Mapping[str, Any], image: Image, record: Record) -> None:
        """Run forward on one image (height, width, 3), RGB in [0, 1]."""
        token = _RECORD.set(record)
        try:
            x = self.preprocess(image)[None]
            variables = (weights["trainable"], weights["fixed"])
            with jax.numpy_rank_promotion("allow"):
                self.marked.stateless_call(*variables, x, training=False)
        finally:
            _RECORD.reset(token)


@dataclasses.dataclass(frozen=True)
class Normalise:
    """Subtract the mean and divide by the standard deviation of each channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, image: Image) -> Array:
        """Normalise an image (height, width, channels)."""
        shift, scale = (
            jnp.asarray(v, image.dtype).reshape(1, 1, -1) for v in (self.mean, self.std)
        )
        return (image - shift) / scale


@dataclasses.dataclass(frozen=True)
class Application:
    """`preprocess_input` of a module of keras.applications, which takes values up to 255."""

    module: str

    def __call__(self, image: Image) -> Array:
        """Preprocess an image (height, width, 3)."""
        function = importlib.import_module(self.module).preprocess_input
        preprocessed: Array = function(image[None] * 255)[0]
        return preprocessed


def from_keras(
    model: Any,
    image_size: int | tuple[int, int],
    *,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    preprocess: Callable[[Image], Array] | None = None,
    default_layer: str | None = None,
) -> Model:
    """Import a functional or sequential Keras model, run by Keras's JAX backend.

    Layers have Keras's own names. ReLU layers are redirected as fvjax's ReLU; a ReLU that is an
    argument of another layer (`activation="relu"`) is not.

    Args:
        model: a `keras.Model` of images (height, width, 3), channels last.
        image_size: pixels of the images, one number or (height, width).
        mean: mean of each channel of RGB in [0, 1], subtracted first.
        std: the image is then divided by it.
        preprocess: instead of mean and std, a function of the image, hashable.
        default_layer: the last main layer with more than one position if None.

    Raises:
        ValueError: a subclassed model, another backend, or unknown preprocessing.
    """
    keras = _keras()
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        raise ValueError("model must be a functional or sequential keras.Model that is built")
    if preprocess is None:
        if mean is None or std is None:
            raise ValueError(
                "give mean and std of each channel of RGB in [0, 1], or preprocess: a Keras model "
                "does not say what images it takes"
            )
        preprocess = Normalise(tuple(map(float, mean)), tuple(map(float, std)))
    marked = _marked(keras, model)
    weights = {
        "trainable": [jnp.asarray(v.value) for v in marked.trainable_variables],
        "fixed": [jnp.asarray(v.value) for v in marked.non_trainable_variables],
    }
    size = as_size(image_size)
    imported = model_of(KerasNetwork(marked, preprocess), weights, size)
    spatial = [
        name for name in imported.main_layers if len(imported.layers[name]) > 1 and name != "image"
    ]
    layer = (spatial or imported.main_layers)[-1] if default_layer is None else default_layer
    checks.choice("layer", layer, imported.layers)
    return imported.replace(default_layer=layer)  # type: ignore[attr-defined, no-any-return]


def from_keras_factory(
    factory: str,
    input_size: int,
    *,
    arguments: Mapping[str, Any] | None = None,
    checkpoint: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Model:
    """Import the model that `factory(**arguments)` returns.

    The preprocessing of keras.applications is found automatically.

    Args:
        factory: the path of a function, such as keras.applications.ConvNeXtTiny.
        input_size: pixels of the images, as `image_size` of `from_keras`. keras.applications get it
            as `input_shape` where they have no classifier (`include_top=false`).
        arguments: keyword arguments of the function.
        checkpoint: a .weights.h5 file.
        mean: see `from_keras`.
        std: see `from_keras`.
    """
    if "keras" not in sys.modules:
        os.environ.setdefault("KERAS_BACKEND", "jax")
    _keras()
    function, keywords = resolve(factory), dict(arguments or {})
    ours = ".applications." in function.__module__
    if ours and (
        not keywords.get("include_top", True) or keywords.get("weights", "imagenet") is None
    ):
        keywords.setdefault("input_shape", (input_size, input_size, 3))
    module = function(**keywords)
    if checkpoint is not None:
        module.load_weights(checkpoint)
    preprocess = Application(function.__module__) if ours and mean is None else None
    imported = from_keras(module, input_size, mean=mean, std=std, preprocess=preprocess)
    has_imagenet_classes = (
        ours and checkpoint is None and keywords.get("weights", "imagenet") == "imagenet"
    )
    return with_classes(imported, imagenet_classes() if has_imagenet_classes else ())


def _keras() -> Any:
    try:
        import keras
    except ImportError as error:
        raise ImportError("from_keras needs Keras: pip install 'fvjax[keras]'") from error
    backend = keras.backend.backend()
    if backend != "jax":
        raise ValueError(f"Keras runs on {backend}: set KERAS_BACKEND=jax before it is imported")
    if keras.config.image_data_format() != "channels_last":
        raise ValueError("Keras must have its channels last: image_data_format is channels_first")
    return keras


def _marked(keras: Any, model: Any) -> Any:
    """Return the same layers and weights, with a marker behind each call of a layer."""
    marker, rectifier = _layer_classes()
    steps: list[Step] = []
    step_of: dict[int, int] = {}  # the step that made a symbolic tensor, by its id
    held: list[Any] = []  # keeps these tensors alive, so that no id is reused
    markers: dict[int, Any] = {}  # by their steps
    calls: Counter[str] = Counter()

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        inputs = keras.tree.flatten((args, kwargs))
        sources = tuple(
            Value(step_of.get(id(x), -1)) for x in inputs if keras.utils.is_keras_tensor(x)
        )
        out = (rectifier() if _is_relu(keras, layer) else layer)(*args, **kwargs)
        if not keras.utils.is_keras_tensor(out):  # several outputs: no layer
            return out
        name = layer.name if not calls[layer.name] else f"{layer.name}_{calls[layer.name]}"
        calls[layer.name] += 1
        made = marker()
        made.layer = name
        out = made(out)
        steps.append(Step(_KINDS.get(type(layer).__name__, ""), sources))
        steps.append(Layer(name, 0, -1, False).step(Value(len(steps) - 1)))
        step_of[id(out)] = len(steps) - 1
        markers[len(steps) - 1] = made
        held.append(out)
        return out

    made = keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=call)
    for step in on_main_path(steps, step_of[id(keras.tree.flatten(made.outputs)[0])]):
        markers[step].main = True
    return made


# Layers that belong to the previous layer, by the names in `on_main_path`.
_KINDS = {
    "ReLU": "relu.default",
    "Activation": "relu.default",
    "BatchNormalization": "fvjax.affine",
    "LayerNormalization": "layer_norm.default",
}


def _is_relu(keras: Any, layer: Any) -> bool:
    if isinstance(layer, keras.layers.Activation):
        return layer.activation is keras.activations.relu
    plain = isinstance(layer, keras.layers.ReLU) and layer.max_value is None
    return plain and not layer.negative_slope and not layer.threshold


@cache
def _layer_classes() -> tuple[Any, Any]:
    """Return fvjax's Keras layers; Keras is imported at the first call."""
    import keras

    class Marker(keras.layers.Layer):
        """A layer that records its input, without the batch axis."""

        layer, main = "", False

        def call(self, x: Any) -> Any:
            record = _RECORD.get()
            return x if record is None else record(self.layer, x[0], main=self.main)[None]

    class Rectifier(keras.layers.Layer):
        """fvjax's ReLU."""

        def call(self, x: Any) -> Any:
            record = _RECORD.get()
            return ops.relu(x, False if record is None else record.redirect)

    return Marker, Rectifier
