"""Arrays and frames, in memory or on disk, as rows of a batch."""

from __future__ import annotations

import itertools
import math
import mmap
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from trasluz.base.tree import leaves, tree_map
from trasluz.errors import MISFITS, UserError, shown

# Rows of an array on disk are read window by window of its file, each so many bytes long.
_WINDOW_BYTES = 2**23


class Batch(NamedTuple):
    """Inputs, targets (or `None`) and sample weights (or `None`) of some rows."""

    x: Any
    y: Any = None
    w: Any = None


def packed(batch: Batch) -> Any:
    """Give a batch as steps of users get it: `x`, `(x, y)` or `(x, y, sample_weight)`."""
    if batch.w is not None:
        return tuple(batch)
    if batch.y is not None:
        return batch.x, batch.y
    return (batch.x,) if isinstance(batch.x, (list, tuple)) else batch.x


def unpacked(data: Any) -> Batch:
    """Undo `packed`.

    Raises:
        UserError: if there are more than three parts.
    """
    if isinstance(data, list):
        data = tuple(data)
    parts = data if isinstance(data, tuple) else (data,)
    if not 1 <= len(parts) <= 3:
        raise UserError(
            f"a batch of {len(parts)} parts", mend="give x, (x, y) or (x, y, sample_weight)"
        )
    return Batch(*parts)


def as_array(value: Any, name: str, dtype: Any = None) -> Any:
    """Take an array out of what people hold data in: arrays, lists, pandas and polars frames.

    What lies on disk (`numpy.memmap`, HDF5 datasets) stays there, as an `OnDisk`.

    Args:
        value: the data.
        name: what to call it in an error.
        dtype: turns numbers into this floating type; `None` keeps whole numbers whole.

    Raises:
        UserError: if it holds text or anything else that is not a number.

    >>> as_array([[1, 2]], "x", "float32")
    array([[1., 2.]], dtype=float32)
    """
    if hasattr(value, "to_numpy"):
        value = value.to_numpy()
    if np.ma.is_masked(value):
        raise UserError("some values are masked", name, "fill them in, e.g. with x.filled(0)")
    try:
        array: Any = _on_disk(value)
        array = np.asarray(value) if array is None else array
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"the rows do not have the same length ({error})",
            name,
            "fill the shorter ones up, sequences with utils.pad_sequences, or leave them out",
        ) from error
    if array.dtype == object:
        try:
            array = array.astype("float64")
        except (TypeError, ValueError, OverflowError) as error:
            raise UserError(
                f"not everything is a number ({error})",
                name,
                "turn text into numbers first (one-hot or class numbers), and fill what is missing",
            ) from error
    if array.dtype.kind not in "fiub":
        raise UserError(
            f"the values are of type {array.dtype}, a network needs numbers",
            name,
            "turn text into class numbers, or let `trasluz train` prepare the table",
        )
    if array.ndim == 0:
        raise UserError("a single number is not a set of rows", name, "give an array of rows")
    if dtype is not None and (array.dtype != dtype):
        with np.errstate(over="ignore"):  # too large is infinite, and training says where
            return array.astype(dtype)
    return array


def _named(tree: Any, name: str, dtype: Callable[[int], Any]) -> Any:
    """Take arrays out of one value, or out of a list or dict of them."""
    if isinstance(tree, dict):
        return {k: as_array(v, f"{name}[{k!r}]", dtype(i)) for i, (k, v) in enumerate(tree.items())}
    if isinstance(tree, tuple) or (
        isinstance(tree, list) and tree and getattr(tree[0], "ndim", 0) > 0
    ):
        return [as_array(v, f"{name}[{i}]", dtype(i)) for i, v in enumerate(tree)]
    return as_array(tree, name, dtype(0))


def floats_stay(dtype: Any) -> Callable[[Any], Any]:
    """Make the function that gives targets the model's floating type and leaves labels whole."""
    return lambda a: a if a.dtype.kind in "iub" or a.dtype == dtype else a.astype(dtype)


