"""What one step spends, by class of operation: python benchmarks/speed/step_profile.py

Runs the loop of side_fvjax under JAX's profiler and adds the times of the operations that its
device reports. Classes are the named scopes of fvjax: the operations inside a network (convolution,
pool, normalization, relu, and "network" for the rest), then transform, parameterization, objective,
history and optimizer. A fusion counts as the class of its result; "no scope" is what XLA adds
itself, such as copies. The share is of all operations; "busy" is their sum over the measured time.
"""

import argparse
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pandas
from side_fvjax import job, load, loop, write_weights
from work import Setting

import fvjax
from fvjax.models.model import PRECISIONS
from sweeps.execution.compile import compiler_options

CLASSES = (  # the first that occurs in a name
    *("convolution", "pool", "normalization", "relu", "transform", "parameterization"),
    *("objective", "history", "optimizer", "network"),
)
OUTSIDE = {"while", "conditional", "call"}  # their time is that of the operations inside


def operations(program: Any) -> dict[str, tuple[str, str]]:
    """Return the opcode and the name that JAX gave, by the name of each instruction."""
    found = {}
    for line in program.as_text().splitlines():
        if match := re.match(r"\s+(?:ROOT )?%?([\w.-]+) = .*? ([\w-]+)\(", line):
            named = re.search(r'op_name="([^"]*)"', line)
            found[match[1]] = (match[2], named[1] if named else "")
    return found


def class_of(name: str) -> str:
    """Return the class of an operation by the name that JAX gave it."""
    scopes = set(re.split(r"[/()]", name))
    return next((c for c in CLASSES if c in scopes), "no scope")


def events(folder: str) -> Iterator[tuple[str, str, float]]:
    """Yield the instruction, the kernel and the seconds of every operation of a trace."""
    path = max(Path(folder).rglob("*.xplane.pb"))
    planes = list(jax.profiler.ProfileData.from_file(str(path)).planes)
    devices = [p for p in planes if p.name.startswith("/device:GPU")] or planes
    for plane in devices:
        for line in plane.lines:
            if plane.name.startswith("/device") and not line.name.startswith("Stream"):
                continue  # the other lines show the same time by module or by step
            for event in line.events:
                of: Mapping[str, Any] = dict(event.stats)
                if "hlo_op" in of or plane.name.startswith("/device"):
                    yield str(of.get("hlo_op", "")), event.name, event.duration_ns / 1e9


def profile(model: fvjax.Model, setting: Setting) -> tuple[float, pandas.DataFrame]:
    """Return the seconds of one call, and a row per operation: class, operation, seconds, name."""
    channels = model.layers[setting.layer][-1]
    lanes = jnp.arange(setting.batch) % channels
    jobs = jax.vmap(lambda index: job(index, setting, channels))(lanes)
    options = compiler_options(jax.default_backend(), model.precision == "bfloat16")
    program = jax.jit(loop, compiler_options=options).lower(model, jobs).compile()
    jax.block_until_ready(program(model, jobs))
    known = operations(program)
    times: dict[tuple[str, str], float] = defaultdict(float)
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            begin = time.perf_counter()
            jax.block_until_ready(program(model, jobs))
            total = time.perf_counter() - begin
        for place, kernel, seconds in events(folder):
            # In a CUDA graph the place is the graph, and the kernel has the instruction's name.
            instruction = place if place in known else re.sub(r"_(\d+)$", r".\1", kernel)
            if known.get(instruction, ("", ""))[0] not in OUTSIDE:
                times[instruction, kernel] += seconds
    rows = [
        {
            "class": class_of(known.get(instruction, ("", ""))[1]),
            "operation": instruction or kernel[:60],
            "seconds": seconds,
            "name": known.get(instruction, ("", kernel))[1][-90:],
        }
        for (instruction, kernel), seconds in times.items()
    ]
    return total, pandas.DataFrame(rows)


def report(setting: Setting, total: float, rows: pandas.DataFrame, singly: int) -> str:
    """Return the table by class, and the operations that take longest."""
    busy, steps = rows["seconds"].sum(), setting.steps + 2
    table = rows.groupby("class")["seconds"].agg(["sum", "count"]).sort_values("sum")[::-1]
    table["us_per_image_step"] = 1e6 * table["sum"] / steps / setting.batch
    table["share"] = table["sum"] / busy
    longest = rows.sort_values("seconds", ascending=False).head(singly).copy()
    longest["share"] = longest["seconds"] / busy
    columns = ["share", "class", "operation", "name"]
    shown = table[["us_per_image_step", "share", "count"]].rename(columns={"count": "operations"})
    return "\n".join(
        [
            f"{setting.name}: {1000 * total / steps:.3f} ms a step, busy {busy / total:.2f}",
            shown.to_string(float_format="{:.3f}".format),
            longest[columns].to_string(index=False, float_format="{:.3f}".format),
        ]
    )


def loaded(file: str | None, layer: str, folder: str) -> fvjax.Model:
    """Return the network of a file, or GoogLeNet with random weights."""
    if file:
        return fvjax.load(file)
    return load(write_weights(f"{folder}/random.safetensors", layer))


def main() -> None:
    """Print a table per batch size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", help="a network that `fvjax.save` wrote, in place of GoogLeNet")
    parser.add_argument("--layer", default="mixed4d")
    parser.add_argument("--size", type=int, default=128, help="pixels")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--singly", type=int, default=12, help="operations listed one by one")
    given = parser.parse_args()
    print(f"{jax.devices()[0].device_kind}, jax {jax.__version__}, {given.precision}")
    with tempfile.TemporaryDirectory() as folder:
        model = loaded(given.file, given.layer, folder).in_precision(given.precision)
        for batch in given.batch_sizes:
            name = f"{given.layer}, {given.size} px, batch {batch}"
            setting = Setting(name, given.size, batch, given.steps, given.layer, {})
            print(report(setting, *profile(model, setting), given.singly), flush=True)


if __name__ == "__main__":
    main()
