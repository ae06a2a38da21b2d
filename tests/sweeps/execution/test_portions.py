"""Portions: every job gets one row, whatever workers lose, and a lone bad job costs no other."""

import random
from collections import Counter, deque
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.config.errors import Interrupted
from sweeps.execution.engines.engine import Engine, Work, events_of
from sweeps.execution.portions import (
    Event,
    Portion,
    Portions,
    Refused,
    Row,
    batches_per_portion,
    cut,
)


def portion_of(jobs: list[int], name: str = "0", batch_size: int = 2) -> Portion:
    ids = [f"id{job}" for job in jobs]
    return Portion(name, [[f"seed={job}"] for job in jobs], jobs, ids, batch_size)


def rows_of(portion: Portion, first: int, last: int) -> list[Row]:
    pairs = zip(portion.numbers[first:last], portion.job_ids[first:last], strict=True)
    return [{"job": number, "job_id": job_id, "status": "ok"} for number, job_id in pairs]


class LosingEngine:
    """Workers that may be lost before a batch; a lost worker may still report its last batch."""

    def __init__(self, loses: Callable[[Portion, int], bool], workers: int = 2) -> None:
        self.loses, self.workers, self.sent = loses, workers, 0

    def run(self, begin: Callable[[], Work], portions: Portions) -> Iterator[tuple[Portion, Event]]:
        running: deque[tuple[Portion, int]] = deque()
        while True:
            while len(running) < self.workers and (portion := portions.take()) is not None:
                running.append((portion, 0))
                self.sent += 1
                yield portion, Event()
            if not running:
                return
            portion, first = running.popleft()
            if first >= len(portion.numbers):
                yield portion, Event(ended=True)
            elif self.loses(portion, first):
                yield portion, Event(lost="killed by signal 9")
            else:
                last = first + portion.batch_size
                yield portion, Event(rows=rows_of(portion, first, last))
                running.append((portion, last))


def work_through(engine: Engine, portions: Portions) -> tuple[Counter[str], dict[str, str]]:
    """Return how often each job was reported, and the reasons of those that failed."""
    reported: Counter[str] = Counter()
    failed: dict[str, str] = {}
    for portion, event in engine.run(lambda: lambda _: iter(()), portions):
        rows, lost = portions.record(portion, event)
        reported.update(row["job_id"] for row in rows)
        failed |= dict(lost)
    return reported, failed


def portions_of(jobs: int, batch_size: int, batches: int) -> Portions:
    parts = cut(range(jobs), batch_size, batches)
    each = [portion_of(part, str(i), batch_size) for i, part in enumerate(parts)]
    return Portions(deque(each))


@settings(max_examples=200, deadline=None)
@given(
    jobs=st.integers(1, 60),
    batch_size=st.integers(1, 5),
    batches=st.integers(1, 4),
    rate=st.floats(0, 0.3),
    workers=st.integers(1, 4),
    seed=st.integers(0, 2**32),
)
def test_every_job_ends_once_whatever_is_lost(
    jobs: int, batch_size: int, batches: int, rate: float, workers: int, seed: int
) -> None:
    chance = random.Random(seed)
    engine = LosingEngine(lambda *_: chance.random() < rate, workers)
    reported, failed = work_through(engine, portions_of(jobs, batch_size, batches))
    assert reported.keys() | failed.keys() == {f"id{job}" for job in range(jobs)}
    assert not reported.keys() & failed.keys() and set(reported.values()) <= {1}


@settings(deadline=None)
@given(bad=st.sets(st.integers(0, 39), max_size=3), batch_size=st.integers(1, 4))
def test_jobs_that_kill_their_worker_fail_alone(bad: set[int], batch_size: int) -> None:
    def loses(portion: Portion, first: int) -> bool:
        return bool(bad & set(portion.numbers[first : first + batch_size]))

    engine = LosingEngine(loses)
    reported, failed = work_through(engine, portions_of(40, batch_size, 4))
    assert failed == {f"id{job}": "killed by signal 9" for job in bad}
    assert len(reported) == 40 - len(bad)
    assert engine.sent <= 40 // batch_size + 20 * len(bad)


def test_a_lost_portion_goes_out_again_without_the_jobs_that_ended() -> None:
    portion = portion_of([3, 5, 7, 9])
    portions = Portions(deque())
    portions.record(portion, Event(rows=rows_of(portion, 0, 2)))
    assert portions.record(portion, Event(lost="gone")) == ([], [])
    again = portions.take()
    assert again is not None and portions.take() is None
    assert (again.numbers, again.job_ids) == ([7, 9], ["id7", "id9"])
    assert again.overrides == [["seed=7"], ["seed=9"]] and again.batch_size == 2
    portions.record(again, Event(lost="gone"))
    halves = [portions.take(), portions.take()]
    assert [half.numbers for half in halves if half is not None] == [[7], [9]]


def test_workers_that_are_always_lost_end_the_sweep() -> None:
    engine = LosingEngine(lambda *_: True)
    with pytest.raises(Refused, match="no job ended before a worker was lost: killed by signal 9"):
        work_through(engine, portions_of(64, 1, 8))
    assert engine.sent < 20


def test_a_refusal_ends_the_sweep() -> None:
    with pytest.raises(Refused, match="job 3 is a"):
        Portions(deque()).record(portion_of([3]), Event(refused="job 3 is a for the driver"))


def test_after_an_interruption_nothing_goes_out() -> None:
    portion, stopped = portion_of([0, 1]), [False]
    portions = Portions(deque([portion, portion_of([2], "1")]), lambda: stopped[0])
    assert portions.take() is portion
    stopped[0] = True
    assert portions.record(portion, Event(lost="the worker was interrupted")) == ([], [])
    assert portions.take() is None and len(portions.waiting) == 1


@given(jobs=st.integers(1, 300), batch_size=st.integers(1, 20), batches=st.integers(1, 9))
def test_a_cut_has_whole_batches(jobs: int, batch_size: int, batches: int) -> None:
    parts = cut(range(jobs), batch_size, batches)
    assert [job for part in parts for job in part] == list(range(jobs))
    assert all(len(part) % batch_size == 0 for part in parts[:-1])
    assert all(0 < len(part) <= batches * batch_size for part in parts)


def test_portions_are_small_where_there_are_few_batches() -> None:
    assert [batches_per_portion(n, 2) for n in (1, 4, 16, 24, 1000)] == [1, 1, 2, 3, 8]


@pytest.mark.parametrize(
    ("error", "last"),
    [
        (None, Event(ended=True)),
        (Refused("other ids"), Event(refused="other ids")),
        (Interrupted(), Event(lost="the worker was interrupted (SIGINT)")),
        (OSError("No space left"), Event(lost="OSError: No space left")),
    ],
)
def test_a_worker_says_how_a_portion_ended(error: BaseException | None, last: Event) -> None:
    portion = portion_of([0, 1])

    def work(_: Portion) -> Iterator[list[Row]]:
        yield rows_of(portion, 0, 2)
        if error is not None:
            raise error

    begun, rows, end = events_of(lambda: work, portion)
    assert begun == Event() and rows == Event(rows=rows_of(portion, 0, 2)) and end == last
    assert end.is_last and not rows.is_last
