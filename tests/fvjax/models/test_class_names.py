"""Any synonym selects a class; what selects two is refused; another network's name is matched."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from conftest import shared

import fvjax
from fvjax.models.class_names import class_label, find_class, imagenet_classes, match_class
from fvjax.models.efficientnet_lite0_weights import PACKAGE
from fvjax.models.model import Model
from fvjax.models.tiny import tiny
from fvjax.sources import Logit
from fvjax.sources.setup import Setup

IMAGENET = imagenet_classes()
HEADS = ("shape=disc", "shape=ring", "hue=red", "hue=blue")


def named(*classes: str) -> Model:
    """A tiny network whose ten logits have these names, then numbers."""
    names = (*classes, *(f"other{i}" for i in range(10 - len(classes))))
    return tiny().replace(classes=names)  # type: ignore[attr-defined, no-any-return]


def test_the_packaged_list_is_ilsvrc_s() -> None:
    assert len(IMAGENET) == len(set(IMAGENET)) == 1000
    assert IMAGENET[1] == "goldfish, Carassius auratus, n01443537"
    lines = shared("weights/imagenet_synset_words.txt").read_text().splitlines()
    packaged = Path(fvjax.models.__path__[0], "data", "imagenet_classes.txt").read_text()
    assert packaged.splitlines() == lines


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("goldfish", 1),
        ("GOLDFISH", 1),
        ("Carassius auratus", 1),
        ("n01443537", 1),
        ("golden_retriever", 207),
        ("jack_o_lantern", 607),
        ("tabby cat", 282 - 1),
        ("daisy", 985),
        ("goldfish, Carassius auratus, n01443537", 1),
        ("toilet tissue", 999),
    ],
)
def test_any_synonym_selects_its_class(name: str, index: int) -> None:
    assert find_class(IMAGENET, name) == index


def test_every_class_is_selected_by_its_label_or_its_number() -> None:
    labels = [class_label(IMAGENET, index) for index in range(1000)]
    assert len(set(labels)) == 1000
    for index, label in enumerate(labels):
        name = label.rpartition("(")[2].rstrip(")") if "(" in label else label
        assert find_class(IMAGENET, name) == index


def test_a_name_that_two_classes_have_is_refused_with_both() -> None:
    with pytest.raises(ValueError, match=r"'crane': 134 \(crane, .*\) and 517 \(crane, .*\)"):
        find_class(IMAGENET, "crane")
    with pytest.raises(ValueError, match=r"264 \(Cardigan, .*\) and 474 \(cardigan, .*\)"):
        find_class(IMAGENET, "cardigan")
    assert class_label(IMAGENET, 134) == "crane (n02012849)"


def test_an_unknown_name_is_refused_with_the_closest() -> None:
    with pytest.raises(ValueError, match=r"'goldfsh'; did you mean goldfish or"):
        find_class(IMAGENET, "goldfsh")
    with pytest.raises(ValueError, match=r"'golden retreiver'; did you mean golden retriever"):
        find_class(IMAGENET, "golden retreiver")


def test_heads_may_be_left_out() -> None:
    assert find_class(HEADS, "hue=red") == find_class(HEADS, "red") == 2
    assert class_label(HEADS, 2) == "hue=red"


def test_a_logit_by_name_is_the_logit_by_index() -> None:
    model = named("goldfish, Carassius auratus", "daisy")
    by_name, by_index = (
        Logit(index=i).resolve(Setup(model, "conv2", (32, 32))) for i in ("Daisy", 1)
    )
    np.testing.assert_array_equal(by_name.direction.vector, by_index.direction.vector)  # type: ignore[union-attr]
    assert by_name.label == by_index.label == "daisy" and by_name.channel == 1
    assert Logit(index=0).resolve(Setup(model, "conv2", (32, 32))).label == "goldfish"
    with pytest.raises(ValueError, match=r"no class of 10 has the name 'daisi'; did you mean dais"):
        Logit(index="daisi").resolve(Setup(model, "conv2", (32, 32)))
    with pytest.raises(ValueError, match=r"direction.index .* must be an integer .*'daisy'"):
        Logit(index="daisy").resolve(Setup(tiny(), "conv2", (32, 32)))


def test_another_network_s_class_is_matched_by_name() -> None:
    assert match_class(IMAGENET, IMAGENET[985]) == 985
    assert match_class(("cat", "Goldfish"), IMAGENET[1]) == 1
    assert match_class(IMAGENET, "class=daisy") == 985
    assert match_class(IMAGENET, "crane") is None
    assert match_class(("cat", "dog"), IMAGENET[1]) is None


@pytest.mark.slow
def test_networks_of_imagenet_have_its_names() -> None:
    if find_spec(PACKAGE) is None:
        pytest.skip(f"{PACKAGE} is not installed")
    files = {"googlenet": "bvlc_googlenet", "squeezenet": "squeezenet_v1.1"}
    models = [fvjax.load(n, shared(f"weights/{file}.safetensors")) for n, file in files.items()]
    for model in (fvjax.load("efficientnet_lite0"), *models):
        sourced = Logit(index="zebra").resolve(Setup(model, model.default_layer, (64, 64)))
        assert (sourced.channel, sourced.label, sourced.concept) == (340, "zebra", IMAGENET[340])
