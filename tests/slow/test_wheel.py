"""A wheel, installed into a fresh environment outside of the checkout, runs."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

pytest.importorskip("build", reason="`make setup` installs build and hatchling")
pytest.importorskip("hatchling", reason="`make setup` installs build and hatchling")


def call(*command: object, folder: Path) -> str:
    """Run a command without this checkout's path; its output."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "XLA", "JAX"))}
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=folder, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_wheel_installs_and_runs_outside_of_the_checkout(tmp_path: Path) -> None:
    build = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path)
    call(*build, ROOT, folder=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    configs = {path.relative_to(ROOT / "conf") for path in (ROOT / "conf").rglob("*.yaml")}
    assert {f"sweeps/conf/{path.as_posix()}" for path in configs} <= names
    assert {"fvjax/py.typed", "sweeps/py.typed", "fvjax_command.py"} <= names
    fresh = tmp_path / "fresh"
    venv.create(fresh, with_pip=True)
    pip = (fresh / "bin" / "python", "-m", "pip", "install", "--quiet")
    call(*pip, "-c", ROOT / "requirements.lock", wheel, folder=tmp_path)
    work = tmp_path / "work"
    work.mkdir()
    command = fresh / "bin" / "fvjax"
    assert "Usage: fvjax" in call(command, "--help", folder=work)
    said = call(command, "model=tiny", "steps=2", folder=work)
    (table,) = work.glob("outputs/*/*/results.parquet")
    assert str(table.relative_to(work)) in said
    read = "import fvjax, sweeps, sys; print(fvjax.__file__, len(sweeps.load(sys.argv[1])))"
    file, rows = call(fresh / "bin" / "python", "-c", read, table.parent, folder=work).split()
    assert Path(file).is_relative_to(fresh) and rows == "1"
