"""Signals that end a sweep: the first after the segments in flight, the second at once."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from sweeps.config.errors import Interrupted

_OTHERS = (signal.SIGTERM, signal.SIGHUP)  # of schedulers; of a terminal that closes


class _Leave:
    """A handler that ends the process at once.

    It raises nothing: Python ignores an exception while it collects garbage, and every file is
    whole at any moment.
    """

    def __init__(self, last_words: Callable[[], str]) -> None:
        self.last_words = last_words

    def __call__(self, number: int, frame: FrameType | None) -> None:
        leave(Interrupted(number).status, self.last_words())


@contextmanager
def leave_on_signals(last_words: Callable[[], str]) -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the process with a message meanwhile, outside of `interruptible`.

    A signal that is ignored or has another handler is left unchanged; so is every signal outside
    the main thread.
    """
    main = threading.current_thread() is threading.main_thread()
    taken = [n for n in _OTHERS if main and signal.getsignal(n) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, _Leave(last_words))
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def interruptible(go_on: str = "") -> Iterator[Callable[[], int]]:
    """Yield a function that returns the number of the signal that came first, 0 if none came.

    Meanwhile Ctrl-C, SIGTERM and SIGHUP raise nothing. Python's own handlers run only after the
    main thread leaves XLA, which may take minutes. A thread that reads the signals' file descriptor
    runs at once. A signal that is ignored or has a handler of the user's is left unchanged; so is
    every signal outside the main thread.

    Args:
        go_on: what is printed before the process ends at a second signal.
    """
    came: list[int] = []
    handlers = {n: signal.getsignal(n) for n in (signal.SIGINT, *_OTHERS)}
    ours = (signal.default_int_handler, signal.SIG_DFL)
    taken = [n for n, handler in handlers.items() if handler in ours or type(handler) is _Leave]
    if threading.current_thread() is not threading.main_thread() or not taken:
        yield lambda: 0
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    arguments = (reading, taken, came, go_on, _terminals())
    watcher = threading.Thread(target=_watch, args=arguments, daemon=True)
    watcher.start()
    former = signal.set_wakeup_fd(writing)
    for number in taken:
        signal.signal(number, lambda *_: None)
    try:
        yield lambda: came[0] if came else 0
    finally:
        for number in taken:
            signal.signal(number, handlers[number])
        signal.set_wakeup_fd(former)
        os.close(writing)  # the watcher reads the end of the file
        watcher.join()
        os.close(reading)


def _watch(
    reading: int, taken: list[int], came: list[int], go_on: str, terminals: list[int]
) -> None:
    while byte := os.read(reading, 1):
        number = byte[0]
        if number not in taken:
            continue
        if number == signal.SIGHUP:
            _silence(terminals)
        came.append(number)
        if len(came) > 1:
            leave(Interrupted(number).status, go_on)
        with suppress(OSError):
            print(f"\n{_notice(number)}", file=sys.stderr, flush=True)


def _notice(number: int) -> str:
    name = signal.Signals(number).name
    again = "press Ctrl-C again" if number == signal.SIGINT else f"a second {name} is needed"
    return f"interrupted: waiting for the segments in flight; {again} to stop at once"


def _terminals() -> list[int]:
    """Return the standard streams that are terminals."""
    return [descriptor for descriptor in (1, 2) if os.isatty(descriptor)]


def _silence(terminals: list[int]) -> None:
    """Send what would be printed on a closed terminal nowhere, since printing would fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in terminals:
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def leave(status: int, last_words: str = "") -> None:
    """Exit the process without waiting for its devices and compilers."""
    with suppress(OSError):
        if last_words:
            print(last_words, file=sys.stderr)
        if sys.stderr.isatty():
            sys.stderr.write("\x1b[?25h")  # the progress bar hides the cursor
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)
