"""GoogLeNet (Inception v1) as BVLC trained it in Caffe, with Lucid's layer names."""

from pathlib import Path
from typing import NamedTuple

import flax.linen as nn
from jaxtyping import Array

from fvjax.models.caffe import concat_branches, load_caffe, preprocess
from fvjax.models.conv import Conv, convs_of_one_input
from fvjax.models.model import Model, Record
from fvjax.ops import layers
from fvjax.types import Image


class Widths(NamedTuple):
    """Channels of an inception module's branches."""

    one: int
    three_reduce: int
    three: int
    five_reduce: int
    five: int
    pool: int


INCEPTIONS = {
    "3a": Widths(64, 96, 128, 16, 32, 32),
    "3b": Widths(128, 128, 192, 32, 96, 64),
    "4a": Widths(192, 96, 208, 16, 48, 64),
    "4b": Widths(160, 112, 224, 24, 64, 64),
    "4c": Widths(128, 128, 256, 24, 64, 64),
    "4d": Widths(112, 144, 288, 32, 64, 64),
    "4e": Widths(256, 160, 320, 32, 128, 128),
    "5a": Widths(256, 160, 320, 32, 128, 128),
    "5b": Widths(384, 192, 384, 48, 128, 128),
}
_BRANCHES = ("1x1", "3x3_reduce", "3x3", "5x5_reduce", "5x5", "pool_proj")
NAMES = {
    "conv2d0": "conv1/7x7_s2",
    "conv2d1": "conv2/3x3_reduce",
    "conv2d2": "conv2/3x3",
    **{f"mixed{m}_{b}": f"inception_{m}/{b}" for m in INCEPTIONS for b in _BRANCHES},
    "logits": "loss3/classifier",
}


def _pool(x: Array) -> Array:
    return layers.max_pool(x, 3, 2, layers.ceil_padding(x.shape[-3:-1], 3, 2))


class GoogLeNet(nn.Module):
    """The deploy network without its auxiliary heads; layers as activations after ReLU."""

    @nn.compact
    def __call__(self, image: Image, record: Record) -> None:
        """Run forward on RGB in [0, 1], any size from 16 pixels."""

        def linear(name: str, x: Array, width: int, kernel: int = 1, stride: int = 1) -> Array:
            x = Conv(width, kernel, stride, pad=kernel // 2, name=name)(x)
            return record(f"{name}_pre_relu", x, main=False)

        def rectified(name: str, before: Array) -> Array:
            after = layers.relu(before, record.redirect)
            return record(name, after, main=name.startswith("conv2d"))

        def conv(name: str, x: Array, width: int, kernel: int = 1, stride: int = 1) -> Array:
            return rectified(name, linear(name, x, width, kernel, stride))

        def inception(name: str, x: Array, w: Widths) -> Array:
            widths = {"1x1": w.one, "3x3_reduce": w.three_reduce, "5x5_reduce": w.five_reduce}
            of_input = convs_of_one_input(x, {f"{name}_{b}": width for b, width in widths.items()})
            one, three, five = (
                record(f"{name}_{b}_pre_relu", y, main=False)
                for b, y in zip(widths, of_input, strict=True)
            )
            three = rectified(f"{name}_3x3_reduce", three)
            five = rectified(f"{name}_5x5_reduce", five)
            pooled = layers.max_pool(x, 3, 1, ((1, 1), (1, 1)))
            branches = {
                f"{name}_1x1": one,
                f"{name}_3x3": linear(f"{name}_3x3", three, w.three, 3),
                f"{name}_5x5": linear(f"{name}_5x5", five, w.five, 5),
                f"{name}_pool_proj": linear(f"{name}_pool_proj", pooled, w.pool),
            }
            return concat_branches(record, name, branches)

        x = conv("conv2d0", preprocess(image), 64, 7, 2)
        x = layers.local_response_norm(_pool(x))
        x = conv("conv2d2", conv("conv2d1", x, 64), 192, 3)
        x = _pool(layers.local_response_norm(x))
        for name, widths in INCEPTIONS.items():
            if name in ("4a", "5a"):
                x = _pool(x)
            x = inception(f"mixed{name}", x, widths)
        record("logits", nn.Dense(1000, name="logits")(x.mean((-3, -2))))


def googlenet(weights: str | Path) -> Model:
    """Return BVLC GoogLeNet from a .safetensors file with Caffe's names; 224 x 224 pixels."""
    return load_caffe(GoogLeNet(), NAMES, weights, image_size=224, default_layer="mixed4d")
