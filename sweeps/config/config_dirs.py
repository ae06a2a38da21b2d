"""Folders of config files: the package's own, and those that `--config-dir` adds."""

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from omegaconf import DictConfig

_FLAGS = ("--config-dir", "-cd")


def search_config_dirs(arguments: Sequence[str]) -> list[str]:
    """Return the command line with `--config-dir FOLDER` as an override of Hydra's search path.

    For commands that compose a config themselves: `python -m sweeps` leaves the flag to Hydra.

    Raises:
        ValueError: the flag without a folder, or a folder that does not exist.
    """
    folders: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        flag, equals, value = word.partition("=")
        if flag in _FLAGS:
            folders.append(_checked(value if equals else next(words, "")))
        else:
            rest.append(word)
    path = ",".join(f"'file://{folder}'" for folder in folders)
    return [*rest, f"hydra.searchpath=[{path}]"] if folders else rest


def option_files(folders: Iterable[Path], group: str) -> dict[str, Path]:
    """Return the files of a group's options in the folders that a config searched."""
    files: dict[str, Path] = {}
    for folder in folders:
        for path in sorted((folder / group).glob("*.yaml")):
            files.setdefault(path.stem, path)  # Hydra, too, takes the first that it finds
    return files


def searched_folders(config: DictConfig) -> tuple[Path, ...]:
    """Return the folders in which Hydra searched the options of a composed config."""
    sources = config.hydra.runtime.config_sources
    return _paths(tuple(source.path for source in sources if source.schema == "file"))


@cache
def _paths(folders: tuple[str, ...]) -> tuple[Path, ...]:
    """Return the paths of folders, the same object for equal folders."""
    return tuple(map(Path, folders))


def _checked(folder: str) -> str:
    if not folder:
        raise ValueError("--config-dir needs a folder: --config-dir FOLDER")
    path = Path(folder).absolute()
    if not path.is_dir():
        raise ValueError(f"--config-dir {folder} is no folder")
    return str(path)
