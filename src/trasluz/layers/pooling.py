"""Pooling, padding, cropping: what gathers places, adds some around, or takes some away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from trasluz.autodiff import ops, windows
from trasluz.autodiff.tape import where
from trasluz.errors import UserError, shown, unknown
from trasluz.layers.base import Layer

FORMATS = ("channels_last", "channels_first")


def each_place(given: Any, rank: int, name: str, least: int = 1) -> tuple[int, ...]:
    """Read a number by axis of places, or one for all of them.

    Raises:
        UserError: if there are others than that, or one is too small.
    """
    alone = isinstance(given, (int, np.integer))
    each = (int(given),) * rank if alone else tuple(int(n) for n in given)
    if len(each) != rank or min(each) < least:
        raise UserError(
            f"{name} is {shown(given)}",
            where(),
            f"give a number from {least}, or {rank} of them" if rank > 1 else f"from {least}",
        )
    return each


def _check_format(data_format: str | None) -> None:
    if data_format is not None and data_format not in FORMATS:
        raise unknown("data_format", data_format, FORMATS)


def first_to_last(x: Any, data_format: str | None) -> Any:
    """Put channels last, if they come first."""
    _check_format(data_format)
    if data_format != "channels_first":
        return x
    return ops.transpose(x, (0, *range(2, len(x.shape)), 1))


def last_to_first(x: Any, data_format: str | None) -> Any:
    """Put channels where they came from."""
    if data_format != "channels_first":
        return x
    last = len(x.shape) - 1
    return ops.transpose(x, (0, last, *range(1, last)))


def places_of(x: Any) -> tuple[int, ...]:
    """Give the sizes of the axes between batch and channels."""
    return tuple(x.shape[1:-1])


def _of_rank(x: Any, rank: int) -> None:
    if len(x.shape) != rank + 2:
        raise UserError(
            f"it reads (batch, {'places, ' * rank}channels), the shape is {tuple(x.shape)}",
            where(),
            "add the missing axis, e.g. with Reshape",
        )


class _Pool(Layer):
    pool_size: int | Sequence[int] = 2
    strides: Any = None
    padding: str = "valid"
    data_format: str | None = None

    rank: ClassVar[int]

    def call(self, inputs: Any) -> Any:
        _of_rank(inputs, self.rank)
        x = first_to_last(inputs, self.data_format)
        sizes = each_place(self.pool_size, self.rank, "pool_size")
        strides = self.pool_size if self.strides is None else self.strides
        strides = each_place(strides, self.rank, "strides")
        if self.padding not in ("valid", "same"):
            raise unknown("padding", self.padding, ("valid", "same"))
        pads = windows.pads_of(self.padding, places_of(x), sizes, strides, (1,) * self.rank)
        if any(n + sum(p) < k for n, p, k in zip(places_of(x), pads, sizes, strict=True)):
            raise UserError(
                f"windows of {sizes} do not fit into {places_of(x)}",
                where(),
                'use padding="same", smaller windows, or larger inputs',
            )
        return last_to_first(self.pool(x, sizes, strides, pads), self.data_format)

    def pool(self, x: Any, sizes: Any, strides: Any, pads: Any) -> Any:
        """Make one of each window."""
        raise NotImplementedError


class MaxPooling1D(_Pool):
    """The greatest entry of each window of a series, channel by channel.

    Shapes: `(n, time, c) → (n, time', c)`. Where several are greatest, they share the derivative.

    Args:
        pool_size: how many places a window has.
        strides: how far it moves; its size if not given.
        padding: "valid" stays inside, "same" goes on over the end.
        data_format: "channels_last" or "channels_first".

    >>> import numpy as np
    >>> MaxPooling1D()(np.array([[[1.0], [3.0], [2.0], [0.0]]])).ravel()
    array([3., 2.], dtype=float32)
    """

    rank: ClassVar[int] = 1

    def pool(self, x: Any, sizes: Any, strides: Any, pads: Any) -> Any:
        """Take the greatest."""
        return windows.max_pool(x, sizes, strides, pads)


class MaxPooling2D(MaxPooling1D):
    """The greatest entry of each window of a picture, channel by channel.

    Shapes: `(n, h, w, c) → (n, h', w', c)`. Where several are greatest, they share the derivative.

    Args:
        pool_size: height and width of a window; a number for both.
        strides: how far it moves; its size if not given.
        padding: "valid" stays inside, "same" goes on over the edge.
        data_format: "channels_last" or "channels_first".

    >>> import numpy as np
    >>> MaxPooling2D()(np.arange(16.0).reshape(1, 4, 4, 1)).ravel()
    array([ 5.,  7., 13., 15.], dtype=float32)
    """

    rank: ClassVar[int] = 2


class AveragePooling1D(_Pool):
    """The mean of each window of a series, channel by channel, over the places that are there.

    Shapes: `(n, time, c) → (n, time', c)`.

    Args:
        pool_size, strides, padding, data_format: as for `MaxPooling1D`.

    >>> import numpy as np
    >>> AveragePooling1D(padding="same")(np.array([[[1.0], [2.0], [3.0]]])).ravel()
    array([1.5, 3. ], dtype=float32)
    """

    rank: ClassVar[int] = 1

    def pool(self, x: Any, sizes: Any, strides: Any, pads: Any) -> Any:
        """Take the mean."""
        return windows.average_pool(x, sizes, strides, pads)


class AveragePooling2D(AveragePooling1D):
    """The mean of each window of a picture, channel by channel, over the places that are there.

    Shapes: `(n, h, w, c) → (n, h', w', c)`.

    Args:
        pool_size, strides, padding, data_format: as for `MaxPooling2D`.

    >>> import numpy as np
    >>> AveragePooling2D()(np.arange(16.0).reshape(1, 4, 4, 1)).ravel()
    array([ 2.5,  4.5, 10.5, 12.5], dtype=float32)
    """

    rank: ClassVar[int] = 2


class _GlobalPool(Layer):
    data_format: str | None = None
    keepdims: bool = False

    rank: ClassVar[int]

    def call(self, inputs: Any) -> Any:
        _of_rank(inputs, self.rank)
        _check_format(self.data_format)
        first = 2 if self.data_format == "channels_first" else 1
        return self.gather(inputs, tuple(range(first, first + self.rank)), bool(self.keepdims))

    def gather(self, x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
        """Make one of all places."""
        raise NotImplementedError


class _GlobalAverage(_GlobalPool):
    def gather(self, x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
        return ops.mean(x, axis=axes, keepdims=keepdims)


class GlobalAveragePooling1D(_GlobalAverage):
    """The mean over a series, channel by channel: `(n, time, c) → (n, c)`.

    Steps that a mask leaves out have no part in it; the mean of none is 0.

    Args:
        data_format: "channels_last" or "channels_first".
        keepdims: whether the axis stays, with length one.

    >>> import numpy as np
    >>> GlobalAveragePooling1D()(np.array([[[1.0], [3.0]]]))
    array([[2.]], dtype=float32)
    """

    rank: ClassVar[int] = 1

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return super().call(inputs)
        _of_rank(inputs, self.rank)
        first = self.data_format == "channels_first"
        time = 2 if first else 1
        if tuple(mask.shape) != (inputs.shape[0], inputs.shape[time]):
            raise UserError(
                f"a mask of shape {tuple(mask.shape)} came for inputs of shape "
                f"{tuple(inputs.shape)}",
                where(),
                "give a truth for each step: (batch, time)",
            )
        counts = ops.expand_dims(ops.cast(mask, bool), 1 if first else 2)
        x = ops.where(counts, inputs, ops.zero(inputs))
        many = ops.sum(ops.cast(counts, x.dtype), axis=time, keepdims=self.keepdims)
        return ops.sum(x, axis=time, keepdims=self.keepdims) / ops.maximum(many, 1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """There are no steps left."""
        return None


class GlobalAveragePooling2D(_GlobalAverage):
    """The mean over a picture, channel by channel: `(n, h, w, c) → (n, c)`.

    Args:
        data_format: "channels_last" or "channels_first".
        keepdims: whether the axes stay, with length one.

    Source: Lin, Chen, Yan, Network in network (ICLR 2014).

    >>> import numpy as np
    >>> GlobalAveragePooling2D()(np.arange(4.0).reshape(1, 2, 2, 1))
    array([[1.5]], dtype=float32)
    """

    rank: ClassVar[int] = 2


class GlobalMaxPooling1D(_GlobalPool):
    """The greatest entry of a series, channel by channel: `(n, time, c) → (n, c)`.

    Args:
        data_format: "channels_last" or "channels_first".
        keepdims: whether the axis stays, with length one.

    >>> import numpy as np
    >>> GlobalMaxPooling1D()(np.array([[[1.0], [3.0]]]))
    array([[3.]], dtype=float32)
    """

    rank: ClassVar[int] = 1

    def gather(self, x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
        """Take the greatest."""
        return ops.max(x, axis=axes, keepdims=keepdims)


class GlobalMaxPooling2D(GlobalMaxPooling1D):
    """The greatest entry of a picture, channel by channel: `(n, h, w, c) → (n, c)`.

    Args:
        data_format: "channels_last" or "channels_first".
        keepdims: whether the axes stay, with length one.

    >>> import numpy as np
    >>> GlobalMaxPooling2D()(np.arange(4.0).reshape(1, 2, 2, 1))
    array([[3.]], dtype=float32)
    """

    rank: ClassVar[int] = 2


def _both_sides(given: Any, rank: int, name: str) -> list[tuple[int, int]]:
    """Read how much before and after each axis: a number, one by axis, or a pair by axis."""
    if isinstance(given, (int, np.integer)):
        given = [given] * rank
    given = [given] if rank == 1 and len(given) == 2 else list(given)
    pairs = [(n, n) if isinstance(n, (int, np.integer)) else tuple(n) for n in given]
    if len(pairs) != rank or any(len(p) != 2 or min(p) < 0 for p in pairs):
        raise UserError(f"{name} is {shown(given)}", where(), "give numbers from 0, or pairs")
    return [(int(a), int(b)) for a, b in pairs]


class ZeroPadding1D(Layer):
    """Zeros before and after a series: `(n, time, c) → (n, time', c)`.

    Args:
        padding: how many on both sides, or `(before, after)`.
        data_format: "channels_last" or "channels_first".

    >>> import numpy as np
    >>> ZeroPadding1D((1, 0))(np.ones((1, 2, 1))).ravel()
    array([0., 1., 1.], dtype=float32)
    """

    padding: Any = 1
    data_format: str | None = None

    rank: ClassVar[int] = 1

    def call(self, inputs: Any) -> Any:
        _of_rank(inputs, self.rank)
        x = first_to_last(inputs, self.data_format)
        pads = _both_sides(self.padding, self.rank, "padding")
        return last_to_first(ops.pad(x, [(0, 0), *pads, (0, 0)]), self.data_format)


class ZeroPadding2D(ZeroPadding1D):
    """Zeros around a picture: `(n, h, w, c) → (n, h', w', c)`.

    Args:
        padding: how many on all sides, `(rows, columns)`, or `((top, bottom), (left, right))`.
        data_format: "channels_last" or "channels_first".

    >>> import numpy as np
    >>> ZeroPadding2D(((1, 0), (0, 1)))(np.ones((1, 1, 1, 1))).reshape(2, 2)
    array([[0., 0.],
           [1., 0.]], dtype=float32)
    """

    rank: ClassVar[int] = 2


class Cropping1D(Layer):
    """Without the first and last places of a series: `(n, time, c) → (n, time', c)`.

    Args:
        cropping: how many on both sides, or `(before, after)`.
        data_format: "channels_last" or "channels_first".

    Raises:
        UserError: if nothing would be left.

    >>> import numpy as np
    >>> Cropping1D((1, 0))(np.arange(3.0).reshape(1, 3, 1)).ravel()
    array([1., 2.], dtype=float32)
    """

    cropping: Any = 1
    data_format: str | None = None

    rank: ClassVar[int] = 1

    def call(self, inputs: Any) -> Any:
        _of_rank(inputs, self.rank)
        x = first_to_last(inputs, self.data_format)
        cuts = _both_sides(self.cropping, self.rank, "cropping")
        if any(a + b >= n for n, (a, b) in zip(places_of(x), cuts, strict=True)):
            raise UserError(
                f"cropping {cuts} leaves nothing of {places_of(x)}", where(), "crop less"
            )
        index = tuple(slice(a, n - b) for n, (a, b) in zip(places_of(x), cuts, strict=True))
        return last_to_first(ops.getitem(x, index=(slice(None), *index)), self.data_format)


class Cropping2D(Cropping1D):
    """Without the edges of a picture: `(n, h, w, c) → (n, h', w', c)`.

    Args:
        cropping: how many on all sides, `(rows, columns)`, or `((top, bottom), (left, right))`.
        data_format: "channels_last" or "channels_first".

    Raises:
        UserError: if nothing would be left.

    >>> import numpy as np
    >>> Cropping2D(1)(np.arange(9.0).reshape(1, 3, 3, 1)).ravel()
    array([4.], dtype=float32)
    """

    rank: ClassVar[int] = 2


class UpSampling1D(Layer):
    """Each place of a series several times: `(n, time, c) → (n, time · size, c)`.

    Args:
        size: how often.

    >>> import numpy as np
    >>> UpSampling1D(2)(np.array([[[1.0], [2.0]]])).ravel()
    array([1., 1., 2., 2.], dtype=float32)
    """

    size: int | Sequence[int] = 2

    def call(self, inputs: Any) -> Any:
        _of_rank(inputs, 1)
        return _repeated(inputs, each_place(self.size, 1, "size"))


class UpSampling2D(Layer):
    """A larger picture: `(n, h, w, c) → (n, h · size, w · size, c)`.

    Args:
        size: how often each row and column; a number for both.
        data_format: "channels_last" or "channels_first".
        interpolation: "nearest" repeats places; "bilinear" goes evenly from one to the next, the
            centres of places being half a place from their edges.

    >>> import numpy as np
    >>> UpSampling2D((1, 2), interpolation="bilinear")(np.array([[[[0.0], [1.0]]]])).ravel()
    array([0.  , 0.25, 0.75, 1.  ], dtype=float32)
    """

    size: int | Sequence[int] = 2
    data_format: str | None = None
    interpolation: str = "nearest"

    def call(self, inputs: Any) -> Any:
        _of_rank(inputs, 2)
        x = first_to_last(inputs, self.data_format)
        sizes = each_place(self.size, 2, "size")
        if self.interpolation not in ("nearest", "bilinear"):
            raise unknown("interpolation", self.interpolation, ("nearest", "bilinear"))
        grown = _repeated if self.interpolation == "nearest" else _between
        return last_to_first(grown(x, sizes), self.data_format)


def _repeated(x: Any, sizes: tuple[int, ...]) -> Any:
    """Repeat places along each axis."""
    places, c = places_of(x), x.shape[-1]
    apart = [m for n in places for m in (n, 1)]
    whole = [m for n, size in zip(places, sizes, strict=True) for m in (n, size)]
    wide = [n * size for n, size in zip(places, sizes, strict=True)]
    y = ops.broadcast_to(ops.reshape(x, (x.shape[0], *apart, c)), (x.shape[0], *whole, c))
    return ops.reshape(y, (x.shape[0], *wide, c))


def _between(x: Any, sizes: tuple[int, ...]) -> Any:
    """Go evenly from place to place along each axis: a product with fixed weights."""
    for axis, size in enumerate(sizes, 1):
        n = x.shape[axis]
        at = np.clip((np.arange(n * size) + 0.5) / size - 0.5, 0, n - 1)
        weights = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(n)))
        last = ops.swapaxes(x, axis, len(x.shape) - 1)
        y = ops.dot_last(last, np.asarray(weights.T, x.dtype))
        x = ops.swapaxes(y, axis, len(x.shape) - 1)
    return x
