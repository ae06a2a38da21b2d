"""Bounds of segments: all steps once, no segment too long, an end at every stop."""

import itertools

import pytest

from sweeps.execution.segments import SEGMENT, segment_bounds


@pytest.mark.parametrize("first", [-1, 0, 40, 200])
@pytest.mark.parametrize("steps", [1, 63, 64, 256, 1000])
@pytest.mark.parametrize("stops", [(), (0,), (16, 64, 128), range(7, 2000, 7)])
def test_segments_cover_every_step_once(first: int, steps: int, stops: tuple[int, ...]) -> None:
    if first >= steps:
        return
    bounds = segment_bounds(first, steps, stops)
    assert bounds[0][0] == first and bounds[-1][1] == steps + 1
    assert all(one[1] == other[0] for one, other in itertools.pairwise(bounds))
    assert all(0 < last - begin <= SEGMENT for begin, last in bounds)
    ends = {last for _, last in bounds}
    assert all(stop in ends for stop in stops if first < stop < steps)


def test_segments_are_about_equally_long() -> None:
    lengths = [last - first for first, last in segment_bounds(-1, 256, [])]
    assert len(lengths) == 3 and max(lengths) - min(lengths) <= 1
