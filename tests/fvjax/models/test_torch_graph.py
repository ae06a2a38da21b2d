"""Networks imported from PyTorch run without it: small ones, kept with what PyTorch computes."""

import dataclasses
import json
import pickle
import re
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import ROOT
from safetensors import safe_open
from safetensors.numpy import save_file

import fvjax
from fvjax.models.model import Model, Record
from fvjax.models.torch.graph import Graph, Layer, Step, Value
from fvjax.models.torch.interpret import GraphNetwork
from fvjax.models.torch.operators.resampling import matrix
from fvjax.models.torch.paths import pruned, with_main_path
from fvjax.ops.platform import activation_type

DATA = ROOT / "tests" / "data" / "torch"
GOLDEN: dict[str, Any] = json.loads((DATA / "golden.json").read_text())


def network(name: str) -> Model:
    return fvjax.load(str(DATA / f"{name}.safetensors"))


def picture(name: str) -> jax.Array:
    size = GOLDEN[name]["size"]
    return jnp.asarray(np.random.RandomState(0).rand(size, size, 3), jnp.float32)


def sampled(x: Any, count: int) -> Any:
    flat = np.asarray(x).reshape(-1)
    return flat[np.linspace(0, flat.size - 1, count).astype(int)]


@pytest.mark.parametrize("name", GOLDEN)
def test_layers_and_gradient_are_pytorchs(name: str) -> None:
    model, golden = network(name), GOLDEN[name]
    last = "output" if "output" in golden["layers"] else list(golden["shapes"])[-1]

    @jax.jit
    def run(model: Model, image: jax.Array) -> Any:
        def score(image: jax.Array) -> Any:
            found = model(image)
            return jnp.sin(found[last]).sum(), found

        return jax.grad(score, has_aux=True)(image)

    gradient, found = run(model, picture(name))
    assert {k: list(x.shape) for k, x in found.items() if k != "image"} == golden["shapes"]
    assert list(model.main_layers) == golden["main"]
    for layer, expected in golden["layers"].items():
        scale = max(1.0, float(jnp.abs(found[layer]).max()))
        ours = sampled(found[layer], len(expected))
        np.testing.assert_allclose(ours, expected, atol=2e-5 * scale, err_msg=layer)
    expected = golden["gradient"]
    scale = float(jnp.abs(gradient).max())
    np.testing.assert_allclose(sampled(gradient, len(expected)), expected, atol=1e-3 * scale)


def test_torch_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # importing it would raise ImportError
    assert network("own").layers["output"] == (7,)
    with pytest.raises(ImportError, match=re.escape("pip install 'fvjax[torch]'")):
        fvjax.from_torch(object(), 32)


def test_equal_architectures_share_a_program() -> None:
    """The graph is static and equal; weights are leaves."""
    model, other = network("resnet"), network("resnet")
    assert model.network == other.network and hash(model.network) == hash(other.network)
    assert jax.tree.structure(model) == jax.tree.structure(other)
    moved = jax.tree.map(lambda x: x + 1, model)
    assert jax.tree.structure(moved) == jax.tree.structure(model)
    assert network("clip").network != model.network
    sent = pickle.loads(pickle.dumps(model.network))  # to another process, where hashes differ
    assert sent == model.network and hash(sent) == hash(model.network)
    graph: Any = model.network
    assert "_hash" in vars(graph.graph) and "_hash" not in graph.graph.__getstate__()


def test_an_offset_reaches_what_reads_the_layer() -> None:
    model, image = network("resnet"), picture("resnet")
    layer = "resnet.embedder"
    shape = model.layers[layer]

    @jax.jit
    def logits(offset: jax.Array) -> jax.Array:
        return model(image, {layer: offset})["output"]

    assert np.abs(logits(jnp.ones(shape)) - logits(jnp.zeros(shape))).max() > 1e-3
    slope = jax.grad(lambda offset: logits(offset)[0])(jnp.zeros(shape))
    assert slope.shape == shape and np.abs(slope).max() > 0


