"""What tells one fit from another, and what must not."""

import keras
import numpy as np
import pytest

from aegmm_detect.configs.nets import NetSizes
from aegmm_detect.nets.aegmm import AEGMM
from aegmm_detect.nets.blueprint import Blueprint
from aegmm_detect.numerics.features import concat, log_euclidean, negative_cosine
from aegmm_detect.training.data import ArrayRows, StreamRows
from aegmm_detect.training.fingerprint import differences, fingerprint
from aegmm_detect.training.prepare import TrainingRows

ROWS = np.arange(60, dtype=np.float32).reshape(10, 6)


def of(net=None, optimizer=None, rows=None, callbacks=(), **settings):
    """Fingerprint of a fit, a small one where nothing else is said."""
    net = net or build()
    optimizer = optimizer or keras.optimizers.Adam(1e-3)
    rows = rows or TrainingRows(ArrayRows(ROWS), None, None, (6,))
    return fingerprint(settings, net, optimizer, rows, callbacks)


def build(activation="tanh", seed=0, features=negative_cosine, members=None, **changes):
    sizes = NetSizes.of(n_features=6, comp_hiddens=(4, 1), est_hiddens=(4, 2))
    sizes = sizes.replace(comp_activation=activation, **changes)
    return Blueprint(sizes, features, members).build(seed)


def names(one, other):
    return [name for name, _, _ in differences(one, other)]


def changed(rows):
    other = rows.copy()
    other[-1, -1] += 1.0
    return other


def test_the_same_call_in_another_process_has_the_same():
    """Keras counts names up, seeds are drawn, functions are elsewhere in memory."""

    def made(seed):
        layers = keras.layers
        net = AEGMM(
            keras.Sequential([keras.Input((6,)), layers.Dense(4, lambda x: x), layers.Dense(1)]),
            keras.Sequential([keras.Input((1,)), layers.Dense(6)]),
            keras.Sequential([keras.Input((3,)), layers.Dropout(0.1, seed=seed), layers.Dense(2)]),
            recon_features=concat(lambda x, y: x[:, :2]),
        )
        schedule = keras.optimizers.schedules.CosineDecay(1e-3, 100)
        callbacks = [keras.callbacks.EarlyStopping("loss", patience=3)]
        optimizer = keras.optimizers.Adam(schedule)
        return of(net, optimizer, callbacks=callbacks, loss_fn=lambda *_: seed)

    assert names(made(1), made(2)) == []


def test_weights_do_not_count():
    net = build(members=2)
    first = of(net)
    net.set_weights([weight + 1 for weight in net.get_weights()])
    assert names(first, of(net)) == []
    assert names(first, of(build(seed=1, members=2))) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"net": lambda: build("relu")}, {"nets.layers"}),
        ({"net": lambda: build(comp_hiddens=(5, 1))}, {"nets.layers", "nets.weights"}),
        ({"net": lambda: build(est_dropout_ratio=0.1)}, {"nets.layers"}),
        ({"net": lambda: build(members=2)}, {"nets.layers", "nets.weights"}),
        ({"net": lambda: build(features=log_euclidean)}, {"nets.recon_features"}),
        ({"optimizer": lambda: keras.optimizers.Adam(2e-3)}, {"optimizer.learning_rate"}),
        ({"optimizer": lambda: keras.optimizers.Adam(beta_1=0.8)}, {"optimizer.beta_1"}),
        ({"callbacks": lambda: [keras.callbacks.TerminateOnNaN()]}, {"callbacks"}),
        ({"rows": lambda: rows_of(changed(ROWS))}, {"rows.values"}),
        ({"rows": lambda: rows_of(ROWS[::-1])}, {"rows.values"}),
        ({"rows": lambda: rows_of(ROWS[:9])}, {"rows.number", "rows.values"}),
        ({"rows": lambda: rows_of(ROWS, ROWS)}, {"rows.validation"}),
        ({"w_energy": lambda: 0.2}, {"settings.w_energy"}),
        ({"loss_fn": lambda: names}, {"settings.loss_fn"}),
    ],
)
def test_what_differs_is_named(change, found):
    optimizer = keras.optimizers.Adam(1e-3)
    usual = {"optimizer": optimizer, "w_energy": 0.1, "loss_fn": None}
    other = {**usual, **{name: make() for name, make in change.items()}}
    assert set(names(of(**usual), of(**other))) == found


def rows_of(array, validation=None):
    held_out = None if validation is None else ArrayRows(validation)
    return TrainingRows(ArrayRows(np.array(array)), held_out, None, (6,))


def test_a_stream_has_the_rows_that_it_gives_whatever_its_batches():
    def stream(parts):
        return TrainingRows(StreamRows(lambda: iter(parts), 10, (6,)), None, None, (6,))

    for parts in (np.array_split(ROWS, 3), [ROWS]):
        assert names(of(), of(rows=stream(parts))) == []
    assert names(of(), of(rows=stream([changed(ROWS)]))) == ["rows.values"]


def test_versions_count(monkeypatch):
    now = of()
    monkeypatch.setattr("aegmm_detect.training.fingerprint.__version__", "0.0.0")
    assert names(of(), now) == ["version.aegmm_detect"]
    assert set(now["version"]) == {"aegmm_detect", "keras", "tensorflow"}
