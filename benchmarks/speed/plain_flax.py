"""What the layers gain: GoogLeNet with fvjax.ops.layers against plain flax.linen, same loop.

Both networks have the same weights and run in `fvjax.visualize`, vmapped over the batch, on one
device, to mixed4d; the plain one has nn.Conv, nn.max_pool, the normalisation by its formula, and
autodiff. Before timing, the gradients of whole steps by the parameters must agree to 1e-4 of their
norm with weights in float64. In float32 a rounding error decides now and then which pixel wins a
pool or whether a unit is on, between any two formulations: those differences are reported. Rates
count the loop's two looks, which cost as much as steps, as steps.

Writes benchmarks/out/plain.json and prints one table.
"""

import argparse
import json
import re
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from side_fvjax import job, load, write_weights
from work import Setting

import fvjax
from fvjax.models import Linen, Record
from fvjax.models.caffe import preprocess
from fvjax.models.googlenet import INCEPTIONS, Widths
from fvjax.ops.layers import ceil_padding
from fvjax.optimization.recipe import stack_jobs
from fvjax.optimization.score import score_of
from sweeps.execution.batched import run_jobs
from sweeps.execution.compile import compiler_options

OUT = Path(__file__).parents[1] / "out" / "plain.json"
TOLERANCE = 1e-4
JOBS = 12  # whose gradients are compared
QUICK = {"layer": "mixed3a", "size": 32, "batch_sizes": [2], "steps": 2, "rounds": 1}


def pool(x: Array, stride: int = 2) -> Array:
    """Max-pooling by linen; -inf never wins."""
    pads = ceil_padding(x.shape[-3:-1], 3, 2) if stride == 2 else ((1, 1), (1, 1))
    return nn.max_pool(x, (3, 3), (stride, stride), pads)


def normalised(x: Array) -> Array:
    """Caffe's normalisation by its formula."""
    squares = jnp.pad(x * x, ((0, 0),) * (x.ndim - 1) + ((2, 2),))
    near = sum(squares[..., i : i + x.shape[-1]] for i in range(5))
    return x / (1 + 1e-4 / 5 * near) ** 0.75


