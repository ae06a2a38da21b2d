"""An exclusive lock below a URL: a file that exists once, and that its holder writes every 10 s.

Each holder creates the file `.lock-NUMBER` of the next number, which the file system lets only one
process do. The holder of the largest number has the lock. The number grows, and the last file
stays, so that a slow process never takes a lock by deleting a newer one. Ages are told by the clock
of the file system alone.
"""

import json
import logging
import os
import socket
import threading
import uuid
from contextlib import suppress
from typing import Any

from sweeps.storage.location import modified, server_time
from sweeps.storage.url_path import URLPath

log = logging.getLogger(__name__)

HEARTBEAT = 10.0  # seconds between two writes of a holder
STALE = 60.0  # seconds since the last write, after which the lock may be taken over
_NAME = ".lock-"


class Held(Exception):
    """Another process holds the lock; the message says which."""


class URLLock:
    """A lock on the folder at a URL."""

    def __init__(self, folder: URLPath) -> None:
        """Name the folder; nothing is read."""
        self.folder, self.number = folder, 0
        self.about = {"host": socket.gethostname(), "pid": os.getpid(), "token": uuid.uuid4().hex}
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def acquire(self) -> None:
        """Take the lock, or take over a stale one, with a note.

        Raises:
            Held: another process holds the lock.
            OSError: the folder cannot be written.
        """
        last = self._last()
        if last:
            self._check_free(last)
        self.number = last + 1
        try:
            self._path(self.number).write(self._content(), exclusive=True)
        except FileExistsError:
            raise Held("another process has just locked it") from None
        if not self.is_held():
            with suppress(OSError):
                self._path(self.number).unlink(missing_ok=True)
            raise Held("another process has just locked it")
        for number in self._numbers():
            if number < self.number:
                self._path(number).unlink(missing_ok=True)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def is_held(self) -> bool:
        """Return whether this object still has the lock.

        Raises:
            OSError: the folder cannot be read.
        """
        if self._last() != self.number:
            return False
        return bool(self._read(self.number).get("token") == self.about["token"])

    def release(self) -> None:
        """Give the lock back; a folder that cannot be written becomes free when the lock is stale.

        A lock that another process has taken over is left alone.
        """
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        with suppress(OSError):
            if self.is_held():
                self._path(self.number).write(self._content(released=True))

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT):
            try:
                if not self.is_held():
                    log.warning(f"{self.folder} was taken over by another process")
                    return
                self._path(self.number).write(self._content())
            except OSError as error:
                log.warning(f"no heartbeat in {self.folder}: {error.strerror}")

    def _check_free(self, number: int) -> None:
        """Raise Held unless a lock is released or stale."""
        found, now = self._read(number), server_time(self.folder)
        if found.get("released"):
            return
        with suppress(FileNotFoundError):
            written = modified(self._path(number))
            age = (now - written).total_seconds() if now and written else 0.0
            who = f"process {found.get('pid')} on {found.get('host')}"
            if age <= STALE:
                raise Held(
                    f"{who} wrote its lock {age:.0f} s ago; if that process is dead, try again "
                    f"after {STALE:.0f} s"
                )
            log.warning(
                f"{self.folder} was locked by {who}, which has been silent for {age:.0f} s: this "
                "process takes over"
            )

    def _numbers(self) -> list[int]:
        names = (path.name.removeprefix(_NAME) for path in self.folder.glob(f"{_NAME}*"))
        return sorted(int(name) for name in names if name.isdecimal())

    def _last(self) -> int:
        return max(self._numbers(), default=0)

    def _path(self, number: int) -> URLPath:
        return self.folder / f"{_NAME}{number:08d}"

    def _read(self, number: int) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._path(number).read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return found

    def _content(self, released: bool = False) -> bytes:
        return json.dumps(self.about | {"released": released}).encode()
