"""The Hydra application: what one job does."""

import sys
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, open_dict

from sweeps.check import build_all, discard
from sweeps.finish import finish
from sweeps.launch import headline_of
from sweeps.lock import locked
from sweeps.paths import CONF
from sweeps.run import Row, run
from sweeps.startup import begin
from sweeps.table import holds_results


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def main(config: DictConfig) -> float:
    """Run one job: a sweep of one, written into the run's directory."""
    directory = Path(HydraConfig.get().runtime.output_dir)
    with open_dict(config):
        config.hydra = HydraConfig.instance().cfg.hydra  # type: ignore[union-attr]
    try:
        (task,) = build_all([config], [[]])
    except ValueError as error:
        discard(directory)
        refuse(error)
    rows: list[Row] = []
    try:
        with locked(directory):
            run([task], [0], directory, report=rows.append)
            finish(directory)
        return headline_of(rows[0], task.headline)
    except (ValueError, RuntimeError) as error:
        refuse(error)


class Guard(Callback):
    """Refuses a run into a directory of results before Hydra writes into it."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Called by Hydra."""
        directory = Path(config.hydra.run.dir)
        if holds_results(directory):
            refuse(f"{directory} holds results already: choose another hydra.run.dir")


def refuse(error: object) -> NoReturn:
    """End the application; no exception, to which Hydra would add lines of its own."""
    print(f"error: {error}", file=sys.stderr)
    raise SystemExit(1)


begin()
