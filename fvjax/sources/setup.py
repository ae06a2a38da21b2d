"""The setting in which a direction is chosen: a model, a layer, positions and reference images."""

from dataclasses import dataclass, replace

from fvjax.models.model import Model
from fvjax.positions import Place, Position, patch_grid, place_of
from fvjax.reference.activation_statistics import ReferenceStatistics, require_reference


@dataclass(frozen=True)
class Setup:
    """The settings that are fixed before a direction is chosen.

    Attributes:
        model: the network.
        layer: the configured layer; a source may choose another layer.
        position: see `fvjax.positions.index_of`.
        image_size: height and width of the job's images in pixels.
        reference: the network's statistics on reference images, or None.
        judge: another network, which classifies the pictures, or None.
    """

    model: Model
    layer: str
    image_size: tuple[int, int]
    position: Position = "all"
    reference: ReferenceStatistics | None = None
    judge: Model | None = None

    def require_reference(self, user: str) -> ReferenceStatistics:
        """Return the reference statistics.

        Raises:
            ValueError: there are none; `user` names the option that needs them.
        """
        return require_reference(user, self.reference)

    def shape(self, layer: str | None = None) -> tuple[int, ...]:
        """Return the shape of a layer (the setup's own if None) at the job's image size.

        Raises:
            ValueError: an unknown layer, naming the closest one.
        """
        name = self.layer if layer is None else layer
        self.model.require_layer(name)
        return self.model.shapes(self.image_size)[name]

    def channels(self, layer: str | None = None) -> int:
        """Return the number of channels of a layer."""
        return self.shape(layer)[-1]

    def place(self, layer: str | None = None) -> Place:
        """Return the position in a layer as a leaf of a direction, None for all positions."""
        name = self.layer if layer is None else layer
        shape, shapes = self.shape(name), self.model.shapes(self.image_size)
        return place_of(self.position, shape, name, patch_grid(shapes, name))

    def at_layer(self, layer: str) -> "Setup":
        """Return the setup for another layer."""
        return replace(self, layer=layer)
