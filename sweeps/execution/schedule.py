"""What to do next for the batches of a group: dispatch a segment, or collect one."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from sweeps.execution.batch import Batch, Segment
from sweeps.execution.checkpoints import Checkpoints
from sweeps.execution.grouping import batches

MIN_IN_FLIGHT = 2  # segments dispatched before the first of them is collected
MAX_IN_FLIGHT = 16
SECONDS_IN_FLIGHT = 2.0  # of work, so that the devices never wait for the host


@dataclass(frozen=True)
class Watch:
    """What a running group reports to, and what may stop it between two segments.

    Attributes:
        announce: called with "compiling" or "optimizing" before either begins.
        advance: called with a number of image-steps that have run.
        interrupted: returns whether the group shall stop. Batches that have begun end after the
            segments in flight if there are checkpoints; otherwise they run to their end.
        checkpoints: where the progress of batches is kept.
    """

    announce: Callable[[str], object] = lambda text: None
    advance: Callable[[int], object] = lambda steps: None
    interrupted: Callable[[], object] = lambda: False
    checkpoints: Checkpoints | None = None


UNWATCHED = Watch()


@dataclass
class Schedule:
    """The batches of a group that have not ended, and what to do next."""

    pending: deque[tuple[int, ...]]  # batches that have not begun
    in_flight: deque[Segment] = field(default_factory=deque)
    batch: Batch | None = None  # the one that has segments to dispatch
    stops: bool = False
    dispatches: bool = False  # whether the next thing is to dispatch, rather than to collect
    seconds_per_segment: float = SECONDS_IN_FLIGHT
    segment_end: float = 0.0  # when the devices ended their last segment
    batch_end: float = 0.0  # when they ended their last batch

    def goes_on(self, watch: Watch) -> bool:
        """Return whether anything is left to do, after an interruption less."""
        self.stops = bool(watch.interrupted())
        if self.stops:
            self.pending.clear()
            self.batch = self.batch if watch.checkpoints is None else None
        return bool(self.batch is not None or self.pending or self.in_flight)

    def choose(self) -> tuple[int, ...]:
        """Choose between dispatching and collecting, and return the members of the batch."""
        count = len(self.in_flight)
        is_enough = count * self.seconds_per_segment >= SECONDS_IN_FLIGHT
        has_room = count < MIN_IN_FLIGHT or (count < MAX_IN_FLIGHT and not is_enough)
        self.dispatches = has_room and bool(self.batch is not None or self.pending)
        if not self.dispatches:
            return self.in_flight[0].batch.members
        return self.batch.members if self.batch is not None else self.pending.popleft()

    def drop(self, members: tuple[int, ...]) -> None:
        """Forget a batch that has failed."""
        self.in_flight = deque(one for one in self.in_flight if one.batch.members != members)
        if self.batch is not None and self.batch.members == members:
            self.batch = None

    def repeat(self, members: tuple[int, ...], size: int) -> None:
        """Begin anew all that has not ended, in batches of another size."""
        begun = [one.batch.members for one in self.in_flight]
        begun += [] if self.batch is None else [self.batch.members]
        unfinished = {m for one in (members, *self.pending, *begun) for m in one}
        self.pending = deque(batches(sorted(unfinished), size))
        self.in_flight.clear()
        self.batch = None
