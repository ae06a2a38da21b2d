"""Training lowers the loss and repeats itself; the shipped weights do what their record says."""

import hashlib
import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import assert_equal_leaves

from fvjax.models import texturenet as module
from fvjax.models.model import Record
from fvjax.models.texturenet import TextureNet, texturenet, texturenet_judge
from fvjax.ops import layers
from fvjax.training import Trainer, accuracy, fold_batch_norm, population_statistics
from fvjax.training.__main__ import fingerprint, main
from fvjax.training.batch_norm import forward
from fvjax.training.trainer import cross_entropy, draw, key_for

SMALL = Trainer(TextureNet((4, 6, 8, 8, 12)), seed=3, steps=16, batch=16)
NAMES = ("texturenet", "texturenet_judge")


def _run() -> tuple[Any, list[float]]:
    state, losses = SMALL.begin(), []
    for _ in range(SMALL.steps):
        state, progress = SMALL.advance(state)
        losses.append(float(progress.loss))
    return state, losses


@pytest.fixture(scope="module")
def trained() -> tuple[Any, list[float]]:
    return _run()


@pytest.mark.slow
def test_a_few_steps_lower_the_loss(trained: tuple[Any, list[float]]) -> None:
    losses = trained[1]
    assert np.mean(losses[-4:]) < np.mean(losses[:4]) - 0.1


@pytest.mark.slow
def test_the_same_seed_trains_the_same_weights(trained: tuple[Any, list[float]]) -> None:
    again = _run()
    assert again[1] == trained[1]
    assert_equal_leaves(again[0].parameters, trained[0].parameters)


def test_every_purpose_has_its_own_key() -> None:
    purposes = ("weights", "images", "statistics", "evaluation")
    keys = [tuple(jax.random.key_data(key_for(s, p)).tolist()) for s in (0, 1) for p in purposes]
    assert len(set(keys)) == 8


@pytest.mark.slow
def test_folding_the_normalisation_leaves_the_logits_equal(
    trained: tuple[Any, list[float]],
) -> None:
    net, parameters = SMALL.net, trained[0].parameters
    images = draw(jax.random.key(9), 128)[0]
    statistics = population_statistics(net, parameters, [images])
    expected = forward(net, parameters, images, statistics)[0]

    @jax.jit
    def plain(weights: Any) -> Any:
        record = Record({}, False)
        net.apply({"params": weights}, images, record)
        return record.activations["logits"]

    np.testing.assert_allclose(plain(fold_batch_norm(parameters, statistics)), expected, atol=1e-4)


@pytest.mark.slow
def test_statistics_over_batches_are_those_of_all_images_at_the_first_layer() -> None:
    parameters = SMALL.begin().parameters
    first, second = (draw(jax.random.key(i), 128)[0] for i in (9, 10))
    found = population_statistics(SMALL.net, parameters, [first, 0.5 * second])["conv1"]
    images, kernel = (
        jnp.concatenate([first, 0.5 * second]),
        parameters["weights"]["conv1"]["kernel"],
    )
    before = np.asarray(layers.conv(images - 0.5, kernel, 2, ((2, 2), (2, 2))))
    np.testing.assert_allclose(found[0], before.mean((0, 1, 2)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[1], before.var((0, 1, 2)), rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_the_adversary_raises_the_loss_and_moves_no_further_than_its_length() -> None:
    parameters = SMALL.begin().parameters
    images, labels = draw(jax.random.key(9), 128)
    lengths = jnp.full((128, 1, 1, 1), 0.5)
    worsened = SMALL._adversarial_images(parameters, images, labels, lengths, SMALL.granularity)

    def loss(images: Any) -> float:
        return float(cross_entropy(forward(SMALL.net, parameters, images)[0], labels))

    assert loss(worsened) > loss(images) + 0.01
    moved = np.sqrt(np.square(worsened - images).sum((1, 2, 3)))
    assert moved.min() > 0.3 and moved.max() < 0.5 + 1e-4


def test_cross_entropy_of_flat_logits_is_three_times_log_eight() -> None:
    labels = jnp.array([[0, 3, 7], [1, 1, 1]])
    assert float(cross_entropy(jnp.zeros((2, 24)), labels)) == pytest.approx(3 * np.log(8))


@pytest.mark.slow
def test_the_command_writes_weights_that_load_and_a_record(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("fvjax.training.__main__.BATCHES", 1)
    monkeypatch.setattr("fvjax.training.__main__.STATISTICS", 1)
    monkeypatch.setattr("fvjax.training.__main__.SAVES", 1)
    out = tmp_path / "net.safetensors"
    options = ["--seed", "3", "--steps", "16", "--batch", "16"]  # SMALL, compiled by now
    options += ["--widths", "4", "6", "8", "8", "12"]
    monkeypatch.setattr("sys.argv", ["training", *options, "--out", str(out)])
    main()
    assert json.loads(out.with_suffix(".json").read_text())["images"] == 256
    assert str(hashlib.sha256(out.read_bytes()).hexdigest()) in capsys.readouterr().out
    assert texturenet(out).layers["conv3"] == (16, 16, 8)


@pytest.mark.parametrize("name", NAMES)
def test_the_record_is_that_of_the_shipped_weights_and_of_this_generator(name: str) -> None:
    path = module.SHIPPED / f"{name}.safetensors"
    record = json.loads(path.with_suffix(".json").read_text())
    assert path.stat().st_size < 2_000_000
    assert record["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert record["steps"] == record["planned_steps"]
    assert min(record["accuracy"].values()) >= 0.95
    np.testing.assert_allclose(fingerprint(), record["generator"], atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("model", (texturenet, texturenet_judge))
def test_the_shipped_weights_tell_shape_texture_and_hue(model: Any) -> None:
    # 512 new images: three standard errors of a share of 0.95 are 0.029.
    loaded = model()
    shares = accuracy(loaded.network.module, loaded.weights, jax.random.key(2026), batches=4)
    assert min(shares.values()) >= 0.95 - 0.029, shares


def test_the_network_and_its_judge_differ() -> None:
    assert texturenet().layers["conv4"] != texturenet_judge().layers["conv4"]
    expected = ["conv1", "conv2", "conv3", "conv4", "conv5", "logits"]
    assert [name for name in texturenet().main_layers if name != "image"] == expected


def test_a_file_that_holds_no_texturenet_is_refused(tmp_path: Any) -> None:
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(ValueError, match="lacks the tensor 'conv1/bias'"):
        texturenet(tmp_path / "other.npz")
