"""Paths: the folder of the configs, and `~` in what the user names."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sweeps.storage.location import Location, locate

# Beside the packages in a checkout, inside `sweeps` when installed.
_HERE = Path(__file__).resolve().parents[1]
CONF = next(
    p for p in (_HERE / "conf", _HERE.parent / "conf") if p.is_dir() or p.parent == _HERE.parent
)
RESULTS_KEY = "hydra.launcher.results"
_DIRECTORY = re.compile(r"(hydra\.(?:sweep|run)\.dir=['\"]?)(~[^/'\"]*)")


def expand_home(value: Any) -> Any:
    """Replace `~` at the beginning of each text in a config's values by the home directory."""
    match value:
        case dict():
            return {key: expand_home(item) for key, item in value.items()}
        case list():
            return [expand_home(item) for item in value]
        case str() if value == "~" or value.startswith("~/"):
            return os.path.expanduser(value)
    return value


def expand_home_of_directory(arguments: Sequence[str]) -> list[str]:
    """Return the command line with `~` replaced in the directory of the run or the sweep.

    Shells leave it in `hydra.sweep.dir=~/DIR`, and Hydra and pyarrow read it differently.
    """
    return [
        _DIRECTORY.sub(lambda match: match[1] + os.path.expanduser(match[2]), text, count=1)
        for text in arguments
    ]


def directory_key(directory: Location) -> str:
    """Return the key of the command line that named a sweep's results."""
    return "hydra.sweep.dir" if isinstance(directory, Path) else RESULTS_KEY


def results_directory(hydra: Any, own: str | None = None) -> Location:
    """Return where results go: `hydra.launcher.results`, or else Hydra's own directory.

    Args:
        hydra: the node `hydra` of a config.
        own: Hydra's directory of a run; that of the sweep if None.
    """
    return locate(str(hydra.launcher.get("results") or own or hydra.sweep.dir))
