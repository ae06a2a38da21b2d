"""Does the cosine power of Lucid's activation atlas ever leave its floor?

For every main layer: S is the inverse second moment of the reference activations, v a reference
activation vector, w = v S. Lucid's "cossim" of an activation a is mean_c(a_c w_c) / |a|, which
cannot exceed |w| / channels (Cauchy and Schwarz); where that is below the floor of 0.1 the power
does nothing for any image. Prints the share of directions whose bound exceeds the floor, the share
for which a reference activation does, and the largest value reached; a layer whose second moment
has no inverse is said to have none.
"""

import numpy as np
from layer_statistics import invertible, measured

FLOOR = 0.1
DIRECTIONS = 512


def main() -> None:
    """Print a line for each layer."""
    reference = measured(__doc__)
    print("layer      channels  bound > floor  reached  largest  median bound")
    for layer, statistics in invertible(reference):
        rows = reference.vectors(layer).astype(np.float64)
        moment = statistics.covariance + np.outer(statistics.mean, statistics.mean)
        v = rows[np.random.default_rng(0).permutation(len(rows))[:DIRECTIONS]]
        w = np.linalg.solve(moment, v.T)
        bound = np.linalg.norm(w, axis=0) / statistics.channels
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        reached = (rows @ w / statistics.channels / (1e-4 + lengths)).max(0)
        print(
            f"{layer:10} {statistics.channels:8d}  {np.mean(bound > FLOOR):13.3f}  "
            f"{np.mean(reached > FLOOR):7.3f}  {reached.max():7.3f}  {np.median(bound):12.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
