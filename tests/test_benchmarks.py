"""The benchmarks run, at sizes that prove nothing."""

import json
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_the_comparison_runs(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "compare.py"), "--quick", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "bench.json").read_text())
    for setting in report["settings"].values():
        assert all(seconds > 0 for seconds in setting["seconds_per_image_step"]["fvjax"])
        assert setting["forward_flops"]["fvjax"] > 0
    (ours,) = report["sweep"]["seconds"]["fvjax"]
    assert 0 < ours["start"] < ours["whole"] and ours["jobs"] > 0
    if report["sweep"]["seconds"]["lucent"]:  # the peers are installed
        assert len(report["ratios"]) == 6 and (tmp_path / "bench.png").stat().st_size > 1000
