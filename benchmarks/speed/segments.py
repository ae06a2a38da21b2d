"""What does running in segments cost, against one scan of all steps? In alternating rounds.

The same jobs on the same devices: `fvjax.visualize` as one program for this number of steps, and
the segments that sweeps run, dispatched and collected as sweeps do it. A third side runs segments
of a network whose ReLUs never redirect: what a second program for the steps after the 16th could
gain, and what it would cost to compile.

Writes benchmarks/out/segments.json and prints one table; ratios are the single scan's seconds over
the side's own, so that 1 is no cost.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import side_fvjax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from work import Setting

import fvjax
from fvjax.optimization.recipe import stack_jobs
from fvjax.sources import DirectionInfo
from sweeps.execution.batch import Batch, Inputs, Segment
from sweeps.execution.batched import JOBS, run_jobs, segment_jobs, state_shapes, without_steps
from sweeps.execution.checkpoints import BatchRecord
from sweeps.execution.compile import shard_jobs
from sweeps.execution.schedule import MIN_IN_FLIGHT
from sweeps.execution.segments import SEGMENT
from sweeps.task import Task

OUT = Path(__file__).parents[1] / "out" / "segments.json"
Run = Callable[[], tuple[Any, Any]]  # images and scores, on the host
ascent: Any = sys.modules["fvjax.optimization.ascent"]


def load(name: str, layer: str) -> fvjax.Model:
    """Return TextureNet, or GoogLeNet with random weights."""
    if name != "googlenet":
        return fvjax.load(name)
    with tempfile.TemporaryDirectory() as folder:
        path = side_fvjax.write_weights(str(Path(folder) / "weights.safetensors"), layer)
        return fvjax.load("googlenet", weights=Path(path))


def timed(compile_program: Callable[[], Any]) -> tuple[Any, float]:
    """Return a program and the seconds of tracing and compiling it."""
    begin = time.perf_counter()
    program = compile_program()
    return program, time.perf_counter() - begin


def single_scan(model: fvjax.Model, jobs: list[fvjax.Job], mesh: Mesh) -> tuple[Run, float]:
    """Return what runs all steps in one program, and its compile seconds."""
    stacked = stack_jobs(jobs)
    program, seconds = timed(lambda: shard_jobs(run_jobs, mesh, 1).lower(model, stacked).compile())

    def run() -> tuple[Any, Any]:
        result = jax.device_get(program(model, stacked))
        return result.image, result.history["score"]

    return run, seconds


def in_segments(
    model: fvjax.Model, jobs: list[fvjax.Job], mesh: Mesh, redirects: bool = True
) -> tuple[Run, float]:
    """Return what runs the jobs segment by segment, and its program's compile seconds."""
    stacked = stack_jobs([without_steps(job) for job in jobs])
    shapes = state_shapes(model, without_steps(jobs[0]), len(jobs))
    arguments = ((model, (np.int32(0),) * 3), stacked, shapes)
    original = ascent.score_of
    if not redirects:
        ascent.score_of = lambda *given: original(*given[:-1], False)
    try:
        program, seconds = timed(
            lambda: shard_jobs(segment_jobs, mesh, 2).lower(*arguments).compile()
        )
    finally:
        ascent.score_of = original
    tasks = [Task(model, job, DirectionInfo(job.direction, "", "vector")) for job in jobs]
    split = NamedSharding(mesh, JOBS)
    placed = jax.device_put(model, NamedSharding(mesh, PartitionSpec()))
    inputs = Inputs(placed, None, jax.device_put(stacked, split), None)

    def run() -> tuple[Any, Any]:
        states = jax.device_put(tuple(np.zeros(x.shape, x.dtype) for x in shapes), split)
        members = tuple(range(len(jobs)))
        batch = Batch(members, tasks, [program], inputs, BatchRecord(states))
        in_flight: deque[Segment] = deque()
        while batch.remaining or in_flight:
            if batch.remaining and len(in_flight) < MIN_IN_FLIGHT:
                in_flight.append(batch.dispatch())
                continue
            last = in_flight.popleft()
            batch.collect(last)
        found = [one.result for one in batch.outcomes(last, 0.0, "")]
        images = np.stack([one.image for one in found if one is not None])
        return images, np.stack([one.history["score"] for one in found if one is not None])

    return run, seconds


def main() -> None:
    """Check that the results are equal, measure in alternating rounds, write and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="texturenet", choices=["texturenet", "googlenet"])
    parser.add_argument("--layer", default="", help="conv4 or mixed4d if not given")
    parser.add_argument("--size", type=int, default=128, help="pixels")
    parser.add_argument("--batch", type=int, default=8, help="jobs")
    parser.add_argument("--steps", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--quick", action="store_true", help="tiny, to see that it runs")
    if parser.parse_known_args()[0].quick:
        parser.set_defaults(size=32, batch=2, steps=100, rounds=2)
    arguments = parser.parse_args()
    jax.config.update("jax_num_cpu_devices", min(os.cpu_count() or 1, arguments.batch))
    layer = arguments.layer or {"texturenet": "conv4", "googlenet": "mixed4d"}[arguments.model]
    model = load(arguments.model, layer)
    setting = Setting("", arguments.size, arguments.batch, arguments.steps, layer, {})
    channels = model.layers[layer][-1]
    jobs = [side_fvjax.job(i, setting, channels) for i in range(arguments.batch)]
    mesh = Mesh(np.array(jax.devices()), ("jobs",))
    made = {
        "single scan": single_scan(model, jobs, mesh),
        "segments": in_segments(model, jobs, mesh),
        "segments, no redirection": in_segments(model, jobs, mesh, redirects=False),
    }
    images = {name: run() for name, (run, _) in made.items()}
    equal = all(map(np.array_equal, images["single scan"], images["segments"]))
    seconds: dict[str, list[float]] = {name: [] for name in made}
    for round_ in range(arguments.rounds):
        for name in list(made) if round_ % 2 else reversed(made):
            begin = time.perf_counter()
            made[name][0]()
            seconds[name].append(time.perf_counter() - begin)
    report: dict[str, Any] = {key: str(value) for key, value in vars(arguments).items()}
    report |= {"segment": SEGMENT, "bit_equal": equal, "seconds": seconds}
    report["compile_seconds"] = {name: compiled for name, (_, compiled) in made.items()}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"segments of at most {SEGMENT} steps; bit-equal to the single scan: {equal}")
    for name, times in seconds.items():
        ratios = [one / own for one, own in zip(seconds["single scan"], times, strict=True)]
        rate = arguments.batch * (arguments.steps + 2) / statistics.median(times)
        print(
            f"{name:26} {rate:8.1f} image-steps/s  ratio {statistics.median(ratios):.3f} "
            f"({min(ratios):.3f} - {max(ratios):.3f})  compiled in {made[name][1]:.1f} s"
        )


if __name__ == "__main__":
    main()
