"""The identity of a job: a versioned hash of its config and of the content of files it names."""

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from fvjax.data.image_sets import GENERATED
from sweeps.config.several import holds_several
from sweeps.storage.content_hash import content

VERSION = "v3"
"""The first part of every id; results of another version cannot be resumed."""

_PATHS = (
    "path",
    "checkpoint",
    "weights",
    "matrix",
    "start",
    "reference_images",
)  # keys of files and folders
_OURS = ("fvjax.", "sweeps.")  # targets whose paths stand under these keys alone
_REFERENCE = re.compile(r"\$\{([\w.]+)\}")


def job_id(cfg: Mapping[str, Any], choices: Mapping[str, Any], conf: Path) -> str:
    """Hash a resolved config; equal ids mean equal jobs.

    Left out is what is at its default: an option that `config.yaml` chooses itself, and a value
    that the option's file gives, resolved in this config. So a new key with a default, or a new
    group, changes no id. Numbers are compared as floats (2 is 2.0), files by their content.

    Args:
        cfg: the resolved config without `hydra`.
        choices: the chosen option of each config group.
        conf: the folder of the config files.
    """
    chosen, defaults = _defaults(conf)
    differing: dict[str, Any] = {}
    for key, value in cfg.items():
        if not isinstance(value, dict):
            if key not in defaults or not _same(value, _resolve(defaults[key], cfg)):
                differing[key] = value
            continue
        option = choices.get(key)
        named = {} if option == chosen.get(key) else {"option": option}
        differing |= (
            {key: part} if (part := named | _differing(value, key, option, cfg, conf)) else {}
        )
    targets = {k: v["_target_"] for k, v in cfg.items() if isinstance(v, dict) and "_target_" in v}
    text = json.dumps(_canonical(differing, targets), sort_keys=True)
    return f"{VERSION}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _differing(
    node: Mapping[str, Any], group: str, option: Any, cfg: Mapping[str, Any], conf: Path
) -> dict[str, Any]:
    """Return the keys of a group whose values are not those of the option's file.

    Paths are never left out: the file that a default names may change.
    """
    if holds_several(node):
        return {name: _differing(inner, group, name, cfg, conf) for name, inner in node.items()}
    defaults = _option(conf, f"{group}/{option}.yaml")
    return {
        key: value
        for key, value in node.items()
        if key not in defaults
        or (key in _PATHS and value is not None)
        or not _same(value, _resolve(defaults[key], cfg))
    }


@cache
def _defaults(conf: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options and the top-level values that `config.yaml` gives."""
    content = dict(_option(conf, "config.yaml"))
    entries = [entry for entry in content.pop("defaults", []) if isinstance(entry, dict)]
    chosen = {name: option for entry in entries for name, option in entry.items()}
    return chosen, content


@cache
def _option(conf: Path, name: str) -> dict[str, Any]:
    """Return the content of a config file, not resolved; nothing if there is no such file."""
    path = conf / name
    if not path.is_file():
        return {}  # an option of the user's, whose keys all count
    content = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    return {str(k): v for k, v in content.items()} if isinstance(content, dict) else {}


def _resolve(value: Any, cfg: Mapping[str, Any]) -> Any:
    """Resolve a default in a config: `${model.image_size}` is that key's value."""
    if not isinstance(value, str) or "${" not in value:
        return value
    if match := _REFERENCE.fullmatch(value):
        found: Any = cfg
        for part in match[1].split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        return found
    return OmegaConf.to_container(OmegaConf.create({"value": value}), resolve=True)["value"]  # type: ignore[index, call-overload]


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _canonical(config: Mapping[str, Any], targets: Mapping[str, str]) -> Any:
    """Replace numbers by floats, and paths by themselves and the content of what they name.

    A text names a file if its key is one of `_PATHS`, or if it is given to a target of the
    user's. So a folder `dot` beside a sweep does not change the id of `objective=dot`.
    """

    def canonical(value: Any, path: bool) -> Any:
        match value:
            case dict():
                path |= not str(value.get("_target_", _OURS[0])).startswith(_OURS)
                return {k: canonical(item, path or k in _PATHS) for k, item in value.items()}
            case list():
                return [canonical(item, path) for item in value]
            case str() if (
                path and value not in ("", GENERATED) and (found := content(value)) is not None
            ):
                return [value, found]
            case int() | float() if not isinstance(value, bool):
                return float(value)
        return value

    def is_users(key: str) -> bool:
        return not targets.get(key, _OURS[0]).startswith(_OURS)

    return {key: canonical(value, key in _PATHS or is_users(key)) for key, value in config.items()}
