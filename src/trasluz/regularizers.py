"""Penalties on weights and activities: functions of an array that are added to the loss.

They are made of rows, so arrays, boxes, tracers and symbols all pass through them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from trasluz.autodiff import ops
from trasluz.errors import UserError, unknown
from trasluz.state.registry import Configurable, Registry, serialize

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "OrthogonalRegularizer",
    "Regularizer",
    "deserialize",
    "get",
    "serialize",
]  # fmt: skip

registry = Registry("regularizer")


class Regularizer(Configurable):
    """What turns an array into a penalty."""

    def __call__(self, x: Any) -> Any:
        """Compute the penalty of an array, a scalar."""
        raise NotImplementedError


def check_factor(value: float, name: str) -> None:
    """Check that a factor is a finite number and not negative.

    Raises:
        UserError: if it is not.
    """
    if isinstance(value, (int, float, np.number)) and math.isfinite(value) and value >= 0:
        return
    raise UserError(f"{name} is {value!r}", "regularizer", "give a finite number, 0 or more")


@registry.register("l1")
@dataclass
class L1(Regularizer):
    """Sum of absolute values: `l1 · Σ|x|`.

    Args:
        l1: the factor.

    Raises:
        UserError: if the factor is negative or not finite.

    >>> round(float(L1(0.1)(np.array([1.0, -2.0]))), 6)
    0.3
    """

    l1: float = 0.01

    def __post_init__(self) -> None:
        check_factor(self.l1, "l1")

    def __call__(self, x: Any) -> Any:
        return self.l1 * ops.sum(ops.absolute(x))


@registry.register("l2")
@dataclass
class L2(Regularizer):
    """Sum of squares, without a half: `l2 · Σx²`.

    Args:
        l2: the factor.

    Raises:
        UserError: if the factor is negative or not finite.

    >>> float(L2(0.1)(np.array([1.0, -2.0])))
    0.5
    """

    l2: float = 0.01

    def __post_init__(self) -> None:
        check_factor(self.l2, "l2")

    def __call__(self, x: Any) -> Any:
        return self.l2 * ops.sum(ops.square(x))


@dataclass
class L1L2(Regularizer):
    """Both penalties: `l1 · Σ|x| + l2 · Σx²`.

    The string "l1_l2" stands for both factors being 0.01.

    Args:
        l1: factor of the absolute values.
        l2: factor of the squares.

    Raises:
        UserError: if a factor is negative or not finite.

    >>> round(float(L1L2(0.1, 0.1)(np.array([1.0, -2.0]))), 6)
    0.8
    """

    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        check_factor(self.l1, "l1")
        check_factor(self.l2, "l2")

    def __call__(self, x: Any) -> Any:
        return self.l1 * ops.sum(ops.absolute(x)) + self.l2 * ops.sum(ops.square(x))


registry.add(L1L2)
registry.add(L1L2(0.01, 0.01), "l1_l2", "l1l2")
l1, l2, l1_l2 = L1, L2, L1L2


@registry.register("orthogonal_regularizer", "orthogonal")
@dataclass
class OrthogonalRegularizer(Regularizer):
    """Mean absolute cosine between the rows, or columns, of a matrix: `factor · mean_{i<j}|uᵢ·uⱼ|`.

    Args:
        factor: the factor.
        mode: "rows" or "columns".

    Raises:
        UserError: if the factor is negative or not finite, the mode not known, or, when called,
            if the array is not a matrix.

    >>> float(OrthogonalRegularizer(1.0)(np.array([[1.0, 0.0], [0.0, 2.0]])))
    0.0
    """

    factor: float = 0.01
    mode: str = "rows"

    def __post_init__(self) -> None:
        check_factor(self.factor, "factor")
        if self.mode not in ("rows", "columns"):
            raise unknown("mode", self.mode, ("rows", "columns"))

    def __call__(self, x: Any) -> Any:
        if len(x.shape) != 2:
            raise UserError(
                f"an array of shape {tuple(x.shape)} is not a matrix",
                type(self).__name__,
                "use it for kernels with two axes",
            )
        x = x if self.mode == "rows" else x.mT
        u = x / ops.maximum(ops.norm(x, axis=1, keepdims=True), 1e-12)
        n = x.shape[0]
        others = 1 - np.eye(n, dtype=x.dtype)
        cosines = ops.absolute(ops.matmul(u, u.mT)) * others
        return self.factor * ops.sum(cosines) / max(n * (n - 1), 1)


def get(identifier: Any) -> Any:
    """Give a regularizer from a name, a config, a function, or itself; nothing from `None`.

    Raises:
        UserError: if a name is not known; the nearest is suggested.

    >>> get("l2")
    L2(l2=0.01)
    """
    return registry.get(identifier)


deserialize = get
