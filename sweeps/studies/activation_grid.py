"""The grid of images for all positions of a photograph's layer, beside the photograph."""

import io
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from hydra.experimental.callback import Callback
from matplotlib.figure import Figure
from omegaconf import DictConfig
from PIL import Image

from fvjax.data.photos import read_photo
from sweeps.config.errors import report_user_errors
from sweeps.config.paths import results_directory
from sweeps.results.flatten import flatten
from sweeps.results.labels import arm_labels
from sweeps.results.table import load
from sweeps.storage.atomic import atomic_write
from sweeps.storage.location import Location

NAME = "activation_grid.png"
_INCHES = 5.0  # of one grid


class Tiles(Callback):
    """A callback that writes activation_grid.png after a sweep over `direction.at`."""

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Write the grids of the sweep and print the path."""
        directory = results_directory(config.hydra)
        with report_user_errors():
            write_grids(load(directory), directory / NAME)
        print(directory / NAME)


def write_grids(results: pd.DataFrame, path: Location) -> None:
    """Write a row for each photograph: the photograph, and a grid for each arm.

    Raises:
        ValueError: the jobs are not positions of a photograph, counted row by row.
    """
    if "direction_at" not in results or not pd.api.types.is_integer_dtype(results["direction_at"]):
        raise ValueError("an activation grid needs direction.at=range(0,n), positions row by row")
    arms = arm_labels(results)
    columns = list(dict.fromkeys(arms))
    photos = list(dict.fromkeys(results["direction_path"]))
    figure = Figure(
        figsize=(_INCHES * (len(columns) + 1), _INCHES * len(photos) + 0.3), layout="constrained"
    )
    axes = figure.subplots(len(photos), len(columns) + 1, squeeze=False)
    for row, photo in zip(axes, photos, strict=True):
        of_photo = results["direction_path"] == photo
        side = math.isqrt(int(results.loc[of_photo, "direction_at"].max())) + 1
        row[0].imshow(_square(photo))
        for axis, arm in zip(row[1:], columns, strict=True):
            axis.imshow(grid(results[of_photo & (arms == arm)], side))
            axis.set_title(arm)
        for axis in row:
            axis.set_axis_off()
    with atomic_write(path) as partial:
        figure.savefig(partial, format="png", dpi=100)


def grid(jobs: pd.DataFrame, side: int) -> np.ndarray:
    """Place the images of side x side positions; a missing image is grey."""
    places = [divmod(int(position), side) for position in jobs["direction_at"]]
    return place_pictures(jobs, places, side, empty=128)


def place_pictures(
    jobs: pd.DataFrame, places: Iterable[tuple[int, int]], side: int, empty: int
) -> np.ndarray:
    """Return side x side pictures without gaps: (side * height, side * width, 3), 8 bits.

    Args:
        jobs: the jobs, whose images have one size.
        places: row and column of each job.
        side: rows and columns.
        empty: the grey, 0 to 255, where there is no picture.
    """
    height, width = int(jobs["image_height"].iloc[0]), int(jobs["image_width"].iloc[0])
    canvas = np.full((side * height, side * width, 3), empty, np.uint8)
    for (row, column), picture in zip(places, jobs["image"], strict=True):
        if picture is not None:
            top, left = row * height, column * width
            with Image.open(io.BytesIO(picture["bytes"]), formats=["PNG"]) as opened:
                canvas[top : top + height, left : left + width] = np.asarray(flatten(opened))
    return canvas


def _square(path: str) -> np.ndarray:
    """Read the square of a photograph that the network sees (`fvjax.data.photos.read_photo`)."""
    square: np.ndarray = read_photo(path, 448)
    return square
