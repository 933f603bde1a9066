"""What training reports: numbers gathered over batches.

A metric keeps arrays as plain attributes; `update_state` adds a batch to them and `result` reads
them. Both are pure in the arrays, so a twin of a metric works inside a compiled step.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, dataclass_transform

import numpy as np

from trasluz import config, initializers, losses, ops
from trasluz.errors import UserError, unknown
from trasluz.losses import EPSILON, aligned, as_float, class_numbers, pair, ratio
from trasluz.registry import Configurable, Registry
from trasluz.registry import serialize as serialize
from trasluz.state import Buffer, Holder, Param, Variable, snake

registry = Registry("metric")


@dataclass_transform()
class Metric(Holder, Configurable):
    """A number gathered over batches.

    A subclass declares arrays with `self.total = self.add_variable(())`, adds to them in
    `update_state(y_true, y_pred, sample_weight=None)` with operators and `trasluz.ops`, and reads
    them in `result()`.

    Args:
        dtype: the floating type of the arrays; `floatx()` if it is not given.
        name: what logs call it.
    """

    name: str
    dtype: str | None
    built: bool = True

    def __init__(self, dtype: str | None = None, name: str | None = None) -> None:
        self.name, self.dtype = name or snake(type(self).__name__), dtype
        self.__post_init__()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Make a dataclass of a subclass: its own fields, then name and dtype."""
        super().__init_subclass__(**kwargs)
        if cls.__name__.startswith("_"):
            return  # abstract
        if cls.__module__ == __name__:
            registry.add(cls)
        maker = next(c for c in cls.__mro__ if "__init__" in c.__dict__)
        if maker is not Metric and "__dataclass_fields__" not in maker.__dict__:
            return  # it, or a base, writes its own constructor
        common = {"name": "str", "dtype": "str | None"}
        cls.__annotations__ = {**inspect.get_annotations(cls), **common}
        for field, default in {"name": snake(cls.__name__), "dtype": None}.items():
            if field not in cls.__dict__:
                setattr(cls, field, default)
        dataclasses.dataclass(eq=False)(cls)

    def __post_init__(self) -> None:
        self.name = self.name or snake(type(self).__name__)
        self.dtype = str(np.dtype(self.dtype or config.floatx()))

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Param):
            self._specs[name] = value
            value = value.draw(self.dtype, None)
        super().__setattr__(name, value)

    def add_variable(
        self,
        shape: Sequence[int] = (),
        initializer: Any = "zeros",
        dtype: str | None = None,
        name: str | None = None,
    ) -> Variable:
        """Make an array that batches are added to with `assign`, or by setting the attribute."""
        init = initializers.get(initializer)
        return Variable(init, tuple(shape), dtype or self.dtype, trainable=False, name=name)

    add_weight = add_variable

    def _add(self, shape: Sequence[int] = ()) -> Any:
        """Declare an array of zeros; the attribute it is assigned to names it."""
        return Buffer(tuple(shape), initializers.get("zeros"))

    def build(self, y_true_shape: Sequence[int], y_pred_shape: Sequence[int]) -> None:
        """Declare arrays whose shape depends on that of the predictions; before compiling."""

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Add a batch."""
        raise NotImplementedError(f"{type(self).__name__} has no update_state method")

    def result(self) -> Any:
        """Read the number."""
        raise NotImplementedError(f"{type(self).__name__} has no result method")

    def reset_state(self) -> None:
        """Forget all batches."""
        for attribute, spec in self._specs.items():
            setattr(self, attribute, spec.draw(self.dtype, None))
        for child in self.children():
            if isinstance(child, Variable):
                child.assign(np.zeros(child.shape, child.dtype))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Add a batch and read the number."""
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """List the constructor's arguments as plain data."""
        if dataclasses.is_dataclass(type(self)):
            return super().get_config()
        return {"name": self.name, "dtype": self.dtype}

    def _as_float(self, x: Any) -> Any:
        return as_float(x, self.dtype)

    def _build_for(self, y_true: Any, y_pred: Any) -> None:
        if not self.built:
            self.build(tuple(y_true.shape), tuple(y_pred.shape))


# ---------------------------------------------------------------------------------- sums and means


def samplewise(
    values: Any, sample_weight: Any, reduce: Callable[..., Any], dtype: Any
) -> tuple[Any, Any]:
    """Weigh values and reduce all their axes but the first; weights likewise."""
    values = as_float(values, dtype)
    if sample_weight is not None:
        values, weight = aligned(values, as_float(sample_weight, dtype))
        rank = len(weight.shape)
        values = _reduce_from(rank, values, reduce)
        weight = ops.broadcast_to(weight, values.shape)
        values = values * weight
        sample_weight = _reduce_from(1, weight, reduce)
    return _reduce_from(1, values, reduce), sample_weight


