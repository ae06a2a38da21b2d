"""Interpret the pickle inside a PyTorch file without Python's unpickler.

Only plain containers, numbers, texts, storages and tensors exist here. A global outside the list of
`fvjax.models.pytorch_tensors` is refused by its name and is never imported, and no opcode can call
or change anything else.
"""

import pickletools
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from fvjax.models.pytorch_tensors import Global, check_key, find_global, storage_of


@runtime_checkable
class Readable(Protocol):
    """A file or a memory map: what `pickletools` reads arguments from."""

    def read(self, count: int, /) -> bytes:
        """Return the next bytes, at most `count`."""

    def readline(self) -> bytes:
        """Return the next bytes up to a line break."""


def read_pickle(file: Readable) -> Any:
    """Interpret one pickle from the file's position; the position is then behind it.

    Returns:
        Dicts, lists, tuples, sets, numbers, texts, bytes, None and `Tensor`.

    Raises:
        ValueError: a global that is not allowed, by its name; an opcode that PyTorch never writes;
            a broken pickle.
    """
    machine = _Machine()
    try:
        while code := file.read(1):
            opcode = _OPCODES.get(code)
            name = "an unknown opcode" if opcode is None else opcode.name
            if opcode is None or name not in _KNOWN:  # its argument is not even read
                raise ValueError(f"its pickle uses {name}, which no file of weights needs")
            if name == "STOP":
                return machine.result()
            machine.step(name, _argument(opcode, file))
    except (
        IndexError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise ValueError(f"its pickle is broken ({type(error).__name__})") from error
    raise ValueError("its pickle has no end")


def _argument(opcode: pickletools.OpcodeInfo, file: Readable) -> Any:
    if opcode.name == "GLOBAL":  # pickletools would decode escapes, which names lack
        return [file.readline().rstrip(b"\n").decode() for _ in range(2)]
    return None if opcode.arg is None else opcode.arg.reader(file)  # type: ignore[arg-type]


class _Machine:
    """The stack machine of pickle's protocols 2 to 5, without what could run code."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []  # the stacks below each mark
        self._memo: dict[int, Any] = {}

    def result(self) -> Any:
        """Return the only value that is left."""
        if len(self._stack) != 1 or self._marked:
            raise ValueError("its pickle is broken (more or less than one value)")
        return self._stack[0]

    def step(self, name: str, argument: Any) -> None:
        """Execute one opcode."""
        stack = self._stack
        if name in _CONSTANTS:
            stack.append(argument)
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self._memo[argument])
        elif name == "MARK":
            self._marked.append(stack)
            self._stack = []
        elif name in _FROM_MARK:
            self._stack, items = self._marked.pop(), stack
            _FROM_MARK[name](self._stack, items)
        elif name in _FROM_STACK:
            _FROM_STACK[name](stack)
        elif name == "GLOBAL":
            stack.append(find_global(*argument))


_CONSTANTS = frozenset(
    [
        *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
        *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
        *("BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES"),
    ]
)
_EMPTY: Mapping[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": set,
}


def _set_items(stack: list[Any], items: list[Any]) -> None:
    if type(stack[-1]) is not dict or len(items) % 2:
        raise TypeError
    for key, value in zip(items[::2], items[1::2], strict=True):
        check_key(key)
        stack[-1][key] = value


def _append_items(stack: list[Any], items: list[Any]) -> None:
    if type(stack[-1]) is not list:
        raise TypeError
    stack[-1].extend(items)


def _add_items(stack: list[Any], items: list[Any]) -> None:
    if type(stack[-1]) is not set:
        raise TypeError
    for item in items:
        check_key(item)
        stack[-1].add(item)


def _tuple(count: int) -> Callable[[list[Any]], None]:
    def gather(stack: list[Any]) -> None:
        if len(stack) < count:
            raise IndexError
        stack[-count:] = [tuple(stack[-count:])]

    return gather


def _reduce(stack: list[Any]) -> None:
    arguments, function = stack.pop(), stack.pop()
    if not isinstance(function, Global) or function.call is None or type(arguments) is not tuple:
        raise TypeError
    stack.append(function.call(*arguments))


def _build(stack: list[Any]) -> None:
    """Drop the attributes of an ordered dict, its `_metadata`; nothing else can have any."""
    stack.pop()
    if type(stack[-1]) is not dict:
        raise TypeError


def _persistent(stack: list[Any]) -> None:
    stack.append(storage_of(stack.pop()))


_FROM_MARK: Mapping[str, Callable[[list[Any], list[Any]], None]] = {
    "TUPLE": lambda stack, items: stack.append(tuple(items)),
    "APPENDS": _append_items,
    "SETITEMS": _set_items,
    "ADDITEMS": _add_items,
}
_FROM_STACK: Mapping[str, Callable[[list[Any]], None]] = {
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "APPEND": lambda stack: _append_items(stack, [stack.pop()]),
    "SETITEM": lambda stack: _set_items(stack, [stack.pop(), stack.pop()][::-1]),
    "POP": lambda stack: stack.pop(),
    "REDUCE": _reduce,
    "BUILD": _build,
    "BINPERSID": _persistent,
    "STACK_GLOBAL": lambda stack: stack.append(find_global(*[stack.pop(), stack.pop()][::-1])),
}
_OPCODES = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
_KNOWN = {"BINPUT", "LONG_BINPUT", "MEMOIZE", "BINGET", "LONG_BINGET", "MARK", "GLOBAL", "STOP"}
_KNOWN |= {"PROTO", "FRAME", *_CONSTANTS, *_EMPTY, *_FROM_MARK, *_FROM_STACK}
