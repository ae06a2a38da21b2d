"""Ten million pictures on paper: the sweep of every channel of ViT-H/14, simulated with failures.

The planner's own grouping and the engines' own rule for lost portions run in a discrete-event
simulation (simpy) of workers that start, compile, run batches and are lost. Seconds of a batch are
scaled by operations from the measured rate of ViT-B/16 (docs/development/performance.md, GPU).
What is measured and what is assumed stands in `Costs`, and in docs/development/scale.md.
"""

import argparse
import json
import random
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import simpy

from sweeps.config.enumerate_jobs import jobs_of
from sweeps.execution.grouping import group_tasks
from sweeps.execution.portions import Event, Portion, Portions, batches_per_portion, cut
from sweeps.planning.plan import build_all

SEEDS = 4
Steps = Generator[simpy.Event, Any, None]
OUT = Path(__file__).parents[1] / "out" / "scale.json"
FEW = ("model=texturenet", "reference_count=32")
ARMS = (
    ["objective=dot"],
    ["objective=dot_cosine", "objective.exponent=1"],
    ["objective=dot_cosine", "objective.exponent=2"],
    ["objective=dot_cosine", "objective.exponent=4"],
    ["objective=cosine"],
    ["objective=differential"],
    ["objective=softmax"],
    ["objective=match"],
    ["objective=cosine", "penalty=total_variation"],
    ["objective=dot", "penalty=orthogonal"],
    ["objective=dot", "penalty=total_variation"],
    ["objective=dot", "penalty=high_frequency"],
)


@dataclass(frozen=True)
class Network:
    """A vision transformer: the channels of its blocks, and the operations up to each.

    Attributes:
        blocks: the number of blocks.
        widths: channels of the visualized layers of a block: the MLP's hidden ones, the output's.
        giga: multiply-adds of one forward pass of one image, in 10^9.
    """

    blocks: int = 32
    widths: tuple[int, ...] = (5120, 1280)
    giga: float = 167.0


@dataclass(frozen=True)
class Costs:
    """Seconds and bytes; the comment says where each is from.

    Attributes:
        image_steps: a second, of ViT-B/16 to block 9 of 12 at 224 px, bfloat16, batch 64, one H100.
        giga: multiply-adds of a forward pass of that, in 10^9.
        steps: of a picture.
        forward_passes: for the metrics of a picture: 16 views and 64 patches.
        start: of a worker: import, first composition, weights and reference statistics.
        compile: of a program that no worker has compiled before.
        load: of a program that another worker has compiled, from the shared cache.
        plan: composing and building a job in the worker.
        silence: until a lost worker is noticed and its successor begins to start.
        picture: bytes of a picture as PNG, of 224 x 224 pixels.
        row: bytes of a row's numbers and history.
    """

    image_steps: float = 5263.0  # measured (performance.md, GPU)
    giga: float = 17.6 * 9 / 12  # counted
    steps: int = 258  # 256 and two evaluations
    forward_passes: int = 80  # counted; a step is about three of them
    start: float = 60.0  # assumed: CPUs took 12.8 (import) + 5.6 + 9.5 (reliability.md, 4)
    compile: float = 14.7  # measured: GoogLeNet at batch 256 on an H100
    load: float = 0.5  # measured: .36 s on CPUs
    plan: float = 0.001  # measured: scale.py, and docs/development/performance.md
    silence: float = 60.0  # assumed
    picture: int = 124_000  # measured: four of GoogLeNet's after 96 steps
    row: int = 6_000  # assumed: five quantities of 258 steps in float32, compressed

    def batch(self, network: Network, block: int, size: int) -> float:
        """Return the seconds of a batch whose layer is in a block, the first being 0."""
        giga = network.giga * (block + 1) / network.blocks
        work = self.steps + self.forward_passes / 3
        return size * work / self.image_steps * giga / self.giga


@dataclass
class Tally:
    """What a simulated sweep did, in jobs and in seconds of devices."""

    jobs: int = 0
    done: int = 0
    failed: int = 0
    portions: int = 0
    lost_portions: int = 0
    parts: int = 0
    wall: float = 0.0
    useful: float = 0.0
    starting: float = 0.0
    compiling: float = 0.0
    planning: float = 0.0
    lost: float = 0.0
    idle: float = 0.0

    def add(self, other: "Tally") -> None:
        """Add another sweep, which runs after this one."""
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)


