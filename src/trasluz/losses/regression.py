"""Losses of numbers."""

from __future__ import annotations

import math
from typing import Any

from trasluz.autodiff import ops
from trasluz.autodiff.tape import composite
from trasluz.losses.base import EPSILON, Loss, pair


@composite
def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """Average the squared differences: `mean((y − ŷ)²)` over the last axis.

    >>> mean_squared_error([[0.0, 2.0]], [[1.0, 2.0]])
    array([0.5], dtype=float32)
    """
    y_true, y_pred = pair(y_true, y_pred)
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


class MeanSquaredError(Loss):
    """Mean squared error: `mean((y − ŷ)²)`.

    >>> float(MeanSquaredError()([[0.0, 2.0]], [[1.0, 2.0]]))
    0.5
    """

    function = mean_squared_error


@composite
def sum_of_squared_residuals(y_true: Any, y_pred: Any) -> Any:
    """Add up the squared differences: `Σ(y − ŷ)²` over the last axis.

    >>> sum_of_squared_residuals([[0.0, 2.0]], [[1.0, 5.0]])
    array([10.], dtype=float32)
    """
    y_true, y_pred = pair(y_true, y_pred)
    return ops.sum(ops.square(y_true - y_pred), axis=-1)


class SumOfSquaredResiduals(Loss):
    """Sum of squared residuals: `Σ(y − ŷ)²` over outputs and rows.

    >>> float(SumOfSquaredResiduals()([[0.0], [2.0]], [[1.0], [5.0]]))
    10.0
    """

    reduction: str | None = "sum"

    function = sum_of_squared_residuals


@composite
def half_squared_error(y_true: Any, y_pred: Any) -> Any:
    """Add up halves of the squared differences: `Σ ½(y − ŷ)²` over the last axis.

    >>> half_squared_error([[0.0, 2.0]], [[1.0, 5.0]])
    array([5.], dtype=float32)
    """
    y_true, y_pred = pair(y_true, y_pred)
    return ops.sum(0.5 * ops.square(y_true - y_pred), axis=-1)


class HalfSquaredError(Loss):
    """Half squared error: `Σ ½(y − ŷ)²` over outputs, averaged over rows.

    >>> float(HalfSquaredError()([[0.0, 2.0], [0.0, 0.0]], [[1.0, 5.0], [0.0, 0.0]]))
    2.5
    """

    function = half_squared_error


@composite
def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """Average the distances: `mean(|y − ŷ|)` over the last axis.

    >>> mean_absolute_error([[0.0, 2.0]], [[1.0, 2.0]])
    array([0.5], dtype=float32)
    """
    y_true, y_pred = pair(y_true, y_pred)
    return ops.mean(ops.absolute(y_true - y_pred), axis=-1)


class MeanAbsoluteError(Loss):
    """Mean absolute error: `mean(|y − ŷ|)`.

    >>> float(MeanAbsoluteError()([[0.0, 2.0]], [[1.0, 2.0]]))
    0.5
    """

    function = mean_absolute_error


@composite
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """Average the distances in per cent of the targets: `100·mean(|y − ŷ| / max(|y|, ε))`.

    >>> mean_absolute_percentage_error([[2.0, 4.0]], [[1.0, 4.0]])
    array([25.], dtype=float32)
    """
    y_true, y_pred = pair(y_true, y_pred)
    scale = ops.maximum(ops.absolute(y_true), EPSILON)
    return 100 * ops.mean(ops.absolute((y_true - y_pred) / scale), axis=-1)


class MeanAbsolutePercentageError(Loss):
    """Mean absolute percentage error: `100·mean(|y − ŷ| / max(|y|, ε))`.

    >>> float(MeanAbsolutePercentageError()([[2.0, 4.0]], [[1.0, 4.0]]))
    25.0
    """

    function = mean_absolute_percentage_error


@composite
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """Average the squared differences of logarithms: `mean((ln(1 + y) − ln(1 + ŷ))²)`.

    What lies below ε counts as ε.

    >>> mean_squared_logarithmic_error([[0.0]], [[1.0]]).round(4)
    array([0.4805], dtype=float32)
    """
    y_true, y_pred = pair(y_true, y_pred)
    logs = [ops.log1p(ops.maximum(y, EPSILON)) for y in (y_true, y_pred)]
    return ops.mean(ops.square(logs[0] - logs[1]), axis=-1)


class MeanSquaredLogarithmicError(Loss):
    """Mean squared logarithmic error: `mean((ln(1 + y) − ln(1 + ŷ))²)`.

    >>> round(float(MeanSquaredLogarithmicError()([[0.0]], [[1.0]])), 4)
    0.4805
    """

    function = mean_squared_logarithmic_error


@composite
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """Average `½m² + δ(|e| − m)`, `m = min(|e|, δ)`, `e = y − ŷ`: a parabola with straight ends.

    >>> huber([[0.0, 0.0]], [[1.0, 3.0]])
    array([1.5], dtype=float32)
    """
    y_true, y_pred = pair(y_true, y_pred)
    e = ops.absolute(y_true - y_pred)
    m = ops.minimum(e, delta)
    return ops.mean(0.5 * ops.square(m) + delta * (e - m), axis=-1)


class Huber(Loss):
    """Huber loss: `½e²` where `|e| ≤ δ`, else `δ|e| − ½δ²`, with `e = y − ŷ`.

    Source: Huber, Robust estimation of a location parameter (1964).

    >>> float(Huber()([[0.0, 0.0]], [[1.0, 3.0]]))
    1.5
    """

    delta: float = 1.0
    reduction: str | None = "sum_over_batch_size"
    name: str = "huber_loss"

    function = huber


@composite
def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """Average `ln cosh(ŷ − y)`, computed as `e + softplus(−2e) − ln 2`.

    >>> log_cosh([[0.0]], [[1.0]]).round(4)
    array([0.4338], dtype=float32)
    """
    y_true, y_pred = pair(y_true, y_pred)
    e = y_pred - y_true
    return ops.mean(e + ops.softplus(-2 * e) - math.log(2), axis=-1)


class LogCosh(Loss):
    """Logarithm of the hyperbolic cosine: `mean(ln cosh(ŷ − y))`.

    >>> round(float(LogCosh()([[0.0]], [[1.0]])), 4)
    0.4338
    """

    function = log_cosh


@composite
def unit(x: Any, axis: int = -1) -> Any:
    """Divide by the Euclidean length, which counts as ε if it is smaller.

    >>> import numpy as np
    >>> unit(np.array([3.0, 4.0]))
    array([0.6, 0.8])
    """
    return x / ops.maximum(ops.norm(x, axis=axis, keepdims=True), EPSILON)


@composite
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Give minus the cosine of the angle: `−Σ (y/‖y‖)·(ŷ/‖ŷ‖)`; −1 is the same direction.

    >>> cosine_similarity([[1.0, 0.0]], [[2.0, 0.0]])
    array([-1.], dtype=float32)
    """
    y_true, y_pred = pair(y_true, y_pred)
    return -ops.sum(unit(y_true, axis=axis) * unit(y_pred, axis=axis), axis=axis)


class CosineSimilarity(Loss):
    """Minus the cosine of the angle between targets and predictions.

    >>> float(CosineSimilarity()([[1.0, 0.0]], [[2.0, 0.0]]))
    -1.0
    """

    axis: int = -1

    function = cosine_similarity
