"""The group `engine`: what is refused first, and workers that must be as their driver."""

import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import App, composed
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf

import sweeps
from sweeps.config.engine import engine_settings
from sweeps.config.fast_compose import Composer
from sweeps.config.paths import CONF
from sweeps.execution.engines.engine import Work, events_of
from sweeps.execution.jax_setup import MOST_CPU_DEVICES
from sweeps.execution.portions import Event, Portion, Portions
from sweeps.launcher import engines, on_workers
from sweeps.launcher.engines import devices_of_worker
from sweeps.launcher.worker import Worker
from sweeps.planning.build import build

QUICK = ("-m", "model=tiny", "steps=2", "metrics=none", "hydra.sweep.dir=some")


class EngineHere:
    """An engine whose one worker is this process; the first portions may be lost."""

    workers = 2

    def __init__(self, losses: int = 0) -> None:
        self.losses = losses
        self.portions: list[Portion] = []

    def run(self, begin: Callable[[], Work], portions: Portions) -> Iterator[tuple[Portion, Event]]:
        outer = GlobalHydra.instance()
        former, outer.hydra = outer.hydra, None  # elsewhere the worker's is the only one
        worker = Worker(begin.args[0])  # type: ignore[attr-defined]
        GlobalHydra.set_instance(outer)
        outer.hydra = former
        while (portion := portions.take()) is not None:
            self.portions.append(portion)
            if self.losses:
                self.losses -= 1
                yield portion, Event(lost="NODE_FAIL")
                continue
            for event in events_of(lambda: worker, portion):
                yield portion, event


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> EngineHere:
    engine = EngineHere()
    monkeypatch.setattr(on_workers, "start_engine", lambda *_: engine)
    monkeypatch.setattr("sweeps.launcher.callbacks.prepare_driver", lambda settings: None)
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "2")  # as the tests' own
    return engine


