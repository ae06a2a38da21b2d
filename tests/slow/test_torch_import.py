"""Whole modules of PyTorch through `from_torch`, against PyTorch in float64; what is refused."""

import re
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import ROOT
from safetensors.numpy import save_file

import fvjax
from fvjax.models.model import Model

torch = pytest.importorskip("torch")
sys.path[:0] = [str(ROOT / "benchmarks" / "science"), str(ROOT / "tests" / "data" / "torch")]

from make_networks import NETWORKS  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from zoo import compare, randomise  # noqa: E402

PLAIN: Any = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3)
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(self.conv(x))


def imported(function: Any, **arguments: Any) -> Model:
    return fvjax.from_torch(Function(function), 12, **{**PLAIN, **arguments})


def _need(name: str) -> None:
    library = {"swin": "timm", "own": "torch", "decoder": "torch"}.get(name, "transformers")
    try:
        __import__(library)
    except ImportError:
        pytest.skip(f"{library} is not installed")
    except RuntimeError:  # torchvision beside PyTorch's CPU build, which zoo_networks repairs
        return


@pytest.mark.parametrize("name", NETWORKS)
def test_a_family_is_pytorchs(name: str) -> None:
    _need(name)
    make, size = NETWORKS[name]
    torch.manual_seed(0)
    with jax.enable_x64(True):
        found = compare(randomise(make()), size)
    assert found["compared"] > 5
    # Neither what sees no image is a layer, nor the heads of Swin's windows.
    unseen = ("position_embedding", "attn.softmax", "attn.attn_drop")
    assert all(name.endswith(unseen) for name in found["missing"])
    assert found["worst"][1] < 1e-12 and found["gradient"] < 1e-9


def _write_through_a_view(x: Any) -> Any:
    x[:, 0] *= 2
    x[:, 1:3].add_(1)
    return x


def _update_twice(x: Any) -> Any:
    y = x + 0.1
    y += x
    y *= 2
    return y + x


FUNCTIONS = {
    "write through a view": _write_through_a_view,
    "update in place twice": _update_twice,
    "sort channels by a constant": lambda x: x[:, torch.arange(5, -1, -1)],
    "attention with a mask": lambda x: F.scaled_dot_product_attention(
        *[x.flatten(2).mT[:, None]] * 3, attn_mask=torch.ones(100, 100).tril().bool()
    ),
    "dynamic convolution": lambda x: F.conv2d(x, x[:, :, :3, :3].reshape(6, 1, 3, 3), groups=6),
    "core operators alone": lambda x: torch.ops.aten.glu(x, 1),
    "sequence first": lambda x: x.flatten(2).permute(2, 0, 1) * 2,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_pytorchs(name: str) -> None:
    torch.manual_seed(0)
    with jax.enable_x64(True):
        found = compare(randomise(Function(FUNCTIONS[name])), 12)
    assert found["worst"][1] < 1e-12 and found["gradient"] < 1e-12


def test_a_sequence_of_tokens_first_is_recorded_as_tokens() -> None:
    assert imported(FUNCTIONS["sequence first"]).layers["output"] == (100, 6)


def test_channels_are_found_where_the_shape_does_not_tell() -> None:
    """As many channels as rows and columns."""
    model = fvjax.from_torch(nn.Conv2d(3, 10, 3), 12, **PLAIN)
    image = jnp.asarray(np.random.RandomState(0).rand(12, 12, 3), jnp.float32)
    weights = {**model.weights}
    (bias,) = (name for name in weights if name.endswith("bias"))
    weights[bias] = jnp.arange(10.0) * 100
    found = model.replace(weights=weights)(image)["output"]  # type: ignore[attr-defined]
    np.testing.assert_allclose(found.mean((0, 1)), weights[bias], atol=20)


def test_functional_relus_are_layers_and_modules_called_again_are_counted() -> None:
    relu = nn.ReLU()

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.relu = nn.Conv2d(3, 4, 3, padding=1), relu
            self.again = nn.Conv2d(4, 4, 3, padding=1)

        def forward(self, x: Any) -> Any:
            x = self.again(F.relu(self.relu(self.conv(x)) - 0.1))
            return self.relu(self.again(x)).mean((2, 3))

    layers = fvjax.from_torch(Net(), 8, **PLAIN).layers
    assert list(layers) == ["conv", "relu", "relu_1", "again", "again_1", "relu_1_1", "output"]


def test_only_chosen_layers_are_recorded() -> None:
    model = imported(torch.relu, layers=["conv"])
    assert list(model.layers) == ["conv"] and model.default_layer == "conv"
    assert len(model.network.graph.steps) == 2  # type: ignore[attr-defined]


def test_the_module_is_left_as_it_was() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5)).train()
    module[2].eval()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    fvjax.from_torch(module, 8, **PLAIN)
    assert module.training and module[1].training and not module[2].training
    assert all(not m._forward_hooks for m in module.modules())
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_half_precision_becomes_float32() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(torch.bfloat16)
    model = fvjax.from_torch(module, 8, **PLAIN)
    assert {x.dtype for x in model.weights.values()} == {jnp.dtype("float32")}


def test_two_imports_are_equal() -> None:
    models = [imported(torch.relu) for _ in range(2)]
    assert models[0].network == models[1].network
    assert jax.tree.structure(models[0]) == jax.tree.structure(models[1])


