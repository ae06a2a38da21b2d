"""A hook of mkdocs that writes the pages of reference/ from the code: no copy is kept by hand."""

import importlib
import inspect
import io
import os
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

import yaml

from sweeps.command import available
from sweeps.config.command_help import COMMANDS
from sweeps.config.paths import CONF
from sweeps.results.table import COLUMNS

_MODULES = ("fvjax", "fvjax.sources", "fvjax.spaces", "fvjax.models", "fvjax.transforms")
# `sweeps.load`, `.load_history`, `.run`, `.progress`, and the functions of two commands.
_OF_SWEEPS = (
    "sweeps.results.table.load",
    "sweeps.results.table.load_history",
    "sweeps.from_python.run",
    "sweeps.execution.progress.progress",
    "sweeps.analysis.comparison.compare",
    "sweeps.report.report",
)
_LAUNCHER = "hydra_plugins.sweeps_launcher"


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages to those of docs/ (called by mkdocs)."""
    from mkdocs.structure.files import File

    for name, page in PAGES.items():
        files.append(File.generated(config, f"reference/{name}.md", content=page()))
    return files


def columns_page() -> str:
    """Return the page of the table's columns."""
    escaped = {name: meaning.replace("|", r"\|") for name, meaning in COLUMNS.items()}
    rows = [f"| `{name}` | {meaning} |" for name, meaning in escaped.items()]
    text = """# Columns of the table

What does each column of `results.parquet` mean? `sweeps.load` returns these columns in a DataFrame.

The columns of the config come first, by one rule. A group's column holds its option: `model`.
The keys of a group are `<group>_<key>`: `direction_index`. Top-level keys keep their names: `seed`.
Lists are JSON text. If one job has a list in a column, all values of that column are JSON text.
A value that does not apply is null. A folder of sweeps has one more column, `sweep`.
`image_size` becomes two columns, `image_height` and `image_width`.

Symbols: a is the activation at a position, v the direction, a⊥ the part of a orthogonal to v.
All metrics are measured on the final, untransformed image, in the network's own space, with the
original direction, at the direction's positions.

| column | meaning |
|---|---|
"""
    history = (
        "The file has one more column, `history`: lists of the values of each step, measured on "
        "that step's view. `sweeps.load_history` returns one row for each job and step."
    )
    return text + "\n".join(rows) + f"\n\n{history}\n"


def config_page() -> str:
    """Return the page of the config groups, each option as its file has it."""
    lines = [
        "# Configuration",
        "",
        "Which keys and options are there, and what are their defaults?",
        "",
    ]
    lines += [
        "An option is chosen by `group=option`, and a key of it is set by `group.key=value`.",
        "",
    ]
    lines += ["## Top-level keys", "", *_fenced("yaml", (CONF / "config.yaml").read_text())]
    lines += ["## The launcher and the sweeper", ""]
    lines += ["Keys are `hydra.launcher.KEY` and `hydra.sweeper.KEY`.", ""]
    lines += [f"::: {_LAUNCHER}.FusedLauncherConfig", "", f"::: {_LAUNCHER}.GridsSweeperConfig", ""]
    for folder in sorted(path for path in CONF.iterdir() if path.is_dir()):
        lines += [f"## {folder.name}", ""]
        if folder.name == "experiment":
            lines += ["| experiment | question |", "|---|---|"]
            lines += [f"| `{f.stem}` | {_question(f)} |" for f in sorted(folder.glob("*.yaml"))]
            lines.append("")
            continue
        for file in sorted(folder.glob("*.yaml")):
            lines += [f"### {folder.name}={file.stem}", "", *_meaning(file)]
            lines += _fenced("yaml", file.read_text())
    return "\n".join(lines)


def commands_page() -> str:
    """Return the page of the commands: what each says of itself."""
    lines = ["# Commands", "", "What can be run, and which options does each command take?", ""]
    lines += [
        "`python -m sweeps` runs jobs; its keys are on the page [Configuration](config.md).",
        "",
    ]
    lines += [
        "`fvjax` is the same command. `fvjax NAME` equals `python -m sweeps.NAME` for these:",
        "",
    ]
    lines += [f"- [{name}](#{name}): {COMMANDS[name]}" for name in available()] + [""]
    for name in available():
        lines += [f"## {name}", "", *_fenced("text", _help(f"sweeps.{name}"))]
    return "\n".join(lines)


def api_page() -> str:
    """Return the page of the library, whose text mkdocstrings takes from the docstrings."""
    lines = ["# Library", "", "Which functions and classes can a program use?", ""]
    for module in _MODULES:
        lines += [f"## {module}", "", _first_line(importlib.import_module(module)), ""]
        lines += [f"::: {module}.{name}\n" for name in public_names(module)]
    lines += ["## sweeps", "", _first_line(importlib.import_module("sweeps")), ""]
    lines += [f"::: {name}\n" for name in _OF_SWEEPS]
    return "\n".join(lines)


def public_names(module: str) -> list[str]:
    """Return the functions and classes that a package exports and no package before it does."""
    found = importlib.import_module(module)
    top = vars(importlib.import_module(module.partition(".")[0])).values() if "." in module else ()
    return [
        name
        for name, value in sorted(vars(found).items())
        if _is_documented(name, value) and not any(value is other for other in top)
    ]


def _is_documented(name: str, value: object) -> bool:
    ours = str(getattr(value, "__module__", "")).startswith("fvjax.")
    kinds = inspect.isclass(value) or inspect.isfunction(value)
    return kinds and ours and not name.startswith("_") and bool(inspect.getdoc(value))


def _question(experiment: Path) -> str:
    """Return the first sentence of an experiment's comment: its question."""
    comment = [line[2:] for line in _leading_comments(experiment.read_text())]
    return " ".join(comment).partition("?")[0].strip() + "?"


def _leading_comments(text: str) -> Iterator[str]:
    for line in text.splitlines()[1:]:  # the first line is Hydra's directive
        if not line.startswith("# "):
            return
        yield line


def _meaning(option: Path) -> list[str]:
    """Return the first line of the docstring of an option's target."""
    content = yaml.safe_load(option.read_text()) or {}
    target = str(content.get("_target_", "???"))
    if target == "???":
        return []
    found: Any = None
    parts = target.split(".")
    for length in range(len(parts) - 1, 0, -1):
        with suppress(ModuleNotFoundError):
            found = importlib.import_module(".".join(parts[:length]))
            for name in parts[length:]:
                found = getattr(found, name)
            break
    return [f"`{target}`: {_first_line(found)}", ""]


def _first_line(found: object) -> str:
    return (inspect.getdoc(found) or "").partition("\n")[0]


def _help(module: str) -> str:
    """Return what `--help` of a command prints."""
    os.environ["COLUMNS"] = "100"
    text = io.StringIO()
    with redirect_stdout(text), suppress(SystemExit):
        importlib.import_module(module).main(["--help"])
    return text.getvalue()


def _fenced(language: str, text: str) -> list[str]:
    return [f"```{language}", text.strip(), "```", ""]


PAGES: dict[str, Callable[[], str]] = {
    "commands": commands_page,
    "config": config_page,
    "columns": columns_page,
    "api": api_page,
}
