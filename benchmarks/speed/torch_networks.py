"""Networks of PyTorch with random weights, cut at a layer: what PyTorch's side runs.

GoogLeNet is InceptionV1 in Lucid's layout (SAME padding, normalisation over 9 channels) with ReLU
in place. The others are timm's, which fvjax imports. Weights need no gradient, and arrays of images
are channels_last.
"""

import contextlib
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from work import awakening

sys.path.append(str(Path(__file__).parents[1] / "science"))
from zoo_networks import timm_network

# Inputs, 1x1, 3x3 bottleneck, 3x3, 5x5 bottleneck, 5x5 and pool branch.
MIXED = {
    "mixed3a": (192, 64, 96, 128, 16, 32, 32),
    "mixed3b": (256, 128, 128, 192, 32, 96, 64),
    "mixed4a": (480, 192, 96, 204, 16, 48, 64),
    "mixed4b": (508, 160, 112, 224, 24, 64, 64),
    "mixed4c": (512, 128, 128, 256, 24, 64, 64),
    "mixed4d": (512, 112, 144, 288, 32, 64, 64),
}
TIMM: dict[str, tuple[str, dict[str, Any]]] = {  # its name and arguments
    "convnext_tiny": ("convnext_tiny", {}),
    "efficientnet_lite0": ("tf_efficientnet_lite0", {}),
    "resnet50": ("resnet50", {"zero_init_last": False}),  # with it, most units are dead
    "vit_b_16": ("vit_base_patch16_224", {}),
}
TYPES = {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.bfloat16}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's
ALPHA, NEIGHBOURS = 1e-4, 9  # of the normalisation; its exponent is 1/2
Weights = dict[str, tuple[torch.Tensor, torch.Tensor]]
Forward = Callable[[torch.Tensor], torch.Tensor]


def googlenet_weights(layer: str) -> Weights:
    """Random weights: He's, and the units of `layer` awake."""
    shapes = {"conv2d0": (64, 3, 7), "conv2d1": (64, 64, 1), "conv2d2": (192, 64, 3)}
    for name, (inputs, one, three_b, three, five_b, five, pool) in MIXED.items():
        shapes |= {f"{name}_1x1": (one, inputs, 1), f"{name}_3x3b": (three_b, inputs, 1)}
        shapes |= {f"{name}_3x3": (three, three_b, 3), f"{name}_5x5b": (five_b, inputs, 1)}
        shapes |= {f"{name}_5x5": (five, five_b, 5), f"{name}_pool": (pool, inputs, 1)}
    generator = torch.Generator().manual_seed(0)
    made = {}
    for name, (outputs, inputs, kernel) in shapes.items():
        weight = torch.randn(outputs, inputs, kernel, kernel, generator=generator)
        weight -= weight.mean((1, 2, 3), keepdim=True)
        if name.startswith(layer) and not name.endswith("b"):
            weight += awakening(kernel * kernel * inputs)
        weight *= (2 / (kernel * kernel * inputs)) ** 0.5
        made[name] = (weight, 0.1 * torch.randn(outputs, generator=generator))
    return made


def conv(w: Weights, name: str, x: torch.Tensor) -> torch.Tensor:
    """Convolution, bias and ReLU."""
    weight, bias = w[name]
    return F.relu(F.conv2d(x, weight, bias, 1, weight.shape[-1] // 2), inplace=True)


def halved(x: torch.Tensor) -> torch.Tensor:
    """Max-pooling of an even size to half of it."""
    return F.max_pool2d(x, 3, 2, ceil_mode=True)


def band(channels: int) -> torch.Tensor:
    """Return the 1x1 kernel that sums over neighbouring channels."""
    place = torch.arange(channels)
    near = (place[:, None] - place[None]).abs() <= NEIGHBOURS // 2
    return near.float()[:, :, None, None] * (ALPHA / NEIGHBOURS)


def googlenet(w: Weights, norm: Forward, layer: str, x: torch.Tensor) -> torch.Tensor:
    """Return the activations of a mixed layer without computing later layers."""
    weight, bias = w["conv2d0"]
    x = F.relu(F.conv2d(F.pad(x, (2, 3, 2, 3)), weight, bias, 2), inplace=True)
    x = conv(w, "conv2d2", conv(w, "conv2d1", norm(halved(x))))
    x = halved(norm(x))
    for name in MIXED:
        if name == "mixed4a":
            x = halved(x)
        branches = [
            conv(w, f"{name}_1x1", x),
            conv(w, f"{name}_3x3", conv(w, f"{name}_3x3b", x)),
            conv(w, f"{name}_5x5", conv(w, f"{name}_5x5b", x)),
            conv(w, f"{name}_pool", F.max_pool2d(x, 3, 1, 1)),
        ]
        x = torch.cat(branches, 1)
        if name == layer:
            return x
    raise ValueError(f"layer must be one of {', '.join(MIXED)}, got {layer!r}")


def timm_module(network: str, size: int) -> torch.nn.Module:
    """Return timm's network with random weights, in evaluation mode."""
    torch.manual_seed(0)
    name, options = TIMM[network]
    if network.startswith("vit"):
        options = {**options, "img_size": size}
    made: torch.nn.Module = timm_network(name, **options)
    return made.eval().requires_grad_(False)


def imported(network: str, size: int) -> Any:
    """Return the same network as an fvjax.Model."""
    import fvjax

    return fvjax.from_torch(timm_module(network, size), size, mean=MEAN, std=STD)


def save_imported(network: str, size: int, path: str) -> str:
    """Write the imported network to a file, which JAX's process reads without PyTorch."""
    import fvjax

    fvjax.save(imported(network, size), path)
    return path


@lru_cache
def forward_of(network: str, layer: str, size: int, precision: str, device: str) -> Forward:
    """Return a function from normalised images to the layer's (batch, ..., channels)."""
    kind, images = TYPES[precision], torch.channels_last
    if network == "googlenet":
        weights = {
            name: (weight.to(device, kind, memory_format=images), bias.to(device, kind))
            for name, (weight, bias) in googlenet_weights(layer).items()
        }
        bands = {n: band(n).to(device, kind) for n in (64, 192)}

        def norm(x: torch.Tensor) -> torch.Tensor:
            """Local response normalisation; quicker than torch's own."""
            return x * (1 + F.conv2d(x * x, bands[x.shape[1]])).rsqrt()

        return lambda x: googlenet(weights, norm, layer, x).movedim(1, -1)
    module = timm_module(network, size).to(device, kind, memory_format=images)
    seen: list[torch.Tensor] = []

    def stop(part: Any, inputs: Any, output: Any) -> None:
        seen.append(output)
        raise StopAsyncIteration

    module.get_submodule(layer).register_forward_hook(stop)

    def forward(x: torch.Tensor) -> torch.Tensor:
        with contextlib.suppress(StopAsyncIteration):
            seen.append(module(x))
        y = seen.pop()
        return y.movedim(1, -1) if y.ndim == 4 else y

    return forward


@lru_cache
def normalisation(network: str, device: str) -> Forward:
    """Return a function from images in [0, 1] to what the network takes."""
    if network == "googlenet":
        return lambda image: image * 255 - 117
    mean, std = (torch.tensor(v, device=device).reshape(1, 3, 1, 1) for v in (MEAN, STD))
    return lambda image: (image - mean) / std
