"""A file is there whole, or as it was before."""

import os
from pathlib import Path

import pytest

from sweeps.storage.atomic import atomic_write, write_durably


def test_a_file_appears_when_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    with atomic_write(path) as partial:
        partial.write_text("all")
        assert not path.exists() and partial.suffix == ".partial"
    assert path.read_text() == "all" and list(tmp_path.iterdir()) == [path]


def test_after_an_error_the_old_file_is_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as partial:
        partial.write_text("ha")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_durable_file_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, events, sync = tmp_path / "part", [], os.fsync

    def fsync(descriptor: int) -> None:
        what = Path(f"/proc/self/fd/{descriptor}").resolve()
        events.append(("folder" if what.is_dir() else "file", path.exists()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_durably(path, b"all")
    assert events == [("file", False), ("folder", True)] and path.read_bytes() == b"all"


def test_an_error_of_a_durable_write_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere/part"):
        write_durably(tmp_path / "nowhere" / "part", b"all")