def test_the_engine_is_part_of_neither_the_id_nor_the_table() -> None:
    tasks = [build(composed("model=tiny", f"engine={name}")) for name in ("inline", "ray")]
    assert tasks[0].job_id == tasks[1].job_id
    assert tasks[0].columns == tasks[1].columns
    assert not any(name.startswith("engine") for name in tasks[0].columns)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("engine=inline,ray",), "engine=inline: a sweep has one engine, which its command names"),
        (("engine=ray", "engine.workers=1,2"), "engine.workers=1: a sweep has one engine"),
        (("engine=dask",), "engine has no option 'dask'"),
        (("engine.name=ray",), "engine.name=ray: choose the engine by engine=ray"),
        (("engine=ray", "engine.workers=0"), "engine.workers"),
        (("engine=submitit", "engine.cpus_per_worker=x"), "engine.cpus_per_worker"),
        (("engine=submitit", "engine.workers=null"), "engine.workers"),
    ],
)
def test_a_wrong_engine_is_one_sentence_before_anything_is_written(
    overrides: tuple[str, ...],
    message: str,
    app: App,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert app(*QUICK, *overrides) == 1
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
    assert message in line and not (tmp_path / "some").exists()


def test_an_absent_package_is_one_sentence(
    app: App, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    assert app(*QUICK, "engine=ray") == 1
    assert "pip install 'fvjax[ray]'" in capsys.readouterr().err


def test_one_job_and_a_sweep_from_python_have_no_workers(
    app: App, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert app("model=tiny", "engine=ray") == 1
    assert "engine=ray starts workers, and one job needs none" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"engine=submitit starts workers, and sweeps\.run runs"):
        sweeps.run(["engine=submitit", "model=tiny"], directory=tmp_path / "here")


def test_devices_of_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAX_NUM_CPU_DEVICES", raising=False)
    settings = {"gpus_per_worker": 0, "cpus_per_worker": 3}
    assert devices_of_worker(settings) == 3
    assert devices_of_worker(settings | {"cpus_per_worker": 64}) == MOST_CPU_DEVICES
    assert devices_of_worker(settings | {"gpus_per_worker": 4}) == 4
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "2")
    assert devices_of_worker(settings) == 2


def test_a_config_without_the_group_runs_inline() -> None:
    assert engine_settings(OmegaConf.create({"model": {}})) == {"name": "inline"}


@pytest.mark.slow
def test_workers_make_the_same_table_and_what_they_lose_is_made_again(
    app: App, tmp_path: Path, here: EngineHere
) -> None:
    sweep = ("objective=dot,cosine", "seed=range(0,7)", "hydra.launcher.batch_size=2")
    assert app(*QUICK, *sweep) == 0
    here.losses = 2
    assert app(*QUICK[:-1], *sweep, "hydra.sweep.dir=other", "engine=ray") == 0
    assert len({portion.name for portion in here.portions}) == len(here.portions) > 8
    assert all(portion.batch_size == 2 for portion in here.portions)
    tables = [sweeps.load(tmp_path / name) for name in ("some", "other")]
    for column in tables[0].columns.drop(["seconds", "compile_seconds"]):
        assert list(tables[0][column].astype(str)) == list(tables[1][column].astype(str)), column
    histories = [sweeps.load_history(tmp_path / name) for name in ("some", "other")]
    assert histories[0].equals(histories[1])
    assert not (tmp_path / "other" / "workers").exists()
    assert (tmp_path / "other" / "13" / ".hydra" / "config.yaml").is_file()


def test_any_value_of_a_key_of_the_engine_is_taken(app: App, here: EngineHere) -> None:
    keys = ("engine=ray", "engine.address=192.0.2.2:6379", "engine.arguments.namespace='a b,c'")
    assert app(*QUICK, "seed=0", *keys) == 0


def test_workers_find_options_in_the_users_own_folder(
    app: App, tmp_path: Path, here: EngineHere
) -> None:
    (tmp_path / "mine" / "transform").mkdir(parents=True)
    text = (CONF / "transform" / "jitter.yaml").read_text()
    (tmp_path / "mine" / "transform" / "shaky.yaml").write_text(text)
    own = ("--config-dir", "mine")
    assert app(*own, *QUICK, "seed=0", "transform=shaky", "engine=ray") == 0
    assert list(sweeps.load(tmp_path / "some")["transform"]) == ["shaky"]


def test_a_worker_that_finds_other_ids_ends_the_sweep_with_both(
    app: App,
    tmp_path: Path,
    here: EngineHere,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def other_ids(*arguments: Any) -> Any:
        portions, programs = on_workers_make(*arguments)
        return [replace(one, job_ids=["v3-other"] * len(one.job_ids)) for one in portions], programs

    on_workers_make = on_workers.make_portions
    monkeypatch.setattr(on_workers, "make_portions", other_ids)
    assert app(*QUICK, "seed=0,1", "engine=ray") == 1
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
    assert "job 0 is v3-other for the driver and v3-" in line
    assert "to go on: python -m sweeps" in line or "to begin again: python -m sweeps" in line


def test_a_job_that_no_worker_can_run_is_a_row(
    app: App, tmp_path: Path, here: EngineHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.losses = 2
    assert app(*QUICK, "engine=ray", "seed=0") == 1  # all jobs failed
    (row,) = sweeps.load(tmp_path / "some").to_dict("records")
    assert row["status"] == "failed" and row["error"] == "NODE_FAIL (twice)"
    assert app(*QUICK, "engine=ray", "seed=0", "hydra.launcher.resume=true") == 0
    (row,) = sweeps.load(tmp_path / "some").to_dict("records")
    assert row["status"] == "ok" and row["attempt"] == 2


def test_a_driver_that_has_stopped_stops_its_workers(
    app: App, tmp_path: Path, here: EngineHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the driver: the worker sees it between two segments and keeps what is done."""
    seen: list[Event] = []

    def record(self: Portions, portion: Portion, event: Event) -> Any:
        if event.rows and not seen:
            seen.append(event)
            signal.raise_signal(signal.SIGINT)
        return recorded(self, portion, event)

    recorded = Portions.record
    monkeypatch.setattr(Portions, "record", record)
    # A shell that starts the tests in its background lets them ignore Ctrl-C.
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert app(*QUICK, "engine=ray", "seed=range(0,40)", "hydra.launcher.batch_size=2") == 130
    finally:
        signal.signal(signal.SIGINT, former)
    monkeypatch.setattr(Portions, "record", recorded)
    rows = sweeps.load(tmp_path / "some")
    assert 0 < len(rows) < 40
    resume = ("engine=ray", "seed=range(0,40)", "hydra.launcher.resume=true")
    assert app(*QUICK, *resume) == 0
    rows = sweeps.load(tmp_path / "some")
    assert len(rows) == 40 and set(rows["batch_size"]) == {2}


def test_settings_of_the_engine_leave_composing_quick() -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        master = loader.load_configuration("config", ["model=tiny"], RunMode.MULTIRUN)
        composer, keys = Composer(loader), ["engine=submitit", "engine.workers=3"]
        for seed in range(6):
            job = composer.compose(master, ["model=tiny", *keys, f"seed={seed}"])
            assert job.values["seed"] == seed and "engine" not in job.values
    assert composer.quick == 4
