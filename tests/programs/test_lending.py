"""What is lent is one borrower's alone, and comes back to the shelf."""

import concurrent.futures
import itertools

from hypothesis import given
from hypothesis import strategies as st

from aegmm_detect.programs.lending import Lending


def test_what_is_given_back_is_lent_again():
    shelf = Lending(2)
    thing = shelf.borrow("a", object)
    shelf.give_back("a", thing)
    assert shelf.borrow("a", object) is thing


def test_what_is_out_is_nobody_elses():
    shelf = Lending(2)
    thing = shelf.borrow("a", object)
    shelf.give_back("a", thing)
    again = shelf.borrow("a", object)
    assert shelf.borrow("a", object) is not again


@given(st.integers(1, 4), st.lists(st.sampled_from("abc"), max_size=12))
def test_the_shelf_keeps_what_came_back_last(most, keys):
    shelf, numbers = Lending(most), itertools.count()
    for number, key in enumerate(keys):
        shelf.give_back(key, number)
    kept = []
    for key in "abc":
        # What it had to make is negative.
        while (number := shelf.borrow(key, lambda: -1 - next(numbers))) >= 0:
            kept.append(number)
            assert keys[number] == key
    assert len(kept) == min(most, len(keys))
    # The key that was used longest ago gives first.
    if keys:
        assert len(keys) - 1 in kept


def test_a_cleared_shelf_is_empty():
    shelf = Lending(2)
    shelf.give_back("a", 1)
    shelf.clear()
    assert shelf.borrow("a", lambda: 2) == 2


def test_threads_share_nothing_that_is_out():
    shelf = Lending(8)

    def use(_):
        for _ in range(200):
            thing = shelf.borrow("a", list)
            thing.append(1)
            assert thing == [1]
            thing.clear()
            shelf.give_back("a", thing)
        return True

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert all(pool.map(use, range(4)))
