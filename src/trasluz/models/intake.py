"""What a model takes: data of the shapes and types that it was built for."""

from __future__ import annotations

from typing import Any

import numpy as np

from trasluz.base.tree import leaves
from trasluz.data.arrays import Arrays
from trasluz.data.streams import Stream, is_stream
from trasluz.errors import UserError, shown
from trasluz.state.module import weights_of
from trasluz.training.own import is_own

Data = Arrays | Stream


def to_train_on(
    model: Any,
    x: Any,
    y: Any,
    sample_weight: Any = None,
    class_weight: Any = None,
    steps: int | None = None,
    split: float = 0.0,
) -> tuple[Data, Arrays | None]:
    """Take in data to train on, and set a part of the rows aside to measure on.

    Args:
        model: what is trained.
        x: inputs, or an iterable of batches.
        y: targets.
        sample_weight: weight of each row in the loss.
        class_weight: weight of each class in the loss of the rows to train on.
        steps: batches an epoch, for an iterable.
        split: the part of the rows to set aside.

    Raises:
        UserError: if inputs or targets are missing, or do not fit the model.
    """
    if is_stream(x, y):
        if sample_weight is not None or not _is_none(split):
            raise UserError(
                "sample_weight and validation_split are for arrays, not for an iterable",
                "fit",
                "yield (x, y, weights), and give validation_data",
            )
        return stream(model, x, steps, class_weight), None
    rows, aside = with_targets(model, x, y, sample_weight), None
    if not _is_none(split):
        rows, aside = rows.split(split)
    if class_weight is not None:
        rows.weigh(class_weight, floating_type(model))
    return rows, aside


def _is_none(split: Any) -> bool:
    """Tell that no rows are to be set aside."""
    return split is None or (isinstance(split, (int, float, np.number)) and split == 0)


def to_measure_on(model: Any, given: Any, steps: int | None) -> Data | None:
    """Take in what `validation_data` was given: arrays, an iterable, or nothing."""
    if given is None or isinstance(given, Arrays):
        return given
    if isinstance(given, list) and all(hasattr(part, "__array__") for part in given):
        given = tuple(given)
    if isinstance(given, tuple) or hasattr(given, "__array__"):
        if not isinstance(given, tuple) or not 2 <= len(given) <= 3:
            raise UserError(
                "validation_data needs inputs and targets", mend="give (x, y) or (x, y, weights)"
            )
        return arrays(model, *given)
    if not is_stream(given, None):
        raise UserError(
            f"validation_data is {shown(given)}", mend="give (x, y), or an iterable of batches"
        )
    return stream(model, given, steps)


def held_in_memory(model: Any, given: Any) -> Arrays | None:
    """Take in what `validation_data` was given where many trainings share it: no iterable."""
    data = to_measure_on(model, given, None)
    if isinstance(data, Stream):
        raise UserError("validation_data is not in memory", mend="give (x, y)")
    return data


def with_targets(model: Any, x: Any, y: Any, weights: Any = None) -> Arrays:
    """Take in arrays with their targets.

    Raises:
        UserError: if there are no targets, and the model is compiled for some.
    """
    free = model.compiled and (is_own(model) or model._compiled_with["loss"] is None)
    if x is not None and y is None and not is_stream(x, y) and not free:
        raise UserError("there are inputs without targets", mend="give (x, y, ...)")
    return arrays(model, x, y, weights)


def arrays(model: Any, x: Any, y: Any, weights: Any = None) -> Arrays:
    """Take in arrays, frames or lists; a model that is not built yet is built for them.

    Raises:
        UserError: if there are none, or they do not fit.
    """
    if x is None:
        raise UserError("there are no inputs", mend="give arrays: (x, y, ...), or x to predict")
    if is_stream(x, y):
        raise UserError(
            "an iterable of batches came where the arrays of one belong",
            mend="take one from it: x, y = next(iter(batches))",
        )
    data = Arrays(x, y, weights, floating_type(model), _declared(model))
    model._require_built(data.x)
    model._check_shape(data.x)
    model._check_choices(data.x)
    return data


def stream(model: Any, source: Any, steps: int | None, class_weight: Any = None) -> Stream:
    """Take in an iterable of batches."""
    return Stream(source, floating_type(model), steps, _declared(model), class_weight)


def _declared(model: Any) -> list[Any] | None:
    """The types that the inputs are declared to have."""
    return [t.dtype for t in leaves(model._input_symbols)] if model.built else None


def floating_type(model: Any) -> str:
    """The floating type of a model's arrays."""
    if model.built:
        for weight in weights_of(model):
            if weight.dtype.kind == "f":
                return str(weight.dtype)
    return model.compute_dtype


def check_shape(symbols: Any, x: Any, name: str) -> None:
    """Raise if data do not fit; both shapes are said.

    Args:
        symbols: the tensors that the model was drawn on.
        x: the inputs.
        name: the model's.
    """
    want, have = leaves(symbols), leaves(x)
    if len(want) != len(have):
        raise UserError(
            f"the model has {len(want)} inputs, {len(have)} were given",
            name or "model",
            "give a list with an array for each, or a dict by name",
        )
    for tensor, array in zip(want, have, strict=True):
        shape = tensor.shape
        fits = len(shape) == array.ndim and all(
            n is None or i == 0 or n == m
            for i, (n, m) in enumerate(zip(shape, array.shape, strict=True))
        )
        if not fits:
            raise UserError(
                f"data of shape {array.shape} was given, the model takes {shape}",
                tensor.name or name or "input",
                _mend(shape, tuple(array.shape)),
            )


def _mend(want: tuple[int | None, ...], have: tuple[int, ...]) -> str:
    """Say how data of a shape come to the one that is wanted."""
    if want[1:] == have:
        return "add the axis of rows: x[None]"
    if want[1:] == (*have[1:], 1):
        return "add the axis of channels: x[..., None]"
    return "None stands for any number; check the other axes, or begin the model with Input(shape)"


def check_counts(least: int, **counts: Any) -> None:
    """Say which of some counts is not a whole number, or too low."""
    for what, number in counts.items():
        if not isinstance(number, (int, np.integer)) or number < least:
            raise UserError(
                f"{what} has to be a whole number from {least}, it is {shown(number)}",
                mend=f"e.g. {what}={max(least, 1)}",
            )


def check_steps(**steps: Any) -> None:
    """Say which of some numbers of batches cannot be one; `None` leaves it open."""
    check_counts(1, **{what: number for what, number in steps.items() if number is not None})
