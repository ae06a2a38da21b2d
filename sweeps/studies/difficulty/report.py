"""The report of `experiment=difficulty`: do harder tasks make units less poly-semantic?

Reads the table of a sweep of `model=trained`, and measures its networks on the reference images.
All units of the visualized layers are measured, also those without an image. Writes difficulty.csv
(`trends.levels`), difficulty_trends.csv (`trends`), difficulty_units.csv (every value) and
difficulty.png.
"""

import json
from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from fvjax.metrics.selectivity import precision, selectivity
from fvjax.reference.activation_statistics import ReferenceStatistics, require_reference
from fvjax.training import classes_per_attribute
from fvjax.training.trainer import correct
from sweeps.config.paths import results_directory
from sweeps.planning.reference import load_reference_statistics
from sweeps.planning.trained_model import trained
from sweeps.results.csv_file import write_csv
from sweeps.results.labels import arm_labels
from sweeps.results.table import load
from sweeps.storage.location import Location
from sweeps.studies.difficulty.plot import draw
from sweeps.studies.difficulty.trends import KEYS, LEVEL, levels, trends

NAME = "difficulty"
_SETTINGS = ("labels", "first_attribute", "seed", "steps", "batch", "widths")
_IMAGES = ("reference_images", "reference_count", "image_height")
_READ = ("transfer", "ambiguity")
_BEST = 16  # images, for the precision


class Difficulty(Callback):
    """A callback that writes difficulty.csv and .png after a sweep over `model.labels`."""

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Report on the sweep."""
        directory = results_directory(config.hydra)
        report(values_of(load(directory)), directory)


def report(values: pd.DataFrame, directory: Location) -> None:
    """Write the files, and print means and trends."""
    table, slopes = levels(values), trends(values)
    for frame, name in ((values, "_units"), (table, ""), (slopes, "_trends")):
        write_csv(frame, directory / f"{NAME}{name}.csv")
    draw(values, table, directory / f"{NAME}.png")
    console = Console()
    console.print(trend_table(table, slopes))
    console.print(str(directory / f"{NAME}.png"), soft_wrap=True, highlight=False, markup=False)


def values_of(results: pd.DataFrame) -> pd.DataFrame:
    """Return all values: columns `measure layer objective labels line unit value`.

    A line is a first attribute with a seed. `objective` is "" for measures on reference images.

    Raises:
        ValueError: the table is of other networks.
    """
    columns = [f"model_{name}" for name in _SETTINGS]
    missing = [column for column in columns if column not in results]
    if missing:
        raise ValueError(f"difficulty needs a sweep of model=trained: there is no {missing[0]}")
    parts = []
    for cells, jobs in results.groupby([*columns, *_IMAGES], sort=False):
        settings = dict(zip((*_SETTINGS, *_IMAGES), cells, strict=True))
        parts.append(_network(settings, list(dict.fromkeys(jobs["layer"]))))
    parts.append(_pictures(results))
    return pd.concat(parts, ignore_index=True)


def _network(settings: dict[str, Any], layers: list[str]) -> pd.DataFrame:
    """Measure a network's units, and its accuracy on the reference images."""
    images, count, size = (settings[name] for name in _IMAGES)
    chosen = {name: settings[name] for name in _SETTINGS}
    model = trained(**chosen | {"widths": json.loads(settings["widths"]), "also_train": ()})
    reference = require_reference(NAME, load_reference_statistics(model, images, count, size))
    reference.collect([*layers, "logits"])
    rows = [row for layer in layers for row in _units(reference, layer)]
    granularity = classes_per_attribute(settings["labels"], settings["first_attribute"])
    if max(granularity) > 1:
        activations = reference.statistics("logits")
        logits, labels = jnp.asarray(activations.means), jnp.asarray(activations.labels)
        right = np.asarray(correct(logits, labels, granularity)).mean(0)
        rows.append(("accuracy", "logits", -1, right[np.array(granularity) > 1].mean()))
    values = pd.DataFrame(rows, columns=["measure", "layer", "unit", "value"])
    line = f"{settings['first_attribute']} {settings['seed']}"
    return values.assign(objective="", labels=settings["labels"], line=line)


def _units(reference: ReferenceStatistics, layer: str) -> Iterator[tuple[str, str, int, float]]:
    """Yield measure, layer, unit and value of all units of a layer."""
    statistics, attributes = reference.statistics(layer), reference.images.attributes
    counts = [len(names) for names in attributes.values()]
    indices = selectivity(statistics.means, statistics.labels, counts)
    measures = {
        "selectivity": indices.index,
        "effective labels": indices.effective_labels,
        "effective attributes": indices.effective_attributes,
        "explained": indices.explained.sum(-1),
        "precision": precision(statistics.means, statistics.labels, indices, _BEST),
        "fires": (statistics.means > 0).any(0).astype(float),
    }
    for name, values in measures.items():
        yield from ((name, layer, unit, float(value)) for unit, value in enumerate(values))


def _pictures(results: pd.DataFrame) -> pd.DataFrame:
    """Return the judge's measures of each image, by objective."""
    alike = results.drop(columns=[c for c in results if str(c).startswith("model")])
    parts = [
        pd.DataFrame(
            {
                "measure": measure,
                "layer": results["layer"],
                "unit": results["label"],
                "value": results[measure],
                "objective": arm_labels(alike),
                LEVEL: results["model_labels"],
                "line": results["model_first_attribute"] + " " + results["model_seed"].astype(str),
            }
        )
        for measure in _READ
        if measure in results
    ]
    return pd.concat(parts) if parts else pd.DataFrame()


def trend_table(table: pd.DataFrame, slopes: pd.DataFrame) -> Table:
    """Return a printable table: means by the number of labels, and the change per doubling."""
    places = sorted(table[LEVEL].unique())
    attributes = [*KEYS, *map(str, places), "per doubling [95 %]", "rising"]
    title = "means over networks, by the labels that they tell apart"
    printed = Table(*attributes, title=title, box=SIMPLE, pad_edge=False)
    slope_of = {tuple(row[k] for k in KEYS): row for row in slopes.to_dict("records")}
    for keys, rows in table.groupby(KEYS, sort=False):
        mean = dict(zip(rows[LEVEL], rows["mean"], strict=True))
        cells = [f"{mean[place]:.3g}" if place in mean else "" for place in places]
        trend = slope_of.get(tuple(keys))
        trend_cells = ["", ""]
        if trend is not None and trend["lines"]:
            between = f" [{trend['low']:.2g}, {trend['high']:.2g}]"
            trend_cells[0] = f"{trend['slope']:+.2g}" + (between if pd.notna(trend["low"]) else "")
            trend_cells[1] = f"{trend['rising']}/{trend['lines']}"
        printed.add_row(*map(str, keys), *cells, *trend_cells)
    return printed
