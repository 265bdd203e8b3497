"""Plain values: what goes into a checkpoint comes out again."""

import json

import ml_dtypes  # comes with TensorFlow
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aegmm_detect.training import checkpoint_file
from aegmm_detect.training.plain import digest, pack, unpack

DTYPES = st.one_of(
    hnp.boolean_dtypes(), hnp.integer_dtypes(), hnp.floating_dtypes(), hnp.unicode_string_dtypes()
)
ARRAYS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, min_side=0, max_side=3))
KEYS = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False)
ATOMS = KEYS | st.floats()
PLAIN = st.recursive(
    ATOMS | ARRAYS | ARRAYS.filter(lambda a: a.size).map(lambda a: a.flat[0]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.sets(KEYS, max_size=3)
        | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=8,
)
bounded = settings(max_examples=200)


def assert_same(got, want):
    assert type(got) is type(want)
    if isinstance(want, np.ndarray | np.generic):
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)
    elif isinstance(want, dict):
        assert list(got) == list(want)
        for key, value in want.items():
            assert_same(got[key], value)
    elif isinstance(want, list | tuple):
        assert len(got) == len(want)
        for one, other in zip(got, want, strict=True):
            assert_same(one, other)
    else:
        # The same digits, and NaN like NaN.
        assert got == want or repr(got) == repr(want)


@given(PLAIN)
@bounded
def test_packing_through_json_is_undone_exactly(value):
    arrays = {}
    tree = json.loads(json.dumps(pack(value, arrays)))
    again = unpack(tree, arrays)
    assert_same(again, value)
    assert digest(again) == digest(value)


def test_a_digest_tells_values_apart():
    zeros = np.zeros((2, 3))
    changed = zeros.copy()
    changed[1, 2] = 1e-300
    arrays = [zeros, zeros.astype("f4"), zeros.T, zeros.ravel(), changed, zeros.tolist()]
    ones = [1, 1.0, True, "1", np.int8(1), np.array(1), [1], (1,), {1}, {1: 1}, {"1": 1}, [[1]]]
    values = [*arrays, *ones, None, [], (), set(), {}, "", 0, 0.0, -0.0, float("nan")]
    assert len({digest(value) for value in values}) == len(values)


def test_a_packed_array_does_not_follow_its_owner():
    arrays, owner = {}, np.zeros(3)
    tree = pack([owner], arrays)
    owner += 1
    np.testing.assert_array_equal(unpack(tree, arrays)[0], np.zeros(3))


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn"])
def test_numbers_of_few_bits_stay_what_they_are(name):
    for shape in [(), (2, 3)]:
        value = np.full(shape, 1.5).astype(getattr(ml_dtypes, name))
        arrays = {}
        tree = json.loads(json.dumps(pack([value], arrays)))
        assert all(array.dtype.kind == "u" for array in arrays.values())
        assert_same(unpack(tree, arrays), [value])
        assert digest(value) != digest(value.view(f"u{value.dtype.itemsize}"))


@pytest.mark.parametrize(
    "value",
    [
        object(),
        len,
        np.array([None]),
        np.ma.masked_array([1.0], [True]),
        np.datetime64("2020-01-01"),
        {"deep": [(frozenset(),)]},
        type("Text", (str,), {})("a"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_all_else_is_not_plain(value):
    assert digest(value) is None
    with pytest.raises(TypeError, match="is not plain"):
        pack(value, {})


def test_what_contains_itself_or_is_too_deep_is_not_plain():
    circle, deep = [], 0
    circle.append(circle)
    for _ in range(25):
        deep = [deep]
    for value in (circle, deep, 1 << 5000):
        assert digest(value) is None


def test_the_deepest_that_is_plain_is_read_within_a_checkpoint(tmp_path):
    deep = 1
    for _ in range(20):
        deep = {"a": deep}
    assert digest(deep) is not None
    checkpoint_file.write(tmp_path / "fit.npz", {"callbacks": [{"state": deep}]})
    assert checkpoint_file.read(tmp_path / "fit.npz") == {"callbacks": [{"state": deep}]}
