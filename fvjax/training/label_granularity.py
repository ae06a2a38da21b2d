"""Tasks of growing difficulty on the same images: the number of labels, from 0 to 24.

The eight classes of an attribute are merged into groups of neighbours (hues: red to green, cyan to
pink; order of `fvjax.data.textures.ATTRIBUTES`), so that every image has a label. Each task refines
the easier tasks: images of different groups stay in different groups.
"""

import jax.numpy as jnp
from jaxtyping import Array, Int

from fvjax import checks
from fvjax.data.textures import ATTRIBUTES

# Groups of each attribute: from 8 (every class is a group) to 1 (the attribute has no labels).
ClassesPerAttribute = tuple[int, ...]
ALL: ClassesPerAttribute = (8, 8, 8)
# Groups of the first attribute and of the two after it. Their sum, without attributes of one group,
# is the number of labels.
_GROUPS: dict[int, ClassesPerAttribute] = {
    0: (1, 1, 1),
    2: (2, 1, 1),
    4: (2, 2, 1),
    8: (4, 2, 2),
    16: (8, 4, 4),
    24: ALL,
}
LABELS = tuple(_GROUPS)


def classes_per_attribute(labels: int, first: str) -> ClassesPerAttribute:
    """Return the groups of each attribute, in the order of `ATTRIBUTES`, for a number of labels.

    Args:
        labels: 0, 2, 4, 8, 16 or 24.
        first: the attribute with the most groups: shape, texture or hue; the others follow in turn.
            It has no effect at 0 and 24 labels.
    """
    checks.choice("labels", labels, LABELS)
    checks.choice("attribute", first, ATTRIBUTES)
    ahead = list(ATTRIBUTES).index(first)
    return tuple(_GROUPS[labels][(i - ahead) % len(ATTRIBUTES)] for i in range(len(ATTRIBUTES)))


def grouped(
    labels: Int[Array, "batch 3"], granularity: ClassesPerAttribute | Int[Array, "3"]
) -> Int[Array, "batch 3"]:
    """Return the group of each label, from 0 to the number of its attribute's groups less 1."""
    return labels * jnp.asarray(granularity)[None] // 8
