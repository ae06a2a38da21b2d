"""A sweep into an S3 bucket, on a server of this machine: killed, refused, resumed, read."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from moto.server import ThreadedMotoServer

import sweeps
from sweeps.results.parts import set_aside
from sweeps.storage.atomic import write_durably
from sweeps.storage.location import file_sizes, locate
from sweeps.storage.url_lock import STALE
from sweeps.storage.url_path import URLPath

pytestmark = pytest.mark.slow

SWEEP = ["-m", "model=tiny", "objective=dot,cosine", "seed=range(0,8)", "steps=3", "metrics=none"]
SWEEP += ["hydra.launcher.batch_size=2"]
OTHERWISE = ["seconds", "compile_seconds", "attempt"]  # columns that tell of the run, not the job


@pytest.fixture(scope="module")
def bucket() -> Iterator[URLPath]:
    """An empty bucket; processes of this one find its server too."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        url = locate("s3://bucket")
        assert isinstance(url, URLPath)
        url.file_system.mkdir("bucket")
        yield url
    server.stop()


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "sweeps", *SWEEP, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def said(process: subprocess.Popen[str], status: int) -> str:
    output = process.communicate(timeout=300)[0]
    assert process.returncode == status, output
    return output


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    for _ in range(3000):
        if condition():
            return
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def test_a_killed_sweep_is_resumed_in_the_bucket(bucket: URLPath, tmp_path: Path) -> None:
    url = bucket / "sweep"
    there = (f"hydra.launcher.results={url}",)
    first = start(tmp_path, *there)
    wait_until(lambda: any(url.glob(".lock-*")), first)
    os.kill(first.pid, signal.SIGSTOP)  # it holds the lock, and does not end meanwhile
    refused = said(start(tmp_path, *there), 1)
    assert f"{url} is being written by another process" in refused and str(first.pid) in refused
    os.kill(first.pid, signal.SIGCONT)
    wait_until(lambda: bool(file_sizes(url / "parts")), first)
    first.kill()
    first.communicate()
    killed, partial = time.monotonic(), sweeps.load(str(url))
    assert 0 < len(partial) < 16

    resume = (*there, "hydra.launcher.resume=true")
    assert "is being written by another process" in said(start(tmp_path, *resume), 1)
    said(start(tmp_path, "hydra.sweep.dir=local", "hydra.launcher.job_dirs=false"), 0)
    time.sleep(max(0.0, killed + STALE + 3 - time.monotonic()))
    output = said(start(tmp_path, *resume), 0)
    assert "this process takes over" in output and f"{len(partial)} finished before" in output
    assert {"results.parquet", "report.html", "sheet.png"} <= {*file_sizes(url)}
    assert not file_sizes(url / "parts") and len(file_sizes(url / "images")) == 16

    local = tmp_path / "local"
    table, here = (sweeps.load(place).drop(columns=OTHERWISE) for place in (url, local))
    pd.testing.assert_frame_equal(table, here, check_exact=True)
    pd.testing.assert_frame_equal(
        sweeps.load_history(url), sweeps.load_history(local), check_exact=True
    )
    for name in file_sizes(url / "images"):
        assert (url / "images" / name).read_bytes() == (local / "images" / name).read_bytes()
    for command in (["report"], ["compare", "--metric", "final_score"]):
        name, *options = command
        words = [sys.executable, "-m", "sweeps", name, str(url), *options]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0 and f"{url}/" in done.stdout, done.stderr
    assert "compare_objective.csv" in file_sizes(url)
    columns = sweeps.load(str(url), columns=["job", "final_score"])
    pd.testing.assert_frame_equal(columns, table[["job", "final_score"]])


def test_workers_write_into_the_bucket(bucket: URLPath, tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="needs submitit")
    url = bucket / "workers"
    engine = ("engine=submitit", "engine.cluster=local", "engine.workers=2")
    alone = ("hydra.sweep.dir=local", "hydra.launcher.job_dirs=false", "seed=0,1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_NUM_CPU_DEVICES", "1")  # the driver's number is its workers' too
        said(start(tmp_path, f"hydra.launcher.results={url}", "seed=0,1", *engine), 0)
        said(start(tmp_path, *alone), 0)
    table, here = (sweeps.load(p).drop(columns=OTHERWISE) for p in (url, tmp_path / "local"))
    assert len(table) == 4 and not file_sizes(url / "parts")
    pd.testing.assert_frame_equal(table, here, check_exact=True)


def test_a_damaged_file_is_set_aside(bucket: URLPath) -> None:
    url = bucket / "damaged"
    path = url / "parts" / "results-0001-0-cut.parquet"
    write_durably(path, b"half of a part")
    set_aside(url, {path: "it is cut"})
    assert list(file_sizes(url / "parts")) == [] and len(file_sizes(url / "parts" / "bad")) == 1


def test_a_bucket_that_does_not_exist_is_refused(bucket: URLPath, tmp_path: Path) -> None:
    url = "s3://nobody-has-this/sweep"
    output = said(start(tmp_path, f"hydra.launcher.results={url}"), 1)
    assert f"error: cannot write into {url}: The specified bucket does not exist" in output
    assert not any(tmp_path.iterdir())
