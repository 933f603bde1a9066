"""What models are fed with: arrays, frames, or an iterable of batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from trasluz.errors import UserError
from trasluz.tree import leaves, tree_map


class Batch(NamedTuple):
    """Inputs, targets (or `None`) and sample weights (or `None`) of some rows."""

    x: Any
    y: Any = None
    w: Any = None


def as_array(value: Any, name: str, dtype: Any = None) -> np.ndarray:
    """Take an array out of what people hold data in: arrays, lists, pandas and polars frames.

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
        array = np.asarray(value)
    except ValueError as error:
        raise UserError(f"the rows do not have the same length ({error})", name) from error
    if array.dtype == object:
        try:
            array = array.astype("float64")
        except (TypeError, ValueError) as error:
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


class Arrays:
    """Data in memory: `x`, `y` and weights with one row a sample.

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
        if isinstance(self.w, np.ndarray) and isinstance(self.y, np.ndarray):
            self._check_weights(self.w, self.y)

    def _check_weights(self, w: np.ndarray, y: np.ndarray) -> None:
        if w.shape not in (y.shape[: w.ndim], (self.n, 1)):
            raise UserError(
                f"weights of shape {w.shape} were given for targets of shape {y.shape}",
                "sample_weight",
                "give one weight a row",
            )

    def __len__(self) -> int:
        return self.n

    def rows(self, chosen: Any) -> Batch:
        """Give the rows of an index or slice as a batch."""
        return Batch(*(tree_map(lambda a: a[chosen], part) for part in (self.x, self.y, self.w)))

    def batches(self, size: int, order: np.ndarray | None = None) -> Iterator[Batch]:
        """Cut into batches, in an order or as it stands."""
        for start in range(0, self.n, size):
            part = slice(start, start + size)
            yield self.rows(part if order is None else order[part])

    def first(self, steps: int | None, size: int | None) -> Arrays:
        """Keep the rows of the first so many batches; all, where nothing limits them."""
        return self if steps is None or size is None else self._part(slice(0, steps * size))

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

    def _part(self, rows: slice) -> Arrays:
        part = object.__new__(Arrays)
        part.x, part.y, part.w = self.rows(rows)
        part.n = len(leaves(part.x)[0])
        return part


class Stream:
    """Batches from an iterable: each `x`, `(x, y)` or `(x, y, weights)`.

    Args:
        source: any iterable; a generator is used up, other iterables start anew each epoch.
        dtype: the model's floating type.
        steps: how many batches an epoch has; all there are if it is not given.
    """

    def __init__(self, source: Iterable[Any], dtype: str, steps: int | None = None) -> None:
        self.source, self.dtype, self.steps = source, dtype, steps
        self.running: Iterator[Any] | None = None

    def batches(self) -> Iterator[Batch]:
        """Give one epoch's batches; an endless source goes on where it stopped."""
        if self.steps is None:
            yield from (self._batch(b) for b in self.source)
            return
        if self.running is None:
            self.running = iter(self.source)
        for _ in range(self.steps):
            try:
                item = next(self.running)
            except StopIteration:
                if iter(self.source) is self.running:  # a generator cannot start again
                    return
                self.running = iter(self.source)
                item = next(self.running)
            yield self._batch(item)

    def _batch(self, item: Any) -> Batch:
        parts = item if isinstance(item, tuple) else (item,)
        if not 1 <= len(parts) <= 3:
            raise UserError(
                f"a batch of {len(parts)} parts", mend="yield x, (x, y) or (x, y, sample_weight)"
            )
        x, y, w = (*parts, None, None)[:3]
        data = Arrays(x, y, w, self.dtype)
        return Batch(data.x, data.y, data.w)


def is_stream(x: Any, y: Any) -> bool:
    """Tell an iterable of batches from data in memory."""
    if y is not None or hasattr(x, "__array__") or hasattr(x, "to_numpy"):
        return False
    if isinstance(x, (list, tuple)):
        return len(x) > 0 and isinstance(x[0], tuple)
    return isinstance(x, Iterable) and not isinstance(x, dict)


def weights_of_classes(y: Any, class_weight: dict[int, float], dtype: str) -> np.ndarray:
    """Turn weights of classes into one weight a row.

    >>> weights_of_classes(np.array([0, 1, 1]), {0: 1.0, 1: 2.0}, "float32")
    array([1., 2., 2.], dtype=float32)
    """
    try:
        table = {int(k): float(v) for k, v in class_weight.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(
            f"{class_weight!r} is not weights of classes",
            "class_weight",
            "give a dict from class number to weight, e.g. {0: 1.0, 1: 2.5}",
        ) from error
    y = np.asarray(y)
    labels = y.argmax(-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(len(y), -1)[:, 0]
    return np.array([table.get(int(label), 1.0) for label in labels], dtype)
