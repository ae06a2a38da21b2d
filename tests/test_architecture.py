"""Rules on imports that import-linter's contracts (pyproject.toml) cannot state."""

import ast
import re

import pytest
from conftest import ROOT

FILES = sorted(
    p.relative_to(ROOT).as_posix() for d in ("fvjax", "sweeps") for p in (ROOT / d).rglob("*.py")
)
# These take seconds to import or come with an extra: they are imported where they are used.
TRACING = "fvjax.models.torch.tracing"  # needs torch as a whole, and is imported late itself
LATE = ("sklearn", "umap", "torch", "keras", "ray", "submitit", "mlflow")
LATE_MODULES = ("flax.nnx", "scipy.stats")


def names(node: ast.AST) -> list[str]:
    """The modules that an import statement names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def is_late(node: ast.AST) -> bool:
    return any(
        name.split(".")[0] in LATE or name.startswith(TRACING) or name in LATE_MODULES
        for name in names(node)
    )


def test_heavy_packages_are_imported_where_they_are_used() -> None:
    for file in FILES:
        if file.startswith(TRACING.replace(".", "/")):
            continue
        for node in ast.parse((ROOT / file).read_text()).body:
            assert not is_late(node), f"{file}:{node.lineno} imports a heavy package at once"


def test_fvjax_imports_nothing_else_inside_a_function() -> None:
    for file in FILES:
        functions = (
            n
            for n in ast.walk(ast.parse((ROOT / file).read_text()))
            if isinstance(n, ast.FunctionDef) and file.startswith("fvjax/")
        )
        for function in functions:
            inner = [n for n in ast.walk(function) if names(n) and not is_late(n)]
            assert not inner, f"{file}: {function.name} imports {names(inner[0])}"


def test_configs_are_instantiated_in_planning_alone_and_pickles_are_read_in_two_places() -> None:
    """Therefore nothing that lies in a directory of results is ever instantiated or unpickled."""
    instantiating, unpickling = set(), set()
    for file in FILES:
        text = (ROOT / file).read_text()
        instantiating |= {file} if "instantiate(" in text else set()
        unpickling |= {file} if re.search(r"pickle\.(Unp|load)|allow_pickle=True", text) else set()
    assert all(file.startswith("sweeps/planning/") for file in instantiating), instantiating
    # What this process pickled itself, and programs whose names are checked first.
    assert unpickling == {"sweeps/config/fast_compose.py", "sweeps/execution/executable_file.py"}


def test_only_networks_and_their_training_know_flax_modules() -> None:
    for file in FILES:
        known = file.startswith(("fvjax/models/", "fvjax/training/"))
        for node in ast.walk(ast.parse((ROOT / file).read_text())):
            linen = [name for name in names(node) if name.startswith(("flax.linen", "flax.nnx"))]
            assert known or not linen, f"{file} imports {linen[0]}"


@pytest.mark.parametrize("package", ["fvjax", "sweeps"])
def test_no_file_is_called_utils(package: str) -> None:
    banned = {"utils", "misc", "helpers", "base", "common"}
    found = {path.stem for path in (ROOT / package).rglob("*.py")} & banned
    assert not found
