"""The distribution: its metadata, its console command, and other packages of the same name."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import fvjax
import fvjax_command
import sweeps
from sweeps.command import available, run
from sweeps.config.command_help import COMMANDS

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
Fake = Callable[..., Path]


@pytest.fixture
def fake_distribution(tmp_path: Path) -> Fake:
    """Make what pip leaves of a distribution with a package `sweeps`, and return its folder."""

    def make(name: str, file: str = "sweeps/__init__.py") -> Path:
        folder = tmp_path / "site"
        (folder / file).parent.mkdir(parents=True)
        (folder / file).write_text("")
        info = folder / f"{name}-0.2.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.2.0\n")
        (info / "RECORD").write_text(f"{file},,\n{name}-0.2.0.dist-info/RECORD,,\n")
        return folder

    return make


def requirements(extra: str) -> list[Requirement]:
    """Return what an extra requires, with the extras that it names itself."""
    found = []
    for one in map(Requirement, EXTRAS[extra]):
        inner = [requirements(name) for name in one.extras] if one.name == "fvjax" else [[one]]
        found += [requirement for part in inner for requirement in part]
    return found


def test_the_lock_holds_every_requirement_of_development() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    locked = {
        canonicalize_name(one.name): next(iter(one.specifier)).version
        for one in map(Requirement, lines)
    }
    wanted = [*map(Requirement, PROJECT["dependencies"]), *requirements("dev")]
    assert len(wanted) > 20
    for one in wanted:
        assert one.specifier.contains(locked[canonicalize_name(one.name)]), one


def test_the_version_is_one() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert fvjax.__version__ == PROJECT["version"] == citation["version"]


def test_type_checkers_may_read_the_annotations() -> None:
    for package in (fvjax, sweeps):
        assert (Path(str(package.__file__)).parent / "py.typed").exists()


@pytest.mark.parametrize("name", ["sweeps", "other-sweeps"])
def test_another_distribution_in_our_place_is_one_sentence(
    name: str,
    fake_distribution: Fake,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = fake_distribution(name)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "sweeps")  # so that it is looked for again
    assert fvjax_command.main(["model=tiny"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: the distribution {name!r} 0.2.0 provides the package 'sweeps'")
    assert str(folder / "sweeps") in line and f"pip uninstall {name}" in line


def test_python_m_sweeps_says_so_too(fake_distribution: Fake) -> None:
    """Both are installed into one folder: the last one overwrites `__init__.py`."""
    folder = fake_distribution("sweeps")
    (folder / "sweeps" / "__main__.py").write_text((ROOT / "sweeps/__main__.py").read_text())
    path = [str(folder), str(ROOT)]
    code = f"import sys, runpy; sys.path[:0] = {path}; runpy.run_module('sweeps', None, '__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("error: the distribution 'sweeps' 0.2.0")
    assert len(done.stderr.splitlines()) == 1


def test_a_distribution_elsewhere_or_without_the_package_does_no_harm(
    fake_distribution: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fvjax_command.name_conflict() is None
    monkeypatch.syspath_prepend(fake_distribution("wandb", "wandb/sweeps/__init__.py"))
    assert fvjax_command.name_conflict() is None


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert available() == list(COMMANDS)
    for name in COMMANDS:
        assert run([name, "--help"]) == 0
        shown = capsys.readouterr()
        assert f"python -m sweeps.{name}" in shown.out and shown.err == ""


@pytest.mark.parametrize("name", ["retrieve", "statistics", "layers"])
def test_help_of_overrides_lists_groups_and_keys(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([name, "model=tiny", "--help"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^  objective: .*\bdot_cosine\b", shown, re.MULTILINE)
    assert re.search(r"^  steps=\d+$", shown, re.MULTILINE)


def test_a_command_that_fails_has_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", "/nowhere", "--metric", "dot"]) == 1
    assert "/nowhere" in capsys.readouterr().err
