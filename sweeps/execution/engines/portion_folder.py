"""A folder by which a driver hands portions to workers, and hears of them.

A portion is a file in `waiting`. A worker takes it by renaming it into `claimed`, and appends what
it says about it to a file in `events`, one line of JSON for each event.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from sweeps.execution.portions import Event, Portion
from sweeps.storage.atomic import atomic_write


class PortionFolder:
    """The folder, as the driver or a worker sees it."""

    def __init__(self, path: Path) -> None:
        """Use a folder, and create what it lacks."""
        self.waiting, self.claimed = path / "waiting", path / "claimed"
        self.events = path / "events"
        self._read: dict[str, int] = {}  # bytes of each portion's events
        for folder in (self.waiting, self.claimed, self.events):
            folder.mkdir(parents=True, exist_ok=True)

    def put(self, portion: Portion) -> None:
        """Let a portion wait for a worker."""
        with atomic_write(self.waiting / f"{portion.name}.json") as partial:
            partial.write_text(json.dumps(asdict(portion)))

    def take(self, owner: str) -> Portion | None:
        """Take the first waiting portion; return None if none waits."""
        for path in sorted(self.waiting.glob("*.json")):
            claimed = self.claimed / f"{owner}-{path.name}"
            with suppress(FileNotFoundError):  # another worker was faster
                path.rename(claimed)
            if claimed.exists():  # NFS may call a rename failed whose answer was lost
                return Portion(**json.loads(claimed.read_text()))
        return None

    def is_waiting(self, name: str) -> bool:
        """Return whether no worker has taken a portion."""
        return (self.waiting / f"{name}.json").exists()

    def taken_by(self, owner: str) -> list[str]:
        """Return the names of the portions that a worker has taken and not given back."""
        found = self.claimed.glob(f"{owner}-*.json")
        return sorted(path.stem.partition("-")[2] for path in found)

    def give_back(self, owner: str, name: str) -> None:
        """Note that a worker is done with a portion."""
        (self.claimed / f"{owner}-{name}.json").unlink(missing_ok=True)

    def say(self, name: str, event: Event) -> None:
        """Append an event of a portion."""
        with (self.events / f"{name}.jsonl").open("a") as file:
            file.write(json.dumps(asdict(event)) + "\n")

    def hear(self, name: str) -> Iterator[Event]:
        """Yield the events of a portion that are new; a line that is not yet whole waits."""
        try:
            with (self.events / f"{name}.jsonl").open("rb") as file:
                file.seek(self._read.get(name, 0))
                lines = file.read().splitlines(keepends=True)
        except FileNotFoundError:
            return
        for line in lines:
            if line.endswith(b"\n"):
                self._read[name] = self._read.get(name, 0) + len(line)
                yield Event(**json.loads(line))
