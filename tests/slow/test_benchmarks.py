"""The benchmarks run, at sizes that prove nothing."""

import importlib
import importlib.util
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, shared
from jax import lax
from PIL import Image

from fvjax.data.photos import read_photo

BENCHMARKS = ROOT / "benchmarks"


def test_the_comparison_runs(tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(BENCHMARKS / "speed/against_torch.py"),
        "--quick",
        "--out",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "bench.json").read_text())
    for setting in report["settings"].values():
        assert all(seconds > 0 for seconds in setting["seconds_per_image_step"]["fvjax"])
        assert setting["forward_flops"]["fvjax"] > 0
    (ours,) = report["sweep"]["seconds"]["fvjax"]
    assert 0 < ours["start"] < ours["whole"] and ours["jobs"] > 0
    if report["sweep"]["seconds"]["lucent"]:  # the peers are installed
        assert len(report["ratios"]) == 12 and (tmp_path / "bench.png").stat().st_size > 1000


def test_imported_networks_are_compared(tmp_path: Path) -> None:
    """With timm: both sides must give the same activations, or the script ends with an error."""
    if not all(importlib.util.find_spec(name) for name in ("torch", "timm")):
        pytest.skip("PyTorch or timm is not installed")
    script = str(BENCHMARKS / "speed/against_torch.py")
    command = [sys.executable, script, "--quick", "--only", "zoo", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "bench.json").read_text())
    names = ["resnet50", "convnext_tiny", "efficientnet_lite0", "vit_b_16"]
    assert list(report["ratios"]) == [f"torch_{name}" for name in names]
    for setting in report["settings"].values():
        assert all(min(times) > 0 for times in setting["seconds_per_image_step"].values())
        assert len(set(setting["forward_flops"].values())) == 1


@pytest.fixture
def against_torch(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS / "speed"))
    return importlib.import_module("against_torch")


def sides(activations: list[float]) -> Any:
    """Return sides of 1 s an image-step for PyTorch and .5 s for ours; nothing compiles."""

    def side(module: str, function: str, setting: Any, *rest: Any) -> Any:
        ours = module == "side_fvjax"
        if function == "warm" and "compiled" in rest[0]:
            raise RuntimeError("no compiler\nand more")
        seconds = setting.steps * setting.batch * (0.5 if ours else 1.0)
        work = importlib.import_module("work")
        return {
            "warm": 3.0,
            "flops": 1e9,
            "means": [1.0, 2.0] if ours else activations,
            "run": work.Timing(seconds, setting.steps, 0.0, 1.0),
        }[function]

    return side


def test_a_peer_that_does_not_compile_is_reported(against_torch: Any) -> None:
    settings = against_torch.chosen(["steps", "zoo"], True, True)
    weights = dict.fromkeys((s.network for s in settings), "")
    report = against_torch.compare(settings, 2, weights, True, sides([1.0, 2.0]))
    assert all(ratio == [2.0, 2.0] for ratio in report["ratios"].values())
    assert not any("compiled" in name for name in report["ratios"])
    failed = [name for setting in report["settings"].values() for name in setting["failed"]]
    names = ["b1", "b16", "b1_bfloat16", "b16_bfloat16"]
    assert failed == [f"torch_{name}_compiled" for name in names]
    for name in names:
        assert f"torch_{name}_no_transform" in report["ratios"]
    ratios, more = against_torch.summary(report["ratios"])
    sweep = {"work": {"exponents": [0], "directions": 1, "steps": 1}, "seconds": {}}
    said = against_torch.table({**report, "sweep": sweep, "ratios": ratios, "more_ratios": more})
    assert said.count("failed: RuntimeError: no compiler\n") == 4
    assert said.count("compile 3.0 s") == len(settings)


def test_different_networks_are_not_compared(against_torch: Any) -> None:
    settings = against_torch.chosen(["zoo"], True, True)[:1]
    with pytest.raises(ValueError, match=r"networks differ by 5\.0e-03 in resnet50"):
        against_torch.compare(settings, 1, {"resnet50": ""}, True, sides([1.0, 1.99]))


