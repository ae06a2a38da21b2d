"""A direction that stands for the label that excites it most."""

from dataclasses import dataclass, replace

from fvjax.metrics.selectivity import selectivity
from fvjax.sources.direction_info import DirectionInfo, DirectionSource
from fvjax.sources.reference import one_vector
from fvjax.sources.setup import Setup


@dataclass(frozen=True)
class PreferredLabel:
    """Another direction, with the label that it prefers among the reference images as its concept.

    So a judge can say whether its picture shows that label (`transfer`). A direction that no
    reference image excites has no concept.
    """

    of: DirectionSource

    def resolve(self, setup: Setup) -> DirectionInfo:
        """Return the direction itself; its label for people names what it prefers."""
        known = setup.require_reference("direction=preferred_label")
        info = self.of.resolve(setup)
        attributes = known.images.attributes
        if not attributes:
            raise ValueError(
                f"direction=preferred_label needs labels, and {known.images.source} has none: "
                "a folder needs a folder in it for each class"
            )
        dots = known.projections(info.direction.layer, one_vector(info))
        assert dots is not None  # all positions are stored
        counts = [len(names) for names in attributes.values()]
        found = selectivity(dots[:, None], known.statistics(info.direction.layer).labels, counts)
        if found.attribute[0] < 0:
            return info
        attribute = list(attributes)[found.attribute[0]]
        name = f"{attribute}={attributes[attribute][found.label[0]]}"
        return replace(info, concept=name, label=f"{info.label} ({name})")
