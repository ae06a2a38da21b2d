"""Compute the statistics of layers on reference images; print condition numbers and outliers.

`python -m sweeps.statistics model=... layer=a,b reference_images=FOLDER` streams the reference
images through the network and keeps the statistics in the user's cache folder, where sweeps find
them; prints a table of condition numbers, and the layers' outlier channels. `layer=main` takes
every layer of the main path; `out=FILE.npz` also writes them into a file, which
`reference_images=FILE.npz` reads where the images are not. All other keys are those of
`python -m sweeps`.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from fvjax import checks
from fvjax.reference.activation_statistics import ReferenceStatistics
from fvjax.reference.covariance import condition, rank, shrunk
from sweeps.config.command_help import help_requested
from sweeps.config.config_dirs import search_config_dirs
from sweeps.config.errors import run_cli
from sweeps.config.free_keys import allow_free_keys
from sweeps.config.paths import CONF
from sweeps.execution.jax_setup import begin
from sweeps.planning.environment import environment
from sweeps.planning.statistics_file import save_statistics

_SHRUNK = ("cross_validated", "ledoit_wolf")
# A channel is an outlier if its root mean square is this many times the median channel's. Dettmers
# et al. 2022 (LLM.int8) call features of magnitude 6 outliers, in layers whose typical one is 1.
_OUTLIER = 6.0
_MOST_OUTLIERS = 5  # named for each layer


def main(arguments: Sequence[str]) -> None:
    """Compute the statistics, print the table and write the file."""
    if help_requested(arguments, __doc__):
        return
    arguments = allow_free_keys(search_config_dirs(arguments))
    layers, outs = (
        [a.removeprefix(key) for a in arguments if a.startswith(key)] for key in ("layer=", "out=")
    )
    others = [a for a in arguments if not a.startswith(("layer=", "out="))]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", others, return_hydra_config=True)
    _, setup = environment(config)
    model, reference = setup.model, setup.require_reference("python -m sweeps.statistics")
    names = ",".join(layers or [setup.layer]).split(",")
    if names == ["main"]:
        names = [name for name in model.main_layers if name != "image"]
    for name in names:
        checks.choice("layer", name, model.layers)
    if outs and not outs[-1].endswith(".npz"):
        raise ValueError(f"out must be a .npz file, got {outs[-1]}")
    reference.collect(names)
    console = Console()
    console.print(table([layer_row(reference, name) for name in names]))
    for name in names:
        if line := outliers(reference, name):
            console.print(line, soft_wrap=True, highlight=False, markup=False)
    if outs:
        save_statistics(reference, names, Path(outs[-1]))
        console.print(outs[-1], soft_wrap=True, highlight=False, markup=False)


def layer_row(reference: ReferenceStatistics, layer: str) -> dict[str, Any]:
    """Return size, rank and condition number of a layer's covariance, unshrunk and shrunk."""
    statistics = reference.statistics(layer)
    covariance = statistics.covariance
    row = {
        "layer": layer,
        "channels": statistics.channels,
        "images": statistics.images,
        "positions": int(statistics.count.sum()),
        "rank": rank(covariance),
        "condition": condition(covariance),
    }
    for how in _SHRUNK:
        try:
            amount = reference.shrinkage(layer, how)  # type: ignore[arg-type]
        except ValueError:  # a file of statistics holds no vectors
            row[how.replace("_", " ")] = ""
            continue
        row[how.replace("_", " ")] = f"{condition(shrunk(covariance, amount)):.3g} ({amount:.2g})"
    return row


def outliers(reference: ReferenceStatistics, layer: str) -> str:
    """Return a line that names the channels far stronger than a layer's others, or ""."""
    statistics = reference.statistics(layer)
    strength = np.sqrt(np.diag(statistics.covariance) + statistics.mean**2)
    median = float(np.median(strength))
    if not median:
        return ""
    ratio = strength / median
    order = [int(i) for i in np.argsort(-ratio) if ratio[i] >= _OUTLIER]
    if not order:
        return ""
    named = ", ".join(
        f"{channel} ({ratio[channel]:.0f} times)" for channel in order[:_MOST_OUTLIERS]
    )
    more = f" and {len(order) - _MOST_OUTLIERS} more" if len(order) > _MOST_OUTLIERS else ""
    return (
        f"{layer}: {len(order)} outlier channels, by root mean square over the median channel's: "
        f"{named}{more}"
    )


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return a printable table of the layers."""
    title = "condition of the covariance: as it is, and shrunk (by how much)"
    shown = Table(*rows[0], title=title, box=SIMPLE, pad_edge=False)
    for row in rows:
        shown.add_row(*(f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()))
    return shown


if __name__ == "__main__":
    begin()
    sys.exit(run_cli(lambda: main(sys.argv[1:]), CONF))
