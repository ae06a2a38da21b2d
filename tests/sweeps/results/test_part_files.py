"""Parts are merged while a sweep runs; whatever a kill leaves is the same table."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sweeps.results import part_files, parts
from sweeps.results.table import consolidate, load, load_history, write_part
from sweeps.storage.checked_parquet import read_checked


class Killed(BaseException):
    """The end of the process."""


def row(job: int, **cells: Any) -> dict[str, Any]:
    history = {"score": np.full(2, job, np.float32)}
    picture = {"bytes": bytes([job]), "path": f"images/{job}.png"}
    status = {"job": job, "job_id": f"id{job}", "status": "ok"}
    return {**status, "dot": job / 7, "history": history, "image": picture, **cells}


def rows_of_a_sweep() -> list[dict[str, Any]]:
    """Columns that are absent or null in some rows, and that are of several types."""
    mixed: list[Any] = [1, 2.5, "text", None]
    return [row(n, power=mixed[n % 4], **({"only": n} if n > 30 else {})) for n in range(40)]


def paths(directory: Path) -> list[Path]:
    return sorted((directory / "parts").glob("*.parquet"))


def write(directory: Path, attempt: int = 1) -> None:
    for one in rows_of_a_sweep():
        write_part(directory, [one], attempt)


@pytest.fixture
def unmerged(tmp_path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    write(tmp_path / "unmerged")
    assert len(paths(tmp_path / "unmerged")) == 40
    table, history = load(tmp_path / "unmerged"), load_history(tmp_path / "unmerged")
    return table[sorted(map(str, table))], history


def is_same(directory: Path, unmerged: tuple[pd.DataFrame, pd.DataFrame]) -> bool:
    table, history = load(directory), load_history(directory)
    return table[sorted(map(str, table))].equals(unmerged[0]) and history.equals(unmerged[1])


def test_merged_parts_are_few_and_the_same_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unmerged: Any
) -> None:
    monkeypatch.setattr(part_files, "_MERGED", 4)
    most = 0
    for one in rows_of_a_sweep():
        write_part(tmp_path, [one], 1)
        most = max(most, len(paths(tmp_path)))
    assert most <= 16
    assert is_same(tmp_path, unmerged)
    consolidate(tmp_path)
    assert is_same(tmp_path, unmerged)


@pytest.mark.parametrize("deletions", [0, 1, 3])
def test_a_kill_while_parts_are_merged_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unmerged: Any, deletions: int
) -> None:
    kept, unlink = [], Path.unlink

    def kill(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".parquet":
            kept.append(path)
            if len(kept) == deletions + 1:
                raise Killed
        unlink(path, missing_ok)

    monkeypatch.setattr(part_files, "_MERGED", 4)
    monkeypatch.setattr(Path, "unlink", kill)
    for one in rows_of_a_sweep():
        try:
            write_part(tmp_path, [one], 1)
        except Killed:
            assert kept[-1].exists()
    assert len(kept) > deletions
    assert is_same(tmp_path, unmerged)
    consolidate(tmp_path)
    assert is_same(tmp_path, unmerged)


def test_a_part_is_deleted_after_its_rows_are_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_files, "_MERGED", 2)
    events, fsync, unlink = [], os.fsync, Path.unlink

    def sync(file: int) -> None:
        events.append("sync")
        fsync(file)

    def delete(path: Path, missing_ok: bool = False) -> None:
        events.append(path.suffix)
        unlink(path, missing_ok)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "unlink", delete)
    for n in range(2):
        write_part(tmp_path, [row(n)], 1)
    # File and folder of each of three parts; what deletes is the merge.
    assert [event for event in events if event != ".partial"] == ["sync"] * 6 + [".parquet"] * 2


def test_attempts_keep_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_files, "_MERGED", 2)
    for attempt in (1, 2, 3):
        for job in range(4):
            write_part(tmp_path, [row(job, dot=float(attempt))], attempt)
    assert load(tmp_path)["dot"].tolist() == [3.0] * 4
    assert parts.read_directory(tmp_path).attempt == 3


def test_a_damaged_part_keeps_no_other_from_being_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_files, "_MERGED", 4)
    write_part(tmp_path, [row(0)], 1)
    (damaged,) = paths(tmp_path)
    damaged.write_bytes(damaged.read_bytes()[:200])
    for job in range(1, 4):
        write_part(tmp_path, [row(job)], 1)
    assert len(paths(tmp_path)) == 2 and damaged.exists()
    assert load(tmp_path)["job"].tolist() == [1, 2, 3]


def test_a_reader_finds_rows_that_are_merged_while_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unmerged: Any
) -> None:
    write(tmp_path)
    read, merged = read_checked, []

    def merge_first(path: Path, *arguments: Any, **options: Any) -> Any:
        if not merged:
            merged.append(path)
            part_files._merge(tmp_path, paths(tmp_path)[::2], 1, 1)
        return read(path, *arguments, **options)

    monkeypatch.setattr(parts, "read_checked", merge_first)
    assert is_same(tmp_path, unmerged) and merged
