"""The five hypotheses of `experiment=planted_worlds`, with Holm over five.

They stand in docs/results/appendix.md. Reads the folder that holds its sweep and the sweep of the
penalty on total variation.
"""

import argparse

import numpy as np
import pandas as pd

import sweeps
from sweeps.analysis.cross_fitting import arms, choose
from sweeps.analysis.inference import holm, interval, p_value
from sweeps.studies.planted import prepared, protocol_of

HYPOTHESES = {  # condition, family, family that it is compared with, column
    "P1": ("random", 1.0, "dot - orthogonal", "dot", "metric"),
    "P2": ("superposed", 1.0, "inversion", "dot", "metric"),
    "P3": ("superposed", 1.0, "inversion - total_variation", "inversion", "metric"),
    "P4": ("skewed", 0.5, "cosine", "dot - orthogonal", "metric"),
    "P5": ("orthogonal", 0.0, "dot - orthogonal", "inversion", "grating_purity"),
}


def main() -> None:
    """Print a line for each hypothesis."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", help="the folder of both sweeps")
    rows = prepared(sweeps.load(parser.parse_args().directory))
    chosen = choose(arms(rows, protocol_of(rows)))
    lines, p = [], []
    for name, (geometry, severity, family, other, column) in HYPOTHESES.items():
        condition = f"model_geometry={geometry} model_severity={severity:g}"
        here = chosen[chosen["condition"] == condition].set_index("cluster")
        one, two = (here[here["family"] == f][column] for f in (family, other))
        difference = (one - two).dropna().to_numpy()
        mean, low, high = interval(difference)
        p.append(p_value(difference))
        lines.append(
            f"{name} {geometry} {severity:g}: {family} {one.mean():.3f} against {other} "
            f"{two.mean():.3f}, {column}: {mean:+.3f} ({low:.3f} to {high:.3f}), "
            f"{np.sum(difference > 0)} of {len(difference)} above"
        )
    for line, corrected in zip(lines, holm(p), strict=True):
        print(f"{line}, p = {corrected:.4f}")
    print(blank_counts(chosen))


def blank_counts(chosen: pd.DataFrame) -> str:
    """Return the number of blank pictures at the chosen settings, by condition and family."""
    counts = chosen.groupby(["condition", "family"], sort=False)[["blank", "pictures"]].sum()
    dark = counts[counts["blank"] > 0]
    return dark.to_string() if len(dark) else "no picture of a chosen setting is blank"


if __name__ == "__main__":
    main()
