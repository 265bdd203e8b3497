"""Arrays come out of their arguments as they went in."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from aegmm_detect.programs.packing import Layout, Leaf
from aegmm_detect.programs.pure import NetProgram, PureFunction

DTYPES = ("float32", "float64", "int32")
# From this on, an array travels alone.
LARGE = 2**16
SMALL_SHAPES = st.lists(st.integers(0, 5), max_size=4).map(tuple)
LARGE_SHAPES = st.sampled_from([(LARGE - 1,), (LARGE,), (2, LARGE), (256, 1, 256), (0, LARGE)])
LEAVES = st.builds(Leaf, st.sampled_from(DTYPES), SMALL_SHAPES | LARGE_SHAPES)


def any_bits(leaf, rng):
    """An array of any numbers at all, NaN and infinity among them."""
    content = rng.bytes(leaf.size * np.dtype(leaf.dtype).itemsize)
    return np.frombuffer(content, leaf.dtype).reshape(leaf.shape)


def leaf_of(array):
    return Leaf(array.dtype.name, array.shape)


@given(st.lists(LEAVES, max_size=6), st.integers(0, 2**32 - 1))
def test_what_is_unpacked_is_what_was_packed_to_the_bit(leaves, seed):
    rng = np.random.default_rng(seed)
    values = [any_bits(leaf, rng) for leaf in leaves]
    layout = Layout(leaves)
    arguments = layout.pack(values)
    for argument, spec in zip(arguments, layout.specs, strict=True):
        assert spec.is_compatible_with(argument)
    found = [np.asarray(value) for value in layout.unpack(arguments)]
    assert [leaf_of(array) for array in found] == leaves
    assert [array.tobytes() for array in found] == [array.tobytes() for array in values]


@given(st.lists(LEAVES, max_size=40))
def test_there_is_one_argument_for_each_dtype_and_one_for_each_large_array(leaves):
    small = {leaf.dtype for leaf in leaves if leaf.size < LARGE}
    large = [leaf for leaf in leaves if leaf.size >= LARGE]
    specs = Layout(leaves).specs
    assert len(specs) == len(small) + len(large)
    total = sum(math.prod(spec.shape) for spec in specs)
    assert total == sum(leaf.size for leaf in leaves)


@settings(max_examples=10)  # each is traced
@given(st.lists(LEAVES, min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_a_program_of_the_arguments_sees_the_values(leaves, seed):
    rng = np.random.default_rng(seed)
    values = [any_bits(leaf, rng) for leaf in leaves]
    layout = Layout(leaves)
    program = tf.function(lambda *arguments: layout.unpack(arguments), autograph=False)
    found = program.get_concrete_function(*layout.specs)(*layout.pack(values))
    assert [np.asarray(array).tobytes() for array in found] == [v.tobytes() for v in values]


@pytest.mark.parametrize("size", [5, LARGE])
def test_arguments_stay_what_they_were_when_an_array_changes(size):
    values = np.zeros(size, "float32")
    layout = Layout([leaf_of(values)])
    arguments = layout.pack([values])
    values += 1.0
    (found,) = layout.unpack(arguments)
    assert not np.asarray(found).any()


@pytest.mark.parametrize("units", [3, LARGE // 4])
def test_a_program_stays_what_it_was_when_weights_change(units):
    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units)])
    rows = np.ones((2, 4), "float32")
    program = NetProgram(net, PureFunction(lambda net, _, x: net(x), "weights change"))
    before = np.array(net(rows))
    assert before.any()
    for variable in net.variables:
        variable.value.assign_add(tf.ones_like(variable.value))
    np.testing.assert_allclose(program(rows), before, rtol=1e-5, atol=1e-6)
