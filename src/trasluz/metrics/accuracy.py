"""Metrics of how often the right class was given."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from trasluz.autodiff import ops
from trasluz.losses.base import as_float, pair
from trasluz.losses.probabilities import class_numbers
from trasluz.metrics.base import Averaged


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """Give 1 where targets and predictions are equal.

    >>> accuracy([1, 2], [1, 3])
    array([1., 0.], dtype=float32)
    """
    y_true, y_pred = pair(y_true, y_pred)
    return as_float(y_true == y_pred)


class Accuracy(Averaged):
    """How often predictions equal targets.

    >>> float(Accuracy()([1, 2], [1, 3]))
    0.5
    """

    function = accuracy


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """Give 1 where a prediction is on its target's side of the threshold, targets 0 and 1.

    >>> binary_accuracy([[1.0, 0.0]], [[0.8, 0.6]])
    array([[1., 0.]], dtype=float32)
    """
    y_true, y_pred = pair(y_true, y_pred)
    return as_float(y_true == as_float(y_pred > threshold, y_true.dtype))


class BinaryAccuracy(Averaged):
    """How often predictions are on the right side of the threshold.

    >>> float(BinaryAccuracy()([[1.0, 0.0]], [[0.8, 0.6]]))
    0.5
    """

    name: str = "binary_accuracy"
    dtype: str | None = None
    threshold: float = 0.5

    function = binary_accuracy


def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Give 1 where the greatest prediction is the class of the one-hot target.

    >>> categorical_accuracy([[0, 1], [1, 0]], [[0.2, 0.8], [0.3, 0.7]])
    array([1., 0.], dtype=float32)
    """
    y_true, y_pred = pair(y_true, y_pred)
    return as_float(ops.argmax(y_true, axis=-1) == ops.argmax(y_pred, axis=-1))


class CategoricalAccuracy(Averaged):
    """How often the greatest prediction is the class of the one-hot target.

    >>> float(CategoricalAccuracy()([[0, 1], [1, 0]], [[0.2, 0.8], [0.3, 0.7]]))
    0.5
    """

    function = categorical_accuracy


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Give 1 where the greatest prediction is the class that the target numbers.

    >>> sparse_categorical_accuracy([1, 0], [[0.2, 0.8], [0.3, 0.7]])
    array([1., 0.], dtype=float32)
    """
    y_pred = ops.convert_to_tensor(y_pred)
    called = ops.astype(ops.argmax(y_pred, axis=-1), dtype=np.dtype(np.int32))
    return as_float(class_numbers(y_true, y_pred) == called)


class SparseCategoricalAccuracy(Averaged):
    """How often the greatest prediction is the class that the target numbers.

    >>> float(SparseCategoricalAccuracy()([1, 0], [[0.2, 0.8], [0.3, 0.7]]))
    0.5
    """

    function = sparse_categorical_accuracy


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """Give 1 where the class of the one-hot target is among the `k` greatest predictions.

    >>> top_k_categorical_accuracy([[0, 0, 1]], [[0.5, 0.2, 0.3]], k=2)
    array([1.], dtype=float32)
    """
    y_true, y_pred = pair(y_true, y_pred)
    return sparse_top_k_categorical_accuracy(ops.argmax(y_true, axis=-1), y_pred, k)


class TopKCategoricalAccuracy(Averaged):
    """How often the class of the one-hot target is among the `k` greatest predictions.

    >>> float(TopKCategoricalAccuracy(k=1)([[0, 0, 1]], [[0.5, 0.2, 0.3]]))
    0.0
    """

    k: int = 5

    function = top_k_categorical_accuracy


def sparse_top_k_categorical_accuracy(
    y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False
) -> Any:
    """Give 1 where the numbered class is among the `k` greatest predictions, ties included.

    Args:
        y_true: class numbers.
        y_pred: one value a class; with `from_sorted_ids` class numbers, the likeliest first.
        k: how many.
        from_sorted_ids: see above.

    >>> sparse_top_k_categorical_accuracy([2], [[0.5, 0.2, 0.3]], k=2)
    array([1.], dtype=float32)
    """
    y_pred = as_float(y_pred)
    numbers = class_numbers(y_true, y_pred)
    if from_sorted_ids:
        listed = as_float(numbers, y_pred.dtype)
        hits = ops.expand_dims(listed, -1) == y_pred[..., :k]
        return as_float(ops.sum(hits, axis=-1) > 0)
    right = ops.one_hot(numbers, y_pred.shape[-1], dtype=y_pred.dtype) > 0
    value = ops.max(ops.where(right, y_pred, -math.inf), axis=-1, keepdims=True)
    return as_float(ops.sum(y_pred > value, axis=-1) < k)


class SparseTopKCategoricalAccuracy(Averaged):
    """How often the numbered class is among the `k` greatest predictions.

    >>> float(SparseTopKCategoricalAccuracy(k=2)([2], [[0.5, 0.2, 0.3]]))
    1.0
    """

    k: int = 5
    name: str = "sparse_top_k_categorical_accuracy"
    dtype: str | None = None
    from_sorted_ids: bool = False

    function = sparse_top_k_categorical_accuracy
