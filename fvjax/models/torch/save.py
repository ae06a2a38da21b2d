"""Imported networks in one .safetensors file: weights, and the graph in its metadata.

Reading needs neither PyTorch nor the module's source, and unpickles nothing.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from fvjax import checks
from fvjax.image_size import height_width
from fvjax.models.model import PRECISIONS, Model, model_of
from fvjax.models.torch.graph import LAYER, Graph, Layer, Value, values
from fvjax.models.torch.interpret import KNOWN, GraphNetwork

_KEY = "fvjax"  # of the metadata
_MOST_SIDE = 4096  # pixels; of an image, as in `sweeps`


def save(model: Model, path: str | Path) -> None:
    """Write an imported network to a .safetensors file atomically.

    Raises:
        ValueError: a network that `from_torch` did not import, or another suffix.
    """
    path = _path(path)
    if not isinstance(model.network, GraphNetwork):
        raise ValueError("only a network that from_torch imported can be saved")
    graph = model.network.graph
    fields = {
        "graph": graph.to_json(),
        "default_layer": model.default_layer,
        "classes": list(model.classes),
        "precision": model.precision,
    }
    arrays = {name: np.ascontiguousarray(model.weights[name]) for name in graph.weights}
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(to_bytes(arrays, metadata={_KEY: json.dumps(fields)}))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def load(path: str | Path) -> Model:
    """Read a network that `save` wrote.

    Raises:
        ValueError: one sentence for a file that is missing, truncated, of another format, or whose
            graph and weights do not fit each other.
    """
    path = _path(path)
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    try:
        with safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, AttributeError, TypeError) as error:  # of types as float8
        raise ValueError(f"{path} cannot be read: {checks.reason(error)}") from error
    if _KEY not in metadata:
        raise ValueError(f"{path} holds weights without a network: fvjax.save did not write it")
    try:
        fields = json.loads(metadata[_KEY])
        graph = Graph.from_json(fields["graph"])
        classes = tuple(map(str, fields["classes"]))
        default, precision = str(fields["default_layer"]), fields["precision"]
        checks.choice("precision", precision, PRECISIONS)
        check_graph(graph, arrays)
        weights = {name: jnp.asarray(arrays[name]) for name in graph.weights}
        model = model_of(GraphNetwork(graph), weights, graph.image_size, default)
    except Exception as error:  # a broken graph makes its operators raise errors of any kind
        reason = checks.reason(error)
        raise ValueError(f"{path} holds no network that can be run: {reason}") from error
    return model.replace(classes=classes, precision=precision)  # type: ignore[attr-defined, no-any-return]


def check_graph(graph: Graph, arrays: Mapping[str, Any]) -> None:
    """Refuse image sizes, operators, references and weights that do not fit a network.

    Raises:
        ValueError: one sentence that names what is wrong.
    """
    height_width(graph.image_size, most=_MOST_SIDE)
    if not len(graph.mean) == len(graph.std) in (1, 3):
        raise ValueError("mean and std must have one number or three")
    for name, numbers in {"mean": graph.mean, "std": graph.std}.items():
        for number in numbers:
            checks.finite(name, number)
    unknown = sorted({step.operator for step in graph.steps} - KNOWN)
    if unknown:
        raise ValueError(f"this fvjax has no operator {', '.join(unknown)}")
    for i, step in enumerate(graph.steps):
        late = [v for v in values(step) if not -1 <= v < i]
        if late:
            raise ValueError(f"step {i} reads the value of step {late[0]}, which is not before it")
        if step.operator == LAYER and not isinstance(step.arguments[0], Value):
            raise ValueError(f"layer {Layer.of(step).name!r} does not depend on the image")
    expected = set(graph.weights)
    missing, extra = sorted(expected - set(arrays)), sorted(set(arrays) - expected)
    if missing:
        raise ValueError(f"the tensor {missing[0]!r} is missing ({len(missing)} in all)")
    if extra:
        raise ValueError(f"the tensor {extra[0]!r} is unknown ({len(extra)} in all)")
    for name, array in arrays.items():
        floating = jnp.issubdtype(array.dtype, jnp.floating)
        if floating and np.isnan(np.asarray(array, np.float32)).any():
            raise ValueError(f"the tensor {name!r} holds NaN")


def _path(path: Any) -> Path:
    checks.path("the path of a network", path)
    checked = Path(path)
    if checked.suffix != ".safetensors":
        raise ValueError(f"a network is kept in a .safetensors file, got {checked}")
    return checked
