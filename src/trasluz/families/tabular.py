"""Networks for tables: from columns to a compiled model."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trasluz import config, layers, losses, optimizers, regularizers
from trasluz.base.messages import problem
from trasluz.base.numbers import about
from trasluz.models.sequential import Sequential
from trasluz.tables.preparation import Preparation, Prepared
from trasluz.tables.task import Task

_LAST = {Task.REGRESSION: None, Task.BINARY: "sigmoid", Task.MULTICLASS: "softmax"}
_MOST_LAYERS = 1000


def network(
    preparation: Preparation,
    inputs: int,
    *,
    hidden: Sequence[int],
    activation: str,
    optimizer: str,
    learning_rate: float | None,
    clipnorm: float | None,
    dropout: float,
    batch_norm: bool,
    l1: float,
    l2: float,
    label_smoothing: float,
    engine: str,
    measures: Sequence[Any] = (),
) -> Sequential:
    """Make and compile a network for the columns of a table.

    Args:
        preparation: what prepared the table.
        inputs: how many numbers it is given.
        hidden: how many units each hidden layer has.
        activation: what they make of their sums.
        optimizer: a name.
        learning_rate: the optimizer's own if not given.
        clipnorm: the greatest norm of the gradient of each weight array.
        dropout: which part of the hidden units is switched off in training.
        batch_norm: whether their sums are normalised.
        l1: factor of the penalty on absolute weights.
        l2: factor of the penalty on squared weights.
        label_smoothing: how much is taken from the right class.
        engine: "numpy", "xla" or "auto".
        measures: metrics, beside those of the task.

    Raises:
        UserError: a name is unknown (the nearest is suggested), or the network is too large.
    """
    _check_size([inputs, *hidden, preparation.outputs])
    penalty = regularizers.L1L2(l1, l2) if l1 or l2 else None
    stack: list[Any] = [layers.Input((inputs,))]
    for units in hidden:
        first = None if batch_norm else activation
        stack.append(layers.Dense(units, activation=first, kernel_regularizer=penalty))
        if batch_norm:
            stack += [layers.BatchNormalization(), layers.Activation(activation)]
        if dropout:
            stack.append(layers.Dropout(dropout))
    stack.append(layers.Dense(preparation.outputs, activation=_LAST[preparation.task]))
    model = Sequential(stack)
    rule = optimizers.get(optimizer)
    if learning_rate is not None:
        rule.learning_rate = learning_rate
    rule.clipnorm = clipnorm
    accuracy = [] if preparation.task is Task.REGRESSION else ["accuracy"]
    model.compile(
        optimizer=rule,
        loss=fitting(losses, preparation.task, label_smoothing),
        metrics=[*accuracy, *measures],
        engine=engine,
    )
    return model


def _check_size(widths: Sequence[int]) -> None:
    """Refuse a network that is too large, before anything of it is made.

    Raises:
        UserError: it has too many layers, or too many weights for memory.
    """
    if len(widths) > _MOST_LAYERS:
        raise problem("network-deep", layers=len(widths) - 1, most=_MOST_LAYERS)
    weights, most = sum(a * b for a, b in itertools.pairwise(widths)), config.most_numbers()
    if weights > most:
        raise problem("network-large", weights=about(weights), most=f"{most:,}")


def fitting(kinds: ModuleType, task: Task, label_smoothing: float, **how: Any) -> Any:
    """Make what a task is measured by, of the losses or of the metrics.

    Args:
        kinds: `trasluz.losses` or `trasluz.metrics`, which call these things alike.
        task: the task.
        label_smoothing: see `network`.
        how: further arguments.

    Raises:
        UserError: numbers are to be smoothed.
    """
    if task is Task.REGRESSION:
        if label_smoothing:
            raise problem("smoothing-of-numbers")
        return kinds.MeanSquaredError(**how)
    if task is Task.BINARY:
        return kinds.BinaryCrossentropy(label_smoothing=label_smoothing, **how)
    if label_smoothing:
        return kinds.CategoricalCrossentropy(label_smoothing=label_smoothing, **how)
    return kinds.SparseCategoricalCrossentropy(**how)


@dataclass(frozen=True)
class PartArrays:
    """The arrays of one part of a table's rows, and the targets as they are measured."""

    x: NDArray[np.float32]
    y: NDArray[Any]
    truths: NDArray[Any]


def arrays(prepared: Prepared, label_smoothing: float) -> dict[str, PartArrays]:
    """Give the parts of a table as a network takes them: with smoothing, classes are one-hot."""
    preparation, parts = prepared.preparation, {}
    for name, table in prepared.parts.items():
        y = preparation.transform_targets(table)
        if label_smoothing and preparation.task is Task.MULTICLASS:
            y = np.eye(len(preparation.classes), dtype=np.float32)[y]
        parts[name] = PartArrays(preparation.transform(table), y, preparation.truths(table))
    return parts
