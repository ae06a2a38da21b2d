"""Statistics by command, in the cache and in a file that can be carried elsewhere."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fvjax
from fvjax.data.image_sets import ReferenceImages
from fvjax.models.tiny import tiny
from fvjax.reference.activation_statistics import ReferenceStatistics
from sweeps.planning.reference import load_reference_statistics
from sweeps.planning.statistics_file import describe_images, load_statistics, save_statistics
from sweeps.statistics import main

MODEL = fvjax.load("tiny")


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
