"""How good predictions are: metrics, confusion matrix and residuals, in the targets' own units."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trasluz.tables.preparation import Preparation
from trasluz.tables.task import Task


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
    several = len(preparation.targets) > 1
    measures: dict[str, float] = {}
    for i, target in enumerate(preparation.targets):
        y = truths[:, i]
        off = y - values[:, i]
        ending = f" {target}" if several else ""
        measures[f"rmse{ending}"] = float(np.sqrt((off**2).mean()))
        measures[f"mae{ending}"] = float(np.abs(off).mean())
        if len(y) > 1:
            measures[f"r2{ending}"] = _explained((off**2).sum(), ((y - y.mean()) ** 2).sum())
    return measures


def _explained(left: float, whole: float) -> float:
    """The part of the variance that is explained; of none, all or nothing."""
    return float(1 - left / whole) if whole else float(left == 0)


def _scores_of_classes(
    preparation: Preparation, truths: NDArray[Any], outputs: NDArray[Any]
) -> dict[str, float]:
    shares = _summing_to_one(preparation.probabilities(outputs))
    counts = confusion(preparation, truths, outputs)
    hits = counts.diagonal()
    f1 = 2 * hits / np.maximum(counts.sum(axis=0) + counts.sum(axis=1), 1)
    sure = np.maximum(shares[np.arange(len(truths)), truths], np.finfo(np.float64).eps)
    measures = {
        "accuracy": float(hits.sum() / len(truths)),
        "f1": float(f1.mean()),
        "crossentropy": float(-np.log(sure).mean()),
    }
    if preparation.task is Task.BINARY and len(np.unique(truths)) == 2:
        measures["auc"] = _ranked(outputs[truths == 0, 0], outputs[truths == 1, 0])
    return measures


def _ranked(first: NDArray[Any], second: NDArray[Any]) -> float:
    """How often a row of the second class has the greater output than one of the first.

    That is the area under the ROC curve; where both are equal, half of it counts.
    """
    first = np.sort(first)
    below, up_to = (np.searchsorted(first, second, side) for side in ("left", "right"))
    return float((below + up_to).mean() / 2 / len(first))


def _summing_to_one(shares: NDArray[Any]) -> NDArray[np.float64]:
    """Undo float32's rounding."""
    shares = shares.astype(np.float64)
    return shares / shares.sum(axis=1, keepdims=True)
