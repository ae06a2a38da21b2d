"""The notebooks run as they are, and a notebook shows what a sweep is doing while it runs."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

pytestmark = pytest.mark.slow

NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
_BAD = {"error", "stderr"}  # kinds of output: an exception, and a warning
_PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # of commands in cells
_ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "PATH": _PATH}
_MANY_STEPS = ("your_network",)  # whose own convolutions take most of the time if XLA does little


def code_cells(notebook: Path) -> list[dict[str, Any]]:
    cells = json.loads(notebook.read_text())["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def execute(notebook: Path) -> subprocess.CompletedProcess[str]:
    """Execute a notebook in its folder."""
    command = [sys.executable, "-m", "nbconvert", "--to=notebook", "--execute", "--inplace"]
    environment = _ENVIRONMENT | {"XDG_CACHE_HOME": str(notebook.parent / "cache")}
    if notebook.stem in _MANY_STEPS:
        environment["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "0"
    return subprocess.run(
        [*command, str(notebook)], env=environment, capture_output=True, text=True
    )


def pictures_of(outputs: list[dict[str, Any]]) -> int:
    return sum("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_a_notebook_runs_and_shows_what_its_stored_copy_shows(
    notebook: Path, tmp_path: Path
) -> None:
    if notebook.stem == "pytorch_network":
        pytest.importorskip("torch", reason="needs PyTorch")
    copy = Path(shutil.copy(notebook, tmp_path))
    done = execute(copy)
    assert done.returncode == 0, done.stderr
    for stored, fresh in zip(code_cells(notebook), code_cells(copy), strict=True):
        said = [
            o for o in fresh["outputs"] if o["output_type"] == "error" or "stderr" in o.values()
        ]
        assert not said, said  # neither an error nor a warning
        assert stored["execution_count"] == fresh["execution_count"]
        assert pictures_of(stored["outputs"]) == pictures_of(fresh["outputs"])
    assert any(pictures_of(cell["outputs"]) for cell in code_cells(copy))


_WORK = """
import time
import sweeps

with sweeps.progress() as shown:
    shown.say("planning 3 jobs")
    time.sleep(1)
    print("printed in between")
    shown.begin("some/where", jobs=3, programs=1, steps=30)
    shown.use_program("program 1 of 1: dot")
    shown.announce("compiling")
    time.sleep(1)
    shown.advance(30)
    shown.end_jobs(["ok", "ok", "failed"])
"""


@pytest.mark.filterwarnings("ignore")
def test_progress_moves_in_a_notebook_without_widgets() -> None:
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(env=_ENVIRONMENT)
    messages: list[dict[str, Any]] = []
    try:
        reply = client.execute_interactive(_WORK, output_hook=messages.append, timeout=60)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert reply["content"]["status"] == "ok"
    of = {kind: [m["content"] for m in messages if m["msg_type"] == kind] for kind in _KINDS}
    assert [content["text"] for content in of["stream"]] == ["printed in between\n"]
    (first,) = of["display_data"]
    assert {m["transient"]["display_id"] for m in of["update_display_data"]} == {
        first["transient"]["display_id"]
    }
    *moving, last = [content["data"]["text/html"] for content in of["update_display_data"]]
    assert any("planning 3 jobs" in html and "0:00:0" in html for html in moving)
    assert any("compiling program 1 of 1: dot" in html and "0/3 jobs" in html for html in moving)
    assert "3/3 jobs" in last and "1 failed; some/where" in last and "compiling" not in last


_KINDS = ("stream", "display_data", "update_display_data")
