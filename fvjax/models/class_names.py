"""Class names: ImageNet's packaged list, and selection of a class by name.

A network's class has one text, which may hold several synonyms: "goldfish, Carassius auratus,
n01443537". If a network has several heads, the head precedes the class: "texture=stripes".
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

    Case and punctuation are ignored: "jack_o_lantern" is "jack-o'-lantern". A class's complete
    text is a name too.

    Raises:
        ValueError: no class has the name, or several have it; the closest names, or all indices.
    """
    matches = _matches(classes, name)
    if len(matches) == 1:
        return matches[0]
    if matches:
        places = " and ".join(f"{i} ({classes[i]})" for i in matches)
        raise ValueError(f"several classes have the name {name!r}: {places}; give an index")
    by_name = {_normalize(n): n for text in classes for n in synonyms(text)}
    close = difflib.get_close_matches(_normalize(name), by_name, n=3, cutoff=0.6)
    hint = f"; did you mean {' or '.join(by_name[c] for c in close)}?" if close else ""
    raise ValueError(f"no class of {len(classes)} has the name {name!r}{hint}")


def match_class(classes: Sequence[str], text: str) -> int | None:
    """Return the class that another network calls `text`; None unless exactly one matches.

    The complete text has priority over synonyms.
    """
    if text in classes:
        return list(classes).index(text)
    names = synonyms(text)
    matches = {i for name in names for i in _matches(classes, name)}
    return matches.pop() if len(matches) == 1 else None


def class_label(classes: Sequence[str], index: int) -> str:
    """Return a short label: the first synonym, and the last one if classes share the first.

    If a network has several heads, the label includes the head.
    """
    first, *further = classes[index].split(", ")
    if not further or len(_matches(classes, first)) == 1:
        return first
    return f"{first} ({further[-1]})"


def _normalize(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name.casefold()).strip()


def _matches(classes: Sequence[str], name: str) -> tuple[int, ...]:
    return _index(tuple(classes)).get(_normalize(name), ())


@cache
def _index(classes: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    indices: dict[str, tuple[int, ...]] = {}
    for index, text in enumerate(classes):
        for name in dict.fromkeys(map(_normalize, (text, *synonyms(text)))):
            indices[name] = (*indices.get(name, ()), index)
    return indices
