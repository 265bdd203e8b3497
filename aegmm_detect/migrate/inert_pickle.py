"""Read a pickle without running it: names stay names, and calls stay calls.

A pickle is a program. Its instructions are carried out here one by one, on plain values, and
Python's own `Unpickler` has no part in it. Every name that is looked up becomes a `Named`, and
calling or filling one only writes down what the pickle asked for. So no function or class of any
other module can be reached, whatever the bytes say.

Values can contain each other many times over, so a short program can build what nobody could walk
through to its end. Nothing here does: only texts are ever hashed, and only names are shown.
"""

import pickletools
from collections.abc import Callable, Collection
from typing import Any

from aegmm_detect.exceptions import ForeignNameError, MigrationError
from aegmm_detect.listing import one_line
from aegmm_detect.migrate.named import Named

# A state has some hundred instructions, a function of the user's own some thousand.
MOST_OPCODES = 100_000
# Characters of a module and a name.
_LONGEST_NAME = 500


def read(data: bytes, source: str, known: Collection[str] | None) -> Any:
    """Values in a pickle, with `Named` in place of everything that is not plain.

    Parameters
    ----------
    data
        The pickle, any protocol.
    source
        Name of the file, for messages.
    known
        Names that it may refer to; None for any, which is as safe and less strict.

    Returns
    -------
    None, numbers, texts, bytes, lists, tuples, dictionaries and `Named`. Sets are calls of
    ``builtins.set``, and keys that are not texts are ``Named('a key')``.

    Raises
    ------
    ForeignNameError
        It refers to another name.
    MigrationError
        It is not a pickle, is cut off or asks for what no detector state needs.
    """
    # What damaged bytes raise in the parser and on the stack: a dozen types.
    try:
        return _Machine(source, known).run(data)
    except MigrationError:
        raise
    except Exception as error:
        raise MigrationError(
            f"{source} cannot be read: {one_line(error)}. It is damaged, or alibi-detect did not "
            "write it: copy the directory again."
        ) from error


class _Machine:
    """The stack and the memo of one pickle."""

    def __init__(self, source: str, known: Collection[str] | None) -> None:
        self._source = source
        self._known = known
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []  # the stacks under the marks
        self._memo: dict[int, Any] = {}

    def run(self, data: bytes) -> Any:
        for count, (opcode, argument, at) in enumerate(pickletools.genops(data)):
            if count == MOST_OPCODES:
                raise ValueError(f"it has more than {MOST_OPCODES:,} instructions")
            name = opcode.name
            if name == "STOP":
                rest = len(data) - (at or 0) - 1
                if rest or self._below or len(self._stack) != 1:
                    raise ValueError(f"{rest} bytes after its end, or values left over")
                return self._stack.pop()
            if name in _PUSH:
                self._stack.append(argument)
            elif name in _WITHOUT_ARGUMENT:
                _WITHOUT_ARGUMENT[name](self)
            elif name in _WITH_ARGUMENT:
                _WITH_ARGUMENT[name](self, argument, len(data))
            # Extensions are names, persistent identifiers and buffers are outside of the file.
            elif name not in ("PROTO", "FRAME"):
                raise ValueError(f"opcode {name}")
        raise ValueError("it has no end")

    def _named(self, module: Any, name: Any) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise ValueError("a name that is not text")
        if len(module) + len(name) > _LONGEST_NAME:
            raise ValueError("a name that is too long")
        full = f"{module}.{name}"
        if self._known is not None and full not in self._known:
            raise ForeignNameError(
                f"{self._source} refers to {full!r}, which no detector state needs. "
                "Nothing of it was run."
            )
        self._stack.append(Named(full))

    def _to_mark(self) -> list[Any]:
        items = self._stack
        self._stack = self._below.pop()
        return items

    def _mark(self) -> None:
        self._below.append(self._stack)
        self._stack = []

    def _stack_global(self) -> None:
        name = self._stack.pop()
        self._named(self._stack.pop(), name)

    def _global(self, argument: str, _: int) -> None:
        module, name = argument.split(" ", 1)
        self._named(module, name)

    def _inst(self, argument: str, length: int) -> None:
        arguments = tuple(self._to_mark())
        self._global(argument, length)
        self._call(arguments)

    def _obj(self) -> None:
        function, *arguments = self._to_mark()
        self._stack.append(function)
        self._call(tuple(arguments))

    def _reduce(self) -> None:
        self._call(self._stack.pop())

    def _newobj_ex(self) -> None:
        settings = self._stack.pop()
        # The arguments stay one value: a copy for each call of a shared tuple fills the memory.
        self._call((_tuple(self._stack.pop()), settings))

    def _call(self, arguments: Any) -> None:
        self._stack[-1] = Named(_name_of(self._stack[-1]).name, _tuple(arguments))

    def _build(self) -> None:
        state = self._stack.pop()
        _name_of(self._stack[-1]).state = state

    def _append_to(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, list):
            target.extend(items)
        else:
            _name_of(target).state = items

    def _set_in(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, dict):
            _fill(target, items)
        else:
            _name_of(target).state = items

    def _set_item(self) -> None:
        value = self._stack.pop()
        self._set_in([self._stack.pop(), value])

    def _tuple_of(self, count: int) -> None:
        if len(self._stack) < count:
            raise ValueError("too few values on the stack")
        items = tuple(self._stack[-count:])
        del self._stack[-count:]
        self._stack.append(items)

    def _put(self, index: int, length: int) -> None:
        # So that an index is no more than the place of an instruction.
        if index > length:
            raise ValueError(f"memo index {index}")
        self._memo[index] = self._stack[-1]

    def _get(self, index: int, _: int) -> None:
        self._stack.append(self._memo[index])

    def _pop(self) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._to_mark()

    def _push(self, value: Any) -> None:
        self._stack.append(value)


