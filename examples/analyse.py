"""Does dot x cosine^n make purer pictures, and at what price? `python examples/analyse.py DIR`."""

import sys

import sweeps

results = sweeps.load(sys.argv[1])
results = results[(results["status"] == "ok") & (results["penalty"] == "none")]
keys, both = ["layer", "label", "seed"], ["dot", "cosine"]
dot = results[results["objective"] == "dot"]
for (objective, exponent), arm in results.groupby(
    ["objective", "objective_exponent"], dropna=False
):
    pairs = arm[keys + both].merge(dot[keys + both], on=keys, suffixes=("", "_of_dot"))
    gain, kept = pairs["cosine"] - pairs["cosine_of_dot"], pairs["dot"] / pairs["dot_of_dot"]
    numbers = f"cosine {gain.mean():+.3f} (n={len(gain)}), dot x {kept.median():.2f}"
    print(f"{objective} {exponent}: {numbers}")
