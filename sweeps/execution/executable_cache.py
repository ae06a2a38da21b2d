"""A disk cache of compiled programs, keyed by everything that decides a program.

XLA's own cache is asked after a program has been traced and lowered, which takes several times as
long as loading it. The keys here are made from what a program is traced from, so a second start
traces nothing. Only the source code of this package is hashed. Therefore a program whose structure
holds a class or function of other packages is not cached. A folder or file that another user could
have written is not read.
"""

import dataclasses
import hashlib
import os
import platform
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from sweeps.execution import executable_file
from sweeps.storage.array_cache import digest
from sweeps.storage.atomic import atomic_write
from sweeps.storage.cache_folder import evict, is_usable, mark_used, warn_once

MAX_BYTES = 2**30  # of all programs in a folder, which hold 0.2 MB each on average
_SUFFIX = ".executable"
_OUR_PACKAGES = ("fvjax", "sweeps")
_DEPENDENCIES = ("jax", "jaxlib", "flax", "optax", "numpy")  # their versions decide a program

# Settings that say where and when JAX caches; all others may decide a program.
_OF_CACHES = ("jax_compilation_cache", "jax_enable_compilation_cache", "jax_persistent_cache")


class NotCacheable(TypeError):
    """A program's structure that holds a class or function of another package."""


class ExecutableCache:
    """Compiled programs in a folder; beyond `max_bytes` the least recently used are deleted."""

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        """Use a folder, which `save` creates if it does not exist."""
        self.folder, self.max_bytes = folder, max_bytes

    @classmethod
    def from_jax_config(cls, config: Any) -> "ExecutableCache | None":
        """Return the cache in JAX's folder; None if JAX caches nothing, or not on a disk.

        None too if another user could have written to the folder.
        """
        folder = local_folder(config) if config.jax_enable_compilation_cache else None
        return cls(folder) if folder is not None and is_usable(folder) else None

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
        values = {k: v for k, v in jax.config.values.items() if not k.startswith(_OF_CACHES)}
        settings = options, sorted(values.items())
        return digest(traced, kinds, devices, settings, environment_fingerprint())

    def load(self, key: str, mesh: Mesh, arguments: tuple[Any, ...]) -> Any | None:
        """Return the program of a key; None if it is absent or cannot be read."""
        try:
            program = executable_file.read(self._path(key), key, mesh, arguments)
        except Exception:  # JAX raises errors of any kind for a program that it cannot load
            return None
        mark_used(self._path(key))
        return program

    def save(self, key: str, program: Any) -> None:
        """Write a program atomically; a program that cannot be written is not cached."""
        try:
            content = executable_file.to_bytes(key, program)
        except executable_file.ForeignName as error:  # of a JAX that is new to us
            warn_once(f"a program is not cached: {error}")
            return
        except (ValueError, RuntimeError):  # JAX cannot serialize some programs' constants
            return
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with atomic_write(self._path(key)) as temporary:
                temporary.touch(0o600)
                temporary.write_bytes(content)
            evict(self.folder, f"*{_SUFFIX}", self.max_bytes)
        except OSError as error:
            warn_once(f"cannot write into the cache {self.folder}: {error.strerror or error}")

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{_SUFFIX}"


def local_folder(config: Any) -> Path | None:
    """Return JAX's cache folder if it is one of this machine's."""
    folder = config.jax_compilation_cache_dir
    return Path(os.path.expanduser(folder)) if folder and "://" not in folder else None


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