def test_the_table_for_accelerators_is_made(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    command = [sys.executable, str(BENCHMARKS / "speed/gpu.py"), "--quick", "--out", str(out)]
    done = subprocess.run([*command, "--batch-sizes", "2"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = json.loads(out.read_text())
    assert [row["precision"] for row in report["rows"]] == ["bfloat16", "float32"]
    for row in report["rows"]:
        assert row["rate"] > 0 and row["compile_s"] > 0 and row["program_mib"] > 0
        assert 0 < row["mfu"] < 1.5  # of a peak measured in a moment: roughly a share
        assert row["gb_per_s"] > 0 and row["bound"] in ("bandwidth", "matmul")
    assert not report["left_out"] and "Best: " in done.stdout


def test_a_row_names_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS / "speed"))
    monkeypatch.syspath_prepend(str(BENCHMARKS / "science"))
    import gpu

    alike = {"layer": "mixed4d", "size": 128, "precision": "tf32"}

    def row(batch_size: int, step_ms: float, gb_per_s: float) -> dict[str, object]:
        return {
            **alike,
            "batch_size": batch_size,
            "rate": 1.0,
            "step_ms": step_ms,
            "gb_per_s": gb_per_s,
        }

    rows = [row(1, 5.0, 1.0), row(4, 5.5, 4.0), row(16, 10.0, 7.0), row(64, 40.0, 5.0)]
    rows += [{**alike, "batch_size": 256}, {**row(1, 5.0, 1.0), "size": 224}]
    bounds = [gpu.bound(row, rows, bandwidth=10e9) for row in rows]
    assert bounds == ["launch", "launch", "bandwidth", "matmul", "out of memory", "matmul"]


def test_traffic_is_of_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS / "speed"))
    monkeypatch.syspath_prepend(str(BENCHMARKS / "science"))
    import gpu

    def moved(steps: int) -> int:
        x = jnp.ones((256, 256))
        program = jax.jit(lambda x, w: lax.fori_loop(0, steps, lambda _, x: jnp.tanh(x @ w), x))
        return gpu.traffic(program.lower(x, x).compile())

    assert moved(10) == moved(100)
    least = 3 * 256 * 256 * 4  # read two matrices, write one
    assert least <= moved(10) < 3 * least


def report_of(script: str, out: Path) -> dict[str, Any]:
    """What a quick run of a script writes."""
    command = [sys.executable, str(BENCHMARKS / script), "--quick", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def test_the_plain_network_is_the_same_one(tmp_path: Path) -> None:
    report = report_of("speed/plain_flax.py", tmp_path / "plain.json")
    assert max(report["gradients_differ_float64"]) < 1e-6
    rows = report["batch_sizes"]["2"]
    assert "01oi" in rows["plain"]["layouts"] and "01oi" not in rows["layers"]["layouts"]


def test_one_program_for_several_objectives_makes_the_same_pictures(tmp_path: Path) -> None:
    report = report_of("speed/switch.py", tmp_path / "switch.json")
    assert report["difference"] < 1e-4
    assert all(min(times) > 0 for row in report["seconds"].values() for times in row.values())


def test_sharding_over_one_device_changes_nothing(tmp_path: Path) -> None:
    report = report_of("speed/sharding.py", tmp_path / "sharding.json")
    assert report["difference"] == 0 and all(ratio > 0 for ratio in report["ratios"])


def test_two_starts_are_measured(tmp_path: Path) -> None:
    (one,) = report_of("speed/second_start.py", tmp_path / "starts.json")["rounds"]
    assert one["first"]["compile"] > 0 and one["second"]["compile"] > 0


def test_scaling_is_drawn(tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(BENCHMARKS / "speed/scaling.py"),
        "--quick",
        "--out",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "scaling.json").read_text())
    assert [row["programs"] for row in report["jobs"]] == [1, 1]
    assert (tmp_path / "scaling.png").stat().st_size > 1000


def printed(script: str, *options: str) -> list[list[str]]:
    """The words of the lines that a script prints."""
    command = [sys.executable, str(BENCHMARKS / script), *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()]


def test_whitened_activations_are_white() -> None:
    rows = printed("science/whitening.py", "--model", "texturenet", "--count", "32")
    white = [row for row in rows if row and row[0].endswith("@whitened")]
    assert len(white) >= 5
    assert all(float(value) < 1e-3 for row in white for value in row[1:]), rows


