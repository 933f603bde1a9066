"""Batches from Parquet files, read row group by row group."""

from __future__ import annotations

import glob
import itertools
import os
import struct
import tempfile
import weakref
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from trasluz.autodiff import random
from trasluz.base.files import unwritten
from trasluz.base.forking import runs_threads
from trasluz.errors import UserError, nearest, shown_text

# So much is read at once; rows are shuffled within a buffer of so many pieces, unless it is given.
_PIECE_BYTES = 2**24
_PIECES = 4
Piece = tuple[int, int, int]  # which file, from which row on, how many rows


class ParquetStream:
    """Batches from one or many Parquet files that may be larger than memory.

    `fit`, `evaluate` and `predict` take it in place of arrays; it can be iterated too. The files
    are read in pieces: row groups, or parts of row groups that are large. If rows are shuffled,
    the pieces of all files come in an order drawn for the epoch, and the rows within a buffer of
    several pieces in another. So an epoch is a function of `seed` and its number, and it can begin
    at any batch: training goes on exactly from a checkpoint. Memory holds one buffer.

    Args:
        files: a path, a pattern such as `"data/*.parquet"`, or a list of paths.
        features: the columns of inputs, side by side; or one column of arrays, such as the pixels
            of images.
        target: the column of the targets, or a list of columns; none for prediction. Whole numbers
            stay whole.
        batch_size: rows a batch; the last has what is left.
        shuffle: whether each epoch has an order of its own.
        seed: what the orders follow from.
        buffer_size: within how many rows to shuffle; as many as fill 64 MiB if not given.
        sample_weight: the column of the rows' weights.
        dtype: the floating type.
        cache: a folder in which to keep the rows, as they are after reading, in a file without a
            name that is gone with the stream; it takes up `rows × columns × 4` bytes there. Then
            files are decoded in the first epoch only.

    Raises:
        UserError: if there is no such file or column, or a column holds text or missing values, or
            is of another kind in another file; it says which.

    Source: https://parquet.apache.org/docs/file-format

    >>> import polars, tempfile
    >>> file = os.path.join(tempfile.mkdtemp(), "points.parquet")
    >>> polars.DataFrame({"a": [1.0, 2.0, 3.0], "b": [4, 5, 6], "y": [0, 1, 0]}).write_parquet(file)
    >>> stream = ParquetStream(file, ["a", "b"], "y", batch_size=2, shuffle=False)
    >>> len(stream), [x.tolist() for x, y in stream]
    (2, [[[1.0, 4.0], [2.0, 5.0]], [[3.0, 6.0]]])
    >>> [y.tolist() for x, y in stream.batches(epoch=0, begin=1)]
    [[0]]
    """

    def __init__(
        self,
        files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        features: str | Sequence[str],
        target: str | Sequence[str] | None = None,
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int = 0,
        buffer_size: int | None = None,
        sample_weight: str | None = None,
        dtype: str = "float32",
        cache: str | os.PathLike[str] | None = None,
    ) -> None:
        for name, number in (("batch_size", batch_size), ("buffer_size", buffer_size or 1)):
            if not isinstance(number, (int, np.integer)) or number < 1:
                raise UserError(
                    f"{name} has to be a positive whole number, it is {number!r}",
                    "ParquetStream",
                    f"e.g. {name}=1024",
                )
        self.files = _paths(files)
        self.features, self.target, self.sample_weight = features, target, sample_weight
        self.batch_size, self.shuffle, self.seed, self.dtype = batch_size, shuffle, seed, dtype
        named = [[features] if isinstance(features, str) else list(features)]
        named += [[target] if isinstance(target, str) else list(target or ())]
        self.columns = [*named, [sample_weight] if sample_weight else []]
        if not self.columns[0]:
            raise UserError("no column of inputs was named", "features", 'e.g. ["a", "b"]')
        self.kinds = self._kinds(self.files[0])
        self.lengths = [self._length(file) for file in self.files]
        self.begins = [0, *itertools.accumulate(self.lengths)]
        self.n = sum(self.lengths)
        if self.n == 0:
            raise UserError("there are no rows", self.files[0], "give files with rows")
        wide = sum(a.nbytes for a in self.like(1))
        pieces = _PIECES if shuffle else 1
        self.buffer_size = buffer_size or max(batch_size, pieces * _PIECE_BYTES // wide)
        most = max(1, self.buffer_size // pieces)
        group = first_group(self.files[0]) or most
        self.piece = group if group <= most else -(-group // -(-group // most))
        self.cache: Any = None
        if cache is not None:
            try:
                self.cache = tempfile.TemporaryFile(dir=cache)  # noqa: SIM115 (it lives on)
            except OSError as error:
                raise unwritten(Path(cache), error) from error
            self.kept_in = Path(cache)
            weakref.finalize(self, self.cache.close)
        self.cached: set[Piece] = set()

    def __len__(self) -> int:
        return -(-self.n // self.batch_size)

    def __iter__(self) -> Generator[tuple[np.ndarray, ...]]:
        return self.batches()

    def batches(self, epoch: int = 0, begin: int = 0) -> Generator[tuple[np.ndarray, ...]]:
        """Give the batches of an epoch, from one on: `x`, `(x, y)` or `(x, y, sample_weight)`."""
        size = self.batch_size
        rest = [a[:0] for a in self.like(1)]
        for buffer, chosen in self.rows(epoch, begin * size):
            rest = [np.concatenate([a, b[chosen]]) for a, b in zip(rest, buffer, strict=True)]
            whole = len(rest[0]) // size * size
            for row in range(0, whole, size):
                yield tuple(a[row : row + size] for a in rest)
            rest = [a[whole:] for a in rest]
        if len(rest[0]):
            yield tuple(rest)

    def rows(
        self, epoch: int, begin: int = 0
    ) -> Generator[tuple[tuple[np.ndarray, ...], np.ndarray]]:
        """Give the rows of an epoch from one on, a buffer at a time, which is used again.

        Args:
            epoch: which epoch.
            begin: how many rows to leave out.

        Returns:
            Buffers (inputs, targets and weights, as far as there are any), and the numbers of the
            rows in them, in the order in which they come.
        """
        key = random.fold(random.key(self.seed), "parquet", epoch)
        pieces = [
            (file, row, min(self.piece, length - row))
            for file, length in enumerate(self.lengths)
            for row in range(0, length, self.piece)
        ]
        if self.shuffle:
            order = random.permutation(random.fold(key, "pieces"), len(pieces))
            pieces = [pieces[i] for i in order]
        room = self.like(min(self.n, max(self.buffer_size, self.piece)))
        before = 0
        for number, together in enumerate(_together(pieces, self.buffer_size)):
            count = sum(n for _, _, n in together)
            if before + count > begin:
                at = 0
                for piece in together:
                    self._put(piece, [a[at : at + piece[2]] for a in room])
                    at += piece[2]
                chosen = np.arange(count)
                if self.shuffle:
                    chosen = random.permutation(random.fold(key, "rows", number), count)
                yield room, chosen[max(0, begin - before) :]
            before += count

    def _put(self, piece: Piece, room: list[np.ndarray]) -> None:
        """Put some rows there, from the files or from what was kept of them."""
        if self.cache is None:
            return self._read(*piece, room)
        file, row, _ = piece
        self.cache.seek((self.begins[file] + row) * sum(a.nbytes for a in self.like(1)))
        if piece in self.cached:
            for part in room:
                self.cache.readinto(part)
            return None
        self._read(*piece, room)
        try:
            for part in room:
                self.cache.write(part)
        except OSError as error:
            raise unwritten(self.kept_in, error) from error
        self.cached.add(piece)
        return None

    def like(self, n: int) -> tuple[np.ndarray, ...]:
        """Make so many rows of zeros, as a batch has them."""
        features, target, weight = self.columns
        parts = [np.zeros((n, *self._wide(features, self.features)), self.dtype)]
        if target:
            kinds = [self.kinds[name][0] for name in target]
            whole = all(kind.kind in "iub" for kind in kinds)
            dtype = np.result_type(*kinds) if whole else self.dtype
            parts.append(np.zeros((n, *self._wide(target, self.target)), dtype))
        if weight:
            parts.append(np.zeros(n, self.dtype))
        return tuple(parts)

    def _wide(self, names: list[str], given: Any) -> tuple[int, ...]:
        """Give the shape of a row of some columns."""
        if isinstance(given, str):
            return self.kinds[given][1] or ((1,) if given == self.features else ())
        return (len(names),)

    def _kinds(self, file: str) -> dict[str, tuple[np.dtype, tuple[int, ...]]]:
        """Look at the columns of a file: NumPy's type of each, and the shape of a cell."""
        import polars as pl

        with reading_parquet(file):
            schema = pl.scan_parquet(file, glob=False).collect_schema()
        kinds: dict[str, tuple[Any, tuple[int, ...]]] = {}
        for name in itertools.chain(*self.columns):
            if name not in schema:
                raise UserError(f"there is no column {name!r}", file, nearest(name, schema))
            kind, shape = schema[name], tuple[int, ...]()
            if isinstance(kind, pl.Array):
                kind, shape = _flat(kind), kind.shape
            if not (kind.is_numeric() or kind == pl.Boolean):
                raise UserError(
                    f"the column {name!r} holds {kind}, a network needs numbers",
                    file,
                    "leave it out, or turn it into numbers before",
                )
            if shape and name not in (self.features, self.target):
                raise UserError(
                    f"the column {name!r} holds arrays",
                    file,
                    f"give it alone, as a name and not in a list: features={name!r}",
                )
            dtype = pl.Series([], dtype=kind).to_numpy().dtype
            kinds[name] = (dtype, shape)
        return kinds

    def _length(self, file: str) -> int:
        """Count the rows of a file, and see that its columns are those of the first."""
        import polars as pl

        for name, (dtype, shape) in self._kinds(file).items():
            first, same = self.kinds[name]
            if shape != same or (name in self.columns[1] and dtype.kind != first.kind):
                raise UserError(
                    f"the column {name!r} holds {dtype}{list(shape) or ''} here, and "
                    f"{first}{list(same) or ''} in {self.files[0]}",
                    file,
                    "write the files with the same types",
                )
        with reading_parquet(file):
            return int(pl.scan_parquet(file, glob=False).select(pl.len()).collect().item())

    def _read(self, file: int, row: int, n: int, room: list[np.ndarray]) -> None:
        """Read some rows of a file."""
        import polars as pl

        path, names = self.files[file], list(dict.fromkeys(itertools.chain(*self.columns)))
        with reading_parquet(path):
            frame = pl.scan_parquet(path, glob=False).select(names).slice(row, n).collect()
        if frame.height != n:
            raise UserError("it has fewer rows than it had", path, "leave it alone meanwhile")
        for name, nulls in zip(names, frame.null_count().row(0), strict=True):
            if nulls:
                raise UserError(
                    f"the column {name!r} has {nulls} missing values",
                    f"{path}, rows {row + 1} to {row + n}",
                    "fill them in or leave those rows out",
                )
        for columns, out in zip(filter(None, self.columns), room, strict=True):
            alone = out.ndim == 1 or self.kinds[columns[0]][1]
            for i, name in enumerate(columns):
                (out if alone else out[:, i])[...] = frame[name].to_numpy()


@contextmanager
def reading_parquet(file: str) -> Iterator[None]:
    """Say of which file it is that something is wrong with it.

    Raises:
        UserError: it cannot be read.
    """
    runs_threads("Polars")
    try:
        yield
    except parquet_errors() as error:
        reason = shown_text(str(error), 200)
        mend = "it may be cut short, or of another kind: make it again"
        raise UserError(f"it cannot be read as Parquet ({reason})", file, mend) from error


def parquet_errors() -> tuple[type[BaseException], ...]:
    """List what reading Parquet raises; Polars panics where a file is not what it says it is."""
    import polars as pl

    return pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError


def _paths(files: Any) -> list[str]:
    """List the files that are meant, in order."""
    patterns = [files] if isinstance(files, (str, os.PathLike)) else list(files)
    paths: list[str] = []
    for one in [os.fspath(path) for path in patterns]:
        there = [one] if os.path.isfile(one) else sorted(filter(os.path.isfile, glob.glob(one)))
        if not there:
            raise UserError("there is no such file", one, "check the path or the pattern")
        paths += there
    if not paths:
        raise UserError("no file was given", "ParquetStream", 'e.g. "data/*.parquet"')
    return paths


def _flat(kind: Any) -> Any:
    """Give what arrays, or arrays of arrays, hold."""
    while hasattr(kind, "inner"):
        kind = kind.inner
    return kind


def _together(pieces: list[Piece], size: int) -> Generator[list[Piece]]:
    """Put pieces together that fit into a buffer."""
    buffer: list[Piece] = []
    for piece in pieces:
        if buffer and sum(n for _, _, n in buffer) + piece[2] > size:
            yield buffer
            buffer = []
        buffer.append(piece)
    yield buffer


def first_group(file: str) -> int | None:
    """Read off how many rows the first row group of a file has; `None` where it is not said.

    Polars does not tell. A file ends with its description, a struct in Thrift's compact protocol,
    whose field 4 lists the row groups; a group's field 3 is its number of rows.

    Source: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
    """
    with open(file, "rb") as opened:
        opened.seek(-8, os.SEEK_END)
        (size,) = struct.unpack("<I", opened.read(4))
        if opened.read(4) != b"PAR1":
            return None
        opened.seek(-8 - size, os.SEEK_END)
        description = _Thrift(opened.read(size))
    with suppress(LookupError, TypeError):  # a description that is cut short
        for field, kind in description.fields():
            if field == 4:
                kind, length = description.head()
                return int(description.value(kind)[3]) if length else None
        description.value(kind)
    return None


class _Thrift:
    """Reads values in Thrift's compact protocol.

    Args:
        data: bytes, beginning within a struct.
    """

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def fields(self) -> Generator[tuple[int, int]]:
        """Give number and kind of each field of a struct; who takes one reads its value."""
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._signed()
            yield number, head & 15

    def head(self) -> tuple[int, int]:
        """Read what a list begins with: the kind of its values, and how many there are."""
        head = self._byte()
        return head & 15, head >> 4 if head < 0xF0 else self._number()

    def value(self, kind: int) -> Any:
        """Read a value; structs are dicts by the fields' numbers."""
        if kind in (1, 2):  # the kind is the value
            return kind == 1
        if kind in (4, 5, 6):
            return self._signed()
        if kind in (9, 10):
            kind, length = self.head()
            return [self.value(kind) for _ in range(length)]
        if kind == 12:
            return {number: self.value(its) for number, its in self.fields()}
        size = {3: 1, 7: 8}.get(kind) or self._number()  # a byte, a double, or bytes of a length
        self.at += size
        return self.data[self.at - size : self.at]

    def _byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def _number(self) -> int:
        number = shift = 0
        while True:
            byte = self._byte()
            number |= (byte & 127) << shift
            if byte < 128:
                return number
            shift += 7

    def _signed(self) -> int:
        number = self._number()
        return (number >> 1) ^ -(number & 1)
