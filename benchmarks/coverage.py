"""Do the intervals of `sweeps.compare` cover, and do its tests reject a true null too often?

Simulated differences between two arms: a direction's own effect, the same in all of its seeds, plus
noise of each seed; normal or lognormal effects (centred on their mean). Prints, with Monte-Carlo
errors, how often the 95 % interval holds the true mean, and how often any of four comparisons
without a difference is called significant after Holm's correction.
"""

import argparse
import itertools

import numpy as np

from sweeps.inference import LEVEL, holm, interval, signed_ranks

SEEDS, COMPARISONS = 2, 4


def draw(random: np.random.Generator, shape: str, directions: int) -> np.ndarray:
    """Mean difference of each direction over its seeds; the true mean is 0."""
    own = random.normal(size=directions)
    if shape == "lognormal":
        own = np.exp(own) - np.exp(0.5)
    noise = random.normal(size=(directions, SEEDS)) * 0.5
    return own + noise.mean(1)


def percentile(values: np.ndarray, seed: int) -> tuple[float, float]:
    """The plain bootstrap's interval, for comparison."""
    n = len(values)
    means = values[np.random.default_rng(seed).integers(0, n, (2000, n))].mean(1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def main() -> None:
    """Simulate and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=2000)
    trials = parser.parse_args().trials
    print("effects    directions  bootstrap-t  percentile  any of 4 called significant")
    for shape, directions in itertools.product(("normal", "lognormal"), (4, 8, 16, 32)):
        random = np.random.default_rng(directions)
        covered, plain, wrong = [], [], []
        for trial in range(trials):
            arms = [draw(random, shape, directions) for _ in range(COMPARISONS)]
            _, low, high = interval(arms[0], seed=trial)
            covered.append(low <= 0 <= high)
            low, high = percentile(arms[0], seed=trial)
            plain.append(low <= 0 <= high)
            corrected = holm([signed_ranks(x)[0] for x in arms])
            wrong.append(bool(np.any(corrected < 1 - LEVEL)))
        told = []
        for outcomes in (covered, plain, wrong):
            share = np.mean(outcomes)
            told.append(f"{share:.3f} ±{1.96 * np.sqrt(share * (1 - share) / trials):.3f}")
        print(f"{shape:10} {directions:10d}  {told[0]}  {told[1]}  {told[2]}", flush=True)


if __name__ == "__main__":
    main()