def test_the_bound_of_lucid_s_cosine_holds() -> None:
    rows = printed("science/lucid_atlas_floor.py", "--model", "texturenet", "--count", "32")[1:]
    found = [[float(value) for value in row[2:]] for row in rows if len(row) == 6]
    assert len(found) >= 4 and all(reached <= bound for bound, reached, *_ in found), rows


def test_a_picture_is_recognized_as_its_own_photograph_and_neuron(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS / "speed"))
    monkeypatch.syspath_prepend(str(BENCHMARKS / "science"))
    import caricature

    folder, weights = shared("photos"), shared("weights/squeezenet_v1.1.safetensors")
    names = ["kodim03.jpg", "kodim15.jpg", "kodim20.jpg", "kodim23.jpg"]
    rows = []
    for i, name in enumerate(names):
        png = io.BytesIO()
        pixels = np.round(255 * read_photo(folder / name, 64)).astype(np.uint8)
        Image.fromarray(pixels).save(png, "PNG")
        row = {
            "status": "ok",
            "image_height": 64,
            "image_width": 64,
            "image": {"bytes": png.getvalue()},
            "reference_ratio": 1.0,
        }
        row |= {"objective": "dot_cosine", "objective_exponent": 0, "space": "plain", "cosine": 1.0}
        path = str(folder / name)
        photo = {"direction": "photo", "direction_path": path, "label": name}
        of = json.dumps({"path": path})
        single = {"direction": "strongest", "direction_of": of, "direction_count": 1}
        single["label"] = f"{name}, strongest :{i // 2}"  # two photographs share each neuron
        channel = {"direction": "channel", "label": f"mixed4d:{i}"}
        kinds = (photo, single, channel)
        rows += [row | kind | {"seed": seed} for kind in kinds for seed in (0, 1)]
    found = caricature.recognized(pd.DataFrame(rows), weights, str(folder))
    from_photos = found[found["direction"] != "channel"]
    assert list(from_photos["photograph"]) == [1] * len(from_photos)
    assert list(from_photos["neuron"]) == [1] * len(from_photos)
    assert found[found["direction"] == "channel"][["photograph", "neuron"]].isna().all(axis=None)
    means = caricature.over_directions(found).set_index("origin")
    assert list(means.index) == ["the vector", "1 channel", "random channel"]
    assert list(means["directions"]) == [4, 4, 4] and set(means["arm"]) == {"dot"}


@pytest.fixture
def simulation(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS / "speed"))
    return importlib.import_module("scale_simulation")


@pytest.mark.parametrize("lost", [0.0, 0.1, 0.2])
def test_a_simulated_sweep_loses_no_job(simulation: Any, lost: float) -> None:
    portions = simulation.make_portions([3, 1], jobs=1000, size=16, workers=8)
    assert sum(len(portion.job_ids) for portion in portions) == 4000
    tally = simulation.simulate(
        portions, 10.0, simulation.Costs(), workers=8, lost=lost, compiled=set()
    )
    assert (tally.done, tally.failed) == (4000, 0)
    assert (tally.lost_portions > 0) == (lost > 0)
    # Rows that were written are not computed again, and a batch that was lost is.
    assert tally.useful == pytest.approx(10.0 * tally.parts) and tally.parts >= 188 + 63
    spent = (tally.useful, tally.starting, tally.compiling, tally.planning, tally.lost, tally.idle)
    assert sum(spent) <= 8 * tally.wall + 1e-6


def test_a_job_that_ends_every_worker_fails_alone(simulation: Any) -> None:
    portions = simulation.make_portions([1], jobs=256, size=16, workers=2)
    tally = simulation.simulate(
        portions, 10.0, simulation.Costs(), workers=2, lost=0.0, killers=1, compiled=set()
    )
    assert (tally.done, tally.failed) == (255, 1)


def test_the_simulation_groups_by_the_real_planner(simulation: Any) -> None:
    shares = simulation.programs_by_planner()
    assert sum(shares) == len(simulation.ARMS)
    assert max(shares) >= 4  # dot and the exponents of dot_cosine are one program


def test_seconds_of_a_batch_grow_with_depth_and_size(simulation: Any) -> None:
    costs, network = simulation.Costs(), simulation.Network()
    first, last = (costs.batch(network, block, 64) for block in (0, 31))
    assert last == pytest.approx(32 * first) == pytest.approx(costs.batch(network, 31, 32) * 2)
