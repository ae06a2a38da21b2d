"""Imported networks against PyTorch: every layer, the image's gradient, and time. A table.

Each network runs in a process of its own: python benchmarks/science/zoo.py [NAME ...] prints a
Markdown table, and --speed times the networks too. Weights are random, in float64: in float32 a
unit at 1e-7 may change sides, and its gradient with it, which says nothing about the import.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from relative_error import relative_error
from zoo_networks import NETWORKS

import fvjax
from fvjax.models.model import Record
from fvjax.models.torch import from_torch
from fvjax.models.torch.graph import LAYER, Layer

STEPS, JOBS, ROUNDS = 16, 4, 3
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's


def randomise(module: torch.nn.Module) -> torch.nn.Module:
    """Statistics, biases and scales that are not the identity, so that a wrong one shows."""
    generator = torch.Generator().manual_seed(1)
    for name, buffer in module.named_buffers():
        if name.endswith("running_mean"):
            buffer.copy_(torch.randn(buffer.shape, generator=generator) * 0.1)
        if name.endswith("running_var"):
            buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.5)
    with torch.no_grad():
        for name, p in module.named_parameters():
            if p.ndim == 1 or not p.any():  # torchvision's ViT begins with a head of zeros
                p.add_(torch.randn(p.shape, generator=generator) * 0.05)
            if any(part in name for part in ("gamma", "layer_scale", "ls1", "ls2")):
                p.add_(torch.rand(p.shape, generator=generator) * 0.3)
    return module.eval().requires_grad_(False)


def recorded(module: torch.nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """PyTorch's own outputs of every submodule, by plain hooks."""
    calls: Counter[str] = Counter()
    seen: dict[str, torch.Tensor] = {}

    def keep(path: str) -> Callable[..., None]:
        def hook(part: Any, inputs: Any, output: Any) -> None:
            name = path if calls[path] == 0 else f"{path}_{calls[path]}"
            calls[path] += 1
            floats = [
                t
                for t in torch.utils._pytree.tree_leaves(output)
                if isinstance(t, torch.Tensor) and t.is_floating_point()
            ]
            for i, t in enumerate(floats):
                seen[name if i == 0 else f"{name}.{i}"] = t.clone()

        return hook

    handles = [p.register_forward_hook(keep(n or "output")) for n, p in module.named_modules()]
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # or attention's parts are not called
    module(x)
    torch.backends.mha.set_fastpath_enabled(fast)
    for handle in handles:
        handle.remove()
    return seen


def in_our_order(x: Any, layer: Layer) -> Any:
    """Return a layer's value without its batch axis and with channels last."""
    y = np.moveaxis(x, layer.channels, -1)
    return y if layer.batch is None else y.squeeze(layer.batch - (layer.batch > layer.channels))


def compare(module: torch.nn.Module, size: int, mean: Any = MEAN, std: Any = STD) -> dict[str, Any]:
    """Errors of layers and of the image's gradient, relative to the largest, in float64."""
    started = time.perf_counter()
    model = from_torch(module.double(), size, mean=mean, std=std)
    seconds = time.perf_counter() - started
    image = np.random.default_rng(0).random((size, size, 3))
    pixels = torch.tensor(image, requires_grad=True)
    shift, scale = (torch.tensor(v, dtype=torch.float64) for v in (mean, std))
    theirs = recorded(module, ((pixels - shift) / scale).permute(2, 0, 1)[None])
    network: Any = model.network
    steps = [Layer.of(s) for s in network.graph.steps if s.operator == LAYER]
    known = {layer.name: layer for layer in steps if layer.name in theirs}
    last = "output" if "output" in known else next(n for n in reversed(known))
    seed = np.random.default_rng(1).standard_normal(theirs[last].shape)
    (theirs[last] * torch.tensor(seed)).sum().backward()

    def score(image: Any, weights: Any) -> Any:
        record = Record({}, False)
        model.network(weights, image, record)
        found = record.activations
        return (found[last] * in_our_order(seed, known[last])).sum(), found

    with jax.default_matmul_precision("highest"):
        gradient, ours = jax.jit(jax.grad(score, has_aux=True))(jnp.asarray(image), model.weights)
    errors = {
        name: relative_error(ours[name], in_our_order(theirs[name].detach().numpy(), layer))
        for name, layer in known.items()
    }
    assert pixels.grad is not None
    return {
        "layers": len(model.layers),
        "main": len(model.main_layers),
        "compared": len(errors),
        "missing": [name for name in theirs if name not in ours],
        "worst": max(errors.items(), key=lambda item: item[1]),
        "gradient": relative_error(gradient, pixels.grad.numpy()),
        "seconds": seconds,
        "default": model.default_layer,
    }


