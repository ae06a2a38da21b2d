"""A step of the best PyTorch loop that we can write, on a CPU or a GPU.

The network is cut at the layer and channels_last, the standard transforms are composed into one
bilinear warp, as ours are, and Adam is fused. In bfloat16, weights and activations are bfloat16;
autocast casts the weights again in each step.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch_networks import TYPES, forward_of, normalisation
from work import Setting

COLOUR = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
Score = Callable[[torch.Tensor], torch.Tensor]


def warped(image: torch.Tensor) -> torch.Tensor:
    """Jitter, scale, rotation and jitter of the standard transforms as one warp; grey outside."""
    size, batch = image.shape[-1], image.shape[0]
    random = torch.rand(6, batch, device=image.device)
    degrees = (26 * random[0]).floor() - 10  # one of -10 to 10, or one of five more zeros
    angle = torch.deg2rad(degrees * (degrees <= 10))
    factor = 1 + ((11 * random[1]).floor() - 5) / 50
    shift = ((9 * random[2:4]).floor() - 4 + (5 * random[4:]).floor() - 2) * 2 / size
    cosine, sine = torch.cos(angle) / factor, torch.sin(angle) / factor
    rows = [torch.stack([cosine, -sine, shift[0]], -1), torch.stack([sine, cosine, shift[1]], -1)]
    grid = F.affine_grid(torch.stack(rows, 1), list(image.shape), align_corners=True)
    return F.grid_sample(image - 0.5, grid, align_corners=True) + 0.5


@lru_cache
def score_of(setting: Setting, compiled: bool, device: str) -> Score:
    """Return a function from images in [0, 1] to the sum over images of a channel's mean."""
    kind, normalised = TYPES[setting.precision], normalisation(setting.network, device)
    forward = forward_of(setting.network, setting.layer, setting.size, setting.precision, device)
    index = torch.arange(setting.batch, device=device)

    def score(image: torch.Tensor) -> torch.Tensor:
        x = normalised(image).to(kind, memory_format=torch.channels_last)
        y = forward(x)
        y = y[index, ..., index % y.shape[-1]].float()
        return y.reshape(setting.batch, -1).mean(1).sum()

    return torch.compile(score, dynamic=False) if compiled else score


def ascent(setting: Setting, variant: str, device: str) -> Callable[[], torch.Tensor]:
    """Return a step of optimizing a batch from Fourier noise; each call returns the score.

    Args:
        setting: the work.
        variant: "views" with transforms or "bare" without; with "compiled", `torch.compile` makes
            one function of the network and its score.
        device: cpu or cuda.
    """
    size, batch = setting.size, setting.batch
    score = score_of(setting, "compiled" in variant, device)
    down, across = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
    frequency = np.maximum(np.hypot(down, across), 1 / size)
    scale = torch.tensor(size / frequency / 4, dtype=torch.float32, device=device)
    colour = COLOUR / np.linalg.norm(COLOUR, axis=0).max()
    mix = torch.tensor(colour, dtype=torch.float32, device=device)[:, :, None, None]
    torch.manual_seed(0)
    noise = 0.01 * torch.randn(batch, 3, size, size // 2 + 1, 2, device=device)
    spectrum = noise.requires_grad_()
    optimizer = torch.optim.Adam([spectrum], lr=0.05, fused=True, capturable=device == "cuda")

    def step() -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        raw = torch.fft.irfft2(torch.view_as_complex(spectrum) * scale, s=(size, size))
        image = torch.sigmoid(F.conv2d(raw, mix))
        total = score(warped(image) if "views" in variant else image)
        (-total).backward()
        optimizer.step()
        return total.detach()

    return step
