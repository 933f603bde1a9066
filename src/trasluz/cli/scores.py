"""How good predictions are: metrics, confusion matrix and residuals, in the targets' own units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trasluz.preparation import Preparation, Task


def scores(
    preparation: Preparation, truths: NDArray[Any], outputs: NDArray[Any]
) -> dict[str, float]:
    """Measure predictions: error and fit for numbers, hits and confidence for classes."""
    if preparation.task is Task.REGRESSION:
        return _scores_of_numbers(preparation, truths, preparation.values(outputs))
    return _scores_of_classes(preparation, truths, outputs)


def confusion(
    preparation: Preparation, truths: NDArray[Any], outputs: NDArray[Any]
) -> NDArray[np.int64]:
    """Count the rows of each class (down) by the class predicted (across)."""
    size = len(preparation.classes)
    counts = np.zeros((size, size), np.int64)
    np.add.at(counts, (truths, preparation.values(outputs)), 1)
    return counts


def residuals(
    preparation: Preparation, truths: NDArray[Any], outputs: NDArray[Any]
) -> dict[str, dict[str, float]]:
    """Summarise truth minus prediction for each target."""
    left = truths - preparation.values(outputs)
    quantiles = {"min": 0.0, "q1": 0.25, "median": 0.5, "q3": 0.75, "max": 1.0}
    return {
        name: {
            "mean": float(column.mean()),
            "std": float(column.std()),
            **{label: float(np.quantile(column, share)) for label, share in quantiles.items()},
        }
        for name, column in zip(preparation.targets, left.T, strict=True)
    }


def _scores_of_numbers(
    preparation: Preparation, truths: NDArray[Any], values: NDArray[Any]
) -> dict[str, float]:
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    measured = {"rmse": root_mean_squared_error, "mae": mean_absolute_error, "r2": r2_score}
    if len(truths) < 2:
        del measured["r2"]
    several = len(preparation.targets) > 1
    return {
        f"{metric} {target}" if several else metric: float(measure(truths[:, i], values[:, i]))
        for i, target in enumerate(preparation.targets)
        for metric, measure in measured.items()
    }


def _scores_of_classes(
    preparation: Preparation, truths: NDArray[Any], outputs: NDArray[Any]
) -> dict[str, float]:
    from sklearn.metrics import accuracy_score, f1_score, log_loss, roc_auc_score

    values, shares = preparation.values(outputs), preparation.probabilities(outputs)
    labels = list(range(len(preparation.classes)))
    found: Mapping[str, float] = {
        "accuracy": accuracy_score(truths, values),
        "f1": f1_score(truths, values, labels=labels, average="macro", zero_division=0),
        "crossentropy": log_loss(truths, _summing_to_one(shares), labels=labels),
    }
    found = {name: float(value) for name, value in found.items()}
    if preparation.task is Task.BINARY and len(np.unique(truths)) == 2:
        found["auc"] = float(roc_auc_score(truths, shares[:, 1]))
    return found


def _summing_to_one(shares: NDArray[Any]) -> NDArray[np.float64]:
    """Undo float32's rounding, which scikit-learn would warn of."""
    shares = shares.astype(np.float64)
    return shares / shares.sum(axis=1, keepdims=True)
