"""Copies of the reference images that excite each job's direction most and least."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from fvjax.data.image_sets import ReferenceImages
from sweeps.results.report.references import TABLE
from sweeps.storage.atomic import atomic_write
from sweeps.storage.location import Location
from sweeps.task import Task

log = logging.getLogger(__name__)

_EACH = 6  # images at either end
_FOLDER = "reference_pictures"
_SET = ("reference_images", "image_height", "image_width", "reference_count")  # columns


def keep_reference_pictures(
    directory: Location, tasks: Sequence[Task], numbers: Sequence[int]
) -> None:
    """Write the images, and a table that maps jobs to their images.

    An image that cannot be read or written causes a warning: the sweep's results are complete.

    Args:
        directory: the directory of the sweep or run.
        tasks: the tasks; a task without dot products of the reference images has no images.
        numbers: the tasks' job numbers.
    """
    rows: list[dict[str, Any]] = []
    sets: dict[tuple[str, tuple[int, int], int], ReferenceImages] = {}
    try:
        for task, number in zip(tasks, numbers, strict=True):
            settings: list[Any] = [task.columns.get(name) for name in _SET]
            source, height, width, count = settings
            if task.info.reference_projections is None or not isinstance(source, str):
                continue
            if Path(source).is_file():  # a file of statistics, without images
                continue
            settings_key = (source, (int(height), int(width)), int(count))
            if settings_key not in sets:
                sets[settings_key] = ReferenceImages(*settings_key)
            rows += _rows(directory, sets[settings_key], task.info.reference_projections, number)
        if rows:  # and the rows of jobs that ran before, in this sweep or a sweeper's last step
            rows = [*_rows_of_others(directory / TABLE, set(numbers)), *rows]
            with atomic_write(directory / TABLE) as partial:
                pq.write_table(pa.Table.from_pylist(rows), partial)
    except (OSError, ValueError) as error:
        log.warning(f"reference pictures were not kept: {error}")


def _rows_of_others(path: Location, numbers: set[int]) -> list[dict[str, Any]]:
    """Return the table's rows of other jobs."""
    if not path.is_file():
        return []
    rows: list[dict[str, Any]] = pq.read_table(pa.BufferReader(path.read_bytes())).to_pylist()
    return [row for row in rows if row["job"] not in numbers]


def _rows(
    directory: Location, images: ReferenceImages, dots: np.ndarray, number: int
) -> list[dict[str, Any]]:
    order = np.argsort(-np.asarray(dots, float), kind="stable")
    each = min(_EACH, len(order) // 2)  # no picture is at both ends
    ends = {"most": order[:each], "least": order[::-1][:each]}
    return [
        {"job": number, "end": end, "place": place, "path": _picture(directory, images, int(image))}
        for end, chosen in ends.items()
        for place, image in enumerate(chosen)
    ]


def _picture(directory: Location, images: ReferenceImages, number: int) -> str:
    """Write an image as PNG unless the file exists; return the path within the directory."""
    digest = hashlib.sha256(
        f"{images.source} {images.image_size} {images.count}".encode()
    ).hexdigest()
    name = f"{_FOLDER}/{digest[:8]}-{number}.png"
    path = directory / name
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        pixels = np.round(np.clip(images.image(number), 0, 1) * 255).astype(np.uint8)
        with atomic_write(path) as partial:
            Image.fromarray(pixels).save(partial, format="png")
    return name
