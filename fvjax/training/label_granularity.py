"""Tasks of growing difficulty on the same images: how many of the 24 labels must be told apart.

The eight classes of an attribute are merged into groups of neighbours (in the order of
`fvjax.data.textures.ATTRIBUTES`: red to green against cyan to pink), so that every image still has
a label. Each task refines the one before it: two images that an easier task tells apart, a harder
one tells apart too.
"""

import jax.numpy as jnp
from jaxtyping import Array, Int

from fvjax import checks
from fvjax.data.textures import ATTRIBUTES

# Groups of each attribute: 8, every class apart, ... 1, the attribute is not told.
ClassesPerAttribute = tuple[int, ...]
ALL: ClassesPerAttribute = (8, 8, 8)
# Of the attribute that comes first and of the two after it; as many groups in all as there are
# labels, those of attributes of one group apart.
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
    """The groups of each attribute, in the order of `ATTRIBUTES`, of a task of so many labels.

    Args:
        labels: 0, 2, 4, 8, 16 or 24; 0 tells nothing.
        first: the attribute that is told first and finest: shape, texture or hue; the others
            follow in turn. At 0 and 24 labels it makes no difference.
    """
    checks.choice("labels", labels, LABELS)
    checks.choice("attribute", first, ATTRIBUTES)
    ahead = list(ATTRIBUTES).index(first)
    return tuple(_GROUPS[labels][(i - ahead) % len(ATTRIBUTES)] for i in range(len(ATTRIBUTES)))


def grouped(
    labels: Int[Array, "batch 3"], granularity: ClassesPerAttribute | Int[Array, "3"]
) -> Int[Array, "batch 3"]:
    """The group of each label, 0 ... one less than its attribute's groups."""
    return labels * jnp.asarray(granularity)[None] // 8
