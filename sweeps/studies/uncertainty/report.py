"""The report of `experiment=uncertainty`: detectors of misclassified and of unfamiliar images.

After the sweep, every detector scores test images at several layers. uncertainty.csv, in the
sweep's directory, has one row for each question, set of images, layer and detector; it is printed
beside what the sweep's visualizations measure.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from fvjax import checks
from fvjax.data.corruptions import CORRUPTIONS, NOISES
from sweeps.config.errors import report_user_errors
from sweeps.config.paths import results_directory
from sweeps.planning.environment import environment
from sweeps.results.csv_file import write_csv
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
    """A callback that scores test images after a sweep.

    Args:
        layers: the layers whose activations the detectors read.
        logits: the layer of logits.
        tested: the largest number of images in a test set.
        distortions: strengths of distortions, by name (`fvjax.data.corruptions`).
        noises: strengths of noises, by name.
        photos: a folder of photographs, unfamiliar to a network of generated images; or null.
        resamples: the number of resamples of the images, for the intervals.
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
        """Check and store the config's values.

        Raises:
            ValueError: a value is out of range, or a distortion or noise is unknown.
        """
        checks.count("tested", tested)
        checks.count("resamples", resamples)
        for kind, strengths, names in (
            ("distortion", distortions, CORRUPTIONS),
            ("noise", noises, NOISES),
        ):
            for name, strength in strengths.items():
                checks.choice(kind, name, names)
                checks.not_negative(f"the strength of {name}", strength)
        self.layers, self.logits, self.resamples = tuple(layers), logits, resamples
        self.sets = (tested, dict(distortions), dict(noises), photos)
        self.folds: tuple[Fold, ...] = ()
        self.image_size = (0, 0)

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Refuse wrong layers and images before anything runs."""
        with report_user_errors():
            _, setup = environment(OmegaConf.masked_copy(config, [*_KEYS, "hydra"]))
            for layer in (*self.layers, self.logits):
                checks.choice("layer", layer, setup.model.layers)
            self.image_size = setup.image_size
            reference = setup.require_reference("experiment=uncertainty")
            self.folds = folds(reference, *self.sets)

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Score the images, write the table and print it."""
        directory = results_directory(config.hydra)
        if not holds_results(directory):
            return
        with report_user_errors():  # the folder may hold files that are not images
            evaluations = [
                {p.name: evaluate(fold, self.layers, self.logits, p) for p in fold.pictures}
                for fold in self.folds
            ]
        table = pd.DataFrame(rows(evaluations, self.resamples))
        write_csv(table, directory / CSV)
        console = Console()
        for question, question_rows in table.groupby("question", sort=False):
            console.print(areas(str(question), question_rows))
        pictures = visualizations(_of_study(load(directory), config, self.image_size), evaluations)
        if pictures.row_count:
            console.print(pictures)
        for note in (*left_out(self.folds[0], self.sets[-1]), str(directory / CSV)):
            console.print(note, soft_wrap=True, highlight=False, markup=False)


def _of_study(
    results: pd.DataFrame, config: DictConfig, image_size: tuple[int, int]
) -> pd.DataFrame:
    """Return the jobs of the study's own model and images."""
    own = {key: config.get(key) for key in _KEYS if key != "image_size"}
    own |= {"model": config.hydra.runtime.choices.model}
    own |= dict(zip(("image_height", "image_width"), image_size, strict=True))
    is_own = [results[key].astype(str) == str(value) for key, value in own.items()]
    return results[np.logical_and.reduce(is_own)]
