"""A direction whose concept is the label that it prefers."""

from dataclasses import dataclass, replace

from fvjax.metrics.selectivity import selectivity
from fvjax.sources.direction_info import DirectionInfo, DirectionSource
from fvjax.sources.reference import one_vector
from fvjax.sources.setup import Setup


@dataclass(frozen=True)
class PreferredLabel:
    """Another direction, whose concept is the label it prefers among the reference images.

    The concept allows a judge to score the picture (`transfer`). A direction that no reference
    image excites has no concept.
    """

    of: DirectionSource

    def resolve(self, setup: Setup) -> DirectionInfo:
        """Return the direction with its preferred label as concept, named in its label."""
        reference = setup.require_reference("direction=preferred_label")
        info = self.of.resolve(setup)
        attributes = reference.images.attributes
        if not attributes:
            raise ValueError(
                f"direction=preferred_label needs labels, and {reference.images.source} has none: "
                "a folder needs a folder in it for each class"
            )
        dots = reference.projections(info.direction.layer, one_vector(info))
        assert dots is not None  # all positions are stored
        counts = [len(names) for names in attributes.values()]
        preferred = selectivity(
            dots[:, None], reference.statistics(info.direction.layer).labels, counts
        )
        if preferred.attribute[0] < 0:
            return info
        attribute = list(attributes)[preferred.attribute[0]]
        name = f"{attribute}={attributes[attribute][preferred.label[0]]}"
        return replace(info, concept=name, label=f"{info.label} ({name})")
