"""Models record what their networks compute, under the right names, and as the originals do."""

import runpy
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import ROOT, shared
from jax import Array

import fvjax
from fvjax.data.photos import read_photo
from fvjax.models import Linen, Model, Record
from fvjax.models.googlenet import INCEPTIONS, NAMES, GoogLeNet
from fvjax.models.tiny import tiny
from fvjax.ops import layers

EXAMPLES = ROOT / "examples"
GOLDEN_PHOTOS = ("skimage_chelsea", "kodim23")


@pytest.fixture
def image(key: Array) -> Array:
    return jax.random.uniform(key, (32, 32, 3))


def test_image_comes_first_then_layers_in_forward_order(image: Array) -> None:
    model = tiny()
    layers = ["conv1_pre_relu", "conv1", "conv2_pre_relu", "conv2", "logits"]
    assert list(model(image)) == ["image", *layers]
    assert list(model.layers) == layers
    np.testing.assert_array_equal(model(image)["image"], image)


def test_shapes_are_those_of_the_activations_at_any_size(key: Array) -> None:
    model = tiny()
    for size in ((32, 32), (48, 40)):
        activations = model(jax.random.uniform(key, (*size, 3)))
        assert model.shapes(size) == {n: a.shape for n, a in activations.items() if n != "image"}
    assert model.layers == model.shapes((32, 32))


def test_gradient_by_an_offset_is_the_gradient_at_that_layer(image: Array) -> None:
    model = tiny()
    w = model.weights

    def rest_of_conv1(conv1: Array) -> Array:
        x = layers.conv(conv1, w["conv2"]["kernel"], 1, ((1, 1), (1, 1)))
        x = jax.nn.relu(x + w["conv2"]["bias"][None, None])
        return (x.mean((0, 1)) @ w["logits"]["kernel"] + w["logits"]["bias"])[3]

    def rest_of_pre_relu(x: Array) -> Array:
        x = jax.nn.relu(x)
        return (x.mean((0, 1)) @ w["logits"]["kernel"] + w["logits"]["bias"])[3]

    seen = model(image)
    rests = {"conv1": rest_of_conv1, "conv2_pre_relu": rest_of_pre_relu}
    for layer, rest in rests.items():
        np.testing.assert_allclose(rest(seen[layer]), seen["logits"][3], rtol=1e-6)
        zero = jnp.zeros(model.layers[layer])
        found = jax.grad(lambda o, name: model(image, {name: o})["logits"][3])(zero, layer)
        np.testing.assert_allclose(found, jax.grad(rest)(seen[layer]), atol=1e-7)
        assert jnp.any(found != 0)


def test_an_offset_is_added_to_its_layer_and_seen_by_the_later_ones(image: Array) -> None:
    model = tiny()
    plain, moved = model(image), model(image, {"conv1": jnp.ones((16, 16, 8))})
    np.testing.assert_allclose(moved["conv1"], plain["conv1"] + 1, rtol=1e-6)
    assert jnp.any(moved["conv2"] != plain["conv2"])


def test_unknown_layers_and_offsets_are_refused_naming_the_closest(image: Array) -> None:
    model = tiny()
    with pytest.raises(ValueError, match=r"unknown layer 'conv3'.*did you mean conv2"):
        model(image, {"conv3": jnp.zeros(())})
    with pytest.raises(ValueError, match=r"unknown layer 'logit'.*did you mean logits"):
        model.previous("logit")
    direction = fvjax.Direction(vector=jnp.ones(16), layer="conv_2")
    with pytest.raises(ValueError, match=r"unknown layer 'conv_2'.*did you mean conv2"):
        fvjax.Cosine()(model(image), direction)
    with pytest.raises(ValueError, match=r"unknown model 'googlnet'.*did you mean googlenet"):
        fvjax.load("googlnet")


def test_previous_is_the_main_layer_before_never_a_branch_or_a_pre_activation() -> None:
    model = tiny()
    assert model.previous("conv1") is None
    assert model.previous("conv2") == "conv1"
    assert model.previous("conv2_pre_relu") == "conv1"
    assert model.previous("logits") == "conv2"


