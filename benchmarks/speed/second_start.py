"""What a second start of a sweep waits for: the first with empty caches, then the same again.

The seconds are those that jobs waited for their programs (`compile_seconds` of the table), of
`sweep.py`'s 64 jobs on GoogLeNet with random weights.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

import sweep
from report import machine
from side_fvjax import write_weights

OUT = Path(__file__).parents[1] / "out" / "starts.json"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="first starts, each with a second")
    parser.add_argument("--quick", action="store_true", help="one tiny round, to see that it runs")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    plan = sweep.QUICK if arguments.quick else sweep.Sweep()
    rounds = []
    for _ in range(1 if arguments.quick else arguments.rounds):
        with tempfile.TemporaryDirectory() as folder:
            weights = write_weights(f"{folder}/random.safetensors", plan.layer)
            first, second = (sweep.ours(plan, weights, Path(folder)) for _ in range(2))
        shares = [run["compile"] for run in (first, second)]
        print(f"first start {shares[0]:.2f} s, second {shares[1]:.2f} s", flush=True)
        rounds.append({"first": first, "second": second, "share": shares[1] / shares[0]})
    found = sorted(one["share"] for one in rounds)
    print(f"second over first {statistics.median(found):.1%} ({found[0]:.1%} - {found[-1]:.1%})")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps({"machine": machine(), "rounds": rounds}, indent=1) + "\n")


if __name__ == "__main__":
    main()
