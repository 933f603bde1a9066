"""Losses of probabilities and logits."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any

import numpy as np

from trasluz.autodiff import ops
from trasluz.autodiff.tape import composite, made_by
from trasluz.errors import UserError, unknown
from trasluz.losses.base import EPSILON, Loss, as_float, pair


def logits_under(y_pred: Any, activation: Any, from_logits: bool) -> tuple[Any, bool]:
    """See through the sigmoid or softmax that made the predictions, if one did."""
    logits = None if from_logits else made_by(y_pred, activation)
    return (y_pred, from_logits) if logits is None else (logits, True)


def log_probabilities(y_pred: Any, from_logits: bool, axis: int) -> Any:
    """Take the logarithm of classes' probabilities, which are made to add up to one."""
    if from_logits:
        return ops.log_softmax(y_pred, axis=axis)
    total = ops.sum(y_pred, axis=axis, keepdims=True)
    total = ops.where(total == 0, 1, total)
    return ops.log(ops.clip(y_pred / total, EPSILON, 1 - EPSILON))


def smooth_labels(
    y_true: Any, label_smoothing: float, classes: int, convention: str = "keras"
) -> Any:
    """Take a little from ones and give it to zeros.

    Args:
        y_true: zeros and ones.
        label_smoothing: how much, ε.
        classes: how many classes share, K; 2 for a single yes or no.
        convention: "keras" gives every class ε/K, so that ones become 1 − ε + ε/K; "course" gives
            ε/(K − 1) to the zeros alone, so that ones become 1 − ε.

    Raises:
        UserError: if the convention is neither.

    >>> smooth_labels(np.array([0.0, 0, 1, 0, 0]), 0.01, 5, "course")
    array([0.0025, 0.0025, 0.99  , 0.0025, 0.0025])
    """
    if convention not in ("keras", "course"):
        raise unknown("convention of label smoothing", convention, ("keras", "course"))
    if not label_smoothing:
        return y_true
    if convention == "keras":
        return y_true * (1 - label_smoothing) + label_smoothing / classes
    return y_true * (1 - label_smoothing) + (1 - y_true) * (label_smoothing / (classes - 1))


def classes_of(y_pred: Any, axis: int) -> int:
    """Count the classes.

    Raises:
        UserError: if there is only one.
    """
    if isinstance(axis, bool) or y_pred.shape[axis] == 1:
        raise UserError(
            f"predictions of shape {tuple(y_pred.shape)} have one class only along axis {axis}",
            mend="give one output a class, or use 'binary_crossentropy' for a single yes or no",
        )
    return int(y_pred.shape[axis])


@composite
def binary_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
    label_smoothing_convention: str = "keras",
) -> Any:
    """Average `−y·ln p − (1 − y)·ln(1 − p)`, with `p = σ(ŷ)` if predictions are logits.

    >>> binary_crossentropy([[0.0, 1.0]], [[0.0, 0.0]], from_logits=True).round(4)
    array([0.6931], dtype=float32)
    """
    y_pred, from_logits = logits_under(y_pred, ops.sigmoid, from_logits)
    y, z = pair(y_true, y_pred)
    y = smooth_labels(y, label_smoothing, 2, label_smoothing_convention)
    return ops.mean(_binary_crossentropy(y, z, from_logits), axis=axis)


def _binary_crossentropy(y: Any, z: Any, from_logits: bool) -> Any:
    if from_logits:
        return y * ops.softplus(-z) + (1 - y) * ops.softplus(z)  # −ln σ(z) = softplus(−z)
    p = ops.clip(z, EPSILON, 1 - EPSILON)
    return -y * ops.log(p) - (1 - y) * ops.log(1 - p)


class BinaryCrossentropy(Loss):
    """Cross-entropy of a yes or no: `mean(−y·ln p − (1 − y)·ln(1 − p))`.

    Args:
        from_logits: whether predictions are logits; `p = σ(ŷ)` then.
        label_smoothing: see `smooth_labels`.
        axis: what to average over.
        reduction: see `Loss`.
        name: a name.
        dtype: see `Loss`.
        label_smoothing_convention: "keras" or "course".

    >>> round(float(BinaryCrossentropy()([[1.0]], [[0.25]])), 4)
    1.3863
    """

    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1
    reduction: str | None = "sum_over_batch_size"
    name: str = "binary_crossentropy"
    dtype: str | None = None
    _: KW_ONLY
    label_smoothing_convention: str = "keras"

    function = binary_crossentropy


