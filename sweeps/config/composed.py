"""The config of a job as Python values, and how the jobs of one kind differ in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import AnyNode, DictConfig, ListConfig, OmegaConf

from sweeps.config.config_dirs import searched_folders
from sweeps.config.engine import OF_NO_JOB
from sweeps.config.paths import expand_home
from sweeps.config.several import join_choices

_REFERENCE = re.compile(r"\$\{([a-zA-Z_]\w*(?:\.[a-zA-Z_]\w*)*)\}")  # the value of another key
_CONSTANT = re.compile(r"\$\{oc\.env:[^${}]*\}")  # one value for all jobs


@dataclass(frozen=True)
class Composed:
    """The config of a job.

    Attributes:
        values: the config without `hydra` and `engine`, resolved.
        choices: the chosen option of each config group.
        overrides: the overrides of the job.
        folders: the folders in which options were searched, the first found counts.
    """

    values: dict[str, Any]
    choices: Mapping[str, Any]
    overrides: tuple[str, ...]
    folders: tuple[Path, ...]

    @classmethod
    def of(cls, config: DictConfig | Composed) -> Composed:
        """Return the values of Hydra's config.

        Raises:
            OmegaConfBaseException: a key has no value, or refers to one that does not exist.
        """
        if isinstance(config, Composed):
            return config
        plain = OmegaConf.to_container(_of_job(config), resolve=True, throw_on_missing=True)
        hydra = config.hydra
        return cls(
            values=expand_home(plain),
            choices=join_choices(hydra.runtime.choices),
            overrides=tuple(hydra.overrides.task),
            folders=searched_folders(config),
        )


class Kind:
    """Jobs that choose the same options and override the same keys.

    Attributes:
        first: the values of one of the jobs.
        is_simple: whether the values of the others follow from it: overridden keys have no declared
            type, and what refers to another key is that key's whole value.
    """

    def __init__(self, config: DictConfig, keys: Sequence[str]) -> None:
        """Read the config of one job, as Hydra composed it, and the keys that jobs override."""
        self.first = Composed.of(config)
        raw = OmegaConf.to_container(_of_job(config), resolve=False)
        texts = {path: text for path, text in _texts(raw, ()) if "${" in text}
        self._references = {
            path: tuple(match[1].split("."))
            for path, text in texts.items()
            if (match := _REFERENCE.fullmatch(text))
        }
        others = (_CONSTANT.sub("", texts[path]) for path in texts.keys() - self._references.keys())
        referred = (self._follow(path, {}) for path in self._references)
        self.is_simple = (
            not any("${" in text for text in others)
            and not any(isinstance(value, dict | list) for value in referred)
            and all(isinstance(part, str) for path in self._references for part in path)
            and all(_is_untyped(config, key) for key in keys)
        )

    def derive(self, values: Mapping[str, Any], overrides: Sequence[str]) -> Composed:
        """Return a job of this kind with other values.

        Args:
            values: the value of each overridden key, by its name with dots.
            overrides: the overrides of the job.
        """
        made = {k: dict(v) if isinstance(v, dict) else v for k, v in self.first.values.items()}
        given = {tuple(key.split(".")): expand_home(value) for key, value in values.items()}
        given = {path: value for path, value in given.items() if path[0] not in OF_NO_JOB}
        for path, value in given.items():
            _set(made, path, value)
        for path in self._references.keys() - given.keys():
            _set(made, path, self._follow(path, given))
        return replace(self.first, values=made, overrides=tuple(overrides))

    def _follow(self, path: tuple[str, ...], given: Mapping[tuple[str, ...], Any]) -> Any:
        """Return the value to which a key refers, perhaps by way of others."""
        while path in self._references and path not in given:
            path = self._references[path]
        if path in given:
            return given[path]
        found: Any = self.first.values
        for part in path:
            found = found[part]
        return found


def _of_job(config: DictConfig) -> DictConfig:
    return OmegaConf.masked_copy(config, [str(key) for key in config if key not in OF_NO_JOB])


def _is_untyped(config: DictConfig, key: str) -> bool:
    """Return whether a key takes any value, and no part of its path refers to another key."""
    node: Any = config
    for part in key.split("."):
        if not isinstance(node, DictConfig) or node._is_interpolation():
            return False
        node = node._get_node(part)
    return isinstance(node, AnyNode | ListConfig) and node._metadata.ref_type is Any


def _texts(node: Any, path: tuple[Any, ...]) -> list[tuple[tuple[Any, ...], str]]:
    """Return all texts of a config with their paths."""
    if isinstance(node, str):
        return [(path, node)]
    items: Any = node.items() if isinstance(node, dict) else ()
    items = enumerate(node) if isinstance(node, list) else items
    return [found for key, item in items for found in _texts(item, (*path, key))]


def _set(values: dict[str, Any], path: Sequence[Any], value: Any) -> None:
    """Set a value in nested dicts; only the outermost two are this job's own."""
    group, *inner = path
    if not inner:
        values[group] = value
        return
    node = values[group]
    for part in inner[:-1]:
        node[part] = dict(node[part])
        node = node[part]
    node[inner[-1]] = value
