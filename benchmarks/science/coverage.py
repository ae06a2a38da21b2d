"""Do the intervals of `sweeps.compare` cover, and do its tests reject a true null too often?

Simulated differences between two arms: a direction's own effect, the same in all of its seeds, plus
noise of each seed; the true mean is 0. Effects are normal; `heavy`, the difference of two lognormal
ones; `lognormal`, skewed; or `rare`, 1 in a quarter of the directions and else nothing (less their
mean, and without noise), as a share of recovered features is. `probability` is the difference of
two probabilities whose log odds have one mean and different spreads: without a difference on the
scale of log odds, and with one on the scale of probabilities. `--observed` takes the differences
of real sweeps, less their mean. Prints, with Monte-Carlo errors, how
often several 95 % intervals hold the true mean, where there is spread, and how often any of four
comparisons without a difference is called significant after Holm's correction; then the same by
`sweeps.compare.compare` itself, from tables.
"""

import argparse
import itertools
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import bootstrap, wilcoxon

from sweeps.analysis.comparison import compare
from sweeps.analysis.cross_fitting import Protocol, arms, choose
from sweeps.analysis.inference import LEVEL, holm, interval, p_value, sign_flips
from sweeps.results.table import load

SEEDS, COMPARISONS = 2, 4
SHAPES, DIRECTIONS = ("normal", "heavy", "lognormal", "rare"), (4, 8, 16, 32)


_TESTS = {
    "ours": p_value,
    "sign flips": sign_flips,
    "Wilcoxon": lambda x: wilcoxon(x).pvalue,
}


def draw(random: np.random.Generator, shape: str, directions: int, seeds: int) -> np.ndarray:
    """Differences (directions, seeds)."""
    own = random.normal(size=directions)
    if shape == "rare":
        return np.repeat((random.random(directions) < 0.25) - 0.25, seeds).reshape(-1, seeds)
    if shape == "heavy":
        own = np.exp(own) - np.exp(random.normal(size=directions))
    if shape == "lognormal":
        own = np.exp(own) - np.exp(0.5)
    return own[:, None] + random.normal(size=(directions, seeds)) * 0.5


def equal_tailed(values: np.ndarray, seed: int) -> tuple[float, float]:
    """Bootstrap-t from separate quantiles, resamples without spread left out."""
    n, mean = len(values), values.mean()
    drawn = values[np.random.default_rng(seed).integers(0, n, (4999, n))]
    errors = drawn.std(1, ddof=1)
    usable = errors > 1e-9
    low, high = np.quantile((drawn.mean(1)[usable] - mean) / errors[usable], [0.975, 0.025])
    return mean - low * values.std(ddof=1), mean - high * values.std(ddof=1)


def plain(values: np.ndarray, seed: int, method: str) -> tuple[float, float]:
    """SciPy's `percentile` or `BCa`."""
    found = bootstrap((values,), np.mean, method=method, n_resamples=4999, rng=seed)
    return found.confidence_interval


def share(outcomes: Iterable[bool]) -> str:
    """Format a share and its Monte-Carlo error at 95 %."""
    outcomes = list(outcomes)
    mean = np.mean(outcomes)
    return f"{mean:.3f} ±{1.96 * np.sqrt(mean * (1 - mean) / len(outcomes)):.3f}"


def pieces(shape: str, directions: int, trials: int) -> list[str]:
    """Return the cells of one row."""
    random = np.random.default_rng(directions)
    covered: list[list[bool]] = [[], [], [], []]
    wrong: list[list[bool]] = [[] for _ in _TESTS]
    for trial in range(trials):
        arms = [draw(random, shape, directions, SEEDS).mean(1) for _ in range(COMPARISONS)]
        x = arms[0]
        if np.ptp(x) > 0:
            found = [interval(x, seed=trial)[1:], equal_tailed(x, trial)]
            found += [plain(x, trial, method) for method in ("percentile", "BCa")]
            for outcomes, (low, high) in zip(covered, found, strict=True):
                outcomes.append(low <= 0 <= high)
        for outcomes, p in zip(wrong, _TESTS.values(), strict=True):
            outcomes.append(bool(np.any(holm([p(x) for x in arms]) <= 1 - LEVEL)))
    # Less its mean, a rare effect is never 0: no null that a comparison could meet.
    called = [share(outcomes) if shape != "rare" else "" for outcomes in wrong]
    return [*map(share, covered), *called]


