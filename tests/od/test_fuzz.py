"""Whatever comes in: an answer for every row, or one of the documented errors."""

import copy

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from aegmm_detect.exceptions import AEGMMError
from aegmm_detect.od import OutlierAEGMM

COLUMNS = tuple("abcdef")
many = settings(max_examples=60)

DTYPES = st.one_of(
    npst.boolean_dtypes(),
    npst.integer_dtypes(),
    npst.unsigned_integer_dtypes(),
    npst.floating_dtypes(),
    npst.complex_number_dtypes(),
    npst.datetime64_dtypes(),
    npst.unicode_string_dtypes(max_len=3),
    st.just(np.dtype(object)),
)
# Right widths more often than chance would have it.
SHAPES = st.one_of(
    st.tuples(st.integers(0, 4), st.just(6)), npst.array_shapes(min_dims=0, max_dims=3, min_side=0)
)


@st.composite
def arrays(draw):
    dtype, shape = draw(DTYPES), draw(SHAPES)
    if dtype.hasobject:
        things = st.one_of(st.none(), st.integers(), st.text(max_size=2), st.floats())
        return draw(npst.arrays(dtype, shape, elements=things))
    return draw(npst.arrays(dtype, shape))


@st.composite
def frames(draw):
    columns = draw(st.permutations([*COLUMNS, "g"]))[: draw(st.integers(0, 7))]
    if draw(st.booleans()):
        columns = list(COLUMNS)
    n = draw(st.integers(0, 4))
    kinds = st.one_of(st.floats(width=32), st.integers(-9, 9), st.text(max_size=1), st.booleans())
    elements = draw(st.sampled_from([st.floats(width=32), kinds]))
    return pd.DataFrame({name: [draw(elements) for _ in range(n)] for name in columns})


ANYTHING = st.one_of(
    arrays(),
    arrays().map(lambda array: array.tolist()),
    frames(),
    st.none(),
    st.text(max_size=3),
    st.integers(),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
    st.lists(st.lists(st.floats(width=32), max_size=7), max_size=3),
)


@pytest.fixture(scope="module", params=["raise", "flag"])
def detector(request, make_nets, normal_rows):
    detector = OutlierAEGMM(0.0, **make_nets(), nan_policy=request.param)
    frame = pd.DataFrame(normal_rows, columns=list(COLUMNS))
    detector.fit(frame, epochs=0)
    detector.calibrate(frame, check_trained=False)
    return detector


def error_of(act, X):
    """The documented error that `act` raises, or None; any other error comes through."""
    try:
        act(X)
    except AEGMMError as error:
        return error
    return None


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy, for what no one asked to cast
@given(X=ANYTHING)
@many
def test_every_row_has_an_answer_or_the_error_is_ours(detector, X):
    found = []

    def predict(X):
        found.append(detector.predict(X, return_feature_score=True, return_p_value=True)["data"])

    error = error_of(predict, X)
    if error is not None:
        assert isinstance(error, ValueError)
        assert str(error)
        return
    (data,) = found
    n = len(data["instance_score"])
    assert n == len(X)
    assert data["feature_score"].shape == (n, 6)
    finite = np.isfinite(data["instance_score"])
    assert (data["is_outlier"][~finite] == 1).all()
    assert ((data["p_value"] > 0) & (data["p_value"] <= 1)).all()
    if detector.config.nan_policy == "raise":
        assert finite.all()


@pytest.fixture(scope="module")
def copies(detector):
    """A copy that has refused all rows so far; made anew after rows that it could use."""
    return [copy.copy(detector)]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(X=ANYTHING)
@settings(max_examples=25)
def test_refused_rows_leave_the_detector_as_it_was(detector, copies, X):
    before = detector.score(np.ones((2, 6)))
    (other,) = copies

    def fit(X):
        other.fit(X, epochs=1, verbose=0)

    for act in (other.infer_threshold, other.calibrate, other.update, fit):
        error = error_of(act, X)
        if error is None:
            copies[:] = [copy.copy(detector)]
            return  # usable rows, which change what comes after
        assert isinstance(error, ValueError)
        np.testing.assert_array_equal(other.score(np.ones((2, 6))), before)
