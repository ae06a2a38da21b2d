"""Does waking sleeping units cost awake ones? GoogLeNet channels with and without redirection.

Prints, for each way of redirecting gradients in the first 16 steps, the channels' final mean
activation and how many stayed dead.
"""

import argparse
import os
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import fvjax
from fvjax.optimization.recipe import stack_jobs
from sweeps.execution.batched import run_jobs

loop: Any = sys.modules["fvjax.optimization.ascent"]
look: Any = sys.modules["fvjax.optimization.score"]
CASES = (
    ("mixed4d", list(range(16)), True),
    ("mixed4d", list(range(16)), False),
    ("mixed4c", [411, *range(400, 408)], True),
)


def job(model: fvjax.Model, layer: str, index: int, center: bool, steps: int) -> fvjax.Job:
    """Return a job: a channel by dot product under the standard transforms."""
    return fvjax.job(
        model,
        layer=layer,
        channel=index,
        position="center" if center else "all",
        objective=fvjax.Dot(),
        image_size=128,
        steps=steps,
        seed=index,
    )


def main() -> None:
    """Run every case in every mode."""
    parser = argparse.ArgumentParser(description=__doc__)
    folder = os.environ.get("FVJAX_WEIGHTS", "../shared/weights")
    parser.add_argument("--weights", default=f"{folder}/bvlc_googlenet.safetensors")
    parser.add_argument("--steps", type=int, default=64)
    arguments = parser.parse_args()
    model = fvjax.load("googlenet", weights=arguments.weights)
    steps, is_dead = loop.MAX_REVIVE_STEPS, look.is_dead
    modes = {
        "never": (0, is_dead),
        "always": (steps, lambda activations, direction: jnp.array(True)),
        "while is_dead (ours)": (steps, is_dead),
    }
    for mode, (loop.MAX_REVIVE_STEPS, look.is_dead) in modes.items():
        for layer, channels, center in CASES:
            jobs = stack_jobs([job(model, layer, i, center, arguments.steps) for i in channels])
            result = jax.jit(lambda model, jobs: run_jobs(model, jobs))(model, jobs)
            final = np.asarray(result.final_score)
            where = "center" if center else "all"
            dead = f"{int(np.sum(result.dead))} of {len(channels)} dead"
            print(f"{mode:20s} {layer} {where:6s} mean {final.mean():6.1f}  {dead}", flush=True)


if __name__ == "__main__":
    main()
