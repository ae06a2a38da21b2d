"""A compiled program as bytes: everything is checked before anything is loaded.

A file holds a format line, the SHA-256 of the rest, a line of JSON (the key, the length, the tree
of the results) and JAX's serialized executable, compressed. JAX serializes with pickle. Therefore
the pickle is interpreted twice: first with placeholders, which run nothing, to list the names that
it refers to; only if all of them are JAX's own classes does JAX load it.
"""

import hashlib
import io
import json
import os
import pickle
import sys
import zlib
from pathlib import Path
from typing import Any

import jax
from jax.experimental import serialize_executable
from jax.sharding import Mesh
from jax.tree_util import PyTreeDef, default_registry

from sweeps.storage.cache_folder import is_safe

_FORMAT = b"fvjax executable 1\n"
_MOST_BYTES = 2**30  # of an executable
_TREES = ("fvjax", "sweeps", "optax", "builtins", "collections")  # packages of results' classes
_PLAIN = {  # what numpy's and JAX's pickles refer to besides JAX's classes
    *(("numpy", "dtype"), ("numpy", "ndarray"), ("numpy._core.multiarray", "_reconstruct")),
    *(("numpy._core.multiarray", "scalar"), ("numpy._core.numeric", "_frombuffer")),
    *(("jax._src.named_sharding", "_unpickle_named_sharding"), ("builtins", "frozenset")),
    *(("builtins", "set"), ("builtins", "slice"), ("builtins", "complex")),
    ("ml_dtypes", "bfloat16"),  # a number's type
}
_RANDOM = "jax._src.random."  # whose functions implement random keys


def to_bytes(key: str, program: Any) -> bytes:
    """Return the content of a program's file.

    Raises:
        ValueError: the program or the tree of its results cannot be written.
    """
    serialized, _, results = serialize_executable.serialize(program)
    check_names(serialized)
    about = {"key": key, "bytes": len(serialized), "results": _tree_to_json(results)}
    body = json.dumps(about).encode() + b"\n" + zlib.compress(serialized, 1)
    return _FORMAT + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def read(path: Path, key: str, mesh: Mesh, arguments: tuple[Any, ...]) -> Any:
    """Return the program of a file.

    Args:
        path: the file.
        key: the key that the file must have been written for.
        mesh: the devices.
        arguments: the program's arguments.

    Raises:
        ValueError: a file that another user could have written, of another format or key, or
            whose content is not that which was written.
        Exception: whatever JAX raises for an executable that it cannot load.
    """
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if not is_safe(status) or status.st_size > _MOST_BYTES:
            raise ValueError("another user could have written it, or it is too large")
        if file.readline() != _FORMAT:
            raise ValueError("it has another format")
        digest, body = file.readline(), file.read()
    if hashlib.sha256(body).hexdigest().encode() + b"\n" != digest:
        raise ValueError("its content has changed")
    head, _, compressed = body.partition(b"\n")
    about = json.loads(head)
    if about["key"] != key or not 0 <= about["bytes"] <= _MOST_BYTES:
        raise ValueError("it is another program's, or too large")
    serialized = zlib.decompressobj().decompress(compressed, about["bytes"] + 1)
    if len(serialized) != about["bytes"]:
        raise ValueError("its executable has another length")
    check_names(serialized)
    devices = list(mesh.devices.flat)
    return serialize_executable.deserialize_and_load(
        serialized,
        jax.tree.structure((arguments, {})),
        _tree_from_json(about["results"]),
        backend=devices[0].client,
        execution_devices=devices,
    )


def check_names(serialized: bytes) -> None:
    """Refuse a pickle that refers to anything but JAX's own classes; nothing is run.

    Raises:
        ForeignName: the pickle refers to another name.
        ValueError: the pickle is broken.
    """
    try:
        _Lister(io.BytesIO(serialized)).load()
    except ValueError:
        raise
    except Exception as error:  # a broken pickle
        raise ValueError(f"its pickle is broken: {error}") from error


class ForeignName(ValueError):
    """A pickle refers to something that is no class of JAX."""


class _Placeholder:
    """Stands for every object while names are listed; it accepts and ignores everything."""

    def __new__(cls, *_: Any, **__: Any) -> "_Placeholder":
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __setstate__(self, _: Any) -> None: ...

    def __setitem__(self, _: Any, __: Any) -> None: ...

    def append(self, _: Any) -> None:
        """Ignore an item."""

    def extend(self, _: Any) -> None:
        """Ignore items."""

    def add(self, _: Any) -> None:
        """Ignore an item."""


class _Lister(pickle.Unpickler):
    """An unpickler that resolves every allowed name to a placeholder, and refuses all others."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the placeholder for an allowed name."""
        if not _is_allowed(module, name):
            raise ForeignName(f"JAX's form of it refers to {module}.{name}")
        return _Placeholder

    def persistent_load(self, _: Any) -> Any:
        """Return the placeholder of an executable, a device or a client."""
        return _Placeholder()


def _is_allowed(module: str, name: str) -> bool:
    """Return whether a name is that of a class that a loaded module of JAX defines."""
    if (module, name) in _PLAIN:
        return True
    if module.split(".")[0] not in ("jax", "jaxlib") or "." in name:
        return False
    found = getattr(sys.modules.get(module), name, None)
    is_own = getattr(found, "__module__", None) == module
    return is_own and (isinstance(found, type) or module.startswith(_RANDOM))


def _tree_to_json(tree: Any) -> Any:
    """Return a tree's structure as JSON: "*" for a leaf, else class, static values and children."""
    node = tree.node_data()
    if node is None:
        return "*"
    kind, static = node
    if kind is type(None):  # an empty part, such as a result without transparency
        return None
    name = [kind.__module__, kind.__qualname__]
    children = [_tree_to_json(child) for child in tree.children()]
    encoded = [name, _static_to_json(static), children]
    if _tree_from_json(encoded) != tree:
        raise ValueError(f"the structure of {'.'.join(name)} cannot be written as JSON")
    return encoded


def _tree_from_json(encoded: Any) -> PyTreeDef:
    if encoded in (None, "*"):
        return jax.tree.structure(None if encoded is None else 0)
    (module, name), static, children = encoded
    kind = getattr(sys.modules.get(module), name, None)
    if module.split(".")[0] not in _TREES or not isinstance(kind, type):
        raise ValueError(f"{module}.{name} is no class of results")
    node = (kind, _static_from_json(static))
    structures = [_tree_from_json(child) for child in children]
    return PyTreeDef.from_node_data_and_children(default_registry, node, structures)


def _static_to_json(value: Any) -> Any:
    """Return a static value as JSON, in which a tuple is {"tuple": [...]}."""
    if isinstance(value, tuple):
        return {"tuple": [_static_to_json(item) for item in value]}
    if isinstance(value, list):
        return [_static_to_json(item) for item in value]
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise ValueError(f"a {type(value).__name__} cannot be written as JSON")


def _static_from_json(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple(_static_from_json(item) for item in value["tuple"])
    return [_static_from_json(item) for item in value] if isinstance(value, list) else value
