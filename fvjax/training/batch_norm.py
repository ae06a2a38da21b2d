"""Batch normalisation for training; afterwards it is folded into the weights."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fvjax.models.model import Record

EPSILON = 1e-4  # added to a channel's variance
_SUFFIX = "_pre_relu"

Statistics = Mapping[str, tuple[Array, Array]]  # layer -> mean and variance of each channel
Images = Float[Array, "batch height width 3"]


class BatchNormRecorder(Record):
    """A record that normalises every pre-activation, so that training runs the unchanged network.

    `norms[layer]` holds a gain and a shift for each channel; the mean and variance are the
    batch's, or `fixed` if given. `statistics` holds the mean and variance used for each layer.
    """

    def __init__(
        self, norms: Mapping[str, Mapping[str, Array]], fixed: Statistics | None = None
    ) -> None:
        """Begin with no layers."""
        super().__init__({}, False)
        self.norms, self.fixed = norms, fixed
        self.statistics: dict[str, tuple[Array, Array]] = {}

    def __call__(self, name: str, x: Array, main: bool = True) -> Array:
        """Record layer `name`, normalised if it is a pre-activation."""
        if name.endswith(_SUFFIX):
            layer = name.removesuffix(_SUFFIX)
            used = _moments(x) if self.fixed is None else self.fixed[layer]
            self.statistics[layer] = used
            scale, offset = _affine(self.norms[layer], used)
            x = x * scale[None, None, None] + offset[None, None, None]
        return super().__call__(name, x, main)


def _moments(x: Array) -> tuple[Array, Array]:
    mean = x.mean((0, 1, 2))
    return mean, jnp.square(x).mean((0, 1, 2)) - mean * mean


def _affine(norm: Mapping[str, Array], statistics: tuple[Array, Array]) -> tuple[Array, Array]:
    mean, variance = statistics
    scale = norm["gain"] * jax.lax.rsqrt(jnp.maximum(variance, 0) + EPSILON)
    return scale, norm["shift"] - mean * scale


@partial(jax.jit, static_argnums=0)
def forward(
    net: nn.Module, parameters: Any, images: Images, fixed: Statistics | None = None
) -> tuple[Float[Array, "batch logits"], Statistics]:
    """Return logits and the statistics used; `parameters` holds `weights` and `norms`."""
    record = BatchNormRecorder(parameters["norms"], fixed)
    net.apply({"params": parameters["weights"]}, images, record)
    return record.activations["logits"], record.statistics


def population_statistics(net: nn.Module, parameters: Any, batches: Sequence[Images]) -> Statistics:
    """Return mean and variance of each layer over batches; each batch normalises itself."""
    statistics = [forward(net, parameters, images)[1] for images in batches]
    result = {}
    for layer in statistics[0]:
        means, variances = (jnp.stack([f[layer][i] for f in statistics]) for i in (0, 1))
        result[layer] = (means.mean(0), variances.mean(0) + means.var(0))
    return result


def fold_batch_norm(parameters: Any, statistics: Statistics) -> Any:
    """Return weights with which the network without batch norm computes the same function."""
    weights = dict(parameters["weights"])
    for layer, norm in parameters["norms"].items():
        scale, offset = _affine(norm, statistics[layer])
        kernel, bias = weights[layer]["kernel"], weights[layer]["bias"]
        weights[layer] = {
            "kernel": kernel * scale[None, None, None],
            "bias": bias * scale + offset,
        }
    return weights
