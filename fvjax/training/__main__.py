"""Command: train TextureNet, write its weights and, beside them, the record of its training."""

import argparse
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from safetensors.numpy import save_file

from fvjax.data.textures import ATTRIBUTES
from fvjax.models.texturenet import TextureNet, texturenet
from fvjax.training.trainer import Progress, State, Trainer, accuracy, draw, key_for

BATCHES = 64  # batches of 128 images for the evaluation
STATISTICS = 16  # batches of 128 images for the normalisation's means and variances
EVERY = 100  # steps between two lines of the log
SAVES = 10  # number of saves in a run


def train(trainer: Trainer, out: Path) -> dict[str, Any]:
    """Train to the end, save `SAVES` times, and return the last record."""
    state, started = trainer.begin(), time.monotonic()
    recent: list[Progress] = []
    record: dict[str, Any] = {}
    for step in range(1, trainer.steps + 1):
        state, progress = trainer.advance(state)
        recent.append(progress)
        seconds = time.monotonic() - started
        if step % EVERY == 0:
            loss = np.mean([p.loss for p in recent])
            shares = np.mean([p.accuracy for p in recent], 0)
            by_attribute = ", ".join(
                f"{h} {s:.3f}" for h, s in zip(ATTRIBUTES, shares, strict=True)
            )
            print(f"step {step}, {seconds:.0f} s: loss {loss:.3f}, {by_attribute}", flush=True)
            recent = []
        if step * SAVES // trainer.steps > (step - 1) * SAVES // trainer.steps:
            record = save(trainer, state, out, seconds)
            print(json.dumps(record), flush=True)
    return record


def save(trainer: Trainer, state: State, out: Path, seconds: float) -> dict[str, Any]:
    """Write the folded weights as float16, evaluate them, and write the record."""
    save_file(trainer.tensors(state, STATISTICS), out)
    weights = texturenet(out).weights
    record = {
        "seed": trainer.seed,
        "widths": trainer.net.widths,
        "batch_size": trainer.batch,
        "adversarial_epsilon": trainer.adversarial_epsilon,
        "steps": int(state.step),
        "planned_steps": trainer.steps,
        "images": int(state.step) * trainer.batch,
        "seconds": round(seconds),
        "accuracy": accuracy(trainer.net, weights, key_for(trainer.seed, "evaluation"), BATCHES),
        "accuracy_images": BATCHES * 128,
        "generator": fingerprint(),
        "jax": jax.__version__,
        "sha256": hashlib.sha256(out.read_bytes()).hexdigest(),
    }
    out.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")
    return record


def fingerprint() -> list[float]:
    """Return the means of eight generated images, which identify the generator's version."""
    means = draw(jax.random.key(0), 128)[0].mean((1, 2, 3))
    return [round(float(x), 5) for x in means[:8]]


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(prog="python -m fvjax.training", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch", type=int, default=32, help="images per step")
    parser.add_argument("--adversarial-epsilon", type=float, default=0.0, help="see Trainer")
    parser.add_argument("--widths", type=int, nargs=5, default=TextureNet.widths)
    parser.add_argument("--out", type=Path, required=True, help="a .safetensors file")
    arguments = parser.parse_args()
    net = TextureNet(tuple(arguments.widths))
    a = arguments
    train(Trainer(net, a.seed, a.steps, a.batch, a.adversarial_epsilon), a.out)


if __name__ == "__main__":
    main()
