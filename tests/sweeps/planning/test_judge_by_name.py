"""Another network reads a picture's class by its name, at whatever index it has it."""

from fvjax.models.model import Model
from fvjax.models.tiny import tiny
from fvjax.sources import Logit
from sweeps.planning.metric_inputs import concept_of

HEADS = ("shape=disc", "shape=ring", "hue=red", "hue=blue")


def named(*classes: str) -> Model:
    """A tiny network whose ten logits have these names, then numbers."""
    names = (*classes, *(f"other{i}" for i in range(10 - len(classes))))
    return tiny().replace(classes=names)  # type: ignore[attr-defined, no-any-return]


def test_a_judge_reads_the_class_of_that_name_wherever_it_is() -> None:
    judge = named("daisy", "goldfish")
    concept = concept_of(judge, Logit(index="goldfish")(named("goldfish, n1"), "conv2", 32).concept)
    assert concept is not None and concept.index == 1
    assert concept.rivals.all()  # classes without heads exclude each other
    assert concept_of(judge, "zebra") is None
    headed = concept_of(named(*HEADS), "hue=blue")
    assert headed is not None and headed.index == 3
    assert headed.rivals.tolist() == [False, False, True, True] + [False] * 6
