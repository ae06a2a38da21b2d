"""The same sweep inline, on Ray and on submitit: equal tables, whoever is killed meanwhile."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT

import sweeps
from sweeps.results.parts import holds_results

SWEEP = (
    *("-m", "model=tiny", "objective=dot,cosine", "seed=range(0,8)", "metrics=none"),
    *("hydra.launcher.batch_size=2", "hydra.launcher.job_dirs=false"),
)
STEPS = "steps=64"
LONG = "steps=400"  # long enough that whoever shall be killed is killed at work
PATIENCE = 400  # seconds; a worker's start takes half a minute on a busy machine
OF_MACHINE = ("seconds", "compile_seconds", "attempt", "device")
ENGINES = {"ray": ("engine=ray",), "submitit": ("engine=submitit", "engine.cluster=local")}
engines = pytest.mark.parametrize("engine", ENGINES)

SLURM = ROOT / "tests" / "data" / "slurm"


def environment(**more: str) -> dict[str, str]:
    own = {
        "JAX_NUM_CPU_DEVICES": "1",
        "RAY_AUTH_MODE": "disabled",
        "SUBMITIT_PREEMPT_SIGNAL": "TERM",
    }
    return {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | own | more


def start(folder: Path, *arguments: str, **more: str) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    with (folder / "said").open("a") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "sweeps", *SWEEP, *arguments],
            cwd=folder,
            env=environment(**more),
            stdout=said,
            stderr=said,
            text=True,
            start_new_session=True,  # a signal to the group is a Ctrl-C at its terminal
        )


def run(folder: Path, *arguments: str, status: int = 0, **more: str) -> pd.DataFrame:
    process = start(folder, "hydra.sweep.dir=sweep", *arguments, **more)
    try:
        code = process.wait(PATIENCE)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert code == status, (folder / "said").read_text()[-3000:]
    return sweeps.load(folder / "sweep")


def wait_until(true: Callable[[], object], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert process.poll() is None and time.monotonic() < end
        threading.Event().wait(0.05)


def workers_of(process: subprocess.Popen[str], engine: str) -> list[int]:
    """Return the processes of a driver's workers."""
    marks = {"ray": "ray::_Actor", "submitit": "submitit.core._submit"}
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if marks[engine] in command and process.pid in ancestors(int(path.name)):
                found.append(int(path.name))
    return sorted(found)


