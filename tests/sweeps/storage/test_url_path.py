"""A path at a URL behaves as a local one, where results need it."""

import io
import uuid
from pathlib import Path

import fsspec
import pytest

from sweeps.storage.atomic import atomic_write, local_copy, move, write_all, write_durably
from sweeps.storage.location import Location, check_writable, file_sizes, locate
from sweeps.storage.url_path import URLPath


@pytest.fixture(params=["memory", "local"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    if request.param == "local":
        return tmp_path
    return locate(f"memory://{uuid.uuid4().hex}/sweep")


def test_files_are_written_read_listed_moved_and_deleted(folder: Location) -> None:
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    for name, content in (("a-1.x", b"one"), ("a-2.x", b"three"), ("b.y", b"")):
        write_durably(folder / "parts" / name, content)
    assert file_sizes(folder / "parts") == {"a-1.x": 3, "a-2.x": 5, "b.y": 0}
    assert sorted(path.name for path in folder.glob("parts/a-*.x")) == ["a-1.x", "a-2.x"]
    assert sorted(path.name for path in folder.rglob("parts/*.y")) == ["b.y"]
    assert (folder / "parts" / "a-2.x").read_bytes() == b"three"
    with (folder / "parts" / "a-2.x").open("rb") as file:
        file.seek(1)
        assert file.read(2) == b"hr"
    move(folder / "parts" / "a-1.x", folder / "moved")
    assert not (folder / "parts" / "a-1.x").exists() and (folder / "moved").is_file()
    assert (folder / "moved").stat().st_size == 3
    (folder / "moved").unlink()
    (folder / "moved").unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError):
        (folder / "moved").unlink()
    with pytest.raises(FileNotFoundError):
        (folder / "moved").read_bytes()


def test_what_is_absent_has_no_files(folder: Location) -> None:
    absent = folder / "absent"
    assert file_sizes(absent) == {} and not absent.exists()
    assert list(absent.glob("*")) == list(absent.rglob("*.x")) == []


def test_a_write_that_fails_leaves_the_former_file(folder: Location) -> None:
    write_durably(folder / "table", b"former")
    with pytest.raises(RuntimeError), atomic_write(folder / "table") as partial:
        partial.write_bytes(b"half")
        raise RuntimeError
    assert (folder / "table").read_bytes() == b"former"
    with atomic_write(folder / "table") as partial:
        partial.write_bytes(b"new")
    assert file_sizes(folder) == {"table": 3}


def test_many_files_are_written_and_copied(folder: Location) -> None:
    write_all(folder / "images", {"0.png": b"zero", "1.png": b"one"})
    write_all(folder / "images", {})
    assert file_sizes(folder / "images") == {"0.png": 4, "1.png": 3}
    with local_copy(folder / "images" / "1.png") as copy:
        assert copy.read_bytes() == b"one"


def test_exclusive_creation_happens_once() -> None:
    path = URLPath(f"memory://{uuid.uuid4().hex}/lock")
    path.write(b"first", exclusive=True)
    with pytest.raises(FileExistsError):
        path.write(b"second", exclusive=True)
    assert path.read_bytes() == b"first"


def test_texts_are_told_apart() -> None:
    assert locate("~/sweep") == Path.home() / "sweep"
    assert locate("file:///data/sweep") == Path("/data/sweep")
    assert locate("a:b") == Path("a:b")
    url = locate("s3://bucket/sweep/")
    assert isinstance(url, URLPath) and str(url) == "s3://bucket/sweep"
    assert url.resolve() == url.absolute() == url.expanduser() == url
    assert (url.name, str(url.parent)) == ("sweep", "s3://bucket")
    assert str(locate("memory://a/b.csv").with_suffix(".png")) == "memory://a/b.png"


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("s33://bucket/sweep", "s33://bucket/sweep has the scheme s33://: did you mean s3://"),
        ("nothing://bucket/sweep", "nothing://bucket/sweep has the scheme nothing://, which"),
        ("oss://bucket/sweep", "oss://bucket/sweep needs a package that is not installed"),
    ],
)
def test_schemes_are_refused_in_a_sentence(url: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        check_writable(locate(url))


def test_a_url_that_cannot_be_written_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(fsspec.get_filesystem_class("memory"), "pipe_file", refuse)
    with pytest.raises(ValueError, match="cannot write into memory://bucket/sweep: Access Denied"):
        check_writable(locate("memory://bucket/sweep"))


def test_other_errors_of_a_file_system_become_os_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoAncestor(Exception):
        pass

    def fail(*_: object, **__: object) -> None:
        raise NoAncestor("the network is down")

    monkeypatch.setattr(fsspec.get_filesystem_class("memory"), "cat_file", fail)
    with pytest.raises(OSError, match="NoAncestor: the network is down") as seen:
        locate("memory://bucket/file").read_bytes()
    assert seen.value.filename == "memory://bucket/file"


def test_a_probe_leaves_nothing() -> None:
    url = locate(f"memory://{uuid.uuid4().hex}")
    check_writable(url)
    assert file_sizes(url) == {}


def test_a_url_is_opened_for_reading_alone() -> None:
    url = locate(f"memory://{uuid.uuid4().hex}/file")
    write_durably(url, b"content")
    assert io.BufferedReader(url.open()).read() == b"content"  # type: ignore[type-var, arg-type]
    with pytest.raises(ValueError, match="not with mode 'wb'"):
        url.open("wb")
