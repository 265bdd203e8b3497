import numpy as np
import pytest

from aegmm_detect.numerics.density import Scale
from aegmm_detect.numerics.spread import divisor, is_constant, rounding
from aegmm_detect.training.scaling import normalizer_fit

KINDS = pytest.mark.parametrize("kind", ["standard", "minmax", "robust"])
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def summed_in_any_order(n_rows, dtype, seed, value=14.62, n_parts=12):
    """`value` as a sum whose parts come in another order in each row."""
    rng = np.random.default_rng(seed)
    parts = rng.uniform(0.5, 2.0, n_parts)
    parts = (parts * value / parts.sum()).astype(dtype)
    total = np.zeros(n_rows, dtype=dtype)
    for column in rng.permuted(np.tile(parts, (n_rows, 1)), axis=1).T:
        total += column
    return total


@KINDS
@DTYPES
@pytest.mark.parametrize("value", [14.62, -14.62, 1e-3, 3e11])
def test_a_column_that_differs_by_rounding_is_constant_in_every_scaling(kind, dtype, value):
    X = np.random.default_rng(0).normal(size=(400, 2)).astype(dtype)
    X[:, 1] = summed_in_any_order(400, dtype, 1, value)
    assert len(np.unique(X[:, 1])) > 1
    fit = normalizer_fit(kind)
    fit.update(X[:150])
    fit.update(X[150:])
    normalizer = fit.finish((2,))
    # Rows whose sums come out differently, by another multiple of the same rounding.
    new = X.copy()
    new[:, 1] = np.nextafter(X[:, 1], np.inf).astype(dtype)
    # The spread of what varies is 1 or so.
    assert np.abs(normalizer.transform(new)[:, 1]).max() < 0.5
    # And it is one scale, not one for each number of rows.
    assert normalizer.scale[1] >= 1.0


@KINDS
def test_whole_numbers_are_exact_and_small_steps_of_large_numbers_are_kept(kind):
    X = 1_600_000_000 + np.arange(200)[:, None]
    fit = normalizer_fit(kind)
    fit.update(X)
    assert np.ptp(fit.finish((1,)).transform(X)) >= 1.0


@DTYPES
def test_robust_spreads_of_scores_that_differ_by_float32_rounding_are_none(dtype):
    scores = 20.0 + 2e-6 * np.random.default_rng(0).integers(-2, 3, (2, 500))
    scores[1] += np.linspace(0.0, 1.0, 500)
    constant, varying = Scale.robust(scores.astype(dtype)).spread
    assert constant == 1.0
    np.testing.assert_allclose(varying, 0.5, rtol=0.01)


def test_the_bound_goes_with_size_and_precision():
    size = np.array([1e-6, 1.0, 1e6])
    for dtype in ("float16", "float32", "float64"):
        relative = rounding(dtype)
        assert np.finfo(dtype).eps < relative < np.sqrt(np.finfo(dtype).eps)
        assert is_constant(0.9 * relative * size, size, relative).all()
        assert not is_constant(1.1 * relative * size, size, relative).any()
        spread = 1.1 * relative * size
        np.testing.assert_array_equal(divisor(spread, -size, relative), spread)
    assert rounding("int32") == rounding("float64") == rounding(bool)
    assert is_constant(np.zeros(2), np.zeros(2), rounding("float32")).all()
