"""Sweeps for tests of the report: written as a sweep writes them, with made-up numbers."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from sweeps.results.table import consolidate, write_part

ARMS = {"dot": None, "cosine": None, "dot_cosine": 2.0}  # objective -> exponent
HOSTILE = [
    '</script><script>alert("a")</script>',
    "<img src=x onerror=alert(1)>",
    "<!--<script>",
    '=cmd|"/c calc"!A0',
    "+1+1",
    "@@DATA@@ &amp; \u2028 \u202e right to left",
    "\U0001f98a\U0001f300 emoji, 'quotes' \"both\" `back`",
    "x" * 300,
]


def png(grey: int, side: int = 16) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (grey % 256, 90, 200)).save(buffer, format="png")
    return buffer.getvalue()


def write_sweep(
    directory: Path,
    labels: Sequence[str] = ("conv2:0", "conv2:1", "conv2:2", "conv2:3", "conv2:10"),
    seeds: int = 2,
    status: dict[int, str] | None = None,
    steps: int = 90,
    arms: dict[str, float | None] = ARMS,
    snapshots: Sequence[int] = (),
    **constant: Any,
) -> pd.DataFrame:
    """Every label, seed and arm as one job; a failed one has neither metrics nor picture."""
    random = np.random.default_rng(0)
    keys = [(label, seed, arm) for label in labels for seed in range(seeds) for arm in arms]
    pictures = [png(40 * i) for i in range(7)]
    (directory / "images").mkdir(parents=True, exist_ok=True)
    rows = []
    for job, (label, seed, arm) in enumerate(keys):
        state = (status or {}).get(job, "ok")
        row = {"job": job, "job_id": f"{job:016x}", "status": state, "error": None}
        row |= {"model": "tiny", "direction": "channel", "direction_index": labels.index(label)}
        row |= {"objective": arm, "objective_exponent": arms[arm], "penalty": "none"}
        row |= {"layer": "conv2", "label": label, "kind": "covector", "seed": seed}
        row |= {"steps": steps, "metrics_optimized_metric": "dot"} | constant
        row |= {"dot": None, "cosine": None, "image": None}
        if state == "failed":
            row["error"] = f"<b>out of memory</b> {labels[0]}"
        else:
            value = labels.index(label) + random.normal(0, 0.1) + list(arms).index(arm)
            row |= {"dot": value, "cosine": float(random.uniform(-1, 1))}
            row["image"] = {"bytes": pictures[job % 7], "path": f"images/{job}.png"}
            (directory / "images" / f"{job}.png").write_bytes(pictures[job % 7])
            if snapshots:
                row["steps_run"] = steps
                row["snapshot_images"] = snapshots_of(job, snapshots, directory)
            curve = np.linspace(0, value, steps)
            row["history"] = {"score": curve, "dot": curve}
        rows.append(row)
    write_part(directory, rows)
    return consolidate(directory)


def snapshots_of(job: int, steps: Sequence[int], directory: Path) -> list[dict[str, Any]]:
    """A picture of its own for each step."""
    cells: list[dict[str, Any]] = []
    for step in steps:
        path, content = f"images/{job}-step{step}.png", png(job + 3 * step, side=24)
        (directory / path).write_bytes(content)
        cells.append({"step": step, "bytes": content, "path": path})
    return cells


def write_reference_pictures(directory: Path, jobs: Sequence[int]) -> None:
    """Two pictures at either end for each job."""
    (directory / "reference_pictures").mkdir()
    lines = []
    for end, grey in (("most", 250), ("least", 10)):
        for place in range(2):
            path = f"reference_pictures/{end}{place}.png"
            (directory / path).write_bytes(png(grey - place))
            lines += [{"job": job, "end": end, "place": place, "path": path} for job in jobs]
    pd.DataFrame(lines).to_parquet(directory / "reference_pictures.parquet")
