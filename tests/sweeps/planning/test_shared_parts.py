"""A part is shared by jobs that agree in the keys that its function has read."""

from collections.abc import Mapping
from typing import Any

import pytest

from sweeps.planning.shared_parts import JobConfig, SharedParts


def chosen(cfg: Mapping[str, Any], other: Any = None) -> list[Any]:
    """Read `a`, and `b` only if `a` is 1."""
    return [cfg["a"], cfg.get("b") if cfg["a"] == 1 else None, other]


def test_a_key_that_was_not_read_may_differ() -> None:
    parts = SharedParts()
    one = parts.get(chosen, JobConfig({"a": 2, "b": 1}))
    assert parts.get(chosen, JobConfig({"a": 2, "b": 5, "c": 1})) is one
    assert parts.get(chosen, JobConfig({"a": 1, "b": 5})) == [1, 5, None]
    assert parts.get(chosen, JobConfig({"a": 1, "b": 6})) == [1, 6, None]
    assert parts.get(chosen, JobConfig({"a": 1})) == [1, None, None]
    assert parts.get(chosen, JobConfig({"a": 1, "b": None})) == [1, None, None]


@pytest.mark.parametrize("other", [1.0, True, "1", [1], {"a": 1}, {"1": 1}, {1: 1}, None])
def test_values_of_other_types_are_other_values(other: Any) -> None:
    parts = SharedParts()
    parts.get(chosen, JobConfig({"a": 1, "b": 1}))
    (_, value, _) = parts.get(chosen, JobConfig({"a": 1, "b": other}))
    assert repr(value) == repr(other)


def test_other_parts_are_the_same_objects_or_the_part_is_another() -> None:
    parts, cfg = SharedParts(), JobConfig({"a": 2})
    for _ in range(50):  # ids of objects that are gone would be given to these again
        other = [object()]
        assert parts.get(chosen, cfg, other)[2] is other
    assert parts.get(chosen, cfg, other) is parts.get(chosen, cfg, other)


def test_an_error_leaves_no_part() -> None:
    parts = SharedParts()
    for _ in range(2):
        with pytest.raises(KeyError):
            parts.get(chosen, JobConfig({}))
    assert parts.get(chosen, JobConfig({"a": 2})) == [2, None, None]


@pytest.mark.parametrize("read_all", [dict, list, len, lambda cfg: {**cfg}])
def test_a_part_that_reads_all_keys_is_refused(read_all: Any) -> None:
    with pytest.raises(TypeError, match="must name each key"):
        SharedParts().get(read_all, JobConfig({"a": 1}))
