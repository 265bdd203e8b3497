"""The benchmarks run, and their contenders compute what the package computes."""

import importlib
import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from aegmm_detect.numerics.features import eucl_cosim_features
from aegmm_detect.numerics.objective import ForwardPass, aegmm_terms, evaluate
from aegmm_detect.od import OutlierAEGMM

ROOT = Path(__file__).parents[1]


@pytest.fixture
def module(monkeypatch):
    """Import a module of `benchmarks`, which is not installed with the package."""
    monkeypatch.syspath_prepend(ROOT)
    return lambda name: importlib.import_module(f"benchmarks.{name}")


def test_the_eager_loop_minimises_the_packages_loss(module):
    eager, rng = module("eager"), np.random.default_rng(0)
    x, x_recon = rng.normal(size=(2, 50, 6)).astype("float32")
    code = rng.normal(size=(50, 1)).astype("float32")
    gamma = rng.dirichlet(np.ones(2), size=50).astype("float32")
    features = eager.recon_features(x, x_recon)
    np.testing.assert_allclose(features, eucl_cosim_features(x, x_recon), rtol=1e-5)
    out = ForwardPass(x, x_recon, keras.ops.concatenate([code, features], axis=1), gamma)
    want = evaluate(aegmm_terms(), out)["loss"]
    np.testing.assert_allclose(eager.loss(*out[:4]), want, rtol=1e-4)


def test_the_matrix_products_are_those_of_the_nets(module):
    subject, n_features, batch = module("subject"), 18, 64
    products = module("matmuls").BareProducts(n_features, batch)._products
    done = sum(left.shape[0] * left.shape[1] * right.shape[1] for left, right, _ in products)
    nets = subject.build_nets(n_features).values()
    kernels = [w.size for net in nets for w in net.get_weights() if w.ndim == 2]
    assert done == batch * (3 * sum(kernels) - kernels[0])


def test_one_command_measures_and_another_makes_tables(module, monkeypatch, tmp_path, capsys):
    speed, protocol, table = module("speed"), module("protocol"), module("table")
    tiny = protocol.Sizes(
        rounds=2,
        features=(6,),
        epoch_rows=((64, 2000),),
        jit_compile=False,
        eager_steps=2,
        matmul_rows=128,
        score_rows=500,
        latency_calls=11,
        memory_rows=(1000,),
        eager_memory_rows=(1000,),
        fresh_processes=2,
    )
    monkeypatch.setattr(speed, "QUICK", tiny)
    # One width, and the rows of the other fit: each other shape compiles for seconds.
    for name in ("memory", "reuse"):
        monkeypatch.setattr(module(name), "N_FEATURES", 6)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    # Fresh processes would take minutes.
    monkeypatch.setattr(module("startup"), "in_fresh_process", lambda *_: 0.5)
    monkeypatch.setattr(module("first_fit"), "in_fresh_process", lambda *_: 2.0)
    memory = {"data_bytes": 72_000, "before": 10**8, "peak": 10**8 + 4_000_000}
    monkeypatch.setattr(module("memory"), "in_fresh_process", lambda *_: memory)
    grown = {"before": 10**8, "after": 10**8 + 10**6}
    monkeypatch.setattr(module("reuse"), "in_fresh_process", lambda *_: grown)
    out = tmp_path / "results" / "speed.json"

    speed.main(["--quick", "--out", str(out)])
    table.main([str(out)])

    found = json.loads(out.read_text())["benchmarks"]
    assert set(found) == set(speed.NAMES)
    train, score = found["train"]["cases"][0], found["score"]["cases"][0]
    for case in (train, score):
        assert all(len(t["seconds"]) == tiny.rounds for t in case["turns"].values())
        assert min(case["rows_per_second"].values()) > 0
    assert train["turns"][protocol.OURS]["count"] == 32
    assert train["first_epoch_seconds"] > 0
    assert score["largest_difference_of_scores"] < 1e-3
    eager_calls = found["latency"]["cases"][0]["turns"]["eager pass"]["seconds"]
    assert len(eager_calls) == 2
    text = capsys.readouterr().out
    for title, *_ in table.SECTIONS.values():
        assert f"\n{title}\n~~~" in text


def test_the_light_scorer_is_measured_beside_the_compiled_one(
    module, monkeypatch, tmp_path, capsys
):
    for name in ("tf2onnx", "onnxruntime", "ai_edge_litert"):
        pytest.importorskip(name, reason="the benchmark exports to ONNX and LiteRT")
    export, protocol = module("export"), module("protocol")
    tiny = protocol.Sizes(
        rounds=2, features=(6,), score_rows=500, latency_calls=3, fresh_processes=1
    )
    monkeypatch.setattr(export, "QUICK", tiny)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    monkeypatch.setattr(export, "in_fresh_process", lambda *_: [1.0, 10**8])
    # Four nets and their mixtures take a while to convert.
    monkeypatch.setattr(export, "fitted_auto", module("subject").fitted_detector)
    out = tmp_path / "export.json"
    export.main(["--quick", "--out", str(out)])
    found = json.loads(out.read_text())
    for case in found["cases"]:
        assert max(case["largest_relative_difference"].values()) < 1e-3
        for name in export.FORMATS:
            turns = case["turns"]["many rows"]
            assert len(turns[name]["seconds"]) == tiny.rounds
            slow, fast = (np.median(turns[n]["seconds"]) for n in (protocol.OURS, name))
            assert case["rate_to_compiled"][name]["value"] == pytest.approx(slow / fast, rel=1e-2)
    assert "times the compiled scorer" in capsys.readouterr().out


