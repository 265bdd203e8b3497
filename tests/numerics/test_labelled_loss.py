"""What labelled anomalies do to a loss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from aegmm_detect.numerics.families import GAUSSIAN
from aegmm_detect.numerics.labelled_loss import ANOMALY_LOSSES, anomaly_term
from aegmm_detect.numerics.objective import ForwardPass, aegmm_terms, evaluate

RNG = np.random.default_rng(0)
kinds = pytest.mark.parametrize("kind", sorted(ANOMALY_LOSSES))


def forward(n=60):
    x = RNG.normal(size=(n, 4))
    gamma = RNG.dirichlet(np.ones(2), size=n)
    return ForwardPass(x, 0.9 * x, RNG.normal(size=(n, 3)), gamma)


def terms(kind="hinge", weight=0.1):
    return (*aegmm_terms(), anomaly_term(GAUSSIAN, kind, weight, 5.0))


@kinds
@given(low=st.floats(-50.0, 50.0), step=st.floats(0.01, 50.0))
def test_a_stranger_anomaly_costs_no_more_and_the_cost_is_finite(kind, low, step):
    loss = ANOMALY_LOSSES[kind]
    here, there = (float(loss(ops.convert_to_tensor(v, "float64"), 5.0)) for v in (low, low + step))
    assert 0.0 <= there <= here < np.inf


@kinds
def test_without_anomalies_the_loss_is_the_plain_one(kind):
    out = forward()
    want = float(evaluate(aegmm_terms(), out)["loss"])
    for y in (None, np.zeros(60, dtype="int32"), np.full(60, -1, dtype="int32")):
        values = evaluate(terms(kind), out._replace(y=y))
        assert float(values["anomaly"]) == 0.0
        assert float(values["loss"]) == pytest.approx(want, rel=1e-9)


@kinds
def test_mixture_and_means_are_of_the_other_rows(kind):
    out = forward()
    y = np.repeat([0, -1, 1], 20).astype("int32")
    usual = ForwardPass(*(part[:40] for part in out[:4]))
    got, want = evaluate(terms(kind), out._replace(y=y)), evaluate(aegmm_terms(), usual)
    for name in ("recon", "energy", "cov_diag"):
        assert float(got[name]) == pytest.approx(float(want[name]), rel=1e-6), name
    assert float(got["anomaly"]) > 0.0


def test_an_energy_of_zero_is_no_pole():
    loss = ANOMALY_LOSSES["inverse_energy"]
    near = [float(loss(ops.convert_to_tensor(v, "float64"), 5.0)) for v in (-1e-9, 0.0, 1e-9)]
    np.testing.assert_allclose(near, near[1], rtol=1e-6)
