"""Progress of a command: lines that move on a terminal or in a notebook, else plain log lines."""

import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from functools import cache
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.text import Text

from sweeps.execution.notebook_lines import NotebookLines

log = logging.getLogger(__name__)

_EVERY = 30.0  # seconds between two counts in a log
_BAR = 20  # letters of the bar


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} image-steps/s" if speed else "")


class _Left(TimeRemainingColumn):
    def render(self, task: Task) -> Text:
        known = task.time_remaining is not None and not task.finished
        return super().render(task) + Text(" left") if known else Text("")


class Progress:
    """The current activity, its start, and the jobs that have ended.

    It is a context manager that may be entered again within itself. The first entry shows the
    lines, and its end removes them; in a notebook the counts and the directory stay.
    """

    def __init__(self, console: Console | None = None) -> None:
        """Show lines on a console, the standard error by default."""
        # Log lines above the moving ones are not broken: a command in them can be copied.
        self.console = console or Console(
            stderr=True, soft_wrap=True, force_interactive=_stands_in_a_terminal()
        )
        self.moves = self.console.is_interactive or self.console.is_jupyter
        self._depth = 0
        self._live: Live | NotebookLines | None = None
        self._clear()

    def _clear(self) -> None:
        text = TextColumn("{task.description}")
        self._activity = Bar(SpinnerColumn(), text, TimeElapsedColumn(), console=self.console)
        self._doing = self._activity.add_task("starting", total=None)
        self._counts = Bar(BarColumn(_BAR), text, _Rate(), _Left(), console=self.console)
        self._steps = self._counts.add_task("", visible=False)
        self._about = Text("", overflow="ellipsis", no_wrap=True)
        self._directory, self._jobs, self._program = "", 0, ""
        self._statuses: Counter[str] = Counter()
        self._logged_at = time.monotonic()

    def begin(self, directory: object, jobs: int, programs: int, steps: int) -> None:
        """Begin to count.

        Args:
            directory: where results are written.
            jobs: the number of jobs that will end.
            programs: the number of programs that will run.
            steps: the number of image-steps.
        """
        self._directory, self._jobs = str(directory), jobs
        self._statuses.clear()
        self._counts.reset(self._steps, total=steps, description=self.ended(), visible=True)
        self._about.plain = f"  {self._directory}"
        if not self.moves:
            log.info(f"{plural(jobs, 'job')} in {plural(programs, 'program')}; {directory}")
        self._logged_at = time.monotonic()

    def say(self, text: str) -> None:
        """Show what is being done."""
        self._activity.update(self._doing, description=text)

    def use_program(self, text: str) -> None:
        """Name the program that the following batches run, such as `program 2 of 7: cosine`."""
        self._program = text

    def announce(self, work: str) -> None:
        """Show what is being done with the program: `compiling` or `optimizing`."""
        text = f"{work} {self._program}"
        if not self.moves and work == "compiling":
            log.info(text)
        self.say(text)

    def advance(self, steps: int) -> None:
        """Add image-steps that have run."""
        self._counts.advance(self._steps, steps)
        if not self.moves and time.monotonic() - self._logged_at > _EVERY:
            self._log_counts()

    def end_jobs(self, statuses: Iterable[str]) -> None:
        """Count jobs that have ended, by their status."""
        self._statuses.update(statuses)
        self._counts.update(self._steps, description=self.ended())
        bad = self.bad()
        self._about.plain = f"  {bad}; {self._directory}" if bad else f"  {self._directory}"
        if not self.moves and self._statuses.total() == self._jobs:
            self._log_counts()

    def ended(self) -> str:
        """Return how many jobs have ended, such as `24/108 jobs`."""
        return f"{self._statuses.total()}/{plural(self._jobs, 'job')}"

    def bad(self) -> str:
        """Return how many jobs have ended with which status other than ok."""
        bad = [(status, n) for status, n in self._statuses.items() if status != "ok"]
        return ", ".join(f"{count} {status}" for status, count in bad)

    def _log_counts(self) -> None:
        task = self._counts.tasks[0]
        columns = [column.render(task).plain for column in (_Rate(), _Left())]
        log.info(", ".join(filter(None, [self.ended(), self.bad(), *columns])))
        self._logged_at = time.monotonic()

    def stop(self) -> None:
        """Remove the lines, for what is printed next."""
        if isinstance(self._live, NotebookLines):
            self._live.stop(Group(self._counts, self._about))
        elif self._live is not None:
            self._live.stop()
        self._live = None

    def __enter__(self) -> Self:
        """Show the lines, unless they are shown."""
        self._depth += 1
        if self._depth == 1:
            self._clear()
            if self.moves:
                self._live = self._new_live()
                self._live.start()
        return self

    def _new_live(self) -> Live | NotebookLines:
        lines = Group(self._activity, self._counts, self._about)
        if self.console.is_jupyter:
            return NotebookLines(lines)
        return Live(
            lines,
            console=self.console,
            transient=True,
            refresh_per_second=8,
            redirect_stdout=sys.stdout.isatty(),
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the lines, if they were shown by this entry."""
        self._depth -= 1
        if self._depth == 0:
            self.stop()


def _stands_in_a_terminal() -> bool:
    """Return whether the standard error can move a cursor.

    A command in a cell of a notebook cannot. Its kernel says otherwise: it sets FORCE_COLOR, which
    rich takes for a terminal, and `!command` gets a pseudo-terminal that keeps every frame.
    """
    return sys.stderr.isatty() and "JPY_PARENT_PID" not in os.environ


@cache
def progress() -> Progress:
    """Return the process's display: Hydra stands between its first second and the executor."""
    return Progress()


def plural(count: int, noun: str, many: str = "") -> str:
    """Return "1 job" or "2 jobs"."""
    return f"{count} {noun}" if count == 1 else f"{count} {many or noun + 's'}"
