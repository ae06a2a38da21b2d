"""fvjax against PyTorch on the same work: `make bench`, or with `--quick`.

The work of the settings "steps" is InceptionV1 to mixed4d with random weights: the mean activation
of a channel per image, Fourier coefficients and colour decorrelation, Lucid's standard transforms,
Adam, float32 and bfloat16, the same steps and the same pixels into the network. The peers, lucent
0.1.8 and a PyTorch loop of our own, with and without torch.compile, run InceptionV1 in Lucid's
layout; fvjax runs BVLC's, whose convolutions differ slightly: both counts of operations are
reported and nothing is corrected for them. The settings "zoo" are timm's networks with random
weights, which fvjax imports: both sides have the same weights, and must give the same activations.

There are two worker processes that live through the whole run, one for each library, so that their
thread pools do not fight: one side works while the other waits on a pipe. In every round each side
does each setting once, in turns the one or the other first. A ratio is the peer's time per
image-step over ours in the same round; `low` and `high` are the extremes over the rounds. Our time
leaves out compiling, which is reported, as does PyTorch's its first two steps, in which
torch.compile compiles. Where torch.compile fails, the report says so in place of a ratio. The sweep
(d) starts fresh processes in every round: see sweep.py.

Every side's steps are counted in every round, and every score must rise.

Writes bench.json and bench.png into --out and prints the ratios.
"""

import argparse
import importlib.util
import multiprocessing
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import sweep
from report import machine, summary, table, write
from work import SETTINGS, ZOO, Setting, call, check, check_means, limit

OUT = Path(__file__).parents[1] / "out"
LUCENT = ("torch", "timm", "lucent", "kornia")  # timm brings torchvision, which lucent imports
PARTS = {"steps": LUCENT, "zoo": ("torch", "timm"), "sweep": LUCENT}  # and the peers' packages
OURS = "side_fvjax"
BUSY = 0.5  # load


class Sides:
    """A process for each library."""

    def __init__(self) -> None:
        """Start none yet: a process starts with its first call."""
        context = multiprocessing.get_context("spawn")
        self.pools = {name: ProcessPoolExecutor(1, context) for name in ("jax", "torch")}

    def __call__(self, module: str, function: str, *arguments: Any) -> Any:
        """Call `module.function` in its library's process and wait."""
        pool = self.pools["jax" if module == OURS else "torch"]
        return pool.submit(call, module, function, *arguments).result()

    def close(self) -> None:
        """End both processes."""
        for pool in self.pools.values():
            pool.shutdown()


def write_networks(settings: list[Setting], layer: str, folder: str, side: Sides) -> dict[str, str]:
    """Write what our side loads: GoogLeNet's random weights and the imported networks; paths."""
    paths = {"googlenet": side(OURS, "write_weights", f"{folder}/random.safetensors", layer)}
    names = {s.network: s.size for s in settings if s.network != "googlenet"}
    if not names:
        return paths
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as importer:
        for name, size in names.items():
            write = ("torch_networks", "save_imported", name, size, f"{folder}/{name}.safetensors")
            paths[name] = importer.submit(call, *write).result()
    return paths


def prepare(setting: Setting, weights: str, peers: bool, side: Sides) -> dict[str, Any]:
    """Compile and warm every side of a setting; what the report says of it before the rounds."""
    entry: dict[str, Any] = {"work": asdict(setting), "failed": {}, "warm_seconds": {}}
    entry["compile_seconds"] = side(OURS, "warm", setting, weights)
    own = setting.network == "googlenet"
    flops = {"fvjax": side(OURS, "flops", setting, weights) if own else 0.0}
    for name, (module, variant) in setting.peers.items() if peers else ():
        try:
            entry["warm_seconds"][name] = side(module, "warm", setting, variant)
        except Exception as error:
            if "compiled" not in variant:
                raise
            entry["failed"][name] = f"{type(error).__name__}: {error}".splitlines()[0]
            continue
        flops[name] = side(module, "flops", setting)
    if not own:
        ours, theirs = side(OURS, "means", setting, weights), side("side_torch", "means", setting)
        check_means(ours, theirs, setting)
        flops["fvjax"] = max(flops.values())  # the same network
    entry["forward_flops"] = flops
    entry["seconds_per_image_step"] = {name: [] for name in flops}
    print(f"{setting.name} is compiled", flush=True)
    return entry


