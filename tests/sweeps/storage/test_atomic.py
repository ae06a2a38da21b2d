"""A file is there whole, or as it was before."""

from pathlib import Path

import pytest

from sweeps.storage.atomic import atomic_write


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
