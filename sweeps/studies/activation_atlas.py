"""The activation atlas: the image of each cell at its place, one atlas for each arm."""

from typing import Any

import pandas as pd
from hydra.experimental.callback import Callback
from matplotlib.figure import Figure
from omegaconf import DictConfig

from sweeps.config.errors import report_user_errors
from sweeps.config.paths import results_directory
from sweeps.results.labels import arm_labels
from sweeps.results.table import load
from sweeps.storage.atomic import atomic_write
from sweeps.storage.location import Location
from sweeps.studies.activation_grid import place_pictures

NAME = "activation_atlas.png"
_INCHES, _DPI = 7.0, 150  # of one atlas
_WHITE = 255


class Atlas(Callback):
    """A callback that writes activation_atlas.png after a sweep of `direction=atlas_cell`."""

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Write the atlases of the sweep and print the path."""
        directory = results_directory(config.hydra)
        with report_user_errors():
            write_atlas(load(directory), directory / NAME)
        print(directory / NAME)


def write_atlas(results: pd.DataFrame, path: Location) -> None:
    """Write an atlas for each arm, side by side; cells without a picture are white.

    Raises:
        ValueError: the jobs are not the cells of an atlas.
    """
    if not {"direction_row", "direction_column", "direction_cells"} <= set(results):
        raise ValueError("an activation atlas needs direction=atlas_cell direction.row=each")
    arms = arm_labels(results)
    columns = list(dict.fromkeys(arms))
    figure = Figure(figsize=(_INCHES * len(columns), _INCHES + 0.3), layout="constrained")
    for axis, arm in zip(figure.subplots(1, len(columns), squeeze=False)[0], columns, strict=True):
        jobs = results[arms == arm]
        rows, places = jobs["direction_row"].astype(int), jobs["direction_column"].astype(int)
        side = int(jobs["direction_cells"].iloc[0])
        axis.imshow(place_pictures(jobs, zip(rows, places, strict=True), side, _WHITE))
        axis.set_title(arm, parse_math=False)
        axis.set_axis_off()
    with atomic_write(path) as partial:
        figure.savefig(partial, format="png", dpi=_DPI)
