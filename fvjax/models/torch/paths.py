"""Layers on the main path, and steps that a network needs."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from fvjax.models.torch.graph import LAYER, Layer, Step, Value, substitute, values

_FINISHES = {
    *("relu", "relu6", "hardtanh", "gelu", "silu", "hardswish", "elu", "leaky_relu", "sigmoid"),
    *("mish", "prelu", "layer_norm", "batch_norm", "group_norm", "rms_norm", LAYER, "fvjax.affine"),
}  # operators that finish what they follow


def needed(steps: Sequence[Step], ends: Iterable[int]) -> set[int]:
    """Return the steps on which `ends` depend, `ends` included."""
    visited: set[int] = set()
    waiting = [end for end in ends if end >= 0]
    while waiting:
        step = waiting.pop()
        if step not in visited:
            visited.add(step)
            waiting += [i for i in values(steps[step]) if i >= 0]
    return visited


def on_main_path(steps: Sequence[Step], end: int) -> set[int]:
    """Return the layers on every path from the image to the step `end`.

    A layer that an activation, a normalisation or another layer follows at once is a part of what
    follows, and is not among them.
    """
    used = needed(steps, [end])
    readers: dict[int, list[int]] = defaultdict(list)
    for i, step in enumerate(steps):
        for value in values(step):
            readers[value].append(i)
    on_the_way = {i: [j for j in users if j in used] for i, users in readers.items()}
    begun = max(on_the_way.get(-1, [-1]))  # the last reader of the image
    main, furthest = set(), begun
    for i, step in enumerate(steps):
        if i not in used:
            continue
        if step.operator == LAYER and furthest <= i and not _is_finished(steps, readers[i]):
            main.add(i)
        furthest = max([furthest, *on_the_way.get(i, [])])
    return main


def _is_finished(steps: Sequence[Step], readers: Sequence[int]) -> bool:
    if len(readers) != 1:
        return False
    name = steps[readers[0]].operator
    return name in _FINISHES or name.split(".")[0] in _FINISHES


def with_main_path(steps: Sequence[Step], end: int) -> list[Step]:
    """Return the same steps, with each layer marked as on or off the main path."""
    main = on_main_path(steps, end)
    return [
        replace(Layer.of(step), main=i in main).step(step.arguments[0])
        if step.operator == LAYER
        else step
        for i, step in enumerate(steps)
    ]


def pruned(steps: Sequence[Step], layers: Iterable[str] | None = None) -> list[Step]:
    """Return the steps that the layers need, renumbered; all layers if `layers` is None."""
    chosen = None if layers is None else set(layers)
    place: dict[int, int] = {-1: -1}  # new number of an old step
    ends = [
        i
        for i, step in enumerate(steps)
        if step.operator == LAYER and (chosen is None or Layer.of(step).name in chosen)
    ]
    done: list[Step] = []
    for i in sorted(needed(steps, ends)):
        step = steps[i]
        renamed = substitute(
            step.arguments, lambda a: Value(place[a.step]) if isinstance(a, Value) else a
        )
        if step.operator == LAYER and i not in ends:
            place[i] = renamed[0].step  # no longer recorded
            continue
        place[i] = len(done)
        done.append(Step(step.operator, renamed))
    return done
