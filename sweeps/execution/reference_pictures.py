"""Keep the reference images that excite each job's direction most and least, for people to see."""

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
from sweeps.task import Task

log = logging.getLogger(__name__)

_EACH = 6  # pictures of either end
_FOLDER = "reference_pictures"
_SET = ("reference_images", "image_height", "image_width", "reference_count")  # columns


def keep_reference_pictures(directory: Path, tasks: Sequence[Task], numbers: Sequence[int]) -> None:
    """Write the pictures and the table that says which job's they are.

    A picture that cannot be read or written is a warning: the sweep's results are there.

    Args:
        directory: of the sweep or run.
        tasks: whose directions know the reference images' own dot products.
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
            if Path(source).is_file():  # statistics, whose images are elsewhere
                continue
            told = (source, (int(height), int(width)), int(count))
            if told not in sets:
                sets[told] = ReferenceImages(*told)
            rows += _rows(directory, sets[told], task.info.reference_projections, number)
        if rows:  # with those of jobs that ran before, in this sweep or a sweeper's last step
            rows = [*_others(directory / TABLE, set(numbers)), *rows]
            with atomic_write(directory / TABLE) as partial:
                pq.write_table(pa.Table.from_pylist(rows), partial)
    except (OSError, ValueError) as error:
        log.warning(f"reference pictures were not kept: {error}")


def _others(path: Path, numbers: set[int]) -> list[dict[str, Any]]:
    """What the table says already of other jobs."""
    kept: list[dict[str, Any]] = pq.read_table(path).to_pylist() if path.is_file() else []
    return [row for row in kept if row["job"] not in numbers]


def _rows(
    directory: Path, images: ReferenceImages, dots: np.ndarray, number: int
) -> list[dict[str, Any]]:
    order = np.argsort(-np.asarray(dots, float), kind="stable")
    each = min(_EACH, len(order) // 2)  # no picture is at both ends
    ends = {"most": order[:each], "least": order[::-1][:each]}
    return [
        {"job": number, "end": end, "place": place, "path": _picture(directory, images, int(one))}
        for end, chosen in ends.items()
        for place, one in enumerate(chosen)
    ]


def _picture(directory: Path, images: ReferenceImages, number: int) -> str:
    """The path of an image's PNG, which is written if it is not there."""
    named = hashlib.sha256(
        f"{images.source} {images.image_size} {images.count}".encode()
    ).hexdigest()
    path = directory / _FOLDER / f"{named[:8]}-{number}.png"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        pixels = np.round(np.clip(images.image(number), 0, 1) * 255).astype(np.uint8)
        with atomic_write(path) as partial:
            Image.fromarray(pixels).save(partial, format="png")
    return path.relative_to(directory).as_posix()