def test_a_dead_channel_is_redirected() -> None:
    model, image = network("resnet"), picture("resnet")
    step = Graph.from_json(model.network.graph.to_json()).steps  # type: ignore[attr-defined]
    shift = next(s for s in step if s.operator == "fvjax.affine").arguments[2].name
    weights = {**model.weights, shift: model.weights[shift].at[2].set(-100.0)}
    dead = model.replace(weights=weights)  # type: ignore[attr-defined]
    layer = "resnet.embedder.embedder"

    def height(image: jax.Array, redirect: bool) -> jax.Array:
        return dead(image, redirect=redirect)[layer][..., 2].mean()

    gradient = jax.jit(jax.grad(height), static_argnums=1)
    assert np.abs(gradient(image, False)).max() == 0 < np.abs(gradient(image, True)).max()


def test_images_do_not_see_each_other_under_vmap() -> None:
    model = network("clip")
    images = jnp.stack([picture("clip"), 1 - picture("clip")])
    both = jax.jit(jax.vmap(lambda image: model(image)["output"]))(images)
    alone = jax.jit(lambda image: model(image)["output"])(images[1])
    np.testing.assert_allclose(both[1], alone, atol=1e-5)


@pytest.mark.parametrize("name", GOLDEN)
def test_imported_networks_in_bfloat16_agree_with_float32(name: str) -> None:
    model = network(name)
    image = picture(name)
    wide, narrow = (jax.jit(m)(image) for m in (model, model.in_precision("bfloat16")))
    for layer in model.main_layers:
        scale = float(jnp.abs(wide[layer]).max())
        np.testing.assert_allclose(narrow[layer], wide[layer], atol=0.05 * scale, err_msg=layer)


def test_bfloat16_keeps_upcasts() -> None:
    """A cast to float32 widens bfloat16; the next product is bfloat16 again."""
    graph = Graph(
        (2, 2),
        (0.0,) * 3,
        (1.0,) * 3,
        (
            Step("to.dtype", (Value(-1), "float32")),
            Layer("wide", 0, 1, True).step(Value(0)),
            Step("matmul.default", (Value(1), Value(-1))),
            Layer("product", 0, 1, True).step(Value(2)),
        ),
    )
    seen: dict[str, Any] = {}

    class Dtypes(Record):
        def __call__(self, name: str, x: jax.Array, main: bool = True) -> jax.Array:
            seen[name] = x.dtype
            return x

    GraphNetwork(graph)({}, jnp.ones((2, 2, 3), jnp.bfloat16), Dtypes({}, False))
    assert seen == {"wide": jnp.float32, "product": activation_type(jnp.bfloat16)}


def test_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"imported for images of 24 x 24 pixels, not of 32 x 24"):
        network("clip").shapes((32, 24))


def test_a_gray_network_sees_luma() -> None:
    steps = (Layer("gray", 0, 1, True).step(Value(-1)),)
    network = GraphNetwork(Graph((1, 2), (0.5,), (0.25,), steps))
    model = Model.from_function(network, {}, image_size=(1, 2))
    found = model(jnp.asarray([[[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]]]))["gray"]
    np.testing.assert_allclose(found, [[[(0.299 - 0.5) / 0.25], [2.0]]], rtol=1e-6)


def test_the_main_path_leaves_branches_out() -> None:
    """Stem, then a block whose skip goes around two layers, then a head in one piece."""

    def layer(name: str, source: int) -> Step:
        return Layer(name, 0, 1, False).step(Value(source))

    steps = [
        layer("stem", -1),
        layer("block.branch", 0),
        Step("add.Tensor", (Value(1), Value(0), 1)),
        layer("block", 2),
        Step("gelu.default", (Value(3), "none")),
        layer("act", 4),
    ]
    made = with_main_path(steps, 5)
    main = [Layer.of(s).name for s in made if s.operator == "fvjax.layer" and Layer.of(s).main]
    assert main == ["stem", "act"]  # what follows `block` at once is its activation
    kept = pruned(made, ["block"])
    assert [s.operator for s in kept] == ["add.Tensor", "fvjax.layer"]
    assert kept[0].arguments[:2] == (Value(-1), Value(-1))


def test_a_saved_network_is_the_same(tmp_path: Path) -> None:
    model = network("swin")
    fvjax.save(model, tmp_path / "net.safetensors")
    again = fvjax.load(str(tmp_path / "net.safetensors"))
    assert jax.tree.structure(again) == jax.tree.structure(model)
    assert again.default_layer == model.default_layer and again.classes == model.classes
    for name, array in model.weights.items():
        np.testing.assert_array_equal(array, again.weights[name])
    assert [p.name for p in tmp_path.iterdir()] == ["net.safetensors"]


