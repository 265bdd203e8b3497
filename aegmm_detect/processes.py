"""A process that was forked after TensorFlow had started cannot run compiled programs.

TensorFlow's threads stay behind in the parent, and a program in the child waits for them for ever.
"""

import os

import tensorflow as tf

from aegmm_detect.exceptions import ForkedProcessError

# Whether this process was forked from one in which TensorFlow had started.
_threads_are_gone = False


def check_process() -> None:
    """Raise `ForkedProcessError` where a compiled program would never end.

    To be called before programs run. It costs next to nothing.
    """
    if _threads_are_gone:
        raise ForkedProcessError(
            "This process was forked from one in which TensorFlow had already run, and "
            "TensorFlow's threads do not come along: the call would never end. Start processes "
            "with 'spawn' or 'forkserver', for example multiprocessing.get_context('spawn') or "
            "joblib's default back end 'loky'. Or score with the light scorer of an export "
            "(aegmm_detect.scoring.Scorer), which works in forked processes."
        )


def _has_started() -> bool:
    """Whether TensorFlow has threads: from then on, it refuses to change their number."""
    threading = tf.config.threading
    number = threading.get_inter_op_parallelism_threads()
    try:
        threading.set_inter_op_parallelism_threads(number + 1)
    except RuntimeError:
        return True
    threading.set_inter_op_parallelism_threads(number)
    return False


def _after_fork() -> None:
    global _threads_are_gone
    _threads_are_gone = _threads_are_gone or _has_started()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_after_fork)
