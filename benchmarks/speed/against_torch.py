"""fvjax against PyTorch on the same work: `make bench`, or with `--quick`.

The work is InceptionV1 to mixed4d with random weights: the mean activation of a channel per image,
Fourier coefficients and colour decorrelation, Lucid's standard transforms, Adam, float32, the same
steps and the same pixels into the network. The peers, lucent 0.1.8 and a PyTorch loop of our own,
run InceptionV1 in Lucid's layout; fvjax runs BVLC's, whose convolutions differ slightly: both
counts of operations are reported and nothing is corrected for them.

There are two worker processes that live through the whole run, one for each library, so that their
thread pools do not fight: one side works while the other waits on a pipe. In every round each side
does each setting once, in turns the one or the other first. A ratio is the peer's time per
image-step over ours in the same round; `low` and `high` are the extremes over the rounds. Our time
leaves out compiling, which is reported, as does PyTorch's its first two steps. The sweep (d) starts
fresh processes in every round: see sweep.py.

Every side's steps are counted in every round, and every score must rise.

Writes bench.json and bench.png into --out and prints the ratios.
"""

import argparse
import importlib.util
import multiprocessing
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import sweep
from report import machine, summary, table, write
from work import SETTINGS, Setting, call, check, limit

OUT = Path(__file__).parents[1] / "out"
PEERS = ("torch", "lucent", "kornia")
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


def compare(
    settings: list[Setting], rounds: int, weights: str, peers: bool, side: Sides
) -> dict[str, Any]:
    """Measure settings (a) to (c), round by round."""
    report: dict[str, Any] = {"settings": {}, "ratios": {}}
    plans = []
    for setting in settings:
        entry = {"work": asdict(setting), "compile_seconds": 0.0, "seconds_per_image_step": {}}
        entry["compile_seconds"] = side(OURS, "warm", setting, weights)
        entry["forward_flops"] = {"fvjax": side(OURS, "flops", setting, weights)}
        sides = {"fvjax": (OURS, weights)} | (setting.peers if peers else {})
        for name, (module, variant) in list(sides.items())[1:]:
            side(module, "warm", setting, variant)
            entry["forward_flops"][name] = side(module, "flops", setting)
        entry["seconds_per_image_step"] = {name: [] for name in sides}
        report["settings"][setting.name] = entry
        plans.append((setting, sides, entry["seconds_per_image_step"]))
    for round_ in range(rounds):
        for setting, sides, times in plans:
            for name in list(sides)[:: -1 if round_ % 2 else 1]:
                module, variant = sides[name]
                timing = side(module, "run", setting, variant)
                check(timing, setting, name)
                times[name].append(timing.seconds / (setting.steps * setting.batch))
        print(f"round {round_ + 1} of {rounds} of the steps is done", flush=True)
    for _, sides, times in plans:
        for name in list(sides)[1:]:
            pairs = zip(times[name], times["fvjax"], strict=True)
            report["ratios"][name] = [theirs / ours for theirs, ours in pairs]
    return report


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


def main() -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one tiny round, to see that it runs")
    parser.add_argument("--only", choices=["steps", "sweep"], help="leave out the other part")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    before = machine()
    if before["load"][0] > BUSY:
        print(f"this machine is busy (load {before['load'][0]:.1f}): the times will not hold")
    limit()
    missing = [name for name in PEERS if importlib.util.find_spec(name) is None]
    if missing and not arguments.quick:
        sys.exit(f"{', '.join(missing)} is not installed: see the bench target of the Makefile")
    if missing:
        print(f"{', '.join(missing)} is not installed: our own side only")
    rounds = 1 if arguments.quick else arguments.rounds
    settings = [s.shorter(32, 8, "mixed3a") if arguments.quick else s for s in SETTINGS]
    plan = sweep.QUICK if arguments.quick else sweep.Sweep()
    arguments.out.mkdir(parents=True, exist_ok=True)
    side = Sides()
    with tempfile.TemporaryDirectory() as folder:
        try:
            weights = side(OURS, "write_weights", f"{folder}/random.safetensors", plan.layer)
            timed = [] if arguments.only == "sweep" else settings
            report = compare(timed, rounds, weights, not missing, side)
            versions = side(OURS, "versions")
            if not missing:
                versions |= side("side_torch", "versions") | side("side_lucent", "versions")
        finally:
            side.close()
        times = 0 if arguments.only == "steps" else rounds
        sweeps = compare_sweeps(plan, times, weights, not missing, Path(folder))
    raw = report.pop("ratios") | sweeps.pop("ratios")
    ratios, more = summary(raw)
    report |= {"sweep": sweeps, "ratios": ratios, "more_ratios": more, "ratios_by_round": raw}
    report |= {
        "machine": before,
        "load_after": machine()["load"],
        "versions": versions,
        "rounds": rounds,
    }
    write({"quick": arguments.quick, **report}, arguments.out)
    print(table(report))


if __name__ == "__main__":
    main()
