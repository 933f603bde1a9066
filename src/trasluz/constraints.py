"""What a weight is brought back to after each update: functions of an array.

A norm is taken along `axis`: 0 for the incoming weights of each unit of a dense kernel,
(0, 1, 2) for each filter of a two-dimensional convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trasluz.autodiff import ops
from trasluz.errors import UserError, shown
from trasluz.state.registry import Configurable, Registry, serialize

__all__ = [
    "Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "deserialize", "get", "serialize",
]  # fmt: skip

EPSILON = 1e-7

registry = Registry("constraint")


class Constraint(Configurable):
    """What brings an array back to where it may be."""

    def __call__(self, w: Any) -> Any:
        """Give the allowed array that stands for `w`."""
        raise NotImplementedError


def norms(w: Any, axis: Any) -> Any:
    """Euclidean lengths along one or several axes, kept with length one."""
    axes = tuple(int(a) for a in np.ravel(axis))
    if not axes or not all(-len(w.shape) <= a < len(w.shape) for a in axes):
        raise UserError(
            f"there is no axis {shown(axis)} in a weight of shape {tuple(w.shape)}",
            "constraint",
            f"give an axis from 0 to {len(w.shape) - 1}",
        )
    return ops.norm(w, axis=axes[0] if len(axes) == 1 else axes, keepdims=True)


@registry.register()
@dataclass
class MaxNorm(Constraint):
    """Shrink what is longer than allowed: `w · min(‖w‖, max_value) / (‖w‖ + ε)`.

    Args:
        max_value: the greatest length.
        axis: along which axis or axes.

    Source: Srivastava et al., Dropout (JMLR 2014).

    >>> import numpy as np
    >>> MaxNorm(1.0)(np.array([[3.0], [4.0]])).round(3).tolist()
    [[0.6], [0.8]]
    """

    max_value: float = 2
    axis: int | Sequence[int] = 0

    def __call__(self, w: Any) -> Any:
        length = norms(w, self.axis)
        return w * (ops.minimum(length, self.max_value) / (length + EPSILON))


@registry.register()
@dataclass
class NonNeg(Constraint):
    """Set what is negative to zero: `max(w, 0)`.

    >>> import numpy as np
    >>> NonNeg()(np.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    def __call__(self, w: Any) -> Any:
        return ops.maximum(w, 0)


@registry.register()
@dataclass
class UnitNorm(Constraint):
    """Bring to length one: `w / (‖w‖ + ε)`.

    Args:
        axis: along which axis or axes.

    >>> import numpy as np
    >>> UnitNorm()(np.array([[3.0], [4.0]])).round(3).tolist()
    [[0.6], [0.8]]
    """

    axis: int | Sequence[int] = 0

    def __call__(self, w: Any) -> Any:
        return w / (norms(w, self.axis) + EPSILON)


@registry.register()
@dataclass
class MinMaxNorm(Constraint):
    """Bring lengths towards an interval: `w · (r clip(‖w‖, min, max) + (1 − r)‖w‖) / (‖w‖ + ε)`.

    Args:
        min_value: the least length.
        max_value: the greatest length.
        rate: r, how much of the way; 1 goes all of it.
        axis: along which axis or axes.

    >>> import numpy as np
    >>> MinMaxNorm(0.0, 1.0, rate=0.5)(np.array([[3.0], [4.0]])).round(3).tolist()
    [[1.8], [2.4]]
    """

    min_value: float = 0.0
    max_value: float = 1.0
    rate: float = 1.0
    axis: int | Sequence[int] = 0

    def __call__(self, w: Any) -> Any:
        length = norms(w, self.axis)
        inside = ops.minimum(ops.maximum(length, self.min_value), self.max_value)
        return w * ((self.rate * inside + (1 - self.rate) * length) / (length + EPSILON))


def get(identifier: Any) -> Any:
    """Give a constraint from a name, a config, a function, or itself; nothing from `None`.

    Raises:
        UserError: if a name is not known; the nearest is suggested.

    >>> get("max_norm")
    MaxNorm(max_value=2, axis=0)
    """
    return registry.get(identifier)


deserialize = get
