"""How fast an accelerator runs GoogLeNet with random weights, by precision and batch size, and why.

Rate: image-steps per second of side_fvjax's loop, whose looks at the first and the last image cost
as much as steps and are counted as such; the median of calls that fill three seconds, compiling
left out.
MFU: that rate times the operations of an image-step over a matrix product's rate, measured here in
the same precision. The operations are counted, not taken from XLA, which counts nothing for cuDNN:
the convolutions' forward (side_fvjax.flops), twice, since the input gradient costs the same again.
Bound, the first that holds:
  launch: a step takes less than 1.25 times as long as with the next smaller batch measured (the
    smallest batch: the next larger one takes less than 1.25 times as long);
  bandwidth: a step's bytes (`traffic`) over its time exceed 60 % of what a copy reaches here;
  matmul: neither.
Memory: program_mib is the compiled program's temporaries and arguments; peak_mib the device's peak
since the start, which only grows (0 where the device does not say). What ran out of memory is a
row, and no larger batch of its kind is tried. No row starts once the budget is spent.

Writes gpu.json after every row and prints one table. Runs on a CPU with --quick; where fvjax is not
installed, with PYTHONPATH=. in front.
"""

import argparse
import json
import math
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pandas
from jax import lax
from side_fvjax import flops, job, load, loop, write_weights
from work import Setting

from fvjax.models.model import PRECISIONS

OUT = Path(__file__).parents[1] / "out" / "gpu.json"
QUICK = {
    "layers": ["conv2d2"],
    "sizes": [32],
    "batch_sizes": [1, 2],
    "precisions": ["bfloat16", "float32"],
    "steps": 2,
    "seconds": 0.0,
    "width": 256,
}
LAUNCH = 1.25  # times as long
BANDWIDTH = 0.6  # of a copy's
REPEATS = 8  # in one call, so that its launch weighs little
COPIED = 2**26  # float32 numbers: beyond any cache
FREE = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "while"}  # move nothing
Row = dict[str, Any]


def seconds(least: float, program: Any, *arguments: Any) -> list[float]:
    """Of each call, after one to warm up, until they fill `least` seconds; at least one."""
    jax.block_until_ready(program(*arguments))
    times: list[float] = []
    while sum(times) < least or not times:
        begin = time.perf_counter()
        jax.block_until_ready(program(*arguments))
        times.append(time.perf_counter() - begin)
    return times


def matmul_peak(precision: str, width: int, least: float) -> float:
    """Operations per second of square matrix products; random numbers, whose size stays."""
    dtype = jnp.bfloat16 if precision == "bfloat16" else jnp.float32
    a, b = jax.random.normal(jax.random.key(0), (2, width, width), dtype)
    b /= math.sqrt(width)
    with jax.default_matmul_precision(PRECISIONS[precision]):
        program = jax.jit(lambda a, b: lax.fori_loop(0, REPEATS, lambda _, x: x @ b, a))
        return REPEATS * 2 * width**3 / min(seconds(least, program, a, b))


def copy_peak(least: float) -> float:
    """Bytes per second, read and written, of a large array's copy with the sign turned."""
    program = jax.jit(lambda a: lax.fori_loop(0, REPEATS, lambda _, x: -x, a))
    x = jax.random.normal(jax.random.key(0), (COPIED,))
    return REPEATS * 2 * x.nbytes / min(seconds(least, program, x))


def traffic(program: Any) -> int:
    """Bytes that a step moves: operands and result of every operation in the loop's body.

    An estimate from the compiled text: caches are not counted, a slice counts as what it is cut
    from. XLA's own count ("bytes accessed") leaves out cuDNN and adds the first forward pass.
    """
    sizes: dict[str, int] = {}  # bytes, by operation
    moved: dict[str, int] = {}  # bytes, by computation
    bodies, here = [], ""
    for line in program.as_text().splitlines():
        if found := re.match(r"(?:ENTRY )?%?([\w.-]+) \(.*\{$", line):
            here = found[1]
        if found := re.match(r"\s+(?:ROOT )?%?([\w.-]+) = (.*?) ([\w-]+)\((.*?)\)", line):
            name, result, operation, operands = found.groups()
            shapes = re.findall(r"(?:pred|[a-z]+(\d+)\w*)\[([\d,]*)\]", result)
            sizes[name] = sum(
                int(bits or 8) // 8 * math.prod(int(n) for n in shape.split(",") if n)
                for bits, shape in shapes
            )
            if operation not in FREE:
                read = sum(sizes.get(o, 0) for o in re.findall(r"%([\w.-]+)", operands))
                moved[here] = moved.get(here, 0) + sizes[name] + read
            bodies += re.findall(r"body=%?([\w.-]+)", line)
    return max(moved.get(body, 0) for body in bodies)  # drawing random bits may be a loop too


