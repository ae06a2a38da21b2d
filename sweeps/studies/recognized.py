"""The report of `experiment=recognized`: do other networks recognize the classes of a network?

Reads the pictures of a sweep of `direction=logit`. Writes recognized.csv (a row for each picture
and network) and recognized_arms.csv (means and paired differences, with intervals over classes).
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from PIL import Image
from rich.console import Console

from fvjax import checks
from fvjax.models.class_names import find_class
from fvjax.models.model import Model
from fvjax.models.readout import readout
from sweeps.analysis.comparison import compare
from sweeps.analysis.inference import interval
from sweeps.analysis.pairing import arm_names
from sweeps.config.config_dirs import option_files, searched_folders
from sweeps.config.errors import report_user_errors
from sweeps.config.paths import results_directory
from sweeps.planning.environment import load_option
from sweeps.results.csv_file import write_csv
from sweeps.results.flatten import flatten
from sweeps.results.labels import config_columns
from sweeps.results.number_table import number_table
from sweeps.results.table import load

NAME = "recognized"
_LEAST = 1e-12  # of a probability whose logarithm is taken
_COMPARED = ["difference", "low", "high", "p_holm"]
_MEASURES = ("probability", "log10")
_GROUPS = ("objective", "penalty", "space", "parameterization", "transform")


class Recognized(Callback):
    """A callback that writes recognized.csv and recognized_arms.csv after a sweep over classes."""

    def __init__(self, readers: Sequence[str], baselines: Sequence[str]) -> None:
        """Read pictures by the sweep's own network and by the options `readers` of `model`.

        Args:
            readers: options of `model` whose networks have class names.
            baselines: arms with which all other arms are compared.
        """
        self.readers, self.baselines = list(readers), list(baselines)

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Report on the sweep."""
        directory = results_directory(config.hydra)
        with report_user_errors():
            results = load(directory)
            files = option_files(searched_folders(config), "model")
            names = [*results["model"].unique(), *self.readers]
            networks = {name: load_option(name, files, "readers") for name in names}
            values = recognition(results, networks)
            write_csv(values, directory / f"{NAME}.csv")
            tables = [arm_table(results, values, self.baselines, m) for m in _MEASURES]
            arms = pd.concat(tables, ignore_index=True)
            write_csv(arms, directory / f"{NAME}_arms.csv")
        console = Console()
        for (measure, network), rows in arms.groupby(["measure", "network"], sort=False):
            shown = rows.drop(columns=["measure", "network"])
            console.print(number_table(shown, f"{measure} by {network}"))
        console.print(str(directory / f"{NAME}.csv"), soft_wrap=True, highlight=False, markup=False)


def recognition(results: pd.DataFrame, networks: Mapping[str, Model]) -> pd.DataFrame:
    """Return `job label seed arm network probability log10 rank` of each picture by each network.

    Args:
        results: the table of a sweep whose labels are class names.
        networks: networks with class names, by name. They read the pictures of 8 bits.

    Raises:
        ValueError: a network has no class of a label.
    """
    drawn = results[results["image"].notna()]
    arms = short_names(arm_names(drawn, [group for group in _GROUPS if group in drawn]))
    pictures = np.stack([_pixels(picture) for picture in drawn["image"]])
    parts = []
    for name, model in networks.items():
        probabilities = _probabilities(model, pictures)
        index = np.array([find_class(model.classes, label) for label in drawn["label"]])
        shown = np.take_along_axis(probabilities, index[:, None], 1)
        columns = {
            "probability": shown[:, 0],
            "log10": np.log10(np.maximum(shown[:, 0], _LEAST)),
            "rank": 1 + (probabilities > shown).sum(1),
        }
        kept = drawn[["job", "label", "seed"]].assign(arm=arms, network=name)
        parts.append(kept.assign(**columns))
    return pd.concat(parts, ignore_index=True)


def arm_table(
    results: pd.DataFrame, values: pd.DataFrame, baselines: Sequence[str], measure: str
) -> pd.DataFrame:
    """Return the mean of each network and arm, and its difference to each baseline.

    Classes are the clusters, after a mean over seeds. p-values are corrected for all arms and
    networks of a baseline (Holm).

    Args:
        results: the table of the sweep.
        values: what `recognition` returns.
        baselines: arms with which all others are compared.
        measure: probability, or its logarithm log10, of which no single class decides the mean.
    """
    by = [group for group in _GROUPS if group in config_columns(results)]
    full = arm_names(results, by)
    short = dict(zip(full, short_names(full), strict=True))
    for baseline in baselines:
        checks.choice("baseline", baseline, short.values())
    wide = values.pivot(index="job", columns="network", values=measure)
    table = results.merge(wide, left_on="job", right_index=True)
    networks = list(dict.fromkeys(values["network"]))
    differences = []
    for name, baseline in short.items():
        if baseline in baselines:
            rows = compare(table, by, networks, name)[["metric", "arm", *_COMPARED]]
            rows["arm"] = rows["arm"].map(short)
            keys = {"metric": "network"} | {c: f"{c} against {baseline}" for c in _COMPARED}
            differences.append(rows.rename(columns=keys))
    arms = []
    for (network, arm), own in values.groupby(["network", "arm"], sort=False):
        mean, low, high = interval(own.groupby("label")[measure].mean().to_numpy())
        row = {
            "measure": measure,
            "network": network,
            "arm": arm,
            "classes": own["label"].nunique(),
            "n": len(own),
        }
        row |= {"mean": mean, "mean_low": low, "mean_high": high}
        arms.append(row | {"first": float((own["rank"] == 1).mean())})
    found = pd.DataFrame(arms)
    for rows in differences:
        found = found.merge(rows, how="left", on=["network", "arm"])
    return found


def short_names(names: pd.Series) -> pd.Series:
    """Return the arms' names without the words of the first arm that are no objective's."""
    common = set(str(names.iloc[0]).split()[1:])
    return names.map(lambda name: " ".join(w for w in str(name).split() if w not in common))


def _pixels(picture: Mapping[str, Any]) -> np.ndarray:
    with Image.open(io.BytesIO(picture["bytes"])) as opened:
        return np.asarray(flatten(opened), np.float32) / 255


def _probabilities(model: Model, pictures: np.ndarray) -> np.ndarray:
    """Return the probabilities (pictures, classes) of a network's readout."""
    layer = readout(model)

    def read(model: Model, picture: jax.Array) -> jax.Array:
        return jax.nn.softmax(model(picture)[layer])

    compiled = jax.jit(read)
    return np.stack([np.asarray(compiled(model, jnp.asarray(one))) for one in pictures])
