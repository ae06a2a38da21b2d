"""A cache folder is this user's alone, of limited size, and its loss is one warning."""

import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest

from sweeps.execution.jax_setup import cache_programs
from sweeps.storage.array_cache import ArrayCache
from sweeps.storage.cache_folder import cache_folder, evict, is_usable, warn_once

STRANGER = 12_345  # a user id that owns nothing


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    is_usable.cache_clear()
    warn_once.cache_clear()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / ".cache" / "fvjax"


def warning(caplog: pytest.LogCaptureFixture) -> str:
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    return record.getMessage()


def test_the_folder_is_made_for_this_user_alone(home: Path) -> None:
    mask = os.umask(0)
    try:
        assert cache_folder("reference") == home / "reference"
    finally:
        os.umask(mask)
    assert [p.stat().st_mode & 0o777 for p in (home, home / "reference")] == [0o700, 0o700]
    home.chmod(0o755)
    is_usable.cache_clear()
    assert cache_folder("reference") is not None and home.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("what", ["folder", "subfolder", "file"])
@pytest.mark.parametrize("how", ["owner", "group", "all"])
def test_what_another_user_could_have_written_is_not_used(
    what: str, how: str, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = cache_folder("programs")
    assert folder is not None
    path = {"folder": home, "subfolder": folder, "file": folder / "x.executable"}[what]
    if what == "file":
        path.touch()
        folder.chmod(0o755)  # others reach the file
    if how == "owner":
        if os.getuid():
            pytest.skip("only root can give a file away")
        os.chown(path, STRANGER, STRANGER)
    else:
        path.chmod(0o770 if how == "group" else 0o707)
    is_usable.cache_clear()
    assert cache_folder("programs") is None and cache_folder("programs") is None
    said = warning(caplog)
    assert said.startswith("nothing is cached: ") and str(path) in said
    assert ("belongs to another user" if how == "owner" else "other users may write") in said


def test_root_s_folders_are_not_ours() -> None:
    if os.getuid() == 0:
        pytest.skip("they are")
    assert not is_usable(Path("/etc"))


def test_files_of_any_mode_are_safe_in_a_private_folder(home: Path) -> None:
    folder = cache_folder("programs")
    assert folder is not None
    (folder / "jit_add-cache").touch(0o664)  # as JAX writes under the usual umask of a group
    is_usable.cache_clear()
    assert cache_folder("programs") == folder


def test_jax_s_own_cache_is_off_in_a_folder_of_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    tmp_path.chmod(0o777)
    try:
        jax.config.update("jax_compilation_cache_dir", str(tmp_path))
        cache_programs()
        assert jax.config.jax_compilation_cache_dir is None  # type: ignore[attr-defined]
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
    assert str(tmp_path) in warning(caplog)


def test_arrays_that_cannot_be_written_are_held(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache, numbers = ArrayCache(tmp_path), np.random.default_rng(0).normal(size=1000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))  # no file can become longer
    try:
        cache["one"], cache["two"] = {"x": numbers}, {"x": -numbers}
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert warning(caplog) == f"cannot write into the cache {tmp_path}: File too large"
    np.testing.assert_array_equal(cache["one"]["x"], numbers)
    assert list(cache) == ["one", "two"] and not list(tmp_path.iterdir())
    del cache["one"]
    assert "one" not in cache


def test_the_least_recently_used_files_are_deleted(tmp_path: Path) -> None:
    cache = ArrayCache(tmp_path, max_bytes=3000)
    for age, name in enumerate("abc"):
        cache[name] = {"x": np.random.default_rng(age).normal(size=128)}  # 1.2 kB
        os.utime(tmp_path / f"{name}.npz", (100 + age, 100 + age))
        if name == "b":
            assert cache["a"]["x"].size == 128  # a use
    assert set(cache) == {"a", "c"}


def test_what_was_never_finished_is_deleted_after_a_day(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / f"x.{name}.partial").touch()
    os.utime(tmp_path / "x.old.partial", (0, time.time() - 90_000))
    evict(tmp_path, "*.npz", 0)
    assert [path.name for path in tmp_path.iterdir()] == ["x.new.partial"]
