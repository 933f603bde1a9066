"""What a column holds, and how its cells become numbers or categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trasluz.base.messages import problem, say
from trasluz.tables.reading import Table, spelled

if TYPE_CHECKING:
    import polars as pl

MOSTLY = 0.9
FEW = 10
_MICROSECONDS_PER_DAY = 86_400_000_000


def class_labels(column: pl.Series) -> pl.Series:
    """Spell classes as text, whole numbers without a decimal point.

    >>> import polars as pl
    >>> class_labels(pl.Series([1.0, 2.0, None])).to_list()
    ['1', '2', None]
    """
    import polars as pl

    if is_whole(column):
        column = column.cast(pl.Int64)
    return spelled(column).str.strip_chars()


def is_whole(column: pl.Series) -> bool:
    """Say whether every value is a whole number."""
    if column.dtype.is_integer():
        return True
    if not column.dtype.is_float():
        return False
    filled = column.drop_nulls()
    return bool((filled.is_finite() & (filled == filled.floor())).all())


def refuse_words(column: pl.Series, source: str, several: bool) -> NDArray[np.float64]:
    """Read a numeric target, NaN where missing, and refuse the first cell that is not a number."""
    numbers = as_numbers(column)
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


def kind_of(column: pl.Series) -> str:
    """Tell what a column holds."""
    import polars as pl

    if column.dtype.is_numeric() or column.dtype.is_temporal():
        return "number"
    if column.dtype == pl.Boolean:
        return "boolean"
    if column.dtype in (pl.String, pl.Categorical, pl.Enum):
        return "number" if mostly_numbers(column, MOSTLY) else "text"
    return "other"


def mostly_numbers(column: pl.Series, share: float) -> bool:
    """Say whether text is numbers with a few other words among them."""
    filled = column.drop_nulls()
    read = int(np.count_nonzero(~np.isnan(as_numbers(filled))))
    return filled.len() >= FEW and read >= share * filled.len()


def check_finite(columns: Mapping[str, NDArray[np.float64]], source: str) -> None:
    """Refuse infinite values and those whose square would be; a missing value passes."""
    for name, values in columns.items():
        wrong = np.flatnonzero(np.abs(values) > 1e150)
        if wrong.size:
            row = int(wrong[0])
            raise problem(
                "column-infinite", source, column=name, row=row + 1, value=str(values[row])
            )


def check_near(table: Table, names: Sequence[str], scaled: NDArray[Any]) -> None:
    """Refuse what float32 could not square once it is standardised."""
    for row, place in np.argwhere(np.abs(scaled) > 1e18)[:1]:
        value = str(table.frame[names[place]][int(row)])
        raise problem(
            "column-far", table.source, column=names[place], row=int(row) + 1, value=value
        )


def check_readable(
    column: pl.Series, values: NDArray[np.float64], kind: str, source: str
) -> list[str]:
    """Note the cells that are taken as missing, and refuse a column that has no others."""
    if column.dtype.is_numeric():  # a NaN among numbers is a missing value
        return []
    wrong = _words(column, values)
    if not wrong.size:
        return []
    row = int(wrong[0])
    name, value = column.name, str(column[row])
    if np.isnan(values).all():
        raise problem("column-unreadable", source, column=name, kind=kind, row=row + 1, value=value)
    cells = int(wrong.size)
    return [say("column-few-words", column=name, kind=kind, cells=cells, row=row + 1, value=value)]


def as_numbers(column: pl.Series) -> NDArray[np.float64]:
    """Read numbers, dates in days since 1970, and text where it is a number; NaN elsewhere."""
    import polars as pl

    if column.dtype.is_integer() or column.dtype.is_float():  # null is NaN
        return column.to_numpy().astype(np.float64)
    if column.dtype.is_temporal():
        column = _days(column)
    elif not column.dtype.is_numeric() and column.dtype != pl.Boolean:
        column = spelled(column).str.strip_chars()
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


def as_booleans(column: pl.Series) -> NDArray[np.float64]:
    """Read a column of yes and no."""
    import polars as pl

    if not column.dtype.is_numeric() and column.dtype != pl.Boolean:
        column = spelled(column)
        known = {"true": 1.0, "false": 0.0}
        lower = column.str.strip_chars().str.to_lowercase()
        column = lower.replace_strict(known, default=None, return_dtype=pl.Float64)
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()


def as_categories(column: pl.Series) -> NDArray[np.object_]:
    """Read a column as text, its classes."""
    return np.array(class_labels(column).to_list(), dtype=object)
