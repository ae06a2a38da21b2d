"""The records of batches on disk, so that a killed sweep goes on within a batch."""

import json
import logging
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jax
import numpy as np

from fvjax.models.model import Model
from sweeps.execution.executable_cache import environment_fingerprint
from sweeps.execution.grouping import program_name
from sweeps.storage.array_cache import digest
from sweeps.storage.atomic import atomic_write
from sweeps.storage.content_hash import hash_arrays
from sweeps.storage.location import Location, file_sizes

log = logging.getLogger(__name__)

CHECKPOINTS = "checkpoints"  # the folder in a sweep's directory
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)
_ABOUT, _STATE, _HISTORY, _SNAPSHOT = "about", "state/", "history/", "snapshot/"


@dataclass
class BatchRecord:
    """What has been collected of a batch.

    Attributes:
        states: the leaves of the states before `step`, with a leading jobs axis.
        step: the next step; -1 before the first evaluation.
        history: the metrics of each segment, (jobs, steps), evaluations included.
        snapshots: the images before some steps, by step.
    """

    states: tuple[Any, ...]
    step: int = -1
    history: list[dict[str, np.ndarray]] = field(default_factory=list)
    snapshots: dict[int, np.ndarray] = field(default_factory=dict)

    def whole_history(self) -> dict[str, np.ndarray]:
        """Return the metrics of all steps so far."""
        names = self.history[0] if self.history else {}
        return {name: np.concatenate([part[name] for part in self.history], 1) for name in names}


@dataclass(frozen=True)
class BatchIdentity:
    """What decides a batch's numbers, bit for bit.

    Attributes:
        job_ids: the ids of the jobs, in order.
        size: jobs in the program.
        content: a hash of programs, devices, weights and jobs.
    """

    job_ids: tuple[str, ...]
    size: int
    content: str

    @classmethod
    def of(
        cls, job_ids: Sequence[str], size: int, devices: Sequence[Any], model: Model, values: Any
    ) -> "BatchIdentity":
        """Return the identity of a batch whose programs read a model and other values, a pytree."""
        content = digest(
            environment_fingerprint(),
            program_name(jax.tree.structure((model, values))),
            [device.device_kind for device in devices],
            _hash_model(model),
            hash_arrays(values),
        )
        return cls(tuple(job_ids), size, content)


@lru_cache(1)  # the batches of a group follow each other
def _hash_model(model: Model) -> str:
    return hash_arrays(model)


class Checkpoints:
    """The checkpoints in a sweep's directory."""

    def __init__(self, directory: Location, every: int | None = None) -> None:
        """Use the folder `checkpoints` of a directory; write every so many steps, if not None."""
        self.folder, self.every = directory / CHECKPOINTS, every

    def save(self, identity: BatchIdentity, record: BatchRecord) -> None:
        """Write a batch's record atomically; an error is a warning, since the batch goes on."""
        about = {"job_ids": identity.job_ids, "size": identity.size, "content": identity.content}
        arrays: dict[str, Any] = {_ABOUT: np.array(json.dumps(about | {"step": record.step}))}
        states = jax.device_get(record.states)
        arrays |= {f"{_STATE}{place}": leaf for place, leaf in enumerate(states)}
        arrays |= {_HISTORY + name: values for name, values in record.whole_history().items()}
        arrays |= {f"{_SNAPSHOT}{step}": images for step, images in record.snapshots.items()}
        path = self._path(identity.job_ids, identity.size)
        try:
            self.folder.mkdir(exist_ok=True)
            with atomic_write(path) as partial, partial.open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
        except OSError as error:
            log.warning(f"no checkpoint {path}: {error.strerror or error}")

    def load(self, identity: BatchIdentity, shapes: Sequence[Any]) -> BatchRecord | None:
        """Return the kept record of a batch; None if there is none, or none that fits.

        Args:
            identity: the batch.
            shapes: shape and type of each leaf of its states.
        """
        path = self._path(identity.job_ids, identity.size)
        if not path.exists():
            return None
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                arrays = dict(file)  # zip files hold a checksum of each array
            about = json.loads(str(arrays[_ABOUT]))
            if about["content"] != identity.content:
                raise ValueError("it is of other weights, jobs, devices or another version")
            return _record(arrays, int(about["step"]), shapes)
        except _UNREADABLE as error:
            log.warning(f"the checkpoint {path} is not used, its jobs begin anew: {error}")
            return None

    def batches(self, place_of: Mapping[str, int], size: int) -> list[tuple[int, ...]]:
        """Return the batches of which checkpoints are kept, as places of jobs.

        Args:
            place_of: the places of the jobs that are to run, by job id.
            size: jobs in the program.
        """
        kept: list[tuple[int, ...]] = []
        taken: set[str] = set()
        for name in sorted(name for name in file_sizes(self.folder) if name.endswith(".npz")):
            path = self.folder / name
            try:
                with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                    about = json.loads(str(file[_ABOUT]))
                job_ids = list(map(str, about["job_ids"]))
            except (*_UNREADABLE, TypeError):
                continue  # `load` names it, if a batch asks for it
            if about.get("size") == size and all(i in place_of and i not in taken for i in job_ids):
                kept.append(tuple(place_of[i] for i in job_ids))
                taken.update(job_ids)
        return kept

    def discard(self, job_ids: Sequence[str], size: int) -> None:
        """Delete a batch's checkpoint, and the folder if no other is left."""
        with suppress(OSError):
            self._path(job_ids, size).unlink(missing_ok=True)
            self.folder.rmdir()

    def _path(self, job_ids: Sequence[str], size: int) -> Location:
        return self.folder / f"{digest(tuple(job_ids), size)}.npz"


def _record(arrays: Mapping[str, np.ndarray], step: int, shapes: Sequence[Any]) -> BatchRecord:
    """Return the record that a file's arrays hold.

    Raises:
        ValueError: an array has another shape or type.
        KeyError: an array is missing.
    """
    states = tuple(arrays[f"{_STATE}{place}"] for place in range(len(shapes)))
    for leaf, shape in zip(states, shapes, strict=True):
        if leaf.shape != shape.shape or leaf.dtype != shape.dtype:
            raise ValueError(f"a state has the shape {leaf.shape}, not {shape.shape}")
    history = {n.removeprefix(_HISTORY): x for n, x in arrays.items() if n.startswith(_HISTORY)}
    if not history or any(x.shape != (len(states[0]), step + 1) for x in history.values()):
        raise ValueError(f"its history does not have {step + 1} steps")
    snapshots = {
        int(n.removeprefix(_SNAPSHOT)): x for n, x in arrays.items() if n.startswith(_SNAPSHOT)
    }
    return BatchRecord(states, step, [history], snapshots)
