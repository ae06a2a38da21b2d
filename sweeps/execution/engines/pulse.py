"""The driver's sign of life: a file that changes every few seconds while workers shall go on.

Workers look at it between two segments. They stop when the driver has deleted it, and when it no
longer changes, since the driver is dead. No two clocks are compared.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PULSE = "pulse"  # the name of the file
_EVERY = 5.0  # seconds between two changes
_LOOK = 0.5  # seconds between two looks at what may stop the workers, or at the file
PATIENCE = 180.0  # seconds; clients of NFS may see a change a minute later


@contextmanager
def pulse(path: Path, stopped: Callable[[], object]) -> Iterator[None]:
    """Change the file meanwhile; delete it once `stopped` returns true, and at the end."""
    end = threading.Event()

    def beat() -> None:
        changed_at = time.monotonic()
        while not end.wait(_LOOK) and not stopped():
            if time.monotonic() - changed_at > _EVERY:
                with suppress(OSError):  # such as a full disk: the next change may succeed
                    path.write_text(str(time.time()))
                changed_at = time.monotonic()
        path.unlink(missing_ok=True)

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


class Listener:
    """A worker's view of the driver's file."""

    def __init__(self, path: Path, patience: float = PATIENCE) -> None:
        """Listen from now on; a file that never changes is given `patience` seconds."""
        self.path, self.patience = path, patience
        self._seen: int | None = None
        self._changed_at = self._looked_at = time.monotonic()
        self._ended = not path.exists()

    def has_ended(self) -> bool:
        """Return whether the driver has ended or stopped its workers."""
        now = time.monotonic()
        if self._ended or now - self._looked_at < _LOOK:
            return self._ended
        self._looked_at = now
        try:
            changed = self.path.stat().st_mtime_ns
        except FileNotFoundError:
            self._ended = True
            return True
        except OSError:  # the file system does not answer: nothing is known
            changed = self._seen or 0
        if changed != self._seen:
            self._seen, self._changed_at = changed, now
        self._ended = now - self._changed_at > self.patience
        return self._ended
