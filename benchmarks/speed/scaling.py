"""What more jobs, more pixels and deeper layers cost, through the executor that sweeps use.

Jobs: TextureNet's conv4, 64 px; seconds per job, compiling apart, with the programs compiled and
the largest one's temporary memory. Pixels and depth: GoogLeNet with random weights, a batch of 8;
milliseconds per image-step, the loop's two looks counted as steps. The compiled program's FLOPs
beside the convolutions' up to the layer prove that nothing above it is computed.

Compiled programs are not kept. Writes benchmarks/out/scaling.json and scaling.png.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import matplotlib
import numpy as np
import side_fvjax
from jax.sharding import Mesh
from side_fvjax import load, write_weights
from work import Setting

import fvjax
from fvjax.optimization.recipe import as_leaves, stack_jobs
from fvjax.sources import DirectionInfo
from sweeps.execution.batched import run_jobs
from sweeps.execution.compile import shard_jobs
from sweeps.execution.executor import Executor
from sweeps.execution.grouping import group_tasks
from sweeps.task import Task

matplotlib.use("Agg")
import matplotlib.pyplot as plt

OUT = Path(__file__).parents[1] / "out"
DEPTHS = ("conv2d0", "conv2d2", "mixed3a", "mixed3b", "mixed4a", "mixed4c", "mixed4e", "mixed5b")
QUICK = {"jobs": [1, 4], "sizes": [32], "steps": 2, "rounds": 1}
QUICK |= {"deep": "conv2d2", "layers": ["conv2d0"]}
CHUNK = 8
Row = dict[str, Any]


def many(count: int, steps: int) -> Row:
    """Run a sweep over exponent, channel and seed in a new executor."""
    model = fvjax.load("texturenet")
    channels = model.layers["conv4"][-1]
    setting = Setting("", 64, 1, steps, "conv4", {})
    jobs = []
    for i in range(count):
        one = side_fvjax.job(i % channels, setting, channels)
        objective = fvjax.DotCosine(exponent=float(i % 4), floor=0.1)
        recipe = one.recipe.replace(objective=objective)
        jobs.append(as_leaves(one.replace(recipe=recipe, key=jax.random.key(i))))
    tasks = [Task(model, job, DirectionInfo(job.direction, "", "vector")) for job in jobs]
    (group,) = group_tasks(tasks)
    executor = Executor()
    ended = [outcome for part in executor.execute(group, tasks) for _, outcome in part]
    run, _ = executor.programs[group.signature, ended[0].batch_size]
    return {
        "jobs": count,
        "batch_size": ended[0].batch_size,
        "seconds_per_job": statistics.mean(outcome.seconds for outcome in ended),
        "compile_seconds": max(outcome.compile_seconds for outcome in ended),
        "programs": executor.program_count,
        "temporary_mib": run.result().memory_analysis().temp_size_in_bytes / 2**20,
    }


def steps_of(setting: Setting, weights: str, rounds: int) -> Row:
    """Time of an image-step, and FLOPs of a step of one image."""
    model = load(weights)
    channels = model.layers[setting.layer][-1]
    jobs = stack_jobs([side_fvjax.job(i, setting, channels) for i in range(setting.batch)])
    mesh = Mesh(np.array(jax.devices()), ("jobs",))
    program = shard_jobs(run_jobs, mesh, 1).lower(model, jobs).compile()
    times = []
    for _ in range(rounds + 1):
        begin = time.perf_counter()
        jax.block_until_ready(program(model, jobs))
        times.append(time.perf_counter() - begin)
    each = [1000 * t / (setting.steps + 2) / setting.batch for t in times[1:]]
    lanes = setting.batch // len(jax.devices())
    return {
        "size": setting.size,
        "layer": setting.layer,
        "ms": statistics.median(each),
        "low": min(each),
        "high": max(each),
        "program_gflop": program.cost_analysis()["flops"] / lanes / 1e9,  # of one device, one turn
        "convolutions_gflop": 2 * side_fvjax.flops(setting, weights) / 1e9,
    }


def draw(report: dict[str, list[Row]], path: Path) -> None:
    """Three panels."""
    figure, (jobs, sizes, layers) = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
    rows = report["jobs"]
    jobs.plot([r["jobs"] for r in rows], [r["seconds_per_job"] for r in rows], "o-")
    jobs.set(xscale="log", yscale="log", xlabel="jobs", ylabel="seconds per job, compiling apart")
    for axis, key in ((sizes, "size"), (layers, "layer")):
        rows = report[f"{key}s"]
        places = [r["size"] ** 2 / 1000 if key == "size" else r["layer"] for r in rows]
        axis.plot(places, [r["ms"] for r in rows], "o-")
        axis.set(ylim=(0, None), ylabel="ms per image-step")
    sizes.set(xlabel="thousand pixels into the network", xlim=(0, None))
    layers.set(xlabel="deepest layer")
    layers.tick_params(axis="x", rotation=45)
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 4, 16, 64, 256])
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 96, 128, 160, 224])
    parser.add_argument("--deep", default="mixed4d", help="the layer of all sizes")
    parser.add_argument("--layers", nargs="+", default=DEPTHS)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--quick", action="store_true", help="tiny, to see that it runs")
    if parser.parse_known_args()[0].quick:
        parser.set_defaults(**QUICK)
    arguments = parser.parse_args()
    jax.config.update("jax_num_cpu_devices", os.cpu_count())
    report: dict[str, list[Row]] = {"jobs": [many(n, 3 * arguments.steps) for n in arguments.jobs]}
    with tempfile.TemporaryDirectory() as folder:
        weights = write_weights(f"{folder}/random.safetensors", arguments.deep)
        settings = {
            "sizes": [(size, arguments.deep) for size in arguments.sizes],
            "layers": [(min(128, max(arguments.sizes)), layer) for layer in arguments.layers],
        }
        for name, pairs in settings.items():
            report[name] = [
                steps_of(
                    Setting("", *pair[:1], CHUNK, arguments.steps, pair[1], {}),
                    weights,
                    arguments.rounds,
                )
                for pair in pairs
            ]
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "scaling.json").write_text(json.dumps(report, indent=1) + "\n")
    draw(report, arguments.out / "scaling.png")
    for name, rows in report.items():
        print(name)
        for row in rows:
            print(
                "  "
                + ", ".join(
                    f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()
                )
            )


if __name__ == "__main__":
    main()
