"""The segments of a run: where each begins and ends."""

import itertools
from collections.abc import Iterable

SEGMENT = 86  # most steps in one call of the program; the default 256 steps are three calls


def segment_bounds(first: int, steps: int, stops: Iterable[int]) -> list[tuple[int, int]]:
    """Return the first step and the end of each segment, up to the evaluation after `steps`.

    A segment ends at each stop. Between two stops, segments are about equally long.

    Args:
        first: the first step; -1 is the evaluation of the first image.
        steps: the number of gradient steps.
        stops: steps before which a segment must end.
    """
    ends = sorted({stop for stop in stops if first < stop < steps} | {steps + 1})
    bounds = []
    for end in ends:
        count = -(-(end - first) // SEGMENT)
        inner = [first + (end - first) * i // count for i in range(count + 1)]
        bounds += list(itertools.pairwise(inner))
        first = end
    return bounds
