"""A progress bar in image-steps, which prints nothing if there is no terminal."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.0f} image-steps/s" if speed else "")


class Progress:
    """A counter of image-steps that shows their rate and the remaining time."""

    def __init__(self, total: int) -> None:
        """Expect `total` image-steps."""
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), _Rate(), TimeRemainingColumn())
        self.bar = Bar(*columns, console=console, disable=not console.is_terminal, transient=True)
        self.task = self.bar.add_task("planning", total=total)

    def announce(self, text: str) -> None:
        """Show a description of the current work."""
        self.bar.update(self.task, description=text)

    def advance(self, steps: int) -> None:
        """Add finished image-steps."""
        self.bar.advance(self.task, steps)

    def __enter__(self) -> Self:
        """Show the bar."""
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the bar."""
        self.bar.stop()
