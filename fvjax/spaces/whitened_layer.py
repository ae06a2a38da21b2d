"""A model with one more layer: the whitened activations of another layer."""

from fvjax.models.model import Model
from fvjax.models.transformed import with_affine_layer
from fvjax.reference.covariance import whitening
from fvjax.reference.moments import Statistics


def with_whitened_layer(
    model: Model, *, statistics: Statistics, layer: str, shrinkage: float
) -> Model:
    """Return the model with the layer `"<layer>@whitened"`, of mean 0 and identity covariance.

    The covariance is over the statistics' images, up to the shrinkage (`covariance.whitening`).

    Raises:
        ValueError: a singular covariance; the message gives the number of images needed.
    """
    affine_map = whitening(statistics, shrinkage, layer)
    return with_affine_layer(
        model, layer=layer, matrix=affine_map.matrix, mean=affine_map.mean, name="whitened"
    )
