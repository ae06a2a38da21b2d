"""The application through Hydra: single runs, sweeps, resuming, failures, sweepers, errors."""

import io
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from conftest import App
from omegaconf import OmegaConf
from PIL import Image

import fvjax
import sweeps
from sweeps.config.errors import UserError
from sweeps.config.paths import CONF
from sweeps.execution.run import executor
from sweeps.launcher.job_return import return_value_of
from sweeps.results.table import COLUMNS

TINY = ("model=tiny", "steps=3")


def test_a_single_run_writes_what_a_sweep_writes(app: App, tmp_path: Path) -> None:
    assert app(*TINY, "hydra.run.dir=one") == 0
    row = sweeps.load(tmp_path / "one").iloc[0]
    assert row["status"] == "ok" and row["label"] == "conv2:0" and row["rank"] >= 1
    assert (tmp_path / "one" / row["image"]["path"]).read_bytes() == row["image"]["bytes"]
    assert (tmp_path / "one" / "sheet.png").stat().st_size > 1000
    assert len(sweeps.load_history(tmp_path / "one")) == 3
    assert (tmp_path / "one" / ".hydra" / "config.yaml").exists()


def test_a_sweep_is_one_table_and_ordinary_jobs(app: App, tmp_path: Path) -> None:
    before = executor().program_count
    arguments = (
        "objective=dot,dot_cosine,cosine",
        "direction.index=0,1",
        "penalty=none,orthogonal",
    )
    assert app("-m", *TINY, *arguments, "hydra.sweep.dir=many") == 0
    assert executor().program_count - before <= 4  # dot and dot_cosine are points of one program
    results = sweeps.load(tmp_path / "many")
    assert list(results["job"]) == list(range(12))
    assert results["program"].nunique() == 4 and results["job_id"].nunique() == 12
    assert set(results["objective"]) == {"dot", "dot_cosine", "cosine"}
    assert results.loc[results["objective"] == "dot", "objective_exponent"].isna().all()
    for job, row in results.set_index("job").iterrows():
        overrides = (tmp_path / "many" / str(job) / ".hydra" / "overrides.yaml").read_text()
        assert f"direction.index={row['direction_index']}" in overrides


def test_without_metrics_a_sweep_has_its_scores(app: App, tmp_path: Path) -> None:
    assert app("-m", *TINY, "metrics=none,default", "hydra.sweep.dir=some") == 0
    bare, whole = (row for _, row in sweeps.load(tmp_path / "some").iterrows())
    assert np.isnan([bare["dot"], bare["robust_dot"], bare["saturated"]]).all()
    assert (bare["final_score"], bare["initial_score"]) == (
        whole["final_score"],
        whole["initial_score"],
    )
    assert (tmp_path / "some" / "0").is_dir() and whole["dot"] > 0
    assert bare["program"] != whole["program"]


def test_every_column_is_documented_or_the_configs(app: App, tmp_path: Path) -> None:
    assert app("-m", *TINY, "seed=0,1", "hydra.sweep.dir=some") == 0
    results = sweeps.load(tmp_path / "some")
    groups = {path.name for path in CONF.iterdir() if path.is_dir()}
    plain = {"layer", "position", "steps", "learning_rate", "seed", "precision"}
    plain |= {"image_height", "image_width", "snapshots", "stop_when_converged"}
    plain |= {"anneal_steps", "transparency", "octaves", "octave_scale"}
    plain |= {"reference_images", "reference_count", "images_per_job", "judge"}
    ours = {
        c for c in map(str, results) if not any(c == g or c.startswith(f"{g}_") for g in groups)
    }
    assert ours == COLUMNS.keys() | plain


def test_reference_images_give_natural_metrics_in_every_space(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    images = (
        "reference_images=generated",
        "reference_count=24",
        "metrics.optimized_metric=differential",
    )
    assert app("-m", *TINY, *images, "space=plain,whitened", "hydra.sweep.dir=some") == 0
    results = sweeps.load(tmp_path / "some")
    reference = [
        "reference_z",
        "reference_percentile",
        "reference_ratio",
        "excitation",
        "differential",
    ]
    reference += ["whitened_cosine", "mahalanobis", "class_distance", "centroid_margin"]
    assert np.isfinite(results[reference].astype(float)).all().all()
    gap = results["reference_z"] - results["excitation"] - results["differential"]
    assert np.abs(gap).max() < 1e-5 and results["reference_percentile"].between(0, 100).all()
    plain, white = (row for _, row in results.iterrows())
    assert plain["final_score"] != white["final_score"] and plain["dot"] > 0 and white["dot"] > 0


def test_caricatures_stand_among_the_reference_images_of_the_whole_picture(
    app: App, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)).save(photo)
    images = (
        "reference_images=generated",
        "reference_count=24",
        f"direction.path={photo}",
        "direction.at=all",
    )
    assert app("-m", *TINY, "direction=photo", *images, "seed=0,1", "hydra.sweep.dir=some") == 0
    results = sweeps.load(tmp_path / "some")
    own = results[["reference_z", "reference_percentile", "reference_ratio", "differential"]]
    assert np.isfinite(own.astype(float)).all().all()


