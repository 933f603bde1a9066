"""What training makes small: a function of targets and predictions, and an object that reduces it.

A function gives one value a sample; an object of the class of the same name weighs and averages
them. A sigmoid or softmax that made the predictions is seen through: its cross-entropy is computed
from the logits, and nothing is lost far out. Elsewhere probabilities keep `EPSILON` from 0 and 1.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any, ClassVar, dataclass_transform

import numpy as np

from trasluz import config, ops
from trasluz.errors import UserError, unknown
from trasluz.registry import Configurable, Registry
from trasluz.registry import serialize as serialize
from trasluz.state import snake
from trasluz.tape import Box, composite, made_by, note

EPSILON = 1e-7
REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)

registry = Registry("loss")


# ------------------------------------------------------------------------------ shapes and dtypes


def as_float(x: Any, dtype: Any = None) -> Any:
    """Make an array of floats: of the dtype that is given, else its own, else `floatx()`.

    >>> as_float([1, 2])
    array([1., 2.], dtype=float32)
    """
    if isinstance(x, (Box, np.ndarray)) and x.dtype.kind == "f" and dtype in (None, x.dtype):
        return x
    listed = not hasattr(x, "dtype")
    x = ops.convert_to_tensor(x)
    keeps = dtype is None and not listed and np.dtype(x.dtype).kind not in "biuO"
    dtype = x.dtype if keeps else np.dtype(dtype or config.floatx())
    return x if x.dtype == dtype else ops.astype(x, dtype=dtype)


def aligned(a: Any, b: Any) -> tuple[Any, Any]:
    """Make ranks equal where one array has a last axis of length one more than the other.

    >>> a, b = aligned(np.ones(3), np.ones((3, 1)))
    >>> a.shape, b.shape
    ((3, 1), (3, 1))
    """
    if len(a.shape) == len(b.shape) + 1:
        b, a = aligned(b, a)
    elif len(b.shape) == len(a.shape) + 1 and b.shape[-1] == 1:
        if len(a.shape) == 1:
            return ops.expand_dims(a, -1), b
        return a, ops.squeeze(b, -1)
    return a, b


def pair(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Bring targets and predictions to one shape and to the dtype of the predictions.

    Raises:
        UserError: if the shapes differ.
    """
    y_pred = as_float(y_pred)
    y_true, y_pred = aligned(as_float(y_true, y_pred.dtype), y_pred)
    if tuple(y_true.shape) != tuple(y_pred.shape):
        raise UserError(
            f"targets of shape {tuple(y_true.shape)} do not fit "
            f"predictions of shape {tuple(y_pred.shape)}",
            mend="give both the same shape",
        )
    return y_true, y_pred


def ratio(a: Any, b: Any) -> Any:
    """Divide, with 0 where the denominator is 0.

    >>> ratio(np.array([1.0, 2.0]), np.array([2.0, 0.0]))
    array([0.5, 0. ])
    """
    empty = b == 0
    return ops.where(empty, ops.zero(b), a / ops.where(empty, 1, b))


# --------------------------------------------------------------------------------------- reduction


def reduced(values: Any, sample_weight: Any, mask: Any, reduction: str | None) -> Any:
    """Weigh one value a sample and reduce them.

    Args:
        values: `(n,)` or `(n, t)`.
        sample_weight: a number, `(n,)`, `(n, 1)` or `(n, t)`.
        mask: true where a value counts; a mean is then over those.
        reduction: one of `REDUCTIONS`.
    """
    if sample_weight is not None:
        sample_weight = as_float(sample_weight, values.dtype)
    if mask is not None:
        counts = as_float(mask, values.dtype)
        if reduction in ("sum_over_batch_size", "mean"):
            counts = counts * ratio(as_float(ops.count(counts), values.dtype), ops.sum(counts))
        if sample_weight is not None:
            counts, sample_weight = weights_like(counts, sample_weight)
            counts = counts * sample_weight
        sample_weight = counts
    if sample_weight is not None:
        values, sample_weight = weights_like(values, sample_weight)
        values = values * sample_weight
    if reduction in ("none", None) or len(values.shape) == 0:
        return values
    total = ops.sum(values)
    if reduction == "sum":
        return total
    if reduction == "mean_with_sample_weight" and sample_weight is not None:
        return ratio(total, ops.sum(sample_weight))
    return total / max(ops.count(values), 1)


