"""The pictures of a folder and its subfolders, and sentences on what is left out."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from fvjax.data.photos import SUFFIXES

_MOST_NAMED = 5


def find_pictures(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the pictures in a folder and below, sorted by path, and what is ignored.

    Links are followed, each folder once. Files without a picture's suffix, and files and folders
    whose names begin with a dot, are ignored.
    """
    pictures: list[Path] = []
    ignored: list[Path] = []
    for parent, folders, files in walk(folder):
        hidden = [name for name in folders if name.startswith(".")]
        ignored += [Path(parent, name) for name in hidden]
        folders[:] = [name for name in folders if name not in hidden]
        for path in (Path(parent, name) for name in files):
            is_picture = not path.name.startswith(".") and path.suffix.lower() in SUFFIXES
            (pictures if is_picture and path.is_file() else ignored).append(path)
    return sorted(pictures), sorted(ignored)


def walk(folder: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield what `os.walk` does, in the order of names; links are followed, each folder once."""
    visited: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in visited:  # a link to a folder above, or to one that was seen
            folders.clear()
            continue
        visited.add(real)
        folders.sort()
        yield parent, folders, files


def class_names(paths: Sequence[Path], folder: Path) -> tuple[str, ...]:
    """Return the names of class folders if every picture lies in one of two or more, else none."""
    folders = {path.parent for path in paths}
    names = sorted({folder.name for folder in folders})
    return tuple(names) if folder not in folders and len(names) > 1 else ()


def notes(
    folder: Path, pictures: Sequence[Path], chosen: Sequence[Path], ignored: Sequence[Path]
) -> tuple[str, ...]:
    """Return sentences on files that are ignored, and on classes that are lost.

    Args:
        folder: the folder.
        pictures: all its pictures.
        chosen: those that are used.
        ignored: what `find_pictures` ignored.
    """
    said = []
    if ignored:
        names = _list([str(path.relative_to(folder)) for path in ignored])
        said.append(f"{folder}: ignored what is no picture or begins with a dot ({names})")
    stray = [path.name for path in pictures if path.parent == folder]
    if stray and len({path.parent for path in pictures}) > 2:
        said.append(
            f"{folder}: its folders are no classes, since pictures lie beside them ({_list(stray)})"
        )
    lost = sorted({*class_names(pictures, folder)} - {path.parent.name for path in chosen})
    if lost:
        said.append(
            f"{folder}: reference_count takes {len(chosen)} of {len(pictures)} pictures, and none "
            f"of the classes {_list(lost)}"
        )
    return tuple(said)


def _list(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
