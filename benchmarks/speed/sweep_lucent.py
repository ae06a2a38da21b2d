"""The loop that a lucent user would write for a sweep over exponent and direction: one script.

Prints a JSON line: seconds from the process's start to the loop, and each job's timing.
"""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from lucent.optvis import objectives
from side_lucent import ascend, network


@objectives.wrap_objective()
def dot_cosine(layer: str, vector: torch.Tensor, exponent: float) -> Any:
    """Lucid's dot x cosine^exponent, which lucent lacks."""

    def inner(model: Any) -> torch.Tensor:
        activations = model(layer)
        dot = (activations * vector[None, :, None, None]).sum(1)
        cosine = dot / (1e-4 + activations.norm(dim=1)) / (1e-4 + vector.norm())
        return -(dot * cosine.clamp(min=0.1) ** exponent).mean()

    return inner


def main() -> None:
    """Run the jobs one by one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--began", type=float, required=True, help="time.time() of the start")
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--layer", required=True)
    parser.add_argument("--channels", type=int, required=True)
    parser.add_argument("--size", type=int, required=True, help="pixels into the network")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--exponents", type=float, nargs="+", required=True)
    parser.add_argument("--directions", type=int, required=True)
    parser.add_argument("--jobs", type=int, required=True, help="evenly spread, of each variant")
    arguments = parser.parse_args()
    jobs = [(e, d) for e in arguments.exponents for d in range(arguments.directions)]
    jobs = jobs[:: -(-len(jobs) // arguments.jobs)]
    equal = {"size": arguments.size, "fixed_image_size": arguments.size}
    stock = network("stock", arguments.layer)
    report: dict[str, Any] = {"start": time.time() - arguments.began}
    report["stock"] = run(stock, jobs, arguments, equal)
    report["as_typed"] = run(stock, jobs, arguments, {})
    report["tuned"] = run(network("tuned", arguments.layer), jobs, arguments, equal)
    print(json.dumps(report))


def run(model: Any, jobs: Any, arguments: Any, options: dict[str, int]) -> list[dict[str, Any]]:
    """Return the seconds and the final score of each job."""
    rows = []
    for number, (exponent, index) in enumerate(jobs):
        vector = torch.zeros(arguments.channels)
        vector[index] = 1
        objective = dot_cosine(arguments.layer, vector, exponent)
        picture = str(arguments.pictures / f"{number}.png")
        timing = ascend(
            model, objective, arguments.steps, save_image=True, image_name=picture, **options
        )
        rows.append(asdict(timing))
    return rows


if __name__ == "__main__":
    main()
