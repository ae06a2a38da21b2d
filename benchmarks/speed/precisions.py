"""float32 against bfloat16 in alternating rounds: python benchmarks/speed/precisions.py

The work is that of side_fvjax: GoogLeNet to mixed4d at 128 pixels, with random weights. Both
programs are compiled first. The ratio of a round is float32's time over bfloat16's, so that another
load of the machine changes it little.
"""

import argparse
import json
import statistics
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import side_fvjax
from report import machine, spread
from work import Setting, check, limit

OUT = Path(__file__).parents[1] / "out"
PRECISIONS = ("float32", "bfloat16")


def compare(setting: Setting, weights: str, rounds: int) -> dict[str, Any]:
    """Return milliseconds per image-step of each round, compile seconds and ratios."""
    sides = {p: replace(setting, precision=p) for p in PRECISIONS}
    compiling = {p: side_fvjax.warm(side, weights) for p, side in sides.items()}
    times: dict[str, list[float]] = {p: [] for p in sides}
    for round_ in range(rounds):
        for p in list(sides)[:: -1 if round_ % 2 else 1]:
            timing = check(side_fvjax.run(sides[p], weights), sides[p], p)
            times[p].append(1000 * timing.seconds / setting.steps / setting.batch)
    ratios = [a / b for a, b in zip(*times.values(), strict=True)]
    return {"work": asdict(setting), "compile": compiling, "ms": times, "ratio": spread(ratios)}


def line(row: dict[str, Any]) -> str:
    """Format one row."""
    medians = {p: statistics.median(t) for p, t in row["ms"].items()}
    least = {p: min(t) for p, t in row["ms"].items()}
    ratio = row["ratio"]
    return (
        f"batch {row['work']['batch']:3d}: float32 {medians['float32']:.1f} ms per image-step, "
        f"bfloat16 {medians['bfloat16']:.1f}, ratio {ratio['median']:.2f} "
        f"({ratio['low']:.2f} - {ratio['high']:.2f}), of the least times "
        f"{least['float32'] / least['bfloat16']:.2f}; compiling {row['compile']['float32']:.1f} s, "
        f"{row['compile']['bfloat16']:.1f} s"
    )


def main() -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--image-steps", type=int, default=384, help="in one round")
    given = parser.parse_args()
    limit()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        weights = side_fvjax.write_weights(f"{folder}/random.safetensors", "mixed4d")
        for batch in given.batch_sizes:
            steps = min(128, given.image_steps // batch)
            setting = Setting(f"batch {batch}", 128, batch, steps, "mixed4d", {})
            rows.append(compare(setting, weights, given.rounds))
            print(line(rows[-1]), flush=True)
    OUT.mkdir(exist_ok=True)
    report = {"machine": machine(), "rows": rows}
    (OUT / "precisions.json").write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
