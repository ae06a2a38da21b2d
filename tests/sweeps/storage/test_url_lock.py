"""One process at a time has the lock of a URL, and a silent one loses it."""

import json
import logging
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from sweeps.storage import directory_lock, url_lock
from sweeps.storage.directory_lock import acquire, release_all
from sweeps.storage.location import locate
from sweeps.storage.url_lock import Held, URLLock
from sweeps.storage.url_path import URLPath


@pytest.fixture
def folder() -> URLPath:
    url = locate(f"memory://{uuid.uuid4().hex}/sweep")
    assert isinstance(url, URLPath)
    return url


def files(folder: URLPath) -> list[str]:
    return sorted(path.name for path in folder.glob(".lock-*"))


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def test_a_lock_is_held_once_and_is_free_after_its_release(folder: URLPath) -> None:
    first, second = URLLock(folder), URLLock(folder)
    first.acquire()
    with pytest.raises(Held, match=r"process \d+ on .* wrote its lock 0 s ago"):
        second.acquire()
    assert first.is_held() and not second.is_held()
    first.release()
    second.acquire()
    assert second.is_held() and not first.is_held() and files(folder) == [".lock-00000002"]
    second.release()


def test_of_many_at_once_one_gets_it(folder: URLPath) -> None:
    locks = [URLLock(folder) for _ in range(8)]

    def try_it(lock: URLLock) -> bool:
        try:
            lock.acquire()
        except Held:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(try_it, locks)) == 1
    assert sum(lock.is_held() for lock in locks) == 1
    for lock in locks:
        lock.release()


def test_a_heartbeat_keeps_the_lock(folder: URLPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(url_lock, "HEARTBEAT", 0.02)
    monkeypatch.setattr(url_lock, "STALE", 0.5)
    holder = URLLock(folder)
    holder.acquire()
    before = folder.file_system.modified((folder / ".lock-00000001").key)
    wait_until(lambda: folder.file_system.modified((folder / ".lock-00000001").key) > before)
    with pytest.raises(Held):
        URLLock(folder).acquire()
    holder.release()
    assert json.loads((folder / ".lock-00000001").read_bytes())["released"] is True


def test_a_stale_lock_is_taken_over_and_its_holder_notices(
    folder: URLPath, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    silent, follower = URLLock(folder), URLLock(folder)
    silent.acquire()
    monkeypatch.setattr(url_lock, "STALE", -1.0)
    with caplog.at_level(logging.WARNING):
        follower.acquire()
    assert "this process takes over" in caplog.text
    assert follower.is_held() and not silent.is_held()
    silent.release()  # it leaves the other's lock alone
    assert follower.is_held()
    follower.release()


def test_who_lost_the_lock_does_not_finish(
    folder: URLPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished: list[object] = []
    with pytest.raises(OSError, match="another process has taken over"), release_all():
        acquire(folder, finished.append)
        monkeypatch.setattr(url_lock, "STALE", -1.0)
        other = URLLock(folder)
        other.acquire()
    assert not finished and other.is_held()
    other.release()
    assert not directory_lock._locks


def test_the_lock_of_a_url_is_refused_as_that_of_a_directory(folder: URLPath) -> None:
    other = URLLock(folder)
    other.acquire()
    with pytest.raises(ValueError, match=f"{folder} is being written by another process"):
        acquire(folder)
    other.release()
    finished: list[object] = []
    with release_all():
        acquire(folder, finished.append)
    assert finished == [folder]
