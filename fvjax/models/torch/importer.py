"""`from_torch`: any PyTorch vision network as a `Model`."""

import math
from collections.abc import Collection, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from fvjax import checks
from fvjax.models.model import Model, model_of
from fvjax.models.torch.graph import LAYER, Graph, Layer, Step
from fvjax.models.torch.interpret import GraphNetwork
from fvjax.models.torch.paths import pruned, with_main_path
from fvjax.models.torch.preprocessing import Statistics, as_statistics, find_statistics


def from_torch(
    module: Any,
    image_size: int | tuple[int, int],
    *,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    default_layer: str | None = None,
    layers: Collection[str] | None = None,
) -> Model:
    """Import a PyTorch network, in eval mode; PyTorch is not needed afterwards.

    `torch.export` traces the module once at this size. Layers have the paths of its submodules:
    `layer3.5`, `encoder.layers.encoder_layer_3.mlp`. The network's output is `output`, the second
    call of a module is `layer1.0.relu_1`, and a functional ReLU in `stem` is `stem.relu`.

    Args:
        module: a `torch.nn.Module` whose forward takes images (1, 3, height, width), or (1, 1,
            height, width) if `mean` is one number. The module is not changed.
        image_size: pixels of the images, one number or (height, width).
        mean: mean of each channel of RGB in [0, 1]; optional for timm and transformers.
        std: standard deviation of each channel; optional for timm and transformers.
        default_layer: the layer three quarters along the main path if None.
        layers: names of the layers to record; all layers if None.

    Raises:
        ValueError: a module that cannot be traced, operators without a counterpart
            in JAX (all at once, with their modules), an unknown layer, or unknown mean and std.
    """
    torch = _torch()
    if not isinstance(module, torch.nn.Module):
        raise ValueError(f"module must be a torch.nn.Module, got {type(module).__name__}")
    size = as_size(image_size)
    statistics = _statistics(module, mean, std)
    arrays, steps = _steps(torch, module, size, len(statistics[0]))
    by_name = {Layer.of(s).name: Layer.of(s) for s in steps if s.operator == LAYER}
    for name in layers if layers is not None else ():
        checks.choice("layer", name, by_name)
    graph = Graph(size, *statistics, tuple(pruned(steps, layers)))
    weights = {name: jnp.asarray(arrays[name]) for name in graph.weights}
    first = next(iter(layers if layers is not None else by_name), None)
    model = model_of(GraphNetwork(graph), weights, size, first)
    chosen = _middle(model) if default_layer is None else default_layer
    checks.choice("layer", chosen, model.layers)
    return model.replace(default_layer=chosen, classes=_classes(module, model))  # type: ignore[attr-defined, no-any-return]


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise ImportError("from_torch needs PyTorch: pip install 'fvjax[torch]'") from error
    return torch


def as_size(image_size: Any) -> tuple[int, int]:
    """Return (height, width) of one number or two, checked."""
    sizes = (image_size, image_size) if isinstance(image_size, (int, np.integer)) else image_size
    if not isinstance(sizes, Sequence) or len(sizes) != 2:
        raise ValueError(f"image_size must be one number or (height, width), got {image_size!r}")
    for side in sizes:
        checks.count("image_size", side)
    return int(sizes[0]), int(sizes[1])


def _statistics(module: Any, mean: Any, std: Any) -> Statistics:
    if mean is None and std is None:
        statistics = find_statistics(module)
        if statistics is None:
            raise ValueError(
                f"{type(module).__name__} does not say how its images are normalised: give mean "
                "and std of each channel of RGB in [0, 1] (mean=(0, 0, 0), std=(1, 1, 1) for none)"
            )
        return statistics
    if mean is None or std is None:
        raise ValueError("mean and std must be given together")
    return as_statistics(mean, std)


def _steps(
    torch: Any, module: Any, size: tuple[int, int], channels: int
) -> tuple[dict[str, Any], list[Step]]:
    """Return weights and steps; trace again in functional form if the first form is unsupported."""
    from fvjax.models.torch.tracing.convert import Conversion
    from fvjax.models.torch.tracing.nodes import UnsupportedError
    from fvjax.models.torch.tracing.trace import trace, writes_through_views

    floats = (p for p in module.parameters() if p.is_floating_point())
    like = next(floats, torch.zeros(()))
    image = torch.zeros((1, channels, *size), dtype=like.dtype, device=like.device)
    program = trace(module, image, functional=False)
    try:
        if writes_through_views(program.graph):
            raise UnsupportedError({})
        converted = Conversion(program)
    except UnsupportedError:
        converted = Conversion(trace(module, image, functional=True))
    return converted.weights, with_main_path(converted.steps, converted.end)


def _middle(model: Model) -> str:
    """Return the layer three quarters along the main layers with more than one position."""
    shapes = model.layers
    main = model.main_layers or tuple(shapes)
    spread = [name for name in main if math.prod(shapes[name][:-1]) > 1] or main
    return spread[len(spread) * 3 // 4]


def _classes(module: Any, model: Model) -> tuple[str, ...]:
    """Return the class names of transformers' config, if they fit the number of outputs."""
    names = getattr(getattr(module, "config", None), "id2label", None) or {}
    ordered = tuple(str(names[i]) for i in sorted(names))
    named = any(name != f"LABEL_{i}" for i, name in enumerate(ordered))
    return ordered if named and model.layers.get("output") == (len(ordered),) else ()
