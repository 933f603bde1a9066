"""Finding a metric: by name, and by shapes where the name leaves it open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trasluz.base.naming import snake
from trasluz.losses.lookup import awaits_shapes, target_kind
from trasluz.metrics.base import MeanMetricWrapper, Metric, registry
from trasluz.metrics.means import (
    BinaryCrossentropy,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
)

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

    >>> from trasluz.metrics import TopKCategoricalAccuracy
    >>> from trasluz.state.registry import serialize
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
    kind = target_kind(y_true_shape, y_pred_shape)
    if isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc"):
        metric = get(f"{kind}_accuracy")
    elif awaits_shapes(identifier):
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


# Parts of the names of measures, by which it is told whether greater is better, in small letters;
# one with an underscore in front begins a word.
GREATER_IS_BETTER = (
    "acc", "auc", "precision", "recall", "f1", "fbeta", "f_beta", "r2", "iou", "_io_u",
    "sensitivity", "specificity", "true_positives", "true_negatives", "cosine_similarity",
)  # fmt: skip
SMALLER_IS_BETTER = (
    "loss", "error", "mse", "mae", "mape", "msle", "bce", "crossentropy", "divergence", "hinge",
    "poisson", "log_cosh", "huber", "false_positives", "false_negatives",
)  # fmt: skip
