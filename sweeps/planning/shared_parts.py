"""Parts of tasks that are built once for all jobs that agree in what decides them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

T = TypeVar("T")
Keys = tuple[str, ...]


class JobConfig(Mapping[str, Any]):
    """The values of a job's config, and the text of each value, by its key."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        """Read the values, which nothing may change from now on."""
        self._values = values
        self._texts: dict[str, str] = {}

    def __getitem__(self, key: str) -> Any:
        """Return the value of a key."""
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys."""
        return iter(self._values)

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._values)

    def texts(self, keys: Keys) -> tuple[str, ...]:
        """Return the text of each value, "" for an absent key.

        Texts are equal where values and their types are: 1, 1.0, True and "1" differ.
        """
        for key in keys:
            if key not in self._texts:
                self._texts[key] = repr(self._values[key]) if key in self._values else ""
        return tuple(self._texts[key] for key in keys)


class _Reads(Mapping[str, Any]):
    """A view of a config that keeps the keys that have been asked for, absent ones too."""

    def __init__(self, config: JobConfig) -> None:
        self._config = config
        self.keys_read: dict[str, None] = {}  # in order

    def __getitem__(self, key: str) -> Any:
        self.keys_read[key] = None
        return self._config[key]

    def __iter__(self) -> Iterator[str]:
        raise TypeError("a shared part must name each key that it reads")

    def __len__(self) -> int:
        raise TypeError("a shared part must name each key that it reads")


class SharedParts:
    """The parts of the tasks of one sweep.

    A part is a function of a config and of other parts. While it is built, each key that the
    function reads is recorded. Another job shares the part if its values of all these keys are the
    same, and if the other parts are the same objects. So no key that decides a part can be
    forgotten, and jobs may differ in every key that the part has not read.
    """

    def __init__(self) -> None:
        """Begin without parts."""
        self._keys: dict[Any, dict[Keys, None]] = {}  # sets of keys that each function has read
        self._parts: dict[tuple[Any, ...], tuple[Any, Any]] = {}

    def get(self, build: Callable[..., T], config: JobConfig, *others: Any) -> T:
        """Return the part that a function builds, which is built unless it is there already.

        Args:
            build: a function of a module, so that its arguments alone decide what it returns.
            config: the job's config. The function sees a view of it, and names the keys it reads.
            others: its other arguments: parts, which are compared by identity.
        """
        call = (build, *map(id, others))
        for keys in self._keys.get(build, ()):
            found = self._parts.get((*call, keys, config.texts(keys)))
            if found is not None:
                part: T = found[0]
                return part
        view = _Reads(config)
        part = build(view, *others)
        keys = tuple(view.keys_read)
        self._keys.setdefault(build, {})[keys] = None
        # The other arguments are kept too: else Python would give their ids to other objects.
        self._parts[(*call, keys, config.texts(keys))] = part, others
        return part
