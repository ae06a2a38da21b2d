"""The sweep that faults disturb: its commands, and the comparison with the undisturbed sweep."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import absl.logging
import numpy as np
import pandas as pd
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

import sweeps
from sweeps.config.errors import run_cli
from sweeps.config.paths import CONF
from sweeps.launcher.app import main

ROOT = Path(__file__).resolve().parents[2]
JOBS = (
    *("model=tiny", "steps=3", "objective=dot,dot_cosine,cosine", "direction.index=range(0,4)"),
    *("seed=0,1", "hydra.launcher.batch_size=4", "hydra.launcher.job_dirs=false"),
)
COUNT = 24  # jobs: six batches of two programs
RESUME = "hydra.launcher.resume=true"
_OF_THE_RUN = ("seconds", "compile_seconds", "device", "attempt", "batch_size")  # columns


@dataclass(frozen=True)
class Said:
    """The exit status of a command, and what it printed."""

    status: int
    text: str

    def line(self, *words: str) -> str:
        """Return the last line that holds one of the words, else the last line."""
        lines = [line for line in self.text.splitlines() if line.strip()] or [""]
        return next((line for line in reversed(lines) if any(w in line for w in words)), lines[-1])


def run(folder: Path, *arguments: str, directory: str = "swp") -> Said:
    """Run a sweep by the command line, in this process: programs are compiled once."""
    said = io.StringIO()
    # When Hydra sets up logging, absl would close the stream that it finds.
    absl.logging.get_absl_handler().python_handler.setStream(sys.__stderr__)
    command = ["sweeps", "-m", *arguments, f"hydra.sweep.dir={directory}"]
    with (
        chdir(folder),
        mock.patch.object(sys, "argv", command),
        redirect_stdout(said),
        redirect_stderr(said),
    ):
        try:
            status = run_cli(main, CONF)
        finally:
            GlobalHydra.instance().clear()
            HydraConfig.instance().cfg = None
    return Said(status, said.getvalue())


def start(
    folder: Path, *arguments: str, prefix: Sequence[str] = ("-m", "sweeps"), **environment: str
) -> Said:
    """Run a sweep in a process of its own, as its user does.

    Args:
        folder: the working directory.
        arguments: the overrides.
        prefix: what follows `python`.
        environment: variables of the process.
    """
    command = [sys.executable, *prefix, "-m", *arguments, "hydra.sweep.dir=swp"]
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return Said(done.returncode, done.stdout)


def signalled(folder: Path, number: signal.Signals, event: str, count: int, *jobs: str) -> Said:
    """Run a sweep whose process gets a signal at a moment: see victim.py."""
    victim = str(Path(__file__).with_name("victim.py"))
    return start(folder, *jobs, prefix=(victim, str(int(number)), event, str(count)))


@dataclass(frozen=True)
class Compared:
    """How many rows, pictures and histories of a sweep equal those of the undisturbed one."""

    expected: int
    right: int
    lost: int
    wrong: int


def compare(
    directory: Path, reference: Path, expected: int | None = None, tolerance: float = 0.0
) -> Compared:
    """Compare a sweep with an undisturbed one, row by row.

    Args:
        directory: the directory of the sweep.
        reference: the directory of the undisturbed sweep.
        expected: number of rows that must be there; None for all of the reference.
        tolerance: relative and absolute difference of numbers that counts as rounding; 0: equal
            bit for bit, with pictures.
    """
    rows, good = (sweeps.load(d).set_index("job_id") for d in (directory, reference))
    steps, good_steps = _histories(directory), _histories(reference)
    common = rows.index.intersection(good.index)
    right = sum(
        _equal(rows.loc[job], good.loc[job], tolerance)
        and _close(steps[rows.loc[job, "job"]], good_steps[good.loc[job, "job"]], tolerance)
        and _is_on_disk(directory, rows.loc[job, "image"])
        for job in common
    )
    expected = len(good) if expected is None else expected
    wrong = len(common) - right + len(rows) - rows.index.nunique()  # and duplicates
    return Compared(expected, right, max(0, expected - len(common)), wrong)


def _is_on_disk(directory: Path, picture: Any) -> bool:
    return picture is None or (directory / picture["path"]).read_bytes() == picture["bytes"]


def _histories(directory: Path) -> dict[Any, np.ndarray]:
    history = sweeps.load_history(directory)
    return {job: part.to_numpy()[:, 1:] for job, part in history.groupby("job")}


def _equal(row: pd.Series, good: pd.Series, tolerance: float) -> bool:
    for name, value in good.drop([*_OF_THE_RUN, "job"]).items():
        found = row[name]
        if isinstance(value, dict):
            if not tolerance and found["bytes"] != value["bytes"]:
                return False
        elif isinstance(value, float) and isinstance(found, float):
            if not _close(np.array(found), np.array(value), tolerance):
                return False
        elif found != value and not (pd.isna(found) and pd.isna(value)):
            return False
    return True


def _close(found: np.ndarray, value: np.ndarray, tolerance: float) -> bool:
    return found.shape == value.shape and np.allclose(
        found, value, rtol=tolerance, atol=tolerance, equal_nan=True
    )
