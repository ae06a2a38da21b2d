"""The direction of a config: where it looks, and the reference images' dot products with it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from fvjax.direction import FromImage, Interpolation
from fvjax.reference.activation_statistics import ImageSetDescription
from fvjax.reference.moments import forward
from fvjax.sources import DirectionInfo, Setup
from sweeps.planning.pieces import resolve_direction


def direction_info(node: Mapping[str, Any], setup: Setup, default_layer: str) -> DirectionInfo:
    """Return the direction at its position, with the reference images' own dot products.

    Args:
        node: the config of the direction.
        setup: the setup of the job.
        default_layer: the layer that the setup has where the command names none.

    Raises:
        ValueError: the direction cannot be found, or lies in another layer than the one named.
    """
    info = resolve_direction(node, setup).at_position(setup)
    layer, own = setup.layer, info.direction.layer
    if layer not in (own, default_layer):
        raise ValueError(
            f"direction.layer={own} decides where to look, layer={layer} does not: leave it out"
        )
    direction, reference = info.direction, setup.reference
    if reference is None or isinstance(direction, Interpolation):
        return info
    if isinstance(direction, FromImage):
        vector = forward(setup.model, direction.image[None], (own,))[own][0]
    else:
        vector = direction.vector
    if vector.ndim > 1 and isinstance(reference.images, ImageSetDescription):
        return info  # images would be needed
    projections = reference.projections(own, np.asarray(vector), setup.position)
    return replace(info, reference_projections=projections)
