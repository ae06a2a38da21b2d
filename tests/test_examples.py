"""What the README and the examples promise runs as printed."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]


def test_the_readmes_library_example_runs() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    names: dict[str, object] = {}
    exec(block.replace("steps=128", "steps=4"), names)
    result = names["result"]
    assert result.image.shape == (64, 64, 3)  # type: ignore[attr-defined]
    assert np.all(np.isfinite(result.history["cosine"]))  # type: ignore[attr-defined]


def test_the_analysis_reads_a_table(tmp_path: Path) -> None:
    sweep = ["-m", "sweeps", "-m", "model=tiny", "steps=3", "objective=dot,dot_cosine,cosine"]
    run = [sys.executable, *sweep, "seed=0,1", f"hydra.sweep.dir={tmp_path / 'some'}"]
    subprocess.run(run, check=True, cwd=tmp_path, capture_output=True)
    analyse = [sys.executable, str(ROOT / "examples" / "analyse.py"), str(tmp_path / "some")]
    done = subprocess.run(analyse, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert "dot 0.0: cosine +0.000 (n=2), dot x 1.00" in done.stdout