def test_a_ratio_compares_equal_amounts_of_work(module):
    protocol = module("protocol")
    slow, fast = protocol.Turns(10, [1.0, 2.0, 3.0]), protocol.Turns(100, [1.0, 1.0, 1.0])
    assert protocol.ratio(slow, fast) == pytest.approx(
        {"value": 20.0, "lowest": 10.0, "highest": 30.0}
    )


def test_a_failing_process_says_why(module):
    with pytest.raises(RuntimeError, match="no such luck"):
        module("protocol").in_fresh_process("raise SystemExit('no such luck')")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_growth_is_that_of_one_pass(module, monkeypatch):
    memory = module("memory")
    block = 64 * 2**20

    def work(rows):
        return np.ones(block if len(rows) > 100 else 1, dtype=np.uint8)

    monkeypatch.setattr(memory, "WARM_UP_ROWS", 100)
    monkeypatch.setitem(memory.TASKS, "block", lambda: work)
    found = memory.growth("block", 1000)
    assert 0.9 * block < found["peak"] - found["before"] < 1.5 * block
    assert found["data_bytes"] == 1000 * memory.N_FEATURES * 4


def test_all_passes_whose_memory_is_measured_run(module, monkeypatch):
    memory, subject = module("memory"), module("subject")
    monkeypatch.setattr(memory, "N_FEATURES", 6)  # the detector is there from another test
    rows = subject.make_rows(100, 6)
    results = {name: make()(rows) for name, make in memory.TASKS.items()}
    np.testing.assert_allclose(
        results["aegmm_detect score"], results["eager pass"], rtol=1e-3, atol=1e-3
    )
    assert results["aegmm_detect estimate"].phi.shape == (2,)


def test_the_recipes_experiments_run_once_and_start_from_the_recipe(
    module, monkeypatch, tmp_path, capsys
):
    recipe, tasks = module("recipe"), module("tasks")
    usual = recipe.detector(6, 0, recipe.TRAININGS[recipe.RECIPE])
    auto = OutlierAEGMM.auto(6, threshold=0.0)
    assert (usual.blueprint.sizes, usual.fit_config) == (auto.blueprint.sizes, auto.fit_config)
    for how in recipe.TRAININGS.values():  # all of them can be made
        recipe.detector(6, 0, how)
    for changes in recipe.DENSITIES.values():
        assert usual.fit_config.density.replace(**changes) != usual.fit_config.density

    # One net: all trainings, those of four among them, have been made above.
    brief = recipe.Training(config={"n_steps": 2}, blueprint={"members": None})
    monkeypatch.setattr(recipe, "TRAININGS", {recipe.RECIPE: brief})
    monkeypatch.setattr(recipe, "DENSITIES", {"itself": {}, "1 component": {"n_components": 1}})
    table = module("recipe_table")
    for name in ("TRAININGS", "DENSITIES"):
        monkeypatch.setattr(table, name, getattr(recipe, name))
    smallest = min(tasks.OFFLINE, key=lambda number: tasks.task(number).train.size)
    out = tmp_path / "recipe.json"
    for _ in range(2):  # the second finds everything done
        recipe.main(["--tasks", str(smallest), "--out", str(out)])
    (run,) = json.loads(out.read_text())["runs"]
    found = run["results"]
    assert found["itself"] == found[recipe.RECIPE]
    assert all(0 <= value <= 1 for result in found.values() for value in result.values())
    table.main([str(out)])
    text = capsys.readouterr().out
    assert all(name in text for name in found)


def test_a_development_task_is_always_the_same_and_shares_no_row(module):
    tasks = module("tasks")
    for number in tasks.OFFLINE:
        first, again = tasks.task(number), tasks.task(number)
        np.testing.assert_array_equal(first.test, again.test)
        assert first.train.shape[1] == first.test.shape[1]
        assert 0 < first.y.mean() < 0.5
        if first.name.startswith("manifold"):  # Thyroid repeats rows
            rows = {row.tobytes() for row in first.train}
            assert not rows & {row.tobytes() for row in first.test}


@pytest.mark.parametrize("how", ["gross", "subtle"])
def test_corrupted_rows_of_the_chiller_are_marked_and_blocks_stay_whole(module, how):
    chiller, rng = module("chiller"), np.random.default_rng(0)
    X, y, blocks = rng.normal(size=(600, 7)), np.repeat([0, 110], 300), np.arange(600) % 300 // 10
    X[:, 0] = blocks  # known again in either part, where it is not corrupted
    clean = {tuple(row) for row in X}
    parts = chiller.split((X, y, blocks), how, seed=3)
    assert sum(len(part.X) for part in parts) == len(X)
    for part in parts:
        np.testing.assert_array_equal(part.outlier, [tuple(row) not in clean for row in part.X])
        # Of 20 % of the rows some get no cell: 1 - exp(-2) of them do.
        assert 0.14 < part.outlier.mean() < 0.2
    whole = [part.outlier == 0 for part in parts]
    seen, new = (
        set(zip(part.y[ok], part.X[ok, 0], strict=True))
        for part, ok in zip(parts, whole, strict=True)
    )
    assert not seen & new
