"""What is compared: settings, the peers in each, and one measured round of one side."""

import importlib
import math
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

THREADS = 2  # at most, on either side
MOST_DIFFERENCE = 1e-4  # of a channel's mean, of the largest, between two sides' float32


def limit() -> None:
    """Keep this process and those it starts on as many cores as threads are allowed."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])


@dataclass(frozen=True)
class Setting:
    """One piece of work that every side does in every round."""

    name: str
    size: int  # pixels into the network, height and width
    batch: int  # images optimised together, one channel each
    steps: int
    layer: str
    peers: dict[str, tuple[str, str]] = field(hash=False)  # ratio: module, variant
    precision: str = "float32"
    network: str = "googlenet"

    def shorter(self, size: int, steps: int, layer: str) -> "Setting":
        """Return the same setting for a quick run."""
        return replace(self, size=size, steps=steps, layer=layer)


def _torch_peers(name: str) -> dict[str, tuple[str, str]]:
    """Return PyTorch's loop with transforms, without, and compiled."""
    return {
        name: ("side_torch", "views"),
        f"{name}_no_transform": ("side_torch", "bare"),
        f"{name}_compiled": ("side_torch", "views compiled"),
    }


def _at_128_pixels(batch: int, steps: int, precision: str) -> Setting:
    if precision == "float32":
        name, peers = f"b{batch}", {f"tuned_b{batch}": ("side_lucent", "tuned")}
    else:
        name, peers = f"b{batch}_{precision}", {}
    peers |= _torch_peers(f"torch_{name}")
    work = f"128 px, batch {batch}, {precision}"
    return Setting(work, 128, batch, steps, "mixed4d", peers, precision)


# Two looks that cost as much as a step each count against ours: 32 steps make that 6 %.
SETTINGS = (
    Setting("224 px, batch 1", 224, 1, 32, "mixed4d", {"stock_224": ("side_lucent", "stock")}),
    *(
        _at_128_pixels(batch, steps, precision)
        for precision in ("float32", "bfloat16")
        for batch, steps in ((1, 64), (16, 32))
    ),
)


def _of_the_zoo(network: str, layer: str, steps: int) -> Setting:
    peers = {f"torch_{network}": ("side_torch", "views")}
    return Setting(f"{network}, batch 8", 128, 8, steps, layer, peers, network=network)


# A user's networks, cut at a middle layer. A layer's name is that of timm's module.
ZOO = (
    _of_the_zoo("resnet50", "layer3", 48),
    _of_the_zoo("convnext_tiny", "stages.2", 48),
    _of_the_zoo("efficientnet_lite0", "blocks.4", 48),
    _of_the_zoo("vit_b_16", "blocks.5", 32),
)


@dataclass(frozen=True)
class Timing:
    """One round of one side, or one job of it."""

    seconds: float
    steps: int  # counted, not asked for
    before: float  # score of the first image
    after: float  # score at the end

    @property
    def rose(self) -> bool:
        """Whether the score is finite and better at the end."""
        return math.isfinite(self.after) and self.after > self.before


def timing(seconds: float, scores: Sequence[float]) -> Timing:
    """From the scores of each step's view: noisy, so the end is the mean of the later half."""
    later = statistics.mean(scores[len(scores) // 2 :])
    return Timing(seconds, len(scores), float(scores[0]), float(later))


def check(timing: Timing, setting: Setting, side: str) -> Timing:
    """Return the timing after checking that all steps ran and the score rose.

    Raises:
        ValueError: naming the side and what it did instead.
    """
    if timing.steps != setting.steps:
        raise ValueError(f"{side} did {timing.steps} of {setting.steps} steps in {setting.name}")
    if not math.isfinite(timing.after) or not timing.rose:
        raise ValueError(f"the score of {side} did not rise in {setting.name}: {timing}")
    return timing


def awakening(inputs: int) -> float:
    """Return a mean for the random kernels of the measured units, in standard deviations.

    All other kernels have mean zero over a unit's inputs, so that the grey of the first image does
    not put half of all units to sleep, as it does under He's weights as they are; those looked at
    must be awake at once, since a round has few steps.
    """
    return 4 / math.sqrt(inputs)


def pattern(size: int) -> np.ndarray:
    """Return a fixed image (size, size, 3) in [0, 1], on which the sides of the zoo must agree."""
    return np.random.default_rng(0).random((size, size, 3), np.float32)


def check_means(ours: Sequence[float], theirs: Sequence[float], setting: Setting) -> None:
    """Refuse a network that is not the same on both sides.

    Raises:
        ValueError: naming the setting and the largest difference.
    """
    difference = np.abs(np.subtract(ours, theirs)).max() / np.abs(theirs).max()
    if not difference < MOST_DIFFERENCE:
        raise ValueError(f"the sides' networks differ by {difference:.1e} in {setting.name}")


def call(module: str, function: str, *arguments: Any) -> Any:
    """Call a side's function; runs in that side's process, the only one that imports it."""
    return getattr(importlib.import_module(module), function)(*arguments)
