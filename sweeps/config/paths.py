"""Where the configs are: beside the packages in a checkout, inside `sweeps` when installed."""

from pathlib import Path

_HERE = Path(__file__).resolve().parents[1]
CONF = next(
    p for p in (_HERE / "conf", _HERE.parent / "conf") if p.is_dir() or p.parent == _HERE.parent
)
