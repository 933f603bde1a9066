"""What a table is to learn: numbers, one of two classes, or one of several."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from trasluz.base.messages import problem
from trasluz.errors import unknown
from trasluz.tables.columns import (
    FEW,
    as_numbers,
    class_labels,
    is_whole,
    mostly_numbers,
    refuse_words,
)
from trasluz.tables.reading import Table

if TYPE_CHECKING:
    import polars as pl

_MOST_CLASSES = 20
_ROWS_PER_CLASS = 5


class Task(StrEnum):
    """What is predicted: numbers, one of two classes, or one of several classes."""

    REGRESSION = "regression"
    BINARY = "binary"
    MULTICLASS = "multi-class"


def find_task(table: Table, targets: Sequence[str], asked: str | None) -> Task:
    """Tell what is to be learnt: what was asked for, or what the targets look like."""
    if asked is not None and asked not in list(Task):
        raise unknown("task", asked, [str(task) for task in Task])
    if len(targets) > 1:
        if asked not in (None, Task.REGRESSION):
            raise problem("target-several-classes", table.source, task=str(asked))
        return Task.REGRESSION
    if asked == Task.REGRESSION:
        return Task.REGRESSION
    column = table.frame[targets[0]]
    classes = column.n_unique()
    if asked is None and not _reads_as_classes(column, classes):
        return Task.REGRESSION
    if asked == Task.BINARY and classes > 2:
        raise problem("target-not-binary", table.source, column=column.name, classes=classes)
    if asked is not None:
        return Task(asked)
    return Task.BINARY if classes <= 2 else Task.MULTICLASS


def _reads_as_classes(column: pl.Series, classes: int) -> bool:
    """Tell classes from numbers: text, booleans, or a few whole numbers with rows enough each."""
    import polars as pl

    if column.dtype == pl.String and mostly_numbers(column, share=0.5):
        column = pl.Series(as_numbers(column))
    if column.dtype.is_temporal() or (column.dtype.is_float() and not is_whole(column)):
        return False
    enough = column.len() >= _ROWS_PER_CLASS * classes
    return not column.dtype.is_numeric() or classes <= 2 or (classes <= _MOST_CLASSES and enough)


def check_targets(table: Table, targets: Sequence[str], task: Task) -> None:
    """Raise if the targets do not suit the task."""
    for column in (table.frame[name] for name in targets):
        if task is Task.REGRESSION:
            _check_numeric_target(column, table.source, len(targets) > 1)
        else:
            _check_classes(class_labels(column.drop_nulls()), table.source)


def _check_classes(labels: pl.Series, source: str) -> None:
    classes, rows = labels.n_unique(), labels.len()
    if classes < 2:
        raise problem("target-one-class", source, column=labels.name, value=labels[0])
    if rows > FEW and classes > rows / 2:
        raise problem(
            "target-too-many-classes", source, column=labels.name, classes=classes, rows=rows
        )


def _check_numeric_target(column: pl.Series, source: str, several: bool) -> None:
    numbers = refuse_words(column, source, several)
    if np.nanmin(numbers) == np.nanmax(numbers):
        value = f"{np.nanmin(numbers):g}"
        raise problem("target-constant", source, column=column.name, value=value)


def classes_of(column: pl.Series) -> tuple[str, ...]:
    """List the classes in their own order: numbers by size, text by the alphabet."""
    return tuple(class_labels(column.unique().sort()).to_list())
