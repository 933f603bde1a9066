"""Centring and scaling by the mean and variance that an array has itself, along some axes.

The row's rule has the three ways in which an entry counts (by itself, through the mean, through the
variance) collected into one formula, with two sums instead of five. Where it is read aloud
(`explain`), it is taken apart into them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trasluz.autodiff import ops
from trasluz.autodiff.scan import is_unrolled
from trasluz.autodiff.tape import Primitive, note, unbroadcast


def moments(x: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
    """Work out mean and variance along some axes, which stay with length one."""
    mean = note(ops.mean(x, axis=axes, keepdims=True), "mean")
    return mean, note(ops.mean(ops.square(x - mean), axis=axes, keepdims=True), "variance")


def centred(x: Any, mean: Any, variance: Any, gamma: Any, epsilon: float) -> Any:
    """Centre and scale by any mean and variance: `γ (x − μ) / √(σ² + ε)`.

    >>> import numpy as np
    >>> centred(np.array([1.0, 3.0]), 1.0, 4.0, None, 0.0)
    array([0., 1.])
    """
    y = note((x - mean) / ops.sqrt(variance + epsilon), "normalised")
    return y if gamma is None else y * gamma


def normalised(
    x: Any, mean: Any, variance: Any, gamma: Any, axes: tuple[int, ...], epsilon: float
) -> Any:
    """Centre and scale by its own mean and variance: `γ (x − μ) / √(σ² + ε)`.

    Args:
        x: what is to be normalised.
        mean: its own mean along the axes, μ; what it is as a function of x, the rule knows.
        variance: its own variance along them, σ².
        gamma: factors, in a shape that goes with x; `None` for none.
        axes: which axes.
        epsilon: ε.

    >>> import numpy as np
    >>> x = np.array([[1.0, 3.0]])
    >>> normalised(x, *moments(x, (1,)), np.ones((1, 1)), (1,), 0.0)
    array([[-1.,  1.]])
    """
    if is_unrolled():
        return centred(x, mean, variance, gamma, epsilon)
    gamma = np.ones((1,) * len(x.shape), x.dtype) if gamma is None else gamma
    return normalise_row(x, mean, variance, gamma, axes=axes, epsilon=epsilon)


def _forward(x: Any, mean: Any, variance: Any, gamma: Any, axes: Any, epsilon: float) -> Any:
    return (x - mean) * (gamma / ops.sqrt(variance + epsilon))


def _pullback(
    g: Any, y: Any, x: Any, mean: Any, variance: Any, gamma: Any, axes: Any, epsilon: float
) -> tuple[Any, ...]:
    """`γ/σ (g − mean(g) − x̂ mean(g x̂))`; what varies along the axes has to stay inside."""
    scale = 1 / ops.sqrt(variance + epsilon)
    unit = (x - mean) * scale
    if all(gamma.shape[axis] == 1 for axis in axes):
        inner, outer = g, gamma * scale
    else:
        inner, outer = g * gamma, scale
    through_mean = ops.mean(inner, axis=axes, keepdims=True)
    through_variance = ops.mean(inner * unit, axis=axes, keepdims=True)
    back = outer * (inner - through_mean - unit * through_variance)
    return back, None, None, unbroadcast(g * unit, gamma.shape)


normalise_row: Any = Primitive(
    "normalise", _forward, r"\operatorname{{normalise}}\left({0}\right)", (_pullback,), "joint"
)