def weights_like(values: Any, weights: Any) -> tuple[Any, Any]:
    """Align weights with values: axes that they lack are those that come last."""
    values, weights = aligned(values, weights)
    missing = len(values.shape) - len(weights.shape)
    if missing > 0 and len(weights.shape) > 0:
        weights = ops.reshape(weights, shape=(*weights.shape, *[1] * missing))
    return values, weights


# ---------------------------------------------------------------------------------- the base class


@dataclass_transform()
class Loss(Configurable):
    """A loss: one value a sample (`call`), weighed and reduced (`__call__`).

    A subclass gives `call(y_true, y_pred)`, or names the `function` that its own fields go to.

    Args:
        reduction: "sum_over_batch_size" and "mean" divide the sum by how many values there are,
            "mean_with_sample_weight" by the sum of the weights, "sum" does not; None or "none"
            gives the values.
        name: a name.
        dtype: the floating type to compute in; that of the predictions if it is not given.

    Raises:
        UserError: if the reduction is not known, if shapes do not fit.
    """

    function: ClassVar[Callable[..., Any]]
    numbered: ClassVar[bool] = False  # whether targets number classes, and so stay as they are

    def __init__(
        self,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: str | None = None,
    ) -> None:
        self.name, self.reduction, self.dtype = name or snake(type(self).__name__), reduction, dtype
        self.__post_init__()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Make a dataclass of a subclass: its own fields, then those that all losses have."""
        super().__init_subclass__(**kwargs)
        maker = next(c for c in cls.__mro__ if "__init__" in c.__dict__)
        if maker is not Loss and "__dataclass_fields__" not in maker.__dict__:
            return  # it, or a base, writes its own constructor
        common = {"reduction": "str | None", "name": "str", "dtype": "str | None"}
        cls.__annotations__ = {**inspect.get_annotations(cls), **common}
        defaults = {"reduction": "sum_over_batch_size", "name": snake(cls.__name__), "dtype": None}
        for field, default in defaults.items():
            if field not in cls.__dict__:
                setattr(cls, field, default)
        dataclasses.dataclass(eq=False)(cls)

    def __post_init__(self) -> None:
        if self.reduction not in REDUCTIONS:
            raise unknown("reduction", self.reduction, [str(r) for r in REDUCTIONS])

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Give one value a sample: `(n,)`, or `(n, t)` where predictions are `(n, t, outputs)`."""
        options = {k: v for k, v in vars(self).items() if k not in ("reduction", "name", "dtype")}
        return type(self).function(*aligned(y_true, y_pred), **options)

    def mask(self, y_true: Any, y_pred: Any) -> Any:
        """Tell which samples count; `None` says all."""
        return None

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Give the loss, reduced.

        Args:
            y_true: the targets.
            y_pred: the predictions.
            sample_weight: a number, `(n,)`, `(n, 1)` or `(n, t)`.
        """
        y_pred = as_float(y_pred, self.dtype)
        y_true = ops.convert_to_tensor(y_true) if self.numbered else as_float(y_true, y_pred.dtype)
        values, mask = note(self.call(y_true, y_pred), "rows"), self.mask(y_true, y_pred)
        return reduced(values, sample_weight, mask, self.reduction)

    def get_config(self) -> dict[str, Any]:
        """List the constructor's arguments as plain data."""
        if dataclasses.is_dataclass(type(self)):
            return super().get_config()
        return {"name": self.name, "reduction": self.reduction}


class LossFunctionWrapper(Loss):
    """A loss made of any function of `(y_true, y_pred)`.

    Args:
        fn: gives one value a sample.
        reduction: see `Loss`.
        name: a name.
        dtype: see `Loss`.
        kwargs: further arguments of the function.

    >>> float(LossFunctionWrapper(squared_hinge)([[1.0]], [[0.5]]))
    0.25
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
        **kwargs: Any,
    ) -> None:
        name = name or getattr(fn, "__name__", None) or snake(type(fn).__name__)
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.fn, self.kwargs = fn, kwargs

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Give one value a sample."""
        return self.fn(*aligned(y_true, y_pred), **self.kwargs)

    def get_config(self) -> dict[str, Any]:
        """List the constructor's arguments as plain data."""
        return {"fn": serialize(self.fn), **super().get_config(), **self.kwargs}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LossFunctionWrapper:
        """Make an instance from what `get_config` gave."""
        return cls(**{**config, "fn": registry.get(config["fn"])})


