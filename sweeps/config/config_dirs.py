"""Folders of config files: the package's own, and those that `--config-dir` adds."""

from collections.abc import Iterator, Sequence
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


def option_files(config: DictConfig, group: str) -> dict[str, Path]:
    """Return the files of a group's options in every folder that a composed config searched."""
    files: dict[str, Path] = {}
    for folder in _folders(config):
        for path in sorted((folder / group).glob("*.yaml")):
            files.setdefault(path.stem, path)  # Hydra, too, takes the first that it finds
    return files


def _folders(config: DictConfig) -> Iterator[Path]:
    for source in config.hydra.runtime.config_sources:
        if source.schema == "file":
            yield Path(source.path)


def _checked(folder: str) -> str:
    if not folder:
        raise ValueError("--config-dir needs a folder: --config-dir FOLDER")
    path = Path(folder).absolute()
    if not path.is_dir():
        raise ValueError(f"--config-dir {folder} is no folder")
    return str(path)
