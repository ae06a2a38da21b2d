"""The best PyTorch loop that we can write: the network cut at the layer, channels_last, one warp.

InceptionV1 in Lucid's layout (SAME padding, normalisation over 9 channels), weights that need no
gradient, ReLU in place, and the standard transforms composed into one bilinear warp, as ours are.
In bfloat16, weights and activations are bfloat16; autocast casts the weights again in each step.
"""

import time
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from work import THREADS, Setting, Timing, awakening, timing

# Inputs, 1x1, 3x3 bottleneck, 3x3, 5x5 bottleneck, 5x5 and pool branch.
MIXED = {
    "mixed3a": (192, 64, 96, 128, 16, 32, 32),
    "mixed3b": (256, 128, 128, 192, 32, 96, 64),
    "mixed4a": (480, 192, 96, 204, 16, 48, 64),
    "mixed4b": (508, 160, 112, 224, 24, 64, 64),
    "mixed4c": (512, 128, 128, 256, 24, 64, 64),
    "mixed4d": (512, 112, 144, 288, 32, 64, 64),
}
Weights = dict[str, tuple[torch.Tensor, torch.Tensor]]
COLOUR = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
ALPHA, NEIGHBOURS = 1e-4, 9  # of the normalisation; its exponent is 1/2

torch.set_num_threads(THREADS)


@lru_cache
def weights(layer: str, kind: torch.dtype = torch.float32) -> Weights:
    """Random weights in channels_last: He's, and the units of `layer` awake."""
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
        bias = 0.1 * torch.randn(outputs, generator=generator)
        made[name] = (weight.to(kind, memory_format=torch.channels_last), bias.to(kind))
    return made


def conv(w: Weights, name: str, x: torch.Tensor, stride: int = 1) -> torch.Tensor:
    """Convolution, bias and ReLU."""
    weight, bias = w[name]
    return F.relu(F.conv2d(x, weight, bias, stride, weight.shape[-1] // 2), inplace=True)


def halved(x: torch.Tensor) -> torch.Tensor:
    """Max-pooling of an even size to half of it."""
    return F.max_pool2d(x, 3, 2, ceil_mode=True)


@lru_cache
def band(channels: int, kind: torch.dtype) -> torch.Tensor:
    """Return the 1x1 kernel that sums over neighbouring channels."""
    place = torch.arange(channels)
    near = (place[:, None] - place[None]).abs() <= NEIGHBOURS // 2
    return (near.float()[:, :, None, None] * (ALPHA / NEIGHBOURS)).to(kind)


def normalised(x: torch.Tensor) -> torch.Tensor:
    """Local response normalisation; quicker than torch's own."""
    return x * (1 + F.conv2d(x * x, band(x.shape[1], x.dtype))).rsqrt()


def forward(w: Weights, x: torch.Tensor, layer: str, norm: Any = normalised) -> torch.Tensor:
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


def warped(image: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """Jitter, scale, rotation and jitter of the standard transforms as one warp; grey outside."""
    size, batch = image.shape[-1], image.shape[0]
    angle = np.deg2rad(random.choice([*range(-10, 11), *[0] * 5], batch))
    factor = 1 + (random.integers(0, 11, batch) - 5) / 50
    shift = (random.integers(0, 9, (batch, 2)) - 4 + random.integers(0, 5, (batch, 2)) - 2) / size
    cosine, sine = np.cos(angle) / factor, np.sin(angle) / factor
    rows = [[cosine, -sine, 2 * shift[:, 0]], [sine, cosine, 2 * shift[:, 1]]]
    matrix = torch.tensor(np.array(rows).transpose(2, 0, 1), dtype=torch.float32)
    grid = F.affine_grid(matrix, list(image.shape), align_corners=True)
    return F.grid_sample(image - 0.5, grid, align_corners=True) + 0.5


def ascend(setting: Setting, variant: str, steps: int) -> tuple[float, ...]:
    """Optimise the batch from noise; the scores."""
    kind = torch.bfloat16 if "bfloat16" in variant else torch.float32
    size, batch, w = setting.size, setting.batch, weights(setting.layer, kind)
    down, across = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
    frequency = np.maximum(np.hypot(down, across), 1 / size)
    scale = torch.tensor(size / frequency / 4, dtype=torch.float32)
    colour = COLOUR / np.linalg.norm(COLOUR, axis=0).max()
    mix = torch.tensor(colour, dtype=torch.float32)[:, :, None, None]
    spectrum = (0.01 * torch.randn(batch, 3, size, size // 2 + 1, 2)).requires_grad_()
    optimizer = torch.optim.Adam([spectrum], lr=0.05)
    index, random = torch.arange(batch), np.random.default_rng(0)
    scores = []
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=True)
        raw = torch.fft.irfft2(torch.view_as_complex(spectrum) * scale, s=(size, size))
        image = torch.sigmoid(F.conv2d(raw, mix))
        image = warped(image, random) if "views" in variant else image
        x = (image * 255 - 117).to(kind, memory_format=torch.channels_last)
        loss = -forward(w, x, setting.layer)[index, index].float().mean((1, 2)).sum()
        loss.backward()
        optimizer.step()
        scores.append(-float(loss.detach()))
    return tuple(scores)


def warm(setting: Setting, variant: str) -> None:
    """Run two steps."""
    ascend(setting, variant, 2)


def run(setting: Setting, variant: str) -> Timing:
    """One round; "views" is with transforms, "bare" without, either in "bfloat16" or float32."""
    torch.manual_seed(0)
    begin = time.perf_counter()
    scores = ascend(setting, variant, setting.steps)
    return timing(time.perf_counter() - begin, scores)


def flops(setting: Setting) -> float:
    """Multiplications and additions of the network's convolutions for one image, forward."""
    from torch.utils.flop_counter import FlopCounterMode

    image = torch.zeros(1, 3, setting.size, setting.size)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        forward(weights(setting.layer), image, setting.layer, norm=lambda x: x)
    return float(counter.get_total_flops())


def versions() -> dict[str, Any]:
    """Of what runs here."""
    return {"torch": torch.__version__, "torch_threads": torch.get_num_threads()}
