"""Small helps around training."""

from __future__ import annotations

import random as python_random
from collections.abc import Iterator
from typing import Any

import numpy as np

from trasluz import config
from trasluz.autodiff import random
from trasluz.autodiff.backend import compute_on_one_thread
from trasluz.base.arguments import checks_arguments
from trasluz.data.arrays import Batch, as_array, packed, unpacked
from trasluz.errors import UserError, shown
from trasluz.state.registry import custom_object_scope, register_keras_serializable

__all__ = [
    "PyDataset",
    "custom_object_scope",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "register_keras_serializable",
    "set_random_seed",
    "to_categorical",
    "unpack_x_y_sample_weight",
]


@checks_arguments()
def set_random_seed(seed: int, deterministic: bool = False) -> None:
    """Make a program reproducible: seeds Python's, NumPy's and Trasluz's random numbers.

    The same seed gives the same bits on the same machine with the same number of threads. Sums are
    parted among threads, so another number of cores may give other last digits.

    Args:
        seed: a whole number from 0 to 2³² − 1.
        deterministic: whether to compute on one thread from now on, in this whole process, so that
            the number of cores makes no difference; large networks then take longer.

    Raises:
        UserError: if it is another seed, or XLA is running already with several threads.
    """
    if not 0 <= seed < 2**32:
        raise UserError(f"the seed is {seed}", "set_random_seed", "give one from 0 to 2**32 - 1")
    if deterministic:
        compute_on_one_thread()
    python_random.seed(int(seed))
    np.random.seed(int(seed))  # noqa: NPY002 (for programs that draw from NumPy's global generator)
    random.set_seed(int(seed))


