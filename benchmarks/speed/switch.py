"""Does one program for objectives of different structure pay? Separate programs against lax.switch.

Six objectives with four jobs each on TextureNet's conv4. Separately: one program per objective, as
sweeps do it, the next compiled while one runs. Switched: an objective that holds all six and picks
by a leaf, so that all jobs share one program, whose lanes compute all six scores. From nothing
compiled to all results, and again with everything compiled; without a persistent cache.

Writes benchmarks/out/switch.json and prints one table.
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import side_fvjax
from jax import lax
from work import Setting

import fvjax
from fvjax.objectives.objective import Objective
from fvjax.optimization.recipe import as_leaves
from fvjax.pytree import dataclass
from fvjax.sources import DirectionInfo
from sweeps.execution.executor import Executor
from sweeps.execution.grouping import group_tasks
from sweeps.task import Task

OUT = Path(__file__).parents[1] / "out" / "switch.json"
DOT = fvjax.DotCosine(exponent=1.0, floor=0.1)
# Smooth ones: at a kink, such as total variation's where neighbours are equal, rounding decides.
OBJECTIVES = (
    DOT,
    fvjax.Cosine(),
    fvjax.Inversion(),
    DOT - 0.1 * fvjax.OrthogonalNorm(squared=False),
    DOT - 0.1 * fvjax.ActivationNorm(layer="conv3", order=1),
    DOT - 0.1 * fvjax.HighFrequency(),
)
SAME = 1e-4  # of a pixel, after few steps


@dataclass
class OneOf(Objective):
    """One of several objectives, by a leaf."""

    index: Any
    options: tuple[Objective, ...]

    def __call__(self, activations: Any, direction: Any) -> Any:
        """Return the score of the selected objective."""
        return lax.switch(jnp.int32(self.index), self.options, activations, direction)


def jobs(arguments: argparse.Namespace, steps: int, switched: bool) -> list[fvjax.Job]:
    """All jobs, one objective after the other."""
    setting = Setting("", arguments.size, 1, steps, "conv4", {})
    made = []
    options = OBJECTIVES[: arguments.objectives]
    for place, option in enumerate(options):
        objective = OneOf(index=place, options=options) if switched else option
        for i in range(arguments.each):
            one = side_fvjax.job(i, setting, 96)
            made.append(as_leaves(one.replace(recipe=one.recipe.replace(objective=objective))))
    return made


def sweep(executor: Executor, model: fvjax.Model, work: list[fvjax.Job]) -> tuple[float, Any]:
    """Wall seconds of a sweep, and its images."""
    begin, images = time.perf_counter(), {}
    tasks = [Task(model, job, DirectionInfo(job.direction, "", "vector")) for job in work]
    groups = group_tasks(tasks)
    for place, group in enumerate(groups):
        for near in groups[place : place + 2]:
            executor.prepare(near, tasks)
        for ended in executor.execute(group, tasks):
            images |= {member: outcome.result.image for member, outcome in ended if outcome.result}
    return time.perf_counter() - begin, np.stack([images[i] for i in range(len(work))])


def main() -> None:
    """Check, measure in alternating rounds, write and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=64, help="pixels")
    parser.add_argument("--steps", type=int, default=192)
    parser.add_argument("--objectives", type=int, default=len(OBJECTIVES), help="the first ones")
    parser.add_argument("--each", type=int, default=4, help="jobs of an objective")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--quick", action="store_true", help="tiny, to see that it runs")
    if parser.parse_known_args()[0].quick:
        parser.set_defaults(size=32, steps=2, objectives=3, each=1, rounds=1)
    arguments = parser.parse_args()
    jax.config.update("jax_num_cpu_devices", os.cpu_count())
    model = fvjax.load("texturenet")
    few = [sweep(Executor(), model, jobs(arguments, 2, switched))[1] for switched in (False, True)]
    difference = float(np.abs(few[0] - few[1]).max())
    if not difference < SAME:
        raise ValueError(f"the pictures differ by {difference}")
    seconds: dict[str, dict[str, list[float]]] = {}
    for round_ in range(arguments.rounds):
        for switched in (False, True) if round_ % 2 else (True, False):
            jax.clear_caches()
            executor, work = Executor(), jobs(arguments, arguments.steps, switched)
            row = seconds.setdefault("switched" if switched else "separate", {})
            for name in ("first", "again"):
                row.setdefault(name, []).append(sweep(executor, model, work)[0])
    report = {"seconds": seconds, "difference": difference, "steps": arguments.steps}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"{len(work)} jobs; pictures after two steps differ by at most {difference:.1e}")
    for name, row in sorted(seconds.items()):
        for what, times in row.items():
            print(
                f"{name:8}  {what:5}  {statistics.median(times):6.1f} s "
                f"({min(times):.1f} - {max(times):.1f})"
            )


if __name__ == "__main__":
    main()
