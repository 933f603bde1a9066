"""Losses of classes -1 and 1: perceptron and hinges."""

from __future__ import annotations

from typing import Any

from trasluz.autodiff import ops
from trasluz.autodiff.tape import composite
from trasluz.losses.base import Loss, pair


def signed(y_true: Any) -> Any:
    """Turn labels 0 and 1 into −1 and 1; other labels stay as they are.

    >>> import numpy as np
    >>> signed(np.array([0.0, 1.0])), signed(np.array([-1.0, 1.0]))
    (array([-1.,  1.]), array([-1.,  1.]))
    """
    odd = ops.sum(ops.absolute(y_true * (y_true - 1)))  # 0 if all labels are 0 or 1
    return ops.where(odd == 0, 2 * y_true - 1, y_true)


@composite
def perceptron(y_true: Any, y_pred: Any) -> Any:
    """Average how far on the wrong side: `mean(max(−y·ŷ, 0))`, labels ±1 or 0/1.

    >>> perceptron([[1.0, -1.0]], [[-3.0, -2.0]])
    array([1.5], dtype=float32)
    """
    y_true, y_pred = pair(y_true, y_pred)
    return ops.mean(ops.maximum(-signed(y_true) * y_pred, 0), axis=-1)


class PerceptronLoss(Loss):
    """The perceptron's loss: `mean(max(−y·ŷ, 0))`.

    Source: Rosenblatt, The perceptron (1958).

    >>> float(PerceptronLoss()([[1.0, -1.0]], [[-3.0, -2.0]]))
    1.5
    """

    reduction: str | None = "sum_over_batch_size"
    name: str = "perceptron"

    function = perceptron


@composite
def hinge(y_true: Any, y_pred: Any) -> Any:
    """Average how far a margin of one is missed: `mean(max(1 − y·ŷ, 0))`, labels ±1 or 0/1.

    >>> hinge([[1.0, -1.0]], [[0.5, -2.0]])
    array([0.25], dtype=float32)
    """
    y_true, y_pred = pair(y_true, y_pred)
    return ops.mean(ops.maximum(1 - signed(y_true) * y_pred, 0), axis=-1)


class Hinge(Loss):
    """Hinge loss: `mean(max(1 − y·ŷ, 0))`.

    >>> float(Hinge()([[1.0, -1.0]], [[0.5, -2.0]]))
    0.25
    """

    function = hinge


@composite
def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """Average the squares of `hinge`: `mean(max(1 − y·ŷ, 0)²)`, labels ±1 or 0/1.

    >>> squared_hinge([[1.0, -1.0]], [[0.5, -2.0]])
    array([0.125], dtype=float32)
    """
    y_true, y_pred = pair(y_true, y_pred)
    return ops.mean(ops.square(ops.maximum(1 - signed(y_true) * y_pred, 0)), axis=-1)


class SquaredHinge(Loss):
    """Squared hinge loss: `mean(max(1 − y·ŷ, 0)²)`.

    >>> float(SquaredHinge()([[1.0, -1.0]], [[0.5, -2.0]]))
    0.125
    """

    function = squared_hinge


@composite
def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """Hold the right class against the best wrong one: `max(max((1 − y)·ŷ) − Σ y·ŷ + 1, 0)`.

    >>> categorical_hinge([[0.0, 1.0]], [[0.5, 0.75]])
    array([0.75], dtype=float32)
    """
    y_true, y_pred = pair(y_true, y_pred)
    right = ops.sum(y_true * y_pred, axis=-1)
    wrong = ops.max((1 - y_true) * y_pred, axis=-1)
    return ops.maximum(wrong - right + 1, 0)


class CategoricalHinge(Loss):
    """Categorical hinge loss: `max(max((1 − y)·ŷ) − Σ y·ŷ + 1, 0)`.

    >>> float(CategoricalHinge()([[0.0, 1.0]], [[0.5, 0.75]]))
    0.75
    """

    function = categorical_hinge
