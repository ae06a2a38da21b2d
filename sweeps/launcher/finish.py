"""The end of a sweep or run: table, contact sheet, summary and report."""

import logging
import shlex
from pathlib import Path

import pyarrow.parquet as pq
from rich.console import Console

from sweeps.report import report
from sweeps.results.parts import RESULTS, holds_results
from sweeps.results.summary import finish

log = logging.getLogger(__name__)

_MOST_JOBS = 2000  # beyond it the report takes more than seconds


def finish_with_report(directory: Path) -> None:
    """Finish a sweep or run, then write its report; for large sweeps print the report's command.

    A report that cannot be written causes a warning: the results are complete.
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
    except Exception as error:  # an error of the report must not fail the sweep
        log.warning(f"no report: {type(error).__name__}: {error}")
        return
    console.print(str(page), soft_wrap=True, highlight=False, markup=False)
