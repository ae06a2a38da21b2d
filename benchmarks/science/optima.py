"""How pure may an optimum be? The purities among all optima in worlds of `superposed 1`.

For each world: the means over features of the least and of the largest purity among optima of
cosine and of inversion, by linear programming. Where no positive combination of the features'
vectors is 0, the cosine has one optimum: the feature alone.
"""

import argparse

import numpy as np

from fvjax.metrics.optimum_range import purity_range
from fvjax.models.planted import planted

FEATURES = (0, 10, 21, 30)


def main() -> None:
    """Print a line for each world, and the number of worlds with one optimum."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=10)
    worlds = parser.parse_args().worlds
    alone = 0
    print("world   cosine: least, largest   inversion: least, largest   dot")
    for world in range(worlds):
        model = planted(geometry="superposed", severity=1.0, orientations=4, world=world)
        ranges = {
            name: np.mean([purity_range(model, name, k) for k in FEATURES], 0)
            for name in ("cosine", "inversion", "dot")
        }
        alone += bool(ranges["cosine"][0] > 1 - 1e-6)
        cells = [f"{low:.3f} {high:.3f}" for low, high in ranges.values()]
        print(f"{world:5d}   {cells[0]:24} {cells[1]:27} {cells[2]}", flush=True)
    print(f"the cosine has one optimum in {alone} of {worlds} worlds")


if __name__ == "__main__":
    main()