def measure(setting: Setting, precision: str, weights: str, peak: float, least: float) -> Row:
    """Compile and time one program; a row without rates if memory runs out."""
    model = load(weights).in_precision(precision)
    channels = model.layers[setting.layer][-1]
    row = {"layer": setting.layer, "size": setting.size, "precision": precision}
    row |= {"batch_size": setting.batch}
    try:
        lanes = jnp.arange(setting.batch) % channels
        jobs = jax.vmap(lambda index: job(index, setting, channels))(lanes)
        begin = time.perf_counter()
        program = jax.jit(loop).lower(model, jobs).compile()
        compiling = time.perf_counter() - begin
        times = seconds(least, program, model, jobs)
    except Exception as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return row
    iterations = setting.steps + 2
    step = statistics.median(times) / iterations
    memory = program.memory_analysis()
    device = jax.devices()[0].memory_stats() or {}  # a CPU has none
    return row | {
        "rate": setting.batch / step,
        "rates": [setting.batch * iterations / t for t in times],
        "step_ms": 1000 * step,
        "mfu": setting.batch / step * 2 * flops(setting, weights) / peak,
        "gb_per_s": traffic(program) / step / 1e9,
        "compile_s": compiling,
        "program_mib": (memory.temp_size_in_bytes + memory.argument_size_in_bytes) / 2**20,
        "peak_mib": device.get("peak_bytes_in_use", 0) / 2**20,
    }


def kind(row: Row) -> tuple[str, int, str]:
    """Return the key that rows share if they differ only in batch size."""
    return row["layer"], row["size"], row["precision"]


def bound(row: Row, rows: Sequence[Row], bandwidth: float) -> str:
    """Name the bottleneck of a row, by the rule at the top."""
    if "rate" not in row:
        return "out of memory"
    alike = [r for r in rows if kind(r) == kind(row) and "rate" in r]
    alike.sort(key=lambda r: r["batch_size"])
    times = [r["step_ms"] for r in alike[max(alike.index(row) - 1, 0) :][:2]]
    if len(times) == 2 and times[1] < LAUNCH * times[0]:
        return "launch"
    return "bandwidth" if 1e9 * row["gb_per_s"] > BANDWIDTH * bandwidth else "matmul"


def table(report: Mapping[str, Any]) -> str:
    """Ceilings, rows, what was left out, and the best row."""
    peaks = report["matmul_flops_per_second"].items()
    rows = pandas.DataFrame(report["rows"]).drop(columns="rates", errors="ignore")
    lines = [
        f"{report['device']}, jax {report['jax']}; a copy moves "
        f"{report['copy_bytes_per_second'] / 1e9:.0f} GB/s, a matrix product does "
        + ", ".join(f"{peak / 1e12:.2f} TFLOP/s in {name}" for name, peak in peaks),
        rows.to_string(index=False, float_format="{:,.3f}".format, na_rep="-"),
        *(f"left out: {name}" for name in report["left_out"]),
    ]
    done = [row for row in report["rows"] if "rate" in row]
    if done:
        best = max(done, key=lambda row: row["rate"])
        lines.append(
            f"Best: {best['rate']:,.1f} image-steps/s ({best['layer']}, {best['size']} px, "
            f"{best['precision']}, batch_size {best['batch_size']}), {best['mfu']:.1%} MFU."
        )
    return "\n".join(lines)


def run(arguments: argparse.Namespace, folder: str) -> dict[str, Any]:
    """Measure the ceilings, then row by row; gpu.json is rewritten after each."""
    start, least = time.perf_counter(), arguments.seconds
    weights = write_weights(f"{folder}/random.safetensors", arguments.layers[0])
    peaks = {p: matmul_peak(p, arguments.width, least / 4) for p in arguments.precisions}
    copy, rows, left_out = copy_peak(least / 4), [], []
    report = {"device": jax.devices()[0].device_kind, "jax": jax.__version__}
    report |= {"matmul_flops_per_second": peaks, "copy_bytes_per_second": copy}
    report |= {"steps": arguments.steps, "rows": rows, "left_out": left_out}
    orders = (
        arguments.layers,
        arguments.sizes,
        sorted(arguments.batch_sizes),
        arguments.precisions,
    )
    for layer, size, batch_size, precision in product(*orders):
        name = f"{layer}, {size} px, {precision}, batch_size {batch_size}"
        now = time.perf_counter() - start
        full = {kind(row) for row in rows if "rate" not in row}
        if now > arguments.budget or (layer, size, precision) in full:
            why = "the budget was spent" if now > arguments.budget else "less ran out of memory"
            left_out.append(f"{name} ({why})")
            continue
        print(f"{now:5.0f} s: {name}", file=sys.stderr, flush=True)
        setting = Setting(name, size, batch_size, arguments.steps, layer, {})
        rows.append(measure(setting, precision, weights, peaks[precision], least))
        for row in rows:
            row["bound"] = bound(row, rows, copy)
        arguments.out.write_text(json.dumps(report, indent=1) + "\n")
    arguments.out.write_text(json.dumps(report, indent=1) + "\n")
    return report


def main() -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", nargs="+", default=["mixed4d", "mixed5b"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 224], help="pixels")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 4, 16, 64, 256, 1024])
    parser.add_argument(
        "--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS)[::-1]
    )
    parser.add_argument("--steps", type=int, default=32, help="in one call")
    parser.add_argument("--seconds", type=float, default=3.0, help="of timing for a row")
    parser.add_argument("--width", type=int, default=8192, help="of the matrix products")
    parser.add_argument("--budget", type=float, default=450.0, help="seconds")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--quick", action="store_true", help="tiny, to see that it runs")
    if parser.parse_known_args()[0].quick:
        parser.set_defaults(**QUICK)
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        print(table(run(arguments, folder)))


if __name__ == "__main__":
    main()
