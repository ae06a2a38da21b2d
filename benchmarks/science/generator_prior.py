"""Transfer of TextureNet's classes by the generator as a prior: docs/results/appendix.md.

Reads a folder with the sweeps `prior_generator` and `prior_fourier`.
"""

import argparse
from pathlib import Path

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
    """Print both sweeps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path, help="the folder of the sweeps")
    directory = parser.parse_args().directory
    for name in ("prior_generator", "prior_fourier"):
        rows = sweeps.load(str(directory / name), images=False)
        print(f"{name}: {rows['status'].value_counts().to_dict()}")
        describe(rows)


if __name__ == "__main__":
    main()
