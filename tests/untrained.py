"""Fits without training, which compiles for seconds: for laws about what fits leave, not how."""

import contextlib
from collections.abc import Iterator

import keras
import pytest

from aegmm_detect.od import fitting


def _begin_alone(*_, begin, **__):
    begin()
    return keras.callbacks.History()


@contextlib.contextmanager
def untrained() -> Iterator[None]:
    """Within it a fit of a mixture detector estimates the mixtures of fresh nets.

    `epochs=0` does so for nets of a user's own; this is for those that the package builds.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "fit", _begin_alone)
        yield
