"""What every engine does, and what every worker says about a portion."""

from collections.abc import Callable, Iterator
from typing import Protocol

from sweeps.config.errors import Interrupted
from sweeps.execution.executor import summarize_error
from sweeps.execution.portions import Event, Portion, Portions, Refused, Row

Work = Callable[[Portion], Iterator[list[Row]]]
"""Runs a portion, and yields the rows of each batch once they are written."""


class Engine(Protocol):
    """Workers of one kind.

    Attributes:
        workers: the number of workers.
    """

    workers: int

    def run(self, begin: Callable[[], Work], portions: Portions) -> Iterator[tuple[Portion, Event]]:
        """Run portions until none waits and none runs; yield what is heard of them.

        What follows from an event is done before the next one is asked for, so a lost portion waits
        again. After `portions.stopped` only portions that have begun are waited for. The end of the
        iterator, whatever its cause, ends the workers.

        Args:
            begin: called once in each worker; it can be pickled.
            portions: where portions are taken from.
        """


def events_of(work: Callable[[], Work], portion: Portion) -> Iterator[Event]:
    """Run a portion in a worker, and yield what the driver shall hear; errors are events too.

    Args:
        work: returns the worker's `Work`, which it begins when it is called first.
        portion: the portion.
    """
    yield Event()
    try:
        for rows in work()(portion):
            yield Event(rows=rows)
    except Refused as error:
        yield Event(refused=str(error))
    except Interrupted as error:
        yield Event(lost=f"the worker was interrupted ({error})")
    except Exception as error:
        yield Event(lost=summarize_error(error))
    else:
        yield Event(ended=True)
