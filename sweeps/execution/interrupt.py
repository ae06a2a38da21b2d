"""Handling of Ctrl-C: the first ends the sweep after the batch in flight, the second at once."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sweeps.config.errors import INTERRUPTED

_NOTICE = "interrupted: waiting for the batch in flight; press Ctrl-C again to stop at once"


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Yield a function that returns whether Ctrl-C was pressed; Ctrl-C raises nothing meanwhile.

    Python's own handler runs only after the main thread leaves XLA, which may take minutes. A
    thread that reads the signal's file descriptor runs at once. If another handler than Python's is
    installed, or outside the main thread, Ctrl-C is left unchanged.
    """
    pressed = threading.Event()
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield pressed.is_set
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    watcher = threading.Thread(target=_watch, args=(reading, pressed), daemon=True)
    watcher.start()
    former = signal.set_wakeup_fd(writing)
    signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.set_wakeup_fd(former)
        os.close(writing)  # the watcher reads the end of the file
        watcher.join()
        os.close(reading)


def _watch(reading: int, pressed: threading.Event) -> None:
    while number := os.read(reading, 1):
        if number[0] != signal.SIGINT:
            continue
        if pressed.is_set():
            leave()
        pressed.set()
        print(f"\n{_NOTICE}", file=sys.stderr, flush=True)


def leave() -> None:
    """Exit the process without waiting for its devices and compilers."""
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[?25h")  # the progress bar hides the cursor
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(INTERRUPTED)
