"""A wheel, beside what it declares to need and no more, runs outside of the checkout."""

import os
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from conftest import ROOT
from packaging.requirements import Requirement

pytest.importorskip("build", reason="`make setup` installs build and hatchling")
pytest.importorskip("hatchling", reason="`make setup` installs build and hatchling")


def call(*command: object, folder: Path) -> str:
    """Run a command without this checkout's path; its output."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "XLA", "JAX"))}
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=folder, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def link_dependencies(of: str, packages: Path) -> None:
    """Link into a folder what a distribution declares to need, all that this needs, and no more."""
    wanted, known = [Requirement(of)], {of}
    while wanted:
        one = wanted.pop()
        for text in distribution(one.name).requires or ():
            needed = Requirement(text)
            extras = ({"extra": extra} for extra in ("", *one.extras))
            applies = needed.marker is None or any(map(needed.marker.evaluate, extras))
            if not applies or str(needed) in known:
                continue
            known.add(str(needed))
            wanted.append(needed)
            found = distribution(needed.name)
            for name in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
                if not (packages / name).exists():  # two distributions may share a folder
                    (packages / name).symlink_to(str(found.locate_file(name)))


def test_a_wheel_installs_and_runs_outside_of_the_checkout(tmp_path: Path) -> None:
    build = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path)
    call(*build, ROOT, folder=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    configs = {path.relative_to(ROOT / "conf") for path in (ROOT / "conf").rglob("*.yaml")}
    assert {f"sweeps/conf/{path.as_posix()}" for path in configs} <= names
    assert {"fvjax/py.typed", "sweeps/py.typed", "fvjax_command.py"} <= names
    fresh = tmp_path / "fresh"
    venv.create(fresh)
    (packages,) = fresh.glob("lib/python*/site-packages")
    link_dependencies("fvjax", packages)
    pip = (sys.executable, "-m", "pip", "--python", fresh / "bin" / "python")
    call(*pip, "install", "--quiet", "--no-index", "--no-deps", wheel, folder=tmp_path)
    assert "No broken requirements found." in call(*pip, "check", folder=tmp_path)
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
