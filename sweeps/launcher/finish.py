"""The end of a sweep or run: table, contact sheet, report, summary, and what to do next."""

import logging
import shlex
from collections.abc import Callable

import pandas as pd
from rich.console import Console

from sweeps.analysis.best import Best, best_arm
from sweeps.execution.progress import progress
from sweeps.launcher.go_on import given_command, how_to_resume
from sweeps.report import report
from sweeps.results.contact_sheet import not_shown, write_sheet
from sweeps.results.part_files import RESULTS
from sweeps.results.parts import holds_results
from sweeps.results.report.columns import compared_columns, optimized_metric
from sweeps.results.report.preferred_metrics import preferred_metrics
from sweeps.results.summary import summary
from sweeps.results.table import consolidate
from sweeps.storage.location import Location

log = logging.getLogger(__name__)

_MOST_JOBS = 2000  # beyond it the report and the comparison take more than seconds
_MOST_METRICS = 3  # of the printed command


_afterwards: list[Callable[[Location], None]] = []


def afterwards(call: Callable[[Location], None]) -> None:
    """Have a function called with the directory after the next `finish`."""
    _afterwards.append(call)


def finish(directory: Location) -> None:
    """Merge the parts, draw the sheet, write the report and print a summary.

    Of a large sweep the report's command is printed instead. A report that cannot be written causes
    a warning: the results are complete.
    """
    if not holds_results(directory):
        _afterwards.clear()
        return
    with progress() as shown:
        shown.say("writing the table")
        results = consolidate(directory)
        shown.say("drawing the contact sheet")
        sheet = directory / "sheet.png"
        hidden = write_sheet(results, sheet, given_command())
        shown.say("writing the report")
        small = len(results) <= _MOST_JOBS
        page = _report(directory) if small else None
        best = _best(results) if small else None
        shown.stop()
    console = Console()
    console.print(summary(results, None if best is None else best.rows))
    paths = [directory / f"{RESULTS}.parquet", sheet, *([page] if page else [])]
    lines = [*(best.lines if best else []), "", *map(str, paths)]
    lines += [not_shown(hidden)] if hidden else []
    if commands := _next_commands(directory, results, with_report=not small):
        lines += ["", "next:", *(f"  {command}" for command in commands)]
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    while _afterwards:
        call = _afterwards.pop()
        try:
            call(directory)
        except Exception as error:  # the results are complete
            log.warning(f"not logged: {type(error).__name__}: {error}")


def _arms(results: pd.DataFrame) -> list[str]:
    """Return the columns that make arms: those that differ between the jobs of one network."""
    if "model" not in results:
        return compared_columns(results)
    within = [compared_columns(jobs) for _, jobs in results.groupby("model", sort=False)]
    different = list(dict.fromkeys(column for columns in within for column in columns))
    return different or compared_columns(results)


def _report(directory: Location) -> Location | None:
    try:
        return report([directory])
    except Exception as error:  # an error of the report must not fail the sweep
        log.warning(f"no report: {type(error).__name__}: {error}")
        return None


def _best(results: pd.DataFrame) -> Best | None:
    """Return the best arm by the optimized metric; None if there is nothing to compare."""
    metric, by = optimized_metric(results), _arms(results)
    if metric is None or not by:
        return None
    try:
        return best_arm(results, by, metric)
    except ValueError:  # a single arm, or no pair
        return None


def _next_commands(directory: Location, results: pd.DataFrame, with_report: bool) -> list[str]:
    """Return the commands that go on from here."""
    by, metrics = _arms(results), preferred_metrics(results)[:_MOST_METRICS]
    commands = []
    if with_report:
        commands.append(["python", "-m", "sweeps.report", str(directory)])
    if by and metrics:
        compared = ["--by", *by, "--metric", *metrics]
        commands.append(["python", "-m", "sweeps.compare", str(directory), *compared])
    if not with_report and len(results) > 1:  # the report is there: one file of it to mail
        commands.append(["python", "-m", "sweeps.report", str(directory), "--portable"])
    lines = [shlex.join(command) for command in commands]
    failed = int((results["status"] == "failed").sum())
    resume = how_to_resume(directory) if failed else None
    return lines + ([f"{resume}  # runs the failed again: {failed}"] if resume else [])
