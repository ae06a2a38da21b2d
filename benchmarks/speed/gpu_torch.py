"""fvjax against PyTorch with CUDA graphs on one card: python benchmarks/speed/gpu_torch.py

Both sides optimize a batch of images from Fourier noise, one channel each, with the standard
transforms and Adam. PyTorch's side is the best loop that we can write: channels last, weights and
activations in the same precision, the network cut at the layer, one warp drawn on the card, fused
Adam, and the whole step captured once as a CUDA graph and replayed. It keeps no history; ours does.
Rounds alternate in one process; a ratio is the median of rounds, with the lowest and the highest.
GoogLeNet has random weights, as in side_torch; the other networks are timm's with random weights,
imported by fvjax.from_torch. `efficientnet_lite0:own` is fvjax's own code and its real weights.
"""

import argparse
import contextlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # two frameworks share the card

import jax
import jax.numpy as jnp
import numpy as np
import pandas
import side_torch
import timm
import torch
import torch.nn.functional as F
from side_fvjax import job, load, loop, write_weights
from work import Setting

import fvjax

OUT = Path(__file__).parents[1] / "out" / "gpu_torch.json"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's
NETWORKS = {  # pixels, layer, the layer's name in fvjax's own code, timm's name
    "googlenet": (128, "mixed4d", "mixed4d", ""),
    "efficientnet_lite0": (224, "blocks.5", "blocks.5.3", "tf_efficientnet_lite0"),
    "resnet50": (224, "layer3", "", "resnet50"),
    "vit_b_16": (224, "blocks.8", "", "vit_base_patch16_224"),
}
TYPES = {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.bfloat16}
Step = Callable[[], Any]


def module_of(name: str) -> torch.nn.Module:
    """Return timm's network with random weights, in evaluation mode."""
    torch.manual_seed(0)
    made: torch.nn.Module = timm.create_model(NETWORKS[name][3])
    return made.eval().requires_grad_(False)


def forward_of(name: str, layer: str, precision: str) -> tuple[Callable[..., Any], bool]:
    """Return a function from normalised images to a layer, and whether channels come second."""
    kind, where = TYPES[precision], torch.device("cuda")
    if name == "googlenet":
        weights = {
            key: tuple(
                t.to(where, kind, memory_format=torch.channels_last)
                if t.ndim == 4
                else t.to(where, kind)
                for t in pair
            )
            for key, pair in side_torch.weights(layer).items()
        }
        bands = {n: side_torch.band(n).to(where, kind) for n in (64, 192)}

        def norm(x: torch.Tensor) -> torch.Tensor:
            return x * (1 + F.conv2d(x * x, bands[x.shape[1]])).rsqrt()

        return lambda x: side_torch.forward(weights, x, layer, norm), True
    module = module_of(name).to(where, kind, memory_format=torch.channels_last)
    seen: list[torch.Tensor] = []

    def stop(part: Any, inputs: Any, output: Any) -> None:
        seen.append(output)
        raise StopAsyncIteration

    module.get_submodule(layer).register_forward_hook(stop)

    def forward(x: torch.Tensor) -> torch.Tensor:
        with contextlib.suppress(StopAsyncIteration):
            seen.append(module(x))
        return seen.pop()

    return forward, not name.startswith("vit")


def warped(image: torch.Tensor) -> torch.Tensor:
    """Jitter, scale and rotation as one warp, drawn on the card; grey outside."""
    size, batch = image.shape[-1], image.shape[0]
    random = torch.rand(4, batch, device=image.device)
    angle = torch.deg2rad(20 * random[0] - 10)
    factor = 1.1 - 0.2 * random[1]
    shift = (12 * random[2:] - 6).round() * 2 / size
    cosine, sine = torch.cos(angle) / factor, torch.sin(angle) / factor
    rows = [torch.stack([cosine, -sine, shift[0]], -1), torch.stack([sine, cosine, shift[1]], -1)]
    grid = F.affine_grid(torch.stack(rows, 1), list(image.shape), align_corners=True)
    return F.grid_sample(image - 0.5, grid, align_corners=True) + 0.5


def torch_step(name: str, layer: str, size: int, batch: int, precision: str) -> Step:
    """Return the replay of a captured step."""
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("highest" if precision == "float32" else "high")
    torch.backends.cudnn.allow_tf32 = precision != "float32"
    forward, channels_second = forward_of(name, layer, precision)
    down, across = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
    frequency = np.maximum(np.hypot(down, across), 1 / size)
    scale = torch.tensor(size / frequency / 4, dtype=torch.float32, device="cuda")
    colour = side_torch.COLOUR / np.linalg.norm(side_torch.COLOUR, axis=0).max()
    mix = torch.tensor(colour, dtype=torch.float32, device="cuda")[:, :, None, None]
    mean, std = ((117 / 255,) * 3, (1 / 255,) * 3) if name == "googlenet" else (MEAN, STD)
    shift, spread = (torch.tensor(v, device="cuda").reshape(1, 3, 1, 1) for v in (mean, std))
    spectrum = (
        0.01 * torch.randn(batch, 3, size, size // 2 + 1, 2, device="cuda")
    ).requires_grad_()
    optimizer = torch.optim.Adam([spectrum], lr=0.05, fused=True, capturable=True)
    index = torch.arange(batch, device="cuda")

    def step() -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        raw = torch.fft.irfft2(torch.view_as_complex(spectrum) * scale, s=(size, size))
        image = warped(torch.sigmoid(F.conv2d(raw, mix)))
        x = ((image - shift) / spread).to(TYPES[precision], memory_format=torch.channels_last)
        y = forward(x)
        y = y.movedim(1, -1) if channels_second else y
        loss = -y[index, ..., index % y.shape[-1]].float().reshape(batch, -1).mean(1).sum()
        loss.backward()
        optimizer.step()
        return loss.detach()

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


def our_program(model: fvjax.Model, layer: str, size: int, batch: int, steps: int) -> Step:
    """Return the compiled loop of a batch."""
    setting = Setting("", size, batch, steps, layer, {})
    channels = model.layers[layer][-1]
    jobs = jax.vmap(lambda i: job(i, setting, channels))(jnp.arange(batch) % channels)
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
    size, layer, own_layer, _ = NETWORKS[network]
    if network == "googlenet":
        model = load(write_weights(f"{folder}/random.safetensors", layer))
    elif own:
        model, layer = fvjax.load(network), own_layer
    else:
        model = fvjax.from_torch(module_of(network), size, mean=MEAN, std=STD)
    begin = time.perf_counter()
    ours = our_program(model.in_precision(precision), layer, size, batch, steps)
    compiling = time.perf_counter() - begin
    replay = torch_step(network, NETWORKS[network][1], size, batch, precision)
    row = {"network": name, "layer": layer, "size": size, "batch": batch}
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
