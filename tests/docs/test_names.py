"""Every public name of fvjax that a benchmark, an example or a page uses exists."""

import ast
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import ROOT

import fvjax

PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
SCRIPTS = [path for folder in ("benchmarks", "examples") for path in (ROOT / folder).rglob("*.py")]


def names(path: Path) -> Iterator[str]:
    """The NAME of each `fvjax.NAME` in a script, or in the Python blocks of a page."""
    text = path.read_text()
    if path.suffix == ".md":
        yield from re.findall(
            r"\bfvjax\.(\w+)", "".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
        )
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "fvjax":
            yield node.attr


@pytest.mark.parametrize("path", [*PAGES, *SCRIPTS], ids=lambda path: str(path.relative_to(ROOT)))
def test_names_exist(path: Path) -> None:
    known = {name for name in names(path) if hasattr(fvjax, name) or find_spec(f"fvjax.{name}")}
    assert set(names(path)) == known