def _fill(target: dict[Any, Any], items: list[Any]) -> None:
    """Texts have hashes that nobody can foresee; those of numbers and tuples can be a trap."""
    for key, value in zip(items[::2], items[1::2], strict=True):
        target[key if isinstance(key, str) else Named("a key")] = value


def _filled(items: list[Any]) -> dict[Any, Any]:
    target: dict[Any, Any] = {}
    _fill(target, items)
    return target


def _name_of(value: Any) -> Named:
    if not isinstance(value, Named):
        raise ValueError(f"{type(value).__name__} is called or filled")
    return value


def _tuple(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, tuple):
        raise ValueError(f"a call with {type(value).__name__}")
    return value


_PUSH = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BYTEARRAY8"),
}
_WITH_ARGUMENT: dict[str, Callable[[_Machine, Any, int], None]] = {
    "GLOBAL": _Machine._global,
    "INST": _Machine._inst,
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine._put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Machine._get),
}
_WITHOUT_ARGUMENT: dict[str, Callable[[_Machine], None]] = {
    "NONE": lambda m: m._push(None),
    "NEWTRUE": lambda m: m._push(True),
    "NEWFALSE": lambda m: m._push(False),
    "MARK": _Machine._mark,
    "POP": _Machine._pop,
    "POP_MARK": lambda m: m._to_mark().clear(),
    "DUP": lambda m: m._push(m._stack[-1]),
    "MEMOIZE": lambda m: m._put(len(m._memo), len(m._memo)),
    "EMPTY_LIST": lambda m: m._push([]),
    "LIST": lambda m: m._push(m._to_mark()),
    "APPEND": lambda m: m._append_to([m._stack.pop()]),
    "APPENDS": lambda m: m._append_to(m._to_mark()),
    "EMPTY_TUPLE": lambda m: m._push(()),
    "TUPLE": lambda m: m._push(tuple(m._to_mark())),
    "TUPLE1": lambda m: m._tuple_of(1),
    "TUPLE2": lambda m: m._tuple_of(2),
    "TUPLE3": lambda m: m._tuple_of(3),
    "EMPTY_DICT": lambda m: m._push({}),
    "DICT": lambda m: m._push(_filled(m._to_mark())),
    "SETITEM": _Machine._set_item,
    "SETITEMS": lambda m: m._set_in(m._to_mark()),
    "EMPTY_SET": lambda m: m._push(Named("builtins.set", ())),
    "FROZENSET": lambda m: m._push(Named("builtins.frozenset", tuple(m._to_mark()))),
    "ADDITEMS": lambda m: m._append_to(m._to_mark()),
    "STACK_GLOBAL": _Machine._stack_global,
    "REDUCE": _Machine._reduce,
    "OBJ": _Machine._obj,
    "NEWOBJ": _Machine._reduce,
    "NEWOBJ_EX": _Machine._newobj_ex,
    "BUILD": _Machine._build,
}