def _reduce_from(first: int, x: Any, reduce: Callable[..., Any]) -> Any:
    rank = len(x.shape)
    return reduce(x, axis=tuple(range(first, rank))) if rank > first else x


class Sum(Metric):
    """Sum of values.

    >>> float(Sum()([1.0, 3.0], sample_weight=[1, 0]))
    1.0
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.total = self._add()

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add values."""
        values, _ = samplewise(values, sample_weight, ops.sum, self.dtype)
        self.total = self.total + ops.sum(values)

    def result(self) -> Any:
        """Read the sum."""
        return self.total


class _Averaged(Metric):
    """The mean of one value a sample, which the class's `function` gives from its own fields."""

    function: ClassVar[Callable[..., Any]]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.total = self._add()
        self.count = self._add()

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Give the values of a batch."""
        options = {
            f.name: getattr(self, f.name)
            for f in dataclasses.fields(self)  # type: ignore[arg-type]
            if f.name not in ("name", "dtype")
        }
        return type(self).function(y_true, y_pred, **options)

    def add(self, values: Any, sample_weight: Any) -> None:
        """Add values to the mean."""
        values, weight = samplewise(values, sample_weight, ops.mean, self.dtype)
        self.total = self.total + ops.sum(values)
        if weight is not None:
            self.count = self.count + ops.sum(weight)
        else:
            self.count = self.count + (values.shape[0] if len(values.shape) else 1)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch."""
        self.add(self.values(y_true, y_pred), sample_weight)

    def result(self) -> Any:
        """Read the mean: 0 before anything was added."""
        return ratio(self.total, self.count)


class Mean(_Averaged):
    """Mean of values.

    >>> float(Mean()([1.0, 4.0], sample_weight=[2, 1]))
    2.0
    """

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add values."""
        self.add(values, sample_weight)


class MeanMetricWrapper(_Averaged):
    """Mean of what any function of `(y_true, y_pred)` gives.

    Args:
        fn: gives one value a sample.
        name: what logs call it; the function's name if it is not given.
        dtype: see `Metric`.
        kwargs: further arguments of the function.

    >>> float(MeanMetricWrapper(losses.hinge)([[1.0]], [[0.5]]))
    0.5
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        name: str | None = None,
        dtype: str | None = None,
        **kwargs: Any,
    ) -> None:
        name = name or getattr(fn, "__name__", None) or snake(type(fn).__name__)
        super().__init__(name=name, dtype=dtype)
        self.fn, self.kwargs = fn, kwargs

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Give the values of a batch."""
        return self.fn(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred), **self.kwargs)

    def get_config(self) -> dict[str, Any]:
        """List the constructor's arguments as plain data."""
        return {"name": self.name, "dtype": self.dtype, "fn": serialize(self.fn), **self.kwargs}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> MeanMetricWrapper:
        """Make an instance from what `get_config` gave."""
        return cls(**{**config, "fn": losses.get(config["fn"])})


# -------------------------------------------------------------------------------------- regression


class MeanSquaredError(_Averaged):
    """Mean squared error: `mean((y − ŷ)²)`.

    >>> float(MeanSquaredError()([[0.0, 2.0]], [[1.0, 2.0]]))
    0.5
    """

    function = losses.mean_squared_error


class RootMeanSquaredError(_Averaged):
    """Root of the mean squared error: `√mean((y − ŷ)²)`, in the unit of the targets.

    >>> float(RootMeanSquaredError()([[0.0], [0.0]], [[3.0], [3.0]]))
    3.0
    """

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Give the squared differences."""
        y_true, y_pred = pair(y_true, self._as_float(y_pred))
        return ops.square(y_true - y_pred)

    def result(self) -> Any:
        """Read the root of the mean."""
        return ops.sqrt(super().result())


class MeanAbsoluteError(_Averaged):
    """Mean absolute error: `mean(|y − ŷ|)`.

    >>> float(MeanAbsoluteError()([[0.0, 2.0]], [[1.0, 2.0]]))
    0.5
    """

    function = losses.mean_absolute_error


class MeanAbsolutePercentageError(_Averaged):
    """Mean absolute percentage error: `100·mean(|y − ŷ| / max(|y|, ε))`.

    >>> float(MeanAbsolutePercentageError()([[2.0, 4.0]], [[1.0, 4.0]]))
    25.0
    """

    function = losses.mean_absolute_percentage_error


class MeanSquaredLogarithmicError(_Averaged):
    """Mean squared logarithmic error: `mean((ln(1 + y) − ln(1 + ŷ))²)`.

    >>> round(float(MeanSquaredLogarithmicError()([[0.0]], [[1.0]])), 4)
    0.4805
    """

    function = losses.mean_squared_logarithmic_error


class LogCoshError(_Averaged):
    """Mean logarithm of the hyperbolic cosine of the error.

    >>> round(float(LogCoshError()([[0.0]], [[1.0]])), 4)
    0.4338
    """

    name: str = "logcosh"

    function = losses.log_cosh


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Give the cosine of the angle: 1 is the same direction (the loss has the other sign).

    >>> cosine_similarity([[1.0, 0.0]], [[2.0, 0.0]])
    array([1.], dtype=float32)
    """
    return -losses.cosine_similarity(y_true, y_pred, axis=axis)


