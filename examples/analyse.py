"""Does dot x cosine^n make purer pictures, and what does it cost? `python examples/analyse.py DIR`."""

import sys

import sweeps

results = sweeps.load(sys.argv[1])
results = results[(results["status"] == "ok") & (results["penalty"] == "none")]
keys = ["layer", "label", "seed"]
dot = results[results["objective"] == "dot"].set_index(keys)
for (objective, exponent), arm in results.groupby(["objective", "objective_exponent"], dropna=False):
    pairs = arm.set_index(keys)[["dot", "cosine"]].join(dot[["dot", "cosine"]], rsuffix="_of_dot")
    gain = (pairs["cosine"] - pairs["cosine_of_dot"]).dropna()
    kept = (pairs["dot"] / pairs["dot_of_dot"]).dropna()
    print(f"{objective} {exponent}: cosine {gain.mean():+.3f} (n={len(gain)}), dot x {kept.median():.2f}")
