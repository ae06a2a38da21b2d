"""A job's directory and its return are those of Hydra's own `run_job`."""

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus, run_job
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict

from sweeps.config.paths import CONF
from sweeps.launcher.job_return import Replay
from sweeps.launcher.record_job import record_job

OVERRIDES = ["model=tiny", "seed=3", "direction.index=1", "recorded.tags=['1e3',yes]"]
FILES = ("config.yaml", "hydra.yaml", "overrides.yaml")


class Calls:
    """Callbacks that note what they are told, as Hydra's `Callbacks` would pass it on."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def on_job_start(self, config: DictConfig, *, task_function: Any) -> None:
        output = HydraConfig.get().runtime.output_dir
        self.told.append(("start", (config.seed, output, HydraConfig.get().job.num)))

    def on_job_end(self, config: DictConfig, job_return: JobReturn) -> None:
        self.told.append(("end", (config.seed, job_return.status)))


def config_of(directory: Path, *more: str) -> DictConfig:
    """The config of job 7, as the launcher composes it."""
    where = [f"hydra.sweep.dir={directory}", *more]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", [*OVERRIDES[:3], *where], return_hydra_config=True)
    with open_dict(config):
        config.hydra.job.id, config.hydra.job.num = "7", 7
        config.hydra.overrides.task = OVERRIDES
        config.hydra.job.name = "sweeps"
        config.hydra.runtime.cwd = str(directory)
    return config


def plain(text: str) -> Any:
    return OmegaConf.to_container(OmegaConf.create(text))


def both(tmp_path: Path, row: dict[str, Any], *more: str) -> list[tuple[JobReturn, Calls, Path]]:
    """What record_job and Hydra's run_job make of one job: results, callbacks, directories."""
    found = []
    for name in ("ours", "hydra"):
        calls, directory = Calls(), tmp_path / name
        context = HydraContext(config_loader=None, callbacks=calls)  # type: ignore[arg-type]
        task = Replay(None, row, "final_score")
        config = config_of(directory, *more)
        if name == "ours":
            result = record_job(context, config, task)
        else:
            result = run_job(task, config, "hydra.sweep.dir", "hydra.sweep.subdir", context)
        found.append((result, calls, directory))
    return found


@pytest.mark.parametrize(
    ("row", "status"),
    [
        ({"status": "ok", "final_score": 1.5}, JobStatus.COMPLETED),
        ({"status": "failed", "error": "of the test"}, JobStatus.FAILED),
    ],
)
def test_files_and_returns_are_those_of_hydra(
    row: dict[str, Any], status: JobStatus, tmp_path: Path
) -> None:
    former = HydraConfig.instance().cfg
    (ours, calls, here), (theirs, their_calls, there) = both(tmp_path, row)
    assert HydraConfig.instance().cfg is former
    assert ours.status is theirs.status is status
    assert str(ours._return_value) == str(theirs._return_value)
    assert ours.overrides == theirs.overrides == OVERRIDES
    assert (ours.task_name, ours.working_dir) == (theirs.task_name, theirs.working_dir)
    assert ours.cfg == theirs.cfg and "hydra" not in ours.cfg
    assert ours.hydra_cfg.hydra.job.num == theirs.hydra_cfg.hydra.job.num == 7
    places = [sorted(p.relative_to(d) for p in d.rglob("*")) for d in (here, there)]
    assert places[0] == places[1] and len(places[0]) == 6
    for name in FILES:
        (path,) = here.rglob(name)
        found, expected = path.read_text(), next(there.rglob(name)).read_text()
        expected = expected.replace(str(there), str(here))
        assert plain(found) == plain(expected)
    told = str(their_calls.told).replace(str(there), str(here))
    assert str(calls.told) == told and len(calls.told) == 2


def test_a_job_that_changes_the_directory_is_hydras(tmp_path: Path) -> None:
    row = {"status": "ok", "final_score": 1.5}
    (ours, _, here), (theirs, _, _) = both(tmp_path, row, "hydra.job.chdir=true")
    assert ours.return_value == theirs.return_value == 1.5
    assert Path(str(ours.working_dir)).is_relative_to(here)