@pytest.fixture(scope="module")
def structure() -> Model:
    """GoogLeNet's structure with random weights, for what needs no real ones."""
    module, draws = GoogLeNet(), np.random.default_rng(0)

    def initialise(key: Array) -> Any:
        return module.init(key, jnp.zeros((32, 32, 3)), Record({}, False))["params"]

    def draw(leaf: jax.ShapeDtypeStruct) -> Array:
        deviation = np.sqrt(2 / np.prod(leaf.shape[:-1]))
        return jnp.asarray(deviation * draws.standard_normal(leaf.shape), jnp.float32)

    weights = jax.tree.map(draw, jax.eval_shape(initialise, jax.random.key(0)))
    return Model(
        weights=weights, network=Linen(module), image_size=(32, 32), default_layer="mixed4d"
    )


def test_googlenet_layer_names_and_their_order(structure: Model) -> None:
    expected = ["conv2d0", "conv2d1", "conv2d2", *[f"mixed{m}" for m in INCEPTIONS], "logits"]
    assert list(structure.main_layers) == expected
    names = list(structure.layers)
    assert names[:2] == ["conv2d0_pre_relu", "conv2d0"]
    for module, widths in INCEPTIONS.items():
        for branch in ("1x1", "3x3_reduce", "3x3", "5x5_reduce", "5x5", "pool_proj"):
            for layer in (f"mixed{module}_{branch}", f"mixed{module}_{branch}_pre_relu"):
                assert layer in names
        width = widths.one + widths.three + widths.five + widths.pool
        assert structure.layers[f"mixed{module}"][-1] == width
        assert structure.layers[f"mixed{module}_pre_relu"][-1] == width
    assert structure.previous("mixed4d") == "mixed4c"
    assert structure.previous("mixed4d_3x3") == "mixed4c"
    assert structure.previous("mixed4d_pre_relu") == "mixed4c"
    assert structure.previous("mixed3a") == "conv2d2"
    assert structure.previous("conv2d0") is None


def test_offsets_reach_the_score_from_every_layer_of_joined_branches(
    structure: Model, image: Array
) -> None:
    names = list(structure.layers)
    names = names[: names.index("mixed3b") + 1]
    offsets = {n: jnp.zeros(structure.layers[n]) for n in names}

    def score(offsets: Any) -> Array:
        return jnp.sum(structure(image, offsets, redirect=True)["mixed3b"] ** 2)

    gradients = jax.jit(jax.grad(score))(offsets)
    assert [n for n, g in gradients.items() if not jnp.any(g != 0)] == []
    for m in ("3a", "3b"):  # the joined layer's gradient is its branches' side by side
        branches = [gradients[f"mixed{m}_{b}"] for b in ("1x1", "3x3", "5x5", "pool_proj")]
        np.testing.assert_array_equal(gradients[f"mixed{m}"], jnp.concatenate(branches, -1))


def apply(weights: Any, image: Array, record: Record) -> Array:
    x = record("first", jnp.tanh(image @ weights["first"]))
    return record("last", jnp.sum(x @ weights["last"], (0, 1)))


def weights_for_apply() -> dict[str, np.ndarray]:
    return {"first": np.ones((3, 4), np.float32), "last": np.ones((4, 2), np.float32)}


def test_a_function_becomes_a_model(image: Array) -> None:
    model = Model.from_function(apply, weights_for_apply(), image_size=(32, 32))
    assert model.layers == {"first": (32, 32, 4), "last": (2,)}
    assert model.default_layer == "last" and model.previous("last") == "first"
    expected = np.tanh(np.asarray(image) @ np.ones((3, 4), np.float32))
    np.testing.assert_allclose(model(image)["first"], expected, rtol=1e-5)
    with pytest.raises(ValueError, match="did you mean first"):
        Model.from_function(apply, weights_for_apply(), image_size=(32, 32), default_layer="firts")
    with pytest.raises(ValueError, match="recorded no layer"):
        Model.from_function(lambda w, x, record: x, {}, image_size=(8, 8))


def test_a_layer_recorded_twice_is_refused() -> None:
    def twice(weights: Any, image: Array, record: Record) -> None:
        record("a", record("a", image))

    with pytest.raises(ValueError, match="layer 'a' twice"):
        Model.from_function(twice, {}, image_size=(8, 8))


