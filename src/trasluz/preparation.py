"""From a table to the arrays of a network: the task, the parts, and what is fitted on training."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trasluz import fitted
from trasluz.errors import UserError, unknown
from trasluz.messages import enumerated, problem, say, suggest
from trasluz.tables import Table

if TYPE_CHECKING:
    import polars as pl

PARTS = ("train", "validation", "test")

_VERSION = 1
_JSON = "preparation.json"
_MOST_CLASSES = 20
_ROWS_PER_CLASS = 5
_MOSTLY = 0.9
_FEW = 10
_MICROSECONDS_PER_DAY = 86_400_000_000
_ROW_NAMES = re.compile(r"(column_\d+|unnamed.*|id|index|row|row_?(id|number)|rownames?)", re.I)


class Task(StrEnum):
    """What is predicted: numbers, one of two classes, or one of several classes."""

    REGRESSION = "regression"
    BINARY = "binary"
    MULTICLASS = "multi-class"


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
        steps: what was fitted (see `trasluz.fitted`), by the group of columns that it serves.
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
            "numbers": [_numbers(table.frame[name]) for name in self.numbers],
            "booleans": [_booleans(table.frame[name]) for name in self.booleans],
            "texts": [_categories(table.frame[name]) for name in self.texts],
        }
        _check_finite(dict(zip(self.numbers, groups["numbers"], strict=True)), table.source)
        made = {
            group: self.steps[group].transform(np.stack(columns, axis=1))
            for group, columns in groups.items()
            if columns
        }
        if self.numbers:
            _check_near(table, self.numbers, made["numbers"])
        return np.concatenate(list(made.values()), axis=1).astype(np.float32)

    def cells(self, table: Table) -> dict[str, float]:
        """Read the number and boolean cells of the first row, by column; NaN for an empty one."""
        numbers = {name: float(_numbers(table.frame[name])[0]) for name in self.numbers}
        return numbers | {n: float(_booleans(table.frame[n])[0]) for n in self.booleans}

    def unreadable(self, table: Table) -> list[str]:
        """Say which cells are taken as missing since they are not of the kind of their column.

        Raises:
            UserError: a column is missing, or nothing that stands in it can be read.
        """
        self._check_columns(table)
        notes = []
        for name in self.numbers:
            column = table.frame[name]
            notes += _unreadable(column, _numbers(column), "number", table.source)
        for name in self.booleans:
            column = table.frame[name]
            notes += _unreadable(column, _booleans(column), "boolean", table.source)
        return notes

    def check_range(self, table: Table) -> None:
        """Refuse numbers that lie so far from those of the training that float32 cannot hold them.

        Raises:
            UserError: the first such number, with its row and column.
        """
        for group, names in (("numbers", self.numbers), ("targets", self.targets)):
            if group in self.steps:
                columns = np.stack([_numbers(table.frame[name]) for name in names], axis=1)
                _check_near(table, names, self.steps[group].transform(columns))

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
            return np.stack([_numbers(table.frame[name]) for name in self.targets], axis=1)
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
            made = cls(task=task, steps=steps, **columns)
            made._check_steps()
            return made
        except UserError:
            raise
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise problem("preparation-wrong", source, reason=str(error)) from error

    def _check_steps(self) -> None:
        """Refuse what `dump` never writes: steps for other columns than there are."""
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
            numbers = {c.name: _refuse_words(c, table.source, several) for c in columns}
            _check_finite(numbers, table.source)
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
        have = table.frame.columns
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
    _check_shares(validation, test)
    given, targets = table, _known_targets(table, targets)
    complete, notes = with_targets(table, targets)
    found = _task(complete, targets, task)
    _check_targets(table, targets, found)
    _check_infinite(table)
    unused = _useless_columns(complete, targets)
    table = _replace_frame(table, complete.frame.drop(unused))
    parts, split_notes = _split(table, targets, found, validation, test, seed)
    constant = _constant_columns(parts["train"], targets)
    left_out = [say("column-unused", column=name, reason=why) for name, why in unused.items()]
    left_out += [say("column-constant", column=name) for name in constant]
    if len(left_out) + len(targets) == given.frame.width:
        reasons = "".join(f"; {reason}" for reason in left_out)
        raise problem("table-no-features", table.source, reasons=reasons)
    preparation = _fit(parts["train"], table, targets, found, constant)
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
    return _replace_frame(table, kept), notes


def class_labels(column: pl.Series) -> pl.Series:
    """Spell classes as text, whole numbers without a decimal point.

    >>> import polars as pl
    >>> class_labels(pl.Series([1.0, 2.0, None])).to_list()
    ['1', '2', None]
    """
    import polars as pl

    if _is_whole(column):
        column = column.cast(pl.Int64)
    return column.cast(pl.String).str.strip_chars()


def _replace_frame(table: Table, frame: pl.DataFrame) -> Table:
    return Table(frame, table.name, table.source, table.targets, table.notes)


def _check_shares(validation: float, test: float) -> None:
    if not (validation >= 0 and test >= 0 and validation + test < 1):
        raise problem("split-shares", validation=f"{validation:g}", test=f"{test:g}")


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


def _task(table: Table, targets: Sequence[str], asked: str | None) -> Task:
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

    if column.dtype == pl.String and _mostly_numbers(column, share=0.5):
        column = pl.Series(_numbers(column))
    if column.dtype.is_temporal() or (column.dtype.is_float() and not _is_whole(column)):
        return False
    enough = column.len() >= _ROWS_PER_CLASS * classes
    return not column.dtype.is_numeric() or classes <= 2 or (classes <= _MOST_CLASSES and enough)


def _is_whole(column: pl.Series) -> bool:
    """Say whether every value is a whole number."""
    if column.dtype.is_integer():
        return True
    if not column.dtype.is_float():
        return False
    filled = column.drop_nulls()
    return bool((filled.is_finite() & (filled == filled.floor())).all())


def _check_targets(table: Table, targets: Sequence[str], task: Task) -> None:
    for column in (table.frame[name] for name in targets):
        if task is Task.REGRESSION:
            _check_numeric_target(column, table.source, len(targets) > 1)
        else:
            _check_classes(class_labels(column.drop_nulls()), table.source)


def _check_classes(labels: pl.Series, source: str) -> None:
    classes, rows = labels.n_unique(), labels.len()
    if classes < 2:
        raise problem("target-one-class", source, column=labels.name, value=labels[0])
    if rows > _FEW and classes > rows / 2:
        raise problem(
            "target-too-many-classes", source, column=labels.name, classes=classes, rows=rows
        )


def _check_numeric_target(column: pl.Series, source: str, several: bool) -> None:
    numbers = _refuse_words(column, source, several)
    if np.nanmin(numbers) == np.nanmax(numbers):
        value = f"{np.nanmin(numbers):g}"
        raise problem("target-constant", source, column=column.name, value=value)


def _refuse_words(column: pl.Series, source: str, several: bool) -> NDArray[np.float64]:
    """Read a numeric target, NaN where missing, and refuse the first cell that is not a number."""
    numbers = _numbers(column)
    wrong = _words(column, numbers)
    if wrong.size:
        place = int(wrong[0])
        name, row, value = column.name, place + 1, str(column[place])
        if several:
            raise problem("target-text-among-several", source, column=name, row=row, value=value)
        raise problem("target-text", source, column=name, row=row, value=value)
    return numbers


def _words(column: pl.Series, numbers: NDArray[np.float64]) -> NDArray[np.intp]:
    """Find the rows that hold something which is not a number."""
    return np.flatnonzero(np.isnan(numbers) & column.is_not_null().to_numpy())


def _useless_columns(table: Table, targets: Sequence[str]) -> dict[str, str]:
    """Find the columns that nothing can be learnt from, with the reason why."""
    reasons = {c.name: _useless(c) for c in table.frame if c.name not in targets}
    return {name: reason for name, reason in reasons.items() if reason}


def _useless(column: pl.Series) -> str:
    kind = _kind(column)
    filled = column.drop_nulls()
    if filled.is_empty():
        return say("reason-empty")
    if kind == "other":
        return say("reason-type", type=str(column.dtype))
    if kind == "text":
        many = filled.n_unique() >= _MOSTLY * filled.len() and filled.len() > _FEW
        return say("reason-identifier") if many else ""
    distinct = column.dtype.is_integer() and column.len() > _FEW and column.is_unique().all()
    return say("reason-row-number") if distinct and _ROW_NAMES.fullmatch(column.name) else ""


def _kind(column: pl.Series) -> str:
    import polars as pl

    if column.dtype.is_numeric() or column.dtype.is_temporal():
        return "number"
    if column.dtype == pl.Boolean:
        return "boolean"
    if column.dtype in (pl.String, pl.Categorical, pl.Enum):
        return "number" if _mostly_numbers(column, _MOSTLY) else "text"
    return "other"


def _mostly_numbers(column: pl.Series, share: float) -> bool:
    """Say whether text is numbers with a few other words among them."""
    filled = column.drop_nulls()
    read = int(np.count_nonzero(~np.isnan(_numbers(filled))))
    return filled.len() >= _FEW and read >= share * filled.len()


def _constant_columns(table: Table, targets: Sequence[str]) -> list[str]:
    columns = [column for column in table.frame if column.name not in targets]
    return [column.name for column in columns if column.drop_nulls().n_unique() < 2]


def _check_infinite(table: Table) -> None:
    numbers = {c.name: _numbers(c) for c in table.frame if _kind(c) == "number"}
    _check_finite(numbers, table.source)


def _check_finite(columns: Mapping[str, NDArray[np.float64]], source: str) -> None:
    """Refuse infinite values and those whose square would be; a missing value passes."""
    for name, values in columns.items():
        wrong = np.flatnonzero(np.abs(values) > 1e150)
        if wrong.size:
            row = int(wrong[0])
            raise problem(
                "column-infinite", source, column=name, row=row + 1, value=str(values[row])
            )


def _check_near(table: Table, names: Sequence[str], scaled: NDArray[Any]) -> None:
    """Refuse what float32 could not square once it is standardised."""
    for row, place in np.argwhere(np.abs(scaled) > 1e18)[:1]:
        value = str(table.frame[names[place]][int(row)])
        raise problem(
            "column-far", table.source, column=names[place], row=int(row) + 1, value=value
        )


def _unreadable(
    column: pl.Series, values: NDArray[np.float64], kind: str, source: str
) -> list[str]:
    """Note the cells that are taken as missing, and refuse a column that has no others."""
    wrong = _words(column, values)
    if not wrong.size or column.dtype.is_numeric():  # a NaN among numbers is a missing value
        return []
    row = int(wrong[0])
    name, value = column.name, str(column[row])
    if np.isnan(values).all():
        raise problem("column-unreadable", source, column=name, kind=kind, row=row + 1, value=value)
    cells = int(wrong.size)
    return [say("column-few-words", column=name, kind=kind, cells=cells, row=row + 1, value=value)]


def _split(
    table: Table,
    targets: Sequence[str],
    task: Task,
    validation: float,
    test: float,
    seed: int,
) -> tuple[dict[str, Table], list[str]]:
    """Draw the parts; every class keeps its share in each where there are rows enough."""
    rows = table.frame.height
    sizes = {"test": test, "validation": validation}
    counts = {name: max(1, round(rows * share)) for name, share in sizes.items() if share > 0}
    if rows < 2 + len(counts):
        raise problem("table-few-rows", table.source, rows=rows, needed=2 + len(counts))
    labels = None if task is Task.REGRESSION else class_labels(table.frame[targets[0]])
    left, picked, notes = np.arange(rows), {}, []
    for name, count in counts.items():
        left, picked[name], mixed = _draw(left, count, labels, seed)
        if not mixed:
            notes = [say("split-not-stratified")]
    picked["train"] = left
    parts = {name: np.sort(picked[name]) for name in PARTS if name in picked}
    frames = {name: table.frame[chosen] for name, chosen in parts.items()}
    return {name: _replace_frame(table, frame) for name, frame in frames.items()}, notes


def _draw(
    rows: NDArray[np.intp], count: int, labels: pl.Series | None, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], bool]:
    """Split `count` rows off; the last value says whether classes kept their shares.

    The rows are those that scikit-learn's `train_test_split` draws.
    """
    of_rows = None if labels is None else labels.gather(rows).to_numpy()
    possible = of_rows is None or _can_stratify(of_rows, count)
    chance = np.random.RandomState(seed)
    if of_rows is None or not possible:
        mixed = chance.permutation(rows)
        return mixed[count:], mixed[:count], possible
    _, classes, sizes = np.unique(of_rows, return_inverse=True, return_counts=True)
    keep = _shares(sizes, rows.size - count, chance)
    draw = _shares(sizes - keep, count, chance)
    left, picked = [], []
    for number, (stay, go) in enumerate(zip(keep, draw, strict=True)):
        mixed = chance.permutation(np.flatnonzero(classes == number))
        left.append(mixed[:stay])
        picked.append(mixed[stay : stay + go])
    places = [chance.permutation(np.concatenate(part)) for part in (left, picked)]
    return rows[places[0]], rows[places[1]], possible


def _shares(sizes: NDArray[np.intp], count: int, chance: Any) -> NDArray[np.intp]:
    """Share `count` rows out among classes by their sizes, the greatest remainders first."""
    exact = sizes / sizes.sum() * count
    shares = np.floor(exact)
    for remainder in np.unique(exact - shares)[::-1]:
        (alike,) = np.nonzero(exact - np.floor(exact) == remainder)
        missing = min(alike.size, int(count - shares.sum()))
        if missing <= 0:
            break
        shares[chance.choice(alike, size=missing, replace=False)] += 1
    return shares.astype(np.intp)


def _can_stratify(labels: NDArray[Any], count: int) -> bool:
    _, sizes = np.unique(labels, return_counts=True)
    return bool(sizes.min() >= 2 and sizes.size <= min(count, labels.size - count))


def _fit(
    train: Table, whole: Table, targets: tuple[str, ...], task: Task, constant: Sequence[str]
) -> Preparation:
    used = [c for c in whole.frame if c.name not in targets and c.name not in constant]
    kinds = {c.name: _kind(c) for c in used}
    named = {k: tuple(n for n in kinds if kinds[n] == k) for k in ("number", "boolean", "text")}
    given: dict[str, list[NDArray[Any]]] = {
        "numbers": [_numbers(train.frame[n]) for n in named["number"]],
        "booleans": [_booleans(train.frame[n]) for n in named["boolean"]],
        "texts": [_categories(train.frame[n]) for n in named["text"]],
        "targets": [_numbers(train.frame[n]) for n in targets if task is Task.REGRESSION],
    }
    return Preparation(
        targets=targets,
        task=task,
        numbers=named["number"],
        booleans=named["boolean"],
        texts=named["text"],
        classes=_classes(whole.frame[targets[0]]) if task is not Task.REGRESSION else (),
        steps={
            group: fitted.KINDS[group].fit(np.stack(columns, axis=1))
            for group, columns in given.items()
            if columns
        },
    )


def _classes(column: pl.Series) -> tuple[str, ...]:
    """List the classes in their own order: numbers by size, text by the alphabet."""
    return tuple(class_labels(column.unique().sort()).to_list())


def _numbers(column: pl.Series) -> NDArray[np.float64]:
    """Read numbers, dates in days since 1970, and text where it is a number; NaN elsewhere."""
    import polars as pl

    if column.dtype.is_temporal():
        column = _days(column)
    elif not column.dtype.is_numeric() and column.dtype != pl.Boolean:
        column = column.cast(pl.String).str.strip_chars()
    return column.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()


def _days(column: pl.Series) -> pl.Series:
    import polars as pl

    if column.dtype == pl.Date:
        column = column.cast(pl.Datetime("us"))
    elif isinstance(column.dtype, pl.Datetime):
        column = column.dt.cast_time_unit("us")
    elif isinstance(column.dtype, pl.Duration):
        column = column.dt.total_microseconds()
    else:
        return column.cast(pl.Int64) / (1000 * _MICROSECONDS_PER_DAY)
    return column.cast(pl.Int64) / _MICROSECONDS_PER_DAY


def _booleans(column: pl.Series) -> NDArray[np.float64]:
    import polars as pl

    if column.dtype == pl.String:
        known = {"true": 1.0, "false": 0.0}
        lower = column.str.strip_chars().str.to_lowercase()
        column = lower.replace_strict(known, default=None, return_dtype=pl.Float64)
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _categories(column: pl.Series) -> NDArray[np.object_]:
    return np.array(class_labels(column).to_list(), dtype=object)
