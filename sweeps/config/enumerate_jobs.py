"""The composed configs of a command line, for commands that are not Hydra applications."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from sweeps.config.fast_compose import Composer
from sweeps.config.free_keys import allow_free_keys
from sweeps.config.grids import expand
from sweeps.config.paths import CONF
from sweeps.config.several import split_options


@dataclass(frozen=True)
class Jobs:
    """The jobs of a sweep, and the config that they share.

    Attributes:
        master: the config of the command line without the jobs' overrides.
        overrides: the overrides of each job.
        configs: the `Composed` config of each job, or the error that composing it raised.
    """

    master: DictConfig
    overrides: list[list[str]]
    configs: list[Any]


def jobs_of(arguments: Sequence[str]) -> Jobs:
    """Compose the jobs that `python -m sweeps -m ARGUMENTS` would run."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        free = split_options(allow_free_keys(arguments))
        master = loader.load_configuration("config", free, RunMode.MULTIRUN)
        sweeper: Any = OmegaConf.to_container(master.hydra.sweeper, resolve=True)
        task = [str(one) for one in master.hydra.overrides.task]
        overrides = expand(sweeper["grids"], sweeper["params"], task, loader, sweeper["cross_with"])
        composer = Composer(loader)
        configs = [attempt(composer.compose, master, one) for one in overrides]
    return Jobs(master, overrides, configs)


def attempt(compose: Callable[..., object], *arguments: object) -> Any:
    """Return the config, or the error that composing it raised, for `build_all` to report."""
    try:
        return compose(*arguments)
    except Exception as error:
        return error