def test_two_loads_have_the_same_structure_and_share_a_program(image: Array) -> None:
    traces = []

    @jax.jit
    def forward(model: Model, image: Array) -> Any:
        traces.append(1)
        return model(image)

    assert jax.tree.structure(tiny(0)) == jax.tree.structure(tiny(1))
    forward(tiny(0), image)
    forward(tiny(1), image)
    loaded = [Model.from_function(apply, weights_for_apply(), image_size=(32, 32)) for _ in "ab"]
    assert jax.tree.structure(loaded[0]) == jax.tree.structure(loaded[1])
    assert len(traces) == 1


class Plain(nn.Module):
    @nn.compact
    def __call__(self, image: Array, record: Record) -> None:
        record("only", nn.Dense(4)(image))


def test_equal_linen_modules_are_one_network() -> None:
    assert Linen(Plain()) == Linen(Plain()) and hash(Linen(Plain())) == hash(Linen(Plain()))


@pytest.mark.parametrize("name", ["your_linen_network", "your_nnx_network"])
def test_examples_of_your_own_network_raise_their_score(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = EXAMPLES / f"{name}.py"
    assert len(path.read_text().splitlines()) <= 40
    seen = runpy.run_path(str(path))
    assert seen["result"].final_score > 2 * max(0.0, float(seen["result"].initial_score))
    assert "score" in capsys.readouterr().out


# The real networks: each is loaded and compiled once.


@cache
def activations(name: str, file: str, size: int, photo: str) -> dict[str, np.ndarray]:
    model = _loaded(name, file)
    seen = _forward(model, jnp.asarray(read_photo(shared(f"photos/{photo}.jpg"), size)))
    return {layer: np.asarray(a) for layer, a in seen.items()}


@cache
def _loaded(name: str, file: str) -> Model:
    return fvjax.load(name, shared(f"weights/{file}"))


@jax.jit
def _forward(model: Model, image: Array) -> Any:
    return model(image)


@jax.jit
def blobs(seen: dict[str, Array]) -> dict[str, Array]:
    """Every blob of Caffe's deploy network but the input, as Caffe names them, after ReLU."""

    def halved(x: Array) -> Array:
        return layers.max_pool(x, 3, 2, layers.ceil_padding(x.shape[:2], 3, 2))

    found = {NAMES[n]: seen[n] for n in ("conv2d0", "conv2d1", "conv2d2")}
    found["pool1/3x3_s2"] = halved(seen["conv2d0"])
    found["pool1/norm1"] = layers.local_response_norm(found["pool1/3x3_s2"])
    found["conv2/norm2"] = layers.local_response_norm(seen["conv2d2"])
    x = found["pool2/3x3_s2"] = halved(found["conv2/norm2"])
    for m in INCEPTIONS:
        if m == "4a":
            x = found["pool3/3x3_s2"] = halved(x)
        if m == "5a":
            x = found["pool4/3x3_s2"] = halved(x)
        found[f"inception_{m}/pool"] = layers.max_pool(x, 3, 1, ((1, 1), (1, 1)))
        for branch in ("1x1", "3x3_reduce", "3x3", "5x5_reduce", "5x5", "pool_proj"):
            found[f"inception_{m}/{branch}"] = seen[f"mixed{m}_{branch}"]
        x = found[f"inception_{m}/output"] = seen[f"mixed{m}"]
    return found


def errors(photo: str) -> dict[str, float]:
    """Largest error of each blob's channel means, centre and readout, by the blob's scale."""
    seen = activations("googlenet", "bvlc_googlenet.safetensors", 224, photo)
    with np.load(shared("golden/bvlc_googlenet.npz")) as file:
        golden = {k.split("|", 1)[1]: file[k] for k in file if k.startswith(f"{photo}|")}
    unseen, found = set(golden), {}
    for blob, a in jax.tree.map(np.asarray, blobs(seen)).items():
        height, width, channels = a.shape
        assert tuple(golden[f"{blob}|shape"]) == (1, channels, height, width)
        measured = {"chan_mean": a.mean((0, 1)), "centre": a[height // 2, width // 2]}
        scale = max(np.abs(golden[f"{blob}|{name}"]).max() for name in measured)
        for name, value in measured.items():
            found[f"{blob}|{name}"] = np.abs(value - golden[f"{blob}|{name}"]).max() / scale
        unseen -= {f"{blob}|{part}" for part in ("shape", *measured)}
    logits = seen["logits"]
    odds = np.exp(logits - logits.max())
    for name, value in {"logits": logits, "prob": odds / odds.sum()}.items():
        found[name] = np.abs(value - golden[name]).max() / np.abs(golden[name]).max()
    assert unseen == {"logits", "prob"}
    assert logits.argmax() == golden["prob"].argmax()
    return found


@pytest.mark.parametrize("photo", GOLDEN_PHOTOS)
def test_googlenet_matches_caffe_at_every_blob(photo: str) -> None:
    found = errors(photo)
    worst = max(found, key=lambda name: found[name])
    print(f"{photo}: largest relative error {found[worst]:.1e} of {len(found)}, at {worst}")
    assert found[worst] < 1e-3


def test_googlenet_s_joined_layers_are_their_branches_side_by_side() -> None:
    seen = activations("googlenet", "bvlc_googlenet.safetensors", 224, "kodim23")
    for m in INCEPTIONS:
        parts = [seen[f"mixed{m}_{b}"] for b in ("1x1", "3x3", "5x5", "pool_proj")]
        np.testing.assert_array_equal(seen[f"mixed{m}"], np.concatenate(parts, -1))
        np.testing.assert_array_equal(seen[f"mixed{m}"], np.maximum(seen[f"mixed{m}_pre_relu"], 0))


@pytest.mark.parametrize(
    ("photo", "words"),
    [
        ("skimage_chelsea", "cat"),
        ("caffe_cat", "cat"),
        ("flower_daisy_14073784469_ffb12f3387_n", "daisy"),
        ("kodim23", "macaw"),
        ("skimage_rocket", "missile"),
    ],
)
def test_squeezenet_predicts_sensibly(photo: str, words: str) -> None:
    lines = shared("weights/imagenet_synset_words.txt").read_text().splitlines()
    seen = activations("squeezenet", "squeezenet_v1.1.safetensors", 227, photo)
    best = [lines[i].split(" ", 1)[1] for i in np.argsort(-seen["logits"])[:5]]
    print(photo, best)
    assert any(words in label for label in best)


def test_squeezenet_layers_in_order() -> None:
    model = _loaded("squeezenet", "squeezenet_v1.1.safetensors")
    fires = [f"fire{n}" for n in range(2, 10)]
    assert model.main_layers == ("conv1", *fires, "conv10", "logits")
    assert model.previous("fire2") == "conv1" and model.previous("fire2_expand3x3") == "conv1"
    seen = activations("squeezenet", "squeezenet_v1.1.safetensors", 227, "kodim23")
    np.testing.assert_allclose(seen["logits"], seen["conv10"].mean((0, 1)), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(seen["fire5"], np.maximum(seen["fire5_pre_relu"], 0))


@pytest.mark.parametrize("name", ["texturenet", "texturenet_judge"])
@pytest.mark.parametrize("size", [(100, 100), (17, 17), (64, 60)])
def test_a_texturenet_refuses_sizes_that_are_no_multiples_of_8(
    name: str, size: tuple[int, int]
) -> None:
    with pytest.raises(ValueError, match=rf"multiples of 8 .*, got {size[0]} x {size[1]}"):
        fvjax.load(name).shapes(size)
    assert fvjax.load(name).shapes((16, 72))["conv5"] == (2, 9, fvjax.load(name).layers["conv5"][2])


def test_nothing_is_loaded_without_weights(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs its weights and no path was given"):
        fvjax.load("googlenet")
    with pytest.raises(ValueError, match=f"there is no file {tmp_path}/absent"):
        fvjax.load("squeezenet", tmp_path / "absent.safetensors")


@pytest.mark.slow
def test_importing_fvjax_computes_nothing() -> None:
    code = "import fvjax; from jax._src import xla_bridge as b; print(b.backends_are_initialized())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
