"""Modules of flax.linen and flax.nnx as models; they call `record(name, x)` at each layer."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import errors

from fvjax.image_size import ImageSize
from fvjax.models.model import Model, Record
from fvjax.types import Image

_WRONG_MODE = (
    errors.ModifyScopeVariableError,
    errors.InvalidRngError,
)


@dataclasses.dataclass(frozen=True)
class Linen:
    """A flax.linen module as a network: its `__call__(image, record)` runs under `module.apply`.

    The weights are its "params". The representation is part of the keys of stored statistics.
    """

    module: Any

    def __call__(self, weights: Any, image: Image, record: Record) -> Any:
        """Run the module forward."""
        return self.module.apply({"params": weights}, image, record)


@dataclasses.dataclass(frozen=True)
class LinenWithVariables:
    """A flax.linen module whose weights are all its variables, with further arguments of a call."""

    module: Any
    arguments: tuple[tuple[str, Any], ...]

    def __call__(self, weights: Any, image: Image, record: Record) -> Any:
        """Run the module forward.

        Raises:
            ValueError: the module changes its variables or draws random numbers, as in training.
        """
        try:
            return self.module.apply(weights, image, record, **dict(self.arguments))
        except _WRONG_MODE as error:
            raise ValueError(
                f"{type(self.module).__name__} runs in training mode: give the arguments that turn "
                "it off, such as train=False, to from_linen"
            ) from error


def from_linen(
    module: Any,
    variables: Mapping[str, Any],
    *,
    image_size: ImageSize,
    default_layer: str | None = None,
    channels: int = 3,
    **arguments: Any,
) -> Model:
    """Return a model of a flax.linen module with all its variables.

    Args:
        module: its `__call__(image, record, **arguments)` runs one image (height, width, channels).
        variables: what `module.init` returned: "params", "batch_stats" and any other collections.
        image_size: pixels that the network was made for: one number, or height and width.
        default_layer: the last main layer if None.
        channels: 3 for RGB, 1 for gray.
        arguments: further arguments of every call, such as train=False.

    Raises:
        ValueError: variables without "params"; a module that runs in training mode.
    """
    if not isinstance(variables, Mapping) or "params" not in variables:
        raise ValueError(
            'variables must be what module.init returned, {"params": ..., "batch_stats": ...}; '
            f"got {sorted(variables) if isinstance(variables, Mapping) else type(variables)}"
        )
    network = LinenWithVariables(module, tuple(sorted(arguments.items())))
    return Model.from_function(
        network,
        dict(variables),
        image_size=image_size,
        default_layer=default_layer,
        channels=channels,
    )


@dataclasses.dataclass(frozen=True)
class Nnx:
    """A flax.nnx module as a network; `keys` names the implementation of each random key."""

    graph: Any
    keys: tuple[str | None, ...]

    def __call__(self, weights: Any, image: Image, record: Record) -> Any:
        """Run the module forward."""
        import flax.nnx as nnx

        leaves, structure = jax.tree.flatten(weights["random"])
        random = [
            leaf if kind is None else jax.random.wrap_key_data(leaf, impl=kind)
            for leaf, kind in zip(leaves, self.keys, strict=True)
        ]
        module = nnx.merge(self.graph, jax.tree.unflatten(structure, random), weights["state"])
        with jax.numpy_rank_promotion("allow"):
            return module(image, record)


def from_nnx(
    module: Any,
    *,
    image_size: ImageSize,
    default_layer: str | None = None,
    channels: int = 3,
) -> Model:
    """Return a model of a flax.nnx module in eval mode; the module itself stays as it is.

    Args:
        module: its `__call__(image, record)` runs one image (height, width, channels).
        image_size: pixels that the network was made for: one number, or height and width.
        default_layer: the last main layer if None.
        channels: 3 for RGB, 1 for gray.
    """
    import flax.nnx as nnx  # takes as long to import as JAX

    copy = nnx.clone(module)
    copy.eval()
    graph, random, state = nnx.split(copy, nnx.RngState, ...)  # type: ignore[misc]
    leaves, structure = jax.tree.flatten(random)
    keys = tuple(str(jax.random.key_impl(x)) if _is_key(x) else None for x in leaves)
    plain = [jax.random.key_data(x) if _is_key(x) else x for x in leaves]
    weights = {"random": jax.tree.unflatten(structure, plain), "state": state}
    return Model.from_function(
        Nnx(graph, keys),
        weights,
        image_size=image_size,
        default_layer=default_layer,
        channels=channels,
    )


def _is_key(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
