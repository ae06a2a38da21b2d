"""What a command says while it works: plain lines in a log, moving lines on a terminal."""

import io
import logging

import numpy as np
import pytest
from rich.console import Console

from sweeps.execution import progress as module
from sweeps.execution.grouping import Group, describe
from sweeps.execution.progress import Progress

LOG = "sweeps.execution.progress"


def lines_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == LOG]


def work(shown: Progress) -> None:
    """What `run` tells of three jobs in two programs, one of which fails."""
    shown.begin("some/where", jobs=3, programs=2, steps=300)
    shown.use_program("program 1 of 2: dot+dot_cosine")
    shown.announce("compiling")
    shown.announce("optimizing")
    shown.advance(200)
    shown.end_jobs(["ok", "failed"])
    shown.use_program("program 2 of 2: cosine")
    shown.announce("compiling")
    shown.advance(100)
    shown.end_jobs(["collapsed"])


def test_without_a_terminal_there_are_plain_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, LOG)
    written = io.StringIO()
    with Progress(Console(file=written)) as shown:
        work(shown)
    begun, first, second, ended = lines_of(caplog)
    assert begun == "3 jobs in 2 programs; some/where"
    assert first == "compiling program 1 of 2: dot+dot_cosine"
    assert second == "compiling program 2 of 2: cosine"
    assert ended.startswith("3/3 jobs, 1 failed, 1 collapsed")
    assert written.getvalue() == ""


def test_a_log_has_counts_now_and_then(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, LOG)
    monkeypatch.setattr(module, "_EVERY", -1.0)
    with Progress(Console(file=io.StringIO())) as shown:
        shown.begin("some/where", jobs=2, programs=1, steps=300)
        shown.advance(100)
        shown.end_jobs(["ok"])
        shown.advance(100)
    counts = [line for line in lines_of(caplog) if "jobs," in f"{line}," and "/" in line[:3]]
    assert [line.partition(",")[0] for line in counts] == ["0/2 jobs", "1/2 jobs"]


def test_a_terminal_shows_what_is_done_and_is_left_clean(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, LOG)
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80, soft_wrap=True)
    with Progress(console) as shown:
        with shown:  # entered again: the same lines
            shown.say("planning 3 jobs")
        assert shown._live is not None
        shown._live.refresh()
        work(shown)
        shown._live.refresh()
    text = screen.getvalue()
    for word in ("planning 3 jobs", "program 2 of 2: cosine", "3/3 jobs", "some/where"):
        assert word in text
    assert "1 failed, 1 collapsed" in text and "0:00:0" in text
    assert text.rstrip().endswith("\x1b[2K") and "\x1b[?25h" in text  # erased; cursor shown
    assert lines_of(caplog) == []


def test_a_group_is_described_by_what_others_do_not_have() -> None:
    def task(**columns: object) -> object:
        class Info:
            class direction:
                layer = columns.pop("layer")

        class Task:
            info = Info

        Task.columns = columns  # type: ignore[attr-defined]
        return Task

    tasks = [
        task(model="tiny", layer="conv1", objective="dot", penalty="none"),
        task(model="tiny", layer="conv1", objective="dot_cosine", penalty="none"),
        task(model="tiny", layer="conv2", objective="dot", penalty=None),
        *(task(model="tiny", layer="conv1", objective=str(i), penalty="none") for i in range(4)),
    ]
    key = np.zeros(0)
    places: list[tuple[int, ...]] = [(0, 1), (2,), (3, 4, 5, 6)]
    groups = [Group(key, 1, True, None, None, p) for p in places]  # type: ignore[arg-type]
    assert describe(groups, tasks) == [  # type: ignore[arg-type]
        "conv1 dot+dot_cosine none",
        "conv2 dot",
        "conv1 0+1+2+... none",
    ]


def test_a_cell_of_a_notebook_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as a kernel sets it; a pipe is no terminal
    assert not Progress().moves
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm-color")
    assert Progress().moves
    monkeypatch.setenv("JPY_PARENT_PID", "1")  # `!command` in a cell: a terminal that only appends
    assert not Progress().moves
