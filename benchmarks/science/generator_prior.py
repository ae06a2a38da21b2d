"""Transfer of TextureNet's classes by the generator as a prior: docs/results/appendix.md.

Reads a folder with the sweeps `prior_generator`, `prior_fourier` and, where it exists,
`prior_starts`: the same classes from several seeds, of which the highest score is taken.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import sweeps
from sweeps.analysis.inference import interval


def line(values: pd.Series) -> str:
    """Return mean, 95 % interval and number of classes."""
    mean, low, high = interval(values.to_numpy(float))
    return f"{mean:+.2f} ({low:+.2f} to {high:+.2f}), n = {len(values)}"


def describe(rows: pd.DataFrame) -> None:
    """Print each objective's transfer over classes, its differences to dot, and its strength."""
    wide = rows.pivot_table(index="label", columns="objective", values="transfer")
    for name in wide.columns:
        strength = rows[rows["objective"] == name]["dot"].mean()
        print(f"  {name}: {line(wide[name])}, dot product {strength:.2f}")
        if name != "dot":
            print(f"    less dot: {line(wide[name] - wide['dot'])}")
    heads = rows.assign(head=rows["label"].str.partition("=")[0])
    print(heads.pivot_table(index="head", columns="objective", values="transfer").round(2))


def main() -> None:
    """Print every sweep, then the best of the starts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path, help="the folder of the sweeps")
    directory = parser.parse_args().directory
    for name in ("prior_generator", "prior_fourier"):
        rows = sweeps.load(str(directory / name), images=False)
        print(f"{name}: {rows['status'].value_counts().to_dict()}")
        describe(rows)
    if (directory / "prior_starts").exists():
        rows = sweeps.load(str(directory / "prior_starts"), images=False)
        for count in np.unique([1, rows["seed"].nunique()]):
            few = rows[rows["seed"] < count].reset_index(drop=True)
            best = few.groupby(["label", "objective"])["final_score"].idxmax()
            print(f"prior_starts, the best of {count} by final_score")
            describe(few.loc[best])


if __name__ == "__main__":
    main()
