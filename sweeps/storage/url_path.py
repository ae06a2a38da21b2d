"""Paths of object stores and other file systems that fsspec knows, such as s3://bucket/folder.

Such a path has those methods of `pathlib.Path` that results need. Folders are only prefixes: they
need not be made, and they end with their last file. Listings are never cached, because other
processes write.
"""

import errno
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, BinaryIO, NamedTuple, cast

import fsspec
from fsspec.core import url_to_fs

for _name in ("aiobotocore", "botocore"):  # they say where they found credentials, at level INFO
    logging.getLogger(_name).setLevel(logging.WARNING)

_EXTRAS = {"s3": "fvjax[s3]", "s3a": "fvjax[s3]"}  # what pip installs for a scheme


class Status(NamedTuple):
    """What `stat` returns."""

    st_size: int


@dataclass(frozen=True, order=True)
class URLPath:
    """A file or folder at a URL; equal URLs are equal paths.

    Every method that reaches the file system raises ValueError if its scheme is unknown or needs a
    package that is not installed, and OSError for any other error; `filename` is the URL.
    """

    url: str

    def __post_init__(self) -> None:
        """Leave a slash at the end out."""
        begin, separator, rest = self.url.partition("://")
        object.__setattr__(self, "url", begin + separator + rest.rstrip("/"))

    def __str__(self) -> str:
        """Return the URL."""
        return self.url

    def __truediv__(self, name: str) -> "URLPath":
        """Return a path below this one.

        Raises:
            ValueError: the scheme is unknown or needs a package that is not installed. The message
                has the URL that the user named, since every other path is made from it.
        """
        self.file_system  # noqa: B018
        return URLPath(f"{self.url}/{name}") if name else self

    @property
    def name(self) -> str:
        """Return the last part."""
        return PurePosixPath(self.url).name

    @property
    def suffix(self) -> str:
        """Return the end of the name, from its last dot."""
        return PurePosixPath(self.url).suffix

    @property
    def parent(self) -> "URLPath":
        """Return the folder."""
        return URLPath(self.url.rpartition("/")[0])

    def with_suffix(self, suffix: str) -> "URLPath":
        """Return the path with another suffix."""
        return self.parent / PurePosixPath(self.name).with_suffix(suffix).name

    def resolve(self) -> "URLPath":
        """Return the path: a URL is absolute."""
        return self

    absolute = resolve

    def expanduser(self) -> "URLPath":
        """Return the path: a URL has no home directory."""
        return self

    @cached_property
    def file_system(self) -> Any:
        """Return fsspec's file system.

        Raises:
            ValueError: the scheme is unknown or needs a package that is not installed.
        """
        return self._system_and_key[0]

    @property
    def key(self) -> str:
        """Return the path as the file system names it."""
        return str(self._system_and_key[1])

    @cached_property
    def _system_and_key(self) -> tuple[Any, str]:
        scheme = self.url.partition("://")[0]
        known = fsspec.available_protocols()
        if "::" not in self.url and scheme not in known:
            near = get_close_matches(scheme, known, 1)
            meant = f": did you mean {near[0]}://?" if near else ", which fsspec does not know"
            raise ValueError(f"{self.url} has the scheme {scheme}://{meant}")
        try:
            with _as_os_error(self.url):
                found: tuple[Any, str] = url_to_fs(self.url, use_listings_cache=False)
        except ImportError as error:
            package = _EXTRAS.get(scheme)
            how = f"pip install '{package}'" if package else str(error)
            raise ValueError(f"{self.url} needs a package that is not installed: {how}") from error
        return found

    def is_file(self) -> bool:
        """Return whether there is a file."""
        with _as_os_error(self.url):
            return bool(self.file_system.isfile(self.key))

    exists = is_file

    def stat(self) -> Status:
        """Return the size of a file."""
        with _as_os_error(self.url):
            return Status(int(self.file_system.size(self.key)))

    def read_bytes(self) -> bytes:
        """Return the content of a file."""
        with _as_os_error(self.url):
            return bytes(self.file_system.cat_file(self.key))

    def open(self, mode: str = "rb") -> BinaryIO:
        """Open a file for reading; each read is one request for its bytes.

        Raises:
            ValueError: another mode: files are written whole, by `write_durably`.
        """
        if mode != "rb":
            raise ValueError(f"a file at a URL is opened to be read, not with mode {mode!r}")
        with _as_os_error(self.url):
            return cast(BinaryIO, self.file_system.open(self.key, "rb", cache_type="none"))

    def write(self, content: bytes | bytearray, *, exclusive: bool = False) -> None:
        """Write a file whole: readers see the former content or all of the new one.

        Args:
            content: the bytes.
            exclusive: whether a file that exists is an error, FileExistsError.
        """
        mode = {"mode": "create"} if exclusive else {}
        with _as_os_error(self.url):
            self.file_system.pipe_file(self.key, bytes(content), **mode)

    def write_all(self, contents: Mapping[str, bytes]) -> None:
        """Write files below this folder, by name, at the same time where the file system can."""
        with _as_os_error(self.url):
            self.file_system.pipe({f"{self.key}/{name}": data for name, data in contents.items()})

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete a file."""
        try:
            with _as_os_error(self.url):
                self.file_system.rm_file(self.key)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def mkdir(self, **_: bool) -> None:
        """Do nothing: a file makes its folder."""

    def rmdir(self) -> None:
        """Do nothing: an empty folder does not exist."""

    def sizes(self) -> dict[str, int]:
        """Return the size of each file in this folder, by name."""
        try:
            with _as_os_error(self.url):
                found = self.file_system.ls(self.key, detail=True)
        except FileNotFoundError:
            return {}
        return {
            PurePosixPath(one["name"]).name: int(one["size"] or 0)
            for one in found
            if one["type"] == "file"
        }

    def glob(self, pattern: str) -> Iterator["URLPath"]:
        """Yield the files whose path below this folder fits a pattern, with * in the name alone."""
        inner, _, name = pattern.rpartition("/")
        folder = self / inner
        yield from (folder / one for one in sorted(folder.sizes()) if fnmatchcase(one, name))

    def rglob(self, pattern: str) -> Iterator["URLPath"]:
        """Yield the files below this folder whose path ends as a pattern says."""
        try:
            with _as_os_error(self.url):
                found = self.file_system.find(self.key)
        except FileNotFoundError:
            return
        names = (PurePosixPath(one).relative_to(PurePosixPath(self.key)) for one in found)
        yield from (self / str(name) for name in names if name.match(pattern))


@contextmanager
def _as_os_error(url: str) -> Iterator[None]:
    """Turn the many errors of file systems into OSError, with the URL as its file name."""
    try:
        yield
    except (ImportError, ValueError):
        raise
    except OSError as error:
        _complete(error, url)
        raise
    except Exception as error:  # botocore's have no common ancestor with OSError
        raise OSError(errno.EIO, f"{type(error).__name__}: {error}", url) from error


def _complete(error: OSError, url: str) -> None:
    """Give an error the attributes from which its sentence is made."""
    error.strerror = error.strerror or str(error) or type(error).__name__
    error.errno = error.errno or errno.EIO
    error.filename = url
