"""Keys that `+` adds: slips are refused, what a target takes is passed, the rest is noted."""

import logging

import pytest

from sweeps.config import added_keys
from sweeps.config.added_keys import check_added_keys

CONFIG = {
    "steps": 5,
    "seed": 0,
    "stpes": 3,
    "mood": "blue",
    "objective": {"_target_": "fvjax.DotCosine", "exponent": 2.0, "expnent": 3, "sign": -1},
    "penalty": {},
}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+stpes=3", "no key stpes: did you mean steps?"),
        ("++stpes=3", "no key stpes"),
        ("+objective.expnent=3", "takes no expnent; it takes exponent, floor, sign"),
    ],
)
def test_slips_are_refused(override: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        check_added_keys([override], CONFIG)


def test_arguments_of_the_target_and_keys_of_planning_are_taken() -> None:
    check_added_keys(["+objective.floor=0.2", "+objective.sign=-1", "+penalty.weight=1"], CONFIG)
    check_added_keys(["objective.exponent=3", "~seed"], CONFIG)


def test_any_other_key_is_noted_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(added_keys, "_noted", set())
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            check_added_keys(["+mood=blue"], CONFIG)
    (record,) = caplog.records
    assert "+mood: no key of fvjax" in record.message
