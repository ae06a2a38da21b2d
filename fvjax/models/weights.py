"""Strict reading of weights: all tensors, none extra, right shapes, finite; never a pickle."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from fvjax.data.arrays import read_arrays


def read_weights(path: str | Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """Return the tensors of a .safetensors or .npz file, exactly those of `shapes`.

    Raises:
        ValueError: one sentence that names the first tensor that is missing, extra, misshapen, of
            integers or not finite, or the file that cannot be read.
    """
    return check_tensors(path, read_arrays(path), shapes)


def check_tensors(
    path: str | Path, tensors: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, Any]:
    """Return the tensors read from `path`, if they are exactly those of `shapes`.

    Raises:
        ValueError: as `read_weights`.
    """
    check_names_and_shapes(path, tensors, shapes)
    for name in shapes:
        kind = tensors[name].dtype
        if not jnp.issubdtype(kind, jnp.floating):
            raise ValueError(f"tensor {name!r} in {path} holds {kind}, but weights are floats")
    check_finite(path, tensors)
    return dict(tensors)


def check_names_and_shapes(
    path: str | Path, tensors: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Refuse tensors read from `path` unless they have exactly the names and shapes of `shapes`.

    Raises:
        ValueError: one sentence that names the first tensor that is missing, extra or misshapen.
    """
    missing = [name for name in shapes if name not in tensors]
    if missing:
        raise ValueError(f"{path} lacks the tensor {missing[0]!r} ({len(missing)} missing in all)")
    extra = [name for name in tensors if name not in shapes]
    if extra:
        raise ValueError(f"{path} holds the unknown tensor {extra[0]!r} ({len(extra)} in all)")
    for name, shape in shapes.items():
        if tensors[name].shape != shape:
            raise ValueError(
                f"tensor {name!r} in {path} has shape {tensors[name].shape}, expected {shape}"
            )


def check_finite(path: str | Path, tensors: Mapping[str, Any]) -> None:
    """Refuse tensors read from `path` that hold NaN or infinities, by the first one's name."""
    for name, tensor in tensors.items():
        if not np.all(np.isfinite(tensor)):
            raise ValueError(f"tensor {name!r} in {path} holds a number that is not finite")


def read_caffe(
    path: str | Path, params: Mapping[str, Mapping[str, Any]], names: Mapping[str, str]
) -> Any:
    """Return linen params of Caffe's tensors; "<layer>/weight" is (out, in[, rows, columns]).

    Args:
        path: the file.
        params: the params' shapes, by linen layer name ("kernel" and "bias").
        names: linen layer name -> Caffe layer name.
    """
    tensors = read_weights(path, caffe_shapes(params, names))
    return {
        layer: {
            "kernel": jnp.asarray(_back(tensors[f"{names[layer]}/weight"])),
            "bias": jnp.asarray(tensors[f"{names[layer]}/bias"], jnp.float32),
        }
        for layer in params
    }


def caffe_shapes(
    params: Mapping[str, Mapping[str, Any]], names: Mapping[str, str]
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of Caffe's tensors by name, for the arguments of `read_caffe`."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, tensors in params.items():
        shapes[f"{names[layer]}/weight"] = _turned(tensors["kernel"].shape)
        shapes[f"{names[layer]}/bias"] = tensors["bias"].shape
    return shapes


def _turned(shape: tuple[int, ...]) -> tuple[int, ...]:
    *space, inputs, outputs = shape
    return (outputs, inputs, *space)


def _back(weight: np.ndarray) -> np.ndarray:
    axes = (2, 3, 1, 0) if weight.ndim == 4 else (1, 0)
    return np.ascontiguousarray(weight.transpose(axes), np.float32)
