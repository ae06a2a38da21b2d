"""TextureNet: a small network, trained by this project on generated images."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from fvjax.data.arrays import read_arrays
from fvjax.data.textures import ATTRIBUTES
from fvjax.models.conv import Conv
from fvjax.models.flax_modules import Linen
from fvjax.models.model import Model, Record
from fvjax.models.weights import check_tensors
from fvjax.ops import layers

SHIPPED = Path(__file__).parent / "data"
_LOGITS = 24  # eight shapes, eight textures, eight hues: fvjax.data.textures.ATTRIBUTES


class TextureNet(nn.Module):
    """Five convolutions and a linear readout of the last one's mean over the image.

    conv1 has stride 2; averages over 2 x 2 follow conv2 and conv3; a unit of conv5 sees 56 pixels.
    """

    widths: tuple[int, ...] = (24, 40, 72, 96, 128)

    @nn.compact
    def __call__(self, image: Float[Array, "*batch height width 3"], record: Record) -> None:
        """Run forward on RGB in [0, 1]; height and width are multiples of 8."""
        height, width = image.shape[-3:-1]
        if height % 8 or width % 8:
            raise ValueError(
                f"height and width must be multiples of 8 for TextureNet, got {height} x {width}"
            )

        def conv(name: str, x: Array, kernel: int, stride: int, pad: int) -> Array:
            width = self.widths[int(name[-1]) - 1]
            x = Conv(width, kernel, stride, pad, name=name)(x)
            x = record(f"{name}_pre_relu", x, main=False)
            return record(name, layers.relu(x, record.redirect))

        x = conv("conv1", image - 0.5, kernel=6, stride=2, pad=2)
        x = conv("conv2", x, kernel=3, stride=1, pad=1)
        x = conv("conv3", layers.average_pool(x, 2), kernel=3, stride=1, pad=1)
        x = conv("conv4", layers.average_pool(x, 2), kernel=3, stride=1, pad=1)
        x = conv("conv5", x, kernel=3, stride=1, pad=1)
        record("logits", nn.Dense(_LOGITS, name="logits")(x.mean((-3, -2))))


def texturenet(weights: str | Path | None = None) -> Model:
    """Return TextureNet with weights of `fvjax.training`; the shipped weights if `path` is None."""
    path = SHIPPED / "texturenet.safetensors" if weights is None else Path(weights)
    return texturenet_of(path, read_arrays(path))


def texturenet_of(path: str | Path, arrays: Mapping[str, Any]) -> Model:
    """Return TextureNet with the tensors that were read from `path`.

    Raises:
        ValueError: tensors that are missing, extra, misshapen, of integers or not finite.
    """
    biases = [f"conv{i}/bias" for i in range(1, 6)]
    missing = [name for name in biases if name not in arrays]
    if missing:
        raise ValueError(f"{path} holds no TextureNet: it lacks the tensor {missing[0]!r}")
    widths = tuple(arrays[name].size for name in biases)
    tensors = check_tensors(path, arrays, _shapes(widths))
    params: dict[str, dict[str, Array]] = {}
    for name, tensor in tensors.items():
        layer, kind = name.split("/")
        params.setdefault(layer, {})[kind] = jnp.asarray(tensor, jnp.float32)
    return Model(
        weights=params,
        network=Linen(TextureNet(widths)),
        image_size=(64, 64),
        default_layer="conv4",
        classes=tuple(f"{head}={name}" for head, names in ATTRIBUTES.items() for name in names),
    )


def texturenet_judge() -> Model:
    """Return a TextureNet of other widths and seed, which classifies pictures of the first."""
    return texturenet(SHIPPED / "texturenet_judge.safetensors")


def _shapes(widths: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    channels = 3
    for i, width in enumerate(widths, start=1):
        size = 6 if i == 1 else 3
        shapes |= {f"conv{i}/kernel": (size, size, channels, width), f"conv{i}/bias": (width,)}
        channels = width
    return shapes | {"logits/kernel": (channels, _LOGITS), "logits/bias": (_LOGITS,)}
