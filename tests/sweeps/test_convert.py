"""Caffe's files become what fvjax loads, and other networks' files are refused."""

from pathlib import Path

import numpy as np
import pytest
from caffe_writer import network
from conftest import shared
from safetensors.numpy import load_file

import fvjax
from sweeps.convert import convert, main

OTHER = {"fc/weight": np.ones((6, 4)), "fc/bias": np.ones(6)}


@pytest.mark.parametrize("name", ["bvlc_googlenet", "squeezenet_v1.1"])
@pytest.mark.parametrize("old", [False, True])
def test_a_converted_network_has_exactly_the_tensors_that_fvjax_loads(
    name: str, old: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = load_file(shared(f"weights/{name}.safetensors"))
    path = tmp_path / f"{name}.caffemodel"
    path.write_bytes(network(expected, old))
    main([str(path)])
    out = tmp_path / f"{name}.safetensors"
    model = "googlenet" if "google" in name else "squeezenet"
    assert f"model={model} model.weights={out}" in capsys.readouterr().out
    found = load_file(out)
    assert set(found) == set(expected)
    for key, array in expected.items():
        np.testing.assert_array_equal(found[key], array)
    fvjax.load(model, out)
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name, out.name]


def test_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.caffemodel"
    path.write_bytes(network(OTHER, old=False))
    with pytest.raises(ValueError, match="holds neither googlenet nor squeezenet"):
        convert(path)
    with pytest.raises(ValueError, match="there is no folder"):
        main([str(path), str(tmp_path / "absent" / "out.safetensors")])
    with pytest.raises(ValueError, match=r"unknown suffix of the file '\.npz'"):
        main([str(path), str(tmp_path / "out.npz")])
    with pytest.raises(ValueError, match="there is no file"):
        main([str(tmp_path / "absent.caffemodel")])
    squeeze = {"conv1/weight": np.ones((64, 3, 3, 3)), "conv1/bias": np.ones(64)}
    path.write_bytes(network(squeeze, old=False))
    with pytest.raises(ValueError, match=r"lacks the tensor .*50 missing"):
        convert(path)