def test_json_keeps_every_kind_of_argument() -> None:
    steps = (Step("x", (Value(-1), None, True, 2, float("-inf"), "a", (1, (2.5,)), ())),)
    graph = Graph((4, 6), (0.5,), (1.0,), steps)
    assert Graph.from_json(graph.to_json()) == graph


def _written(path: Path, change: Any) -> str:
    """The decoder's file, changed."""
    with safe_open(DATA / "decoder.safetensors", "numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        kept = json.loads(file.metadata()["fvjax"])
    graph = json.loads(kept["graph"])
    change(arrays, kept, graph)
    if "graph" in kept:
        kept["graph"] = json.dumps(graph)
    save_file(arrays, path, metadata={"fvjax": json.dumps(kept)})
    return str(path)


WRONG = {
    r"the tensor 'down.weight' is missing": lambda a, k, g: a.pop("down.weight"),
    r"the tensor 'more' is unknown": lambda a, k, g: a.update(more=np.ones(2, np.float32)),
    r"the tensor 'mix' holds NaN": lambda a, k, g: a.update(mix=a["mix"] * np.nan),
    r"has format 99, but this fvjax reads": lambda a, k, g: g.update(format=99),
    r"this fvjax has no operator frobnicate": lambda a, k, g: g["steps"].append(["frobnicate"]),
    r"reads the value of step 10000": lambda a, k, g: g["steps"][0].__setitem__(
        1, {"value": 10000}
    ),
    r"'graph'": lambda a, k, g: k.pop("graph"),
    r"unknown layer 'no'": lambda a, k, g: k.update(default_layer="no"),
    r"unknown precision 'int8'": lambda a, k, g: k.update(precision="int8"),
}


@pytest.mark.parametrize("reason", WRONG)
def test_a_wrong_file_is_refused_in_a_sentence(reason: str, tmp_path: Path) -> None:
    path = _written(tmp_path / "net.safetensors", WRONG[reason])
    with pytest.raises(ValueError, match=re.escape(reason).replace(r"\ ", " ")) as error:
        fvjax.load(path)
    assert "\n" not in str(error.value)


def test_files_that_are_no_networks_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(ValueError, match="there is no file"):
        fvjax.load(str(path))
    save_file({"a": np.ones(2, np.float32)}, path)
    with pytest.raises(ValueError, match="holds weights without a network"):
        fvjax.load(str(path))
    path.write_bytes((DATA / "own.safetensors").read_bytes()[:900])
    with pytest.raises(ValueError, match="cannot be read"):
        fvjax.load(str(path))


def test_only_imported_networks_are_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="only a network that from_torch imported"):
        fvjax.save(fvjax.load("tiny"), tmp_path / "tiny.safetensors")
    with pytest.raises(ValueError, match=r"kept in a \.safetensors file, got"):
        fvjax.save(network("own"), tmp_path / "own.pth")


def test_a_graph_is_frozen() -> None:
    graph = network("decoder").network.graph  # type: ignore[attr-defined]
    with pytest.raises(dataclasses.FrozenInstanceError):
        graph.mean = ()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"image_size": [20, 2**32]}, "image_size must be an integer from 1 to 4096"),
        ({"mean": []}, "mean and std must have one number or three"),
        ({"mean": ["a", 0, 0]}, "mean must be a number, got 'a'"),
    ],
)
def test_a_graph_for_images_that_cannot_be_is_refused(
    change: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "network.safetensors"
    with safe_open(DATA / "decoder.safetensors", "numpy") as file:
        fields = json.loads(file.metadata()["fvjax"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    fields["graph"] = json.dumps(json.loads(fields["graph"]) | change)
    save_file(arrays, path, {"fvjax": json.dumps(fields)})
    with pytest.raises(ValueError, match=reason) as caught:
        fvjax.load(str(path))
    assert str(path) in str(caught.value)


def test_a_resizing_to_more_pixels_than_fit_the_memory_is_refused() -> None:
    with pytest.raises(ValueError, match=r"20 pixels cannot be resized to 2147483648 \(at most"):
        matrix("linear", 20, 2**31, False, None)
    with pytest.raises(ValueError, match="cannot be resized"):
        matrix("cubic", 20, 20, False, 1e-300, True)
