"""The console command `fvjax`, equal to `python -m sweeps`.

This module lies outside of `sweeps`, because it finds out whether `sweeps` is ours. Weights &
Biases publishes a distribution that installs another package of this name.
"""

import importlib.util
import sys
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path

_OURS, _PACKAGE = "fvjax", "sweeps"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the application, or the command that the first argument names; return the exit status."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    problem = name_conflict()
    if problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    from sweeps.command import run  # only now is it known that this package is ours

    return run(words)


def name_conflict() -> str | None:
    """Return one sentence if another distribution provides `sweeps` here, else None.

    A distribution counts if its files would be imported: they overwrite ours or come before them.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    imported = Path(spec.origin).resolve().parent if spec and spec.origin else None
    for distribution in distributions():
        name = distribution.name
        files = f"\n{distribution.read_text('RECORD') or ''}"
        if name == _OURS or f"\n{_PACKAGE}/__init__.py" not in files:
            continue
        if Path(str(distribution.locate_file(_PACKAGE))).resolve() == imported:
            return (
                f"the distribution {name!r} {distribution.version} provides the package "
                f"{_PACKAGE!r} of this environment ({imported}), in place of fvjax's: "
                f"run 'pip uninstall {name}', then install fvjax again, "
                "or use a separate environment"
            )
    return None
