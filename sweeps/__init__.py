"""Sweeps of feature visualizations: one table of results for many objectives and directions."""

from sweeps.results.table import load as load
from sweeps.results.table import load_history as load_history
