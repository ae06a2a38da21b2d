"""Make the networks of this folder: `python tests/data/torch/make_networks.py`, where torch is.

Each is small and has random weights. golden.json holds what PyTorch computes in float64 from an
image of random numbers: a few values of every layer, and of the image's gradient.
"""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2] / "benchmarks" / "science"))

from zoo import in_our_order, randomise, recorded  # noqa: E402
from zoo_networks import Own, _transformers, timm_network  # noqa: E402

import fvjax  # noqa: E402
from fvjax.models.torch.graph import LAYER, Layer  # noqa: E402

MEAN, STD = (0.5, 0.4, 0.3), (0.25, 0.2, 0.3)
SAMPLES = 6  # values of each layer


class Decoder(nn.Module):
    """An hourglass: instance and group norm, transposed convolution, interpolation, einsum."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 12, 3, 2, 1)
        self.norm = nn.InstanceNorm2d(12, affine=True)
        self.group = nn.GroupNorm(3, 12)
        self.up = nn.ConvTranspose2d(12, 8, 4, 2, 1)
        self.out = nn.Conv2d(8, 5, 3, padding=1, padding_mode="reflect")
        self.mix = nn.Parameter(torch.randn(5, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.silu(self.norm(self.down(x)))
        half = nn.functional.interpolate(x, scale_factor=0.5, mode="bilinear", antialias=True)
        x = x + nn.functional.interpolate(half, size=x.shape[-2:], mode="bicubic")
        x = self.out(self.up(self.group(x)))
        return torch.einsum("nchw,cd->ndhw", x, self.mix)


_TINY = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3}
NETWORKS: Mapping[str, tuple[Callable[[], nn.Module], int]] = {
    "resnet": (
        lambda: _transformers(
            "ResNetForImageClassification",
            "ResNetConfig",
            embedding_size=8,
            hidden_sizes=[8, 12],
            depths=[2, 1],
            layer_type="basic",
            num_labels=5,
        ),
        33,
    ),
    "convnext": (
        lambda: _transformers(
            "ConvNextV2Model",
            "ConvNextV2Config",
            hidden_sizes=[8, 12],
            depths=[1, 2],
            num_stages=2,
            patch_size=2,
        ),
        24,
    ),
    "swin": (
        lambda: timm_network(
            "swin_tiny_patch4_window7_224",
            img_size=32,
            window_size=4,
            embed_dim=8,
            depths=(2, 1),
            num_heads=(2, 2),
            num_classes=5,
        ),
        32,
    ),
    "clip": (
        lambda: _transformers(
            "CLIPVisionModel",
            "CLIPVisionConfig",
            **_TINY,
            intermediate_size=32,
            image_size=24,
            patch_size=8,
        ),
        24,
    ),
    "decoder": (Decoder, 20),
    "own": (Own, 28),
}


def samples(x: Any) -> list[float]:
    """Values at even distances, in the order of the array."""
    flat = np.asarray(x).reshape(-1)
    return [float(f"{v:.7g}") for v in flat[np.linspace(0, flat.size - 1, SAMPLES).astype(int)]]


def picture(size: int) -> Any:
    """An image of random numbers (height, width, 3)."""
    return np.random.RandomState(0).rand(size, size, 3)


def golden(name: str) -> dict[str, Any]:
    """Write the network; return what PyTorch computes of it."""
    make, size = NETWORKS[name]
    torch.manual_seed(0)
    module = randomise(make())
    model = fvjax.from_torch(module, size, mean=MEAN, std=STD)
    fvjax.save(model, HERE / f"{name}.safetensors")
    pixels = torch.tensor(picture(size), requires_grad=True)
    shift, scale = (torch.tensor(v, dtype=torch.float64) for v in (MEAN, STD))
    theirs = recorded(module.double(), ((pixels - shift) / scale).permute(2, 0, 1)[None])
    network: Any = model.network
    layers = [Layer.of(s) for s in network.graph.steps if s.operator == LAYER]
    kept = {
        layer.name: samples(in_our_order(theirs[layer.name].detach().numpy(), layer))
        for layer in layers
        if layer.name in theirs
    }
    (
        theirs["output"].sin() if "output" in theirs else theirs[layers[-1].name].sin()
    ).sum().backward()
    assert pixels.grad is not None
    shapes = {layer: list(shape) for layer, shape in model.layers.items()}
    found = {"size": size, "layers": kept, "gradient": samples(pixels.grad.numpy())}
    return {**found, "shapes": shapes, "main": list(model.main_layers)}


if __name__ == "__main__":
    made = {name: golden(name) for name in NETWORKS}
    lines = [f'"{name}": {json.dumps(content)}' for name, content in made.items()]
    (HERE / "golden.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
