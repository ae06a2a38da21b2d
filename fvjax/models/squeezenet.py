"""SqueezeNet v1.1 as trained in Caffe."""

from pathlib import Path

import flax.linen as nn
from jaxtyping import Array

from fvjax.models.caffe import concat_branches, load_caffe, preprocess
from fvjax.models.conv import Conv
from fvjax.models.model import Model, Record
from fvjax.ops import layers
from fvjax.types import Image

FIRES = {2: (16, 64), 3: (16, 64), 4: (32, 128), 5: (32, 128)} | {
    6: (48, 192),
    7: (48, 192),
    8: (64, 256),
    9: (64, 256),
}
_PARTS = ("squeeze1x1", "expand1x1", "expand3x3")
NAMES = {
    "conv1": "conv1",
    **{f"fire{n}_{part}": f"fire{n}/{part}" for n in FIRES for part in _PARTS},
    "conv10": "conv10",
}


class SqueezeNet(nn.Module):
    """Fire modules; layers as activations after ReLU."""

    @nn.compact
    def __call__(self, image: Image, record: Record) -> None:
        """Run forward on RGB in [0, 1], any size from 16 pixels."""

        def linear(
            name: str, x: Array, width: int, kernel: int = 1, stride: int = 1, pad: int = 0
        ) -> Array:
            x = Conv(width, kernel, stride, pad, name=name)(x)
            return record(f"{name}_pre_relu", x, main=False)

        def conv(name: str, x: Array, width: int, kernel: int = 1, stride: int = 1) -> Array:
            x = layers.relu(linear(name, x, width, kernel, stride), record.redirect)
            return record(name, x, main=name.startswith("conv"))

        def fire(name: str, x: Array, squeeze: int, expand: int) -> Array:
            x = conv(f"{name}_squeeze1x1", x, squeeze)
            branches = {
                f"{name}_expand1x1": linear(f"{name}_expand1x1", x, expand),
                f"{name}_expand3x3": linear(f"{name}_expand3x3", x, expand, 3, pad=1),
            }
            return concat_branches(record, name, branches)

        x = conv("conv1", preprocess(image), 64, 3, 2)
        for number, (squeeze, expand) in FIRES.items():
            if number in (2, 4, 6):
                x = layers.max_pool(x, 3, 2, layers.ceil_padding(x.shape[-3:-1], 3, 2))
            x = fire(f"fire{number}", x, squeeze, expand)
        before = linear("conv10", x, 1000)
        after = record("conv10", layers.relu(before, record.redirect))
        record("logits_pre_relu", before.mean((-3, -2)), main=False)
        record("logits", after.mean((-3, -2)))


def squeezenet(weights: str | Path) -> Model:
    """Return SqueezeNet v1.1 from a .safetensors file with Caffe's names; 227 x 227 pixels."""
    return load_caffe(SqueezeNet(), NAMES, weights, image_size=227, default_layer="fire8")
