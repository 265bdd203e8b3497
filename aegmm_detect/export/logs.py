"""Logging of the user's, as it was before converters were at work."""

import contextlib
import logging
from collections.abc import Iterator


@contextlib.contextmanager
def logging_kept() -> Iterator[None]:
    """Remove handlers that converters give the root logger, and set its level back.

    TensorFlow's logger and ``logging.warning`` add a handler where there is none: the user's lines
    would come twice, or in another form.
    """
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = [handler for handler in root.handlers if handler in before]
        root.setLevel(level)
