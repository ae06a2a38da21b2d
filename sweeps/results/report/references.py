"""Reference images that excite a job's direction most and least, where the sweep kept them."""

import io
from collections.abc import Sequence
from typing import Any

import pandas as pd

from sweeps.results.report.pictures import embed_file, link_file
from sweeps.storage.location import Location

TABLE = "reference_pictures.parquet"
"""Beside results.parquet: `job`, `end` (most or least), `place` (0 = the first), `path`."""


def reference_pictures(
    directories: Sequence[Location], jobs: Sequence[Any], page: Location, portable: bool
) -> dict[str, Any] | None:
    """Return the reference pictures of each job, or None if no sweep has any.

    Args:
        directories: of the sweeps, one for each job.
        jobs: the jobs' numbers, or `(sweep, number)`.
        page: the file that the page will be.
        portable: whether pictures are in the page.

    Returns:
        `pictures`: each address once. `most` and `least`: for every job, the places of its pictures
        among the addresses.
    """
    paths_of = {d: _picture_paths(d / TABLE) for d in dict.fromkeys(directories)}
    if not any(paths_of.values()):
        return None
    place_of: dict[Location, int] = {}
    places: dict[str, Any] = {"most": [], "least": []}
    for directory, job in zip(directories, jobs, strict=True):
        number = job[1] if isinstance(job, tuple) else job
        for end in ("most", "least"):
            paths = [directory / one for one in paths_of[directory].get((number, end), [])]
            places[end].append([place_of.setdefault(path, len(place_of)) for path in paths])
    address = embed_file if portable else lambda path: link_file(path, page)
    return places | {"pictures": [address(path) for path in place_of]}


def _picture_paths(path: Location) -> dict[tuple[int, str], list[str]]:
    """Return the paths of the pictures of each job and end, in order."""
    if not path.is_file():
        return {}
    table = pd.read_parquet(io.BytesIO(path.read_bytes())).sort_values("place")
    paths: dict[tuple[int, str], list[str]] = {}
    for job, end, picture in zip(table["job"], table["end"], table["path"], strict=True):
        paths.setdefault((int(job), str(end)), []).append(str(picture))
    return paths
