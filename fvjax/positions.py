"""Positions of a layer: places of an image, or tokens of a transformer's grid of patches."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import jax.numpy as jnp
from jaxtyping import Array, Int

from fvjax import checks

Position: TypeAlias = Literal["all", "center", "class"] | int | Sequence[int]
Place: TypeAlias = Int[Array, "*jobs axes"] | None  # one position, a leaf; None is all positions
Index: TypeAlias = tuple[int, ...]  # one index for each axis of space

_WORDS = ("all", "center", "class")
# Class, distillation and register tokens: DeiT has 2 and DINOv2 5. A longer prefix is no prefix.
_MOST_BEFORE = 16


@dataclass(frozen=True)
class PatchGrid:
    """The tokens of a layer: `before`, such as the class token, then the patches row by row."""

    before: int
    height: int
    width: int

    def token(self, row: int, column: int) -> int:
        """Return the number of a patch's token."""
        return self.before + row * self.width + column


def patch_grid(shapes: Mapping[str, tuple[int, ...]], layer: str) -> PatchGrid | None:
    """Return the grid of a layer of tokens; None for other layers, and if no grid is known.

    The grid is that of the last layer (height, width, channels) before it, which embeds the
    patches. The layer must have as many tokens as the grid has places, or at most 16 more. These
    come first, as in ViT, DeiT and DINOv2.

    Args:
        shapes: shape of every layer, in forward order.
        layer: name of the layer.
    """
    if len(shapes[layer]) != 2:
        return None
    names = list(shapes)
    tokens = shapes[layer][0]
    for name in reversed(names[: names.index(layer)]):
        shape = shapes[name]
        if len(shape) == 3 and name != "image":
            before = tokens - math.prod(shape[:2])
            return PatchGrid(before, *shape[:2]) if 0 <= before <= _MOST_BEFORE else None
    return None


def index_of(
    position: Position,
    shape: tuple[int, ...],
    layer: str,
    grid: PatchGrid | None = None,
    key: str = "position",
) -> Index | None:
    """Return a position of a layer as one index for each axis; None for all positions.

    Args:
        position: `all`; `center` (height//2, width//2); [row, column]. In a layer of tokens, also
            `class` (the first token before the patches) or the number of a token.
        shape: shape of the layer, channels last.
        layer: name of the layer, for errors.
        grid: the grid of a layer of tokens, if it is known.
        key: the option that has the position, for errors.

    Raises:
        ValueError: another word, or an index outside the layer, which a slice would clamp.
    """
    space = shape[:-1]
    if isinstance(position, str):
        checks.choice(key, position, _WORDS)
        if position == "class":
            return _class_token(shape, layer, grid, key)
        return None if position == "all" or not space else _center(space, grid)
    if isinstance(position, int) and not isinstance(position, bool) and len(space) == 1:
        indices: Sequence[int] = [position]
    else:
        indices = position if isinstance(position, Sequence) else ()  # type: ignore[assignment]
    patch = grid if len(indices) == 2 else None
    sides = (patch.height, patch.width) if patch is not None else space
    if not indices or len(indices) != len(sides):
        axes = f"positions of {len(space)} indices" if space else "no positions"
        raise ValueError(f"layer {layer!r} has {axes}, got {key}={position!r}: give all")
    for index, side in zip(indices, sides, strict=True):
        checks.index(f"{key} in layer {layer!r}", index, side)
    return tuple(indices) if patch is None else (patch.token(*indices),)


def place_of(
    position: Position, shape: tuple[int, ...], layer: str, grid: PatchGrid | None = None
) -> Place:
    """Return a position as an array, which may vary inside one program; see `index_of`."""
    index = index_of(position, shape, layer, grid)
    return None if index is None else jnp.asarray(index, jnp.int32)


def center_index(shapes: Mapping[str, tuple[int, ...]], layer: str) -> Index:
    """Return the index of a layer's centre: for tokens, that of the patch in the middle."""
    return _center(shapes[layer][:-1], patch_grid(shapes, layer))


def _center(space: tuple[int, ...], grid: PatchGrid | None) -> Index:
    if grid is not None:
        return (grid.token(grid.height // 2, grid.width // 2),)
    return tuple(side // 2 for side in space)


def _class_token(shape: tuple[int, ...], layer: str, grid: PatchGrid | None, key: str) -> Index:
    if grid is None or not grid.before:
        kind = "is no layer of tokens" if len(shape) != 2 else "has no token before its patches"
        raise ValueError(f"{key}=class: layer {layer!r} of shape {shape} {kind}; give all")
    return (0,)
