"""Image-steps per second on GoogLeNet to mixed4d at 128 pixels, by batch size, and compile time.

Jobs are spread over a device for each core, as the application does; --devices 1 for one device.
The looks at the first and the last image cost as much as a step each; only steps are counted.
Writes benchmarks/out/throughput.json and prints one table. Timings are of this machine alone.
"""

import argparse
import json
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

import fvjax
from fvjax.optimization.recipe import as_leaves, stack_jobs
from sweeps.execution.batched import run_jobs
from sweeps.execution.compile import shard_jobs

OUT = Path(__file__).parents[1] / "out"


def job(index: int, size: int, steps: int, layer: str, channels: int) -> fvjax.Job:
    """Return a job: a channel under the standard recipe."""
    recipe = fvjax.Recipe(
        objective=fvjax.DotCosine(exponent=2.0, floor=0.1),
        parameterization=fvjax.Fourier(
            image_size=size, stddev=0.01, decay_power=1.0, decorrelate=True
        ),
        transform=fvjax.Standard(jitter=8, scale=0.1, rotation=10, late_jitter=4, fill=0.5),
        learning_rate=0.05,
        steps=steps,
        optimizer="adam",
    )
    vector = jnp.zeros(channels).at[index].set(1.0)
    direction = fvjax.Direction(vector=vector, layer=layer)
    return as_leaves(fvjax.Job(recipe=recipe, direction=direction, key=jax.random.key(index)))


def measure(model: fvjax.Model, batch_size: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Compile one program and run it several times."""
    steps = max(24, arguments.image_steps // batch_size)
    channels = model.layers[arguments.layer][-1]
    jobs = stack_jobs(
        [job(i, arguments.size, steps, arguments.layer, channels) for i in range(batch_size)]
    )
    begin = time.perf_counter()
    mesh = Mesh(np.array(jax.devices()[: min(arguments.devices, batch_size)]), ("jobs",))
    program = shard_jobs(run_jobs, mesh, 1).lower(model, jobs).compile()
    compiling = time.perf_counter() - begin
    rates = []
    for _ in range(arguments.rounds):
        begin = time.perf_counter()
        jax.block_until_ready(program(model, jobs))
        rates.append(batch_size * steps / (time.perf_counter() - begin))
    memory = program.memory_analysis().temp_size_in_bytes
    return {
        "batch_size": batch_size,
        "rates": rates,
        "compile_seconds": compiling,
        "temporary_bytes": memory,
    }


def main() -> None:
    """Measure every batch size and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    folder = os.environ.get("FVJAX_WEIGHTS", "../shared/weights")
    parser.add_argument("--weights", default=f"{folder}/bvlc_googlenet.safetensors")
    parser.add_argument("--layer", default="mixed4d")
    parser.add_argument("--size", type=int, default=128, help="pixels")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--image-steps", type=int, default=128, help="in one round")
    parser.add_argument("--devices", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    jax.config.update("jax_num_cpu_devices", arguments.devices)
    model = fvjax.load("googlenet", weights=arguments.weights)
    rows = [measure(model, batch_size, arguments) for batch_size in arguments.batch_sizes]
    machine = {"processor": platform.processor(), "cores": os.cpu_count(), "jax": jax.__version__}
    OUT.mkdir(exist_ok=True)
    report = {"machine": machine, "arguments": vars(arguments), "rows": rows}
    (OUT / "throughput.json").write_text(json.dumps(report, indent=1))
    print(f"GoogLeNet to {arguments.layer}, {arguments.size} px, {jax.devices()[0].device_kind}")
    print("batch_size  image-steps/s (median, low - high)  ms each  compile s  temporary MiB")
    for row in rows:
        rates = row["rates"]
        median = statistics.median(rates)
        print(
            f"{row['batch_size']:5d}  {median:13.1f}  ({min(rates):.1f} - {max(rates):.1f})"
            f"  {1000 / median:16.1f}  {row['compile_seconds']:9.1f}"
            f"  {row['temporary_bytes'] / 2**20:13.0f}"
        )


if __name__ == "__main__":
    main()
