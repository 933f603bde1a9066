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
