"""The portions of a sweep that workers run: how they are cut, and what follows when one is lost."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Row = dict[str, Any]
Overrides = Sequence[Sequence[str]]

_EACH = 4  # portions for each worker, so that all workers end at about the same time
_MOST_BATCHES = 8  # of a portion: beyond it a worker that is lost costs much
_MOST_LOSSES = 2  # of a portion without a row in between, before it is halved
_MOST_IN_A_ROW = 16  # losses of any portions without a row in between, before the sweep ends


class Refused(ValueError):
    """The refusal of a worker that cannot run the sweep's jobs as the driver planned them."""


@dataclass(frozen=True)
class Portion:
    """Jobs of one group, as plain data that travels to a worker.

    Attributes:
        name: unique in the sweep.
        overrides: the overrides of each job.
        numbers: the job numbers.
        job_ids: the ids that the driver found, which the worker must find too.
        batch_size: jobs per program.
        losses: how often it was lost since the last row of one of its jobs.
    """

    name: str
    overrides: Overrides
    numbers: Sequence[int]
    job_ids: Sequence[str]
    batch_size: int
    losses: int = 0

    def only(self, places: Iterable[int], name: str, losses: int) -> "Portion":
        """Return a portion of some of the jobs."""
        chosen = list(places)
        return replace(
            self,
            name=name,
            overrides=[self.overrides[place] for place in chosen],
            numbers=[self.numbers[place] for place in chosen],
            job_ids=[self.job_ids[place] for place in chosen],
            losses=losses,
        )


@dataclass(frozen=True)
class Event:
    """What a worker or its engine says about a portion; without a field, that it has begun.

    Attributes:
        rows: jobs that have ended and are written; of each what Hydra is told.
        ended: the portion has ended.
        lost: why the portion was lost, in the engine's or the worker's words.
        refused: why the worker does not run the portion: the sweep ends.
    """

    rows: Sequence[Row] = ()
    ended: bool = False
    lost: str | None = None
    refused: str | None = None

    @property
    def is_last(self) -> bool:
        """Return whether no other event of the portion follows."""
        return self.ended or self.lost is not None or self.refused is not None


def cut(jobs: Sequence[int], batch_size: int, batches: int) -> list[list[int]]:
    """Cut a group into portions of at most so many whole batches, of about equal length."""
    count = -(-len(jobs) // batch_size)  # of the group's batches
    portions = -(-count // batches)
    bounds = [count * place // portions * batch_size for place in range(portions + 1)]
    return [list(jobs[first:last]) for first, last in itertools.pairwise(bounds)]


def batches_per_portion(batches: int, workers: int) -> int:
    """Return the number of batches in a portion of a sweep with so many batches."""
    return max(1, min(_MOST_BATCHES, batches // (_EACH * workers)))


@dataclass
class Portions:
    """The portions that no worker has yet, and the jobs that have ended.

    A portion that is lost goes out again without the jobs that have ended. If it is lost again
    before another of its jobs ends, its halves go out. A single job that is lost twice has failed.

    Attributes:
        waiting: the portions that no worker has.
        stopped: returns whether no more portions shall go out.
    """

    waiting: deque[Portion]
    stopped: Callable[[], object] = lambda: False
    _ended: set[str] = field(default_factory=set)
    _in_a_row: int = 0
    _names: Any = field(default_factory=itertools.count)

    def take(self) -> Portion | None:
        """Return the next portion; None if none waits, or if the sweep is stopped."""
        return None if self.stopped() or not self.waiting else self.waiting.popleft()

    def record(self, portion: Portion, event: Event) -> tuple[list[Row], list[tuple[str, str]]]:
        """Note an event; return the rows that are new, and job ids that have failed with reasons.

        Raises:
            Refused: the event is a refusal, or workers are lost again and again.
        """
        if event.refused is not None:
            raise Refused(event.refused)
        rows = [row for row in event.rows if row["job_id"] not in self._ended]
        self._ended |= {row["job_id"] for row in rows}
        self._in_a_row = 0 if rows else self._in_a_row
        if not event.is_last:
            return rows, []
        lost = "the worker did not run it" if event.lost is None else event.lost
        failed = self._lose(portion, lost)
        self._ended.update(failed)
        return rows, [(job_id, lost) for job_id in failed]

    def _lose(self, portion: Portion, reason: str) -> list[str]:
        """Send the jobs that have not ended again; return the ids of those that have failed."""
        left = [place for place, key in enumerate(portion.job_ids) if key not in self._ended]
        if not left or self.stopped():
            return []
        self._in_a_row += 1
        if self._in_a_row > _MOST_IN_A_ROW:
            raise Refused(f"{self._in_a_row} times no job ended before a worker was lost: {reason}")
        losses = 1 if len(left) < len(portion.job_ids) else portion.losses + 1
        if losses < _MOST_LOSSES:
            parts = [left]
        elif len(left) > 1:
            parts, losses = [left[: len(left) // 2], left[len(left) // 2 :]], 1
        else:
            return [portion.job_ids[left[0]]]
        again = [portion.only(part, f"again{next(self._names):05d}", losses) for part in parts]
        self.waiting.extendleft(reversed(again))
        return []