@composite
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
    label_smoothing_convention: str = "keras",
) -> Any:
    """Average binary cross-entropy times `(1 − q)^γ`, `q = y·p + (1 − y)·(1 − p)`.

    >>> binary_focal_crossentropy([[1.0]], [[0.5]]).round(4)
    array([0.1733], dtype=float32)
    """
    y_pred, from_logits = logits_under(y_pred, ops.sigmoid, from_logits)
    y, z = pair(y_true, y_pred)
    y = smooth_labels(y, label_smoothing, 2, label_smoothing_convention)
    p = ops.sigmoid(z) if from_logits else z
    q = y * p + (1 - y) * (1 - p)
    values = _easy(q, gamma) * _binary_crossentropy(y, z, from_logits)
    if apply_class_balancing:
        values = (y * alpha + (1 - y) * (1 - alpha)) * values
    return ops.mean(values, axis=axis)


def _easy(q: Any, gamma: float) -> Any:
    """The focal factor `(1 − q)^γ`, kept off 0, where its derivative is infinite if γ < 1."""
    return ops.maximum(1 - q, EPSILON) ** gamma


class BinaryFocalCrossentropy(Loss):
    """Binary cross-entropy that cares less for what is easy: times `(1 − q)^γ`.

    Args:
        apply_class_balancing: whether ones count `alpha` and zeros `1 − alpha`.
        alpha: see above.
        gamma: how much less, γ.
        from_logits: whether predictions are logits.
        label_smoothing: see `smooth_labels`.
        axis: what to average over.
        reduction: see `Loss`.
        name: a name.
        dtype: see `Loss`.
        label_smoothing_convention: "keras" or "course".

    Source: Lin et al., Focal loss for dense object detection (ICCV 2017).

    >>> round(float(BinaryFocalCrossentropy()([[1.0]], [[0.5]])), 4)
    0.1733
    """

    apply_class_balancing: bool = False
    alpha: float = 0.25
    gamma: float = 2.0
    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1
    reduction: str | None = "sum_over_batch_size"
    name: str = "binary_focal_crossentropy"
    dtype: str | None = None
    _: KW_ONLY
    label_smoothing_convention: str = "keras"

    function = binary_focal_crossentropy


@composite
def categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
    label_smoothing_convention: str = "keras",
) -> Any:
    """Add up `−y·ln p` over classes, with `p = softmax(ŷ)` if predictions are logits.

    >>> categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).round(4)
    array([0.6931], dtype=float32)
    """
    y_pred, from_logits = logits_under(y_pred, ops.softmax, from_logits)
    y, z = pair(y_true, y_pred)
    y = smooth_labels(y, label_smoothing, classes_of(z, axis), label_smoothing_convention)
    return -ops.sum(y * log_probabilities(z, from_logits, axis), axis=axis)


class CategoricalCrossentropy(Loss):
    """Cross-entropy with one-hot targets: `−Σ y·ln p`.

    Args:
        from_logits: whether predictions are logits; `p = softmax(ŷ)` then.
        label_smoothing: see `smooth_labels`.
        axis: where the classes are.
        reduction: see `Loss`.
        name: a name.
        dtype: see `Loss`.
        label_smoothing_convention: "keras" or "course".

    >>> round(float(CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
    0.6931
    """

    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1
    reduction: str | None = "sum_over_batch_size"
    name: str = "categorical_crossentropy"
    dtype: str | None = None
    _: KW_ONLY
    label_smoothing_convention: str = "keras"

    function = categorical_crossentropy


@composite
def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
    label_smoothing_convention: str = "keras",
) -> Any:
    """Add up `−α(1 − p)^γ·y·ln p` over classes.

    >>> categorical_focal_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).round(4)
    array([0.0433], dtype=float32)
    """
    y_pred, from_logits = logits_under(y_pred, ops.softmax, from_logits)
    y, z = pair(y_true, y_pred)
    y = smooth_labels(y, label_smoothing, classes_of(z, axis), label_smoothing_convention)
    log_p = log_probabilities(z, from_logits, axis)
    return -ops.sum(alpha * _easy(ops.exp(log_p), gamma) * y * log_p, axis=axis)


class CategoricalFocalCrossentropy(Loss):
    """Cross-entropy that cares less for what is easy: `−Σ α(1 − p)^γ·y·ln p`.

    Args:
        alpha: a weight, α.
        gamma: how much less, γ.
        from_logits: whether predictions are logits.
        label_smoothing: see `smooth_labels`.
        axis: where the classes are.
        reduction: see `Loss`.
        name: a name.
        dtype: see `Loss`.
        label_smoothing_convention: "keras" or "course".

    Source: Lin et al., Focal loss for dense object detection (ICCV 2017).

    >>> round(float(CategoricalFocalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
    0.0433
    """

    alpha: float = 0.25
    gamma: float = 2.0
    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1
    reduction: str | None = "sum_over_batch_size"
    name: str = "categorical_focal_crossentropy"
    dtype: str | None = None
    _: KW_ONLY
    label_smoothing_convention: str = "keras"

    function = categorical_focal_crossentropy


