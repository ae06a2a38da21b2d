"""Another network reads a picture's class by its name, at whatever index it has it."""

from importlib.util import find_spec

import pytest
from conftest import composed, shared

from fvjax.models.efficientnet_lite0_weights import PACKAGE
from fvjax.models.model import Model
from fvjax.models.tiny import tiny
from fvjax.sources import Logit
from fvjax.sources.setup import Setup
from sweeps.planning.build import build
from sweeps.planning.metric_inputs import concept_of

HEADS = ("shape=disc", "shape=ring", "hue=red", "hue=blue")


def named(*classes: str) -> Model:
    """A tiny network whose ten logits have these names, then numbers."""
    names = (*classes, *(f"other{i}" for i in range(10 - len(classes))))
    return tiny().replace(classes=names)  # type: ignore[attr-defined, no-any-return]


def test_a_judge_reads_the_class_of_that_name_wherever_it_is() -> None:
    judge = named("daisy", "goldfish")
    concept = concept_of(
        judge,
        Logit(index="goldfish").resolve(Setup(named("goldfish, n1"), "conv2", (32, 32))).concept,
    )
    assert concept is not None and concept.index == 1
    assert concept.rivals.all()  # classes without heads exclude each other
    assert concept_of(judge, "zebra") is None
    headed = concept_of(named(*HEADS), "hue=blue")
    assert headed is not None and headed.index == 3
    assert headed.rivals.tolist() == [False, False, True, True] + [False] * 6


@pytest.mark.slow
def test_a_job_of_a_named_class_is_labelled_and_judged_by_the_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if find_spec(PACKAGE) is None:
        pytest.skip(f"{PACKAGE} is not installed")
    monkeypatch.setenv("FVJAX_WEIGHTS", str(shared("weights")))
    job = ("model=efficientnet_lite0", "judge=squeezenet", "direction=logit")
    task = build(composed(*job, "direction.index=golden retriever"))
    assert task.info.label == "golden retriever" and task.info.channel == 207
    concept = task.job_inputs.concept
    assert concept is not None and concept.index == 207 and concept.rivals.all()
    assert task.columns["direction_index"] == "golden retriever"
    with pytest.raises(ValueError, match=r"the name 'golden retriver'; did you mean golden retr"):
        build(composed(*job, "direction.index=golden retriver"))
    with pytest.raises(ValueError, match=r"the name 'crane': 134 \(.*\) and 517 \(.*give an index"):
        build(composed(*job, "direction.index=crane"))
