"""The report of `experiment=uncertainty`: which detectors find mistakes, and which find strangers.

After the sweep, images are judged by every detector at several layers. uncertainty.csv, in the
sweep's directory, has one row for each question, set of images, layer and detector; it is printed
beside what the sweep's visualizations measure.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from fvjax import checks
from fvjax.data.corruptions import CORRUPTIONS, NOISES
from sweeps.config.errors import report_user_errors
from sweeps.planning.build import environment
from sweeps.results.table import holds_results, load
from sweeps.studies.uncertainty.evaluation import Fold, evaluate, folds, left_out
from sweeps.studies.uncertainty.rows import rows
from sweeps.studies.uncertainty.tables import areas, visualizations

CSV = "uncertainty.csv"
_KEYS = (
    "model",
    "image_size",
    "reference_images",
    "reference_count",
    "precision",
)  # that the study depends on


class Report(Callback):
    """Judges images when a sweep has ended.

    Args:
        layers: to look at.
        logits: the layer of logits.
        tested: images of each set, at most.
        distortions: the strength of each, by name (`fvjax.data.corruptions`).
        noises: the same.
        photos: a folder of photographs, strange to a network of generated images; null for none.
        resamples: of the images, for the intervals.
    """

    def __init__(
        self,
        layers: Sequence[str],
        logits: str,
        tested: int,
        distortions: Mapping[str, float],
        noises: Mapping[str, float],
        photos: str | None,
        resamples: int,
    ) -> None:
        """Called by Hydra with the config's values."""
        checks.count("tested", tested)
        checks.count("resamples", resamples)
        for what, given, known in (
            ("distortion", distortions, CORRUPTIONS),
            ("noise", noises, NOISES),
        ):
            for name, strength in given.items():
                checks.choice(what, name, known)
                checks.not_negative(f"the strength of {name}", strength)
        self.layers, self.logits, self.resamples = tuple(layers), logits, resamples
        self.sets = (tested, dict(distortions), dict(noises), photos)
        self.folds: tuple[Fold, ...] = ()
        self.image_size = (0, 0)

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Refuse what is wrong before anything runs; called by Hydra."""
        with report_user_errors():
            _, setup = environment(OmegaConf.masked_copy(config, [*_KEYS, "hydra"]))
            for layer in (*self.layers, self.logits):
                checks.choice("layer", layer, setup.model.layers)
            self.image_size = setup.image_size
            reference = setup.require_reference("experiment=uncertainty")
            self.folds = folds(reference, *self.sets)

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Judge, write and print; called by Hydra."""
        directory = Path(str(config.hydra.sweep.dir))
        if not holds_results(directory):
            return
        with report_user_errors():  # a file of the folder may be no image
            looked = [
                {p.name: evaluate(fold, self.layers, self.logits, p) for p in fold.pictures}
                for fold in self.folds
            ]
        table = pd.DataFrame(rows(looked, self.resamples))
        table.to_csv(directory / CSV, index=False)
        console = Console()
        for question, told in table.groupby("question", sort=False):
            console.print(areas(str(question), told))
        pictures = visualizations(_of_study(load(directory), config, self.image_size), looked)
        if pictures.row_count:
            console.print(pictures)
        for note in (*left_out(self.folds[0], self.sets[-1]), str(directory / CSV)):
            console.print(note, soft_wrap=True, highlight=False, markup=False)


def _of_study(
    results: pd.DataFrame, config: DictConfig, image_size: tuple[int, int]
) -> pd.DataFrame:
    """The jobs of the study's own model and images."""
    own = {key: config.get(key) for key in _KEYS if key != "image_size"}
    own |= {"model": config.hydra.runtime.choices.model}
    own |= dict(zip(("image_height", "image_width"), image_size, strict=True))
    mine = [results[key].astype(str) == str(value) for key, value in own.items()]
    return results[np.logical_and.reduce(mine)]
