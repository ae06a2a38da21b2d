"""Workers that submitit starts: jobs of Slurm, or processes of this machine.

Each worker takes portions from a folder, one after the other, so it imports, composes and compiles
once.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from sweeps.execution.engines.engine import Work, events_of
from sweeps.execution.engines.portion_folder import PortionFolder
from sweeps.execution.engines.pulse import PULSE, Listener
from sweeps.execution.portions import Event, Portion, Portions

_PAUSE = 0.2  # seconds between two looks at the folder
_LOOK_LOCAL, _LOOK_SLURM = 1.0, 15.0  # seconds between two looks at the workers' states
_VISIBLE = "CUDA_VISIBLE_DEVICES"
_PREEMPTED = "SUBMITIT_PREEMPT_SIGNAL"


def make_executor(folder: Path, settings: Mapping[str, Any]) -> Any:
    """Return submitit's executor for the workers that the settings describe.

    Raises:
        ValueError: submitit refuses a parameter, or finds no Slurm.
    """
    # Slurm sends this signal before the end of a worker's time, and the worker stops by itself.
    os.environ.setdefault(_PREEMPTED, "TERM")
    import submitit

    given = {"cpus_per_task": settings["cpus_per_worker"], "name": "fvjax"}
    if settings["gpus_per_worker"]:
        given["gpus_per_node"] = settings["gpus_per_worker"]
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster=settings["cluster"])
        executor.update_parameters(**given | settings["parameters"])
    except (AssertionError, NameError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"engine=submitit: submitit refuses its parameters: {reason}") from error
    return executor


class SubmititEngine:
    """Workers that submitit starts."""

    def __init__(self, settings: Mapping[str, Any], path: Path) -> None:
        """Use a folder that the workers see too."""
        self.workers: int = settings["workers"]
        self._path = path
        self._gpus: int = settings["gpus_per_worker"]
        self._folder = PortionFolder(path)
        self._executor = make_executor(path / "logs", settings)
        self._jobs: dict[int, Any] = {}  # submitit's job of each worker that has not ended
        self._starts = 0
        self._portions: dict[str, Portion] = {}  # handed out and not ended
        self._looked_at = 0.0

    def run(self, begin: Callable[[], Work], portions: Portions) -> Iterator[tuple[Portion, Event]]:
        """Run portions, as `Engine.run` says."""
        try:
            while True:
                while (portion := portions.take()) is not None:
                    self._portions[portion.name] = portion
                    self._folder.put(portion)
                if portions.stopped():
                    for name in filter(self._folder.is_waiting, list(self._portions)):
                        del self._portions[name]
                if not self._portions:
                    return
                if not portions.stopped():
                    self._start_workers(begin)
                for name in list(self._portions):
                    yield from self._hear(name)
                yield from self._look_after_workers()
                time.sleep(_PAUSE)
        finally:
            self._end_workers()

    def _start_workers(self, begin: Callable[[], Work]) -> None:
        places = {number % self.workers for number in self._jobs}
        free = [place for place in range(self.workers) if place not in places]
        free = free[: max(len(self._portions) - len(places), 0)]
        if not free:
            return
        numbers = [place + self.workers * self._starts for place in free]
        self._starts += 1
        with _without_keyboard(), self._executor.batch():
            jobs = [
                self._executor.submit(serve, self._path, number, begin, self._gpus_of(place))
                for number, place in zip(numbers, free, strict=True)
            ]
        self._jobs |= dict(zip(numbers, jobs, strict=True))

    def _gpus_of(self, place: int) -> str | None:
        """Return the GPUs of a local worker, since submitit gives all the same; Slurm has its own.

        They are those that CUDA_VISIBLE_DEVICES names, in order.
        """
        if self._executor.cluster != "local" or not self._gpus:
            return None
        given = os.environ.get(_VISIBLE)
        names = given.split(",") if given else list(map(str, range(self.workers * self._gpus)))
        return ",".join(names[place * self._gpus :][: self._gpus])

    def _hear(self, name: str) -> Iterator[tuple[Portion, Event]]:
        """Yield the new events of a portion."""
        for event in self._folder.hear(name):
            if name in self._portions:
                portion = self._portions[name]
                if event.is_last:
                    del self._portions[name]
                yield portion, event

    def _look_after_workers(self) -> Iterator[tuple[Portion, Event]]:
        """Yield the losses of the workers that have ended."""
        every = _LOOK_LOCAL if self._executor.cluster == "local" else _LOOK_SLURM
        if time.monotonic() - self._looked_at < every:
            return
        self._looked_at = time.monotonic()
        # One answer of Slurm holds for all workers, so that only the first look asks for it.
        jobs = enumerate(list(self._jobs.items()))
        for number in [n for place, (n, job) in jobs if job.done(force_check=place == 0)]:
            reason = _last_words(self._jobs.pop(number))
            names = self._folder.taken_by(str(number))
            if not names and (portion := self._folder.take("driver")):  # it ended before it began
                names = [portion.name]
            for name in names:
                yield from self._hear(name)
                if name in self._portions:
                    yield self._portions.pop(name), Event(lost=reason)

    def _end_workers(self) -> None:
        """Cancel the workers that have not ended; what they have not reported is not waited for."""
        for job in self._jobs.values():
            if not job.done():
                with suppress(Exception):  # it ends by itself, since the driver's pulse has ended
                    job.cancel(check=False)


def serve(path: Path, number: int, begin: Callable[[], Work], gpus: str | None = None) -> None:
    """Run portions in a worker until the driver ends or this process is interrupted.

    Args:
        path: the folder of the engine.
        number: the worker's number.
        begin: returns the worker's `Work`.
        gpus: the GPUs that it may use; None if nobody else uses those that it sees.
    """
    if gpus is not None:
        os.environ[_VISIBLE] = gpus
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # while jobs run, it keeps what is in flight
    owner, folder = str(number), PortionFolder(path)
    for name in folder.taken_by(owner):
        folder.say(name, Event(lost="Slurm has started the worker again"))
        folder.give_back(owner, name)
    listener, work = Listener(path / PULSE), cache(begin)
    while not listener.has_ended():
        portion = folder.take(owner)
        if portion is None:
            time.sleep(_PAUSE)
            continue
        for event in events_of(work, portion):
            folder.say(portion.name, event)
            if event.lost is not None:
                return
        folder.give_back(owner, portion.name)


def _last_words(job: Any) -> str:
    """Return how a worker ended: its state, and the last line of its standard error."""
    lines = [line.strip() for line in (job.stderr() or "").splitlines() if line.strip()]
    words = f": {lines[-1]}" if lines else ""
    return f"the worker ended as {job.state} (submitit's job {job.job_id}){words}"


@contextmanager
def _without_keyboard() -> Iterator[None]:
    """Let processes that begin meanwhile ignore Ctrl-C: the driver's pulse stops them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {n: signal.signal(n, signal.SIG_IGN) for n in (signal.SIGINT, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
