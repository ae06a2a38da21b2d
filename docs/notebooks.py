"""A hook of mkdocs: the executed notebooks of examples/notebooks are pages with their pictures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

NOTEBOOKS = Path(__file__).parents[1] / "examples" / "notebooks"


def on_files(files: Any, config: Any) -> Any:
    """Add the notebooks to the pages of docs/ (called by mkdocs)."""
    from mkdocs.structure.files import File

    for notebook in sorted(NOTEBOOKS.glob("*.ipynb")):
        for name, content in pages(notebook):
            files.append(File.generated(config, f"notebooks/{name}", content=content))
    return files


def pages(notebook: Path) -> Iterator[tuple[str, str | bytes]]:
    """Return a notebook's page and the pictures that it shows, each with its name."""
    from nbconvert import MarkdownExporter

    text, resources = MarkdownExporter().from_filename(str(notebook))
    prefix = f"{notebook.stem}_"
    for name, content in resources["outputs"].items():
        if name in text:
            text = text.replace(f"({name})", f"({prefix}{name})")
            yield f"{prefix}{name}", content
    yield f"{notebook.stem}.md", text.replace(".ipynb)", ".md)").replace("(../../docs/", "(../")
