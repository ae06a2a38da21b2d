"""A place for one fault: copies of an undisturbed sweep, and the list of all faults."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tiny_sweep import JOBS, RESUME, Compared, Said, compare, run


@dataclass(frozen=True)
class Place:
    """A folder for one fault, with copies of what an undisturbed sweep left.

    Attributes:
        folder: the working directory; the sweep's directory is `swp` in it.
        whole: the directory of the undisturbed sweep.
        half: the directory of a sweep that was killed after half of its parts.
    """

    folder: Path
    whole: Path
    half: Path

    @property
    def swp(self) -> Path:
        """The directory of the sweep."""
        return self.folder / "swp"

    def copy(self, source: Path) -> None:
        """Begin with a copy of a directory."""
        shutil.copytree(source, self.swp)

    def resume(self, *arguments: str) -> Said:
        """Resume the sweep."""
        return run(self.folder, *JOBS, RESUME, *arguments)

    def parts(self) -> list[Path]:
        """Return the parts, in the order of their names."""
        return sorted(self.swp.glob("parts/results-*.parquet"))

    def compare(self, said: Said, *words: str) -> "Seen":
        """Compare the sweep with the undisturbed one."""
        return Seen(compare(self.swp, self.whole), said.line(*words))


@dataclass(frozen=True)
class Seen:
    """What a fault left after the resume, and what the disturbed command said."""

    compared: Compared
    message: str


Fault = Callable[[Place, int], Seen]
FAULTS: dict[str, Fault] = {}


def fault(name: str) -> Callable[[Fault], Fault]:
    """Enter a function into the table under a name; its number says which time it is provoked."""

    def enter(function: Fault) -> Fault:
        FAULTS[name] = function
        return function

    return enter


def expect(said: Said, status: int) -> None:
    """Refuse another exit status than the expected."""
    if said.status != status:
        raise AssertionError(f"exit status {said.status}, expected {status}:\n{said.text}")
