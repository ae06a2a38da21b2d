"""A model with one more layer: the whitened activations of another layer."""

from fvjax.models.model import Model
from fvjax.models.transformed import with_affine_layer
from fvjax.reference.covariance import whitening
from fvjax.reference.moments import Statistics


def with_whitened_layer(
    model: Model, *, statistics: Statistics, layer: str, shrinkage: float
) -> Model:
    """The model with `"<layer>@whitened"`, where activations have mean 0 and equal variances.

    Their covariance over the images behind the statistics is the identity, but for the shrinkage
    (see `covariance.whitening`).

    Raises:
        ValueError: a covariance without an inverse, with how many images are needed.
    """
    affine_map = whitening(statistics, shrinkage, layer)
    return with_affine_layer(
        model, layer=layer, matrix=affine_map.matrix, mean=affine_map.mean, name="whitened"
    )
