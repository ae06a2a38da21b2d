"""The Hydra application: what one job does."""

import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import hydra
import jax
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, open_dict

from sweeps.check import build_all, discard
from sweeps.finish import finish
from sweeps.launch import headline_of
from sweeps.lock import locked
from sweeps.paths import CONF
from sweeps.run import Row, run
from sweeps.store import cache
from sweeps.table import holds_results

_MOST_CPU_DEVICES = 8


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
        _refuse(error)
    rows: list[Row] = []
    try:
        with locked(directory):
            run([task], [0], directory, report=rows.append)
            finish(directory)
        return headline_of(rows[0], task.headline)
    except (ValueError, RuntimeError) as error:
        _refuse(error)


class Guard(Callback):
    """Refuses a run into a directory of results before Hydra writes into it."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Called by Hydra."""
        directory = Path(config.hydra.run.dir)
        if holds_results(directory):
            _refuse(f"{directory} holds results already: choose another hydra.run.dir")


def _refuse(error: object) -> NoReturn:
    """End the application; no exception, to which Hydra would add lines of its own."""
    print(f"error: {error}", file=sys.stderr)
    raise SystemExit(1)


def quiet_jax() -> None:
    """Hydra logs everything at INFO; that there is no TPU is no news."""
    logging.getLogger("jax").setLevel(logging.WARNING)


def cache_programs() -> None:
    """Keep compiled programs in the user's cache folder, unless JAX is told where."""
    if jax.config.jax_compilation_cache_dir is None:  # type: ignore[attr-defined]
        jax.config.update("jax_compilation_cache_dir", str(cache() / "programs"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)


def use_cores() -> None:
    """A device for each core: jobs side by side use the cores better than one layer of one job.

    XLA would otherwise give one device all cores (1.3 times slower on two, docs/performance.md).
    """
    chosen = jax.config.jax_num_cpu_devices != -1  # type: ignore[attr-defined]
    if chosen or "host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
        return
    with suppress(RuntimeError):  # JAX runs already, with the devices it has
        jax.config.update("jax_num_cpu_devices", min(os.cpu_count() or 1, _MOST_CPU_DEVICES))


cache_programs()
quiet_jax()
use_cores()
