"""Several inputs into one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

from trasluz.autodiff import ops
from trasluz.autodiff.tape import where
from trasluz.errors import UserError
from trasluz.layers.base import Layer


class _Merge(Layer):
    def call(self, inputs: Any) -> Any:
        if not isinstance(inputs, (list, tuple)) or len(inputs) < 2:
            raise UserError(
                "a merging layer needs a list of at least two inputs",
                where(),
                "call it on a list: Add()([a, b])",
            )
        return self.merge(inputs)

    def merge(self, inputs: Sequence[Any]) -> Any:
        """Make one of many."""
        raise NotImplementedError


class Add(_Merge):
    """The sum of the inputs: `x₁ + x₂ + …`, the addition of a residual connection.

    >>> import numpy as np
    >>> Add()([np.ones(2), np.ones(2)])
    array([2., 2.], dtype=float32)
    """

    def merge(self, inputs: Sequence[Any]) -> Any:
        return reduce(lambda a, b: a + b, inputs)


class Subtract(_Merge):
    """The difference of two inputs: `x₁ − x₂`."""

    def merge(self, inputs: Sequence[Any]) -> Any:
        if len(inputs) != 2:
            raise UserError(
                f"Subtract takes two inputs, {len(inputs)} were given",
                where(),
                "give two: Subtract()([a, b]) is a − b",
            )
        return inputs[0] - inputs[1]


class Multiply(_Merge):
    """The product of the inputs, entry by entry: `x₁ · x₂ · …`."""

    def merge(self, inputs: Sequence[Any]) -> Any:
        return reduce(lambda a, b: a * b, inputs)


class Average(_Merge):
    """The mean of the inputs: `(x₁ + x₂ + …) / n`."""

    def merge(self, inputs: Sequence[Any]) -> Any:
        return reduce(lambda a, b: a + b, inputs) / len(inputs)


class Maximum(_Merge):
    """The largest of the inputs, entry by entry."""

    def merge(self, inputs: Sequence[Any]) -> Any:
        return reduce(ops.maximum, inputs)


class Minimum(_Merge):
    """The smallest of the inputs, entry by entry."""

    def merge(self, inputs: Sequence[Any]) -> Any:
        return reduce(ops.minimum, inputs)


class Concatenate(_Merge):
    """The inputs side by side along an axis.

    >>> import numpy as np
    >>> Concatenate()([np.ones((1, 2)), np.zeros((1, 1))])
    array([[1., 1., 0.]], dtype=float32)
    """

    axis: int = -1

    def merge(self, inputs: Sequence[Any]) -> Any:
        return ops.concatenate(inputs, axis=self.axis)


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
