"""Several inputs into one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from trasluz.autodiff import ops
from trasluz.autodiff.tape import where
from trasluz.errors import UserError, shown
from trasluz.layers.base import Layer
from trasluz.losses.regression import unit
from trasluz.state.masks import mask_of


class _Merge(Layer):
    def call(self, inputs: Any) -> Any:
        if not isinstance(inputs, (list, tuple)) or len(inputs) < 2:
            raise UserError(
                "a merging layer needs a list of at least two inputs",
                where(),
                "call it on a list: Add()([a, b])",
            )
        return self.merge(inputs)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Tell where one of the inputs counts; `None` where one has no mask."""
        masks = _listed(inputs, mask)
        return None if any(one is None for one in masks) else reduce(ops.logical_or, masks)

    def merge(self, inputs: Sequence[Any]) -> Any:
        """Make one of many."""
        raise NotImplementedError


def _listed(inputs: Any, mask: Any) -> list[Any]:
    """List the mask of each input.

    Raises:
        UserError: if there are not as many as inputs.
    """
    if mask is None:
        return [None]
    if not isinstance(mask, (list, tuple)) or not isinstance(inputs, (list, tuple)):
        raise UserError(f"the mask is {shown(mask)}", where(), "give a list: one an input, or None")
    if len(mask) != len(inputs):
        raise UserError(
            f"{len(mask)} masks came for {len(inputs)} inputs", where(), "give one an input"
        )
    return list(mask)


def _like(x: Any, mask: Any) -> Any:
    """Give a mask the axes of an array; axes that it lacks have length 1."""
    if mask is None:
        return None
    missing = len(x.shape) - len(mask.shape)
    return ops.reshape(ops.cast(mask, bool), (*mask.shape, *[1] * missing))


class _Entrywise(_Merge):
    """Entry by entry; where ranks differ, rows stay rows: axes of length 1 come behind them."""

    def call(self, inputs: Any) -> Any:
        if isinstance(inputs, (list, tuple)) and len({len(x.shape) for x in inputs}) > 1:
            rank = max(len(x.shape) for x in inputs)
            inputs = [_of_rank(x, rank) for x in inputs]
        return super().call(inputs)


def _of_rank(x: Any, rank: int) -> Any:
    """Give an array more axes, behind the first."""
    shape = tuple(x.shape)
    missing = (1,) * (rank - len(shape))
    return ops.reshape(x, (*shape[:1], *missing, *shape[1:])) if missing else x


class Add(_Entrywise):
    """The sum of the inputs: `x₁ + x₂ + …`, the addition of a residual connection.

    >>> import numpy as np
    >>> Add()([np.ones(2), np.ones(2)])
    array([2., 2.], dtype=float32)
    """

    def merge(self, inputs: Sequence[Any]) -> Any:
        return reduce(lambda a, b: a + b, inputs)


class Subtract(_Entrywise):
    """The difference of two inputs: `x₁ − x₂`."""

    def merge(self, inputs: Sequence[Any]) -> Any:
        if len(inputs) != 2:
            raise UserError(
                f"Subtract takes two inputs, {len(inputs)} were given",
                where(),
                "give two: Subtract()([a, b]) is a − b",
            )
        return inputs[0] - inputs[1]


class Multiply(_Entrywise):
    """The product of the inputs, entry by entry: `x₁ · x₂ · …`.

    What a mask leaves out is no factor; where all do, the product is 0.
    """

    def merge(self, inputs: Sequence[Any]) -> Any:
        masks = [_like(x, mask_of(x)) for x in inputs]
        inputs = [
            x if mask is None else ops.where(mask, x, ops.zero(x) + 1)
            for x, mask in zip(inputs, masks, strict=True)
        ]
        y = reduce(lambda a, b: a * b, inputs)
        if any(mask is None for mask in masks):
            return y
        return ops.where(reduce(ops.logical_or, masks), y, ops.zero(y))


class Average(_Entrywise):
    """The mean of the inputs: `(x₁ + x₂ + …) / n`."""

    def merge(self, inputs: Sequence[Any]) -> Any:
        return reduce(lambda a, b: a + b, inputs) / len(inputs)


class Maximum(_Entrywise):
    """The largest of the inputs, entry by entry, among those that no mask leaves out."""

    def merge(self, inputs: Sequence[Any]) -> Any:
        return _among(ops.maximum, inputs)


class Minimum(_Entrywise):
    """The smallest of the inputs, entry by entry, among those that no mask leaves out."""

    def merge(self, inputs: Sequence[Any]) -> Any:
        return _among(ops.minimum, inputs)


