"""Detectors of one structure share what is compiled, and nothing else."""

import concurrent.futures
import contextlib
import copy
import gc
import threading
import weakref

import keras
import numpy as np
import pytest

from aegmm_detect.od import OutlierAEGMM, OutlierVAEGMM
from aegmm_detect.programs import pure
from aegmm_detect.programs.cache import PROGRAMS, Programs
from aegmm_detect.saving import load_detector, save_detector

N_THREADS = 6
QUICK = {"epochs": 1, "batch_size": 64, "verbose": 0}


def brought(make_nets, seed):
    """Nets of a user's, which are not trained."""
    return OutlierAEGMM(0.0, **make_nets(seed=seed), normalize="standard"), {"epochs": 0}


def with_normalization(make_nets, seed):
    """Nets that hold more than weights, and so share nothing."""
    nets = make_nets(seed=seed)
    adapted = keras.layers.Normalization(name="adapted")
    adapted.adapt(np.random.default_rng(seed).normal(seed, 3.0, (50, 6)).astype("float32"))
    nets["encoder_net"] = keras.Sequential([keras.Input((6,)), adapted, nets["encoder_net"]])
    return OutlierAEGMM(0.0, **nets), {"epochs": 0}


def ensemble(_, seed):
    """Small nets, with the densities of `auto`."""
    auto = OutlierAEGMM.auto(6, ensemble=2)
    small = auto.blueprint.replace(sizes=OutlierAEGMM.from_sizes(6, [4, 2], [3, 2]).blueprint.sizes)
    settings = {"threshold": 0.0, "normalize": "robust", "seed": seed}
    return OutlierAEGMM.from_blueprint(small, auto.fit_config, **settings), QUICK


def drawn(_, seed):
    net = OutlierVAEGMM.from_sizes(6, [4, 2], [3, 2], seed=seed).net
    return OutlierVAEGMM(0.0, vaegmm=net, seed=seed, samples=2), {"epochs": 0}


SHARED = {"brought": brought, "ensemble": ensemble}
# What does not depend on which nets share.
BROUGHT = pytest.mark.parametrize("pair", ["brought"], indirect=True)


def fit(make, make_nets, rows, seed):
    detector, how = make(make_nets, seed)
    detector.fit((1.0 + seed) * rows + seed, **how)
    return detector


@contextlib.contextmanager
def nothing_compiled():
    before = PROGRAMS.n_made
    yield
    assert PROGRAMS.n_made == before


@contextlib.contextmanager
def none_to_share():
    """As if this process had compiled nothing yet; later tests find all that there was."""
    fresh = Programs()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pure, "PROGRAMS", fresh)
        yield fresh


def scores_by_programs_of_its_own(detector, rows):
    with none_to_share() as own:
        scores = copy.deepcopy(detector).score(rows)
    assert own.n_made == 1
    return scores


@pytest.fixture(scope="module", params=SHARED)
def pair(request, make_nets, normal_rows):
    """Two detectors of one structure, the first of which has done all that is asked of others."""
    first, second = (fit(SHARED[request.param], make_nets, normal_rows, seed) for seed in (0, 1))
    for score_type in ("both", "energy"):
        first.score_type = score_type
        first.score(normal_rows)
    copy.deepcopy(first).update(normal_rows[:100])
    return first, second


def test_another_detector_compiles_nothing_to_score(pair, normal_rows):
    with nothing_compiled():
        second = copy.deepcopy(pair[1])
        scores = second.score(normal_rows)
        second.score_type = "both"
        assert not np.array_equal(second.score(normal_rows), scores)
        second.score_type = "energy"
        np.testing.assert_array_equal(second.score(normal_rows), scores)


def test_nor_to_learn_on(pair, normal_rows):
    with nothing_compiled():
        second = copy.deepcopy(pair[1])
        before = second.score(normal_rows)
        second.update(normal_rows[:200])
        assert not np.array_equal(second.score(normal_rows), before)
        np.testing.assert_array_equal(pair[1].score(normal_rows), before)


def test_nor_do_copies_and_those_from_files(pair, normal_rows, tmp_path):
    for number, detector in enumerate(pair):
        save_detector(detector, tmp_path / f"{number}.aegmm")
        with nothing_compiled():
            for other in (
                copy.deepcopy(detector),
                copy.copy(detector),
                load_detector(tmp_path / f"{number}.aegmm"),
            ):
                np.testing.assert_array_equal(other.score(normal_rows), detector.score(normal_rows))


def test_scores_are_those_of_programs_that_nobody_shares(pair, normal_rows):
    together = [detector.score(normal_rows) for detector in pair]
    assert not np.allclose(*together)
    first = scores_by_programs_of_its_own(pair[0], normal_rows)
    np.testing.assert_array_equal(first, together[0])
    # And in the other order: the program is the second's, which it made alone.
    with none_to_share() as own:
        other_order = [copy.deepcopy(pair[number]).score(normal_rows) for number in (1, 0)]
    assert own.n_made == 1
    np.testing.assert_array_equal(other_order[::-1], together)


