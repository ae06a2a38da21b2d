"""GoogLeNet's layers to mixed4d one by one: forward and input gradient, and the share of the peak.

The peak is a matrix product of side 2048 in the same run. Operations are counted as those of the
plain convolution, also where Winograd needs fewer. Each layer runs inside a scan, as it does in the
loop. For 3 x 3 convolutions the plain one and Winograd's tiles of 2 and 4, between which
`fvjax.ops.convolution` chooses, are timed apart. "bfloat16" is ours with weights in bfloat16.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fvjax.models.googlenet import INCEPTIONS
from fvjax.ops import convolution as correlation
from fvjax.ops import layers
from fvjax.ops.winograd import winograd
from sweeps.execution.compile import compiler_options

OUT = Path(__file__).parents[1] / "out"
SCAN = 32  # repetitions inside one program: what is lifted out of the loop is then a small part
Conv = Callable[[jax.Array, jax.Array], jax.Array]


def convolutions(size: int) -> list[tuple[str, int, int, int, int, int]]:
    """Name, side of the input, channels, features, kernel and stride of each, to mixed4d."""
    side = size // 4
    found = [("conv2d0", size, 3, 64, 7, 2), ("conv2d1", side, 64, 64, 1, 1)]
    found.append(("conv2d2", side, 64, 192, 3, 1))
    channels, side = 192, side // 2
    for name, w in INCEPTIONS.items():
        if name == "4a":
            side //= 2
        if name == "4e":
            break
        reduced = w.one + w.three_reduce + w.five_reduce + w.pool
        found.append((f"mixed{name} 1x1, four", side, channels, reduced, 1, 1))
        found.append((f"mixed{name} 3x3", side, w.three_reduce, w.three, 3, 1))
        found.append((f"mixed{name} 5x5", side, w.five_reduce, w.five, 5, 1))
        channels = w.one + w.three + w.five + w.pool
    return found


def seconds(step: Callable[[Any, Any], Any], x: Any, weights: Any, rounds: int) -> float:
    """Least seconds of one step inside a scan; weights are given to it, as in the loop."""
    options = compiler_options(jax.default_backend(), weights.dtype == jnp.bfloat16)
    loop = jax.jit(
        lambda x, w: jax.lax.scan(lambda x, _: (step(x, w), None), x, None, SCAN)[0],
        compiler_options=options,
    )
    jax.block_until_ready(loop(x, weights))
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        jax.block_until_ready(loop(x, weights))
        times.append((time.perf_counter() - begin) / SCAN)
    return min(times)


def both_ways(conv: Conv, back: Conv, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Compute the convolution and its input gradient, so that XLA removes neither."""
    flipped = kernel[::-1, ::-1].transpose(0, 1, 3, 2)
    return x + 1e-3 * back(jnp.maximum(conv(x, kernel), 0), flipped)


def measure(arguments: argparse.Namespace, batch: int, peak: float) -> list[dict[str, Any]]:
    """Return a row for each layer, and for each implementation of a 3 x 3 convolution."""
    random, rows = np.random.default_rng(0), []
    for name, side, channels, features, kernel, stride in convolutions(arguments.size):
        if arguments.only not in name:
            continue
        x = jnp.asarray(random.normal(size=(batch, side, side, channels)), jnp.float32)
        shape = (kernel, kernel, channels, features)
        weights = jnp.asarray(random.normal(size=shape) / kernel**2, jnp.float32)
        pads = ((kernel // 2,) * 2,) * 2
        ours = partial(layers.conv, stride=stride, padding=pads)

        def step(x: jax.Array, weights: jax.Array, ours: Conv = ours) -> jax.Array:
            return x + 1e-3 * jax.grad(lambda x: jnp.sum(ours(x, weights) ** 2))(x)

        ways: dict[str, Callable[[Any, Any], Any]] = {"ours": step, "bfloat16": step}
        if kernel == 3:
            plain = partial(correlation.xla_conv, padding=pads)
            ways["plain"] = partial(both_ways, plain, plain)
            for tile in (2, 4):
                quick = partial(winograd, padding=pads, m=tile)
                ways[f"tiles of {tile}"] = partial(both_ways, quick, quick)
        work = 2 * 2 * batch * (side // stride) ** 2 * kernel**2 * channels * features
        for way in [w for w in ways if not arguments.ways or w in arguments.ways]:
            function = ways[way]
            kind = jnp.bfloat16 if way == "bfloat16" else jnp.float32
            rate = work / seconds(function, x, weights.astype(kind), arguments.rounds) / 1e9
            row = {
                "layer": name,
                "side": side,
                "batch_size": batch,
                "way": way,
                "gflop": work / 1e9,
            }
            rows.append(row | {"gflops": rate, "of_peak": rate / peak})
            print(
                f"{batch:5d}  {name:18s} {side:4d}  {way:11s} {work / batch / 1e6:8.1f} MFLOP/image"
                f"  {rate:6.1f} GFLOP/s  {rate / peak:6.0%}",
                flush=True,
            )
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=128, help="pixels")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="layers whose name holds this")
    parser.add_argument("--ways", nargs="*", help="implementations; all if not given")
    arguments = parser.parse_args()
    square = jnp.asarray(np.random.default_rng(0).normal(size=(2048, 2048)), jnp.float32)
    peak = 2 * 2048**3 / seconds(lambda x, w: x @ w / 64, square, square, arguments.rounds) / 1e9
    print(f"peak {peak:.0f} GFLOP/s, {os.cpu_count()} cores")
    rows = [row for batch in arguments.batches for row in measure(arguments, batch, peak)]
    OUT.mkdir(exist_ok=True)
    report = {"peak_gflops": peak, "processor": platform.processor(), "rows": rows}
    (OUT / "layers.json").write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
