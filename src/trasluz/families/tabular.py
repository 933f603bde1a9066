"""Networks for tables: from columns to a compiled model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trasluz import datasets
from trasluz.base.digest import digest
from trasluz.base.messages import problem
from trasluz.tables.preparation import Preparation, Prepared, prepare
from trasluz.tables.reading import Table
from trasluz.tables.task import Task


@dataclass(frozen=True)
class Settings:
    """What a training is asked to do; the same settings on the same rows give the same weights."""

    data: str
    target: str = ""
    task: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    hidden: tuple[int, ...] = (32, 16)
    activation: str = "relu"
    optimizer: str = "adam"
    learning_rate: float | None = None
    batch_size: int = 32
    epochs: int = 100
    dropout: float = 0.0
    batch_norm: bool = False
    l1: float = 0.0
    l2: float = 0.0
    label_smoothing: float = 0.0
    validation: float = 0.2
    test: float = 0.2
    patience: int = 20
    seed: int = 0
    engine: str = "auto"
    devices: str | int | None = None
    distributed: bool = False


@dataclass(frozen=True)
class Part:
    """The arrays of one part of the rows."""

    x: NDArray[np.float32]
    y: NDArray[Any]
    truths: NDArray[Any]


def prepared(settings: Settings) -> tuple[Table, Prepared]:
    """Find the table and prepare it.

    Raises:
        UserError: there is none, or it cannot be learnt from.
    """
    table = datasets.find(settings.data, delimiter=settings.delimiter, encoding=settings.encoding)
    ready = prepare(
        table,
        split_names(settings.target, table),
        task=settings.task,
        validation=settings.validation,
        test=settings.test,
        seed=settings.seed,
    )
    return table, ready


def split_names(target: str, table: Table) -> tuple[str, ...]:
    """Split ``A,B`` into names, unless a column has the comma in its own name."""
    if target in table.frame.columns:
        return (target,)
    return tuple(name.strip() for name in target.split(",") if name.strip())


def network(
    preparation: Preparation, inputs: int, settings: Settings, measures: Sequence[Any] = ()
) -> Any:
    """Make and compile the network that the settings describe.

    Args:
        preparation: what prepared the table.
        inputs: how many numbers it is given.
        settings: what it is like.
        measures: metrics, beside those of the task.

    Raises:
        UserError: a name is unknown; the nearest is suggested.
    """
    from trasluz import Sequential, layers, regularizers

    penalty = regularizers.L1L2(settings.l1, settings.l2) if settings.l1 or settings.l2 else None
    stack: list[Any] = [layers.Input((inputs,))]
    for units in settings.hidden:
        activation = None if settings.batch_norm else settings.activation
        stack.append(layers.Dense(units, activation=activation, kernel_regularizer=penalty))
        if settings.batch_norm:
            stack += [layers.BatchNormalization(), layers.Activation(settings.activation)]
        if settings.dropout:
            stack.append(layers.Dropout(settings.dropout))
    last = {Task.REGRESSION: None, Task.BINARY: "sigmoid", Task.MULTICLASS: "softmax"}
    stack.append(layers.Dense(preparation.outputs, activation=last[preparation.task]))
    model = Sequential(stack)
    metrics = [] if preparation.task is Task.REGRESSION else ["accuracy"]
    model.compile(
        optimizer=_optimizer(settings),
        loss=_loss(preparation.task, settings.label_smoothing),
        metrics=[*metrics, *measures],
        engine=settings.engine,
    )
    return model


def _optimizer(settings: Settings) -> Any:
    from trasluz import optimizers

    optimizer = optimizers.get(settings.optimizer)
    if settings.learning_rate is not None:
        optimizer.learning_rate = settings.learning_rate
    return optimizer


def _loss(task: Task, smoothing: float) -> Any:
    from trasluz import losses

    if task is Task.REGRESSION:
        if smoothing:
            raise problem("smoothing-of-numbers")
        return losses.MeanSquaredError()
    if task is Task.BINARY:
        return losses.BinaryCrossentropy(label_smoothing=smoothing)
    if smoothing:
        return losses.CategoricalCrossentropy(label_smoothing=smoothing)
    return losses.SparseCategoricalCrossentropy()


def arrays(ready: Prepared, settings: Settings) -> dict[str, Part]:
    """Give the parts of a table as a network takes them."""
    preparation, parts = ready.preparation, {}
    for name, table in ready.parts.items():
        y = preparation.transform_targets(table)
        if settings.label_smoothing and preparation.task is Task.MULTICLASS:
            y = np.eye(len(preparation.classes), dtype=np.float32)[y]
        parts[name] = Part(preparation.transform(table), y, preparation.truths(table))
    return parts


def fingerprint(table: Table) -> str:
    """Give a name to the rows of a table, which other rows do not have."""
    return digest(table.frame.write_csv())


def early_stopping(settings: Settings, has_validation: bool) -> Any:
    """Make the callback that ends a training without progress, if one is asked for."""
    from trasluz.callbacks.watching import EarlyStopping

    if not settings.patience:
        return None
    return EarlyStopping(
        "val_loss" if has_validation else "loss",
        patience=settings.patience,
        restore_best_weights=True,
    )
