"""Parts of arrays whose place is known only when they are read or written: caches, windows in time.

On XLA the indices may be computed; there a part that would reach beyond an end is moved back to it,
as in Keras. NumPy refuses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trasluz.autodiff import backend, ops
from trasluz.autodiff.ops import POWER, structural
from trasluz.autodiff.tape import Traced, where
from trasluz.errors import UserError

# fmt: off
# name, reads as, pullback of g to each argument
slice_row: Any = structural(
    "slice", r"{0:0}_{{[{1}]}}",
    lambda g, y, x, at, shape: update_row(nothing(g, x.shape), g, at), None,
    forward=lambda x, at, shape: _cut(x, at, shape), binds=POWER)
update_row: Any = structural(
    "slice_update", r"\operatorname{{update}}_{{{2}}}\left({0}, {1}\right)",
    lambda g, y, x, new, at: update_row(g, nothing(g, new.shape), at),
    lambda g, y, x, new, at: slice_row(g, at, shape=new.shape), None,
    forward=lambda x, new, at: _updated(x, new, at))
# fmt: on


def nothing(like: Any, shape: Sequence[int]) -> Any:
    """Zeros of a type, which take no memory."""
    return ops.broadcast_to(np.asarray(ops.zero(like)), tuple(shape))


def slice(inputs: Any, start_indices: Any, shape: Sequence[int]) -> Any:  # noqa: A001
    """Give the part of an array that begins at an index: `y_j = x_{start + j}`.

    Args:
        inputs: the array.
        start_indices: where the part begins along each axis; the numbers may be computed.
        shape: how long it is along each axis.

    Raises:
        UserError: if the ranks differ, or (on NumPy) it reaches beyond an end.

    >>> slice(np.arange(5.0), (1,), (3,))
    array([1., 2., 3.])
    """
    start, shape = _starts(inputs, start_indices, shape), tuple(map(int, shape))
    return slice_row(inputs, start, shape=shape)


def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Any:
    """Give an array with a part of it written anew, from an index on: `y_{start + j} = u_j`.

    Args:
        inputs: the array; it stays as it is.
        start_indices: where the part begins along each axis; the numbers may be computed.
        updates: what is written there, of as many axes.

    Raises:
        UserError: if the ranks differ, or (on NumPy) it reaches beyond an end.

    >>> slice_update(np.zeros(4), (1,), np.array([5.0, 6.0]))
    array([0., 5., 6., 0.])
    """
    return update_row(inputs, updates, _starts(inputs, start_indices, updates.shape))


def _starts(x: Any, start: Any, shape: Sequence[int]) -> Any:
    """Put indices into one array."""
    rank = len(x.shape)
    count = start.shape[0] if getattr(start, "shape", ()) else len(start)
    if not count == len(shape) == rank or any(n > m for n, m in zip(shape, x.shape, strict=True)):
        raise UserError(
            f"an array of shape {tuple(x.shape)} has no part of shape {tuple(shape)} at "
            f"{count} indices",
            where(),
            "give an index and a length for each axis, no longer than the axis",
        )
    if hasattr(start, "shape"):
        return start
    if any(isinstance(one, Traced) or backend.namespace(one) is not np for one in start):
        return ops.stack([ops.cast(one, "int32") for one in start])
    return np.array([int(one) for one in start], "int32")


def _checked(x: Any, at: Any, shape: Sequence[int]) -> tuple[Any, ...]:
    begin = [int(one) for one in at]
    if any(b < 0 or b + n > m for b, n, m in zip(begin, shape, x.shape, strict=True)):
        raise UserError(
            f"a part of shape {tuple(shape)} that begins at {begin} reaches beyond an array of "
            f"shape {tuple(x.shape)}",
            where(),
            "begin earlier, or make the array longer",
        )
    return tuple(np.s_[b : b + n] for b, n in zip(begin, shape, strict=True))


def _cut(x: Any, at: Any, shape: tuple[int, ...]) -> Any:
    if backend.namespace(x, at) is not np:
        return backend.slice_at(x, at, shape)
    return x[_checked(x, at, shape)]


def _updated(x: Any, new: Any, at: Any) -> Any:
    if backend.namespace(x, new, at) is not np:
        return backend.update_at(x, new, at)
    y, part = np.array(x), _checked(x, at, new.shape)
    y[part] = new
    return y
