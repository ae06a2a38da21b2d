"""How white are whitened activations? Without shrinkage, in the float32 arithmetic of a sweep.

Whitens every main layer that can be whitened by the statistics of the reference images, streams the
same images through the whitened model, and prints for each layer the largest deviation of the
covariance from the identity and of the mean from 0.
"""

import numpy as np
from layer_statistics import invertible, measured

import fvjax
from fvjax.reference.moments import collect


def main() -> None:
    """Print a line for each layer."""
    reference = measured(__doc__)
    model, white = reference.model, []
    for layer, statistics in invertible(reference):
        model = fvjax.with_whitened_layer(model, statistics=statistics, layer=layer, shrinkage=0.0)
        white.append(f"{layer}@whitened")
    print("layer             covariance off the identity  mean off 0")
    for name, found in collect(model, reference.images, white).items():
        off = np.abs(found.covariance - np.eye(found.channels)).max()
        print(f"{name:18}  {off:25.1e}  {np.abs(found.mean).max():10.1e}")


if __name__ == "__main__":
    main()
