"""Metrics that are means of one number a sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trasluz import losses
from trasluz.autodiff import ops
from trasluz.errors import UserError, unknown
from trasluz.losses.base import as_float, pair, ratio
from trasluz.losses.probabilities import class_numbers
from trasluz.metrics.base import Averaged, Metric, masked, spread_weights


class MeanSquaredError(Averaged):
    """Mean squared error: `mean((y − ŷ)²)`.

    >>> float(MeanSquaredError()([[0.0, 2.0]], [[1.0, 2.0]]))
    0.5
    """

    function = losses.mean_squared_error


class RootMeanSquaredError(Averaged):
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


class MeanAbsoluteError(Averaged):
    """Mean absolute error: `mean(|y − ŷ|)`.

    >>> float(MeanAbsoluteError()([[0.0, 2.0]], [[1.0, 2.0]]))
    0.5
    """

    function = losses.mean_absolute_error


class MeanAbsolutePercentageError(Averaged):
    """Mean absolute percentage error: `100·mean(|y − ŷ| / max(|y|, ε))`.

    >>> float(MeanAbsolutePercentageError()([[2.0, 4.0]], [[1.0, 4.0]]))
    25.0
    """

    function = losses.mean_absolute_percentage_error


class MeanSquaredLogarithmicError(Averaged):
    """Mean squared logarithmic error: `mean((ln(1 + y) − ln(1 + ŷ))²)`.

    >>> round(float(MeanSquaredLogarithmicError()([[0.0]], [[1.0]])), 4)
    0.4805
    """

    function = losses.mean_squared_logarithmic_error


class LogCoshError(Averaged):
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


class CosineSimilarity(Averaged):
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


class Hinge(Averaged):
    """Mean hinge loss.

    >>> float(Hinge()([[1.0, -1.0]], [[0.5, -2.0]]))
    0.25
    """

    function = losses.hinge


class SquaredHinge(Averaged):
    """Mean squared hinge loss.

    >>> float(SquaredHinge()([[1.0, -1.0]], [[0.5, -2.0]]))
    0.125
    """

    function = losses.squared_hinge


class CategoricalHinge(Averaged):
    """Mean categorical hinge loss.

    >>> float(CategoricalHinge()([[0.0, 1.0]], [[0.5, 0.75]]))
    0.75
    """

    function = losses.categorical_hinge


class KLDivergence(Averaged):
    """Mean Kullback-Leibler divergence.

    >>> round(float(KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]])), 4)
    0.1438
    """

    function = losses.kl_divergence


class Poisson(Averaged):
    """Mean Poisson loss.

    >>> round(float(Poisson()([[2.0]], [[1.0]])), 4)
    1.0
    """

    function = losses.poisson


class BinaryCrossentropy(Averaged):
    """Mean cross-entropy of a yes or no.

    >>> round(float(BinaryCrossentropy()([[1.0]], [[0.25]])), 4)
    1.3863
    """

    name: str = "binary_crossentropy"
    dtype: str | None = None
    from_logits: bool = False
    label_smoothing: float = 0.0

    function = losses.binary_crossentropy


class CategoricalCrossentropy(Averaged):
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


class SparseCategoricalCrossentropy(Averaged):
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
        sample_weight = masked(sample_weight, y_pred, self.dtype)
        if self.ignore_class is not None:
            counts = class_numbers(y_true, y_pred, self.axis) != self.ignore_class
            sample_weight = spread_weights(sample_weight, values) * as_float(counts, values.dtype)
        self.add(values, sample_weight)
