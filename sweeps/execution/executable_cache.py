"""Compiled programs kept in files under all that decides them, so that a second start traces none.

XLA's own cache is asked only once a program is traced and lowered, which takes several times as
long as loading it. Here the key is made of what a program is traced from. That is possible for this
package's own code alone, which can be hashed: a program with a class or function of anybody else's
in its structure is not kept.
"""

import dataclasses
import hashlib
import os
import pickle
import platform
import sys
import zlib
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import serialize_executable
from jax.sharding import Mesh

from sweeps.storage.array_cache import digest
from sweeps.storage.atomic import atomic_write

_OURS = ("fvjax", "sweeps")
_UNDER = ("jax", "jaxlib", "flax", "optax", "numpy")  # what ours is written in

_UNREADABLE = (OSError, zlib.error, pickle.PickleError, ValueError, RuntimeError)
_UNWRITABLE = (OSError, ValueError, RuntimeError)  # some programs' constants JAX cannot serialize


class NotCacheable(TypeError):
    """A program is made of something that is not ours."""


class ExecutableCache:
    """Programs in a folder."""

    def __init__(self, folder: Path) -> None:
        """Use this folder; it is made when something is put there."""
        self.folder = folder

    @classmethod
    def from_jax_config(cls, config: Any) -> "ExecutableCache | None":
        """The programs in JAX's folder; None if it keeps none, or keeps them on no disk."""
        folder = config.jax_compilation_cache_dir
        on = config.jax_enable_compilation_cache and folder and "://" not in folder
        return cls(Path(folder)) if on else None

    def key(self, function: Any, mesh: Mesh, options: Any, given: tuple[Any, ...]) -> str | None:
        """Of the program of `function(*given)` on these devices; None if it cannot be kept."""
        leaves, structure = jax.tree.flatten(given)
        try:
            made_of = qualified_name(function), describe_treedef(structure)
        except NotCacheable:
            return None
        kinds = [(jnp.shape(x), str(jnp.result_type(x)), _weak(x)) for x in leaves]
        devices = [(device.id, device.device_kind) for device in mesh.devices.flat]
        settings = options, sorted(jax.config.values.items())
        return digest(made_of, kinds, devices, settings, environment_fingerprint())

    def load(self, key: str, mesh: Mesh, given: tuple[Any, ...]) -> Any | None:
        """The program of a key; None where there is none, or none that can be read."""
        devices = list(mesh.devices.flat)
        try:
            file = pickle.loads(zlib.decompress(self._file(key).read_bytes()))
            return serialize_executable.deserialize_and_load(
                file["program"],
                jax.tree.structure((given, {})),
                file["out"],
                backend=devices[0].client,
                execution_devices=devices,
            )
        except _UNREADABLE:
            return None

    def save(self, key: str, program: Any) -> None:
        """Write a program, whole or not at all; one that cannot be written is not kept."""
        try:
            serialized, _, out = serialize_executable.serialize(program)
            content = zlib.compress(pickle.dumps({"program": serialized, "out": out}), 1)
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(self._file(key)) as partial:
                partial.write_bytes(content)
        except _UNWRITABLE:
            return

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.program"


def describe_treedef(structure: Any) -> Any:
    """A tree's classes and static fields in plain values; NotCacheable if one is not ours."""
    node = structure.node_data()
    if node is None:
        return "*" if structure.num_leaves else None
    kind, static = node
    return (
        qualified_name(kind),
        canonical_static(static),
        [describe_treedef(child) for child in structure.children()],
    )


def canonical_static(value: Any) -> Any:
    """A static value whose repr says all of it; NotCacheable if that cannot be known."""
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if isinstance(value, tuple | list):
        return qualified_name(type(value)), [canonical_static(x) for x in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [
            (f.name, canonical_static(getattr(value, f.name))) for f in dataclasses.fields(value)
        ]
        return qualified_name(type(value)), fields
    return qualified_name(value)


def qualified_name(value: Any) -> str:
    """The full name of a class or function of ours or Python's own."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if module is None or name is None or "<" in name:
        raise NotCacheable(repr(value))
    if module.split(".")[0] not in (*_OURS, "builtins", "collections"):
        raise NotCacheable(f"{module}.{name}")
    return f"{module}.{name}"


def _weak(x: Any) -> bool:
    """Whether the number's type gives way to others' in sums and products."""
    return bool(getattr(x, "weak_type", isinstance(x, bool | int | float | complex)))


@cache
def environment_fingerprint() -> tuple[Any, ...]:
    """What else decides a program: our sources, versions, XLA's flags and the processor."""
    versions = [sys.version, *map(version, _UNDER)]
    flags = [os.environ.get(name) for name in ("XLA_FLAGS", "LIBTPU_INIT_ARGS")]
    return _SOURCES, versions, flags, platform.machine(), _processor()


def _sources() -> str:
    root, found = Path(__file__).parents[2], hashlib.sha256()
    for package in _OURS:
        for path in sorted((root / package).rglob("*.py")):
            found.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return found.hexdigest()


def _processor() -> str:
    """What the processor can do, where Linux says so; else its name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((x for x in lines if x.startswith(("flags", "Features"))), platform.processor())


_SOURCES = _sources()  # read with the modules themselves: what is edited later does not run
