"""What the README and the examples promise runs as printed."""

import io
import re
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT


def test_the_readmes_library_example_runs() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    names: dict[str, object] = {}
    exec(block.replace("exponent=2)", "exponent=2), steps=4"), names)
    image = np.asarray(names["image"])
    assert image.shape == (64, 64, 3) and np.all(np.isfinite(image))


@pytest.mark.parametrize("name", ["your_linen_network", "your_nnx_network", "first_picture"])
def test_an_example_runs(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / f"{name}.py")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "neuron.png").exists() if name == "first_picture" else "score" in done.stdout


def analyse(directory: Path) -> pd.DataFrame:
    """What the example prints, as a table."""
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / "analyse.py"), str(directory)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return pd.read_csv(io.StringIO(done.stdout), sep=r"\s+")


def test_the_analysis_reads_a_table(tmp_path: Path) -> None:
    sweep = ["-m", "sweeps", "-m", "model=tiny", "steps=3", "objective=dot,dot_cosine,cosine"]
    run = [sys.executable, *sweep, "seed=0,1", f"hydra.sweep.dir={tmp_path / 'some'}"]
    subprocess.run(run, check=True, cwd=tmp_path, capture_output=True)
    told = analyse(tmp_path / "some").set_index("objective")
    assert list(told.index) == ["cosine", "dot", "dot_cosine"] and (told["n"] == 2).all()
    assert told.loc["dot", "cosine_gain"] == 0 and told.loc["dot", "dot_kept"] == 1


@pytest.mark.parametrize("arguments", [[], ["nowhere"], ["alone"]])
def test_the_analysis_says_what_it_lacks(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    jobs = pd.DataFrame({"objective": ["dot_cosine"], "status": "ok", "job": 0})
    jobs.to_parquet(tmp_path / "alone" / "results.parquet")
    command = [sys.executable, str(ROOT / "examples" / "analyse.py"), *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and not done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith(("usage: ", "error: nowhere holds no", "error: no job with objective="))


def test_the_analysis_pairs_jobs_that_differ_in_the_objective_only(tmp_path: Path) -> None:
    arms = [("dot", None), ("dot_cosine", 1.0), ("dot_cosine", 2.0), ("cosine", None)]
    axes = product(arms, [0.05, 0.1], [None, "a"], ["ok", "failed"])
    jobs = [
        {"objective": objective, "objective_exponent": n, "learning_rate": rate, "note": note}
        | {"status": status, "seed": int(status == "ok"), "label": "conv2:0"}
        | {"dot": rate * (1 + (objective == "cosine")), "cosine": rate + (n or 0) / 4}
        for (objective, n), rate, note, status in axes
        if (objective, rate, note) != ("dot", 0.1, "a")  # a baseline is missing
    ]
    table = pd.DataFrame(jobs).reset_index(names="job")
    table.to_parquet(tmp_path / "results.parquet")
    told = analyse(tmp_path)
    assert list(told["objective"]) == ["cosine", "dot", "dot_cosine", "dot_cosine"]
    assert list(told["n"]) == [3, 3, 3, 3]
    assert list(told["cosine_gain"]) == [0, 0, 0.25, 0.5]
    assert list(told["dot_kept"]) == [2, 1, 1, 1]