def compare(
    settings: list[Setting], rounds: int, weights: dict[str, str], peers: bool, side: Sides
) -> dict[str, Any]:
    """Measure the steps of each setting, round by round."""
    entries = [prepare(s, weights[s.network], peers, side) for s in settings]
    for round_ in range(rounds):
        for setting, entry in zip(settings, entries, strict=True):
            sides = {"fvjax": (OURS, weights[setting.network]), **setting.peers}
            times = entry["seconds_per_image_step"]
            for name in list(times)[:: -1 if round_ % 2 else 1]:
                module, variant = sides[name]
                timing = check(side(module, "run", setting, variant), setting, name)
                times[name].append(timing.seconds / (setting.steps * setting.batch))
        print(f"round {round_ + 1} of {rounds} of the steps is done", flush=True)
    ratios = {}
    for entry in entries:
        ours = entry["seconds_per_image_step"]["fvjax"]
        for name, theirs in entry["seconds_per_image_step"].items():
            ratios[name] = [a / b for a, b in zip(theirs, ours, strict=True)]
    ratios.pop("fvjax", None)
    named = {s.name: entry for s, entry in zip(settings, entries, strict=True)}
    return {"settings": named, "ratios": ratios}


def compare_sweeps(
    plan: sweep.Sweep, rounds: int, weights: str, peers: bool, folder: Path
) -> dict[str, Any]:
    """Measure the sweep (d), round by round."""
    times: dict[str, list[Any]] = {"fvjax": [], "lucent": []}
    ratios: dict[str, list[float]] = {}
    for round_ in range(rounds):
        sides = {"fvjax": lambda: sweep.ours(plan, weights, folder)}
        if peers:
            sides["lucent"] = lambda: sweep.peer(plan, folder)
        for name in list(sides)[:: -1 if round_ % 2 else 1]:
            times[name].append(sides[name]())
        if peers:
            found = sweep.ratios(times["fvjax"][-1], times["lucent"][-1], plan)
            for name, ratio in found.items():
                ratios.setdefault(name, []).append(ratio)
        print(f"round {round_ + 1} of {rounds} of the sweep is done", flush=True)
    return {"work": asdict(plan), "seconds": times, "ratios": ratios}


def parsed() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one tiny round, to see that it runs")
    parser.add_argument(
        "--only", choices=PARTS, nargs="+", default=list(PARTS), help="some parts alone"
    )
    parser.add_argument("--out", type=Path, default=OUT)
    return parser.parse_args()


def chosen(parts: Sequence[str], quick: bool, peers: bool) -> list[Setting]:
    """Return the settings of these parts; without the peers' packages, the zoo is not there."""
    steps = [s.shorter(32, 8, "mixed3a") for s in SETTINGS] if quick else list(SETTINGS)
    zoo = [s.shorter(32, 8, s.layer) for s in ZOO] if quick else list(ZOO)
    return (steps if "steps" in parts else []) + (zoo if "zoo" in parts and peers else [])


def main() -> None:
    """Measure, write and print."""
    arguments = parsed()
    before = machine()
    if before["load"][0] > BUSY:
        print(f"this machine is busy (load {before['load'][0]:.1f}): the times will not hold")
    limit()
    needed = dict.fromkeys(name for part in arguments.only for name in PARTS[part])
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing and not arguments.quick:
        sys.exit(f"{', '.join(missing)} is not installed: see the bench target of the Makefile")
    if missing:
        print(f"{', '.join(missing)} is not installed: our own side only")
    rounds = 1 if arguments.quick else arguments.rounds
    settings = chosen(arguments.only, arguments.quick, not missing)
    plan = sweep.QUICK if arguments.quick else sweep.Sweep()
    arguments.out.mkdir(parents=True, exist_ok=True)
    side = Sides()
    with tempfile.TemporaryDirectory() as folder:
        try:
            weights = write_networks(settings, plan.layer, folder, side)
            report = compare(settings, rounds, weights, not missing, side)
            versions = side(OURS, "versions")
            for name in ("torch", "lucent"):
                if name in needed and not missing:
                    versions |= side(f"side_{name}", "versions")
        finally:
            side.close()
        times = rounds if "sweep" in arguments.only else 0
        sweeps = compare_sweeps(plan, times, weights["googlenet"], not missing, Path(folder))
    raw = report.pop("ratios") | sweeps.pop("ratios")
    ratios, more = summary(raw)
    report |= {"sweep": sweeps, "ratios": ratios, "more_ratios": more, "ratios_by_round": raw}
    report |= {"machine": before, "load_after": machine()["load"]}
    report |= {"versions": versions, "rounds": rounds}
    write({"quick": arguments.quick, **report}, arguments.out)
    print(table(report))


if __name__ == "__main__":
    main()
