"""Give a reader many hostile inputs, and count what it does with them."""

import random
import re
import resource
import shutil
import signal
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from fuzz.readers import Reader

_SECONDS = 20  # after which an input counts as a crash
_MOST_CRASHES = 5  # that are described


@dataclass
class Counts:
    """What became of the inputs: each is read, refused in one sentence, or a crash."""

    inputs: int = 0
    read: int = 0
    refused: int = 0
    crashes: list[str] = field(default_factory=list)
    memory: int = 0  # by which the process grew at most, in MiB

    def add(self, outcome: str | None, refused: bool) -> None:
        """Count one input; `outcome` describes a crash."""
        self.inputs += 1
        self.read += outcome is None and not refused
        self.refused += refused
        if outcome is not None:
            self.crashes.append(outcome)


def fuzz(reader: Reader, inputs: int, first_seed: int = 0, keep: Path | None = None) -> Counts:
    """Let Hypothesis draw inputs for a reader.

    Args:
        reader: the reader.
        inputs: the number of inputs.
        first_seed: of Hypothesis.
        keep: a folder for the inputs that crash the reader.
    """
    counts, before = Counts(), _memory()
    with tempfile.TemporaryDirectory() as folder:

        @seed(first_seed)
        @settings(
            max_examples=inputs,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.integers(0, 2**64 - 1))
        def one(number: int) -> None:
            path = Path(folder, "input", f"file{reader.suffix}")
            path.parent.mkdir()
            try:
                reader.write(random.Random(number), path)
                refused, crash = _outcome(reader, path)
                counts.add(crash and f"input {number}: {crash}", refused)
                if crash and keep is not None:
                    keep.mkdir(exist_ok=True, parents=True)
                    shutil.copytree(path.parent, keep / str(number), symlinks=True)
            finally:
                shutil.rmtree(path.parent)

        one()
    counts.memory = _memory() - before
    return counts


def _outcome(reader: Reader, path: Path) -> tuple[bool, str | None]:
    """Whether the reader refused the input, and a description of a crash."""
    try:
        with _time_limit():
            reader.read(path)
    except ValueError as error:
        wrong = _not_a_sentence(str(error), path) if type(error) is ValueError else type(error)
        if not wrong:
            return True, None
        return False, f"{wrong}: {error!r:.300} {_place(error)}"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return False, f"{error!r:.300} {_place(error)}"
    return False, None


def _not_a_sentence(message: str, path: Path) -> str | None:
    """Why a refusal is not one sentence with the file's name; None if it is one."""
    if str(path) not in message:
        return "no file"
    if "\n" in message or not message.isprintable():
        return "not one line"
    rest = message.replace(str(path), "")
    return "several sentences" if re.search(r"[.!?] [A-Z]", rest) or len(rest) > 700 else None


def _place(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


@contextmanager
def _time_limit() -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise TimeoutError(f"more than {_SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def described(counts: Counts) -> str:
    """The first crashes, one on each line."""
    return "\n".join(counts.crashes[:_MOST_CRASHES])
