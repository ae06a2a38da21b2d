"""fvjax against PyTorch with CUDA graphs on one card: python benchmarks/speed/gpu_torch.py

Both sides optimize a batch of images from Fourier noise, one channel each, with the standard
transforms and Adam. PyTorch's side is the best loop that we can write: channels last, weights and
activations in the same precision, the network cut at the layer, one warp drawn on the card, fused
Adam, and the whole step captured once as a CUDA graph and replayed (the step is torch_ascent's). It
keeps no history; ours does.
Rounds alternate in one process; a ratio is the median of rounds, with the lowest and the highest.
GoogLeNet has random weights, as on the CPU; the other networks are timm's with random weights,
imported by fvjax.from_torch. `efficientnet_lite0:own` is fvjax's own code and its real weights.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # two frameworks share the card

import jax
import jax.numpy as jnp
import pandas
import torch
from side_fvjax import job, load, loop, write_weights
from torch_ascent import ascent
from torch_networks import TYPES, imported
from work import Setting

import fvjax

OUT = Path(__file__).parents[1] / "out" / "gpu_torch.json"
NETWORKS = {  # pixels, layer, the layer's name in fvjax's own code
    "googlenet": (128, "mixed4d", "mixed4d"),
    "efficientnet_lite0": (224, "blocks.5", "blocks.5.3"),
    "resnet50": (224, "layer3", ""),
    "vit_b_16": (224, "blocks.8", ""),
}
Step = Callable[[], Any]


def torch_step(setting: Setting) -> Step:
    """Return the replay of a captured step."""
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("highest" if setting.precision == "float32" else "high")
    torch.backends.cudnn.allow_tf32 = setting.precision != "float32"
    step = ascent(setting, "views", "cuda")
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(4):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def our_program(model: fvjax.Model, setting: Setting) -> Step:
    """Return the compiled loop of a batch."""
    channels = model.layers[setting.layer][-1]
    jobs = jax.vmap(lambda i: job(i, setting, channels))(jnp.arange(setting.batch) % channels)
    program = jax.jit(loop).lower(model, jobs).compile()
    return lambda: program(model, jobs)


def time_sides(ours: Step, replay: Step, batch: int, steps: int, rounds: int) -> dict[str, Any]:
    """Return image-steps per second of both, in alternating rounds."""
    rates: dict[str, list[float]] = {"fvjax": [], "torch": []}
    jax.block_until_ready(ours())
    for _ in range(rounds):
        begin = time.perf_counter()
        jax.block_until_ready(ours())
        rates["fvjax"].append(batch * (steps + 2) / (time.perf_counter() - begin))
        torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(steps):
            replay()
        torch.cuda.synchronize()
        rates["torch"].append(batch * steps / (time.perf_counter() - begin))
    ratios = [a / b for a, b in zip(rates["fvjax"], rates["torch"], strict=True)]
    medians = {side: statistics.median(values) for side, values in rates.items()}
    return medians | {"ratio": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}


def measure(name: str, batch: int, precision: str, steps: int, rounds: int, folder: str) -> Any:
    """Return a row of the table."""
    own, network = name.endswith(":own"), name.removesuffix(":own")
    size, layer, own_layer = NETWORKS[network]
    setting = Setting(name, size, batch, steps, layer, {}, precision, network)
    if network == "googlenet":
        model = load(write_weights(f"{folder}/random.safetensors", layer))
    else:
        model = fvjax.load(network) if own else imported(network, size)
    begin = time.perf_counter()
    our_setting = replace(setting, layer=own_layer) if own else setting
    ours = our_program(model.in_precision(precision), our_setting)
    compiling = time.perf_counter() - begin
    replay = torch_step(setting)
    row = {"network": name, "layer": our_setting.layer, "size": size, "batch": batch}
    row |= {"precision": precision, "compile_s": compiling}
    return row | time_sides(ours, replay, batch, steps, rounds)


def main() -> None:
    """Measure, write and print row by row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=list(NETWORKS), help="name or name:own")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 64, 256])
    parser.add_argument("--precisions", nargs="+", choices=TYPES, default=["bfloat16"])
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, jax {jax.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        for name in given.networks:
            for precision in given.precisions:
                for batch in given.batch_sizes:
                    row = measure(name, batch, precision, given.steps, given.rounds, folder)
                    rows.append(row)
                    given.out.write_text(json.dumps(rows, indent=1) + "\n")
                    print(json.dumps(row), flush=True)
    print(pandas.DataFrame(rows).to_string(index=False, float_format="{:,.2f}".format))


if __name__ == "__main__":
    main()
