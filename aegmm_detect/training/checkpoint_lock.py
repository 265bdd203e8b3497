"""One folder is for one fit at a time."""

import weakref
from pathlib import Path

from aegmm_detect.exceptions import CheckpointError
from aegmm_detect.files import lock_file, unlock_file

# There while a fit goes on, and locked by it: a killed one leaves it unlocked.
LOCK_NAME = ".fit.lock"


class FolderLock:
    """Keeps other fits, in this process and in others, out of a folder; Windows has no such locks.

    Parameters
    ----------
    folder
        Of the checkpoint.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK_NAME
        self._unlock: weakref.finalize | None = None

    def acquire(self) -> None:
        """Keep others out until `release`, or until nobody has this object any more.

        Raises
        ------
        CheckpointError
            Another fit goes on there, or no lock can be made.
        """
        try:
            held = lock_file(self._path)
        except BlockingIOError:
            raise CheckpointError(
                f"Another fit goes on in {self._path.parent}. Wait until it ends, or choose "
                "another checkpoint_dir."
            ) from None
        except OSError as problem:
            raise CheckpointError(
                f"{self._path} cannot be made ({problem.strerror}). Delete it, or choose another "
                "checkpoint_dir."
            ) from problem
        # For a fit that fails before it has begun, too.
        self._unlock = weakref.finalize(self, unlock_file, self._path, held)

    def release(self) -> None:
        """Let others in; nothing is left of the lock."""
        if self._unlock is not None:
            self._unlock()