class PlainGoogLeNet(nn.Module):
    """fvjax.models.googlenet as one writes it without this package's layers."""

    @nn.compact
    def __call__(self, image: Array, record: Record) -> None:
        """Run forward on RGB in [0, 1]."""

        def linear(name: str, x: Array, width: int, kernel: int = 1, stride: int = 1) -> Array:
            pad = ((kernel // 2, kernel // 2),) * 2
            return nn.Conv(width, (kernel, kernel), stride, pad, name=name)(x)

        def inception(name: str, x: Array, w: Widths) -> Array:
            three = nn.relu(linear(f"{name}_3x3_reduce", x, w.three_reduce))
            five = nn.relu(linear(f"{name}_5x5_reduce", x, w.five_reduce))
            branches = (
                linear(f"{name}_1x1", x, w.one),
                linear(f"{name}_3x3", three, w.three, 3),
                linear(f"{name}_5x5", five, w.five, 5),
                linear(f"{name}_pool_proj", pool(x, 1), w.pool),
            )
            return record(name, nn.relu(jnp.concatenate(branches, -1)))

        x = normalised(pool(nn.relu(linear("conv2d0", preprocess(image), 64, 7, 2))))
        x = nn.relu(linear("conv2d2", nn.relu(linear("conv2d1", x, 64)), 192, 3))
        x = pool(normalised(x))
        for name, widths in INCEPTIONS.items():
            x = inception(f"mixed{name}", pool(x) if name in ("4a", "5a") else x, widths)


def slopes(model: fvjax.Model, jobs: list[fvjax.Job]) -> list[np.ndarray]:
    """Of each job's first step: the gradient of the score by the parameters."""

    @jax.jit
    def slope(one: fvjax.Job) -> Any:
        start, draw = jax.random.split(one.key)
        params = one.recipe.parameterization.init(start)

        def score(params: Any) -> Any:
            image = one.recipe.parameterization.decode(params)
            return score_of(
                model, one, image, lambda seen, number: one.recipe.transform(draw, seen)
            )[0]

        return jax.grad(score)(params)

    return [np.asarray(slope(one)) for one in jobs]


def differences(models: list[fvjax.Model], jobs: list[fvjax.Job]) -> list[float]:
    """Norm of the difference of the two models' gradients, relative, by job."""
    pairs = zip(*(slopes(model, jobs) for model in models), strict=True)
    return [float(np.linalg.norm(a - b) / np.linalg.norm(b)) for a, b in pairs]


def widened(model: fvjax.Model) -> fvjax.Model:
    """Return the model with float64 weights, which make all later activations float64."""
    weights = jax.tree.map(lambda x: x.astype(jnp.float64), model.weights)
    return replace(model, weights=weights)


def main() -> None:
    """Check, measure in alternating rounds, write and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layer", default="mixed4d")
    parser.add_argument("--size", type=int, default=128, help="pixels")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--quick", action="store_true", help="tiny, to see that it runs")
    if parser.parse_known_args()[0].quick:
        parser.set_defaults(**QUICK)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ours = load(write_weights(f"{folder}/random.safetensors", arguments.layer))
    models = {"layers": ours, "plain": ours.replace(network=Linen(PlainGoogLeNet()))}
    channels = ours.layers[arguments.layer][-1]
    report: dict[str, Any] = {"arguments": vars(arguments) | {"out": None}, "batch_sizes": {}}
    setting = Setting("", arguments.size, 1, arguments.steps, arguments.layer, {})
    some = [job(i, setting, channels) for i in range(JOBS)]
    single = report["gradients_differ_float32"] = differences(list(models.values()), some)
    with jax.enable_x64():
        double = differences([widened(model) for model in models.values()], some)
    report["gradients_differ_float64"] = double
    if not max(double) < TOLERANCE:
        raise ValueError(f"the gradients differ by {double}, more than {TOLERANCE}")
    kinks = sum(one > TOLERANCE for one in single)
    print(
        f"gradients differ by at most {max(double):.1e} in float64; in float32 by "
        f"{statistics.median(single):.1e} (median), in {kinks} of {JOBS} by more than {TOLERANCE}"
    )
    print("batch_size  network  image-steps/s: median (low - high)  compile s  kernel layouts")
    for batch_size in arguments.batch_sizes:
        jobs = stack_jobs([job(i, setting, channels) for i in range(batch_size)])
        rows: dict[str, Any] = {}
        for name, model in models.items():
            begin = time.perf_counter()
            options = compiler_options(jax.default_backend())
            program = jax.jit(run_jobs, compiler_options=options).lower(model, jobs).compile()
            compiling = time.perf_counter() - begin
            layouts = sorted(set(re.findall(r"dim_labels=\w+_(\w+)->", program.as_text() or "")))
            rows[name] = {"compile_s": compiling, "layouts": layouts, "rates": []}
            rows[name]["program"] = program
            jax.block_until_ready(program(model, jobs))
        for round_ in range(arguments.rounds):
            for name in list(rows)[:: -1 if round_ % 2 else 1]:
                begin = time.perf_counter()
                jax.block_until_ready(rows[name]["program"](models[name], jobs))
                rate = batch_size * (arguments.steps + 2) / (time.perf_counter() - begin)
                rows[name]["rates"].append(rate)
        for name, row in rows.items():
            del row["program"]
            rates = row["rates"]
            print(
                f"{batch_size:5d}  {name:7}  {statistics.median(rates):8.1f} ({min(rates):.1f} - "
                f"{max(rates):.1f})  {row['compile_s']:9.1f}  {' '.join(row['layouts'])}"
            )
        pairs = zip(rows["layers"]["rates"], rows["plain"]["rates"], strict=True)
        ratios = [ours_ / theirs for ours_, theirs in pairs]
        print(f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} - {max(ratios):.2f})")
        report["batch_sizes"][batch_size] = rows | {"ratios": ratios}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
