"""Provoke every fault of a sweep several times, and write the table of docs/reliability.md."""

import argparse
import re
import signal
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import jax
from faults import FAULTS
from place import Place, Seen
from tiny_sweep import JOBS, ROOT, run, signalled

PAGE = ROOT / "docs" / "reliability.md"
_BEGIN, _END = "<!-- make chaos writes this table -->\n", "<!-- end of the table -->\n"
_HEADER = (
    "| fault | times provoked | rows expected | rows right after resume | rows lost | rows wrong "
    "| message |\n|---|---|---|---|---|---|---|\n"
)


def prepare(folder: Path) -> tuple[Path, Path]:
    """Make an undisturbed sweep and one that was killed after half of its parts."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell's `&` ignores
    for name in ("whole", "half"):
        (folder / name).mkdir()
    said = run(folder / "whole", *JOBS)
    assert said.status == 0, said.text
    signalled(folder / "half", 9, "replace", 4, *JOBS)
    half = folder / "half" / "swp"
    assert len(list(half.glob("parts/results-*.parquet"))) == 3
    return folder / "whole" / "swp", half


def provoke(name: str, times: int, folder: Path, whole: Path, half: Path) -> list[Seen]:
    """Provoke a fault a number of times, each time in a folder of its own."""
    seen = []
    for n in range(times):
        place = Place(folder / f"{re.sub('[^a-z0-9]+', '_', name.lower())}_{n}", whole, half)
        place.folder.mkdir()
        seen.append(FAULTS[name](place, n))
    return seen


def table_row(name: str, seen: Sequence[Seen], folder: Path) -> str:
    """Return a fault's row of the table; counts are sums over all times."""
    compared = [one.compared for one in seen]
    keys = ("expected", "right", "lost", "wrong")
    sums = [sum(getattr(one, key) for one in compared) for key in keys]
    message = re.sub(rf"{re.escape(str(folder))}/[\w]+/?", "", seen[0].message).strip()
    message = re.sub(r"(python -m sweeps -m) .* (hydra.sweep.dir)", r"\1 ... \2", message)
    message = re.sub(r"^\[[^]]*\]\[HYDRA\] ", "", message).replace("|", r"\|")
    return f"| {name} | {len(seen)} | {' | '.join(map(str, sums))} | {message} |"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="of each fault")
    parser.add_argument("--only", default="", help="faults whose name fits this expression")
    parser.add_argument("--out", type=Path, default=PAGE, help="the page with the table")
    chosen = parser.parse_args()
    jax.config.update("jax_num_cpu_devices", 2)
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        whole, half = prepare(folder)
        for name in [name for name in FAULTS if re.search(chosen.only, name)]:
            begin = time.perf_counter()
            rows.append(table_row(name, provoke(name, chosen.times, folder, whole, half), folder))
            print(rows[-1], f"{time.perf_counter() - begin:.0f} s", flush=True)
            write_table(chosen.out, rows)  # now, since a fault that fails ends the run
    bad = [row for row in rows if row.split(" | ")[4:6] != ["0", "0"]]
    if bad:
        raise SystemExit("rows were lost or wrong:\n" + "\n".join(bad))


def write_table(page: Path, rows: Sequence[str]) -> None:
    """Replace the table of the page."""
    table = _HEADER + "\n".join(rows) + "\n"
    text = page.read_text() if page.exists() else f"{_BEGIN}{_END}"
    before, _, rest = text.partition(_BEGIN)
    page.write_text(before + _BEGIN + f"\n{table}\n" + _END + rest.partition(_END)[2])


if __name__ == "__main__":
    main()