def _among(choose: Callable[[Any, Any], Any], inputs: Sequence[Any]) -> Any:
    """Choose from pairs, where both count; what a mask leaves out gives way to the other."""
    y, counts = inputs[0], _like(inputs[0], mask_of(inputs[0]))
    for x in inputs[1:]:
        own = _like(x, mask_of(x))
        x = x if own is None else ops.where(own, x, y)
        y = choose(y if counts is None else ops.where(counts, y, x), x)
        counts = None if counts is None or own is None else ops.logical_or(counts, own)
    return y


class Concatenate(_Merge):
    """The inputs side by side along an axis.

    >>> import numpy as np
    >>> Concatenate()([np.ones((1, 2)), np.zeros((1, 1))])
    array([[1., 1., 0.]], dtype=float32)
    """

    axis: int = -1

    def merge(self, inputs: Sequence[Any]) -> Any:
        return ops.concatenate(inputs, axis=self.axis)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Tell where something counts; an input without a mask counts as a whole."""
        masks = _listed(inputs, mask)
        if all(one is None for one in masks):
            return None
        whole = [x == x for x in inputs]
        parts = [
            w if one is None else w * _like(x, one)
            for x, w, one in zip(inputs, whole, masks, strict=True)
        ]
        side_by_side = ops.concatenate(parts, axis=self.axis)
        return ops.sum(ops.cast(side_by_side, "int32"), axis=-1) > 0


class Dot(_Merge):
    """The product of two inputs, summed along an axis of each: `y = Σₖ a[…, k, …] b[…, k, …]`.

    Shapes: what is left of a's axes, then what is left of b's behind the batch axis;
    `(n, d), (n, d) → (n, 1)`, `(n, t, d), (n, s, d) → (n, t, s)` with `axes=2`.

    Args:
        axes: the axis that is summed, of both, or one of each; not 0, the batch axis.
        normalize: whether to divide by the Euclidean length along it first, which gives cosines.

    Raises:
        UserError: if the axes are not there, or not equally long.

    >>> import numpy as np
    >>> Dot(axes=1)([np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])])
    array([[11.]], dtype=float32)
    """

    axes: int | Sequence[int]
    normalize: bool = False

    def merge(self, inputs: Sequence[Any]) -> Any:
        a, b = self._two(inputs)
        i, j = self._axes(a, b)
        if self.normalize:
            a, b = unit(a, axis=i), unit(b, axis=j)
        left = [k for k in range(1, len(a.shape)) if k != i]
        right = [k for k in range(1, len(b.shape)) if k != j]
        n, d = a.shape[0], a.shape[i]
        y = ops.matmul(
            ops.reshape(ops.transpose(a, (0, *left, i)), (n, -1, d)),  # (n, rest of a, d)
            ops.reshape(ops.transpose(b, (0, j, *right)), (n, d, -1)),  # (n, d, rest of b)
        )
        rest = [a.shape[k] for k in left] + [b.shape[k] for k in right]
        return ops.reshape(y, (n, *(rest or [1])))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """There is none: what steps there were are summed, or stand in pairs."""
        return None

    def _two(self, inputs: Sequence[Any]) -> tuple[Any, Any]:
        if len(inputs) != 2:
            raise UserError(
                f"Dot takes two inputs, {len(inputs)} were given", where(), "give two: [a, b]"
            )
        return inputs[0], inputs[1]

    def _axes(self, a: Any, b: Any) -> tuple[int, int]:
        """Read which axis of each is summed."""
        given = self.axes
        pair = (given, given) if isinstance(given, int) else tuple(given)
        shapes = tuple(a.shape), tuple(b.shape)
        there = len(pair) == 2 and all(
            -len(s) < k < len(s) and k != 0 for k, s in zip(pair, shapes, strict=True)
        )
        if not there:
            raise UserError(
                f"axes is {shown(given)}, the shapes are {shapes[0]} and {shapes[1]}",
                where(),
                "give an axis behind the batch axis, or one of each input",
            )
        i, j = (k % len(s) for k, s in zip(pair, shapes, strict=True))
        if shapes[0][i] != shapes[1][j]:
            raise UserError(
                f"axis {i} of shape {shapes[0]} and axis {j} of shape {shapes[1]} differ in length",
                where(),
                "choose axes of one length",
            )
        return i, j


def add(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Add()(inputs)`."""
    return Add(**kwargs)(inputs)


def subtract(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Subtract()(inputs)`."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Multiply()(inputs)`."""
    return Multiply(**kwargs)(inputs)


def average(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Average()(inputs)`."""
    return Average(**kwargs)(inputs)


def maximum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Maximum()(inputs)`."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Minimum()(inputs)`."""
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: Sequence[Any], axis: int = -1, **kwargs: Any) -> Any:
    """`Concatenate(axis)(inputs)`."""
    return Concatenate(axis, **kwargs)(inputs)


def dot(inputs: Sequence[Any], axes: int | Sequence[int] = -1, **kwargs: Any) -> Any:
    """`Dot(axes)(inputs)`."""
    return Dot(axes, **kwargs)(inputs)
