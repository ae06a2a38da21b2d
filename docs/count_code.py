"""Count what makes code and prose hard to read: `python docs/count_code.py [CHECKOUT]`.

The numbers of docs/development/numbers.md come from it.
"""

import ast
import re
import statistics
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

WORDS = ["one", "found", "plain", "own", "whole", "there", "told", "given", "mine", "kept", "known"]
VAGUE = {"What", "How", "Of", "One", "Those", "Whether", "Say", "That", "For"}
CLUMP = {"model", "layer", "size", "reference"}
RENAMED = {"image_size": "size", "natural": "reference"}


def sources(root: Path, *folders: str) -> dict[Path, str]:
    """Return the text of each Python file by its path below the checkout."""
    files = (path for folder in folders for path in sorted((root / folder).rglob("*.py")))
    return {path.relative_to(root): path.read_text() for path in files}


def imports(root: Path, package: str) -> dict[str, set[str]]:
    """Return what each room of a package imports; a room is a folder or a module at the top."""
    files = sources(root, package)
    rooms: dict[str, set[str]] = {}
    for path, text in files.items():
        if path == Path(package, "__init__.py"):
            continue
        imported = rooms.setdefault(Path(path.parts[1]).stem, set())
        for node in ast.walk(ast.parse(text)):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            parts = [name.split(".") for name in names]
            imported |= {p[1] for p in parts if p[0] == package and len(p) > 1}
    return {room: imported & rooms.keys() - {room} for room, imported in rooms.items()}


def floors(rooms: dict[str, set[str]]) -> int:
    """Return the length of the longest chain of imports, in rooms."""

    def height(room: str, below: tuple[str, ...]) -> int:
        deeper = [height(r, (*below, room)) for r in rooms[room] if r not in (*below, room)]
        return 1 + max(deeper, default=0)

    return max(height(room, ()) for room in rooms)


def sentences(root: Path) -> Iterator[int]:
    """Yield the number of words of each sentence of the README and the pages."""
    for page in [*root.glob("*.md"), *root.glob("docs/**/*.md")]:
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
        lines = (x for x in text.splitlines() if not x.lstrip().startswith(("|", "#", "!")))
        for sentence in re.split(r"(?<=[.!?:;])\s+|\n\s*\n|\n- ", "\n".join(lines)):
            yield len(sentence.split())


def rows(root: Path) -> Iterator[tuple[str, object]]:
    """Yield the name and the value of each row."""
    files = sources(root, "fvjax", "sweeps", "hydra_plugins")
    lengths = {path: text.count("\n") for path, text in files.items()}
    nodes = [(p, node) for p, text in files.items() for node in ast.walk(ast.parse(text))]
    functions = [
        (p, node)
        for p, node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    ]
    longest = max(functions, key=lambda f: (f[1].end_lineno or 0) - f[1].lineno)
    largest = max(lengths, key=lambda path: lengths[path])
    yield "files", len(files)
    yield "lines", sum(lengths.values())
    yield "median file, lines", round(statistics.median(lengths.values()))
    yield "largest file", f"`{largest}` {lengths[largest]}"
    length = (longest[1].end_lineno or 0) - longest[1].lineno + 1
    yield "longest function", f"`{longest[0].stem}.{longest[1].name}` {length}"
    for package in ("sweeps", "fvjax"):
        rooms = imports(root, package)
        arrows = sum(map(len, rooms.values()))
        yield f"rooms, floors, arrows of `{package}`", f"{len(rooms)}, {floors(rooms)}, {arrows}"
    counted = Counter(re.findall(r"[A-Za-z]+", "\n".join(files.values())))
    yield "words that name nothing", ", ".join(f"{word} {counted[word]}" for word in WORDS)
    arguments = [[a.arg for a in f.args.args + f.args.kwonlyargs] for _, f in functions]
    together = [len({RENAMED.get(name, name) for name in names} & CLUMP) for names in arguments]
    yield f"signatures with three of {', '.join(sorted(CLUMP))}", sum(n >= 3 for n in together)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    texts = [ast.get_docstring(n) for _, n in nodes if isinstance(n, documented)]
    first = [text.split()[0].strip("`,.") for text in texts if text]
    yield "docstrings", len(first)
    yield "docstrings with a vague first word", sum(word in VAGUE for word in first)
    words = list(sentences(root))
    yield "sentences over 25 words in docs", sum(n > 25 for n in words)
    yield "sentences over 40 words in docs", sum(n > 40 for n in words)
    for folder in ("tests", "benchmarks"):
        yield f"lines of {folder}", sum(t.count("\n") for t in sources(root, folder).values())


if __name__ == "__main__":
    for name, value in rows(Path(sys.argv[1] if len(sys.argv) > 1 else ".")):
        print(f"| {name} | {value} |")