def time_steps(module: torch.nn.Module, size: int) -> dict[str, Any]:
    """CPU milliseconds per image and step, ours and a plain PyTorch loop's, in turn; one thread.

    Ours is `fvjax.visualize` of four jobs at the default layer. PyTorch's loop stops at that layer;
    it has pixels, Adam and channels last, but no transform.
    """
    model = from_torch(module, size, mean=MEAN, std=STD)
    layer = model.default_layer
    recipe = fvjax.Recipe(
        objective=fvjax.DotCosine(exponent=0.0, floor=0.1),
        parameterization=fvjax.Fourier(
            image_size=size, stddev=0.01, decay_power=1.0, decorrelate=True
        ),
        transform=fvjax.Jitter(pixels=2),
        learning_rate=0.05,
        steps=STEPS,
        optimizer="adam",
    )
    channels = model.layers[layer][-1]
    jobs = [
        fvjax.Job(
            recipe=recipe,
            direction=fvjax.Direction(vector=jax.nn.one_hot(i, channels), layer=layer),
            key=jax.random.key(i),
        )
        for i in range(JOBS)
    ]
    batch = jax.tree.map(lambda *x: jnp.stack(x), *jobs)
    run = jax.jit(jax.vmap(fvjax.visualize, (None, 0)))
    jax.block_until_ready(run(model, batch))
    network: Any = model.network
    step = next(Layer.of(s) for s in network.graph.steps if s.arguments[1:2] == (layer,))
    module = module.to(memory_format=torch.channels_last)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(_cpu_seconds(lambda: jax.block_until_ready(run(model, batch))))
        theirs.append(_cpu_seconds(lambda: _torch_loop(module, size, step)))
    scale = 1000 / STEPS / JOBS
    return {"ours_ms": min(ours) * scale, "torch_ms": min(theirs) * scale}


def _cpu_seconds(function: Callable[[], Any]) -> float:
    started = time.process_time()
    function()
    return time.process_time() - started


def _torch_loop(module: torch.nn.Module, size: int, layer: Layer) -> None:
    shift, scale = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (MEAN, STD))
    seen: list[torch.Tensor] = []

    def stop(part: Any, inputs: Any, output: Any) -> None:
        leaves = torch.utils._pytree.tree_leaves(output)
        seen.append(next(t for t in leaves if isinstance(t, torch.Tensor)))
        raise StopAsyncIteration

    part = module if layer.name == "output" else module.get_submodule(layer.name)
    handle = part.register_forward_hook(stop)
    pixels = (torch.randn(JOBS, 3, size, size) * 0.01).requires_grad_(True)
    optimizer = torch.optim.Adam([pixels], lr=0.05)
    for _ in range(STEPS):
        optimizer.zero_grad()
        x = ((torch.sigmoid(pixels) - shift) / scale).contiguous(memory_format=torch.channels_last)
        with contextlib.suppress(StopAsyncIteration):
            module(x)
        channels = seen.pop().movedim(layer.channels, -1)
        score = sum(channels[i, ..., i].mean() for i in range(JOBS))
        (-score).backward()  # type: ignore[union-attr, operator]
        optimizer.step()
    handle.remove()


def row(name: str, errors: Mapping[str, Any], speed: Mapping[str, Any]) -> str:
    """Format a line of the table."""
    times = ["", "", ""]
    if speed:
        ratio = speed["torch_ms"] / speed["ours_ms"]
        times = [f"{speed['ours_ms']:.1f}", f"{speed['torch_ms']:.1f}", f"{ratio:.2f}"]
    cells = [
        *(name, f"{errors['layers']} ({errors['main']})", f"{errors['worst'][1]:.0e}"),
        *(f"{errors['gradient']:.0e}", f"{errors['seconds']:.1f}", *times),
    ]
    return f"| {' | '.join(cells)} |"


HEADER = """\
| network | layers (main path) | worst layer | gradient | import s | fvjax ms | PyTorch ms | ratio |
|---|---|---|---|---|---|---|---|"""


def _measured(name: str, kind: str) -> dict[str, Any]:
    """One network in a process of its own, since float64 is a setting of the whole process."""
    command = [sys.executable, __file__, f"--{kind}", name]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print the table, or what one process measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of names of networks; all if none")
    parser.add_argument("--speed", action="store_true", help="time all of them as well")
    parser.add_argument("--compare", dest="compared", help=argparse.SUPPRESS)
    parser.add_argument("--time", dest="timed", help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if given.compared or given.timed:
        make, size = NETWORKS[given.compared or given.timed]
        if given.compared:
            jax.config.update("jax_enable_x64", True)
            print(json.dumps(compare(randomise(make()), size)))
        else:
            print(json.dumps(time_steps(randomise(make()), size)))
        return
    print(HEADER)
    for name in NETWORKS:
        if not given.names or any(part in name for part in given.names):
            speed = _measured(name, "time") if given.speed else {}
            print(row(name, _measured(name, "compare"), speed), flush=True)


if __name__ == "__main__":
    main()
