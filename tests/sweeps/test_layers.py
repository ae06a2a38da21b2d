"""`python -m sweeps.layers` prints what a network records."""

from pathlib import Path

import pytest
from conftest import ROOT

import fvjax
from sweeps.config.free_keys import allow_free_keys
from sweeps.layers import class_list, main


def test_layers_shapes_and_the_main_path_are_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    main(["model=file", f"model.path={ROOT}/tests/data/torch/resnet.safetensors"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert ["resnet.embedder", *["9", "x", "9", "x", "8"], "*"] in lines
    assert ["resnet.encoder.stages.0.layers.0.layer", *["9", "x", "9", "x", "8"]] in lines
    assert ["output", "5", "*"] in lines and lines[-1][:2] == ["default", "layer:"]


def test_the_size_of_the_sweep_counts(capsys: pytest.CaptureFixture[str]) -> None:
    main(["model=tiny", "image_size=24"])
    conv1 = fvjax.load("tiny").shapes((24, 24))["conv1"]
    assert " x ".join(map(str, conv1)) in capsys.readouterr().out


def test_classes_have_their_index() -> None:
    model = fvjax.load("tiny").replace(classes=("cat", "dog"))  # type: ignore[attr-defined]
    assert class_list(model) == "classes: 0 cat, 1 dog"


def test_arguments_of_a_factory_need_no_plus() -> None:
    given = ["model=torch", "model.arguments.width=3", "+model.arguments.depth=2"]
    assert allow_free_keys(given) == ["model=torch", "++model.arguments.width=3", given[2]]
