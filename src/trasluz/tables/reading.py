"""Reading a table: CSV and TSV of any delimiter and encoding, and Parquet, checked row by row."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trasluz.base.digest import digest
from trasluz.base.files import read_regular
from trasluz.base.forking import runs_threads
from trasluz.base.messages import problem, say
from trasluz.data.parquet import parquet_errors
from trasluz.errors import shown_text

if TYPE_CHECKING:
    import polars as pl

MISSING = frozenset(
    ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "Null", "null", "None", "?"]
)
DELIMITERS = (",", ";", "\t", "|")

_PARQUET = b"PAR1"
_NOT_TABLES = {
    b"PK\x03\x04": "Excel / zip",
    b"\xd0\xcf\x11\xe0": "Excel",
    b"\x1f\x8b": "gzip",
    b"SQLite format 3": "SQLite",
    b"%PDF": "PDF",
    b"\x89PNG": "PNG",
}
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_ENCODINGS = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp932", "gb18030", "cp949"]
_FOREIGN = re.compile(r"[^\x00-\x7f]{3}|[\xd7\xf7]")
_MOMENTS = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")
_SAMPLE_ROWS = 100
_ROWS_AT_ONCE = 50_000
_COLUMNS_AT_ONCE = 64


@dataclass(frozen=True)
class Table:
    """Rows and named columns, with where they come from.

    Attributes:
        frame: the data; text, numbers, booleans or dates, null where missing.
        name: a short name for files and titles.
        source: what errors point at.
        targets: the columns that are usually predicted, where the table says so.
        notes: what the reading found out, for the user to check.
    """

    frame: pl.DataFrame
    name: str
    source: str
    targets: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def fingerprint(self) -> str:
        """Give a name to the rows, which other rows do not have."""
        return digest(csv_of(self.frame))


def read_table(
    path: str | os.PathLike[str], *, delimiter: str | None = None, encoding: str | None = None
) -> Table:
    r"""Read a CSV, TSV or Parquet file, and find out its delimiter and encoding unless given.

    Args:
        path: the file.
        delimiter: the character between cells.
        encoding: the name of the text's encoding, as Python knows it.

    Raises:
        UserError: the file is missing, empty, binary, ragged, or not in that encoding; the
            message says the line.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "heights.csv"
    >>> _ = file.write_text("name;height\nAna;1,62\nLuis;NA\n")
    >>> read_table(file).frame.rows()
    [('Ana', 1.62), ('Luis', None)]
    """
    path = Path(path)
    content = _content(path)
    runs_threads("Polars")
    if content.startswith(_PARQUET):
        return _checked(Table(_parquet(content, path), path.stem, str(path)))
    _refuse_known_formats(content, path)
    text, encoding, guessed = _decoded(content, encoding, path)
    notes = [say("table-encoding", encoding=encoding)] if guessed else []
    likely = _likely_delimiter(text)
    if delimiter is None:
        delimiter = likely
        notes.append(say("table-delimiter", delimiter=_named(delimiter)))
    frame = _frame(text, delimiter, path)
    if frame.width == 1 and likely != delimiter and _columns(text, likely) > 1:
        raise problem(
            "table-wrong-delimiter", str(path), given=_named(delimiter), likely=_named(likely)
        )
    return _checked(Table(frame, path.stem, str(path), notes=tuple(notes)))


def _content(path: Path) -> bytes:
    try:
        content = read_regular(path)
    except FileNotFoundError:
        raise problem("table-missing", str(path)) from None
    except IsADirectoryError:
        raise problem("table-folder", str(path)) from None
    except OSError as error:
        raise problem("table-unreadable", str(path), reason=str(error.strerror)) from error
    if not content.strip():
        raise problem("table-empty", str(path))
    return content


def _refuse_known_formats(content: bytes, path: Path) -> None:
    for start, name in _NOT_TABLES.items():
        if content.startswith(start):
            raise problem("table-format", str(path), format=name)


def _parquet(content: bytes, path: Path) -> pl.DataFrame:
    import polars as pl

    try:
        return pl.read_parquet(io.BytesIO(content))
    except parquet_errors() as error:
        raise problem("table-parquet", str(path), reason=shown_text(str(error), 200)) from error


def _checked(table: Table) -> Table:
    for name in table.frame.columns:
        if name.startswith("^") and name.endswith("$"):  # which Polars takes for a pattern
            raise problem("table-name", table.source, column=name)
    if table.frame.height == 0:
        raise problem("table-no-rows", table.source)
    return table


def _decoded(content: bytes, encoding: str | None, path: Path) -> tuple[str, str, bool]:
    """Decode the text; the last value says whether the encoding is a guess worth a note."""
    guess = encoding is None
    encoding = encoding or _likely_encoding(content, path)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise problem("table-encoding-fails", str(path), encoding=encoding, line=line) from None
    except (LookupError, ValueError):
        raise problem("table-unknown-encoding", str(path), encoding=encoding) from None
    if "\0" in text:
        raise problem("table-binary", str(path))
    return text.removeprefix("\ufeff"), encoding, guess and not encoding.startswith("utf-8")


def _likely_encoding(content: bytes, path: Path) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            return encoding
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return _guessed_encoding(content, path)
    return "utf-8"


def _guessed_encoding(content: bytes, path: Path) -> str:
    from charset_normalizer import from_bytes

    if b"\0" in content:
        raise problem("table-binary", str(path))
    matches = list(from_bytes(content, cp_isolation=_ENCODINGS))
    if not matches:
        raise problem("table-binary", str(path))
    western = _ENCODINGS[0]
    best = min(matches, key=lambda m: (m.chaos, -m.coherence, m.encoding != western))
    return western if not best.coherence and _looks_western(content) else best.encoding


def _looks_western(content: bytes) -> bool:
    """Say whether the text reads as Latin letters with an accented one here and there.

    It settles what statistics cannot: a few names in Spanish, French or German.
    """
    try:
        text = content.decode(_ENCODINGS[0])
    except UnicodeDecodeError:
        return False
    accented = sum(not letter.isascii() for letter in text if letter.isalpha())
    return 2 * accented <= sum(map(str.isalpha, text)) and not _FOREIGN.search(text)


def _likely_delimiter(text: str) -> str:
    r"""Take the delimiter that splits most of the first rows like the first one, and in most cells.

    >>> _likely_delimiter("a;b;c\n1,5;2;3\n2,5;3;4\n")
    ';'
    """

    def agreement(delimiter: str) -> tuple[float, int]:
        widths = [len(row) for row in _first_rows(text, delimiter)]
        if not widths or widths[0] < 2:
            return 0.0, 0
        return widths.count(widths[0]) / len(widths), widths[0]

    return max(DELIMITERS, key=agreement)


def _first_rows(text: str, delimiter: str) -> list[list[str]]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        return [row for row in itertools.islice(rows, _SAMPLE_ROWS) if row]
    except csv.Error:
        return []


def _columns(text: str, delimiter: str) -> int:
    rows = _first_rows(text, delimiter)
    return len(rows[0]) if rows else 0


def _named(delimiter: str) -> str:
    return {"\t": "tab", " ": "space"}.get(delimiter, delimiter)


def _frame(text: str, delimiter: str, path: Path) -> pl.DataFrame:
    """Split the text into typed columns, in pieces so that cells as Python text stay few."""
    import polars as pl

    try:
        reader = csv.reader(
            io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True
        )
    except (TypeError, ValueError):
        raise problem("table-delimiter-length", str(path), delimiter=delimiter) from None
    rows = _rows(reader, path)
    names = _names(next(rows, []), path)
    pieces = []
    while piece := list(itertools.islice(rows, _ROWS_AT_ONCE)):
        cells = zip(*piece, strict=True)
        pieces.append(
            pl.DataFrame(
                [pl.Series(n, list(c), pl.String) for n, c in zip(names, cells, strict=True)]
            )
        )
    if not pieces:
        raise problem("table-no-rows", str(path))
    whole = pl.concat(pieces)
    blocks = (whole[:, k : k + _COLUMNS_AT_ONCE] for k in range(0, whole.width, _COLUMNS_AT_ONCE))
    return pl.DataFrame([c for block in blocks for c in _typed(block, delimiter != ",")])


def _rows(reader: Iterator[list[str]], path: Path) -> Iterator[list[str]]:
    """Yield the rows that are not blank, and stop at the first one of another length."""
    width = None
    line = 1
    try:
        for row in reader:
            width = width or len(row)
            if row and len(row) != width:
                raise problem("table-ragged", str(path), line=line, found=len(row), expected=width)
            if row:
                yield row
            line = reader.line_num + 1  # type: ignore[attr-defined]
    except csv.Error as error:
        if "field limit" in str(error):
            most = csv.field_size_limit()
            raise problem("table-long-cell", str(path), line=line, most=most) from None
        raise problem("table-quotes", str(path), line=line, reason=str(error)) from None


def _names(header: list[str], path: Path) -> list[str]:
    """Take the column names from the first row; a nameless column is called by its place."""
    first: dict[str, int] = {}
    for place, cell in enumerate(header, start=1):
        name = cell.strip() or f"column_{place}"
        if name in first:
            raise problem(
                "table-duplicate", str(path), column=name, first=first[name], second=place
            )
        first[name] = place
    return list(first)


def _typed(block: pl.DataFrame, decimal_comma: bool) -> Iterator[pl.Series]:
    """Give columns of text the types that every cell of each has; numbers at once, for speed."""
    import polars as pl

    text = block.select(pl.all().str.strip_chars())
    text = text.select(pl.all().replace(dict.fromkeys(MISSING)))
    numbers = text.select(pl.all().str.replace(",", ".", literal=True)) if decimal_comma else text
    missing = text.null_count().row(0)
    casts = [numbers.select(pl.all().cast(kind, strict=False)) for kind in (pl.Int64, pl.Float64)]
    lost = [cast.null_count().row(0) for cast in casts]
    for place, column in enumerate(text):
        fits = [c[:, place] for c, n in zip(casts, lost, strict=True) if n[place] == missing[place]]
        if missing[place] == text.height:
            yield column
        elif fits:
            yield fits[0]
        else:
            yield _words(column, numbers[:, place], casts[1][:, place])


def _words(column: pl.Series, numbers: pl.Series, cast: pl.Series) -> pl.Series:
    """Turn text into booleans or moments where every cell is one; numbers among words stay so."""
    if column.drop_nulls().str.to_lowercase().is_in(["true", "false"]).all():
        return column.str.to_lowercase() == "true"
    for form in _MOMENTS:
        moments = column.str.to_datetime(form, strict=False)
        if moments.null_count() == column.null_count():
            return moments
    return numbers.zip_with(cast.is_not_null(), column)


def spelled(column: pl.Series) -> pl.Series:
    """Give the cells of a column as text, whatever they are: lists, structs, bytes."""
    import polars as pl

    try:
        return column.cast(pl.String)
    except pl.exceptions.PolarsError:
        texts = [None if cell is None else str(cell) for cell in column.to_list()]
        return pl.Series(column.name, texts, pl.String)


def csv_of(frame: pl.DataFrame, separator: str = ",") -> str:
    """Write rows as CSV; what it cannot hold (lists, structs, bytes) is spelled as text."""
    import polars as pl

    other = (pl.Binary, pl.Duration, pl.Object)
    nested = [c.name for c in frame if c.dtype.is_nested() or c.dtype.base_type() in other]
    return frame.with_columns(spelled(frame[name]) for name in nested).write_csv(
        separator=separator
    )
