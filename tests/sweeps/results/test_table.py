"""The table on disk: parts, failed batches, leftovers of a killed process."""

from pathlib import Path
from typing import Any

import numpy as np

from sweeps.results.table import consolidate, load, load_history, write_part


def test_a_failed_chunk_and_a_leftover_do_not_keep_the_table_from_being_made(
    tmp_path: Path,
) -> None:
    steps: Any = {"job": np.array([0, 0]), "step": np.array([0, 1]), "score": np.array([0.5, 1.0])}
    write_part(tmp_path, [{"job": 0, "status": "ok"}], steps)
    nothing: Any = {"job": np.array([], np.int64), "step": np.array([], np.int64)}
    write_part(tmp_path, [{"job": 1, "status": "failed", "error": "gone"}], nothing)
    (tmp_path / "parts" / "results-abc.partial").touch()
    consolidate(tmp_path)
    assert list(load(tmp_path)["status"]) == ["ok", "failed"]
    assert len(load_history(tmp_path)) == 2 and not (tmp_path / "parts").exists()


def test_results_without_history_are_a_table(tmp_path: Path) -> None:
    write_part(tmp_path, [{"job": 0, "status": "failed"}], {})
    for part in tmp_path.glob("parts/history-*"):
        part.unlink()
    consolidate(tmp_path)
    assert len(load(tmp_path)) == 1 and list(load_history(tmp_path)) == ["job", "step"]
