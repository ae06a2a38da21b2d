"""How long the report of a sweep takes to build; rows of a real sweep are repeated."""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd

import sweeps
from sweeps.report import report
from sweeps.results.table import consolidate, load_history, write_part


def repeat(table: pd.DataFrame, jobs: int) -> pd.DataFrame:
    """Repeat a table's rows up to `jobs`, each under a seed, an id and a picture of its own."""
    copies = -(-jobs // len(table))
    seeds = table["seed"].max() + 1
    parts = [table.assign(seed=table["seed"] + copy * seeds) for copy in range(copies)]
    repeated = pd.concat(parts, ignore_index=True).iloc[:jobs].copy()
    repeated["job"] = range(jobs)
    repeated["job_id"] = [f"v3-{job:016x}" for job in range(jobs)]
    pictures = [
        {"bytes": image["bytes"], "path": f"images/{job}.png"}
        for job, image in enumerate(repeated["image"])
    ]
    return repeated.assign(image=pd.Series(pictures, repeated.index, dtype=object))


def with_histories(directory: Path) -> pd.DataFrame:
    """Load a sweep's table and, in its column `history`, what was measured after each step."""
    table = sweeps.load(directory)
    values = load_history(directory).set_index(["job", "step"]).groupby(level="job")
    histories = {job: {name: group[name].to_numpy() for name in group} for job, group in values}
    return table.assign(history=table["job"].map(histories))


def build_seconds(table: pd.DataFrame, jobs: int) -> tuple[float, int]:
    """Write a sweep of `jobs` rows, build its report; return seconds and bytes of the page."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        rows: list[dict[str, Any]] = repeat(table, jobs).to_dict("records")  # type: ignore[assignment]
        write_part(directory, rows)
        consolidate(directory)
        begun = time.perf_counter()
        page = report([directory])
        return time.perf_counter() - begun, page.stat().st_size


def main() -> None:
    """Print seconds and size for each number of jobs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, help="a finished sweep whose rows are repeated")
    parser.add_argument("--jobs", type=int, nargs="+", default=[100, 5000])
    arguments = parser.parse_args()
    table = with_histories(arguments.directory)
    for jobs in arguments.jobs:
        seconds, size = build_seconds(table, jobs)
        print(
            f"{jobs} jobs, {table.shape[1]} columns: {seconds:.2f} s, {size / 1e6:.1f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
