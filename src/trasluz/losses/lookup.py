"""Finding a loss: by name, and by shapes where the name leaves it open."""

from __future__ import annotations

from typing import Any

from trasluz.losses.base import Loss, LossFunctionWrapper, registry
from trasluz.losses.margins import CategoricalHinge, Hinge, PerceptronLoss, SquaredHinge
from trasluz.losses.probabilities import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
)
from trasluz.losses.regression import (
    CosineSimilarity,
    HalfSquaredError,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    SumOfSquaredResiduals,
)

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

    >>> from trasluz.state.registry import serialize
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
    if awaits_shapes(identifier) and y_pred_shape is not None:
        identifier = f"{target_kind(y_true_shape, y_pred_shape)}_crossentropy"
    loss = get(identifier)
    if loss is None or isinstance(loss, Loss):
        return loss
    return _CLASS_OF[loss]() if loss in _CLASS_OF else LossFunctionWrapper(loss)


def awaits_shapes(identifier: Any) -> bool:
    """Tell whether only the shapes say which cross-entropy a name means.

    >>> awaits_shapes("ce"), awaits_shapes("mse")
    (True, False)
    """
    return isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce")


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
