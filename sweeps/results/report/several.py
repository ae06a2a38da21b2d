"""Join several sweeps into one table, with the name and the directory of each job's sweep."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pandas as pd

from sweeps.results.labels import arm_labels, row_labels
from sweeps.results.table import load, load_history
from sweeps.storage.location import Location

SWEEP = "sweep"


class Sweeps(NamedTuple):
    """The tables of one sweep or several."""

    results: pd.DataFrame  # with the column `sweep` if there are several
    history: pd.DataFrame  # the same
    directories: list[Location]  # of every job's sweep


def read_sweeps(directories: Sequence[Location]) -> Sweeps:
    """Read sweeps, runs, and folders of them.

    Raises:
        ValueError: a directory without results.
    """
    tables: list[pd.DataFrame] = []
    histories: list[pd.DataFrame] = []
    place_of: dict[str, Location] = {}
    for directory in directories:
        results, history = load(directory), load_history(directory)
        name = _unused(directory.resolve().name, place_of)
        folders = results[SWEEP].unique() if SWEEP in results else [""]
        full = {one: _joined(name, one, len(directories)) for one in folders}
        place_of |= {full[one]: directory / one for one in folders}
        for table in (results, history):
            inner = table[SWEEP] if SWEEP in table else [""] * len(table)
            table[SWEEP] = [full[one] for one in inner]
        tables.append(results)
        histories.append(history)
    results, history = (pd.concat(many, ignore_index=True) for many in (tables, histories))
    where = [place_of[one] for one in results[SWEEP]]
    if len(place_of) == 1:
        results, history = results.drop(columns=SWEEP), history.drop(columns=SWEEP)
    return Sweeps(results, history, where)


def _joined(name: str, inner: str, many: int) -> str:
    """Return a sweep's name in a report of `many` directories."""
    if not inner:
        return name
    return inner if many == 1 else f"{name}/{inner}"


def _unused(name: str, taken: Iterable[str]) -> str:
    """Return the name, with a number if another directory has it."""
    unused, number = name, 2
    while any(one == unused or one.startswith(f"{unused}/") for one in taken):
        unused, number = f"{name} ({number})", number + 1
    return unused


def job_names(results: pd.DataFrame) -> list[Any]:
    """Return the name of each job in a history: its number, or `(sweep, number)`."""
    if SWEEP not in results:
        return results["job"].tolist()
    return list(zip(results[SWEEP], results["job"], strict=True))


def tell_apart(results: pd.DataFrame) -> pd.DataFrame:
    """Add the sweep to the settings if two sweeps have equal jobs.

    Otherwise only one of several equal jobs of an arm would be paired.
    """
    if SWEEP not in results:
        return results
    equal = results[SWEEP].groupby([row_labels(results), arm_labels(results)]).nunique() > 1
    return results.assign(directory=results[SWEEP]) if equal.any() else results
