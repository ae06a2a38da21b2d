"""Printable tables: the areas of detectors, and visualizations beside familiar images."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
import pandas as pd
from rich.box import SIMPLE
from rich.table import Column, Table

from fvjax.metrics.ood_detectors import DETECTORS
from sweeps.results.labels import arm_labels
from sweeps.results.number_table import short
from sweeps.studies.uncertainty.evaluation import IN_DISTRIBUTION, Evaluation
from sweeps.studies.uncertainty.rows import MISTAKES

_MEASURED = ("mahalanobis", "class_distance", "centroid_margin")  # of visualizations too


def areas(question: str, question_rows: pd.DataFrame) -> Table:
    """Return the areas of one question in percent, with the number of images of each set."""
    names_present = [name for name in DETECTORS if (question_rows["detector"] == name).any()]
    title = f"{question} images: area under the ROC curve, percent ± half the 95 % interval"
    table = _table(title, "images", "layer", *names_present)
    for name, own in question_rows.groupby("images", sort=False):
        positives, negatives = own["positives"].iloc[0], own["negatives"].iloc[0]
        total = positives + negatives if question == MISTAKES else negatives
        _add(table, [str(name), f"{positives}/{total}"], own, names_present)
    means = question_rows.groupby(["layer", "detector"], sort=False)["auroc"].mean()
    _add(table, ["mean"], means.reset_index(), names_present)
    return table


def _add(
    table: Table, names: Sequence[str], own: pd.DataFrame, names_present: Sequence[str]
) -> None:
    """Add a row for each layer, with the names in the first rows."""
    layers = list(dict.fromkeys(own["layer"]))
    names = names if len(layers) >= len(names) else [" ".join(names)]
    for layer, name in zip_longest(layers, names, fillvalue=""):
        records = own[own["layer"] == layer].to_dict("records")
        cells = {area["detector"]: _cell(area) for area in records}
        table.add_row(name, layer, *(cells.get(detector, "") for detector in names_present))


def _cell(area: Mapping[Any, Any]) -> str:
    if pd.isna(area["auroc"]):
        return ""
    spread = f" ±{50 * (area['high'] - area['low']):.0f}" if "high" in area else ""
    return f"{100 * area['auroc']:.0f}{spread}"


def _table(title: str, *columns: str) -> Table:
    """Return a table that fits 80 columns: heads break at spaces only."""
    heads = [name.replace("_", " ") for name in columns]
    widths = [max(map(len, head.split()), default=0) for head in heads]
    shown = [Column(head, min_width=width) for head, width in zip(heads, widths, strict=True)]
    return Table(*shown, title=title, box=SIMPLE, pad_edge=False, padding=0)


def visualizations(results: pd.DataFrame, evaluations: Sequence[Mapping[str, Evaluation]]) -> Table:
    """Return means over the jobs that are ok, by layer, direction and arm, and familiar images."""
    names_present = [name for name in _MEASURED if name in results]
    title = "visualizations, and the median of familiar images"
    table = _table(title, "", "layer", "jobs", *names_present)
    good = results[results["status"] == "ok"] if names_present else results[:0]
    for layer, jobs in good.groupby("layer", sort=False):
        for (direction, arm), own in jobs.groupby(["direction", arm_labels(jobs)], sort=False):
            means = [short(own[name].mean()) for name in names_present]
            table.add_row(f"{direction} {arm}", str(layer), str(len(own)), *means)
        medians = [short(_median(evaluations, (str(layer), name))) for name in names_present]
        table.add_row(IN_DISTRIBUTION, str(layer), "", *medians)
    return table


def _median(evaluations: Sequence[Mapping[str, Evaluation]], key: tuple[str, str]) -> float:
    scores = [fold[IN_DISTRIBUTION].scores.get(key, np.array([])) for fold in evaluations]
    median = float(np.median(np.concatenate(scores))) if scores[0].size else np.nan
    return -median if key[1] == "centroid_margin" else median  # detectors are higher when worse
