"""Who may import whom: the arrows of the design, read off the import statements."""

import ast
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(
    p.relative_to(ROOT).as_posix() for d in ("fvjax", "sweeps") for p in (ROOT / d).rglob("*.py")
)
FVJAX = [f for f in FILES if f.startswith("fvjax/")]
SWEEPS = [f for f in FILES if f.startswith("sweeps/")]

# Package -> where under fvjax it may be imported; the first five anywhere.
ALLOWED = {
    "jax": ["*"],
    "flax": ["*"],  # flax.struct; flax.linen below
    "optax": ["*"],
    "numpy": ["*"],
    "jaxtyping": ["*"],
    "fvjax": ["*"],
    "flax.linen": ["fvjax/models/*", "fvjax/training*"],
    "safetensors": ["fvjax/data/arrays.py", "fvjax/models/weights.py", "fvjax/training*"],
    "PIL": ["fvjax/data/*"],
    "sklearn": ["fvjax/sources/*", "fvjax/covariance.py"],
}
HYDRA = (
    "__main__",
    "app",
    "build",
    "check",
    "launch",
    "compose",
    "grids",
    "guard",
    "keys",
    "messages",
    "replay",
    "scoring",
    "statistics",
    "collected",
    "jobs",
    "retrieve",
    "truth",
    "activation_grid",
    "uncertainty/report",
    "difficulty",
)
PANDAS = (
    "pairs*",
    "ranking*",
    "leaderboard*",
    "retrieve*",
    "activation_grid*",
    "difficulty*",
    "levels*",
    "table*",
    "sheet*",
    "finish*",
    "figure",
    "launch*",
    "compare*",
    "report*",
    "uncertainty/report",
    "uncertainty/tables",
)


def imports(file: str) -> Iterator[tuple[str, ast.stmt]]:
    """Every module that a file imports, with its full name, and the statement."""
    package = file.removesuffix(".py").removesuffix("/__init__").split("/")
    inside = package if file.endswith("__init__.py") else package[:-1]
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = inside[: len(inside) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((f"{module}.{alias.name}", node) for alias in node.names)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def test_there_is_something_to_read() -> None:
    assert len(FVJAX) > 30 and len(SWEEPS) > 5
    assert "jax.numpy" in [name for name, _ in imports("fvjax/scores.py")]
    assert any(within(name, "flax.linen") for name, _ in imports("fvjax/models/tiny.py"))


@pytest.mark.parametrize("file", FVJAX)
def test_fvjax_imports_what_its_place_allows(file: str) -> None:
    for name, _ in imports(file):
        if name.split(".")[0] in sys.stdlib_module_names:
            continue
        packages = [p for p in ALLOWED if within(name, p)]
        assert packages, f"{file} imports {name}"
        narrowest = max(packages, key=len)
        allowed = any(fnmatch(file, pattern) for pattern in ALLOWED[narrowest])
        assert allowed, f"{file} imports {name}"


@pytest.mark.parametrize("file", FVJAX)
def test_fvjax_imports_nothing_inside_a_function(file: str) -> None:
    tree = ast.parse((ROOT / file).read_text())
    functions = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    for function in functions:
        inner = [n for n in ast.walk(function) if isinstance(n, ast.Import | ast.ImportFrom)]
        here = [n for n in inner if not _slow(n)]
        assert not here, f"{file}:{here[0].lineno} imports inside {function.name}"


@pytest.mark.parametrize("file", FILES)
def test_what_takes_seconds_to_import_is_imported_where_it_is_used(file: str) -> None:
    for node in ast.parse((ROOT / file).read_text()).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            assert not _slow(node), f"{file}:{node.lineno} imports scikit-learn at once"


def _slow(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and within(node.module or "", "sklearn")


@pytest.mark.parametrize("file", SWEEPS)
def test_hydra_and_pandas_stay_where_they_belong(file: str) -> None:
    stem = file.removeprefix("sweeps/").removesuffix(".py")
    for name, _ in imports(file):
        if within(name, "hydra") or within(name, "omegaconf"):
            assert stem in HYDRA, f"{file} imports {name}"
        if within(name, "pandas"):
            assert any(fnmatch(stem, pattern) for pattern in PANDAS), f"{file} imports {name}"
        if within(name, "flax.linen"):
            raise AssertionError(f"{file} imports {name}")


def test_modules_of_fvjax_form_no_circle() -> None:
    modules = {f.removesuffix(".py").removesuffix("/__init__").replace("/", "."): f for f in FVJAX}
    graph: dict[str, set[str]] = {}
    for module, file in modules.items():
        named = (name for name, _ in imports(file) if within(name, "fvjax"))
        found = (n if n in modules else n.rpartition(".")[0] for n in named)
        graph[module] = {n for n in found if n in modules and n != module}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path, module))
        if module not in done:
            for other in graph[module]:
                visit(other, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())
