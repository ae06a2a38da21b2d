"""Sweeps of feature visualizations: one table of results for many objectives and directions."""

from typing import Any

from sweeps.accessor import SweepsAccessor as SweepsAccessor
from sweeps.execution.progress import progress as progress
from sweeps.results.table import load as load
from sweeps.results.table import load_history as load_history


def __getattr__(name: str) -> Any:
    """Import `run` when it is first used: it imports JAX and Hydra."""
    if name == "run":
        from sweeps.from_python import run

        return run
    raise AttributeError(f"module 'sweeps' has no attribute {name!r}")