# -------------------------------------------------------------------------------------- regression


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


# ------------------------------------------------------------------------------------------ margins


def signed(y_true: Any) -> Any:
    """Turn labels 0 and 1 into −1 and 1; other labels stay as they are.

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


# ------------------------------------------------------------------------------------ probabilities


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
            mend="give one whole number a row, or use 'categorical_crossentropy' for one-hot rows",
        )
    return ops.astype(y, dtype=np.dtype(np.int32))


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


# ------------------------------------------------------------------------------------ finding them

# fmt: off
_TABLE: tuple[tuple[type[Loss], tuple[str, ...]], ...] = (
    (MeanSquaredError,              ("mean_squared_error", "mse", "MSE")),
    (SumOfSquaredResiduals,         ("sum_of_squared_residuals", "ssr")),
    (HalfSquaredError,              ("half_squared_error",)),
    (MeanAbsoluteError,             ("mean_absolute_error", "mae", "MAE")),
    (MeanAbsolutePercentageError,   ("mean_absolute_percentage_error", "mape", "MAPE")),
    (MeanSquaredLogarithmicError,   ("mean_squared_logarithmic_error", "msle", "MSLE")),
    (Huber,                         ("huber",)),
    (LogCosh,                       ("log_cosh",)),
    (CosineSimilarity,              ("cosine_similarity",)),
    (PerceptronLoss,                ("perceptron",)),
    (Hinge,                         ("hinge",)),
    (SquaredHinge,                  ("squared_hinge",)),
    (CategoricalHinge,              ("categorical_hinge",)),
    (BinaryCrossentropy,            ("binary_crossentropy", "bce", "BCE")),
    (BinaryFocalCrossentropy,       ("binary_focal_crossentropy",)),
    (CategoricalCrossentropy,       ("categorical_crossentropy",)),
    (CategoricalFocalCrossentropy,  ("categorical_focal_crossentropy",)),
    (SparseCategoricalCrossentropy, ("sparse_categorical_crossentropy",)),
    (KLDivergence,                  ("kl_divergence", "kld", "KLD")),
    (Poisson,                       ("poisson",)),
)
# fmt: on
_CLASS_OF = {kind.function: kind for kind, _ in _TABLE}
for _kind, _names in _TABLE:
    registry.add(_kind, _kind.__name__)
    registry.add(_kind.function, *_names)  # a lower-case name is the function, as in Keras


def get(identifier: Any) -> Any:
    """Find a loss: "mean_squared_error" is the function, "MeanSquaredError" an object.

    Raises:
        UserError: if there is none of that name.

    >>> get("mse").__name__, type(get("MeanSquaredError")).__name__
    ('mean_squared_error', 'MeanSquaredError')
    """
    return registry.get(identifier)


def deserialize(config: Any) -> Any:
    """Find again what `serialize` wrote down.

    >>> deserialize(serialize(Huber(delta=2.0))).delta
    2.0
    """
    return registry.get(config)


def resolve(identifier: Any, y_true_shape: Any = None, y_pred_shape: Any = None) -> Loss | None:
    """Make the object that training uses, whatever `compile` was given for the loss.

    Args:
        identifier: a name, a function, a class, a config or an object; `None` stays `None`.
        y_true_shape: shape of the targets; "crossentropy" and "ce" need it.
        y_pred_shape: shape of the predictions.

    Raises:
        UserError: if it does not name a loss.

    >>> resolve("mse").name, resolve("ce", (8,), (8, 3)).name
    ('mean_squared_error', 'sparse_categorical_crossentropy')
    """
    if str(identifier).lower() in ("crossentropy", "ce") and y_pred_shape is not None:
        identifier = f"{target_kind(y_true_shape, y_pred_shape)}_crossentropy"
    loss = get(identifier)
    if loss is None or isinstance(loss, Loss):
        return loss
    return _CLASS_OF[loss]() if loss in _CLASS_OF else LossFunctionWrapper(loss)


def target_kind(y_true_shape: Any, y_pred_shape: Any) -> str:
    """Tell from shapes what is predicted: "binary", "sparse_categorical" or "categorical".

    >>> target_kind((8, 1), (8, 1)), target_kind((8, 3), (8, 3))
    ('binary', 'categorical')
    """
    if y_pred_shape[-1] == 1:
        return "binary"
    if len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1] == 1:
        return "sparse_categorical"
    return "categorical"
