"""The metrics by which a report compares arms, where none are named."""

import pandas as pd

from sweeps.results.report.columns import metrics_of, optimized_metric

MOST_METRICS = 5
# What says most of a picture; metrics that no objective is come first.
_PREFERRED = (
    *("purity", "transfer", "reference_z", "whitened_cosine", "cosine", "dot"),
    *("orthogonal", "occlusion_support"),
)
_SCORES = ("initial_score", "final_score")  # of two objectives they cannot be compared


def preferred_metrics(results: pd.DataFrame) -> list[str]:
    """At most five metrics to compare by, the optimized one first."""
    known = metrics_of(results)
    others = [metric for metric in known if metric not in _SCORES]
    wanted = [optimized_metric(results), *_PREFERRED, *others, *_SCORES]
    return [m for m in dict.fromkeys(wanted) if m in known][:MOST_METRICS]
