"""What is compared: settings, the peers in each, and one measured round of one side."""

import importlib
import math
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

THREADS = 2  # at most, on either side


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

    def shorter(self, size: int, steps: int, layer: str) -> "Setting":
        """Return the same setting for a quick run."""
        return replace(self, size=size, steps=steps, layer=layer)


# Two looks that cost as much as a step each count against ours: so few as 24 steps make that 8 %.
SETTINGS = (
    Setting("224 px, batch 1", 224, 1, 32, "mixed4d", {"stock_224": ("side_lucent", "stock")}),
    Setting(
        "128 px, batch 1",
        128,
        1,
        64,
        "mixed4d",
        {
            "tuned_b1": ("side_lucent", "tuned"),
            "torch_b1": ("side_torch", "views"),
            "torch_b1_no_transform": ("side_torch", "bare"),
        },
    ),
    Setting(
        "128 px, batch 16",
        128,
        16,
        24,
        "mixed4d",
        {
            "tuned_b16": ("side_lucent", "tuned"),
            "torch_b16": ("side_torch", "views"),
            "torch_b16_no_transform": ("side_torch", "bare"),
        },
    ),
    *(
        Setting(
            f"128 px, batch {batch}, bfloat16",
            128,
            batch,
            steps,
            "mixed4d",
            {f"torch_b{batch}_bfloat16": ("side_torch", "views bfloat16")},
            "bfloat16",
        )
        for batch, steps in ((1, 64), (16, 24))
    ),
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


def call(module: str, function: str, *arguments: Any) -> Any:
    """Call a side's function; runs in that side's process, the only one that imports it."""
    return getattr(importlib.import_module(module), function)(*arguments)
