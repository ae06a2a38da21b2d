"""Whom does another network recognize: the photograph of a direction, or the neuron?

For a sweep of `experiment=vector_or_covector`. SqueezeNet looks at each picture and compares what
it sees (mean activation of `fire9`, less the photographs' own mean, by cosine) with

- all photographs: `photograph` is the share of them that are less like the picture than the one
  that the direction was read from;
- the pictures of the neurons that the photographs excite most, made by the same objective from
  another seed: `neuron` is the share of these less like it than its own photograph's neuron.

1 is recognized, .5 chance. Prints means over directions with 95 % intervals, writes caricature.csv
and caricature.png into the sweep's directory.
"""

import argparse
import io
import json
import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import pandas as pd
from PIL import Image

import fvjax
import sweeps
from fvjax.data.image_sets import ReferenceImages
from sweeps.analysis.inference import interval

matplotlib.use("Agg")
import matplotlib.pyplot as plt

LAYER = "fire9"
SHOWN = ["photograph", "neuron", "reference_ratio", "cosine"]


def main() -> None:
    """Print, write and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path, help="of the sweep")
    folder = os.environ.get("FVJAX_WEIGHTS", "../shared/weights")
    parser.add_argument("--weights", default=f"{folder}/squeezenet_v1.1.safetensors")
    parser.add_argument("--images", default=os.environ.get("FVJAX_PHOTOS", "../shared/photos"))
    arguments = parser.parse_args()
    table = recognized(sweeps.load(arguments.directory), arguments.weights, arguments.images)
    means = over_directions(table)
    means.to_csv(arguments.directory / "caricature.csv", index=False)
    draw(means, arguments.directory / "caricature.png")
    for arm, rows in means.groupby("arm", sort=False):
        print(arm)
        for row in rows.itertuples():
            cells = (
                f"{name} {getattr(row, name):.2f} "
                f"({getattr(row, f'{name}_low'):.2f} - {getattr(row, f'{name}_high'):.2f})"
                for name in SHOWN
            )
            print(f"  {row.origin:24} n={row.directions:<3}", ", ".join(cells))


def recognized(results: pd.DataFrame, weights: str, images: str) -> pd.DataFrame:
    """Return a row per image: `origin arm photo photograph neuron`, and numbers of the sweep."""
    table = results[results["status"] == "ok"].reset_index(drop=True)
    table = table.assign(
        photo=table.apply(_photo, axis=1),
        origin=table.apply(_origin, axis=1),
        arm=table.apply(_arm, axis=1),
    )
    model = fvjax.load("squeezenet", weights=weights)
    look = jax.jit(lambda model, image: model(image)[LAYER].mean((0, 1)))
    size = (int(table["image_height"].iloc[0]), int(table["image_width"].iloc[0]))
    reference = ReferenceImages(images, size, 10**6)
    photos = np.array([look(model, jnp.asarray(x)) for batch in reference for x in batch.images])
    names = [path.name for path in reference.paths]
    pictures = np.array([look(model, _picture(row["image"])) for row in table.to_dict("records")])
    mean = photos.mean(0)
    photos, pictures = _units(photos - mean), _units(pictures - mean)
    seen = {name: i for i, name in enumerate(names)}
    own = table["photo"].map(seen)
    table["photograph"] = [
        np.nan if pd.isna(i) else _share(photos @ picture, int(i))
        for picture, i in zip(pictures, own, strict=True)
    ]
    table["neuron"] = _neurons(table, pictures)
    return table


def _neurons(table: pd.DataFrame, pictures: np.ndarray) -> list[float]:
    """How surely a picture shows its photograph's neuron, among those of all photographs."""
    single = table[(table["direction"] == "strongest") & (table["direction_count"] == 1)]
    channels = single["label"].str.rpartition(":")[2]  # several photographs may share one
    found = []
    for row, picture in zip(table.itertuples(), pictures, strict=True):
        others = single[(single["arm"] == row.arm) & (single["seed"] != row.seed)]
        mine = others[others["photo"] == row.photo]
        if mine.empty:
            found.append(np.nan)
            continue
        channel = channels[mine.index[0]]
        rivals = others[channels[others.index] != channel]
        rivals = rivals[~channels[rivals.index].duplicated()]
        alike = pictures[[mine.index[0], *rivals.index]] @ picture
        found.append(_share(alike, 0))
    return found