def probabilities(spread: float, directions: int, trials: int) -> tuple[str, str]:
    """Rejections on the scale of log odds, clipped at 6, and on that of probabilities."""
    random = np.random.default_rng(directions)
    outcomes: tuple[list[bool], list[bool]] = ([], [])
    for _ in range(trials):
        own = random.normal(-1, 2, directions)
        base = own + random.normal(size=directions)
        arms = [own + random.normal(size=directions) * spread for _ in range(COMPARISONS)]
        clipped = [np.clip(arm, -6, 6) - np.clip(base, -6, 6) for arm in arms]
        shares = [expit(arm) - expit(base) for arm in arms]
        for found, values in zip(outcomes, (clipped, shares), strict=True):
            found.append(bool(np.any(holm([p_value(x) for x in values]) <= 1 - LEVEL)))
    return share(outcomes[0]), share(outcomes[1])


def observed(table: Path, directions: int, trials: int) -> tuple[str, str]:
    """Rejections where differences are those of a real sweep, less their mean.

    Settings are chosen as by `sweeps.leaderboard`; directions are drawn with replacement, alike for
    all families. Returns log odds of transfer and transfer itself.
    """
    random, rows = np.random.default_rng(directions), load(str(table), images=False)
    found = []
    for log_odds in (True, False):
        chosen = choose(arms(rows, Protocol("transfer", log_odds=log_odds)), 0.1)
        wide = chosen.pivot_table(index="cluster", columns="family", values="metric")
        own = wide.drop(columns="dot").sub(wide["dot"], axis=0).dropna().to_numpy()
        outcomes = []
        for _ in range(trials):
            families = random.choice(own.shape[1], COMPARISONS, replace=False)
            drawn = (own - own.mean(0))[random.integers(0, len(own), directions)][:, families]
            p = [p_value(x) for x in drawn.T]
            outcomes.append(bool(np.any(holm(p) <= 1 - LEVEL)))
        found.append(share(outcomes))
    return found[0], found[1]


def whole(directions: int, seeds: int, trials: int) -> tuple[str, str]:
    """Coverage and rejections by `compare` itself: normal arms that share a baseline."""
    random = np.random.default_rng(0)
    arm, direction, seed = np.indices((COMPARISONS + 1, directions, seeds)).reshape(3, -1)
    table = pd.DataFrame({"objective": [f"arm{a}" for a in arm], "direction_index": direction})
    table = table.assign(seed=seed, layer="conv4", direction="channel", status="ok")
    covered, wrong = [], []
    for _ in range(trials):
        arms = [draw(random, "normal", directions, seeds).ravel() for _ in range(COMPARISONS + 1)]
        found = compare(table.assign(score=np.concatenate(arms)), "objective", "score")
        covered.append(bool(found["low"][0] <= 0 <= found["high"][0]))
        wrong.append(bool(np.any(found["p_holm"] <= 1 - LEVEL)))
    return share(covered), share(wrong)


def main() -> None:
    """Simulate and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--observed", type=Path, nargs="*", help="sweeps: these alone")
    given = parser.parse_args()
    trials = given.trials
    for table, directions in itertools.product(given.observed or (), DIRECTIONS[1:]):
        print(f"{table.name}, {directions}:", *observed(table, directions, trials), flush=True)
    if given.observed:
        return
    print(
        "                        95 % interval holds 0                                     ", end=""
    )
    print("any of 4 called significant")
    heads = ("bootstrap-t", "equal-tailed", "percentile", "BCa", *_TESTS)
    print("effects    directions  " + "  ".join(f"{head:12}" for head in heads))
    for shape, directions in itertools.product(SHAPES, DIRECTIONS):
        cells = "  ".join(pieces(shape, directions, trials))
        print(f"{shape:10} {directions:10d}  {cells}", flush=True)
    print("probabilities of equal mean log odds: any of 4 called significant by `ours`")
    for spread, directions in itertools.product((1.0, 3.0), DIRECTIONS[1:]):
        wrong = probabilities(spread, directions, trials)
        print(f"spreads 1 and {spread:g}, {directions} directions:", *wrong, flush=True)
    print("by compare(), directions x seeds: interval, any of 4 called significant")
    for directions, seeds in itertools.product((8, 16, 32), (2, 3)):
        print(f"{directions} x {seeds}:", *whole(directions, seeds, trials // 4), flush=True)


if __name__ == "__main__":
    main()
