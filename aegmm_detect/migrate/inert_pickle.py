"""Read a pickle without running it: names stay names, and calls stay calls.

A pickle is a program. Most of it builds plain values, which Python's own `Unpickler` does safely;
the rest looks up names and calls what it finds. Here every name that is looked up becomes a
`Named`, and calling or filling one only writes down what the pickle asked for. So no function or
class of any other module can be reached, whatever the bytes say.
"""

import io
import pickle
import pickletools
from collections.abc import Collection
from typing import Any

from aegmm_detect.exceptions import ForeignNameError, MigrationError

_MEMO_WRITES = {"PUT", "BINPUT", "LONG_BINPUT"}


class Named:
    """A name that a pickle refers to, or a call of one; looked up and run by nobody.

    Parameters
    ----------
    name
        Module and attribute, with a dot between them.
    arguments
        Of the call; None for the bare name.
    """

    __slots__ = ("arguments", "name", "state")

    def __init__(self, name: str, arguments: tuple[Any, ...] | None = None) -> None:
        self.name = name
        self.arguments = arguments
        self.state: Any = None  # what the pickle would have restored the object from

    def __call__(self, *arguments: Any) -> "Named":
        """The call, written down."""
        return Named(self.name, arguments)

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def is_just(self, names: Collection[str]) -> bool:
        """Whether this is one of `names` and neither called nor filled."""
        return self.name in names and self.arguments is None and self.state is None

    def __repr__(self) -> str:
        return self.name if self.arguments is None else f"{self.name}(...)"


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

    Raises
    ------
    ForeignNameError
        It refers to another name.
    MigrationError
        It is no pickle, is cut off or asks for what no state needs.
    """
    # Whatever such bytes make the two readers raise (a dozen types), they are not what we want.
    try:
        _check_program(data)
        return _Reader(data, source, known).load()
    except MigrationError:
        raise
    except Exception as error:
        raise MigrationError(
            f"{source} cannot be read: {error or type(error).__name__}. It is damaged, or "
            "alibi-detect did not write it: copy the directory again."
        ) from error


class _Reader(pickle.Unpickler):
    def __init__(self, data: bytes, source: str, known: Collection[str] | None) -> None:
        super().__init__(io.BytesIO(data))
        self._source = source
        self._known = known

    def find_class(self, module: str, name: str) -> Named:
        full = f"{module}.{name}"
        if self._known is not None and full not in self._known:
            raise ForeignNameError(
                f"{self._source} refers to {full!r}, which is none of the array types that the "
                "state of a detector is made of. Nothing of it was run."
            )
        return Named(full)


def _check_program(data: bytes) -> None:
    end = 0
    for opcode, argument, at in pickletools.genops(data):
        # Codes of registered extensions can bypass `find_class`.
        if opcode.name.startswith("EXT"):
            raise ValueError(f"opcode {opcode.name}")
        # The memo is an array that grows to the index, up to 32 GB.
        if opcode.name in _MEMO_WRITES and (argument or 0) > len(data):
            raise ValueError(f"memo index {argument}")
        end = (at or 0) + 1
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes after its end")
