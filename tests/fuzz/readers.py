"""Every reader of the package, with what writes hostile input for it."""

import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from report_cases import write_sweep

import fvjax
from fuzz import writers
from fvjax.data.arrays import read_arrays
from fvjax.data.image_sets import ReferenceImages
from fvjax.data.photos import read_photo
from fvjax.models.caffemodel import read_caffemodel
from fvjax.models.pytorch_file import read_state_dict
from fvjax.models.weights import read_weights
from fvjax.reference.activation_statistics import ReferenceStatistics
from sweeps.analysis.choices import bradley_terry, rater_consistency, read_choices, win_shares
from sweeps.execution.compile import compile_program
from sweeps.execution.executable_cache import ExecutableCache
from sweeps.planning.statistics_file import load_statistics, save_statistics
from sweeps.results.table import load

_TORCH = Path(__file__).parents[1] / "data" / "torch"
_NETWORKS = ("decoder", "own")


@dataclass(frozen=True)
class Reader:
    """A reader and its input: `write` makes a file or folder at a path, `read` reads it.

    `share` is the reader's part of all inputs.
    """

    suffix: str
    write: Callable[[random.Random, Path], None]
    read: Callable[[Path], Any]
    share: float


def _folder(path: Path) -> None:
    images = ReferenceImages(str(path), (8, 8), 5)
    batches = list(images)
    assert batches and images.notes is not None and len(images.identity) == 64
    assert sum(len(batch.labels) for batch in batches) == len(images)


_tiny = cache(lambda: fvjax.load("tiny"))


def _statistics(path: Path) -> None:
    found = load_statistics(_tiny(), str(path), (32, 32)).statistics("conv2")
    assert np.isfinite(found.covariance).all()


@cache
def _whole_statistics() -> dict[str, np.ndarray]:
    reference = ReferenceStatistics(_tiny(), ReferenceImages("generated", (32, 32), 8))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "whole.npz")
        save_statistics(reference, ["conv2"], path)
        return read_arrays(path)


def _network(draw: random.Random, path: Path) -> None:
    whole = (_TORCH / f"{draw.choice(_NETWORKS)}.safetensors").read_bytes()
    writers.saved_network(draw, path, whole)


@cache
def _whole_results() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        write_sweep(Path(folder), labels=("conv2:0",), seeds=1, steps=3)
        return Path(folder, "results.parquet").read_bytes()


_COLUMNS = "task,rater,trial,repeats,direction,choice,milliseconds,arm,arm_left,arm_right,correct"


def _answers() -> list[list[str]]:
    """Four preferences, two identifications and a repeated preference of two raters."""
    lines = [_COLUMNS]
    for rater in ("a", "b"):
        for trial in range(4):
            side = "left" if trial % 2 else "right"
            lines.append(f"preference,{rater},{rater}{trial},,c:{trial},{side},900,,dot,cosine,")
        lines.append(f"preference,{rater},{rater}9,{rater}0,c:0,none,80,,cosine,dot,")
        lines.append(f"identification,{rater},{rater}7,,c:1,left,950,dot,most,least,1")
    return [line.split(",") for line in lines]


def _choices(path: Path) -> None:
    found = read_choices([path])
    assert win_shares(found) is not None and bradley_terry(found) is not None
    assert len(rater_consistency(found))


def _double(model: Any, x: jax.Array) -> jax.Array:
    return 2 * x + model


_double.__module__ = "fvjax.double"  # only programs of this package are cached


@cache
def _program() -> tuple[Any, str, bytes]:
    """The devices, the key and the file of a cached program."""
    mesh = Mesh(np.array(jax.devices()[:1]), ("jobs",))
    arguments = (np.float32(1), np.ones(1, np.float32))
    before = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as folder:
        jax.config.update("jax_compilation_cache_dir", folder)
        try:
            compile_program(_double, mesh, *arguments)
        finally:
            jax.config.update("jax_compilation_cache_dir", before)
        (path,) = Path(folder).glob("*.executable")
        return mesh, path.stem, path.read_bytes()


def _cached_program(path: Path) -> None:
    mesh, key, _ = _program()
    arguments = (np.float32(1), np.ones(1, np.float32))
    path.rename(path.with_name(f"{key}.executable"))
    if ExecutableCache(path.parent).load(key, mesh, arguments) is None:
        raise ValueError(f"{path} is compiled anew")


READERS = {
    "pictures": Reader(".png", writers.pictures, lambda path: read_photo(path, 8), 3),
    "image folders": Reader("", writers.folder, _folder, 1),
    "array files (.npz)": Reader(".npz", writers.arrays, read_arrays, 2),
    "array files (.npy)": Reader(".npy", writers.arrays, read_arrays, 2),
    "weights (.safetensors)": Reader(
        ".safetensors", writers.safetensors, lambda path: read_weights(path, writers.SHAPES), 2
    ),
    "statistics": Reader(
        ".npz",
        lambda draw, path: writers.statistics(draw, path, _whole_statistics()),
        _statistics,
        0.3,
    ),
    "saved networks": Reader(".safetensors", _network, lambda path: fvjax.load(str(path)), 0.2),
    "PyTorch checkpoints": Reader(".pth", writers.pytorch, read_state_dict, 3),
    "Caffe models": Reader(".caffemodel", writers.caffe, read_caffemodel, 2),
    "result tables": Reader(
        "", lambda draw, path: writers.results(draw, path, _whole_results()), load, 0.5
    ),
    "choices (CSV)": Reader(
        ".csv", lambda draw, path: writers.choices(draw, path, _answers()), _choices, 0.2
    ),
    "cached programs": Reader(
        ".x",
        lambda draw, path: writers.program(draw, path, _program()[2]),
        _cached_program,
        1,
    ),
}
