"""CPU seconds and peak memory to plan, record and load sweeps of 100 to 100,000 jobs.

    python benchmarks/speed/scale.py [--jobs 100 1000 10000 100000] [--hydra 1000]

Planning composes, checks, builds and groups the jobs. Recording writes a row with a picture of 2.4
kB and a history for each job, in parts of four, and merges them at the end; no image is optimized.
Loading reads the table without and with pictures. Each number of jobs has a process of its own.
`--hydra N` runs N jobs of one step as a sweep, with and without a directory for each job, and gives
the same command line to plain Hydra: its basic sweeper and launcher, and a task that does nothing.
Programs are compiled before, so that caches hold them.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hydra
import numpy as np

import sweeps
from sweeps.config.enumerate_jobs import jobs_of
from sweeps.config.paths import CONF
from sweeps.execution.grouping import group_tasks
from sweeps.planning.plan import build_all
from sweeps.results.table import consolidate, write_part

JOBS = (100, 1000, 10_000)
_PLAIN = "--plain-hydra"  # with the rest of the command line for Hydra
_BATCH, _PICTURE = 4, 2400  # rows of a part, bytes


def main() -> None:
    """Measure each number of jobs in a process of its own, and print a table."""
    if sys.argv[1:2] == [_PLAIN]:
        del sys.argv[1]
        _nothing()
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, nargs="*", default=JOBS)
    parser.add_argument("--hydra", type=int, default=0)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(_measure(given.one)))
        return
    rows = [_in_process(n) for n in given.jobs]
    if rows:
        print("| " + " | ".join(rows[0]) + " |")
        print("|" + " --- |" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(f"{value:,.4g}" for value in row.values()) + " |")
    if given.hydra:
        _against_hydra(given.hydra)


def _in_process(jobs: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", str(jobs)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    row: dict[str, float] = json.loads(output.splitlines()[-1])
    return row


def _arguments(jobs: int) -> list[str]:
    return [
        *("model=tiny", "objective=dot,cosine", "direction.index=range(0,5)"),
        *(f"seed=range(0,{jobs // 10})", "steps=1", "metrics=none"),
    ]


def _measure(jobs: int) -> dict[str, float]:
    """Return the CPU seconds of each part of a sweep, and the peak memory after each."""
    clock = _Clock()
    composed = jobs_of(_arguments(jobs))
    clock.stop("compose")
    tasks = build_all(composed.configs, composed.overrides)
    clock.stop("build, check")
    group_tasks(tasks)
    clock.stop("group")
    clock.row["plan, peak MB"] = _peak()
    with tempfile.TemporaryDirectory() as folder:
        _record(Path(folder), [(task.job_id, task.columns) for task in tasks])
        clock.stop("record")
        clock.row["parts"] = len(list(Path(folder, "parts").iterdir()))
        consolidate(Path(folder))
        clock.stop("merge")
        sweeps.load(folder, ["objective", "seed", "final_score"], images=False)
        clock.stop("load 3 columns")
        sweeps.load(folder, images=False)
        clock.stop("load without images")
        sweeps.load(folder)
        clock.stop("load all")
    clock.row["peak MB"] = _peak()
    return {"jobs": jobs, **clock.row}


def _record(directory: Path, jobs: Sequence[tuple[str, dict[str, Any]]]) -> None:
    numbers = np.random.default_rng(0)
    for first in range(0, len(jobs), _BATCH):
        rows = [
            {"job": first + n, "job_id": job_id, "status": "ok", **columns}
            | {"final_score": float(numbers.normal())}
            | {"image": {"bytes": numbers.bytes(_PICTURE), "path": f"images/{first + n}.png"}}
            | {"history": {"score": numbers.normal(size=1).astype(np.float32)}}
            for n, (job_id, columns) in enumerate(jobs[first : first + _BATCH])
        ]
        write_part(directory, rows)


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def _nothing(config: Any) -> float:
    """Do nothing: what remains is Hydra's own work."""
    return 0.0


def _against_hydra(jobs: int) -> None:
    """Print the CPU seconds of a sweep of one step, and of Hydra with a task that does nothing."""
    arguments = ["-m", *_arguments(jobs)]
    plain = ["hydra/launcher=basic", "hydra/sweeper=basic", "~hydra.callbacks.guard"]
    sides = {
        "ours, a directory for each job": ["-m", "sweeps", *arguments],
        "ours, hydra.launcher.job_dirs=false": [
            *("-m", "sweeps", *arguments, "hydra.launcher.job_dirs=false")
        ],
        "plain Hydra": [__file__, _PLAIN, *arguments, *plain],
    }
    _seconds_of(sides["ours, hydra.launcher.job_dirs=false"])  # its programs are cached now
    seconds = {name: _seconds_of(command) for name, command in sides.items()}
    for name, value in seconds.items():
        ratio = seconds["plain Hydra"] / value
        print(
            f"{jobs} jobs, {name}: {value:.4g} CPU s, plain Hydra takes {ratio:.3g} times as long"
        )


def _seconds_of(command: list[str]) -> float:
    """Return the CPU seconds of a process of Python."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        where = [f"hydra.sweep.dir={folder}/sweep"]
        full = [sys.executable, *command, *where]
        subprocess.run(full, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


class _Clock:
    """CPU seconds of this process by the name of what it did."""

    def __init__(self) -> None:
        self.row: dict[str, float] = {}
        self._last = time.process_time()

    def stop(self, name: str) -> None:
        now = time.process_time()
        self.row[f"{name}, s"] = round(now - self._last, 3)
        self._last = time.process_time()


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()