def _share(alike: np.ndarray, own: int) -> float:
    """Share of the others that are less alike than its own."""
    return float((np.delete(alike, own) < alike[own]).mean())


def over_directions(table: pd.DataFrame) -> pd.DataFrame:
    """Seeds averaged inside a direction; means and intervals over directions."""
    found = []
    for (arm, origin), rows in table.groupby(["arm", "origin"], sort=False):
        each = rows.groupby("label")[SHOWN].mean()
        row: dict[str, Any] = {"arm": arm, "origin": origin, "directions": len(each)}
        for name in SHOWN:
            mean, low, high = interval(each[name].dropna().to_numpy())
            row |= {name: mean, f"{name}_low": low, f"{name}_high": high}
        found.append(row)
    return pd.DataFrame(found)


def draw(means: pd.DataFrame, path: Path) -> None:
    """Draw a panel for each arm: from means of vectors to one neuron."""
    arms = list(dict.fromkeys(means["arm"]))
    across = min(len(arms), 4)
    down = -(-len(arms) // across)
    figure, axes = plt.subplots(
        down,
        across,
        figsize=(3.2 * across, 3.4 * down),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for axis in axes.flat[len(arms) :]:
        axis.set_axis_off()
    for axis, arm in zip(axes.flat, arms, strict=False):
        way = means[(means["arm"] == arm) & means["photograph"].notna()]
        way = way.sort_values("origin", key=lambda names: names.map(_step), kind="stable")
        for name in ("photograph", "neuron"):
            axis.plot(way["origin"], way[name], "o-", label=name)
            axis.fill_between(way["origin"], way[f"{name}_low"], way[f"{name}_high"], alpha=0.2)
        axis.axhline(0.5, color="grey", linewidth=0.8, linestyle=":")
        axis.set(title=arm, ylim=(0, 1.05))
        axis.tick_params(axis="x", rotation=90)
    axes[0, 0].legend(title="recognized")
    figure.savefig(path, dpi=120)


def _step(origin: str) -> int:
    """Where an origin lies on the way: means of many vectors first, one channel last."""
    words = origin.split()
    if words[0] == "mean":
        return -int(words[2])
    return 10_000 - int(words[0]) if words[0].isdigit() else 0


def _origin(row: pd.Series) -> str:
    """Name the kind of direction."""
    count = 0 if pd.isna(row["direction_count"]) else int(row["direction_count"])
    named = {"similar": f"mean of {count}", "photo": "the vector", "channel": "random channel"}
    named["strongest"] = f"{count} channel" + "s" * (count > 1)
    return named.get(row["direction"], row["direction"])


def _photo(row: pd.Series) -> str | None:
    """Return the file that the direction was read from."""
    nested = {"similar": "direction_to", "strongest": "direction_of"}.get(row["direction"])
    if nested is None:
        path = row["direction_path"] if row["direction"] == "photo" else None
    else:
        path = json.loads(row[nested])["path"]
    return None if path is None else Path(path).name


def _arm(row: pd.Series) -> str:
    """Name the objective and space."""
    power = {0: "dot", 1: "dot x cos"}.get(row["objective_exponent"])
    if row["objective"] == "cosine":
        power = "cosine"
    power = power or f"dot x cos^{row['objective_exponent']:g}"
    return power if row["space"] == "plain" else f"{power}, {row['space']}"


def _picture(image: dict[str, bytes]) -> jax.Array:
    with Image.open(io.BytesIO(image["bytes"])) as picture:
        return jnp.asarray(np.asarray(picture, np.float32) / 255)


def _units(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


if __name__ == "__main__":
    main()