@composite
def sparse_categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Any:
    """Give `−ln p` of the class that the target numbers; a class out of range gives 0.

    Raises:
        UserError: if there is not one target for each row of predictions.

    >>> sparse_categorical_crossentropy([1], [[0.5, 0.5]]).round(4)
    array([0.6931], dtype=float32)
    """
    y_pred, from_logits = logits_under(as_float(y_pred), ops.softmax, from_logits)
    y = class_numbers(y_true, y_pred, axis)
    classes = ops.reshape(
        np.arange(y_pred.shape[axis], dtype=np.int32),
        shape=tuple(-1 if i == axis % len(y_pred.shape) else 1 for i in range(len(y_pred.shape))),
    )
    right = ops.expand_dims(y, axis % len(y_pred.shape)) == classes
    if ignore_class is not None:
        right = right & (classes != ignore_class)
    log_p = log_probabilities(y_pred, from_logits, axis)
    return -ops.sum(ops.where(right, log_p, 0), axis=axis)


def class_numbers(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Bring targets that number classes to the shape of the predictions without the class axis."""
    y = ops.convert_to_tensor(y_true)
    if len(y.shape) == len(y_pred.shape) and y.shape[axis] == 1:
        y = ops.squeeze(y, axis)
    axis = axis % len(y_pred.shape)
    rows = tuple(y_pred.shape[:axis]) + tuple(y_pred.shape[axis + 1 :])
    if tuple(y.shape) != rows:
        raise UserError(
            f"targets of shape {tuple(y.shape)} do not number one class for each of {rows} "
            f"(predictions have shape {tuple(y_pred.shape)})",
            mend=_mend(y, rows, y_pred),
        )
    return ops.astype(y, dtype=np.dtype(np.int32))


def _mend(y: Any, rows: tuple[int, ...], y_pred: Any) -> str:
    """Say how targets come to number the classes of predictions, or predictions to fit them."""
    if tuple(y.shape) == tuple(y_pred.shape):
        return "use 'categorical_crossentropy' for one-hot rows, or give the numbers of the classes"
    if len(y.shape) < len(rows):
        return (
            "give the model one output a row (Flatten, GlobalAveragePooling, or a last recurrent "
            "layer without return_sequences), or a class for each place"
        )
    return "give one whole number a row, or use 'categorical_crossentropy' for one-hot rows"


class SparseCategoricalCrossentropy(Loss):
    """Cross-entropy with targets that number the class: `−ln p[y]`.

    Args:
        from_logits: whether predictions are logits; `p = softmax(ŷ)` then.
        ignore_class: targets with this number do not count.
        reduction: see `Loss`.
        axis: where the classes are.
        name: a name.
        dtype: see `Loss`.

    >>> round(float(SparseCategoricalCrossentropy()([1], [[0.5, 0.5]])), 4)
    0.6931
    """

    from_logits: bool = False
    ignore_class: int | None = None
    reduction: str | None = "sum_over_batch_size"
    axis: int = -1

    function = sparse_categorical_crossentropy
    numbered = True

    def mask(self, y_true: Any, y_pred: Any) -> Any:
        """Tell which samples count."""
        if self.ignore_class is None:
            return None
        return class_numbers(y_true, y_pred, self.axis) != self.ignore_class


@composite
def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """Add up `y·ln(y / ŷ)` over the last axis, both kept within ε and 1.

    >>> kl_divergence([[0.5, 0.5]], [[0.25, 0.75]]).round(4)
    array([0.1438], dtype=float32)
    """
    y, p = (ops.clip(each, EPSILON, 1) for each in pair(y_true, y_pred))
    return ops.sum(y * ops.log(y / p), axis=-1)


class KLDivergence(Loss):
    """Kullback and Leibler's divergence: `Σ y·ln(y / ŷ)`.

    >>> round(float(KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]])), 4)
    0.1438
    """

    function = kl_divergence


@composite
def poisson(y_true: Any, y_pred: Any) -> Any:
    """Average `ŷ − y·ln(ŷ + ε)`; a rate below 0 counts as 0 in the logarithm.

    >>> poisson([[2.0]], [[1.0]]).round(4)
    array([1.], dtype=float32)
    """
    y_true, y_pred = pair(y_true, y_pred)
    return ops.mean(y_pred - y_true * ops.log(ops.maximum(y_pred, 0) + EPSILON), axis=-1)


class Poisson(Loss):
    """Poisson loss for counts: `mean(ŷ − y·ln ŷ)`.

    >>> round(float(Poisson()([[2.0]], [[1.0]])), 4)
    1.0
    """

    function = poisson
