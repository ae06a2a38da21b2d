"""What sharding costs where there is nothing to share: one device, plain jit against shard_map.

GoogLeNet with random weights to mixed4d, 128 pixels, a batch of 8, alternating rounds in one run.
Prints the ratio of times, sharded over plain, and by how much the images differ.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
import side_fvjax
from jax.sharding import Mesh
from side_fvjax import load, write_weights
from work import Setting

from fvjax.optimization.recipe import stack_jobs
from sweeps.execution.batched import run_jobs
from sweeps.execution.compile import compiler_options, shard_jobs

OUT = Path(__file__).parents[1] / "out" / "sharding.json"


def main() -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=128, help="pixels")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--layer", default="mixed4d")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--quick", action="store_true", help="tiny, to see that it runs")
    if parser.parse_known_args()[0].quick:
        parser.set_defaults(size=32, batch_size=2, steps=2, rounds=1, layer="conv2d2")
    arguments = parser.parse_args()
    setting = Setting(
        "", arguments.size, arguments.batch_size, arguments.steps, arguments.layer, {}
    )
    with tempfile.TemporaryDirectory() as folder:
        model = load(write_weights(f"{folder}/random.safetensors", arguments.layer))
    channels = model.layers[arguments.layer][-1]
    jobs = stack_jobs([side_fvjax.job(i, setting, channels) for i in range(arguments.batch_size)])
    mesh = Mesh(np.array(jax.devices()[:1]), ("jobs",))
    options = compiler_options(jax.default_backend())
    programs = {
        "plain": jax.jit(run_jobs, compiler_options=options).lower(model, jobs).compile(),
        "sharded": shard_jobs(run_jobs, mesh, 1).lower(model, jobs).compile(),
    }
    times: dict[str, list[float]] = {name: [] for name in programs}
    images = {}
    for round_ in range(arguments.rounds + 1):
        for name in list(programs)[:: -1 if round_ % 2 else 1]:
            begin = time.perf_counter()
            images[name] = np.asarray(programs[name](model, jobs).image)
            times[name].append(time.perf_counter() - begin)
    ratios = [s / p for s, p in zip(times["sharded"][1:], times["plain"][1:], strict=True)]
    difference = float(np.abs(images["plain"] - images["sharded"]).max())
    report = {"ratios": ratios, "seconds": times, "difference": difference}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(report, indent=1) + "\n")
    print(
        f"sharded over plain: {statistics.median(ratios):.3f} "
        f"({min(ratios):.3f} - {max(ratios):.3f}); images differ by at most {difference:.1e}"
    )


if __name__ == "__main__":
    main()
