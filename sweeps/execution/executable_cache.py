"""A disk cache of compiled programs, keyed by everything that decides a program.

XLA's own cache is asked after a program has been traced and lowered, which takes several times as
long as loading it. The keys here are made from what a program is traced from, so a second start
traces nothing. Only the source code of this package is hashed. Therefore a program whose structure
holds a class or function of other packages is not cached.
"""

import dataclasses
import hashlib
import os
import pickle
import platform
import sys
import zlib
from contextlib import suppress
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

MAX_BYTES = 2**30  # of all programs in a folder, which hold 0.2 MB each on average
_SUFFIX = ".program"
_OUR_PACKAGES = ("fvjax", "sweeps")
_DEPENDENCIES = ("jax", "jaxlib", "flax", "optax", "numpy")  # their versions decide a program

_UNREADABLE = (OSError, zlib.error, pickle.PickleError, ValueError, RuntimeError)
_UNWRITABLE = (OSError, ValueError, RuntimeError)  # JAX cannot serialize some programs' constants


class NotCacheable(TypeError):
    """A program's structure that holds a class or function of another package."""


class ExecutableCache:
    """Compiled programs in a folder; beyond `max_bytes` the least recently used are deleted."""

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        """Use a folder, which `save` creates if it does not exist."""
        self.folder, self.max_bytes = folder, max_bytes

    @classmethod
    def from_jax_config(cls, config: Any) -> "ExecutableCache | None":
        """Return the cache in JAX's folder; None if JAX caches nothing, or not on a disk."""
        folder = config.jax_compilation_cache_dir
        is_local = config.jax_enable_compilation_cache and folder and "://" not in folder
        return cls(Path(folder)) if is_local else None

    def key(
        self, function: Any, mesh: Mesh, options: Any, arguments: tuple[Any, ...]
    ) -> str | None:
        """Return the key of the program of `function(*arguments)`; None if it is not cacheable.

        Args:
            function: a function of this package.
            mesh: the devices.
            options: the compiler options.
            arguments: pytrees, of which structure, shapes and dtypes count.
        """
        leaves, structure = jax.tree.flatten(arguments)
        try:
            traced = qualified_name(function), describe_treedef(structure)
        except NotCacheable:
            return None
        kinds = [(jnp.shape(x), str(jnp.result_type(x)), _is_weak(x)) for x in leaves]
        devices = [(device.id, device.device_kind) for device in mesh.devices.flat]
        settings = options, sorted(jax.config.values.items())
        return digest(traced, kinds, devices, settings, environment_fingerprint())

    def load(self, key: str, mesh: Mesh, arguments: tuple[Any, ...]) -> Any | None:
        """Return the program of a key; None if it is absent or cannot be read."""
        devices, path = list(mesh.devices.flat), self._path(key)
        try:
            content = pickle.loads(zlib.decompress(path.read_bytes()))
            program = serialize_executable.deserialize_and_load(
                content["program"],
                jax.tree.structure((arguments, {})),
                content["out"],
                backend=devices[0].client,
                execution_devices=devices,
            )
        except _UNREADABLE:
            return None
        with suppress(OSError):  # a read-only folder
            os.utime(path)  # the time of the last use, by which `save` evicts
        return program

    def save(self, key: str, program: Any) -> None:
        """Write a program atomically; a program that cannot be written is not cached."""
        try:
            serialized, _, out = serialize_executable.serialize(program)
            content = zlib.compress(pickle.dumps({"program": serialized, "out": out}), 1)
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(self._path(key)) as temporary:
                temporary.write_bytes(content)
            self._evict()
        except _UNWRITABLE:
            return

    def _evict(self) -> None:
        """Delete the least recently used programs until the rest fits `max_bytes`."""
        stats = [(path.stat(), path) for path in self.folder.glob(f"*{_SUFFIX}")]
        total = 0
        for stat, path in sorted(stats, key=lambda pair: -pair[0].st_mtime_ns):
            total += stat.st_size
            if total > self.max_bytes:
                path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{_SUFFIX}"


def describe_treedef(structure: Any) -> Any:
    """Return a tree's classes and static fields as plain values.

    Raises:
        NotCacheable: a class or static field belongs to another package.
    """
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
    """Return a static value in a form whose repr is complete.

    Raises:
        NotCacheable: the value's content cannot be known.
    """
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
    """Return the full name of a class or function of this package or of Python.

    Raises:
        NotCacheable: the value has no name, or belongs to another package.
    """
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if module is None or name is None or "<" in name:
        raise NotCacheable(repr(value))
    if module.split(".")[0] not in (*_OUR_PACKAGES, "builtins", "collections"):
        raise NotCacheable(f"{module}.{name}")
    return f"{module}.{name}"


def _is_weak(x: Any) -> bool:
    """Return whether a number's dtype yields to other dtypes in sums and products."""
    return bool(getattr(x, "weak_type", isinstance(x, bool | int | float | complex)))


@cache
def environment_fingerprint() -> tuple[Any, ...]:
    """Return our sources' hash, versions, XLA's flags and the processor: they decide programs."""
    versions = [sys.version, *map(version, _DEPENDENCIES)]
    flags = [os.environ.get(name) for name in ("XLA_FLAGS", "LIBTPU_INIT_ARGS")]
    return _SOURCES, versions, flags, platform.machine(), _processor()


def _hash_sources() -> str:
    root, digest = Path(__file__).parents[2], hashlib.sha256()
    for package in _OUR_PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return digest.hexdigest()


def _processor() -> str:
    """Return the processor's features where Linux lists them, else its name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((x for x in lines if x.startswith(("flags", "Features"))), platform.processor())


_SOURCES = _hash_sources()  # at import, since files that are edited later do not run
