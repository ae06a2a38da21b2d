"""Each fault that `make chaos` provokes several times is provoked once."""

import importlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

RELIABILITY = ROOT / "benchmarks" / "reliability"
OF_ROOT = ("full disk", "no inodes left", "read-only directory")  # they mount file systems


def names() -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(RELIABILITY))
        return list(importlib.import_module("faults").FAULTS)


@pytest.fixture(scope="module")
def chaos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Path, Path, Path]]:
    """The runner, a folder, and the directories of the undisturbed and of the killed sweep."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(RELIABILITY))
        patch.setenv("JAX_NUM_CPU_DEVICES", "2")  # of the processes, as of this one
        module, folder = importlib.import_module("chaos"), tmp_path_factory.mktemp("chaos")
        yield module, folder, *module.prepare(folder)


@pytest.mark.parametrize("name", names())
def test_a_fault_costs_no_row(name: str, chaos: tuple[Any, Path, Path, Path]) -> None:
    module, *places = chaos
    if name in OF_ROOT and (os.geteuid() != 0 or shutil.which("mount") is None):
        pytest.skip("only root mounts a file system")
    (seen,) = module.provoke(name, 1, *places)
    assert (seen.compared.lost, seen.compared.wrong) == (0, 0)
    assert seen.compared.right == seen.compared.expected > 0


def test_the_table_is_written_between_its_marks(
    chaos: tuple[Any, Path, Path, Path], tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    shutil.copy(ROOT / "docs" / "reliability.md", page)
    before = page.read_text()
    chaos[0].write_table(page, ["| a fault | 5 | 24 | 24 | 0 | 0 | said |"])
    after = page.read_text()
    assert "| a fault | 5 |" in after and after.count("rows expected") == 1
    chaos[0].write_table(page, [])
    assert "| a fault | 5 |" not in page.read_text()
    assert before.partition("<!-- make chaos")[0] == after.partition("<!-- make chaos")[0]