class CosineSimilarity(_Averaged):
    """Mean cosine of the angle between targets and predictions.

    >>> float(CosineSimilarity()([[1.0, 0.0]], [[2.0, 0.0]]))
    1.0
    """

    name: str = "cosine_similarity"
    dtype: str | None = None
    axis: int = -1

    function = cosine_similarity


class R2Score(Metric):
    """Coefficient of determination: `1 − Σ(y − ŷ)² / Σ(y − mean(y))²`, each output for itself.

    A constant target gives 0, or 1 if it is met exactly.

    Args:
        class_aggregation: "uniform_average", "variance_weighted_average", or None for each output.
        num_regressors: how many inputs there are, for the adjusted score; 0 for the plain one.
        name: what logs call it.
        dtype: see `Metric`.

    Raises:
        UserError: if an argument is not as above.

    >>> float(R2Score()([[1.0], [2.0], [3.0]], [[1.0], [2.0], [2.0]]))
    0.5
    """

    class_aggregation: str | None = "uniform_average"
    num_regressors: int = 0

    built = False

    def __post_init__(self) -> None:
        super().__post_init__()
        known = ("uniform_average", "variance_weighted_average", None)
        if self.class_aggregation not in known:
            raise unknown("class_aggregation", self.class_aggregation, [str(k) for k in known])
        if self.num_regressors < 0:
            raise UserError(f"num_regressors is {self.num_regressors}", mend="give 0 or more")
        self.num_samples = self._add()

    def build(self, y_true_shape: Sequence[int], y_pred_shape: Sequence[int]) -> None:
        """Declare one number an output."""
        outputs = y_pred_shape[-1:] if len(y_pred_shape) > 1 else (1,)
        self.count = self._add(outputs)
        self.mean = self._add(outputs)
        self.total = self._add(outputs)  # Σ w (y − mean)²
        self.residual = self._add(outputs)  # Σ w (y − ŷ)²
        self.built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch.

        Source: Chan et al., Updating formulae and a pairwise algorithm for computing sample
        variances (1979): means are merged, so that large targets lose no digits.
        """
        y_true, y_pred = pair(y_true, self._as_float(y_pred))
        self._build_for(y_true, y_pred)
        y, p = (ops.reshape(x, shape=(-1, self.count.shape[0])) for x in (y_true, y_pred))
        w = spread_weights(sample_weight, y_pred)
        w = ops.reshape(w, shape=(-1, self.count.shape[0]))
        n = ops.sum(w, axis=0)
        mean = ratio(ops.sum(w * y, axis=0), n)
        count = self.count + n
        shift = mean - self.mean
        inside = ops.sum(w * ops.square(y - ops.expand_dims(mean, 0)), axis=0)
        self.total = self.total + inside + ratio(ops.square(shift) * self.count * n, count)
        self.mean = self.mean + ratio(shift * n, count)
        self.residual = self.residual + ops.sum(w * ops.square(y - p), axis=0)
        self.count = count
        self.num_samples = self.num_samples + ops.count(y)

    def result(self) -> Any:
        """Read the score."""
        if not self.built:
            return self.num_samples
        flat = self.total == 0
        score = 1 - self.residual / ops.where(flat, 1, self.total)
        met = as_float(self.residual == 0, self.dtype)
        score = ops.where(flat, met, score)
        if self.class_aggregation == "uniform_average":
            score = ops.mean(score)
        elif self.class_aggregation == "variance_weighted_average":
            score = ratio(ops.sum(score * self.total), ops.sum(self.total))
        if self.num_regressors == 0:
            return score
        free = self.num_samples - self.num_regressors - 1
        adjusted = 1 - (1 - score) * (self.num_samples - 1) / ops.where(free > 0, free, 1)
        return ops.where(free > 0, adjusted, score)


# ----------------------------------------------------------------------------------------- margins


class Hinge(_Averaged):
    """Mean hinge loss.

    >>> float(Hinge()([[1.0, -1.0]], [[0.5, -2.0]]))
    0.25
    """

    function = losses.hinge


class SquaredHinge(_Averaged):
    """Mean squared hinge loss.

    >>> float(SquaredHinge()([[1.0, -1.0]], [[0.5, -2.0]]))
    0.125
    """

    function = losses.squared_hinge


class CategoricalHinge(_Averaged):
    """Mean categorical hinge loss.

    >>> float(CategoricalHinge()([[0.0, 1.0]], [[0.5, 0.75]]))
    0.75
    """

    function = losses.categorical_hinge


# ----------------------------------------------------------------------------------- probabilities


class KLDivergence(_Averaged):
    """Mean Kullback-Leibler divergence.

    >>> round(float(KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]])), 4)
    0.1438
    """

    function = losses.kl_divergence


class Poisson(_Averaged):
    """Mean Poisson loss.

    >>> round(float(Poisson()([[2.0]], [[1.0]])), 4)
    1.0
    """

    function = losses.poisson


class BinaryCrossentropy(_Averaged):
    """Mean cross-entropy of a yes or no.

    >>> round(float(BinaryCrossentropy()([[1.0]], [[0.25]])), 4)
    1.3863
    """

    name: str = "binary_crossentropy"
    dtype: str | None = None
    from_logits: bool = False
    label_smoothing: float = 0.0

    function = losses.binary_crossentropy


class CategoricalCrossentropy(_Averaged):
    """Mean cross-entropy with one-hot targets.

    >>> round(float(CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
    0.6931
    """

    name: str = "categorical_crossentropy"
    dtype: str | None = None
    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1

    function = losses.categorical_crossentropy


class SparseCategoricalCrossentropy(_Averaged):
    """Mean cross-entropy with targets that number the class; `ignore_class` does not count.

    >>> round(float(SparseCategoricalCrossentropy()([1], [[0.5, 0.5]])), 4)
    0.6931
    """

    name: str = "sparse_categorical_crossentropy"
    dtype: str | None = None
    from_logits: bool = False
    ignore_class: int | None = None
    axis: int = -1

    function = losses.sparse_categorical_crossentropy

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch."""
        values = self.values(y_true, y_pred)
        if self.ignore_class is not None:
            counts = class_numbers(y_true, y_pred, self.axis) != self.ignore_class
            sample_weight = spread_weights(sample_weight, values) * as_float(counts, values.dtype)
        self.add(values, sample_weight)


# ---------------------------------------------------------------------------------------- accuracy


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """Give 1 where targets and predictions are equal.

    >>> accuracy([1, 2], [1, 3])
    array([1., 0.], dtype=float32)
    """
    y_true, y_pred = pair(y_true, y_pred)
    return as_float(y_true == y_pred)


class Accuracy(_Averaged):
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


class BinaryAccuracy(_Averaged):
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


class CategoricalAccuracy(_Averaged):
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


class SparseCategoricalAccuracy(_Averaged):
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


class TopKCategoricalAccuracy(_Averaged):
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


class SparseTopKCategoricalAccuracy(_Averaged):
    """How often the numbered class is among the `k` greatest predictions.

    >>> float(SparseTopKCategoricalAccuracy(k=2)([2], [[0.5, 0.2, 0.3]]))
    1.0
    """

    k: int = 5
    name: str = "sparse_top_k_categorical_accuracy"
    dtype: str | None = None
    from_sorted_ids: bool = False

    function = sparse_top_k_categorical_accuracy


# ---------------------------------------------------------------------- right and wrong, yes and no

_UNSET: Any = None  # what a subclass may make a field
COUNTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")


def spread_weights(sample_weight: Any, y: Any) -> Any:
    """Give every entry of `y` its sample's weight."""
    weight = as_float(1 if sample_weight is None else sample_weight, y.dtype)
    _, weight = losses.weights_like(y, weight)
    return ops.broadcast_to(weight, y.shape)


def share(part: Any, rest: Any) -> Any:
    """Say how much a part is of the whole: `part / (part + rest)`, 0 of nothing."""
    return ratio(part, part + rest)


def confusion_counts(
    y_true: Any, y_pred: Any, weight: Any, thresholds: Sequence[float], which: Sequence[str]
) -> list[Any]:
    """Count by threshold and label how often yes and no are right and wrong.

    Args:
        y_true: `(n, labels)`; what is not 0 is a yes.
        y_pred: `(n, labels)`; what is above a threshold is called a yes.
        weight: `(n, labels)`.
        thresholds: the thresholds.
        which: some of `COUNTS`.

    Returns:
        As many arrays `(thresholds, labels)`.
    """
    levels = np.asarray(thresholds, y_pred.dtype).reshape(-1, 1, 1)
    called = as_float(ops.expand_dims(y_pred, 0) > levels, y_pred.dtype)  # (thresholds, n, labels)
    yes = as_float(ops.expand_dims(y_true, 0) != 0, y_pred.dtype)
    weight = ops.expand_dims(weight, 0)
    of = {
        "true_positives": lambda: called * (yes * weight),
        "false_positives": lambda: called * ((1 - yes) * weight),
        "true_negatives": lambda: (1 - called) * ((1 - yes) * weight),
        "false_negatives": lambda: (1 - called) * (yes * weight),
    }
    return [ops.sum(of[name](), axis=1) for name in which]


class _Counting(Metric):
    """Counts right and wrong answers by threshold, over all labels together."""

    counts: ClassVar[tuple[str, ...]] = COUNTS
    thresholds = top_k = class_id = _UNSET
    true_positives = false_positives = true_negatives = false_negatives = _UNSET

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.counts:
            setattr(self, name, self._add((len(self.levels()),)))

    def levels(self) -> list[float]:
        """List the thresholds."""
        if self.thresholds is None:
            return [0.5 if self.top_k is None else BELOW_ALL]
        levels = [float(t) for t in np.atleast_1d(self.thresholds)]
        if not all(0 <= t <= 1 for t in levels):
            raise UserError(f"thresholds are {levels}", mend="give numbers from 0 to 1")
        return levels

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch."""
        y, p = pair(y_true, self._as_float(y_pred))
        w = spread_weights(sample_weight, p)
        if self.top_k is not None:
            p = ops.where(among_greatest(p, self.top_k), p, BELOW_ALL)
        if self.class_id is not None:
            y, p, w = (x[..., self.class_id] for x in (y, p, w))
        y, p, w = (ops.reshape(x, shape=(-1, 1)) for x in (y, p, w))
        found = confusion_counts(y, p, w, self.levels(), self.counts)
        for name, count in zip(self.counts, found, strict=True):
            setattr(self, name, getattr(self, name) + ops.squeeze(count, -1))

    def alone(self, values: Any) -> Any:
        """Give the number itself where there is one threshold only."""
        return values[0] if values.shape[0] == 1 else values


BELOW_ALL = -1e10  # what is not among the k greatest counts as a no at every threshold


def among_greatest(x: Any, k: int) -> Any:
    """Tell which entries are among the `k` greatest along the last axis.

    >>> among_greatest(np.array([3.0, 1.0, 2.0]), 2)
    array([ True, False,  True])
    """
    order = ops.argsort(-x, axis=-1, stable=True)
    return ops.argsort(order, axis=-1) < k


class TruePositives(_Counting):
    """How many targets that are yes are called so.

    >>> float(TruePositives()([0, 1, 1, 1], [1, 0, 1, 1]))
    2.0
    """

    thresholds: Any = None

    counts = ("true_positives",)

    def result(self) -> Any:
        """Read the count."""
        return self.alone(self.true_positives)


class FalsePositives(_Counting):
    """How many targets that are no are called yes.

    >>> float(FalsePositives()([0, 1, 0, 0], [0, 0, 1, 1]))
    2.0
    """

    thresholds: Any = None

    counts = ("false_positives",)

    def result(self) -> Any:
        """Read the count."""
        return self.alone(self.false_positives)


class TrueNegatives(_Counting):
    """How many targets that are no are called so.

    >>> float(TrueNegatives()([0, 1, 0, 0], [1, 1, 0, 0]))
    2.0
    """

    thresholds: Any = None

    counts = ("true_negatives",)

    def result(self) -> Any:
        """Read the count."""
        return self.alone(self.true_negatives)


class FalseNegatives(_Counting):
    """How many targets that are yes are called no.

    >>> float(FalseNegatives()([0, 1, 1, 1], [0, 1, 0, 0]))
    2.0
    """

    thresholds: Any = None

    counts = ("false_negatives",)

    def result(self) -> Any:
        """Read the count."""
        return self.alone(self.false_negatives)


class Precision(_Counting):
    """How much of what is called yes is a yes: `TP / (TP + FP)`.

    Args:
        thresholds: one or several; 0.5 if it is not given.
        top_k: only the `k` greatest predictions of a sample can be a yes.
        class_id: look at this class only.
        name: what logs call it.
        dtype: see `Metric`.

    >>> round(float(Precision()([0, 1, 1, 1], [1, 0, 1, 1])), 4)
    0.6667
    """

    thresholds: Any = None
    top_k: int | None = None
    class_id: int | None = None

    counts = ("true_positives", "false_positives")

    def result(self) -> Any:
        """Read the share."""
        return self.alone(share(self.true_positives, self.false_positives))


class Recall(_Counting):
    """How much of what is a yes is called so: `TP / (TP + FN)`.

    Args:
        thresholds: one or several; 0.5 if it is not given.
        top_k: only the `k` greatest predictions of a sample can be a yes.
        class_id: look at this class only.
        name: what logs call it.
        dtype: see `Metric`.

    >>> round(float(Recall()([0, 1, 1, 1], [1, 0, 1, 1])), 4)
    0.6667
    """

    thresholds: Any = None
    top_k: int | None = None
    class_id: int | None = None

    counts = ("true_positives", "false_negatives")

    def result(self) -> Any:
        """Read the share."""
        return self.alone(share(self.true_positives, self.false_negatives))


class _TradeOff(_Counting):
    """The best of one share where another is at least so much, over evenly spread thresholds."""

    num_thresholds = _UNSET

    def levels(self) -> list[float]:
        """List the thresholds."""
        if self.num_thresholds < 1:
            raise UserError(f"num_thresholds is {self.num_thresholds}", mend="give 1 or more")
        if self.num_thresholds == 1:
            return [0.5]
        return [i / (self.num_thresholds - 1) for i in range(self.num_thresholds)]

    def best(self, wanted: Any, held: Any, least: float) -> Any:
        """Give the greatest of one share where another is at least so much; 0 if it never is."""
        return ops.max(ops.where(held >= least, wanted, 0))

    def check(self, name: str) -> None:
        """Raise if an argument is not a share."""
        if not 0 <= getattr(self, name) <= 1:
            raise UserError(f"{name} is {getattr(self, name)}", mend="give a number from 0 to 1")


class SensitivityAtSpecificity(_TradeOff):
    """The best sensitivity where specificity is at least so much.

    >>> float(SensitivityAtSpecificity(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]))
    0.5
    """

    specificity: float
    num_thresholds: int = 200
    class_id: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("specificity")

    def result(self) -> Any:
        """Read the share."""
        wanted = share(self.true_positives, self.false_negatives)
        held = share(self.true_negatives, self.false_positives)
        return self.best(wanted, held, self.specificity)


class SpecificityAtSensitivity(_TradeOff):
    """The best specificity where sensitivity is at least so much.

    >>> round(float(SpecificityAtSensitivity(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])), 4)
    0.6667
    """

    sensitivity: float
    num_thresholds: int = 200
    class_id: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("sensitivity")

    def result(self) -> Any:
        """Read the share."""
        wanted = share(self.true_negatives, self.false_positives)
        held = share(self.true_positives, self.false_negatives)
        return self.best(wanted, held, self.sensitivity)


class PrecisionAtRecall(_TradeOff):
    """The best precision where recall is at least so much.

    >>> float(PrecisionAtRecall(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]))
    0.5
    """

    recall: float
    num_thresholds: int = 200
    class_id: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("recall")

    def result(self) -> Any:
        """Read the share."""
        wanted = share(self.true_positives, self.false_positives)
        held = share(self.true_positives, self.false_negatives)
        return self.best(wanted, held, self.recall)


class RecallAtPrecision(_TradeOff):
    """The best recall where precision is at least so much.

    >>> float(RecallAtPrecision(0.8)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]))
    0.5
    """

    precision: float
    num_thresholds: int = 200
    class_id: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("precision")

    def result(self) -> Any:
        """Read the share."""
        wanted = share(self.true_positives, self.false_negatives)
        held = share(self.true_positives, self.false_positives)
        return self.best(wanted, held, self.precision)


class AUC(Metric):
    """Area under a curve that a moving threshold draws.

    Args:
        num_thresholds: how many thresholds, spread evenly from 0 to 1.
        curve: "ROC", sensitivity over the share of false alarms; "PR", precision over recall;
            "PRGAIN", the same as gains over always saying yes.
        summation_method: "interpolation" (trapezia; Davis and Goadrich's for "PR"), "minoring"
            or "majoring" (rectangles below or above).
        name: what logs call it.
        dtype: see `Metric`.
        thresholds: the inner thresholds, instead of `num_thresholds`.
        multi_label: whether each label has an area of its own; their mean is the result.
        num_labels: how many labels there are; found out if it is not given.
        label_weights: how much each label counts.
        from_logits: whether predictions are logits.

    Raises:
        UserError: if an argument is not as above.

    Source: Davis and Goadrich, The relationship between precision-recall and ROC curves (ICML
    2006); Flach and Kull, Precision-recall-gain curves (NeurIPS 2015).

    >>> float(AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]))
    0.75
    """

    num_thresholds: int = 200
    curve: str = "ROC"
    summation_method: str = "interpolation"
    name: str = "auc"
    dtype: str | None = None
    thresholds: Any = None
    multi_label: bool = False
    num_labels: int | None = None
    label_weights: Any = None
    from_logits: bool = False

    built = False
    true_positives = false_positives = true_negatives = false_negatives = _UNSET

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, known in (
            ("curve", ("roc", "pr", "prgain")),
            ("summation_method", ("interpolation", "minoring", "majoring")),
        ):
            if str(getattr(self, name)).lower() not in known:
                raise unknown(name, getattr(self, name), known)
        if self.num_labels and not self.multi_label:
            raise UserError("num_labels was given without multi_label", mend="multi_label=True")
        if self.thresholds is None and self.num_thresholds < 2:
            raise UserError(f"num_thresholds is {self.num_thresholds}", mend="give 2 or more")
        if not self.multi_label:
            self.build((), ())
        elif self.num_labels:
            self.build((), (self.num_labels,))

    def levels(self) -> list[float]:
        """List the thresholds: the first calls everything a yes, the last nothing."""
        steps = self.num_thresholds - 1
        inner = [i / steps for i in range(1, steps)] if self.thresholds is None else self.thresholds
        return [-EPSILON, *sorted(float(t) for t in inner), 1 + EPSILON]

    def build(self, y_true_shape: Sequence[int], y_pred_shape: Sequence[int]) -> None:
        """Declare the counts by threshold, and by label if each has an area of its own."""
        labels = (y_pred_shape[-1],) if self.multi_label else ()
        for name in COUNTS:
            setattr(self, name, self._add((len(self.levels()), *labels)))
        self.built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch."""
        y, p = pair(y_true, self._as_float(y_pred))
        self._build_for(y, p)
        if self.from_logits:
            p = ops.sigmoid(p)
        w = spread_weights(sample_weight, p)
        if self.label_weights is not None and not self.multi_label:
            w = w * ops.reshape(self._as_float(self.label_weights), shape=(1, -1))
        last = p.shape[-1] if self.multi_label else 1
        y, p, w = (ops.reshape(x, shape=(-1, last)) for x in (y, p, w))
        found = confusion_counts(y, p, w, self.levels(), COUNTS)
        for name, count in zip(COUNTS, found, strict=True):
            old = getattr(self, name)
            setattr(self, name, old + ops.reshape(count, shape=tuple(old.shape)))

    def result(self) -> Any:
        """Read the area."""
        if not self.built:
            return np.zeros((), self.dtype)
        curve, method = self.curve.lower(), self.summation_method.lower()
        if curve == "pr" and method == "interpolation":
            areas = self._interpolated()
        else:
            x, y = self._curve(curve)
            heights: dict[str, Callable[..., Any]] = {
                "interpolation": lambda a, b: (a + b) / 2,
                "minoring": ops.minimum,
                "majoring": ops.maximum,
            }
            areas = (x[:-1] - x[1:]) * heights[method](y[:-1], y[1:])
        area = ops.sum(areas, axis=0)
        if not self.multi_label:
            return area
        if self.label_weights is None:
            return ops.mean(area)
        weights = self._as_float(self.label_weights)
        return ratio(ops.sum(area * weights), ops.sum(weights))

    def _curve(self, curve: str) -> tuple[Any, Any]:
        tp, fp = self.true_positives, self.false_positives
        tn, fn = self.true_negatives, self.false_negatives
        if curve == "roc":
            return share(fp, tn), share(tp, fn)
        if curve == "pr":
            return share(tp, fn), share(tp, fp)
        odds = ratio(tp + fn, tn + fp)
        gain = 1 - odds * ratio(fn, tp)
        return (
            ops.maximum(ops.where(tp == 0, 0, gain), 0),
            ops.where(tp == 0, 1, 1 - odds * ratio(fp, tp)),
        )

    def _interpolated(self) -> Any:
        """Areas between points of the PR curve: false positives grow in line with true ones."""
        tp, called = self.true_positives, self.true_positives + self.false_positives
        slope = ratio(tp[:-1] - tp[1:], ops.maximum(called[:-1] - called[1:], 0))
        intercept = tp[1:] - slope * called[1:]
        both = (called[:-1] > 0) & (called[1:] > 0)
        growth = ops.where(both, ratio(called[:-1], called[1:]), 1)
        area = slope * (tp[:-1] - tp[1:] + intercept * ops.log(growth))
        return ratio(area, tp[1:] + self.false_negatives[1:])


