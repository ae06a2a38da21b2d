"""A sweep end to end, from process start: `python -m sweeps -m` against a lucent user's script.

Few steps stand for many: start-up and compile are measured apart, and the time of the jobs grows
with the steps. On our side all that is neither import nor compile counts as the jobs': loading the
weights, planning, scoring, measuring, writing.
"""

import json
import math
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from work import Timing, timing

import sweeps

HERE = Path(__file__).parent
LUCENT_JOBS = 8  # of the 64: its loop does one job after another, so that the others are alike
LUCID_STEPS = 512
RISEN = 0.75  # of the jobs: after a few steps under random transforms some have not yet


@dataclass(frozen=True)
class Sweep:
    """Exponents x directions on one layer."""

    layer: str = "mixed4d"
    channels: int = 528  # of the layer in either network
    size: int = 128  # pixels into the network
    steps: int = 16
    exponents: tuple[int, ...] = (0, 1, 2, 4)
    directions: int = 16

    @property
    def jobs(self) -> int:
        """Number of jobs."""
        return len(self.exponents) * self.directions


QUICK = Sweep(layer="mixed3a", channels=256, size=32, steps=4, exponents=(0, 2), directions=1)


def ours(sweep: Sweep, weights: str, folder: Path) -> dict[str, Any]:
    """One multirun of the application; compiled programs are kept in `folder` between rounds."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", "import sweeps.launcher.app"], check=True, env=environment
    )
    start = time.perf_counter() - begin
    out = folder / f"fvjax-{time.time_ns()}"
    begin = time.perf_counter()
    exponents = ",".join(map(str, sweep.exponents))
    command = ["-m", "sweeps", "-m", "model=googlenet", f"model.weights={weights}"]
    command += [f"layer={sweep.layer}", f"image_size={sweep.size}", f"steps={sweep.steps}"]
    command += ["metrics=none"]  # lucent's user takes none
    command += ["objective=dot_cosine", f"objective.exponent={exponents}"]
    command += [f"direction.index=range(0,{sweep.directions})", f"hydra.sweep.dir={out}"]
    done = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True
    )
    whole = time.perf_counter() - begin
    if not (out / "results.parquet").exists():
        raise RuntimeError(f"the sweep failed: {done.stdout[-2000:]} {done.stderr[-2000:]}")
    rows = sweeps.load(out)
    if len(rows) != sweep.jobs:
        raise ValueError(f"the sweep ran {len(rows)} of {sweep.jobs} jobs")
    compiling = rows.groupby("program")["compile_seconds"].max().sum()
    history = sweeps.load_history(out)
    jobs = [timing(0, list(scores)) for _, scores in history.groupby("job")["score"]]
    _check("fvjax", jobs, sweep)
    return {
        "whole": whole,
        "start": start,
        "compile": float(compiling),
        "jobs": whole - start - float(compiling),
        "optimize": float(rows["seconds"].sum()),  # of the jobs' seconds
    }


def peer(sweep: Sweep, folder: Path) -> dict[str, Any]:
    """lucent's script; each of its variants runs some of the jobs, scaled to all of them."""
    pictures = folder / "lucent"
    pictures.mkdir(exist_ok=True)
    options = {"layer": sweep.layer, "channels": sweep.channels, "size": sweep.size}
    options |= {"steps": sweep.steps, "directions": sweep.directions, "jobs": LUCENT_JOBS}
    command = [str(HERE / "sweep_lucent.py"), "--pictures", str(pictures)]
    command += [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command += ["--exponents", *map(str, sweep.exponents)]
    command += ["--began", str(time.time())]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"lucent's loop failed: {done.stderr[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    report = {"start": found.pop("start"), "compile": 0.0}
    for variant, rows in found.items():
        if len(rows) != min(LUCENT_JOBS, sweep.jobs):
            raise ValueError(f"lucent ran {len(rows)} jobs")
        _check(f"lucent ({variant})", [Timing(**row) for row in rows], sweep)
        report[variant] = sum(row["seconds"] for row in rows) * sweep.jobs / len(rows)
    report["jobs"] = report["optimize"] = report["stock"]
    report["whole"] = report["start"] + report["jobs"]
    return report


def _check(side: str, jobs: list[Timing], sweep: Sweep) -> None:
    wrong = [job for job in jobs if job.steps != sweep.steps]
    if wrong:
        raise ValueError(f"{side} did {wrong[0].steps} of {sweep.steps} steps in a job")
    rose = sum(job.rose for job in jobs)
    if rose < RISEN * len(jobs) or not all(math.isfinite(job.after) for job in jobs):
        raise ValueError(f"the score of {side} rose in {rose} of {len(jobs)} jobs only")


def at(report: dict[str, Any], steps: int, sweep: Sweep) -> float:
    """Seconds from process start if the sweep had had that many steps."""
    more = report["optimize"] * (steps / sweep.steps - 1)
    return float(report["start"] + report["compile"] + report["jobs"] + more)


def ratios(ours: dict[str, Any], peer: dict[str, Any], sweep: Sweep) -> dict[str, float]:
    """Of one round: lucent's seconds over ours."""
    return {
        "sweep_64": peer["jobs"] / ours["jobs"],
        "sweep_64_whole_process": peer["whole"] / ours["whole"],
        "sweep_64_at_512_steps": at(peer, LUCID_STEPS, sweep) / at(ours, LUCID_STEPS, sweep),
        "sweep_64_as_each_user_types_it": peer["as_typed"] / ours["jobs"],
        "sweep_64_tuned": peer["tuned"] / ours["jobs"],
    }