def test_long_batches_share_too(pair, normal_rows):
    rows = np.concatenate([normal_rows] * 15)
    whole = pair[0].score(rows)
    with nothing_compiled():
        own = pair[1].score(rows)
    np.testing.assert_array_equal(whole, np.tile(pair[0].score(normal_rows), 15))
    np.testing.assert_array_equal(own, np.tile(pair[1].score(normal_rows), 15))


def test_programs_outlive_what_keras_forgets(pair, normal_rows):
    before = [detector.score(normal_rows) for detector in pair]
    with nothing_compiled():
        keras.backend.clear_session()
        again = [detector.score(normal_rows) for detector in pair]
        copies = [copy.deepcopy(detector).score(normal_rows) for detector in pair]
    np.testing.assert_array_equal(again, before)
    np.testing.assert_array_equal(copies, before)


@BROUGHT
def test_many_threads_compile_a_new_structure_once(pair, normal_rows):
    want = [detector.score(normal_rows) for detector in pair]
    copies = [copy.deepcopy(pair[number % 2]) for number in range(N_THREADS)]
    barrier = threading.Barrier(N_THREADS)

    def score(detector):
        barrier.wait(60.0)
        return detector.score(normal_rows)

    with none_to_share() as own, concurrent.futures.ThreadPoolExecutor(N_THREADS) as pool:
        found = list(pool.map(score, copies))
    assert own.n_made == 1
    np.testing.assert_array_equal(found, [want[number % 2] for number in range(N_THREADS)])


@BROUGHT
def test_nor_to_explain(pair, normal_rows):
    pair[0].explain(normal_rows[:3])
    with nothing_compiled():
        own = pair[1].explain(normal_rows[:3]).score
    assert not np.allclose(pair[0].explain(normal_rows[:3]).score, own)
    with none_to_share():
        alone = copy.deepcopy(pair[1]).explain(normal_rows[:3]).score
    np.testing.assert_array_equal(alone, own)


def test_draws_are_each_detectors_own(normal_rows):
    pair = [fit(drawn, None, normal_rows, seed) for seed in (0, 1)]
    together = [pair[0].score(normal_rows)]
    with nothing_compiled():
        together.append(pair[1].score(normal_rows))
    assert not np.allclose(*together)
    alone = [scores_by_programs_of_its_own(detector, normal_rows) for detector in pair]
    np.testing.assert_array_equal(alone, together)


def test_a_second_fit_that_trains_nothing_compiles_nothing(make_nets, normal_rows):
    fit(brought, make_nets, normal_rows, 0).score(normal_rows)
    with nothing_compiled():
        fit(brought, make_nets, normal_rows, 1).score(normal_rows)


def test_other_widths_mixtures_and_scaling_have_programs_of_their_own(make_nets, normal_rows):
    others = (
        OutlierAEGMM(0.0, **make_nets(n_gmm=3)),
        OutlierAEGMM(0.0, **make_nets()),
        OutlierAEGMM(0.0, **make_nets(batch_norm=True), normalize="standard"),
    )
    with none_to_share() as own:
        fit(brought, make_nets, normal_rows, 0).score(normal_rows)
        for detector in others:
            detector.fit(normal_rows, epochs=0)
            before = own.n_made
            detector.score(normal_rows)
            assert own.n_made == before + 1


def test_what_holds_more_than_weights_scores_by_its_own(make_nets, normal_rows):
    with nothing_compiled():
        pair = [fit(with_normalization, make_nets, normal_rows, seed) for seed in (0, 1)]
        scores = [detector.score(normal_rows) for detector in pair]
        assert not np.allclose(*scores)
        for detector, own in zip(pair, scores, strict=True):
            graph = detector.scoring_graph
            np.testing.assert_allclose(graph(normal_rows), own, rtol=1e-4, atol=1e-4)
            np.testing.assert_array_equal(copy.deepcopy(detector).score(normal_rows), own)


def test_a_fit_forgets_programs_that_hold_numbers_of_the_one_before(make_nets, normal_rows):
    detector, how = with_normalization(make_nets, 0)
    detector.fit(normal_rows, **how)
    before = detector.score(normal_rows)
    detector.net.encoder.layers[0].adapt(5.0 + 2.0 * normal_rows)
    np.testing.assert_array_equal(detector.score(normal_rows), before)
    detector.fit(normal_rows, **how)
    scores = detector.score(normal_rows)
    assert not np.allclose(scores, before)
    graph = detector.scoring_graph
    np.testing.assert_allclose(graph(normal_rows), scores, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("make", [brought, with_normalization], ids=["shared", "own"])
def test_programs_keep_no_net_alive(make, make_nets, normal_rows):
    detector = fit(make, make_nets, normal_rows, 0)
    detector.score(normal_rows)
    detector.explain(normal_rows[:3])
    detector.update(normal_rows)
    left = weakref.ref(detector.net), weakref.ref(detector)
    del detector
    gc.collect()
    assert [reference() for reference in left] == [None, None]
