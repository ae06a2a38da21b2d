"""A folder hands each portion to one worker, and events to the driver once and whole."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sweeps.execution.engines.portion_folder import PortionFolder
from sweeps.execution.portions import Event, Portion


def portion_of(number: int) -> Portion:
    return Portion(f"{number:06d}", [[f"seed={number}"]], [number], [f"id{number}"], 4)


def test_each_portion_goes_to_one_worker_unchanged(tmp_path: Path) -> None:
    driver = PortionFolder(tmp_path)
    for number in range(100):
        driver.put(portion_of(number))

    def work(worker: int) -> list[Portion]:
        folder, taken = PortionFolder(tmp_path), []
        while (portion := folder.take(str(worker))) is not None:
            taken.append(portion)
        return taken

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(work, range(8)))
    everything = sorted((portion for own in taken for portion in own), key=lambda one: one.name)
    assert everything == [portion_of(number) for number in range(100)]
    for worker, own in enumerate(taken):
        assert driver.taken_by(str(worker)) == sorted(portion.name for portion in own)
        for portion in own:
            PortionFolder(tmp_path).give_back(str(worker), portion.name)
        assert driver.taken_by(str(worker)) == []


def test_only_what_nobody_has_is_waiting(tmp_path: Path) -> None:
    folder = PortionFolder(tmp_path)
    folder.put(portion_of(1))
    assert folder.is_waiting("000001")
    folder.take("3")
    assert not folder.is_waiting("000001") and folder.take("4") is None


def test_events_are_heard_once_and_only_whole_lines(tmp_path: Path) -> None:
    driver, worker = PortionFolder(tmp_path), PortionFolder(tmp_path)
    assert list(driver.hear("a")) == []
    row = {"job": 3, "job_id": "x", "status": "ok", "final_score": 0.1 + 0.2, "error": None}
    said = [Event([]), Event([row]), Event([], lost="OSError: full\nagain")]
    worker.say("a", said[0])
    worker.say("a", said[1])
    assert list(driver.hear("a")) == said[:2] and list(driver.hear("a")) == []
    path = tmp_path / "events" / "a.jsonl"
    whole = path.read_bytes()
    worker.say("a", said[2])
    longer = path.read_bytes()
    path.write_bytes(longer[: len(whole) + 9])  # the writer is not done
    assert list(driver.hear("a")) == []
    path.write_bytes(longer)
    assert list(driver.hear("a")) == said[2:]
    assert dataclasses.asdict(said[1])["rows"][0]["final_score"] == 0.1 + 0.2
