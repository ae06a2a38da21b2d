"""The command that makes a row's image again, from the columns that differ from the defaults."""

import json
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf

from sweeps.config.columns import cells_of
from sweeps.config.engine import OF_NO_JOB
from sweeps.config.paths import CONF
from sweeps.config.several import JOINED, join_choices, split_options
from sweeps.results.labels import format_exact
from sweeps.results.table import COLUMNS

_PLAIN = re.compile(r"[A-Za-z_./@~][\w./:@%~-]*")  # text that Hydra reads as text, unquoted
_WORDS = ("null", "true", "false", "nan", "inf", "yes", "no", "on", "off")
_SIDES = ("image_height", "image_width")  # the columns of one key, image_size
_NO_CONFIG = {*COLUMNS, "sweep", *_SIDES}


class Remake:
    """A maker of commands for the rows of a table, which composes equal choices of options once.

    The override list of the sweep's command line does not suffice: the jobs of an experiment are
    not named there.
    """

    def __init__(self, config_dir: Path = CONF) -> None:
        """Use the configs of a folder: those of this package, or those of the user too."""
        self._config_dir = config_dir
        self._composed: dict[tuple[str, ...], _Composed] = {}

    def overrides(self, row: Mapping[str, Any]) -> list[str]:
        """Return the overrides with which `python -m sweeps` repeats the job of a row.

        Args:
            row: the row of a table of results, by column.

        Raises:
            HydraException: the configs lack an option or a key of the row.
        """
        row = _with_image_size(row)
        bare = self._compose(())
        chosen = [
            f"{group}={_listed(row[group])}"
            for group, option in bare.choices.items()
            if _given(row.get(group)) and row[group] != option
        ]
        composed = self._compose(tuple(chosen))
        differing = {
            key: row[column]
            for column, key in composed.keys.items()
            if column in row and column not in composed.choices
            if not _equal(row[column], composed.cells.get(column))
        }
        follow = {k for k in differing if _follows(k, composed, row)}
        plain = [f"{k}={written(v)}" for k, v in differing.items() if k not in follow]
        return chosen + plain + _added(row, composed)

    def _compose(self, chosen: tuple[str, ...]) -> "_Composed":
        if chosen not in self._composed:
            with initialize_config_dir(str(self._config_dir.resolve()), version_base="1.3"):
                loader = GlobalHydra.instance().config_loader()
                self._composed[chosen] = _Composed(loader, list(chosen))
        return self._composed[chosen]


class _Composed:
    """A config with some options chosen: the cell and the key of each column."""

    def __init__(self, loader: ConfigLoader, chosen: list[str]) -> None:
        config = loader.load_configuration("config", split_options(chosen), RunMode.RUN)
        options = join_choices(config.hydra.runtime.choices)
        task = OmegaConf.masked_copy(config, [str(k) for k in config if k not in OF_NO_JOB])
        self.raw: Any = OmegaConf.to_container(task, resolve=False)
        plain: Any = OmegaConf.to_container(task, resolve=True)
        cells = cells_of(plain, options)
        self.cells = _with_image_size({column: value for column, _, value in cells})
        self.choices = {k: options.get(k) for k, v in plain.items() if isinstance(v, dict)}
        self.keys = {column: key for column, key, _ in cells if column not in _SIDES}
        self.keys["image_size"] = "image_size"


def command(overrides: Sequence[str], batch_size: str = "") -> str:
    """Write a command for a shell.

    Args:
        overrides: the overrides of one job.
        batch_size: the launcher's override of the batch size, which makes the image equal to the
            sweep's bit for bit; without it the job runs alone, and rounds differently.
    """
    many = ["-m", *overrides, batch_size] if batch_size else overrides
    return shlex.join(["python", "-m", "sweeps", *many])


def written(value: Any) -> str:
    """Write a cell of the table as the right side of an override, in Hydra's syntax."""
    if not _given(value):
        return "null"
    if isinstance(value, bool) or type(value).__name__ == "bool":  # NumPy's too
        return str(bool(value)).lower()
    if not isinstance(value, str):
        return format_exact(float(value)) if isinstance(value, float) else str(value)
    if value[:1] in ("[", "{"):  # a list or a dict, which a column has as JSON
        try:
            return _nested(json.loads(value))
        except json.JSONDecodeError:
            pass
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    quoted = re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), value)
    return f"'{quoted}'"


def _nested(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ",".join(map(_nested, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{k}:{_nested(v)}" for k, v in value.items()) + "}"
    return written(value)


def _with_image_size(row: Mapping[str, Any]) -> dict[str, Any]:
    """Add the key `image_size` to a row: one number for a square, else height and width."""
    if any(not _given(row.get(side)) for side in _SIDES):
        return dict(row)
    height, width = (int(row[side]) for side in _SIDES)
    return {**row, "image_size": height if height == width else f"[{height}, {width}]"}


def _listed(option: str) -> str:
    return f"[{option.replace(JOINED, ',')}]" if JOINED in option else option


def _given(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def _equal(cell: Any, default: Any) -> bool:
    """Return whether a cell is the default; a table may hold 2.0 for the config's 2."""
    if not _given(cell) or not _given(default):
        return _given(cell) == _given(default)
    return cell == default or format_exact(cell) == format_exact(default)


def _follows(key: str, composed: _Composed, row: Mapping[str, Any]) -> bool:
    """Return whether a key refers to another key of the row, such as `${model.image_size}`."""
    group, _, name = key.partition(".")
    raw = composed.raw[group] if not name else composed.raw[group].get(name)
    source = re.fullmatch(r"\$\{([\w.]+)\}", raw) if isinstance(raw, str) else None
    if source is None or (other := source[1].replace(".", "_", 1)) not in row:
        return False
    column = group if not name else f"{group}_{name}"
    return _equal(row[other], row[column])


def _added(row: Mapping[str, Any], composed: _Composed) -> list[str]:
    """Return the overrides of keys that the configs lack and the job had, `+objective.mine=3`."""
    overrides = []
    for column, value in row.items():
        if column in composed.keys or column in _NO_CONFIG or not _given(value):
            continue
        if f"metrics_{column}" in row:  # the value of a user's metric
            continue
        owner = next((g for g in composed.choices if column.startswith(f"{g}_")), None)
        if owner is None:
            overrides.append(f"+{column}={written(value)}")
        elif row.get(owner) == composed.choices[owner]:
            overrides.append(f"+{owner}.{column[len(owner) + 1 :]}={written(value)}")
    return overrides