class OnDisk:
    """An array that may be larger than memory: its rows are read when they are asked for.

    Args:
        source: what has `shape`, `dtype` and rows by slice or by increasing numbers.
        dtype: the type to give them; the source's own if not given.
        start: its first row, counted in the source.
        stop: the row behind its last.

    >>> a = OnDisk(np.arange(6).reshape(3, 2), "float32")
    >>> a.shape, a[1:], a.part(slice(2, 3))[np.array([0])]
    ((3, 2), array([[2., 3.],
           [4., 5.]], dtype=float32), array([[4., 5.]], dtype=float32))
    """

    def __init__(
        self, source: Any, dtype: Any = None, start: int = 0, stop: int | None = None
    ) -> None:
        self.source, self.dtype = source, np.dtype(source.dtype if dtype is None else dtype)
        self.start, self.stop = start, len(source) if stop is None else stop
        self.shape = (self.stop - self.start, *source.shape[1:])
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def astype(self, dtype: Any) -> OnDisk:
        """Give the same array with rows of another type."""
        return OnDisk(self.source, dtype, self.start, self.stop)

    def part(self, rows: slice) -> OnDisk:
        """Give the array of some rows, without reading them."""
        start, stop, _ = rows.indices(len(self))
        return OnDisk(self.source, self.dtype, self.start + start, self.start + stop)

    def __getitem__(self, chosen: Any) -> np.ndarray:
        if isinstance(chosen, slice):
            start, stop, _ = chosen.indices(len(self))
            chosen, count = slice(start, stop), max(0, stop - start)
        else:
            count = len(chosen)
        out = np.empty((count, *self.shape[1:]), self.dtype)
        with np.errstate(over="ignore"):
            self.read(chosen, out)
        return out

    def read(self, chosen: Any, out: np.ndarray) -> None:
        """Read rows into an array, window by window of the file.

        What was read of a file that is mapped into memory is let go of behind each window, or
        the process would hold all of it in the end.

        Args:
            chosen: which rows, as a slice from and to, or as increasing numbers.
            out: where to put them.
        """
        wide = max(1, math.prod(self.shape[1:]) * self.source.dtype.itemsize)
        window = max(1, _WINDOW_BYTES // wide)
        if isinstance(chosen, slice):
            first, last = chosen.start + self.start, chosen.stop + self.start
            for row in range(first, last, window):
                part = slice(row, min(row + window, last))
                out[part.start - first : part.stop - first] = self.source[part]
                self._let_go()
            return
        chosen = chosen + self.start
        cuts = [0, *(np.flatnonzero(np.diff(chosen // window)) + 1), len(chosen)]
        for begin, end in itertools.pairwise(cuts):
            take_rows(self.source, chosen[begin:end], out[begin:end])
            self._let_go()

    def _let_go(self) -> None:
        pages: Any = getattr(self.source, "_mmap", None)
        if hasattr(pages, "madvise") and self.source.mode != "c":  # changes in memory would be lost
            pages.madvise(mmap.MADV_DONTNEED)


def take_rows(source: Any, chosen: np.ndarray, out: np.ndarray) -> None:
    """Put the rows of some numbers into an array, with the types of that."""
    flags = getattr(source, "flags", None)
    if flags is not None and flags.c_contiguous and flags.aligned and source.dtype == out.dtype:
        np.take(np.asarray(source), chosen, axis=0, out=out, mode="clip")  # nothing in between
    else:
        out[...] = source[chosen]


def _on_disk(value: Any) -> OnDisk | None:
    """Take what reads its rows when they are asked for: memory maps, HDF5 datasets and the like."""
    if isinstance(value, np.ndarray):
        return OnDisk(value) if isinstance(value, np.memmap) and value.ndim else None
    if hasattr(value, "__array_namespace__") or not hasattr(value, "__array__"):
        return None
    numbers = isinstance(getattr(value, "dtype", None), np.dtype) and hasattr(value, "__getitem__")
    return OnDisk(value) if numbers and value.shape else None


class Arrays:
    """Data with rows: `x`, `y` and weights with one row a sample, in memory or on disk.

    Args:
        x: array, or list or dict of arrays for several inputs; frames too.
        y: targets, likewise; `None` for prediction.
        sample_weight: one weight a row, a list of such for several outputs, or `None`.
        dtype: the model's floating type.
        input_dtypes: the types of the inputs, where they are declared.

    Raises:
        UserError: if the numbers of rows differ, or there are none.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        dtype: str = "float32",
        input_dtypes: list[Any] | None = None,
    ) -> None:
        declared = input_dtypes or []
        self.x = _named(x, "x", lambda i: declared[i] if i < len(declared) else dtype)
        stay = floats_stay(dtype)
        self.y = None if y is None else tree_map(stay, _named(y, "y", lambda _: None))
        self.w = (
            None
            if sample_weight is None
            else _named(sample_weight, "sample_weight", lambda _: dtype)
        )
        lengths = {
            name: [len(a) for a in leaves(part)]
            for name, part in (("x", self.x), ("y", self.y), ("sample_weight", self.w))
        }
        self.n = lengths["x"][0] if lengths["x"] else 0
        if any(n != self.n for part in lengths.values() for n in part):
            said = ", ".join(
                f"{k} has {' and '.join(map(str, v))}" for k, v in lengths.items() if v
            )
            raise UserError(f"the numbers of rows differ: {said}", mend="give one target a row")
        if self.n == 0:
            raise UserError("there are no rows", "x", "give at least one row")
        if not isinstance(self.w, (dict, list, type(None))) and not isinstance(
            self.y, (dict, list, type(None))
        ):
            self._check_weights(self.w, self.y)

    def _check_weights(self, w: Any, y: Any) -> None:
        if w.shape not in (y.shape[: w.ndim], (self.n, 1)):
            raise UserError(
                f"weights of shape {w.shape} were given for targets of shape {y.shape}",
                "sample_weight",
                "give one weight a row",
            )

    def __len__(self) -> int:
        return self.n

    @property
    def in_memory(self) -> bool:
        """Whether nothing has to be read."""
        return not any(isinstance(a, OnDisk) for a in leaves((self.x, self.y, self.w)))

    def rows(self, chosen: Any) -> Batch:
        """Give the rows of an index or slice as a batch."""
        return Batch(*(tree_map(lambda a: a[chosen], part) for part in (self.x, self.y, self.w)))

    def sample(self) -> Batch:
        """Give the rows to prepare for: all that are in memory, the first two of those on disk."""
        return self.rows(slice(None) if self.in_memory else slice(0, 2))

    def first(self, steps: int | None, size: int | None) -> Arrays:
        """Keep the rows of the first so many batches; all, where nothing limits them."""
        if steps is None or size is None:
            return self
        if not isinstance(size, (int, np.integer)):
            raise UserError(f"batch_size is {shown(size)}", mend="give a whole number from 1")
        return self._part(slice(0, int(steps) * int(size)))

    def split(self, fraction: float) -> tuple[Arrays, Arrays]:
        """Set the last part of the rows aside, as Keras's `validation_split` does."""
        if not isinstance(fraction, (int, float, np.number)) or not 0 < fraction < 1:
            raise UserError(
                f"validation_split has to lie between 0 and 1, it is {fraction!r}", mend="e.g. 0.2"
            )
        cut = int(self.n * (1 - fraction))
        if cut in (0, self.n):
            raise UserError(
                f"validation_split={fraction} of {self.n} rows leaves one part empty",
                mend="give more rows or another part",
            )
        return self._part(slice(0, cut)), self._part(slice(cut, None))

    def weigh(self, class_weight: dict[int, float], dtype: str) -> None:
        """Give each row the weight of its class."""
        if self.w is not None:
            raise UserError(
                "class_weight and sample_weight exclude each other",
                mend="multiply the weights of the classes into sample_weight",
            )
        if isinstance(self.y, (list, dict)):
            raise UserError("class_weight needs a single output", mend="use sample_weight")
        at_once = self.n if self.in_memory else 2**16
        y: Any = self.y
        parts = (y[row : row + at_once] for row in range(0, self.n, at_once))
        weights = [weights_of_classes(part, class_weight, dtype) for part in parts]
        self.w = np.concatenate(weights)

    def _part(self, rows: slice) -> Arrays:
        part = object.__new__(Arrays)
        cut = lambda a: a.part(rows) if isinstance(a, OnDisk) else a[rows]  # noqa: E731
        part.x, part.y, part.w = (tree_map(cut, tree) for tree in (self.x, self.y, self.w))
        part.n = len(leaves(part.x)[0])
        return part


def weights_of_classes(y: Any, class_weight: dict[int, float], dtype: str) -> np.ndarray:
    """Turn weights of classes into one weight a row.

    >>> weights_of_classes(np.array([0, 1, 1]), {0: 1.0, 1: 2.0}, "float32")
    array([1., 2., 2.], dtype=float32)
    """
    try:
        table = {int(k): float(v) for k, v in class_weight.items()}
    except MISFITS as error:
        raise UserError(
            f"{shown(class_weight)} is not weights of classes",
            "class_weight",
            "give a dict from class number to weight, e.g. {0: 1.0, 1: 2.5}",
        ) from error
    y = np.asarray(y)
    labels = y.argmax(-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(len(y), -1)[:, 0]
    return np.array([table.get(int(label), 1.0) for label in labels], dtype)
