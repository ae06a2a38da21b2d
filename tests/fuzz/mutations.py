"""Changes of valid content: of bytes, and of nested values such as JSON's."""

import copy
import random
from typing import Any

ODD_NUMBERS = (0, -1, 1, 2, 3, 7, 255, 65_535, 2**31 - 1, 2**31, 2**32, 2**53, 2**62, 2**63 - 1)
ODD_VALUES = (
    *(*ODD_NUMBERS, 10**11, 0.5, -1.5, 1e308, float("inf"), float("nan"), None, True, False),
    *("", "x", "\0", "é\n", "../x", "os.system", "A" * 999, [], {}, [1, 2], {"a": 1}, [[]]),
)
_MOST_CHANGES = 4


def changed_bytes(draw: random.Random, data: bytes) -> bytes:
    """The bytes after one to four changes: flips, cuts, copies, odd numbers and random runs."""
    held = bytearray(data)
    for _ in range(draw.randint(1, _MOST_CHANGES)):
        at = draw.randrange(len(held) + 1)
        size = draw.choice((1, 2, 4, 8, 64))
        match draw.randrange(7):
            case 0 if at < len(held):
                held[at] ^= 1 << draw.randrange(8)
            case 1:
                held[at : at + size] = draw.randbytes(size)
            case 2:
                del held[at : at + size]
            case 3:
                held[at:at] = held[draw.randrange(len(held) + 1) :][: 4 * size]
            case 4:
                number = draw.choice(ODD_NUMBERS) % 2 ** (8 * min(size, 8))
                held[at : at + min(size, 8)] = number.to_bytes(
                    min(size, 8), draw.choice(("little", "big"))
                )
            case 5:
                del held[at:]
            case _:
                held[at:at] = bytes(size)
    return bytes(held)


def changed_value(draw: random.Random, value: Any) -> Any:
    """The nested value after one to three changes: parts are lost, doubled, swapped or odd."""
    value = copy.deepcopy(value)
    for _ in range(draw.randint(1, 3)):
        if not isinstance(value, (dict, list)) or draw.random() < 0.02:
            return draw.choice(ODD_VALUES)
        _change_inside(draw, value)
    return value


def _change_inside(draw: random.Random, value: Any) -> None:
    """Change one place of a dict or list, at a random depth."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = draw.choice(keys)
        inner = value[key]
        if isinstance(inner, (dict, list)) and inner and draw.random() < 0.85:
            value = inner
            continue
        break
    match draw.randrange(5):
        case 0:
            del value[key]
        case 1:
            value[key] = copy.deepcopy(value[draw.choice(keys)])
        case 2 if isinstance(value, list):
            value.insert(key, copy.deepcopy(inner))
        case 3 if isinstance(inner, int):
            value[key] = inner + draw.choice((-1, 1, 2))
        case _:
            value[key] = copy.deepcopy(draw.choice(ODD_VALUES))


def nested(depth: int) -> str:
    """A text of JSON that is nested too deeply for a recursive reader."""
    return "[" * depth + "]" * depth
