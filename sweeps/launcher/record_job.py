"""A job that has run, recorded as Hydra records it: a directory with its config, a log, callbacks.

Hydra's `run_job` copies the config of Hydra three times and writes YAML in pure Python. A directory
then costs twice as much CPU time as here (docs/development/performance.md).
"""

import os
from pathlib import Path
from typing import Any

import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobRuntime, JobStatus, configure_log, run_job
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf._utils import get_omega_conf_dumper

from sweeps.launcher.job_return import Replay


class _Dumper(getattr(yaml, "CDumper", yaml.Dumper)):  # type: ignore[misc]
    """Writes YAML in C where PyYAML was built with it, and quotes strings as OmegaConf does."""


_Dumper.add_representer(str, get_omega_conf_dumper().str_representer)


def record_job(context: HydraContext, config: DictConfig, task: Replay) -> JobReturn:
    """Return what Hydra's `run_job` returns, and leave the same files in the job's directory.

    Args:
        context: Hydra's, with the callbacks.
        config: of the job, which nobody else uses; `hydra.job` has its number. The returned
            `hydra_cfg` is this config, which holds more than `hydra`.
        task: returns the recorded metric.
    """
    if config.hydra.job.chdir or config.hydra.job.env_set:
        return run_job(task, config, "hydra.sweep.dir", "hydra.sweep.subdir", context)
    former = HydraConfig.instance().cfg
    HydraConfig.instance().cfg = config  # type: ignore[assignment]
    try:
        place = os.path.join(str(config.hydra.sweep.dir), str(config.hydra.sweep.subdir))
        directory = Path(os.path.abspath(place))  # `Path.absolute` would leave dots in it
        with read_write(config.hydra.runtime), open_dict(config.hydra.runtime):
            config.hydra.runtime.output_dir = str(directory)
        OmegaConf.set_readonly(config.hydra, True)
        result = _begin(config)
        _write(config, result, directory)
        context.callbacks.on_job_start(config=config, task_function=task)
        try:
            result.return_value, result.status = task(config), JobStatus.COMPLETED
        except Exception as error:  # whatever the job raised
            result.return_value, result.status = error, JobStatus.FAILED
        context.callbacks.on_job_end(config=config, job_return=result)
        return result
    finally:
        HydraConfig.instance().cfg = former


def _begin(config: DictConfig) -> JobReturn:
    """Return the result before the job ran."""
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    OmegaConf.set_struct(own, OmegaConf.is_struct(config))
    return JobReturn(
        overrides=[str(override) for override in config.hydra.overrides.task],
        cfg=own,
        hydra_cfg=config,
        working_dir=os.getcwd(),
        task_name=JobRuntime.instance().get("name"),
    )


def _write(config: DictConfig, result: JobReturn, directory: Path) -> None:
    """Make the directory, the log and the three files of configs."""
    directory.mkdir(parents=True, exist_ok=True)
    configure_log(config.hydra.job_logging, config.hydra.verbose)
    if config.hydra.output_subdir is None:
        return
    folder = directory / config.hydra.output_subdir
    folder.mkdir(exist_ok=True)
    contents = {
        "config.yaml": _plain(result.cfg),
        "hydra.yaml": {"hydra": _plain(config.hydra)},
        "overrides.yaml": _plain(config.hydra.overrides.task),
    }
    for name, content in contents.items():
        with (folder / name).open("w", encoding="utf-8") as file:
            yaml.dump(content, file, _Dumper, allow_unicode=True, sort_keys=False)


def _plain(config: Any) -> Any:
    return OmegaConf.to_container(config, enum_to_str=True)
