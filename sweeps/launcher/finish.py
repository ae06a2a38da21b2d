"""The end of a sweep or run: its table, sheet and summary, and the report to look at."""

import logging
import shlex
from pathlib import Path

import pyarrow.parquet as pq
from rich.console import Console

from sweeps.report import report
from sweeps.results.summary import finish
from sweeps.results.table import RESULTS, holds_results

log = logging.getLogger(__name__)

_MOST_JOBS = 2000  # of which the report takes seconds


def finish_with_report(directory: Path) -> None:
    """Finish, then write the report or, of a large sweep, say how.

    A report that cannot be written is a warning: the results are there.
    """
    finish(directory)
    if not holds_results(directory):
        return
    console = Console()
    jobs = pq.read_metadata(directory / f"{RESULTS}.parquet").num_rows
    if jobs > _MOST_JOBS:
        line = shlex.join(["python", "-m", "sweeps.report", str(directory)])
        console.print(line, soft_wrap=True, highlight=False, markup=False)
        return
    try:
        page = report([directory])
    except Exception as error:  # whatever it is, no sweep fails of it
        log.warning(f"no report: {type(error).__name__}: {error}")
        return
    console.print(str(page), soft_wrap=True, highlight=False, markup=False)
