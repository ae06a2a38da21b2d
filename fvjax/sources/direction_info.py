"""What a source of directions yields."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fvjax import checks
from fvjax.affine_map import Kind as Kind
from fvjax.direction import AnyDirection
from fvjax.models.model import Model
from fvjax.reference.activation_statistics import ReferenceStatistics


@dataclass(frozen=True)
class DirectionInfo:
    """A direction and what people and spaces must know of it; only the direction enters a Job."""

    direction: AnyDirection
    label: str
    kind: Kind
    channel: int | None = None  # the channel, where the direction is exactly one
    concept: str | None = None  # the label that it stands for, such as "texture=stripes"
    feature: int | None = None  # of a planted model, the one that it stands for
    reference: np.ndarray | None = None  # (images,) the reference images' own dot products


class DirectionSource(Protocol):
    """Finds a direction at a layer of a model; constructed from plain values."""

    def __call__(
        self, model: Model, layer: str, size: int, reference: ReferenceStatistics | None = None
    ) -> DirectionInfo:
        """The direction for images of `size` pixels; ValueError when there is none such."""


def channels_of(model: Model, layer: str) -> int:
    """Channels of a layer; an unknown one raises ValueError naming the closest."""
    checks.choice("layer", layer, model.layers)
    return model.layers[layer][-1]
