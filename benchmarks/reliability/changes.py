"""Faults of what is asked: other weights, defaults, batches, devices, and jobs that go wrong."""

import shutil
from pathlib import Path

from own_network import JOBS_ON_OWN_NETWORK, RATES, wild_rate
from place import Place, Seen, expect, fault
from tiny_sweep import COUNT, JOBS, RESUME, ROOT, compare, run, start

import sweeps


@fault("weights changed before the resume")
def _weights(place: Place, n: int) -> Seen:
    jobs, path = (*JOBS_ON_OWN_NETWORK, f"learning_rate={RATES}"), str(Path(__file__).parent)
    expect(start(place.folder, *jobs, PYTHONPATH=path), 0)
    shutil.copytree(place.swp, place.folder / "before")
    (place.folder / "weights").write_text(str(n + 1))
    said = start(place.folder, *jobs, RESUME, "seed=0,1,2", PYTHONPATH=path)
    expect(said, 1)
    return Seen(compare(place.swp, place.folder / "before"), said.line("error"))


@fault("default changed before the resume")
def _default(place: Place, n: int) -> Seen:
    place.copy(place.half)
    package = place.folder / "package"
    for name in ("sweeps", "conf"):
        shutil.copytree(ROOT / name, package / name)
    option = package / "conf" / "transform" / "standard.yaml"
    option.write_text(option.read_text().replace("rotation: 10.0", f"rotation: {11 + n}"))
    said = start(place.folder, *JOBS, RESUME, PYTHONPATH=str(package))
    expect(said, 1)
    expect(place.resume(), 0)
    return place.compare(said, "error")


@fault("resumed with another batch size (equal up to rounding)")
def _batch_size(place: Place, n: int) -> Seen:
    place.copy(place.half)
    said = place.resume(f"hydra.launcher.batch_size={(2, 6, 8, 10, 12)[n % 5]}")
    expect(said, 0)
    return Seen(compare(place.swp, place.whole, tolerance=1e-3), said.line("batches of"))


@fault("resumed with another number of devices (equal up to rounding)")
def _devices(place: Place, n: int) -> Seen:
    place.copy(place.half)
    devices = (1, 4, 1, 4, 1)[n % 5]
    said = start(place.folder, *JOBS, RESUME, JAX_NUM_CPU_DEVICES=str(devices), XLA_FLAGS="")
    expect(said, 0)
    return Seen(compare(place.swp, place.whole, tolerance=1e-3), said.line("ran on"))


@fault("a job of NaN")
def _nan(place: Place, n: int) -> Seen:
    said = run(place.folder, *JOBS, f"learning_rate=0.05,1e3{n + 4}")
    expect(said, 0)
    wild = sweeps.load(place.swp).query("learning_rate > 1")
    assert len(wild) == COUNT and not wild["status"].eq("ok").any()
    compared = compare(place.swp, place.whole)
    return Seen(compared, said.line(" diverged ("))


@fault("an exception in a job")
def _exception(place: Place, n: int) -> Seen:
    jobs = JOBS_ON_OWN_NETWORK
    expect(run(place.folder, *jobs, f"learning_rate={RATES}", directory="calm"), 0)
    (place.folder / "break").touch()
    said = run(place.folder, *jobs, f"learning_rate={wild_rate(n)},{RATES}")
    expect(said, 0)
    assert sweeps.load(place.swp)["status"].eq("failed").sum() == 2, said.text
    return Seen(compare(place.swp, place.folder / "calm"), said.line(" failed ("))
