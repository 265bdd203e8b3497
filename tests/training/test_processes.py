"""TensorFlow's programs in other processes: they run where they can, and raise elsewhere."""

import multiprocessing
import os
import subprocess
import sys

import numpy as np
import pytest

from aegmm_detect.exceptions import AEGMMError, ForkedProcessError
from aegmm_detect.few_labels import FewLabelClassifier
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.programs import tracing
from aegmm_detect.scoring import Scorer

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork"),
    pytest.mark.filterwarnings("ignore:This process .*is multi-threaded:DeprecationWarning"),
]


def in_process(method, function, *arguments):
    """What `function` returns in a process that `method` starts, or an error after 2 minutes."""
    with multiprocessing.get_context(method).Pool(1) as pool:
        return pool.apply_async(function, arguments).get(timeout=120)


def fit_in_child(rows):
    OutlierAEGMM.from_sizes(6, [4, 1], [3, 2], threshold=0.0).fit(rows, epochs=1, verbose=0)


def classify_in_child(rows):
    FewLabelClassifier(hiddens=(4, 2)).fit(rows, np.arange(len(rows)) % 2, verbose=0)


def score_as_here(detector, rows):
    """By a plain graph, as all tests that are not about XLA."""
    tracing.SCORING["mode"] = "graph"
    return detector.score(rows)


@pytest.mark.parametrize("method", ["score", "predict", "explain", "update", "fit"])
def test_every_method_that_runs_programs_raises_in_a_forked_process(fitted, normal_rows, method):
    fitted.score(normal_rows)
    with pytest.raises(ForkedProcessError, match=r"'spawn' or 'forkserver'.*light scorer"):
        in_process("fork", getattr(fitted, method), normal_rows)


@pytest.mark.parametrize("function", [fit_in_child, classify_in_child])
def test_what_is_made_in_a_forked_process_raises_too(fitted, normal_rows, function):
    with pytest.raises(ForkedProcessError):
        in_process("fork", function, normal_rows)


def test_the_parent_goes_on_and_a_spawned_process_scores_the_same(fitted, normal_rows):
    expected = fitted.score(normal_rows)
    with pytest.raises(AEGMMError):
        in_process("fork", fitted.score, normal_rows)
    assert np.array_equal(fitted.score(normal_rows), expected)
    assert np.array_equal(in_process("spawn", score_as_here, fitted, normal_rows), expected)


def test_the_light_scorer_works_in_a_forked_process(fitted, exported, normal_rows):
    scorer = Scorer(exported)
    expected = scorer.score(normal_rows)

    def score(loaded_before):
        own = scorer if loaded_before else Scorer(exported)
        queue.put(own.score(normal_rows))

    context = multiprocessing.get_context("fork")
    for loaded_before in (True, False):
        queue = context.SimpleQueue()
        child = context.Process(target=score, args=(loaded_before,), daemon=True)
        child.start()
        child.join(60)
        assert child.exitcode == 0
        assert np.array_equal(queue.get(), expected)


def test_a_process_forked_before_tensorflow_has_started_may_run_it():
    program = (
        "import os, aegmm_detect.od.aegmm\n"
        "from aegmm_detect.processes import check_process\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    import tensorflow as tf\n"
        "    check_process()\n"
        "    os._exit(int(tf.function(lambda x: x + 1)(tf.constant(1))))\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=120)
