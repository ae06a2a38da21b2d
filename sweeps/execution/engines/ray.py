"""Workers that are Ray actors, on this machine or on a Ray cluster."""

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from typing import Any

from sweeps.execution.engines.engine import Work, events_of
from sweeps.execution.portions import Event, Portion, Portions

_PAUSE = 1.0  # seconds for which Ray is waited for before the driver looks up
_OBJECTS = 2**27  # bytes of a local object store: only text travels
_CARRIED = ("JAX_", "XLA_", "TF_CPP_", "XDG_CACHE_HOME")  # variables that workers get


class RayEngine:
    """Workers that are Ray actors."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """Connect to a cluster, or start one on this machine.

        Raises:
            ValueError: no cluster answers, or it has no room for a worker.
        """
        import ray

        self._resources = {
            "num_cpus": settings["cpus_per_worker"],
            "num_gpus": settings["gpus_per_worker"],
        }
        address = settings["address"] or os.environ.get("RAY_ADDRESS")
        local = {} if address else {"object_store_memory": _OBJECTS, "include_dashboard": False}
        carried = {k: v for k, v in os.environ.items() if k.startswith(_CARRIED)}
        carried["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        given = {"log_to_driver": False, "runtime_env": {"env_vars": carried}} | local
        if not ray.is_initialized():
            _connect(given | settings["arguments"] | {"address": address})
        self.workers: int = settings["workers"] or _workers_that_fit(
            self._resources, ray.cluster_resources()
        )

    def run(self, begin: Callable[[], Work], portions: Portions) -> Iterator[tuple[Portion, Event]]:
        """Run portions, as `Engine.run` says."""
        import ray

        actor_class: Any = ray.remote(max_restarts=0, max_task_retries=0, **self._resources)(_Actor)
        idle: list[Any] = []
        busy: dict[Any, tuple[Any, Portion]] = {}  # by the stream of the portion's events
        begun: set[Any] = set()
        try:
            while True:
                while len(busy) < self.workers and (portion := portions.take()) is not None:
                    actor = idle.pop() if idle else actor_class.remote(begin)
                    busy[actor.run.remote(asdict(portion))] = actor, portion
                if portions.stopped():
                    for stream in [stream for stream in busy if stream not in begun]:
                        idle.append(busy.pop(stream)[0])
                if not busy:
                    return
                ready, _ = ray.wait(list(busy), num_returns=1, timeout=_PAUSE)
                for stream in ready:
                    begun.add(stream)
                    actor, portion = busy[stream]
                    event = _next_event(stream)
                    if event.is_last:
                        del busy[stream]
                        begun.discard(stream)
                        idle += [actor] if event.ended else []
                    if event.lost is not None:
                        ray.kill(actor)
                    yield portion, event
        finally:
            for actor in [*idle, *(actor for actor, _ in busy.values())]:
                with suppress(Exception):  # it is dead
                    ray.kill(actor)


def _connect(arguments: Mapping[str, Any]) -> None:
    """Call `ray.init`, which neither warns of forks nor changes what SIGTERM does here."""
    import ray

    former = signal.getsignal(signal.SIGTERM)
    try:
        with warnings.catch_warnings():  # Ray forks only to execute another program
            warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
            ray.init(**arguments)
    except (ConnectionError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"engine=ray: Ray does not start: {reason}") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, former)


class _Actor:
    """A worker, which begins its `Work` with the first portion."""

    def __init__(self, begin: Callable[[], Work]) -> None:
        self.work = cache(begin)

    def run(self, portion: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for event in events_of(self.work, Portion(**portion)):
            yield asdict(event)


def _next_event(stream: Any) -> Event:
    """Return the next event of a stream; an error of Ray is the loss of its portion."""
    import ray

    try:
        return Event(**ray.get(next(stream)))
    except (ray.exceptions.RayError, StopIteration) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return Event(lost=f"{type(error).__name__}: {' '.join(lines[:2])}".removesuffix(": "))


def _workers_that_fit(needed: Mapping[str, float], present: Mapping[str, float]) -> int:
    """Return the number of workers for which a cluster has processors."""
    has = {"num_cpus": present.get("CPU", 0), "num_gpus": present.get("GPU", 0)}
    most = min(int(has[name] // count) for name, count in needed.items() if count)
    if most < 1:
        raise ValueError(
            f"engine=ray: a worker needs {needed['num_cpus']} CPUs and {needed['num_gpus']} GPUs, "
            f"the cluster has {has['num_cpus']:g} and {has['num_gpus']:g}: lower "
            "engine.cpus_per_worker or engine.gpus_per_worker, or name engine.workers if it grows"
        )
    return most
