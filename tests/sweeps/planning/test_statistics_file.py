"""Statistics by command, in the cache and in a file that can be carried elsewhere."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fvjax
from fvjax.data.arrays import read_arrays
from fvjax.data.image_sets import ReferenceImages
from fvjax.models.tiny import tiny
from fvjax.reference.activation_statistics import ReferenceStatistics
from sweeps.planning.reference import load_reference_statistics
from sweeps.planning.statistics_file import describe_images, load_statistics, save_statistics
from sweeps.statistics import main

MODEL = fvjax.load("tiny")


@pytest.mark.slow
def test_a_file_of_statistics_stands_for_its_images(tmp_path: Path) -> None:
    reference = ReferenceStatistics(MODEL, ReferenceImages("generated", (32, 32), 24))
    path = tmp_path / "tiny.npz"
    save_statistics(reference, ["conv1", "conv2"], path)
    found = load_reference_statistics(MODEL, str(path), 512, (32, 32))
    assert found is not None and found.images.attributes == reference.images.attributes
    for layer in ("conv1", "conv2"):
        one, other = found.statistics(layer), reference.statistics(layer)
        np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-5, atol=1e-9)
        np.testing.assert_array_equal(one.labels, other.labels)
    assert found.shrinkage("conv2", "cross_validated") == reference.shrinkage(
        "conv2", "cross_validated"
    )
    with pytest.raises(ValueError, match=r"^layer logits needs .* holds statistics without images"):
        found.statistics("logits")
    with pytest.raises(ValueError, match="without images: give reference_images=FOLDER"):
        found.vectors("conv2")
    assert found.images == replace(describe_images(reference), source=str(path))


def test_statistics_of_other_weights_or_sizes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tiny.npz"
    save_statistics(
        ReferenceStatistics(MODEL, ReferenceImages("generated", (32, 32), 8)), ["conv2"], path
    )
    with pytest.raises(ValueError, match="statistics of other weights"):
        load_statistics(tiny(1), str(path), (32, 32))
    with pytest.raises(ValueError, match="of other weights, or of another precision"):
        load_statistics(MODEL.in_precision("bfloat16"), str(path), (32, 32))
    with pytest.raises(ValueError, match=r"statistics of 32 x 32 pixels, not of 48 x 48"):
        load_statistics(MODEL, str(path), (48, 48))
    np.savez(tmp_path / "other.npz", x=np.ones(3))
    with pytest.raises(ValueError, match="holds no statistics"):
        load_statistics(MODEL, str(tmp_path / "other.npz"), (32, 32))
    with pytest.raises(ValueError, match="there is no file"):
        load_statistics(MODEL, str(tmp_path / "none.npz"), (32, 32))


Change = Callable[[dict[str, np.ndarray], dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays, about: arrays.pop("conv2/means"), "lacks the tensor 'means'"),
        (lambda arrays, about: arrays.update({"conv2/x": np.ones(1)}), "the unknown tensor 'x'"),
        (lambda arrays, about: arrays.update({"conv2/maximum": np.ones(3)}), r"has shape \(3,\)"),
        (lambda arrays, about: arrays["conv2/means"].fill(np.nan), "not finite"),
        (lambda arrays, about: arrays["conv2/count"].fill(0), "'count' must hold"),
        (lambda arrays, about: arrays["conv2/labels"].fill(-1), "'labels' must hold integers"),
        (lambda arrays, about: arrays["conv2/scatter_by_fold"][0].fill(-1), "symmetric"),
        (lambda arrays, about: about.update(count=9), r"has shape .*, expected \(9,\)"),
        (lambda arrays, about: about.update(count="8"), "holds no statistics of"),
        (lambda arrays, about: about.update(layers=["conv9"]), "holds the layer 'conv9', which"),
        (lambda arrays, about: about.update(attributes=[3]), "holds no statistics of"),
        (lambda arrays, about: about.pop("identity"), "holds no statistics of"),
    ],
)
def test_a_file_whose_arrays_do_not_fit_the_network_is_refused(
    change: Change, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "tiny.npz"
    reference = ReferenceStatistics(MODEL, ReferenceImages("generated", (32, 32), 8))
    save_statistics(reference, ["conv2"], path)
    arrays = read_arrays(path)
    about = json.loads(bytes(arrays.pop("about")))
    change(arrays, about)
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    np.savez(path, allow_pickle=False, **arrays)
    with pytest.raises(ValueError, match=message) as caught:
        load_statistics(MODEL, str(path), (32, 32))
    assert str(path) in str(caught.value)


def test_the_command_prints_condition_numbers_and_writes_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    few = ["model=tiny", "reference_images=generated", "reference_count=24"]
    main([*few, "layer=main", f"out={tmp_path / 'all.npz'}"])
    printed = capsys.readouterr().out
    assert "condition" in printed and all(name in printed for name in ("conv1", "conv2", "logits"))
    assert len(list((tmp_path / "fvjax" / "reference").glob("statistics_of_*.npz"))) == 3
    main(["model=tiny", f"reference_images={tmp_path / 'all.npz'}", "layer=conv1,logits"])
    assert "conv2" not in capsys.readouterr().out
    for wrong, message in {
        "layer=conv9": "unknown layer 'conv9'",
        "out=all.csv": r"out must be a \.npz file",
        "reference_images=null": "needs reference images",
    }.items():
        with pytest.raises(ValueError, match=message):
            main([*few, wrong])
