"""The hypotheses of `experiment=planted_priors` and `planted_ascent`, in docs/results/appendix.md.

Reads a folder with the sweeps `planted_priors` and `planted_ascent`; Holm over each one's.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import sweeps
from sweeps.analysis.cross_fitting import arms, choose
from sweeps.analysis.inference import holm, interval, p_value
from sweeps.studies.planted import prepared, protocol_of

GROUPS = ("objective", "penalty", "parameterization")
UNIQUE = (1, 3, 5, 8)  # the worlds with one optimum of cosine and inversion
PRIORS = {
    "Q1": ("dot - orthogonal+total_variation fourier", "dot - orthogonal fourier"),
    "Q3": ("cosine - total_variation fourier", "cosine fourier"),
    "Q4": ("inversion maco", "inversion fourier"),
}
ASCENT = {
    "A1 cosine": ("skewed", "cosine", "dot"),
    "A1 inversion": ("skewed", "inversion", "dot"),
    "A1 dot - orthogonal": ("skewed", "dot - orthogonal", "dot"),
    "A2": ("orthogonal", "dot", "dot - orthogonal"),
}


def chosen_of(directory: Path, by: tuple[str, ...] | None = None) -> pd.DataFrame:
    """Return the families at the settings that the other half of the clusters chose."""
    rows = prepared(sweeps.load(str(directory), images=False))
    protocol = protocol_of(rows)
    if by is not None:
        protocol = replace(protocol, by=by)
    return choose(arms(rows, protocol))


def report(named: dict[str, np.ndarray]) -> None:
    """Print mean, interval and corrected p of each difference."""
    for (name, x), p in zip(named.items(), holm([p_value(x) for x in named.values()]), strict=True):
        mean, low, high = interval(x)
        above = f"{np.sum(x > 0)} of {len(x)} above"
        print(f"{name}: {mean:+.3f} ({low:+.3f} to {high:+.3f}), {above}, p = {p:.4f}")


def main() -> None:
    """Print the tables and the hypotheses."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path, help="the folder of both sweeps")
    directory = parser.parse_args().directory
    if (directory / "planted_priors").exists():
        chosen = chosen_of(directory / "planted_priors", GROUPS)
        wide = chosen.pivot_table(index="cluster", columns="family", values="metric")
        print(summary(chosen))
        unique = wide.index.str.removeprefix("model_world=").astype(int).isin(UNIQUE)
        print(pd.DataFrame({"one optimum": wide[unique].mean(), "several": wide[~unique].mean()}))
        named = {k: (wide[a] - wide[b]).dropna().to_numpy() for k, (a, b) in PRIORS.items()}
        gain = wide[PRIORS["Q1"][0]] - wide[PRIORS["Q1"][1]]
        report(named)
        print(f"Q2: gain {gain[~unique].mean():+.3f} (several), {gain[unique].mean():+.3f} (one)")
    if (directory / "planted_ascent").exists():
        chosen = chosen_of(directory / "planted_ascent")
        print(summary(chosen))
        named = {}
        for name, (geometry, one, other) in ASCENT.items():
            here = chosen[chosen["condition"].str.contains(f"geometry={geometry}")]
            wide = here.pivot_table(index="cluster", columns="family", values="metric")
            named[name] = (wide[one] - wide[other]).dropna().to_numpy()
        report(named)


def summary(chosen: pd.DataFrame) -> str:
    """Return purity with its interval, strength, blank pictures and settings of each family."""
    lines = []
    for (condition, family), own in chosen.groupby(["condition", "family"], sort=False):
        mean, low, high = interval(own["metric"].dropna().to_numpy())
        settings = "; ".join(dict.fromkeys(own["setting"]))
        lines.append(
            f"{condition} | {family}: {mean:.3f} ({low:.3f} to {high:.3f}), strength "
            f"{own['strength'].mean():.2f}, blank {own['blank'].sum()}/{own['pictures'].sum()}, "
            f"{settings}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
