"""Class names: ImageNet's packaged list, and selection of a class by name.

A network's class has one text, which may hold several synonyms: "goldfish, Carassius auratus,
n01443537". A class of one of several heads has the head in front: "texture=stripes".
"""

import difflib
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_IMAGENET = Path(__file__).parent / "data" / "imagenet_classes.txt"


@cache
def imagenet_classes() -> tuple[str, ...]:
    """Return the 1000 classes of ILSVRC 2012, in the order of ImageNet networks.

    The last synonym is the class's WordNet number, so that no two classes have the same text.
    """
    lines = _IMAGENET.read_text(encoding="utf-8").splitlines()
    parts = (line.split(" ", 1) for line in lines)
    return tuple(f"{names}, {number}" for number, names in parts)


def synonyms(text: str) -> tuple[str, ...]:
    """Return the names in a class's text, unchanged; with and without the head, if any."""
    names = text.split(", ")
    return (*names, *(name.split("=", 1)[1] for name in names if "=" in name))


def find_class(classes: Sequence[str], name: str) -> int:
    """Return the index of the class that has a name among its synonyms.

    Case and punctuation do not count: "jack_o_lantern" is "jack-o'-lantern". A class's whole text
    is a name too.

    Raises:
        ValueError: no class has the name, or several have it; the closest names, or all indices.
    """
    found = _selected(classes, name)
    if len(found) == 1:
        return found[0]
    if found:
        places = " and ".join(f"{i} ({classes[i]})" for i in found)
        raise ValueError(f"several classes have the name {name!r}: {places}; give an index")
    known = {_plain(n): n for text in classes for n in synonyms(text)}
    close = difflib.get_close_matches(_plain(name), known, n=3, cutoff=0.6)
    hint = f"; did you mean {' or '.join(known[c] for c in close)}?" if close else ""
    raise ValueError(f"no class of {len(classes)} has the name {name!r}{hint}")


def match_class(classes: Sequence[str], text: str) -> int | None:
    """Return the class that another network calls `text`; None unless exactly one matches.

    The same text matches before any of its synonyms does.
    """
    if text in classes:
        return list(classes).index(text)
    names = synonyms(text)
    found = {i for name in names for i in _selected(classes, name)}
    return found.pop() if len(found) == 1 else None


def class_label(classes: Sequence[str], index: int) -> str:
    """Return a short label: the first synonym, and the last one if classes share the first.

    A class of one of several heads keeps its head.
    """
    first, *others = classes[index].split(", ")
    if not others or len(_selected(classes, first)) == 1:
        return first
    return f"{first} ({others[-1]})"


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name.casefold()).strip()


def _selected(classes: Sequence[str], name: str) -> tuple[int, ...]:
    return _index(tuple(classes)).get(_plain(name), ())


@cache
def _index(classes: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for index, text in enumerate(classes):
        for name in dict.fromkeys(map(_plain, (text, *synonyms(text)))):
            found[name] = (*found.get(name, ()), index)
    return found
