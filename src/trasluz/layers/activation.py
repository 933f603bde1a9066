"""Activations as layers, and the one that learns: PReLU."""

from __future__ import annotations

from typing import Any

import numpy as np

from trasluz import activations
from trasluz.autodiff import ops
from trasluz.autodiff.tape import where
from trasluz.errors import UserError, shown
from trasluz.layers.base import Layer

FAR = -1e9  # what stands for an entry that does not count under a softmax


class Activation(Layer):
    """Apply an activation by name or function.

    >>> import numpy as np
    >>> Activation("relu")(np.array([-1.0, 2.0]))
    array([0., 2.], dtype=float32)
    """

    activation: Any

    supports_masking = True

    def call(self, inputs: Any) -> Any:
        return activations.get(self.activation)(inputs)


class ReLU(Layer):
    """Cut off what is negative: `max(x, 0)`, with slope, ceiling and threshold."""

    max_value: float | None = None
    negative_slope: float = 0.0
    threshold: float = 0.0

    supports_masking = True

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

    supports_masking = True

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

    supports_masking = True

    def build(self, input_shape: Any) -> None:
        shared = self.shared_axes or ()
        shared = (shared,) if isinstance(shared, int) else shared
        if not {*shared} <= {*range(1, len(input_shape))}:
            raise UserError(
                f"shared_axes is {shown(self.shared_axes)}, the shape is {input_shape}",
                where(),
                f"give axes from 1 to {len(input_shape) - 1}",
            )
        shape = [1 if i in shared else n for i, n in enumerate(input_shape)][1:]
        self.alpha = self.param("alpha", tuple(shape))

    def call(self, inputs: Any) -> Any:
        return ops.relu(inputs) - self.alpha * ops.relu(-inputs)


class ELU(Layer):
    """Bend exponentially below zero: `x` if `x > 0`, else `alpha · (eˣ − 1)`."""

    alpha: float = 1.0

    supports_masking = True

    def call(self, inputs: Any) -> Any:
        return activations.elu(inputs, alpha=self.alpha)


class Softmax(Layer):
    """Exponentials that add up to one along an axis: `exp(x) / Σ exp(x)` over what counts.

    Args:
        axis: the axis, or several.

    Raises:
        UserError: if a mask does not fit the inputs.

    >>> import numpy as np
    >>> Softmax()(np.zeros((1, 2)), mask=np.array([[True, False]]))
    array([[1., 0.]], dtype=float32)
    """

    axis: Any = -1

    supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return ops.softmax(inputs, axis=self.axis)
        fits = len(mask.shape) <= len(inputs.shape) and all(
            m in (1, n) for m, n in zip(mask.shape[::-1], inputs.shape[::-1], strict=False)
        )
        if not fits:
            raise UserError(
                f"a mask of shape {tuple(mask.shape)} came for inputs of shape "
                f"{tuple(inputs.shape)}",
                where(),
                "give a truth for each entry, or axes of length 1",
            )
        return masked_softmax(inputs, ops.cast(mask, bool), self.axis)


def masked_softmax(x: Any, counts: Any, axis: Any = -1) -> Any:
    """Softmax over those that count; where none does, all are zero.

    Args:
        x: what the softmax is of.
        counts: which of them count; `None` says all.
        axis: the axis of the softmax.
    """
    if counts is None:
        return ops.softmax(x, axis=axis)
    shares = ops.softmax(ops.where(counts, x, np.asarray(FAR, x.dtype)), axis=axis)
    return ops.where(counts, shares, ops.zero(shares))
