"""The metrics by which a report compares arms, where none are named."""

import pandas as pd

from sweeps.results.report.columns import metrics_of, optimized_metric

MOST_METRICS = 5
# What says most of a picture; metrics that no objective is come first.
_PREFERRED = ("purity", "transfer", "reference_z", "whitened_cosine", "cosine", "dot")


def preferred_metrics(results: pd.DataFrame) -> list[str]:
    """At most five metrics to compare by, the optimized one first."""
    known = metrics_of(results)
    wanted = [optimized_metric(results), *_PREFERRED, *known]
    return [m for m in dict.fromkeys(wanted) if m in known][:MOST_METRICS]