def test_a_judge_reads_the_pictures(app: App, tmp_path: Path) -> None:
    net = (
        "model=texturenet",
        "image_size=32",
        "steps=3",
        "reference_images=null",
        "direction=logit",
    )
    assert app("-m", *net, "judge=texturenet_judge,null,tiny", "hydra.sweep.dir=some") == 0
    read, unread, other = (row for _, row in sweeps.load(tmp_path / "some").iterrows())
    assert 0 < read["transfer"] < 1
    assert np.isnan([unread["transfer"], other["transfer"]]).all()  # tiny has no such class
    with Image.open(io.BytesIO(read["image"]["bytes"])) as picture:
        seen = np.asarray(picture, np.float32) / 255
    activations = fvjax.load("texturenet_judge")(jnp.asarray(seen))
    logits = np.asarray(activations["logits"], np.float64)[:8]  # the shapes
    expected = np.exp(logits[0]) / np.exp(logits).sum()
    assert read["transfer"] == pytest.approx(expected, abs=0.02)  # the PNG has 8 bits


def test_several_images_of_a_job_are_one_row_and_one_picture(app: App, tmp_path: Path) -> None:
    together = ("images_per_job=3", "penalty=diversity", "direction=interpolation_path")
    assert app("-m", *TINY, *together, "seed=0,1", "hydra.sweep.dir=some") == 0
    results = sweeps.load(tmp_path / "some")
    assert len(results) == 2 and (results["status"] == "ok").all() and results["dot"].notna().all()
    with Image.open(io.BytesIO(results["image"][0]["bytes"])) as picture:
        assert picture.size == (96, 32)


def test_a_diverging_job_is_a_row_and_a_warning(app: App, tmp_path: Path) -> None:
    rates = ",".join(["0.05"] * 1 + ["1e38"] + [f"0.0{i}" for i in range(10, 24)])
    assert app("-m", *TINY, f"learning_rate={rates}", "hydra.sweep.dir=wild") == 0
    results = sweeps.load(tmp_path / "wild")
    assert len(results) == 16
    wild = results[results["learning_rate"] == 1e38].iloc[0]
    assert wild["status"] == "diverged" and wild["image"] is None and np.isnan(wild["final_score"])
    assert (results.drop(wild.name)["image"].map(lambda image: image is not None)).all()
    log = (tmp_path / "wild" / str(wild["job"]) / ".hydra" / "overrides.yaml").read_text()
    assert "learning_rate=1e" in log


