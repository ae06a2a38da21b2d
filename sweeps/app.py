"""The Hydra application: what one job does."""

import logging
import os
import sys
from pathlib import Path

import hydra
import jax
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

from sweeps.check import build_all, discard
from sweeps.finish import finish
from sweeps.launch import headline_of
from sweeps.paths import CONF
from sweeps.run import Row, run
from sweeps.table import holds_results


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def main(config: DictConfig) -> float:
    """Run one job: a sweep of one, written into the run's directory."""
    directory = Path(HydraConfig.get().runtime.output_dir)
    with open_dict(config):
        config.hydra = HydraConfig.instance().cfg.hydra  # type: ignore[union-attr]
    try:
        if holds_results(directory):
            raise ValueError(f"{directory} holds results already: choose another hydra.run.dir")
        (task,) = build_all([config], [[]])
    except ValueError as error:
        discard(directory)
        # Not an exception for Hydra, which would add lines of its own.
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    rows: list[Row] = []
    run([task], [0], directory, report=lambda place, row: rows.append(row))
    finish(directory)
    try:
        return headline_of(rows[0], task.headline)
    except RuntimeError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None


def quiet_jax() -> None:
    """Hydra logs everything at INFO; that there is no TPU is no news."""
    logging.getLogger("jax").setLevel(logging.WARNING)


def cache_programs() -> None:
    """Keep compiled programs in the user's cache folder, unless JAX is told where."""
    if jax.config.jax_compilation_cache_dir is None:  # type: ignore[attr-defined]
        home = os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")
        jax.config.update("jax_compilation_cache_dir", str(Path(home) / "fvjax" / "programs"))


cache_programs()
quiet_jax()
