"""The generated pages of the documentation have every column, option, key, command and function."""

import importlib.util
import re
from types import ModuleType

import pytest
import yaml
from conftest import ROOT

import fvjax
from sweeps.command import available
from sweeps.config.paths import CONF
from sweeps.results.table import COLUMNS

NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))


def hook(name: str) -> ModuleType:
    """A module of docs/ that mkdocs calls."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """docs/generate.py, with the pages of reference/."""
    return hook("generate")


def test_every_column_has_a_row(generate: ModuleType) -> None:
    rows = [line for line in generate.columns_page().splitlines() if line.startswith("| `")]
    assert [re.match(r"\| `(\w+)` \|", row)[1] for row in rows] == list(COLUMNS)  # type: ignore[index]
    cells = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
    assert set(cells) == {3}  # a | in a meaning is escaped


def test_every_option_has_a_section_with_its_keys(generate: ModuleType) -> None:
    page = generate.config_page()
    sections = dict(re.findall(r"^### (\S+)\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL))
    files = [f for f in CONF.glob("*/*.yaml") if f.parent.name != "experiment"]
    assert set(sections) == {f"{f.parent.name}={f.stem}" for f in files}
    for file in files:
        for key in yaml.safe_load(file.read_text()) or {}:
            assert f"{key}:" in sections[f"{file.parent.name}={file.stem}"]


def test_every_experiment_has_its_question(generate: ModuleType) -> None:
    page = generate.config_page()
    for file in (CONF / "experiment").glob("*.yaml"):
        assert re.search(rf"^\| `{file.stem}` \| .+\? \|$", page, re.MULTILINE), file.stem


def test_every_top_level_key_is_there(generate: ModuleType) -> None:
    page = generate.config_page()
    keys = yaml.safe_load((CONF / "config.yaml").read_text())
    assert all(f"\n{key}:" in page for key in keys)


def test_every_command_shows_its_help(generate: ModuleType) -> None:
    page = generate.commands_page()
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    assert list(sections) == available()
    assert all(len(text) > 200 for text in sections.values())
    assert "--baseline" in sections["compare"] and "--portable" in sections["report"]


def test_every_export_of_the_library_is_in_the_reference(generate: ModuleType) -> None:
    page = generate.api_page()
    exports = [name for name in vars(fvjax) if generate._is_documented(name, vars(fvjax)[name])]
    assert {"visualize", "job", "DotCosine", "Model"} <= set(exports)
    assert all(f"::: fvjax.{name}\n" in page for name in exports)
    listed = re.findall(r"^::: (\S+)$", page, re.MULTILINE)
    assert len(listed) == len(set(listed))


def test_every_page_of_the_site_is_in_its_menu() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    pages = {str(p.relative_to(ROOT / "docs")) for p in (ROOT / "docs").rglob("*.md")}
    pages |= {f"notebooks/{notebook.stem}.md" for notebook in NOTEBOOKS}
    listed = set(re.findall(r"- (\S+\.md)$", text, re.MULTILINE))
    assert pages == {page for page in listed if not page.startswith("reference/")}


def test_every_page_opens_with_a_question() -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        opening = page.read_text().split("\n## ")[0]
        assert "?" in opening, page.name


def test_a_notebook_becomes_a_page_with_its_pictures() -> None:
    assert len(NOTEBOOKS) == 5
    for notebook in NOTEBOOKS:
        pages = dict(hook("notebooks").pages(notebook))
        text = pages.pop(f"{notebook.stem}.md")
        shown = set(re.findall(r"!\[\w+\]\((\S+)\)", text))
        assert shown == set(pages) and len(shown) >= 2
        assert all(picture.startswith(b"\x89PNG") for picture in pages.values())
        assert "?" in text.split("```")[0] and ".ipynb" not in text
