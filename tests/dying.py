"""A process that ends in the middle of its work with files, as far as one process can show it."""

import contextlib
import os

import pytest


class Killed(BaseException):
    """Stands for the end of the process: nothing in the package catches it."""


@contextlib.contextmanager
def dying_at(n, after, calls):
    """Let the process die at its n-th call of some functions, before or after it takes effect.

    Parameters
    ----------
    n
        From 1.
    after
        Whether that call takes effect.
    calls
        Functions, as pairs of what holds them and their name.
    """
    touched, opening = 0, os.open

    def mortal(call):
        def touch(*args, **kwargs):
            nonlocal touched
            touched += 1
            if touched > n or (touched == n and not after):
                raise Killed
            result = call(*args, **kwargs)
            if touched == n:
                if call is opening:  # the end of a process closes what it has open
                    os.close(result)
                raise Killed
            return result

        return touch

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in calls:
            patch.setattr(owner, name, mortal(getattr(owner, name)))
        yield