@checks_arguments()
def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """Turn class numbers into rows with a one at the class's place.

    Args:
        x: whole numbers from 0, of any shape; a last axis of length one is dropped.
        num_classes: how many classes; the greatest number plus one if not given.

    Returns:
        An array of the same shape and one axis more.

    Raises:
        UserError: if a number is negative or too great.

    >>> to_categorical([2, 0])
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    x = _numbers(np.asarray(x, np.int64) if _is_text(x) else x)
    if not np.all(np.isfinite(x)):
        raise UserError("some class numbers are missing", "to_categorical", "leave those rows out")
    x = x.astype(np.int64)
    if x.ndim > 1 and x.shape[-1] == 1:
        x = x[..., 0]
    n = num_classes or (int(x.max()) + 1 if x.size else 0)
    if x.size and (x.min() < 0 or x.max() >= n):
        wrong = x.min() if x.min() < 0 else x.max()
        raise UserError(
            f"{wrong} is not a class number from 0 to {n - 1}",
            "to_categorical",
            "number the classes from 0, or give a greater num_classes",
        )
    if x.size * n > config.most_numbers():
        raise UserError(
            f"{x.size} rows of {n} classes are too much for memory",
            "to_categorical",
            "keep the numbers: 'sparse_categorical_crossentropy' takes them as they are",
        )
    return np.eye(n)[x] if n * n <= x.size * n else np.equal.outer(x, np.arange(n)).astype(float)


@checks_arguments()
def normalize(x: Any, axis: int = -1, order: float = 2) -> np.ndarray:
    """Divide by the length along an axis: `x / ‖x‖`; what has length zero stays.

    Args:
        x: an array.
        axis: along which axis.
        order: which norm: 2 for the Euclidean length, 1 for the sum of absolute values.

    >>> normalize([[3.0, 4.0]])
    array([[0.6, 0.8]])
    """
    x = _numbers(x)
    if not -x.ndim <= axis < x.ndim:
        raise UserError(f"there is no axis {axis} in shape {x.shape}", "normalize", "e.g. axis=-1")
    if order < 1:
        raise UserError(f"there is no norm of order {order}", "normalize", "give 1 or more")
    length = np.linalg.norm(x, order, axis, keepdims=True)
    return x / np.where(length == 0, 1, length)


@checks_arguments()
def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: float = 0.0,
) -> np.ndarray:
    """Bring sequences to one length, as rows of an array: short ones are filled, long ones cut.

    Args:
        sequences: a list of lists of numbers, or of arrays `(time, …)` that differ in `time` alone.
        maxlen: the length; that of the longest if not given.
        dtype: the type of the numbers.
        padding: where to fill, "pre" (in front, as Keras does) or "post" (behind).
        truncating: where to cut, "pre" or "post".
        value: what to fill with; 0 is what `Embedding(mask_zero=True)` leaves out.

    Returns:
        An array `(rows, maxlen, …)`.

    Raises:
        UserError: if something is not a sequence of numbers, or they do not go together.

    >>> pad_sequences([[4, 7, 2], [5]], padding="post")
    array([[4, 7, 2],
           [5, 0, 0]], dtype=int32)
    """
    for what, side in (("padding", padding), ("truncating", truncating)):
        if side not in ("pre", "post"):
            raise UserError(f"{what} is {side!r}", "pad_sequences", "give 'pre' or 'post'")
    if maxlen is not None and maxlen < 1:
        raise UserError(f"maxlen is {maxlen}", "pad_sequences", "give 1 or more")
    try:
        rows = [np.asarray(one, dtype) for one in sequences]
    except (TypeError, ValueError) as error:
        raise UserError(
            f"not every sequence holds numbers ({error})",
            "pad_sequences",
            "give a list of lists of numbers; number the words first",
        ) from error
    inner = {one.shape[1:] for one in rows if one.size}
    if len(inner) > 1 or not all(one.ndim for one in rows):
        raise UserError(
            f"they do not go together: {shown(sorted({one.shape for one in rows}))}",
            "pad_sequences",
            "give sequences that differ in length alone",
        )
    length = maxlen or max(map(len, rows), default=0)
    filled = np.full((len(rows), length, *(inner.pop() if inner else ())), value, dtype)
    for row, one in zip(filled, rows, strict=True):
        kept = one[-length:] if truncating == "pre" else one[:length]
        if len(kept):
            row[-len(kept) if padding == "pre" else 0 :][: len(kept)] = kept
    return filled


def _is_text(x: Any) -> bool:
    """Tell digits that are written as texts."""
    return isinstance(x, list) and all(isinstance(one, str) and one.isdecimal() for one in x)


def _numbers(x: Any) -> np.ndarray:
    """Take in numbers, one alone too."""
    alone = isinstance(x, (int, float, np.generic))
    array = np.asarray(as_array([x] if alone else x, "x"))
    return array.reshape(()) if alone else array


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """Take a batch apart, as `train_step` gets it: inputs, targets or `None`, weights or `None`.

    >>> unpack_x_y_sample_weight((1, 2))
    (1, 2, None)
    """
    return tuple(unpacked(data))


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """Put a batch together: `x`, `(x, y)` or `(x, y, sample_weight)`.

    >>> pack_x_y_sample_weight(1, 2)
    (1, 2)
    """
    return packed(Batch(x, y, sample_weight))


class PyDataset:
    """Batches by number: a subclass gives `__len__`, how many, and `__getitem__`, one of them.

    Args:
        workers, use_multiprocessing, max_queue_size: as in Keras; batches are made when they are
            asked for, one after the other.

    >>> class Rows(PyDataset):
    ...     def __len__(self):
    ...         return 2
    ...
    ...     def __getitem__(self, index):
    ...         return np.full((3, 1), index), np.zeros((3, 1))
    >>> [x.shape for x, y in Rows()]
    [(3, 1), (3, 1)]
    """

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ) -> None:
        self.workers, self.use_multiprocessing = workers, use_multiprocessing
        self.max_queue_size = max_queue_size

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} has no __len__ method")

    def __getitem__(self, index: int) -> Any:
        """Give a batch: `x`, `(x, y)` or `(x, y, sample_weight)`."""
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__ method")

    def on_epoch_end(self) -> None:
        """Every batch was given once."""

    def __iter__(self) -> Iterator[Any]:
        """Give every batch once."""
        yield from (self[i] for i in range(len(self)))
        self.on_epoch_end()
