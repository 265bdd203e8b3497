"""Names that a pickle refers to, kept as names."""

from collections.abc import Collection
from typing import Any


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

    def is_just(self, names: Collection[str]) -> bool:
        """Whether this is one of `names` and neither called nor filled."""
        return self.name in names and self.arguments is None and self.state is None

    def __repr__(self) -> str:
        return self.name if self.arguments is None else f"{self.name}(...)"


def described(value: Any) -> str:
    """A short text for errors: values may contain themselves many times over."""
    return repr(value) if isinstance(value, Named) else type(value).__name__
