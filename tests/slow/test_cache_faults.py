"""Whatever happens to the cache, the next run ends well with the same picture and runs no code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cache_faults import AS_ROOT, FAULTS, prepare, provoke
from conftest import ROOT

_WARNED = ("folder writable by all", "no folder can be made in HOME", *AS_ROOT)
_STRANGER = 12_345  # a user id that the system does not know


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    prepare(folder)
    return folder


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_cache_ends_no_run(name: str, prepared: Path) -> None:
    if name in AS_ROOT and os.getuid():
        pytest.skip("only root can provoke it")
    try:
        found = provoke(name, 0, prepared)
    except subprocess.CalledProcessError:
        pytest.skip("no file system can be mounted here")
    assert found["exit"] == 0 and found["equal"] and not found["ran"]
    most = 2 if "disk full" in name else 1  # programs and arrays have a cache each
    assert bool(found["warnings"]) == (name in _WARNED), found["warnings"]
    assert len(found["warnings"]) <= most, found["warnings"]


@pytest.mark.parametrize("kind", ["unset", "a file", "read-only"])
def test_a_home_that_cannot_be_used_is_one_warning(kind: str, tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("HOME", "XDG_CACHE_HOME")}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    code = "import os, sys; sys.path.insert(0, sys.argv[1]);"
    if kind == "unset":
        code += f"os.getuid = lambda: {_STRANGER};"
    if kind == "a file":
        (tmp_path / "home").touch()
        environment["HOME"] = str(tmp_path / "home")
    if kind == "read-only":
        environment["HOME"] = "/proc"  # for root too
    code += "from sweeps.execution.jax_setup import cache_programs as c; c(); c(); import jax;"
    code += "from sweeps.storage.array_cache import ArrayCache as A;"
    code += "from sweeps.storage.cache_folder import cache_folder as f;"
    code += "import numpy as np; a = A(f('reference')); a['x'] = {'y': np.ones(3)};"
    code += "print(jax.config.jax_compilation_cache_dir, a['x']['y'].sum(), len(a))"
    run = [sys.executable, "-c", code, str(ROOT)]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "None 3.0 1\n"), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("nothing is cached: ")
