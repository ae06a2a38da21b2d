"""Does dot x cosine^n make purer pictures, and at what price? `python examples/analyse.py DIR`."""

import sys

import sweeps
from sweeps.results.table import COLUMNS

if len(sys.argv) != 2:
    sys.exit("usage: python examples/analyse.py DIR, a sweep's directory")
try:
    results = sweeps.load(sys.argv[1])
except ValueError as error:
    sys.exit(f"error: {error}")
results = results[results["status"] == "ok"]
if "dot" not in set(results["objective"]):
    sys.exit("error: no job with objective=dot came through, to compare the others with")
config = [c for c in results if c not in COLUMNS]
objective = [c for c in config if c.split("_")[0] == "objective"]
equal = [c for c in config if c not in objective]  # pairs differ in the objective only

dot = results.loc[results["objective"] == "dot", [*equal, "dot", "cosine"]]
pairs = results.merge(dot, "left", equal, suffixes=("", "_of_dot"), validate="many_to_one")
pairs["purer"] = pairs["cosine"] - pairs["cosine_of_dot"]
pairs["price"] = pairs["dot"] / pairs["dot_of_dot"]
table = pairs.groupby(objective, dropna=False, as_index=False).agg(
    n=("purer", "count"), cosine_gain=("purer", "mean"), dot_kept=("price", "median")
)
print(table.round(3).to_string(index=False))
