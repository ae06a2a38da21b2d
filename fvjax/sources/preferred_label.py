"""A direction that stands for the label that excites it most."""

from dataclasses import dataclass, replace

from fvjax.metrics.selectivity import selectivity
from fvjax.models.model import Model
from fvjax.reference.activation_statistics import Natural, needed
from fvjax.sources.direction_info import Source, Sourced
from fvjax.sources.reference import one_vector


@dataclass(frozen=True)
class Preferring:
    """Another direction, with the label that it prefers among the reference images as its concept.

    So a judge can say whether its picture shows that label (`transfer`). A direction that no
    reference image excites has no concept.
    """

    of: Source

    def __call__(
        self, model: Model, layer: str, size: int, natural: Natural | None = None
    ) -> Sourced:
        """The direction itself; its label for people names what it prefers."""
        known = needed("direction=preferring", natural)
        sourced = self.of(model, layer, size, natural)
        heads = known.reference.heads
        if not heads:
            raise ValueError(
                f"direction=preferring needs labels, and {known.reference.source} has none: "
                "a folder needs a folder in it for each class"
            )
        dots = known.projections(sourced.direction.layer, one_vector(sourced), centered=False)
        counts = [len(names) for names in heads.values()]
        found = selectivity(dots[:, None], known.reference.labels, counts)
        if found.head[0] < 0:
            return sourced
        head = list(heads)[found.head[0]]
        name = f"{head}={heads[head][found.label[0]]}"
        return replace(sourced, concept=name, label=f"{sourced.label} ({name})")
