"""Small helps, against Keras."""

from __future__ import annotations

import random as python_random

import numpy as np
import pytest

from trasluz import random, utils
from trasluz.errors import UserError


@pytest.mark.interop
@pytest.mark.parametrize(
    ("x", "n"),
    [
        ([0, 2, 1], None),
        ([[0], [1]], 4),
        ([[0, 1], [2, 0]], None),
        ([1.0, 0.0], 2),
        (2, 3),
        ([], 2),
    ],
)
def test_to_categorical_is_that_of_keras(x, n):
    keras = pytest.importorskip("keras")
    ours, theirs = utils.to_categorical(x, n), keras.utils.to_categorical(x, n)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    assert (ours == theirs).all()


def test_to_categorical_says_what_is_no_class():
    with pytest.raises(UserError, match="-1 is not a class number from 0 to 1"):
        utils.to_categorical([1, -1])
    with pytest.raises(UserError, match="5 is not a class number from 0 to 2"):
        utils.to_categorical([0, 5], 3)


@pytest.mark.interop
@pytest.mark.parametrize("axis", [-1, 1, 2])
@pytest.mark.parametrize("order", [1, 2])
def test_normalize_is_that_of_keras(axis, order):
    keras = pytest.importorskip("keras")
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    x[0, 0] = 0
    np.testing.assert_allclose(
        utils.normalize(x, axis, order), keras.utils.normalize(x, axis, order), rtol=1e-12
    )


def test_one_seed_for_everything():
    def draw():
        utils.set_random_seed(5)
        legacy = np.random.rand()  # noqa: NPY002 (the global generator is what is tested)
        return python_random.random(), legacy, random.uniform(random.next_key(), (2,)).tolist()

    assert draw() == draw()


SEQUENCES = [[4, 7, 2], [5], [], [1, 2, 3, 4, 5]]


@pytest.mark.interop
@pytest.mark.parametrize(
    ("sequences", "how"),
    [
        (SEQUENCES, {}),
        (SEQUENCES, {"padding": "post"}),
        (SEQUENCES, {"maxlen": 2}),
        (SEQUENCES, {"maxlen": 4, "padding": "post", "truncating": "post", "value": -1}),
        ([np.ones((2, 3)), np.zeros((4, 3))], {"dtype": "float32", "value": 0.5}),
        ([np.array([1.5, 2.5]), []], {"dtype": "float64", "maxlen": 3}),
    ],
)
def test_pad_sequences_is_that_of_keras(sequences, how):
    keras = pytest.importorskip("keras")
    ours = utils.pad_sequences(sequences, **how)
    theirs = keras.utils.pad_sequences(sequences, **how)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    assert (ours == theirs).all()


@pytest.mark.parametrize(
    ("sequences", "how", "said"),
    [
        (["una red"], {}, "not every sequence holds numbers"),
        ([1, 2], {}, "they do not go together"),
        ([np.ones((2, 3)), np.ones((2, 4))], {}, r"\(2, 3\), \(2, 4\).*differ in length alone"),
        ([[1]], {"padding": "behind"}, "padding is 'behind'.*'pre' or 'post'"),
        ([[1]], {"maxlen": 0}, "maxlen is 0"),
        (7, {}, "give a list of lists"),
    ],
)
def test_pad_sequences_says_what_is_no_sequence(sequences, how, said):
    with pytest.raises(UserError, match=said):
        utils.pad_sequences(sequences, **how)
