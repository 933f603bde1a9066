"""Activations as layers, and the one that learns: PReLU."""

from __future__ import annotations

from typing import Any

from trasluz import activations
from trasluz.autodiff import ops
from trasluz.layers.base import Layer


class Activation(Layer):
    """Apply an activation by name or function.

    >>> import numpy as np
    >>> Activation("relu")(np.array([-1.0, 2.0]))
    array([0., 2.], dtype=float32)
    """

    activation: Any

    def call(self, inputs: Any) -> Any:
        return activations.get(self.activation)(inputs)


class ReLU(Layer):
    """Cut off what is negative: `max(x, 0)`, with slope, ceiling and threshold."""

    max_value: float | None = None
    negative_slope: float = 0.0
    threshold: float = 0.0

    def call(self, inputs: Any) -> Any:
        return activations.relu(
            inputs,
            negative_slope=self.negative_slope,
            max_value=self.max_value,
            threshold=self.threshold,
        )


class LeakyReLU(Layer):
    """Keep a little of what is negative: `x` if `x ≥ 0`, else `negative_slope · x`."""

    negative_slope: float = 0.3

    def call(self, inputs: Any) -> Any:
        return activations.leaky_relu(inputs, negative_slope=self.negative_slope)


class PReLU(Layer):
    """Leaky ReLU whose slope is learnt: `max(x, 0) − α · max(−x, 0)`.

    Source: He et al., Delving deep into rectifiers (2015).

    Args:
        alpha_initializer, alpha_regularizer, alpha_constraint: as for a kernel.
        shared_axes: axes along which one slope serves all.
    """

    alpha_initializer: Any = "Zeros"
    alpha_regularizer: Any = None
    alpha_constraint: Any = None
    shared_axes: Any = None

    def build(self, input_shape: Any) -> None:
        shared = self.shared_axes or ()
        shared = (shared,) if isinstance(shared, int) else shared
        shape = [1 if i in shared else n for i, n in enumerate(input_shape)][1:]
        self.alpha = self.param("alpha", tuple(shape))

    def call(self, inputs: Any) -> Any:
        return ops.relu(inputs) - self.alpha * ops.relu(-inputs)


class ELU(Layer):
    """Bend exponentially below zero: `x` if `x > 0`, else `alpha · (eˣ − 1)`."""

    alpha: float = 1.0

    def call(self, inputs: Any) -> Any:
        return activations.elu(inputs, alpha=self.alpha)


class Softmax(Layer):
    """Exponentials that add up to one along an axis."""

    axis: int = -1

    def call(self, inputs: Any) -> Any:
        return ops.softmax(inputs, axis=self.axis)
