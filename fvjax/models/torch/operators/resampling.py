"""ATen's interpolation in JAX: along each axis, the product with a matrix made at import."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

_CUBIC, _CUBIC_SMOOTH = -0.75, -0.5  # PyTorch's cubic kernel; the second one when antialiased


def _kernel(kind: str, smooth: bool) -> Callable[[Any], Any]:
    if kind == "linear":
        return lambda t: np.maximum(1 - np.abs(t), 0)
    a = _CUBIC_SMOOTH if smooth else _CUBIC

    def cubic(t: Any) -> Any:
        t = np.abs(t)
        near = (a + 2) * t**3 - (a + 3) * t**2 + 1
        far = a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a
        return np.where(t <= 1, near, np.where(t < 2, far, 0))

    return cubic


_MOST = 8192  # pixels along an axis: the weights are a matrix


@cache
def matrix(
    kind: str, inputs: int, outputs: int, corners: bool, scale: float | None, smooth: bool = False
) -> Any:
    """Return the weights (outputs, inputs) of an interpolation.

    Args:
        kind: nearest, nearest_exact, linear or cubic.
        inputs: pixels along the axis before.
        outputs: pixels along the axis after.
        corners: the centres of the corners' pixels coincide, instead of their edges.
        scale: outputs per input, where it is not the ratio of the numbers.
        smooth: widen the kernel where the image shrinks (antialiasing).

    Raises:
        ValueError: more than 8192 pixels along the axis.
    """
    step = 1 / scale if scale else inputs / max(outputs, 1)
    if not (0 < outputs <= _MOST and 0 < inputs <= _MOST and 1 / _MOST <= step <= _MOST):
        raise ValueError(f"{inputs} pixels cannot be resized to {outputs} (at most {_MOST})")
    place = np.arange(outputs)
    made = np.zeros((outputs, inputs))
    if kind.startswith("nearest"):
        shift = 0.5 if kind == "nearest_exact" else 0.0
        nearest = np.minimum(np.floor((place + shift) * np.float32(step)), inputs - 1).astype(int)
        made[place, nearest] = 1
        return made
    if smooth and corners:  # PyTorch takes the step of the corners and the centres of the edges
        step = (inputs - 1) / max(outputs - 1, 1)
    if corners and not smooth:
        centre = place * ((inputs - 1) / (outputs - 1) if outputs > 1 else 0.0)
    else:
        centre = (place + 0.5) * step - 0.5
        if kind == "linear" and not smooth:
            centre = np.maximum(centre, 0)
    width = max(step, 1.0) if smooth else 1.0
    reach = int(np.ceil((1 if kind == "linear" else 2) * width)) + 1
    near = np.floor(centre).astype(int)[:, None] + np.arange(-reach, reach + 2)
    weights = _kernel(kind, smooth)((near - centre[:, None]) / width)
    inside = (near >= 0) & (near < inputs)
    if smooth:  # pixels outside do not count
        weights = np.where(inside, weights, 0)
        weights /= weights.sum(1, keepdims=True)
    np.add.at(made, (place[:, None], near.clip(0, inputs - 1)), weights)
    return made


def _upsample(kind: str, space: int, smooth: bool = False) -> Callable[..., Array]:
    def run(x: Array, size: Any, *options: Any) -> Array:
        corners, *scales = options if kind in ("linear", "cubic") else (False, *options)
        for i, axis in enumerate(range(-space, 0)):
            scale = scales[i] if len(scales) == space else None
            m = matrix(kind, x.shape[axis], int(size[i]), bool(corners), scale, smooth)
            x = jnp.moveaxis(jnp.moveaxis(x, axis, -1) @ jnp.asarray(m.T, x.dtype), -1, axis)
        return x

    return run


def _by_factor(kind: str, space: int, smooth: bool = False) -> Callable[..., Array]:
    """Interpolate to a size or by factors."""
    interpolate = _upsample(kind, space, smooth)

    def run(x: Array, size: Any, *options: Any) -> Array:
        *corners, factors = options
        if size is None:
            size = [int(n * f) for n, f in zip(x.shape[-space:], factors, strict=True)]
            return interpolate(x, size, *corners, *factors)
        return interpolate(x, size, *corners)

    return run


_KINDS = {
    "nearest1d": ("nearest", 1),
    "nearest2d": ("nearest", 2),
    "nearest3d": ("nearest", 3),
    "linear1d": ("linear", 1),
    "bilinear2d": ("linear", 2),
    "trilinear3d": ("linear", 3),
    "bicubic2d": ("cubic", 2),
}
OPERATORS: Mapping[str, Callable[..., Any]] = {
    **{f"upsample_{name}.default": _upsample(*kind) for name, kind in _KINDS.items()},
    **{f"upsample_{name}.vec": _by_factor(*kind) for name, kind in _KINDS.items()},
    **{
        f"_upsample_nearest_exact{n}d.{overload}": made("nearest_exact", n)
        for n in (1, 2, 3)
        for overload, made in (("default", _upsample), ("vec", _by_factor))
    },
    **{
        f"_upsample_{name}_aa.{overload}": made(*_KINDS[name], True)
        for name in ("bilinear2d", "bicubic2d")
        for overload, made in (("default", _upsample), ("vec", _by_factor))
    },
}