class _FScore(Metric):
    """A weighted harmonic mean of precision and recall."""

    average: str | None = None
    beta: float = 1.0
    threshold: float | None = None

    built = False

    def __post_init__(self) -> None:
        super().__post_init__()
        known = (None, "micro", "macro", "weighted")
        if self.average not in known:
            raise unknown("average", self.average, [str(k) for k in known])
        if not self.beta > 0:
            raise UserError(f"beta is {self.beta}", mend="give a number above 0")
        if self.threshold is not None and not 0 < self.threshold <= 1:
            raise UserError(
                f"threshold is {self.threshold}", mend="give a number above 0, at most 1"
            )

    def build(self, y_true_shape: Sequence[int], y_pred_shape: Sequence[int]) -> None:
        """Declare the counts, one a class unless all are counted together."""
        if len(y_pred_shape) != 2:
            raise UserError(
                f"predictions have shape {tuple(y_pred_shape)}",
                self.name,
                "give one column a class: (samples, classes)",
            )
        shape = () if self.average == "micro" else (y_pred_shape[-1],)
        self.true_positives = self._add(shape)
        self.false_positives = self._add(shape)
        self.false_negatives = self._add(shape)
        self.built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch."""
        y, p = pair(y_true, self._as_float(y_pred))
        self._build_for(y, p)
        if self.threshold is None:
            greatest = p >= ops.max(p, axis=-1, keepdims=True)
            called = greatest & (ops.absolute(p) > 1e-9)
        else:
            called = p > self.threshold
        c = as_float(called, p.dtype)
        w = spread_weights(sample_weight, p)
        axis = None if self.average == "micro" else 0
        self.true_positives = self.true_positives + ops.sum(w * c * y, axis=axis)
        self.false_positives = self.false_positives + ops.sum(w * c * (1 - y), axis=axis)
        self.false_negatives = self.false_negatives + ops.sum(w * (1 - c) * y, axis=axis)

    def result(self) -> Any:
        """Read the score."""
        if not self.built:
            return np.zeros((), self.dtype)
        precision = share(self.true_positives, self.false_positives)
        recall = share(self.true_positives, self.false_negatives)
        b = self.beta**2
        score = (1 + b) * ratio(precision * recall, b * precision + recall)
        if self.average is None:
            return score
        if self.average == "weighted":
            weights = self.true_positives + self.false_negatives
            return ratio(ops.sum(score * weights), ops.sum(weights))
        return ops.mean(score)


class FBetaScore(_FScore):
    """Weighted harmonic mean of precision and recall: `(1 + β²)·P·R / (β²·P + R)`.

    Args:
        average: None for one score a class; "micro" counts all classes together, "macro" averages
            the classes, "weighted" averages them by how often they are the target.
        beta: how much recall counts against precision, β.
        threshold: what is above is a yes; without it the greatest prediction is.
        name: what logs call it.
        dtype: see `Metric`.

    Raises:
        UserError: if an argument is not as above.

    >>> FBetaScore(beta=2.0, threshold=0.5)([[1, 1], [1, 0]], [[0.6, 0.7], [0.2, 0.6]]).round(4)
    array([0.5556, 0.8333], dtype=float32)
    """

    average: str | None = None
    beta: float = 1.0
    threshold: float | None = None
    name: str = "fbeta_score"


class F1Score(_FScore):
    """Harmonic mean of precision and recall: `2·P·R / (P + R)`.

    Args:
        average: see `FBetaScore`.
        threshold: see `FBetaScore`.
        name: what logs call it.
        dtype: see `Metric`.

    Raises:
        UserError: if an argument is not as there.

    >>> F1Score(threshold=0.5)([[1, 1], [1, 0]], [[0.6, 0.7], [0.2, 0.6]]).round(4)
    array([0.6667, 0.6667], dtype=float32)
    """

    average: str | None = None
    threshold: float | None = None


# ----------------------------------------------------------------------------- one class of several


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


# ------------------------------------------------------------------------------------ finding them

for _kind, _names in (
    (MeanSquaredError, ("mse", "MSE")),
    (MeanAbsoluteError, ("mae", "MAE")),
    (MeanAbsolutePercentageError, ("mape", "MAPE")),
    (MeanSquaredLogarithmicError, ("msle", "MSLE")),
    (BinaryCrossentropy, ("bce", "BCE")),
):
    registry.add(_kind, snake(_kind.__name__), *_names)


def get(identifier: Any) -> Any:
    """Find a metric by name, or give the object itself.

    Raises:
        UserError: if there is none of that name.

    >>> get("mse").name
    'mean_squared_error'
    """
    return registry.get(identifier)


def deserialize(config: Any) -> Any:
    """Find again what `serialize` wrote down.

    >>> deserialize(serialize(TopKCategoricalAccuracy(k=2))).k
    2
    """
    return registry.get(config)


def resolve(
    identifier: Any, y_true_shape: Sequence[int], y_pred_shape: Sequence[int], loss: Any = None
) -> Metric:
    """Make the built metric that training uses, whatever `compile` was given.

    Args:
        identifier: a name, a function, a class, a config or an object. "accuracy" ("acc") and
            "crossentropy" ("ce") become what the shapes say: for one output the binary one, for
            targets that number the class the sparse one, else the categorical one.
        y_true_shape: shape of the targets.
        y_pred_shape: shape of the predictions.
        loss: the loss; whether it takes logits holds for the cross-entropy too.

    Raises:
        UserError: if it does not name a metric.

    >>> type(resolve("accuracy", (8,), (8, 3))).__name__
    'SparseCategoricalAccuracy'
    """
    kind = losses.target_kind(y_true_shape, y_pred_shape)
    lower = identifier.lower() if isinstance(identifier, str) else ""
    if lower in ("accuracy", "acc"):
        metric = get(f"{kind}_accuracy")
    elif lower in ("crossentropy", "ce"):
        metric = registry.find(f"{kind}_crossentropy")(
            from_logits=getattr(loss, "from_logits", False)
        )
    else:
        metric = get(identifier)
    if not isinstance(metric, Metric):
        metric = MeanMetricWrapper(metric)
    if isinstance(identifier, str):
        metric.name = identifier
    if not metric.built:
        metric.build(tuple(y_true_shape), tuple(y_pred_shape))
    return metric