def _depends_on_pixels(x: Any) -> Any:
    return x * 2 if x.sum() > 0 else x


def _several(x: Any) -> Any:
    return torch.fft.rfft2(torch.special.i0(x)).abs() + torch.linalg.svdvals(x)[..., None].sum()


REFUSED: dict[str, tuple[Any, dict[str, Any]]] = {
    r"fvjax cannot run: i0 (in": (_several, {}),
    r"_fft_r2c (in": (_several, {}),
    r"linalg_svd": (_several, {}),
    "depends on the values of pixels": (_depends_on_pixels, {}),
    "output does not depend on the image": (lambda x: torch.ones(3), {}),
    "unknown layer 'cnv'": (torch.relu, {"layers": ["cnv"]}),
    "unknown layer 'nv'": (torch.relu, {"default_layer": "nv"}),
    "three numbers each": (torch.relu, {"mean": (0, 0), "std": (1, 1)}),
    "std must be positive": (torch.relu, {"std": (1, 0, 1)}),
    "must be given together": (torch.relu, {"mean": None}),
    "does not say how its images are normalised": (torch.relu, {"mean": None, "std": None}),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_imported_is_refused_in_a_sentence(reason: str) -> None:
    function, arguments = REFUSED[reason]
    with pytest.raises(ValueError, match=re.escape(reason)) as error:
        imported(function, **arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("given", ["12", (1, 2, 3), 0, (12, -1), None])
def test_a_wrong_size_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="image_size must be"):
        fvjax.from_torch(nn.ReLU(), given, **PLAIN)


def test_a_module_is_asked_for() -> None:
    with pytest.raises(ValueError, match=r"must be a torch\.nn\.Module, got str"):
        fvjax.from_torch("resnet50", 12, **PLAIN)


def test_timm_says_mean_and_std() -> None:
    module = nn.Conv2d(3, 4, 3)
    module.pretrained_cfg = {"mean": (0.1, 0.2, 0.3), "std": (1, 2, 3)}
    graph = fvjax.from_torch(module, 8).network.graph  # type: ignore[attr-defined]
    assert graph.mean == (0.1, 0.2, 0.3) and graph.std == (1.0, 2.0, 3.0)


def small(width: int = 8) -> nn.Module:
    """A factory for the command line."""
    torch.manual_seed(width)
    parts = nn.Conv2d(3, width, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(*parts, nn.Linear(width, 5))


NORMALISED = ["model.mean=[0.5,0.5,0.5]", "model.std=[0.25,0.25,0.25]"]


def test_a_sweep_over_a_pytorch_network(
    app: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint, an argument that no config declares, a layer called 1, and its readout."""
    import pandas as pd

    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    weights = {name: tensor.numpy() for name, tensor in small(6).state_dict().items()}
    save_file(weights, tmp_path / "weights.safetensors")
    command = ["model=torch", "model.factory=test_torch_import.small", *NORMALISED, "image_size=16"]
    command += ["model.arguments.width=6", "model.checkpoint=weights.safetensors", "steps=2"]
    out = f"hydra.sweep.dir={tmp_path}/out"
    assert app("-m", *command, "layer=1", "direction.index=0,1", out) == 0
    table = pd.read_parquet(tmp_path / "out" / "results.parquet")
    assert list(table.layer) == ["1", "1"] and set(table.status) == {"ok"}
    assert app(*command, "direction=logit", "direction.index=4", f"hydra.run.dir={out[16:]}2") == 0
    assert list(pd.read_parquet(tmp_path / "out2" / "results.parquet").label) == ["output:4"]


def test_what_a_command_line_may_get_wrong(app: Any, capsys: Any, tmp_path: Path) -> None:
    base = ["model=torch", *NORMALISED, "image_size=16", "steps=2"]
    save_file({"weight": np.ones((1, 3, 1, 1), np.float32)}, tmp_path / "less.safetensors")
    conv = "model.factory=torch.nn.Conv2d"
    given = [f"model.arguments.{k}" for k in ("in_channels=3", "out_channels=1", "kernel_size=1")]
    for command, reason in {
        ("model.factory=nothing.net",): "there is no package nothing",
        ("model.factory=torch.nn.Conv5d",): "torch.nn has no Conv5d",
        (conv, *given[:2]): "cannot be called with in_channels, out_channels",
        (conv, *given, "model.checkpoint=less.safetensors"): "lacks the tensor 'bias' (1 missing",
    }.items():
        assert app(*base, *command) == 1
        assert reason in capsys.readouterr().err


def test_a_vision_tower_of_transformers_from_a_folder(tmp_path: Path) -> None:
    _need("clip")
    import zoo_networks

    zoo_networks._torchvision()
    from transformers import CLIPConfig, CLIPModel

    from fvjax.models.torch.factories import from_transformers

    shape = {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 1}
    shape["num_attention_heads"] = 3
    vision, text = {**shape, "image_size": 24, "patch_size": 8}, {**shape, "vocab_size": 20}
    CLIPModel(CLIPConfig(vision_config=vision, text_config=text)).save_pretrained(tmp_path)
    model = from_transformers(str(tmp_path), 24, **PLAIN)
    assert model.layers["encoder.layers.0"] == (10, 24) and model.layers["output.1"] == (24,)
    with pytest.raises(ValueError, match="transformers cannot load"):
        from_transformers(str(tmp_path / "no"), 24, **PLAIN)
