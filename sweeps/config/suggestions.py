"""What keys and options the configs have, and which of them one that is not there may mean."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from omegaconf import OmegaConf
from yaml import YAMLError  # type: ignore[import-untyped]


def no_key(given: str, present: list[str], config_dir: Path) -> str:
    """Says that there is no such key, and which there are: in the config and in other options."""
    parent, _, name = given.rpartition(".")
    files = _keys(config_dir)
    siblings = {key.rpartition(".")[2]: key for key in files if key.rpartition(".")[0] == parent}
    if files.get(given) and name not in present:
        return f"{given} is a key of {' and of '.join(sorted(files[given]))} only"
    names = sorted(one for one in {*present, *siblings} - {"hydra"} if not one.startswith("_"))
    if parent and not names:
        return f"no key {given}: {parent} is a single value"
    if not parent or _closest(name, names) is None:  # a right key in the wrong place, `index=3`?
        names = [key for key in files if key.endswith(f".{name}")] or names
    owners = {one: files[key] for one, key in siblings.items() if one not in present}
    return f"no key {given}: {allowed(name, names, owners)}"


@cache
def _keys(config_dir: Path) -> dict[str, set[str]]:
    """All keys of the config files, and the options that have each; none for keys always there."""
    keys: dict[str, set[str]] = {}
    for path in sorted(config_dir.rglob("*.yaml")):
        group = path.parent.relative_to(config_dir).as_posix()
        package = "" if group == "." else group.replace("/", ".")
        if package:
            keys.setdefault(package, set())
        try:
            content = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
        except (YAMLError, OSError):
            continue  # Hydra complains of it when it is chosen
        if "@package _global_" in path.read_text():
            continue  # an experiment: it only sets what other files declare
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
    """The names that are allowed, the closest first, each with the options that have it."""
    closest, owners = _closest(name, names), owners or {}
    guess = f"did you mean {closest}? " if closest else ""
    listed = [
        f"{one} (of {' or '.join(sorted(owners[one]))})" if owners.get(one) else one
        for one in names
    ]
    return f"{guess}allowed: {', '.join(listed)}"


def _closest(name: str, names: Sequence[str]) -> str | None:
    lower = {one.rpartition(".")[2].lower(): one for one in names}
    return next((lower[one] for one in difflib.get_close_matches(name.lower(), lower, 1)), None)
