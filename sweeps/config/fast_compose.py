"""Fast composition of configs: Hydra composes one job of each kind, the others are derived."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from hydra._internal.config_loader_impl import get_overrides_dirname
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import ConfigCompositionException, MissingConfigException
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, MissingMandatoryValue

from sweeps.config.composed import Composed, Kind
from sweeps.config.several import is_option_of_several, split_options

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class _Form(Generic[T]):
    """What a config is read as.

    Attributes:
        of: makes it of Hydra's config.
        first: what is kept of the first job of a kind, whose overridden keys are given; None if
            nothing can be derived from it.
        derive: makes it of what was kept, the overrides with new values, and all overrides.
        text: what is equal where two of them are.
    """

    of: Callable[[DictConfig], T]
    first: Callable[[DictConfig, Sequence[str]], Any]
    derive: Callable[[Any, Sequence[Override], Sequence[Override]], T]
    text: Callable[[T], object]


def _replace(first: bytes, values: Sequence[Override], overrides: Sequence[Override]) -> DictConfig:
    config: DictConfig = pickle.loads(first)
    for override in values:
        OmegaConf.update(config, override.key_or_group, override.value(), merge=True)
    naming = config.hydra.job.config.override_dirname
    with read_write(config.hydra), open_dict(config.hydra):
        config.hydra.overrides.task = [override.input_line for override in overrides]
        config.hydra.job.override_dirname = get_overrides_dirname(
            overrides=list(overrides),
            kv_sep=naming.kv_sep,
            item_sep=naming.item_sep,
            exclude_keys=naming.exclude_keys,
        )
    return config


def _first_of_kind(config: DictConfig, keys: Sequence[str]) -> Kind | None:
    kind = Kind(config, keys)
    return kind if kind.is_simple else None


def _derive(kind: Kind, values: Sequence[Override], overrides: Sequence[Override]) -> Composed:
    given = {override.key_or_group: override.value() for override in values}
    return kind.derive(given, [str(override.input_line) for override in overrides])


_AS_CONFIG = _Form[DictConfig](
    of=lambda config: config,
    first=lambda config, _: pickle.dumps(config),
    derive=_replace,
    text=OmegaConf.to_yaml,
)
_AS_VALUES = _Form[Composed](
    of=Composed.of, first=_first_of_kind, derive=_derive, text=lambda composed: composed
)


class Composer:
    """A config loader that returns the configs of Hydra's loader many times faster.

    Jobs of one kind choose the same options and override the same keys. Hydra composes the first
    job of a kind; for the other jobs, the values are replaced in what was read from the first
    config. For each set of keys, the first derived config is compared with Hydra's own. If they
    differ, Hydra composes all jobs with these keys. Hydra also composes every job with other
    overrides (`+`, `~`, dicts, references, `hydra.`, packages but those of several penalties), and
    words all errors except those of missing keys, options and values.

    Attributes:
        quick: the number of derived configs.
        slow: the number of configs that Hydra composed.
    """

    def __init__(self, loader: ConfigLoader) -> None:
        """Wrap Hydra's own loader."""
        self.quick = self.slow = 0
        self._loader = loader
        self._parser = OverridesParser.create()
        self._parsed: dict[str, Override] = {}
        self._groups: dict[str, bool] = {}
        self._first: dict[tuple[Any, ...], Any] = {}
        self._lacking: dict[tuple[Any, ...], Exception] = {}
        self._agrees: dict[tuple[Any, ...], bool] = {}

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of Hydra's loader, for everything but `load_sweep_config`."""
        if name.startswith("_"):  # `_loader` is absent while a copy is unpickled
            raise AttributeError(name)
        return getattr(self._loader, name)

    def load_sweep_config(
        self, master_config: DictConfig, sweep_overrides: Sequence[str]
    ) -> DictConfig:
        """Return the config of one job, equal to that of Hydra's own loader."""
        config = self._load(master_config, sweep_overrides, _AS_CONFIG)
        OmegaConf.copy_cache(from_config=master_config, to_config=config)
        return config

    def compose(self, master: DictConfig, overrides: Sequence[str]) -> Composed:
        """Return the values of one job's config, which take less time and memory.

        Raises:
            HydraException: the config cannot be composed.
            OmegaConfBaseException: a key has no value.
        """
        return self._load(master, overrides, _AS_VALUES)

    def _load(self, master: DictConfig, overrides: Sequence[str], form: _Form[T]) -> T:
        overrides = split_options(overrides)
        parsed = [self._parse(line) for line in overrides]
        if not all(map(_is_simple_override, parsed)):
            return form.of(self._compose(master, overrides))
        groups = [override for override in parsed if self._is_group(master, override)]
        values = [override for override in parsed if not self._is_group(master, override)]
        keys = tuple(override.key_or_group for override in values)
        # With the job's overrides, this is all that Hydra's loader reads of the master config.
        source = (master.hydra.job.config_name, *master.hydra.overrides.hydra)
        kind = (form, source, tuple(override.input_line for override in groups), keys)
        if kind in self._lacking:
            raise self._lacking[kind]
        if kind not in self._first:
            try:
                config = self._compose(master, overrides)
                self._first[kind] = form.first(config, keys)
                return form.of(config)
            except (ConfigCompositionException, MissingMandatoryValue) as error:
                if _is_missing(error):
                    self._lacking[kind] = error
                raise
        if self._first[kind] is None or not self._agrees.get((form, keys), True):
            return form.of(self._compose(master, overrides))
        try:
            made = form.derive(self._first[kind], values, parsed)
        except Exception:  # a value that the key does not take: Hydra words the error
            return form.of(self._compose(master, overrides))
        if (form, keys) not in self._agrees:
            composed = form.of(self._compose(master, overrides))
            self._agrees[form, keys] = form.text(made) == form.text(composed)
            if not self._agrees[form, keys]:
                log.warning(
                    f"composing {' '.join(overrides)} quickly differs from Hydra: left to Hydra"
                )
            return composed
        self.quick += 1
        return made

    def _compose(self, master: DictConfig, overrides: Sequence[str]) -> DictConfig:
        self.slow += 1
        return self._loader.load_sweep_config(master, list(overrides))

    def _parse(self, line: str) -> Override:
        if line not in self._parsed:
            (self._parsed[line],) = self._parser.parse_overrides([line])
        return self._parsed[line]

    def _is_group(self, master: DictConfig, override: Override) -> bool:
        # The choices also name groups that only the config's own `hydra.searchpath` knows.
        key = override.key_or_group
        if override.package is not None:  # one of several options, the only one that is simple
            return True
        if key not in self._groups:
            chosen = key in master.hydra.runtime.choices
            self._groups[key] = chosen or bool(self._loader.get_group_options(key))
        return self._groups[key]


def _is_missing(error: Exception) -> bool:
    """Return whether the error reports a missing key, option or value."""
    missing = (MissingConfigException, MissingMandatoryValue)
    keys = (ConfigKeyError, ConfigAttributeError)
    return isinstance(error, missing) or isinstance(error.__cause__, keys)


def _is_simple_override(override: Override) -> bool:
    if override.type is OverrideType.ADD and override.package is not None:
        return is_option_of_several(f"{override.key_or_group}@{override.package}")
    return (
        override.type is OverrideType.CHANGE
        and override.package is None
        and not override.is_sweep_override()
        and not override.is_hydra_override()
        and _is_plain(override.value())
    )


def _is_plain(value: Any) -> bool:
    """Return whether a value is one number, text or null, or a list of them."""
    if isinstance(value, list):
        return all(not isinstance(item, list) and _is_plain(item) for item in value)
    if isinstance(value, str):
        return "${" not in value and value != "???"
    return isinstance(value, int | float | bool | None)