@dataclass
class Sweep:
    """One simulated sweep: a layer's channels, all objectives and seeds."""

    costs: Costs
    batch_seconds: float
    lost: float  # the probability that a worker is lost within a portion
    killers: frozenset[str]  # jobs that end every worker
    chance: random.Random
    portions: Portions
    tally: Tally
    compiled: set[str]  # programs that the shared cache holds
    running: int = 0

    def worker(self, env: simpy.Environment) -> Steps:
        """Start, take portions until none waits or runs, and start again when lost."""
        yield from self._spend(env, "starting", self.costs.start)
        loaded: set[str] = set()
        while self.portions.waiting or self.running:
            portion = self.portions.take()
            if portion is None:  # another worker may lose jobs, which then wait again
                yield from self._spend(env, "idle", 1.0)
                continue
            self.running += 1
            self.tally.portions += 1
            program = portion.job_ids[0].partition("-")[0]
            if program not in loaded:
                cost = self.costs.load if program in self.compiled else self.costs.compile
                yield from self._spend(env, "compiling", cost)
                loaded.add(program)
                self.compiled.add(program)
            yield from self._spend(env, "planning", self.costs.plan * len(portion.job_ids))
            ended = yield from self._run(env, portion)
            self.running -= 1
            if not ended:
                loaded = set()
                yield from self._spend(env, "lost", self.costs.silence)
                yield from self._spend(env, "starting", self.costs.start)

    def _run(self, env: simpy.Environment, portion: Portion) -> Generator[simpy.Event, Any, bool]:
        """Run the batches; return whether the worker survived."""
        size = portion.batch_size
        batches = [portion.job_ids[i : i + size] for i in range(0, len(portion.job_ids), size)]
        span = len(batches) * self.batch_seconds
        end = self.chance.random() * span if self.chance.random() < self.lost else None
        for place, batch in enumerate(batches):
            kills = not self.killers.isdisjoint(batch)
            due = None if end is None else end - place * self.batch_seconds
            if kills or (due is not None and due < self.batch_seconds):
                spent = self.batch_seconds / 2 if kills or due is None else due
                yield from self._spend(env, "lost", spent)
                self.tally.lost_portions += 1
                _, failed = self.portions.record(portion, Event(lost="the worker was lost"))
                self.tally.failed += len(failed)
                return False
            yield from self._spend(env, "useful", self.batch_seconds)
            rows, _ = self.portions.record(portion, Event(rows=[{"job_id": i} for i in batch]))
            self.tally.done += len(rows)
            self.tally.parts += 1
        self.portions.record(portion, Event(ended=True))
        return True

    def _spend(self, env: simpy.Environment, what: str, seconds: float) -> Steps:
        setattr(self.tally, what, getattr(self.tally, what) + seconds)
        yield env.timeout(seconds)


def programs_by_planner() -> list[int]:
    """Return how many arms share each program of a layer, by the real planner.

    The planner builds the arms' jobs on TextureNet, with few reference images: a program is decided
    by structure, not by the network's size or the statistics' numbers.
    """
    places: list[int] = []
    configs, overrides = [], []
    for place, arm in enumerate(ARMS):
        jobs = jobs_of([*FEW, "seed=0,1", "direction.index=0,1", *arm])
        configs += jobs.configs
        overrides += jobs.overrides
        places += [place] * len(jobs.configs)
    groups = group_tasks(build_all(configs, overrides))
    return [len({places[member] for member in group.members}) for group in groups]


