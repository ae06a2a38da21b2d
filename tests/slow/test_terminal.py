"""A sweep on a pseudo-terminal: lines that move from the start, then a summary and what to do."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.slow

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
JOBS = ["model=tiny", "direction.index=0,1", "steps=8", "reference_images=null", "judge=null"]


def on_a_terminal(folder: Path, *arguments: str) -> str:
    """Run `python -m sweeps ARGUMENTS` on a terminal of 24 x 80 letters; return what it wrote."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
    environment |= {"COLUMNS": "80", "LINES": "24", "XDG_CACHE_HOME": str(folder / "cache")}
    process = subprocess.Popen(
        [sys.executable, "-m", "sweeps", *arguments],
        **{"cwd": folder, "env": environment},
        **{"stdin": theirs, "stdout": theirs, "stderr": theirs},
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:  # the process has closed its end
            break
        if not data:
            break
        written += data
    assert process.wait() == 0, written.decode()
    os.close(ours)
    return written.decode()


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")


def test_progress_moves_from_the_start_and_the_summary_follows(tmp_path: Path) -> None:
    sweep = ["-m", *JOBS, "objective=dot,cosine", "learning_rate=0.05,1e38"]
    text = on_a_terminal(tmp_path, *sweep, "hydra.sweep.dir=out")
    moving, _, printed = text.partition("\x1b[?25h")  # the cursor is hidden while lines move
    before = plain(moving).partition("planning 8 jobs")[0]
    assert len(set(SPINNER) & set(before)) > 3 and "starting 0:00:0" in before
    seen = plain(moving)
    for words in ("compiling program 1 of 2: dot", "program 2 of 2: cosine", "8/8 jobs", "  out"):
        assert words in seen, words
    assert re.search(r"[\d,]+ image-steps/s", seen) and "4 diverged; out" in seen
    printed = plain(printed)
    assert not set(SPINNER) & set(printed) and "image-steps/s" not in printed
    assert "means over the jobs that are ok" in printed
    assert "python -m sweeps.compare out --by objective learning_rate --metric dot" in printed
    for line in plain(text).splitlines():
        if "[WARNING] - job" in line:  # a log line is whole, however narrow the terminal
            assert "diverged" in line


def test_a_log_has_lines_instead(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sweeps", "-m", *JOBS, "hydra.sweep.dir=out"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    said = [line.partition("] ")[2] for line in done.stdout.splitlines() if line.startswith("[")]
    said = [line for line in said if "no reference images" not in line]
    assert said[0].endswith("2 jobs in 1 program; out")
    assert said[1].endswith("compiling program 1 of 1: dot_cosine")
    assert any("2/2 jobs" in line for line in said)
    assert "\x1b" not in done.stdout and not set(SPINNER) & set(done.stdout)


@pytest.mark.parametrize("flag", ["--help", "--cfg", "--hydra-help"])
def test_what_is_asked_for_alone_is_printed(flag: str, tmp_path: Path) -> None:
    text = on_a_terminal(tmp_path, flag, *(["job"] if flag == "--cfg" else []))
    assert not set(SPINNER) & set(text) and "\x1b[?25l" not in text
