"""Small helps around training."""

from __future__ import annotations

import random as python_random
from typing import Any

import numpy as np

from trasluz import random
from trasluz.errors import UserError


def set_random_seed(seed: int) -> None:
    """Make a program reproducible: seeds Python's, NumPy's and Trasluz's random numbers.

    Args:
        seed: a whole number from 0 to 2³² − 1.
    """
    python_random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (for programs that draw from NumPy's global generator)
    random.set_seed(seed)


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """Turn class numbers into rows with a one at the class's place.

    Args:
        x: whole numbers from 0, of any shape; a last axis of length one is dropped.
        num_classes: how many classes; the greatest number plus one if not given.

    Returns:
        An array of the same shape and one axis more.

    Raises:
        UserError: if a number is negative or too great.

    >>> to_categorical([2, 0])
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    x = np.asarray(x, np.int64)
    if x.ndim > 1 and x.shape[-1] == 1:
        x = x[..., 0]
    n = num_classes or (int(x.max()) + 1 if x.size else 0)
    if x.size and (x.min() < 0 or x.max() >= n):
        wrong = x.min() if x.min() < 0 else x.max()
        raise UserError(
            f"{wrong} is not a class number from 0 to {n - 1}",
            "to_categorical",
            "number the classes from 0, or give a greater num_classes",
        )
    return np.eye(n)[x]


def normalize(x: Any, axis: int = -1, order: int = 2) -> np.ndarray:
    """Divide by the length along an axis: `x / ‖x‖`; what has length zero stays.

    Args:
        x: an array.
        axis: along which axis.
        order: which norm: 2 for the Euclidean length, 1 for the sum of absolute values.

    >>> normalize([[3.0, 4.0]])
    array([[0.6, 0.8]])
    """
    x = np.asarray(x)
    length = np.linalg.norm(x, order, axis, keepdims=True)
    return x / np.where(length == 0, 1, length)