def make_portions(shares: Sequence[int], jobs: int, size: int, workers: int) -> list[Portion]:
    """Return a sweep's portions, as the driver cuts them.

    Args:
        shares: the number of arms in each program.
        jobs: the jobs of one arm: channels times seeds.
        size: jobs in a batch.
        workers: their number.
    """
    batches = sum(-(-jobs * share // size) for share in shares)
    portions: list[Portion] = []
    for program, share in enumerate(shares):
        for places in cut(range(jobs * share), size, batches_per_portion(batches, workers)):
            ids = [f"{program}-{place}" for place in places]
            portions.append(Portion(f"{len(portions):06d}", [[]] * len(ids), places, ids, size))
    return portions


def simulate(
    portions: Sequence[Portion],
    batch_seconds: float,
    costs: Costs,
    *,
    workers: int,
    lost: float,
    compiled: set[str],
    killers: int = 0,
    seed: int = 0,
) -> Tally:
    """Run one sweep's portions on workers and return what happened.

    Args:
        portions: of the sweep.
        batch_seconds: of a full batch.
        costs: the other seconds.
        workers: their number; a lost one is replaced.
        lost: the probability that a worker is lost within a portion.
        compiled: the programs that the shared cache holds; new ones are added.
        killers: the number of jobs that end every worker.
        seed: of the losses.
    """
    chance = random.Random(seed)
    ids = [job_id for portion in portions for job_id in portion.job_ids]
    chosen = frozenset(chance.sample(ids, killers))
    tally = Tally(jobs=len(ids))
    sweep = Sweep(
        costs, batch_seconds, lost, chosen, chance, Portions(deque(portions)), tally, compiled
    )
    env = simpy.Environment()
    ends = [env.process(sweep.worker(env)) for _ in range(workers)]
    env.run(env.all_of(ends))
    tally.wall = env.now
    return tally


def campaign(
    network: Network, costs: Costs, shares: Sequence[int], size: int, pieces: int, **options: Any
) -> Tally:
    """Simulate the sweeps of each layer, one after the other, and return their sum.

    Args:
        network: whose channels are visualized.
        costs: of the simulation.
        shares: the number of arms in each program.
        size: jobs in a batch.
        pieces: sweeps of one layer: 1, or one for each seed.
        options: of `simulate`.
    """
    total = Tally()
    layers = [(block, width) for block in range(network.blocks) for width in network.widths]
    cache: dict[tuple[int, int], set[str]] = {layer: set() for layer in layers}
    for seed, (block, width) in enumerate(layers * pieces):
        portions = make_portions(shares, width * SEEDS // pieces, size, options["workers"])
        seconds = costs.batch(network, block, size)
        total.add(
            simulate(portions, seconds, costs, compiled=cache[block, width], seed=seed, **options)
        )
    return total


def line(name: str, tally: Tally, workers: int) -> str:
    """Return a row of the page's table."""
    device = workers * tally.wall
    parts = ("useful", "starting", "compiling", "planning", "lost", "idle")
    spent = [getattr(tally, part) / device for part in parts]
    spent[-1] = 1 - sum(spent[:-1])  # who waits at the end of a sweep is idle too
    shares = " | ".join(f"{share:.1%}" for share in spent)
    return (
        f"| {name} | {tally.done:,} | {tally.failed} | {tally.lost_portions:,} of "
        f"{tally.portions:,} | {device / 3600:,.0f} | {tally.wall / 86400:.1f} | {shares} |"
    )


def main() -> None:
    """Simulate without losses, with some and with jobs that end every worker; print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=64, help="one device each")
    parser.add_argument("--batch", type=int, default=64, help="jobs in a batch")
    parser.add_argument("--quick", action="store_true", help="a small network, to see it runs")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    network, costs = Network(), Costs()
    if arguments.quick:
        network = replace(network, blocks=2, widths=(64, 32))
    shares = programs_by_planner()
    print(f"programs of a layer: {len(shares)}, of {len(ARMS)} objectives; arms in each: {shares}")
    cases = {
        "none lost": (1, {"lost": 0.0}),
        "1 % lost": (1, {"lost": 0.01}),
        "1 % lost, a sweep for each seed": (SEEDS, {"lost": 0.01}),
        "10 % lost": (1, {"lost": 0.1}),
        "1 % lost, a job of each sweep ends every worker": (1, {"lost": 0.01, "killers": 1}),
    }
    found = {}
    for name, (pieces, case) in cases.items():
        options: dict[str, Any] = {"workers": arguments.workers, **case}
        tally = campaign(network, costs, shares, arguments.batch, pieces, **options)
        print(line(name, tally, arguments.workers), flush=True)
        found[name] = asdict(tally)
    whole = found["none lost"]["jobs"] * (2 * costs.picture + costs.row) / 1e12
    print(f"{whole:.2f} TB, pictures twice")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps({"costs": asdict(costs), "cases": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
