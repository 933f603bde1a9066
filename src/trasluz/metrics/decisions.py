"""Metrics of decisions at thresholds: counts, precision, recall, areas under curves, F scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from trasluz.autodiff import ops
from trasluz.errors import MISFITS, UserError, shown, unknown
from trasluz.losses.base import EPSILON, as_float, pair, ratio
from trasluz.metrics.base import Metric, share, spread_weights

_UNSET: Any = None  # what a subclass may make a field
_MOST_THRESHOLDS = 10**6
COUNTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")
SHARES = {
    "precision": ("true_positives", "false_positives"),
    "recall": ("true_positives", "false_negatives"),
    "sensitivity": ("true_positives", "false_negatives"),
    "specificity": ("true_negatives", "false_positives"),
}  # each the part that the first count has of both


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
        try:
            levels = [float(t) for t in np.atleast_1d(self.thresholds)]
        except MISFITS:
            levels = [np.nan]
        if not all(0 <= t <= 1 for t in levels):
            given = shown(self.thresholds)
            raise UserError(f"thresholds are {given}", self.name, "give numbers from 0 to 1")
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
        counts = confusion_counts(y, p, w, self.levels(), self.counts)
        for name, count in zip(self.counts, counts, strict=True):
            setattr(self, name, getattr(self, name) + ops.squeeze(count, -1))

    def share(self, name: str) -> Any:
        """Give one of `SHARES` at every threshold."""
        part, rest = SHARES[name]
        return share(getattr(self, part), getattr(self, rest))

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


class _Count(_Counting):
    """One of the counts."""

    def result(self) -> Any:
        """Read the count."""
        return self.alone(getattr(self, self.counts[0]))


class TruePositives(_Count):
    """How many targets that are yes are called so.

    >>> float(TruePositives()([0, 1, 1, 1], [1, 0, 1, 1]))
    2.0
    """

    thresholds: Any = None

    counts = ("true_positives",)


class FalsePositives(_Count):
    """How many targets that are no are called yes.

    >>> float(FalsePositives()([0, 1, 0, 0], [0, 0, 1, 1]))
    2.0
    """

    thresholds: Any = None

    counts = ("false_positives",)


class TrueNegatives(_Count):
    """How many targets that are no are called so.

    >>> float(TrueNegatives()([0, 1, 0, 0], [1, 1, 0, 0]))
    2.0
    """

    thresholds: Any = None

    counts = ("true_negatives",)


class FalseNegatives(_Count):
    """How many targets that are yes are called no.

    >>> float(FalseNegatives()([0, 1, 1, 1], [0, 1, 0, 0]))
    2.0
    """

    thresholds: Any = None

    counts = ("false_negatives",)


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

    counts = SHARES["precision"]

    def result(self) -> Any:
        """Read the share."""
        return self.alone(self.share("precision"))


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

    counts = SHARES["recall"]

    def result(self) -> Any:
        """Read the share."""
        return self.alone(self.share("recall"))


class _TradeOff(_Counting):
    """The best of one share where another is at least so much, over evenly spread thresholds.

    A subclass says which, `wanted` and `held`; how much is its field of the name of the latter.
    """

    wanted: ClassVar[str]
    held: ClassVar[str]
    num_thresholds = _UNSET

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= (least := getattr(self, self.held)) <= 1:
            raise UserError(f"{self.held} is {least}", mend="give a number from 0 to 1")

    def levels(self) -> list[float]:
        """List the thresholds."""
        if self.num_thresholds > _MOST_THRESHOLDS or self.num_thresholds < 1:
            raise UserError(f"num_thresholds is {self.num_thresholds}", mend="give 1 to a million")
        if self.num_thresholds == 1:
            return [0.5]
        return [i / (self.num_thresholds - 1) for i in range(self.num_thresholds)]

    def result(self) -> Any:
        """Read the greatest share; 0 if the other is never so much."""
        enough = self.share(self.held) >= getattr(self, self.held)
        return ops.max(ops.where(enough, self.share(self.wanted), 0))


class SensitivityAtSpecificity(_TradeOff):
    """The best sensitivity where specificity is at least so much.

    >>> float(SensitivityAtSpecificity(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]))
    0.5
    """

    specificity: float
    num_thresholds: int = 200
    class_id: int | None = None

    wanted, held = "sensitivity", "specificity"


class SpecificityAtSensitivity(_TradeOff):
    """The best specificity where sensitivity is at least so much.

    >>> round(float(SpecificityAtSensitivity(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])), 4)
    0.6667
    """

    sensitivity: float
    num_thresholds: int = 200
    class_id: int | None = None

    wanted, held = "specificity", "sensitivity"


class PrecisionAtRecall(_TradeOff):
    """The best precision where recall is at least so much.

    >>> float(PrecisionAtRecall(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]))
    0.5
    """

    recall: float
    num_thresholds: int = 200
    class_id: int | None = None

    wanted, held = "precision", "recall"


class RecallAtPrecision(_TradeOff):
    """The best recall where precision is at least so much.

    >>> float(RecallAtPrecision(0.8)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]))
    0.5
    """

    precision: float
    num_thresholds: int = 200
    class_id: int | None = None

    wanted, held = "recall", "precision"


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
        if self.thresholds is None and steps >= _MOST_THRESHOLDS:
            raise UserError(f"num_thresholds is {steps + 1}", self.name, "give 2 to a million")
        inner = [i / steps for i in range(1, steps)] if self.thresholds is None else self.thresholds
        try:
            return [-EPSILON, *sorted(float(t) for t in inner), 1 + EPSILON]
        except MISFITS:
            what = f"thresholds are {shown(self.thresholds)}"
            raise UserError(what, self.name, "give numbers from 0 to 1 in a list") from None

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
        counts = confusion_counts(y, p, w, self.levels(), COUNTS)
        for name, count in zip(COUNTS, counts, strict=True):
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
