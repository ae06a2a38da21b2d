"""Checks of user input; errors name the value, the allowed values and the closest match."""

import difflib
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

MOST_SEED = 2**32 - 1  # a random key holds 32 bits of a seed
_MOST = float(np.finfo(np.float32).max)  # numbers become float32
_MOST_CHARACTERS = 300  # of another library's message


def _number(name: str, value: Any) -> float | None:
    """Return the value if it is a Python or NumPy number; None for a tracer or placeholder."""
    if value is None or isinstance(value, (bool, Sequence, Mapping)):  # a string is a sequence
        raise ValueError(f"{name} must be a number, got {value!r}")
    if not isinstance(value, (int, float, np.floating, np.integer)):
        return None
    number = float(value)
    if math.isfinite(number) and abs(number) > _MOST:
        raise ValueError(f"{name} must be a finite number of at most {_MOST:.1e}, got {value}")
    return number


def finite(name: str, value: Any) -> None:
    """Refuse NaN and infinities."""
    number = _number(name, value)
    if number is not None and not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number, got {value}")


def positive(name: str, value: Any) -> None:
    """Refuse zero, negative and non-finite numbers."""
    number = _number(name, value)
    if number is not None and not (math.isfinite(number) and number > 0):
        raise ValueError(f"{name} must be a positive finite number, got {value}")


def not_negative(name: str, value: Any) -> None:
    """Refuse negative and non-finite numbers."""
    number = _number(name, value)
    if number is not None and not (math.isfinite(number) and number >= 0):
        raise ValueError(f"{name} must be a finite number of at least 0, got {value}")


def below(name: str, value: Any, bound: float) -> None:
    """Refuse numbers at or above `bound`."""
    number = _number(name, value)
    if number is not None and not number < bound:
        raise ValueError(f"{name} must be below {bound}, got {value}")


def at_most(name: str, value: Any, bound: float) -> None:
    """Refuse numbers above `bound`."""
    number = _number(name, value)
    if number is not None and not number <= bound:
        raise ValueError(f"{name} must be at most {bound}, got {value}")


def boolean(name: str, value: Any) -> None:
    """Refuse anything but True and False: the string "no" would count as true."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} must be true or false, got {value!r}")


def path(name: str, value: Any) -> None:
    """Refuse anything but a path."""
    if not isinstance(value, (str, PurePath)):
        raise ValueError(f"{name} must be a path, got {value!r}")


def count(name: str, value: Any, least: int = 1, most: int | None = None) -> None:
    """Refuse anything but an integer of at least `least` and, if given, at most `most`."""
    is_integer = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not is_integer or value < least or (most is not None and value > most):
        allowed = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name} must be an integer {allowed}, got {value!r}")


def increasing(name: str, values: Any, most: int) -> None:
    """Refuse anything but a tuple of integers from 0 to `most`, each above the one before."""
    if not isinstance(values, tuple):
        raise ValueError(f"{name} must be a tuple of integers, got {values!r}")
    for value in values:
        count(name, value, least=0, most=most)
    if any(one >= other for one, other in itertools.pairwise(values)):
        raise ValueError(f"{name} must increase, got {list(values)}")


def choice(name: str, value: Any, allowed: Iterable[Any]) -> None:
    """Refuse a value outside `allowed`, naming the closest ones."""
    options = list(allowed)
    if value in options and not isinstance(value, bool):  # True is equal to 1
        return
    close = difflib.get_close_matches(str(value), [str(o) for o in options], n=3, cutoff=0.5)
    shown = [str(o) for o in options[:30]] + (["..."] if len(options) > 30 else [])
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    raise ValueError(f"unknown {name} {value!r}: it is one of {', '.join(shown)}{hint}")


def index(name: str, value: Any, size: int) -> None:
    """Refuse an index that is not an integer in [0, size)."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value < size:
        raise ValueError(f"{name} must be an integer from 0 to {size - 1}, got {value!r}")


def shape(name: str, value: Any, expected: tuple[int, ...], meaning: str) -> None:
    """Refuse an array of another shape or of integers; leading axes are batch axes."""
    actual = getattr(value, "shape", None)
    if value is None or isinstance(value, (Sequence, Mapping)):
        raise ValueError(f"{name} must be {meaning}, an array of shape {expected}, got {value!r}")
    if actual is None or actual == ():  # a placeholder, as `jax.tree.map` makes them
        return
    if len(actual) < len(expected) or (len(actual) == len(expected) and tuple(actual) != expected):
        raise ValueError(f"{name} must be {meaning} of shape {expected}, got shape {tuple(actual)}")
    if np.issubdtype(value.dtype, np.integer):
        raise ValueError(f"{name} must be {meaning} of floating-point values, got {value.dtype}")


def reason(error: BaseException) -> str:
    """Return an error's text up to its first full stop, printable; its class's name if empty."""
    words = " ".join(str(error).split()).split(". ")[0].rstrip(".")
    printable = "".join(c if c.isprintable() else "?" for c in words)
    return printable[:_MOST_CHARACTERS] or type(error).__name__