def test_a_sweep_in_which_nothing_came_through_fails(
    app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app("-m", *TINY, "learning_rate=1e38", "seed=0,1") == 1
    assert "all 2 jobs failed: the job diverged: a step was not finite" in capsys.readouterr().err


def test_resuming_runs_what_is_missing_under_the_old_numbers(app: App, tmp_path: Path) -> None:
    where = "hydra.sweep.dir=again"
    assert app("-m", *TINY, "seed=0,1", where) == 0
    first = sweeps.load(tmp_path / "again").set_index("seed")
    assert app("-m", *TINY, "seed=0,1", where) == 1  # nothing is overwritten
    assert app("-m", *TINY, "seed=2,1,0", where, "hydra.launcher.resume=true") == 0
    second = sweeps.load(tmp_path / "again").set_index("seed")
    assert second["job"].to_dict() == {0: 0, 1: 1, 2: 2}
    for seed in (0, 1):
        assert second["image"][seed] == first["image"][seed]
        assert second["seconds"][seed] == first["seconds"][seed]  # not run again
    assert len(sweeps.load_history(tmp_path / "again")) == 9


def test_a_killed_sweep_keeps_its_chunks_and_resumes(app: App, tmp_path: Path) -> None:
    sweep = ["-m", "model=tiny", "steps=400", "seed=range(0,40)", "hydra.launcher.batch_size=2"]
    sweep.append(f"hydra.sweep.dir={tmp_path / 'killed'}")
    process = subprocess.Popen([sys.executable, "-m", "sweeps", *sweep])
    parts = tmp_path / "killed" / "parts"
    while len(list(parts.glob("results-*.parquet"))) < 2 and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it ended before it could be killed"
    before = sweeps.load(tmp_path / "killed")
    assert 2 <= len(before) < 40
    shorter = [a.replace("range(0,40)", "range(0,8)") for a in sweep]
    assert app(*shorter, "hydra.launcher.resume=true") == 0
    after = sweeps.load(tmp_path / "killed").set_index("job_id")
    assert set(before["job_id"]) <= set(after.index) and set(range(8)) <= set(after["seed"])
    for row in before.itertuples():
        assert after.loc[row.job_id, "image"] == row.image
    assert after["batch_size"].eq(2).all() and not parts.exists()


@pytest.mark.filterwarnings("ignore")  # optuna 2.10's own imports warn
def test_the_optuna_sweeper_gets_floats_and_few_programs(
    app: App, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search = ("hydra/sweeper=optuna", "hydra.sweeper.n_trials=6", "hydra.sweeper.n_jobs=2")
    space = ("objective.exponent=interval(0,4)", "learning_rate=choice(0.05,1e38)")
    before = executor().program_count
    quiet = "hydra.sweeper.sampler.seed=0"
    assert app("-m", *TINY, *search, *space, quiet, "hydra.sweep.dir=search") == 0
    assert executor().program_count - before <= 1
    results = sweeps.load(tmp_path / "search")
    assert list(results["job"]) == list(range(6))
    assert set(results["status"]) == {"ok", "diverged"}  # a failed trial does not end the study
    best = OmegaConf.load(tmp_path / "search" / "optimization_results.yaml").best_value
    assert best == pytest.approx(results["dot"].min())
    assert capsys.readouterr().out.count("means over the jobs that are ok") == 1
    strict = ("hydra.sweeper.max_failure_rate=0.0", "hydra.sweep.dir=strict")
    assert app("-m", *TINY, *search, *space, quiet, *strict) == 1
    assert "diverged" in set(sweeps.load(tmp_path / "strict")["status"])


@pytest.mark.parametrize("mode", [(), ("-m", "hydra/sweeper=basic", "seed=0,1")])
def test_a_job_that_failed_ends_other_sweepers_and_runs_in_one_sentence(
    mode: tuple[str, ...], app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app(*mode, *TINY, "learning_rate=1e38") == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == "error: the job diverged: a step was not finite"
    assert not mode or (len(said) == 2 and "learning_rate=1e+38" in said[0])


def test_python_m_sweeps_as_its_user_types_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sweeps", "-m", *TINY, "objective=dot,cosine", "seed=0,1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (table,) = tmp_path.glob("multirun/*/*/results.parquet")
    assert str(table.relative_to(tmp_path)) in done.stdout and "sheet.png" in done.stdout
    assert len(pd.read_parquet(table)) == 4 and done.stderr == ""


def test_uncertainty_reports_areas_and_visualizations_beside_familiar_images(
    app: App, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (
        "experiment=uncertainty",
        "model=tiny",
        "reference_images=generated",
        "reference_count=64",
    )
    jobs = ("layer=conv2", "direction=channel", "direction.index=1,2", "objective=dot,cosine")
    small = ("layers=[conv2]", "tested=32", "resamples=20", "photos=null")
    report = [f"hydra.callbacks.uncertainty.{one}" for one in small]
    assert app("-m", *arguments, *jobs, "steps=24", *report, "hydra.sweep.dir=logit_scores") == 0
    table = pd.read_csv(tmp_path / "logit_scores" / "uncertainty.csv")
    assert set(table["question"]) == {"unfamiliar"}  # tiny's logits are no labels
    assert table.groupby("images").size().eq(5).all() and table["images"].nunique() == 6
    assert table["auroc"].between(0, 1).all()
    assert (table["low"] <= table["auroc"]).all() and (table["auroc"] <= table["high"]).all()
    printed = capsys.readouterr().out
    for told in ("unfamiliar images", "channel dot", "no labels of generated are the network's"):
        assert told in printed
    distances = sweeps.load(tmp_path / "logit_scores").groupby("objective")["class_distance"].mean()
    assert f"{distances['dot']:.3g}" in printed


@pytest.mark.parametrize(
    ("argument", "told"),
    {
        "hydra.callbacks.uncertainty.layers=[conv9]": "did you mean",
        "hydra.callbacks.uncertainty.logits=logit": "did you mean logits",
        "hydra.callbacks.uncertainty.tested=0": "tested must be an integer of at least 1, got 0",
        "hydra.callbacks.uncertainty.distortions={nois:1}": "did you mean noise",
        "hydra.callbacks.uncertainty.noises={pink:-1}": "strength of pink must be a finite number",
        "reference_images=null": "experiment=uncertainty needs reference images",
        "model=googlenet": "no file weights/bvlc_googlenet.safetensors",
    }.items(),
)
def test_a_wrong_report_is_refused_before_the_sweep(
    argument: str, told: str, app: App, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app("-m", "experiment=uncertainty", argument) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ") and told in line
    assert not list(tmp_path.iterdir())


WRONG = {
    "layer=conv3": "did you mean conv2",
    "objective=dott": "did you mean dot",
    "stepz=3": "did you mean steps",
    "direction=vector direction.path=five.npy": "vectors of shape (5,)",
    "+job=5": "the table has a column 'job' already: call job otherwise",
}
"""A few; all others go through planning, in tests/sweeps/planning/test_wrong_command_lines.py."""


@pytest.mark.parametrize("mode", [(), ("-m",)], ids=["run", "sweep"])
@pytest.mark.parametrize("arguments", WRONG)
def test_mistakes_are_one_sentence_and_leave_nothing(
    arguments: str,
    mode: tuple[str, ...],
    app: App,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    np.save(tmp_path / "five.npy", np.ones(5))
    before = executor().program_count
    assert app(*mode, "model=tiny", *arguments.split()) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ") and WRONG[arguments] in line
    assert [path.name for path in tmp_path.iterdir()] == ["five.npy"]
    assert executor().program_count == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("experiment=demo", "experiment=demo is a sweep: add -m, before all overrides"),
        ("-m experiment=demo,lucid_issue_116", "one experiment is one sweep"),
        ("-m experiment=glob(*)", "one experiment is one sweep"),
        ("-m experiment=demo hydra/sweeper=basic", "a union of grids is for hydra/sweeper=grids"),
        ("-m experiment=demo hydra/sweeper=optuna", "a union of grids is for hydra/sweeper=grids"),
    ],
)
def test_an_experiment_is_one_sweep_by_our_sweeper(
    arguments: str, sentence: str, app: App, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app(*arguments.split()) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line and not list(tmp_path.iterdir())


@pytest.mark.parametrize("mode", [(), ("-m",)], ids=["run", "sweep"])
def test_who_wants_a_traceback_gets_it(
    mode: tuple[str, ...], app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises((UserError, ValueError), match="got 16") as raised:
        app(*mode, *TINY, "direction.index=16")
    shown = "".join(traceback.format_exception(raised.value))
    assert "units.py" in shown and "checks.py" in shown  # where it was found
    assert not list(tmp_path.iterdir())


def test_all_wrong_jobs_are_named_at_once(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    axes = ("direction.index=0,16", "objective.floor=0.1,0", "layer=conv2,conv9")
    assert app("-m", *TINY, *axes, "objective=dot_cosine,dott") == 1
    lines = capsys.readouterr().err.removeprefix("error: ").splitlines()
    told = {line.split(" [")[0]: line.count("model=tiny") for line in lines}
    jobs = {"objective has no option 'dott'": 8, "unknown layer 'conv9'": 4, "got 16": 2}
    jobs["floor must be a positive finite number, got 0"] = 1
    assert len(told) == len(jobs)
    for mistake, count in jobs.items():
        assert [n for text, n in told.items() if mistake in text] == [count]
    alone = "got 0 [model=tiny steps=3 direction.index=0 objective.floor=0 layer=conv2 objective="
    assert any(alone in line for line in lines)


def test_a_chunk_of_no_jobs_is_refused(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    assert app("-m", *TINY, "seed=0,1", "hydra.launcher.batch_size=0") == 1
    assert (
        "hydra.launcher.batch_size must be an integer of at least 1, got 0"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(("wanted", "batch_size"), [(3, 4), (1000000, 6), (1, 1), (4, 4)])
def test_a_chunk_that_cannot_be_is_told(
    wanted: int, batch_size: int, app: App, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = ("-m", *TINY, f"hydra.launcher.batch_size={wanted}", "hydra.sweep.dir=some")
    assert app(*sweep, "seed=range(0,5)") == 0
    told = f"batches of {batch_size}, not {wanted}: 5 jobs on 2 devices" in capsys.readouterr().out
    assert told == (wanted != batch_size)
    assert app(*sweep, "seed=range(3,7)", "hydra.launcher.resume=true") == 0
    assert list(sweeps.load(tmp_path / "some")["batch_size"].unique()) == [batch_size]


def test_a_resumed_sweep_keeps_its_batch_size(
    app: App, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("hydra.sweep.dir=kept", "seed=0,1")
    assert app("-m", *TINY, *where, "objective=dot", "hydra.launcher.batch_size=4") == 0
    resume = ("hydra.launcher.resume=true", "objective=dot,cosine")
    assert app("-m", *TINY, *where, *resume) == 0
    assert app("-m", *TINY, *where, *resume, "penalty=none,orthogonal") == 0  # and again
    assert list(sweeps.load(tmp_path / "kept")["batch_size"]) == [4] * 8
    said = capsys.readouterr().out
    assert "differs from Hydra" not in said and "rounding differs" not in said
    assert app("-m", *TINY, *where, *resume, "seed=2", "hydra.launcher.batch_size=2") == 0
    said = capsys.readouterr().out
    assert "rows of kept ran in batches of 4, and the rest runs in batches of 2" in said
    assert "the table holds 8 rows of other jobs" in said


def test_the_home_directory_in_a_directory_is_expanded(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert app("-m", *TINY, "seed=0,1", "hydra.sweep.dir='~/swp'") == 0
    assert app(*TINY, "hydra.run.dir=~/one") == 0
    assert len(sweeps.load("~/swp")) == 2 and len(sweeps.load(tmp_path / "home" / "one")) == 1
    assert (tmp_path / "home" / "swp" / "0" / ".hydra").is_dir() and not Path("~").exists()


def test_tf32_on_a_cpu_is_told_once(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    assert app("-m", *TINY, "precision=tf32", "seed=0,1") == 0
    assert capsys.readouterr().out.count("precision=tf32 is float32 on a CPU") == 1


def test_equal_jobs_run_once(app: App, tmp_path: Path) -> None:
    assert app("-m", *TINY, "seed=0,1,0", "learning_rate=1,1.0", "hydra.sweep.dir=equal") == 0
    results = sweeps.load(tmp_path / "equal")
    assert list(results["job"]) == [0, 1] and list(results["seed"]) == [0, 1]


@pytest.mark.parametrize(
    "same",
    [
        ("penalty=previous", "penalty.layer=null,conv1"),
        ("direction=logit", "layer=conv2,logits"),
        ("layer=${model.default_layer},conv2",),
    ],
)
def test_jobs_that_look_at_equal_layers_are_equal(
    same: tuple[str, ...], app: App, tmp_path: Path
) -> None:
    assert app("-m", *TINY, *same, "hydra.sweep.dir=equal") == 0
    assert len(sweeps.load(tmp_path / "equal")) == 1


@pytest.mark.parametrize("sweeper", ["grids", "basic"])
def test_a_sweep_of_no_jobs_is_refused(
    sweeper: str, app: App, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app("-m", *TINY, f"hydra/sweeper={sweeper}", "seed=range(0,0)") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "seed must have at least one value" in line or "the sweep has no jobs" in line
    # Hydra's own sweeper writes its record before the launcher sees the jobs.
    assert sweeper == "basic" or not list(tmp_path.iterdir())


def test_a_changed_file_is_another_job(app: App, tmp_path: Path) -> None:
    sweep = ("-m", *TINY, "direction=vector", "direction.path=v.npy", "hydra.sweep.dir=files")
    np.save(tmp_path / "v.npy", np.eye(16)[0])
    assert app(*sweep) == 0
    np.save(tmp_path / "v.npy", np.eye(16)[1])
    assert app(*sweep, "hydra.launcher.resume=true") == 0
    assert len(sweeps.load(tmp_path / "files")) == 2


def test_an_interrupted_sweep_says_how_to_go_on(
    app: App, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sweeps.launcher.launch.run", interrupt)
    assert app("-m", *TINY, "seed=0,1", "hydra.sweep.dir=cut") == 130
    go_on = "python -m sweeps -m model=tiny steps=3 seed=0,1 hydra.sweep.dir=cut"
    assert f"{go_on} hydra.launcher.resume=true" in capsys.readouterr().out


@pytest.mark.parametrize(
    "row",
    [
        {"status": "ok", "occlusion_support": None},
        {"status": "diverged", "occlusion_support": 0.5, "error": "a step was not finite"},
        {"status": "failed", "occlusion_support": None, "error": "out of luck"},
    ],
)
def test_a_sweeper_gets_an_error_instead_of_a_nan(row: dict[str, object]) -> None:
    with pytest.raises(RuntimeError, match=r"occlusion_support|not finite|out of luck"):
        return_value_of(row, "occlusion_support")
