"""From a table to the arrays of a network: the task, the parts, and what is fitted on training."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trasluz.base.messages import enumerated, problem, say, suggest
from trasluz.errors import UserError
from trasluz.tables import fitted
from trasluz.tables.columns import (
    FEW,
    MOSTLY,
    as_booleans,
    as_categories,
    as_numbers,
    check_finite,
    check_near,
    check_readable,
    class_labels,
    kind_of,
    refuse_words,
)
from trasluz.tables.reading import Table
from trasluz.tables.split import check_shares, split_rows
from trasluz.tables.task import Task, check_targets, classes_of, find_task

if TYPE_CHECKING:
    import polars as pl

_VERSION = 1
_JSON = "preparation.json"
_ROW_NAMES = re.compile(r"(column_\d+|unnamed.*|id|index|row|row_?(id|number)|rownames?)", re.I)


@dataclass(frozen=True)
class Preparation:
    """What turns rows of a table into arrays, and a network's outputs into values and classes.

    Numbers are imputed by the median and standardised, booleans imputed and taken as 0 and 1,
    text imputed and one-hot encoded; regression targets are standardised.

    Attributes:
        targets: the columns predicted.
        task: what is predicted in them.
        numbers: the feature columns read as numbers.
        booleans: the feature columns read as true or false.
        texts: the feature columns read as categories.
        classes: the class names in the order of their indices; empty for regression.
        steps: what was fitted (see `trasluz.tables.fitted`), by the group of columns it serves.
    """

    targets: tuple[str, ...]
    task: Task
    numbers: tuple[str, ...] = ()
    booleans: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    steps: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """The feature columns in the order of the arrays."""
        return self.numbers + self.booleans + self.texts

    @property
    def features(self) -> tuple[str, ...]:
        """The name of each input of the network; a category is spelled ``column=category``."""
        return self.numbers + self.booleans + tuple(map("=".join, self.categories))

    @property
    def categories(self) -> list[tuple[str, str]]:
        """The column and the category of each input that is one or zero."""
        if not self.texts:
            return []
        named = zip(self.texts, self.steps["texts"].columns, strict=True)
        return [(name, category) for name, categories in named for category in categories]

    @property
    def outputs(self) -> int:
        """How many numbers the network gives for a row."""
        if self.task is Task.REGRESSION:
            return len(self.targets)
        return 1 if self.task is Task.BINARY else len(self.classes)

    def transform(self, table: Table) -> NDArray[np.float32]:
        """Make the network's input, one row for each row of the table.

        Raises:
            UserError: a column is missing, or a number is infinite or too large.
        """
        self._check_columns(table)
        groups: dict[str, list[NDArray[Any]]] = {
            "numbers": [as_numbers(table.frame[name]) for name in self.numbers],
            "booleans": [as_booleans(table.frame[name]) for name in self.booleans],
            "texts": [as_categories(table.frame[name]) for name in self.texts],
        }
        check_finite(dict(zip(self.numbers, groups["numbers"], strict=True)), table.source)
        arrays = {
            group: self.steps[group].transform(np.stack(columns, axis=1))
            for group, columns in groups.items()
            if columns
        }
        if self.numbers:
            check_near(table, self.numbers, arrays["numbers"])
        return np.concatenate(list(arrays.values()), axis=1).astype(np.float32)

    def cells(self, table: Table) -> dict[str, float]:
        """Read the number and boolean cells of the first row, by column; NaN for an empty one."""
        numbers = {name: float(as_numbers(table.frame[name])[0]) for name in self.numbers}
        return numbers | {n: float(as_booleans(table.frame[n])[0]) for n in self.booleans}

    def unreadable(self, table: Table) -> list[str]:
        """Say which cells are taken as missing since they are not of the kind of their column.

        Raises:
            UserError: a column is missing, or nothing that stands in it can be read.
        """
        self._check_columns(table)
        notes = []
        for name in self.numbers:
            column = table.frame[name]
            notes += check_readable(column, as_numbers(column), "number", table.source)
        for name in self.booleans:
            column = table.frame[name]
            notes += check_readable(column, as_booleans(column), "boolean", table.source)
        return notes

    def check_range(self, table: Table) -> None:
        """Refuse numbers that lie so far from those of the training that float32 cannot hold them.

        Raises:
            UserError: the first such number, with its row and column.
        """
        for group, names in (("numbers", self.numbers), ("targets", self.targets)):
            if group in self.steps:
                columns = np.stack([as_numbers(table.frame[name]) for name in names], axis=1)
                check_near(table, names, self.steps[group].transform(columns))

    def transform_targets(self, table: Table) -> NDArray[Any]:
        """Make what the network should give: scaled numbers, 0 and 1, or indices of classes."""
        if self.task is Task.REGRESSION:
            scaled = self.steps["targets"].transform(self.truths(table))
            return np.asarray(scaled, np.float32)
        indices = self.truths(table)
        return indices.astype(np.float32)[:, None] if self.task is Task.BINARY else indices

    def labelled(self, table: Table, rows: Sequence[int] | None = None) -> tuple[Table, list[str]]:
        """Keep the rows whose targets are there, to compare predictions with.

        Args:
            table: the rows.
            rows: their numbers in messages; from 1 unless given.

        Raises:
            UserError: a target is not a column, is missing in every row, is not a number, or is
                not a class of the training; the message says the row of the table as given.
        """
        have = table.frame.columns
        for name in self.targets:
            if name not in have:
                raise problem(
                    "table-lacks-target",
                    table.source,
                    column=name,
                    nearest=suggest(name, have, columns=True),
                )
        self._check_truths(table, rows)
        return with_targets(table, self.targets)

    def truths(self, table: Table) -> NDArray[Any]:
        """Read the targets in their own units: numbers, one column a target, or class indices."""
        if self.task is Task.REGRESSION:
            return np.stack([as_numbers(table.frame[name]) for name in self.targets], axis=1)
        index = {name: place for place, name in enumerate(self.classes)}
        labels = class_labels(table.frame[self.targets[0]])
        return np.array([index[label] for label in labels], np.int32)

    def values(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Turn outputs into predictions as `truths` spells them: numbers or indices of classes."""
        if self.task is Task.REGRESSION:
            return np.asarray(self.steps["targets"].inverse_transform(outputs))
        if self.task is Task.BINARY:
            return (outputs[:, 0] > 0.5).astype(np.int32)
        return outputs.argmax(axis=1).astype(np.int32)

    def probabilities(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Spell the outputs of a classifier as one column of probabilities a class."""
        if self.task is Task.BINARY:
            return np.concatenate([1 - outputs, outputs], axis=1)
        return outputs

    def predictions(self, outputs: NDArray[Any]) -> pl.DataFrame:
        """Name the predictions: ``predicted_TARGET``, and ``probability_CLASS`` for classes."""
        import polars as pl

        values = self.values(outputs)
        if self.task is Task.REGRESSION:
            return pl.DataFrame(values, schema=[f"predicted_{name}" for name in self.targets])
        names = pl.Series(f"predicted_{self.targets[0]}", [self.classes[i] for i in values])
        shares = [f"probability_{name}" for name in self.classes]
        return pl.DataFrame(self.probabilities(outputs), schema=shares).insert_column(0, names)

    def describe(self) -> dict[str, Any]:
        """Say in JSON's terms what is read, how, and what is predicted."""
        return {
            "version": _VERSION,
            "task": str(self.task),
            "targets": list(self.targets),
            "numbers": list(self.numbers),
            "booleans": list(self.booleans),
            "texts": list(self.texts),
            "classes": list(self.classes),
        }

    def dump(self) -> dict[str, bytes]:
        """Give the named bytes that `load` reads."""
        said = {**self.describe(), "fitted": fitted.plain(dict(self.steps))}
        return {_JSON: json.dumps(said, ensure_ascii=False).encode()}

    @classmethod
    def load(cls, extras: Mapping[str, bytes], source: str = "") -> Preparation:
        """Read what `dump` gave.

        Raises:
            UserError: there is no preparation in it, or it is from a newer version.
        """
        if _JSON not in extras:
            raise problem("preparation-missing", source)
        try:
            said = json.loads(extras[_JSON])
            if said.pop("version") > _VERSION:
                raise problem("preparation-newer", source)
            task, steps = Task(said.pop("task")), fitted.made_from(said.pop("fitted"))
            columns = {name: tuple(names) for name, names in said.items()}
            preparation = cls(task=task, steps=steps, **columns)
            preparation._check_steps()
            return preparation
        except UserError:
            raise
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise problem("preparation-wrong", source, reason=str(error)) from error

    def _check_steps(self) -> None:
        """Refuse what `dump` never writes: steps for other columns than there are."""
        if not all(isinstance(n, str) for n in (*self.targets, *self.columns, *self.classes)):
            raise ValueError("names of columns and classes are texts")
        scaled = self.targets if self.task is Task.REGRESSION else ()
        groups = (self.numbers, self.booleans, self.texts, scaled)
        for (group, kind), names in zip(fitted.KINDS.items(), groups, strict=True):
            step = self.steps.get(group)
            first = step and getattr(step, next(iter(kind.__dataclass_fields__)))
            if len(first or ()) != len(names):
                raise ValueError(f"{group}: {names!r}")

    def _check_truths(self, table: Table, rows: Sequence[int] | None) -> None:
        columns = [table.frame[name] for name in self.targets]
        if self.task is Task.REGRESSION:
            several = len(columns) > 1
            numbers = {c.name: refuse_words(c, table.source, several) for c in columns}
            check_finite(numbers, table.source)
            return
        for row, label in zip(rows or itertools.count(1), class_labels(columns[0]), strict=False):
            if label is not None and label not in self.classes:
                raise problem(
                    "target-new-class",
                    table.source,
                    column=self.targets[0],
                    row=row,
                    value=label,
                    nearest=suggest(label, self.classes),
                )

    def _check_columns(self, table: Table) -> None:
        have = dict.fromkeys(table.frame.columns)
        for name in self.columns:
            if name not in have:
                raise problem(
                    "table-lacks-column",
                    table.source,
                    column=name,
                    nearest=suggest(name, have, columns=True),
                )


@dataclass(frozen=True)
class Prepared:
    """A table ready to train on.

    Attributes:
        preparation: what was fitted on the training part.
        parts: the rows of each part, by its name; a part that was not asked for is absent.
        notes: what was found out or left out, for the user to check.
    """

    preparation: Preparation
    parts: Mapping[str, Table]
    notes: tuple[str, ...]


def prepare(
    table: Table,
    targets: Sequence[str] = (),
    *,
    task: str | None = None,
    validation: float = 0.2,
    test: float = 0.2,
    seed: int = 0,
) -> Prepared:
    """Find out the task, split the rows, and fit the preparation on the training part only.

    Args:
        table: the rows.
        targets: the columns to predict; the table's own where it names them.
        task: the task, where it should not be found out from the targets.
        validation: the share of the rows that watches the training.
        test: the share of the rows that only the last metrics see.
        seed: of the split; the same seed gives the same parts.

    Raises:
        UserError: a target is unknown or useless, no column is left to learn from, a number is
            infinite, or there are too few rows.

    >>> from trasluz import datasets
    >>> ready = prepare(datasets.load("penguins"))
    >>> ready.preparation.task, ready.preparation.classes
    (<Task.MULTICLASS: 'multi-class'>, ('Adelie', 'Chinstrap', 'Gentoo'))
    >>> {name: part.frame.height for name, part in ready.parts.items()}
    {'train': 206, 'validation': 69, 'test': 69}
    """
    check_shares(validation, test)
    given, targets = table, _known_targets(table, targets)
    complete, notes = with_targets(table, targets)
    kind = find_task(complete, targets, task)
    check_targets(table, targets, kind)
    _check_infinite(table)
    unused = _useless_columns(complete, targets)
    table = replace(table, frame=complete.frame.drop(unused))
    parts, split_notes = split_rows(table, targets, kind, validation, test, seed)
    constant = _constant_columns(parts["train"], targets)
    left_out = [say("column-unused", column=name, reason=why) for name, why in unused.items()]
    left_out += [say("column-constant", column=name) for name in constant]
    if len(left_out) + len(targets) == given.frame.width:
        reasons = "".join(f"; {reason}" for reason in left_out)
        raise problem("table-no-features", table.source, reasons=reasons)
    preparation = _fit(parts["train"], table, targets, kind, constant)
    preparation.check_range(given)
    notes += left_out + preparation.unreadable(table)
    return Prepared(preparation, parts, (*table.notes, *notes, *split_notes))


def with_targets(table: Table, targets: Sequence[str]) -> tuple[Table, list[str]]:
    """Keep the rows that have every target; the note says how many were left out.

    Raises:
        UserError: a target is not a column, or no row has them all.
    """
    _known_targets(table, targets)
    kept = table.frame.drop_nulls(targets)
    names = enumerated(targets)
    if kept.height == 0:
        raise problem("target-all-missing", table.source, column=names)
    missing = table.frame.height - kept.height
    notes = [say("target-rows-missing", column=names, rows=missing)] if missing else []
    return replace(table, frame=kept), notes


def _known_targets(table: Table, targets: Sequence[str]) -> tuple[str, ...]:
    targets = tuple(targets) or table.targets
    columns = table.frame.columns
    if not targets:
        raise problem("target-not-given", table.source, columns=enumerated(columns))
    for place, name in enumerate(targets):
        if name not in columns:
            raise problem(
                "target-unknown",
                table.source,
                column=name,
                nearest=suggest(name, columns, columns=True),
            )
        if name in targets[:place]:
            raise problem("target-twice", table.source, column=name)
    return targets


def _useless_columns(table: Table, targets: Sequence[str]) -> dict[str, str]:
    """Find the columns that nothing can be learnt from, with the reason why."""
    reasons = {c.name: _useless(c) for c in table.frame if c.name not in targets}
    return {name: reason for name, reason in reasons.items() if reason}


def _useless(column: pl.Series) -> str:
    kind = kind_of(column)
    filled = column.drop_nulls()
    if filled.is_empty():
        return say("reason-empty")
    if kind == "other":
        return say("reason-type", type=str(column.dtype))
    if kind == "text":
        many = filled.n_unique() >= MOSTLY * filled.len() and filled.len() > FEW
        return say("reason-identifier") if many else ""
    distinct = column.dtype.is_integer() and column.len() > FEW and column.is_unique().all()
    return say("reason-row-number") if distinct and _ROW_NAMES.fullmatch(column.name) else ""


def _constant_columns(table: Table, targets: Sequence[str]) -> list[str]:
    import polars as pl

    names = [name for name in table.frame.columns if name not in targets]
    counts = table.frame.select(pl.col(names).drop_nulls().n_unique())
    return [name for name in names if counts[0, name] < 2]


def _check_infinite(table: Table) -> None:
    numbers = {c.name: as_numbers(c) for c in table.frame if kind_of(c) == "number"}
    check_finite(numbers, table.source)


def _fit(
    train: Table, whole: Table, targets: tuple[str, ...], task: Task, constant: Sequence[str]
) -> Preparation:
    used = [c for c in whole.frame if c.name not in targets and c.name not in constant]
    kinds = {c.name: kind_of(c) for c in used}
    named = {k: tuple(n for n in kinds if kinds[n] == k) for k in ("number", "boolean", "text")}
    groups: dict[str, list[NDArray[Any]]] = {
        "numbers": [as_numbers(train.frame[n]) for n in named["number"]],
        "booleans": [as_booleans(train.frame[n]) for n in named["boolean"]],
        "texts": [as_categories(train.frame[n]) for n in named["text"]],
        "targets": [as_numbers(train.frame[n]) for n in targets if task is Task.REGRESSION],
    }
    return Preparation(
        targets=targets,
        task=task,
        numbers=named["number"],
        booleans=named["boolean"],
        texts=named["text"],
        classes=classes_of(whole.frame[targets[0]]) if task is not Task.REGRESSION else (),
        steps={
            group: fitted.KINDS[group].fit(np.stack(columns, axis=1))
            for group, columns in groups.items()
            if columns
        },
    )
