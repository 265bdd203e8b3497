"""Programs are made once, by whoever asks first, and the least recently used go first."""

import concurrent.futures
import threading
import time

import pytest

from aegmm_detect.programs.cache import Programs

N_THREADS = 8
SOON = 30.0  # seconds after which a test that hangs fails


def at_once(*functions):
    """Results of functions that are called at the same moment, each in a thread of its own."""
    barrier = threading.Barrier(len(functions))

    def started(function):
        barrier.wait(SOON)
        return function()

    with concurrent.futures.ThreadPoolExecutor(len(functions)) as pool:
        running = [pool.submit(started, function) for function in functions]
        return [one.result(SOON) for one in running]


def slowly():
    time.sleep(0.05)
    return object()


def refused():
    time.sleep(0.05)
    raise ValueError("no program")


def test_one_thread_makes_what_many_ask_for():
    programs = Programs()
    found = at_once(*[lambda: programs.get("key", slowly)] * N_THREADS)
    assert len(set(map(id, found))) == 1
    assert programs.n_made == 1
    assert programs.get("key", refused) is found[0]


def test_each_key_has_its_own():
    programs = Programs()
    found = at_once(*[lambda key=key: programs.get(key, slowly) for key in "abab"])
    assert found[0] is found[2]
    assert found[1] is found[3]
    assert found[0] is not found[1]
    assert programs.n_made == 2


def test_another_key_does_not_wait_for_one_that_is_made():
    programs, begun, finish = Programs(), threading.Event(), threading.Event()

    def make():
        begun.set()
        assert finish.wait(SOON)
        return "first"

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        first = pool.submit(programs.get, 1, make)
        try:
            assert begun.wait(SOON)
            assert programs.get(2, lambda: "second") == "second"
            assert not first.done()
        finally:
            finish.set()
        assert first.result(SOON) == "first"


def test_the_least_recently_used_goes_first():
    programs = Programs(most=2)
    one, two = programs.get(1, object), programs.get(2, object)
    assert programs.get(1, refused) is one
    programs.get(3, object)  # in place of 2
    assert programs.get(1, refused) is one
    assert programs.get(2, object) is not two
    assert programs.n_made == 4


def test_a_program_of_none_is_one():
    programs = Programs()
    assert programs.get("key", lambda: None) is None
    assert programs.get("key", refused) is None


def test_what_fails_leaves_the_place_to_the_next():
    programs = Programs()
    with pytest.raises(ValueError, match="no program"):
        programs.get("key", refused)
    assert programs.n_made == 0
    assert programs.get("key", lambda: "made") == "made"
    assert programs.n_made == 1


def test_who_waited_for_one_that_failed_makes_it():
    programs, attempts = Programs(), []

    def first_fails():
        attempts.append(None)
        return refused() if len(attempts) == 1 else slowly()

    def ask():
        try:
            return programs.get("key", first_fails)
        except ValueError:
            return None

    found = at_once(*[ask] * N_THREADS)
    assert found.count(None) == 1
    assert len(set(map(id, found))) == 2
    assert len(attempts) == 2


def test_one_that_is_driven_out_while_it_is_made_still_reaches_who_asked():
    programs = Programs(most=1)

    def make():
        assert programs.get("other", lambda: "other") == "other"
        return "mine"

    assert programs.get("key", make) == "mine"
    assert programs.n_made == 2


def test_cleared_ones_are_made_again_and_count_again():
    programs = Programs()
    before = programs.get("key", object)
    programs.clear()
    assert programs.get("key", object) is not before
    assert programs.n_made == 2
