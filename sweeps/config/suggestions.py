"""The keys and options of the configs, and the closest of them to a missing name."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from omegaconf import OmegaConf
from yaml import YAMLError


def no_key(given: str, present: list[str], config_dir: Path) -> str:
    """Word the error of a missing key, with the keys of the config and of other options.

    Args:
        given: the dotted key of the user.
        present: the keys of the composed config beside it.
        config_dir: the folder of the configs.
    """
    parent, _, name = given.rpartition(".")
    files = _keys(config_dir)
    siblings = {key.rpartition(".")[2]: key for key in files if key.rpartition(".")[0] == parent}
    if files.get(given) and name not in present:
        return f"{given} is a key of {' and of '.join(sorted(files[given]))} only"
    candidates = {*present, *siblings} - {"hydra"}
    names = sorted(key for key in candidates if not key.startswith("_"))
    if parent and not names:
        return f"no key {given}: {parent} is a single value"
    if not parent or _closest(name, names) is None:  # maybe a key of another group, `index=3`
        names = [key for key in files if key.endswith(f".{name}")] or names
    owners = {key: files[full] for key, full in siblings.items() if key not in present}
    return f"no key {given}: {allowed(name, names, owners)}"


@cache
def _keys(config_dir: Path) -> dict[str, set[str]]:
    """Return all keys of the config files, each with the options that have it."""
    keys: dict[str, set[str]] = {}
    for path in sorted(config_dir.rglob("*.yaml")):
        group = path.parent.relative_to(config_dir).as_posix()
        package = "" if group == "." else group.replace("/", ".")
        if package:
            keys.setdefault(package, set())
        try:
            content = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
        except (YAMLError, OSError):
            continue  # Hydra reports the file when its option is chosen
        if "@package _global_" in path.read_text():
            continue  # experiments set only keys that other files declare
        for key in _dotted(content, f"{package}." if package else ""):
            keys.setdefault(key, set()).update([f"{group}={path.stem}"] if package else [])
    return keys


def _dotted(content: object, prefix: str) -> Iterator[str]:
    if isinstance(content, dict):
        for key, value in content.items():
            if prefix or key not in ("defaults", "hydra"):
                yield f"{prefix}{key}"
                yield from _dotted(value, f"{prefix}{key}.")


def allowed(name: str, names: Sequence[str], owners: Mapping[str, set[str]] | None = None) -> str:
    """List the allowed names: the closest first, and each with the options that have it."""
    closest, owners = _closest(name, names), owners or {}
    guess = f"did you mean {closest}? " if closest else ""
    listed = [
        f"{key} (of {' or '.join(sorted(owners[key]))})" if owners.get(key) else key
        for key in names
    ]
    return f"{guess}allowed: {', '.join(listed)}"


def _closest(name: str, names: Sequence[str]) -> str | None:
    lower = {full.rpartition(".")[2].lower(): full for full in names}
    matches = difflib.get_close_matches(name.lower(), lower, 1)
    return lower[matches[0]] if matches else None
