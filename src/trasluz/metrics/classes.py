"""Metrics of which class was taken for which: the confusion matrix and overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trasluz.autodiff import ops
from trasluz.errors import UserError
from trasluz.losses.base import as_float, ratio
from trasluz.metrics.base import Metric


def confusion_matrix(numbers: Any, called: Any, weight: Any, num_classes: int) -> Any:
    """Count how often a class (row) is called a class (column); numbers out of range do not count.

    >>> one = np.ones(3)
    >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 1, 0]), one, 2)
    array([[1., 0.],
           [1., 1.]])
    """
    truth, call = (ops.one_hot(x, num_classes, dtype=weight.dtype) for x in (numbers, called))
    return ops.matmul((truth * ops.expand_dims(weight, -1)).mT, call)


def whole(x: Any) -> Any:
    """Make a flat array of whole numbers."""
    return ops.astype(ops.reshape(x, shape=(-1,)), dtype=np.dtype(np.int32))


class ConfusionMatrix(Metric):
    """How often each class (row) was called each class (column).

    Targets are class numbers or one-hot rows. Predictions are one value a class, class numbers, or
    for two classes one probability.

    Args:
        num_classes: how many classes there are.
        name: what logs call it.
        dtype: see `Metric`.

    >>> ConfusionMatrix(2)([0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    array([[1., 0.],
           [1., 1.]], dtype=float32)
    """

    num_classes: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self.matrix = self._add((self.num_classes, self.num_classes))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch."""
        y, p = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        by_class = p.shape[-1] == self.num_classes and len(p.shape) > 1
        if by_class and tuple(y.shape) == tuple(p.shape):
            y = ops.argmax(y, axis=-1)
        if by_class:
            p = ops.argmax(p, axis=-1)
        elif np.dtype(p.dtype).kind == "f":
            p = p > 0.5
        y, p = whole(y), whole(p)
        weight = as_float(1 if sample_weight is None else sample_weight, self.dtype)
        weight = ops.broadcast_to(ops.reshape(weight, shape=(-1,)), y.shape)
        self.matrix = self.matrix + confusion_matrix(y, p, weight, self.num_classes)

    def result(self) -> Any:
        """Read the matrix."""
        return self.matrix


class _Overlap(Metric):
    """Mean over classes of intersection over union: `TP / (TP + FP + FN)`."""

    num_classes: int = 2
    target_class_ids: Sequence[int] | None = None
    ignore_class: int | None = None
    sparse_y_true: bool = True
    sparse_y_pred: bool = True
    axis: int = -1

    def __post_init__(self) -> None:
        super().__post_init__()
        if max(self.targets()) >= self.num_classes:
            raise UserError(
                f"class {max(self.targets())} is asked for, there are {self.num_classes} classes",
                self.name,
                "number classes from 0",
            )
        self.matrix = self._add((self.num_classes, self.num_classes))

    def targets(self) -> list[int]:
        """List the classes that the mean is over."""
        ids = self.target_class_ids
        return list(range(self.num_classes) if ids is None else ids)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch."""
        y, p = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        y = whole(y if self.sparse_y_true else ops.argmax(y, axis=self.axis))
        p = whole(p if self.sparse_y_pred else ops.argmax(p, axis=self.axis))
        weight = as_float(1 if sample_weight is None else sample_weight, self.dtype)
        weight = ops.broadcast_to(ops.reshape(weight, shape=(-1,)), y.shape)
        if self.ignore_class is not None:
            weight = weight * as_float(y != self.ignore_class, self.dtype)
        self.matrix = self.matrix + confusion_matrix(y, p, weight, self.num_classes)

    def result(self) -> Any:
        """Read the mean over the classes that occurred."""
        hits = ops.sum(self.matrix * np.eye(self.num_classes, dtype=self.dtype), axis=0)
        union = ops.sum(self.matrix, axis=0) + ops.sum(self.matrix, axis=1) - hits
        hits, union = (ops.take(x, np.array(self.targets()), axis=0) for x in (hits, union))
        return ratio(ops.sum(ratio(hits, union)), ops.sum(as_float(union > 0, self.dtype)))


class IoU(_Overlap):
    """Mean intersection over union of some classes.

    Args:
        num_classes: how many classes there are.
        target_class_ids: the classes that the mean is over.
        name: what logs call it.
        dtype: see `Metric`.
        ignore_class: targets with this number do not count.
        sparse_y_true: whether targets are class numbers.
        sparse_y_pred: whether predictions are.
        axis: where classes are if they are not.

    >>> round(float(IoU(2, [0])([0, 0, 1, 1], [0, 1, 0, 1])), 4)
    0.3333
    """

    num_classes: int
    target_class_ids: Sequence[int]
    name: str = "io_u"
    dtype: str | None = None
    ignore_class: int | None = None
    sparse_y_true: bool = True
    sparse_y_pred: bool = True
    axis: int = -1


class BinaryIoU(_Overlap):
    """Mean intersection over union of no and yes, a yes being at or above a threshold.

    >>> round(float(BinaryIoU(threshold=0.3)([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7])), 4)
    0.3333
    """

    target_class_ids: Sequence[int] = (0, 1)
    threshold: float = 0.5

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch."""
        super().update_state(y_true, ops.convert_to_tensor(y_pred) >= self.threshold, sample_weight)


class MeanIoU(_Overlap):
    """Mean intersection over union of all classes.

    >>> round(float(MeanIoU(2)([0, 0, 1, 1], [0, 1, 0, 1])), 4)
    0.3333
    """

    num_classes: int
    name: str = "mean_io_u"
    dtype: str | None = None
    ignore_class: int | None = None
    sparse_y_true: bool = True
    sparse_y_pred: bool = True
    axis: int = -1


class OneHotIoU(_Overlap):
    """Mean intersection over union of some classes, targets being one-hot.

    >>> truth, called = np.eye(2)[[0, 0, 1, 1]], np.eye(2)[[0, 1, 0, 1]]
    >>> round(float(OneHotIoU(2, [0])(truth, called)), 4)
    0.3333
    """

    num_classes: int
    target_class_ids: Sequence[int]
    name: str = "one_hot_io_u"
    dtype: str | None = None
    ignore_class: int | None = None
    sparse_y_pred: bool = False
    axis: int = -1

    sparse_y_true = False


class OneHotMeanIoU(_Overlap):
    """Mean intersection over union of all classes, targets being one-hot.

    >>> truth, called = np.eye(2)[[0, 0, 1, 1]], np.eye(2)[[0, 1, 0, 1]]
    >>> round(float(OneHotMeanIoU(2)(truth, called)), 4)
    0.3333
    """

    num_classes: int
    name: str = "one_hot_mean_io_u"
    dtype: str | None = None
    ignore_class: int | None = None
    sparse_y_pred: bool = False
    axis: int = -1

    sparse_y_true = False
