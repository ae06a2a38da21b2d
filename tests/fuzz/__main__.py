"""`make fuzz`: hostile inputs for every reader, and the table of docs/reliability.md."""

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax

ROOT = Path(__file__).parents[2]
_HEAD = "## Readers under fuzzing"


def main() -> int:
    """Run all readers in processes of their own, and write the table; 1 if one crashed."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="of all readers together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "reliability.md")
    parser.add_argument("--only", nargs="*", help="names of readers; nothing is written")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--keep", type=Path, default=Path("/tmp/fuzz-crashes"))
    chosen = parser.parse_args()
    jax.config.update("jax_platforms", "cpu")
    from fuzz.readers import READERS
    from fuzz.run import fuzz

    if chosen.child:
        folder = chosen.keep / re.sub("[^a-z]+", "-", chosen.child.lower())
        counts = fuzz(READERS[chosen.child], chosen.inputs, chosen.seed, folder)
        print(json.dumps(vars(counts)))
        return 0
    total, names = sum(reader.share for reader in READERS.values()), chosen.only or list(READERS)
    rows = []
    for name in names:
        inputs = -int(-chosen.inputs * READERS[name].share // total)
        row = {"reader": name} | _in_child(name, inputs, chosen.seed, chosen.keep)
        print(json.dumps(row | {"crashes": row["crashes"][:5]}), flush=True)
        rows.append(row)
    crashes = sum(len(row["crashes"]) for row in rows)
    print(f"{sum(row['inputs'] for row in rows)} inputs, {crashes} crashes")
    if not chosen.only:
        _write(chosen.out, rows, chosen.seed)
    return int(crashes > 0)


def _in_child(name: str, inputs: int, seed: int, keep: Path) -> dict[str, Any]:
    begun = time.monotonic()
    arguments = ["--child", name, "--inputs", str(inputs), "--seed", str(seed), "--keep", str(keep)]
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", *arguments], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:  # the reader took the process with it
        died = f"the process ended with {done.returncode}"
        return {"inputs": inputs, "read": 0, "refused": 0, "crashes": [died], "memory": 0}
    counts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return counts | {"seconds": round(time.monotonic() - begun)}


def _write(path: Path, rows: list[dict[str, Any]], seed: int) -> None:
    """Replace the section of the table in a page, or add it."""
    lines = [
        f"{_HEAD}\n",
        "Written by `make fuzz`. Hypothesis draws the seed of each input; an input is a valid file",
        "whose bytes, headers or values were changed. *Read*: accepted. *Refused*: a `ValueError`",
        "of one sentence that names the file; a cached program is compiled anew. *Crash*: any",
        "other error, an end of the process, or more than 20 s. *Memory*: what the process grew by",
        f"at most, over all its inputs. Seed {seed}, {_versions()}.\n",
        "The largest pictures that are read have 2^27 pixels, and a .npz file may be as long as",
        "what it holds, here up to 512 MiB: their memory is that of true content.\n",
        "| reader | inputs | read | refused | crashes | memory, MiB |",
        "|---|---|---|---|---|---|",
    ]
    numbers = [
        (r["reader"], r["inputs"], r["read"], r["refused"], len(r["crashes"]), r["memory"])
        for r in rows
    ]
    sums = [sum(row[i] for row in numbers) for i in range(1, 5)]
    lines += [f"| {' | '.join(map(str, row))} |" for row in (*numbers, ("all", *sums, ""))]
    section = "\n".join(lines) + "\n"
    text = path.read_text() if path.exists() else "# Reliability\n"
    before, found, after = text.partition(_HEAD)
    _, next_head, rest = after.partition("\n## ")
    page = before.rstrip() + "\n\n" + section + (f"\n## {rest}" if found and next_head else "")
    path.write_text(page)


def _versions() -> str:
    from importlib.metadata import version

    names = ("pillow", "numpy", "safetensors", "pandas", "pyarrow", "jax")
    return ", ".join(f"{name} {version(name)}" for name in names)


if __name__ == "__main__":
    sys.exit(main())
