"""The page: data, styles and scripts in one HTML file that loads nothing else."""

import base64
import hashlib
import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweeps.storage.atomic import atomic_write
from sweeps.storage.location import Location

_ASSETS = Path(__file__).parent / "assets"
_LIBRARY = "uPlot"  # curves; checked in with its licence (a test knows its hash)
_SCRIPTS = (
    *(
        "elements",
        "data",
        "state",
        "steps",
        "filters",
        "colours",
        "scatter",
        "matrix",
        "curves",
        "zoom",
    ),
    *("comparisons", "jobs", "csv", "judge", "trials", "views"),
)
"""The page's own scripts, in this order: each uses what those before it declare."""


def write_page(data: Mapping[str, Any], page: Location) -> None:
    """Write the report; equal data give equal bytes.

    Args:
        data: what the scripts read; `title` is the page's.
        page: the file.

    Raises:
        ValueError: a number in the data that JSON cannot have.
    """
    scripts = [_read(f"{_LIBRARY}.iife.min.js"), _joined()]
    if any("</script" in script.lower() for script in scripts):
        raise ValueError("a script of the report holds </script")
    parts = {
        "POLICY": html.escape(_policy(scripts), quote=True),
        "TITLE": html.escape(str(data["title"])),
        "STYLES": f"<style>{_read(f'{_LIBRARY}.min.css')}\n{_read('app.css')}</style>",
        "DATA": _json(data),
        "SCRIPTS": "".join(f"<script>{script}</script>" for script in scripts),
    }
    begun, *rest = _read("page.html").split("@@")
    text = begun + "".join(
        parts[piece] if place % 2 == 0 else piece for place, piece in enumerate(rest)
    )
    with atomic_write(page) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def _joined() -> str:
    """Join the page's scripts into one: browsers refuse modules on file://."""
    bodies = "\n".join(_read(f"{name}.js") for name in _SCRIPTS)
    return f'"use strict";\n(() => {{\n{bodies}\n}})();\n'


def _read(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _json(data: Mapping[str, Any]) -> str:
    """Return JSON that may stand within <script>: ASCII without `<`."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    return text.replace("<", "\\u003c")


def _policy(scripts: list[str]) -> str:
    """Return the content security policy: these scripts alone, no network."""
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    allowed = " ".join(f"'sha256-{base64.b64encode(one).decode()}'" for one in digests)
    return "; ".join(
        [
            *("default-src 'none'", "base-uri 'none'", "form-action 'none'", "connect-src 'none'"),
            "img-src 'self' file: data: blob:",
            f"script-src {allowed}",
            "style-src 'unsafe-inline'",
        ]
    )
