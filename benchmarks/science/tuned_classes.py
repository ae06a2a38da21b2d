"""The hypotheses of `experiment=tuned`, which stand in docs/results/appendix.md.

Reads a folder with the sweeps `googlenet`, `squeezenet`, `efficientnet_lite0` and `texturenet`.
Settings are chosen on half of the classes; a class's difference to dot is its mean over the three
ImageNet networks. Prints every family so, then the hypotheses with Holm over six.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import sweeps
from sweeps.analysis.cross_fitting import Protocol, arms, choose
from sweeps.analysis.inference import holm, interval, p_value

IMAGENET = ("googlenet", "squeezenet", "efficientnet_lite0")
LEAST = 0.1  # share of the largest strength from which a setting can be chosen
PRIMARY = {
    "C1": ("cosine", ("googlenet",)),
    "C2": ("dot_cosine", IMAGENET),
    "C3": ("dot - orthogonal", IMAGENET),
    "C4": ("dot - previous", IMAGENET),
    "C5": ("softmax", IMAGENET),
    "C6": ("dot - total_variation", IMAGENET),
}


def differences(directory: Path, least: float = LEAST) -> pd.DataFrame:
    """Return each class's log odds less dot's, a column for each other family."""
    rows = sweeps.load(str(directory), images=False)
    chosen = choose(arms(rows, Protocol("transfer", log_odds=True)), least)
    chosen["class"] = chosen["cluster"]
    wide = chosen.pivot_table(index="class", columns="family", values="metric")
    return wide.drop(columns="dot").sub(wide["dot"], axis=0)


def line(values: pd.Series) -> str:
    """Return mean, interval, and the number of classes above 0."""
    x = values.dropna().to_numpy(float)
    mean, low, high = interval(x)
    return f"{mean:+.2f} ({low:+.2f} to {high:+.2f}), {np.sum(x > 0)} of {len(x)} above"


def main() -> None:
    """Print the table and the hypotheses."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path, help="the folder of the sweeps")
    parser.add_argument("--least-strength", type=float, default=LEAST)
    given = parser.parse_args()
    found = {
        name: differences(given.directory / name, given.least_strength)
        for name in (*IMAGENET, "texturenet")
        if (given.directory / name).exists()
    }
    for name, table in found.items():
        print(name)
        for family in table:
            print(f"  {family}: {line(table[family])}")
    print("mean over the three networks, by class")
    for family in dict.fromkeys(str(f) for name in IMAGENET for f in found.get(name, {})):
        print(f"  {family}: {line(mean_over(found, family, IMAGENET))}")
    means = {name: mean_over(found, *which) for name, which in PRIMARY.items()}
    corrected = holm([p_value(values.dropna().to_numpy(float)) for values in means.values()])
    for (name, (family, _)), p in zip(PRIMARY.items(), corrected, strict=True):
        print(f"{name} {family}: {line(means[name])}, p = {p:.4f}")
    if "texturenet" in found:
        print(f"C7 cosine, texturenet: {line(found['texturenet']['cosine'])}")


def mean_over(found: dict[str, pd.DataFrame], family: str, networks: tuple[str, ...]) -> pd.Series:
    """Return a class's mean difference over the networks that have the family."""
    columns = [found[name][family] for name in networks if family in found.get(name, {})]
    if not columns:
        return pd.Series(dtype=float)
    mean: pd.Series = pd.concat(columns, axis=1).mean(axis=1, skipna=False)
    return mean


if __name__ == "__main__":
    main()
