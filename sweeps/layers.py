"""`python -m sweeps.layers model=...`: the layers of a network.

Prints every layer with its shape, those on the main path marked, and the names of the classes, if
the network has them. All keys are those of `python -m sweeps`; model and image_size matter.
"""

import sys
from collections.abc import Sequence

from hydra import compose, initialize_config_dir
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from fvjax.models.model import Model
from sweeps.config.command_help import help_requested
from sweeps.config.config_dirs import search_config_dirs
from sweeps.config.errors import run_cli
from sweeps.config.free_keys import allow_free_keys
from sweeps.config.paths import CONF
from sweeps.execution.jax_setup import begin
from sweeps.planning.environment import environment


def main(arguments: Sequence[str]) -> None:
    """Load the network of the config and print its layers."""
    if help_requested(arguments, __doc__):
        return
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose(
            "config",
            allow_free_keys(search_config_dirs(arguments)),
            return_hydra_config=True,
        )
    _, setup = environment(config)
    model = setup.model
    console = Console()
    console.print(layer_table(model, setup.image_size))
    console.print(f"default layer: {model.default_layer}", highlight=False, markup=False)
    if model.classes:
        console.print(class_list(model), highlight=False, markup=False)


def layer_table(model: Model, size: tuple[int, int]) -> Table:
    """Return a printable table with the shape of each layer, in forward order."""
    table = Table(box=SIMPLE, pad_edge=False)
    table.add_column("layer", overflow="fold")
    table.add_column("shape")
    table.add_column("main path")
    main = set(model.main_layers)
    for name, shape in model.shapes(size).items():
        table.add_row(name, " x ".join(map(str, shape)), "*" if name in main else "")
    return table


def class_list(model: Model) -> str:
    """List the classes with the indices that direction=logit takes."""
    named = (f"{i} {name}" for i, name in enumerate(model.classes))
    return f"classes: {', '.join(named)}"


if __name__ == "__main__":
    begin()
    sys.exit(run_cli(lambda: main(sys.argv[1:]), CONF))
