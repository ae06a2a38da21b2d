"""Imported networks against PyTorch: every layer, the image's gradient, and time. A table.

Each network runs in a process of its own: python benchmarks/zoo.py [NAME ...] prints a Markdown
table. Weights are random, in float64: in float32 a unit at 1e-7 may change sides, and its gradient
with it, which says nothing about the import.
"""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from fvjax.models.model import Record
from fvjax.models.torch import from_torch
from fvjax.models.torch.graph import LAYER, Layer

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
    """A layer's value without its batch axis and with channels last."""
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
    steps = [Layer.of(s) for s in model.network.graph.steps if s.operator == LAYER]
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
        name: _error(ours[name], in_our_order(theirs[name].detach().numpy(), layer))
        for name, layer in known.items()
    }
    assert pixels.grad is not None
    return {
        "layers": len(model.layers),
        "main": len(model.main_layers),
        "compared": len(errors),
        "missing": [name for name in theirs if name not in ours],
        "worst": max(errors.items(), key=lambda item: item[1]),
        "gradient": _error(gradient, pixels.grad.numpy()),
        "seconds": seconds,
        "default": model.default_layer,
    }


def _error(ours: Any, theirs: Any) -> float:
    assert ours.shape == theirs.shape, f"{ours.shape} instead of {theirs.shape}"
    return float(np.abs(np.asarray(ours) - theirs).max() / (np.abs(theirs).max() + 1e-30))