def catches_sigterm(pid: int) -> bool:
    """Return whether a process has a handler for SIGTERM, as workers have that run jobs."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it has ended
        return False
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


def ancestors(pid: int) -> set[int]:
    found: set[int] = set()
    while pid > 1:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        pid = int(fields[1])
        found.add(pid)
    return found


def assert_equal(found: pd.DataFrame, wanted: pd.DataFrame) -> None:
    assert list(found["job_id"]) == list(wanted["job_id"]) and len(found) == 16
    assert set(found.columns) == set(wanted.columns) and set(found["status"]) == {"ok"}
    for column in found.columns.drop([*OF_MACHINE, "image"]):
        pd.testing.assert_series_equal(found[column], wanted[column])
    bytes_of = [[image["bytes"] for image in table["image"]] for table in (found, wanted)]
    assert bytes_of[0] == bytes_of[1]


@pytest.fixture(scope="module")
def inline(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """The tables of the sweep in one process."""
    folder = tmp_path_factory.mktemp("inline")
    return {steps: run(folder / steps, steps) for steps in (STEPS, LONG)}


@pytest.fixture(autouse=True)
def _installed(request: pytest.FixtureRequest) -> None:
    parameters = getattr(request.node, "callspec", None)
    name = parameters.params.get("engine", "submitit") if parameters else "submitit"
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed: pip install 'fvjax[{name}]'")


def begin_sweep(folder: Path, engine: str) -> tuple[tuple[str, ...], subprocess.Popen[str]]:
    """Start the long sweep on two workers, and wait until it has written rows."""
    keys = (LONG, *ENGINES[engine], "engine.workers=2")
    process = start(folder, "hydra.sweep.dir=sweep", *keys)
    wait_until(lambda: holds_results(folder / "sweep"), process)
    return keys, process


@engines
def test_two_workers_make_the_table_of_one_process(
    engine: str, tmp_path: Path, inline: dict[str, pd.DataFrame]
) -> None:
    found = run(tmp_path / "it", STEPS, *ENGINES[engine], "engine.workers=2")
    assert_equal(found, inline[STEPS])
    histories = sweeps.load_history(tmp_path / "it" / "sweep")
    assert len(histories) == 16 * 64
    said = (tmp_path / "it" / "said").read_text()
    assert f"16 run, 0 finished before; 2 programs on 2 workers ({engine})" in said
    assert "16/16 jobs" in said and not (tmp_path / "it" / "sweep" / "workers").exists()


@pytest.mark.parametrize(
    ("engine", "number"),
    [("ray", signal.SIGKILL), ("submitit", signal.SIGKILL), ("submitit", signal.SIGTERM)],
)
def test_a_worker_that_is_killed_costs_nothing(
    engine: str, number: int, tmp_path: Path, inline: dict[str, pd.DataFrame]
) -> None:
    folder = tmp_path / "it"
    _, process = begin_sweep(folder, engine)
    if number == signal.SIGTERM:  # which ends a worker at once that runs no jobs
        wait_until(lambda: any(map(catches_sigterm, workers_of(process, engine))), process)
    victims = workers_of(process, engine)
    victim = next(filter(catches_sigterm, victims), victims[0])
    os.kill(victim, number)
    assert process.wait(PATIENCE) == 0, (folder / "said").read_text()[-3000:]
    said = (folder / "said").read_text()
    assert "a worker lost jobs, which go out again: " in said
    assert (number == signal.SIGTERM) == ("the worker was interrupted (SIGTERM)" in said)
    assert_equal(sweeps.load(folder / "sweep"), inline[LONG])


@engines
def test_a_driver_that_is_killed_loses_nothing(
    engine: str, tmp_path: Path, inline: dict[str, pd.DataFrame]
) -> None:
    folder = tmp_path / "it"
    keys, process = begin_sweep(folder, engine)
    process.kill()
    process.wait()
    before = set(sweeps.load(folder / "sweep")["job_id"])
    found = run(folder, *keys, "hydra.launcher.resume=true")
    assert_equal(found, inline[LONG])
    said = (folder / "said").read_text()
    assert "a worker lost jobs" not in said  # those of the dead driver take nothing of the new
    kept = found[found["job_id"].isin(before)]
    assert 0 < len(before) < 16 and set(kept["attempt"]) == {1} and set(found["attempt"]) == {1, 2}


@engines
def test_ctrl_c_keeps_what_is_in_flight_and_says_how_to_go_on(
    engine: str, tmp_path: Path, inline: dict[str, pd.DataFrame]
) -> None:
    folder = tmp_path / "it"
    keys, process = begin_sweep(folder, engine)
    workers, before = workers_of(process, engine), len(sweeps.load(folder / "sweep"))
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(PATIENCE) == 130, (folder / "said").read_text()[-3000:]
    said = (folder / "said").read_text()
    assert "to go on: python -m sweeps -m model=tiny" in said and "Traceback" not in said
    assert workers and not any(is_alive(worker) for worker in workers)
    rows, kept = sweeps.load(folder / "sweep"), list((folder / "sweep/checkpoints").glob("*.npz"))
    assert before <= len(rows) < 16 and (kept or before < len(rows))
    found = run(folder, *keys, "hydra.launcher.resume=true")
    assert_equal(found, inline[LONG])


def is_alive(pid: int) -> bool:
    for _ in range(200):  # a process that has ended is gone some time after its signal
        try:
            if "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
                return False
        except OSError:
            return False
        threading.Event().wait(0.1)
    return True


def test_the_driver_starts_no_accelerator_and_a_worker_without_one_is_refused(
    tmp_path: Path,
) -> None:
    """A process that starts JAX's platform cuda fails where there is no GPU."""
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has a GPU")
    keys = (*ENGINES["submitit"], "engine.workers=1", "engine.gpus_per_worker=1")
    process = start(tmp_path / "it", STEPS, *keys, "hydra.sweep.dir=sweep", JAX_PLATFORMS="cuda")
    assert process.wait(PATIENCE) == 1
    said = (tmp_path / "it" / "said").read_text()
    assert "16 jobs in 2 programs; sweep" in said and "Traceback" not in said
    assert "error: the worker on " in said and "JAX cannot start the platform cuda" in said
    assert "to begin again: python -m sweeps" in said or "to go on: python -m sweeps" in said


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Commands with the names and answers of Slurm's, which run jobs on this machine."""
    state = tmp_path / "state"
    yield {"PATH": f"{SLURM}{os.pathsep}{os.environ['PATH']}", "FAKE_SLURM": str(state)}
    for file in state.glob("*.pid"):
        with contextlib.suppress(OSError):
            os.killpg(int(file.read_text()), signal.SIGKILL)


def test_workers_are_one_array_of_slurm_jobs(
    tmp_path: Path, slurm: dict[str, str], inline: dict[str, pd.DataFrame]
) -> None:
    parameters = ("engine.parameters.slurm_partition=gpu", "engine.parameters.mem_gb=4")
    keys = ("engine=submitit", *parameters, "hydra.sweep.dir=sweep")
    process = start(tmp_path / "it", LONG, *keys, **slurm)
    sweep, state = tmp_path / "it" / "sweep", Path(slurm["FAKE_SLURM"])
    wait_until(lambda: holds_results(sweep), process)
    (script,) = state.glob("script-*")
    lines = script.read_text().splitlines()
    for line in ("--partition=gpu", "--mem=4GB", "--cpus-per-task=1", "--signal=TERM@90"):
        assert f"#SBATCH {line}" in lines
    assert any(line.startswith("#SBATCH --array=0-1") for line in lines)
    (victim,) = state.glob("*_0.pid")
    os.killpg(int(victim.read_text()), signal.SIGKILL)
    assert process.wait(PATIENCE) == 0, (tmp_path / "it" / "said").read_text()[-3000:]
    assert_equal(sweeps.load(sweep), inline[LONG])
    said = (tmp_path / "it" / "said").read_text()
    assert "the worker ended as NODE_FAIL (submitit's job " in said


def test_a_running_ray_cluster_of_two_nodes_is_used(
    tmp_path: Path, inline: dict[str, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="ray is not installed: pip install 'fvjax[ray]'")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 10**8, "include_dashboard": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray forks, and leaves files open
        cluster = Cluster(initialize_head=True, head_node_args=node)
        try:
            cluster.add_node(num_cpus=1, object_store_memory=10**8)
            cluster.wait_for_nodes()
            address = f"engine.address={cluster.address}"
            found = run(tmp_path / "it", STEPS, "engine=ray", address)
        finally:
            cluster.shutdown()
    assert_equal(found, inline[STEPS])
    assert "2 programs on 2 workers (ray)" in (tmp_path / "it" / "said").read_text()
