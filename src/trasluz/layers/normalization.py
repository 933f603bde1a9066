"""Layers that centre and scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from trasluz import initializers
from trasluz.autodiff import ops
from trasluz.autodiff.moments import centred, moments, normalised
from trasluz.autodiff.tape import note, where
from trasluz.errors import UserError, shown
from trasluz.layers.base import Layer
from trasluz.layers.core import as_floats
from trasluz.state.module import Buffer

_FEW = 1e-7  # added to a number of entries, which may be none


def _axes(axis: Any, rank: int) -> tuple[int, ...]:
    """Read which axes of so many are named.

    Raises:
        UserError: if there is no such axis.
    """
    given = (axis,) if isinstance(axis, int) else tuple(axis)
    if not all(-rank <= a < rank for a in given):
        raise UserError(
            f"axis is {shown(axis)}, the inputs have {rank} axes",
            where(),
            f"give axes from {-rank} to {rank - 1}",
        )
    return tuple(a % rank for a in given)


def _masked_moments(x: Any, axes: tuple[int, ...], mask: Any) -> tuple[Any, Any]:
    """Work out mean and variance of what a mask leaves; of nothing, ε keeps both at zero."""
    counts = _counts(mask, x)
    many = ops.sum(counts, axis=axes, keepdims=True) + _FEW
    mean = note(ops.sum(x * counts, axis=axes, keepdims=True) / many, "mean")
    squares = ops.square(x - mean) * counts
    return mean, note(ops.sum(squares, axis=axes, keepdims=True) / many, "variance")


def _counts(mask: Any, x: Any) -> Any:
    """Give a one to each entry of a place that counts."""
    fits = len(mask.shape) == len(x.shape) - 1 and all(
        m in (1, n) for m, n in zip(mask.shape, x.shape, strict=False)
    )
    if not fits:
        raise UserError(
            f"a mask of shape {tuple(mask.shape)} came for inputs of shape {tuple(x.shape)}",
            where(),
            "give a truth for each place: an axis less than the inputs",
        )
    return ops.broadcast_to(ops.expand_dims(ops.cast(mask, x.dtype), -1), x.shape)


def _gamma(layer: Any, shape: tuple[int, ...]) -> Any:
    """Give a layer's γ in a shape; `None` without one."""
    return ops.reshape(layer.gamma, shape=shape) if layer.scale else None


class BatchNormalization(Layer):
    """Centre and scale each feature: `γ (x − μ) / √(σ² + ε) + β`.

    In training μ and σ² are those of the mini-batch (algorithm 1 of the paper), and running means
    of them are kept; afterwards these stand for the population (algorithm 2). Steps that a mask
    leaves out have no part in μ and σ².

    Source: Ioffe and Szegedy, Batch normalization (2015).

    Args:
        axis: the axis of the features.
        momentum: how much of the running means stays at each step.
        epsilon: ε, inside the root.
        center, scale: whether there are β and γ.
        beta_initializer, gamma_initializer: how they start.
        moving_mean_initializer, moving_variance_initializer: how the running means start.
        beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: as for a kernel.
        synchronized: nothing more: μ and σ² are those of the whole batch, on all devices.
    """

    axis: int = -1
    momentum: float = 0.99
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    beta_initializer: Any = "zeros"
    gamma_initializer: Any = "ones"
    moving_mean_initializer: Any = "zeros"
    moving_variance_initializer: Any = "ones"
    beta_regularizer: Any = None
    gamma_regularizer: Any = None
    beta_constraint: Any = None
    gamma_constraint: Any = None
    synchronized: bool = False

    supports_masking = True

    def build(self, input_shape: Any) -> None:
        within = -len(input_shape) <= self.axis < len(input_shape)
        n = input_shape[self.axis] if within else None
        if n is None:
            raise UserError(
                f"the axis {self.axis} of {input_shape} is not known",
                where(),
                "give another axis, or begin with Input(shape)",
            )
        if self.scale:
            self.gamma = self.param("gamma", (n,))
        if self.center:
            self.beta = self.param("beta", (n,))
        self.moving_mean = Buffer((n,), initializers.get(self.moving_mean_initializer))
        self.moving_variance = Buffer((n,), initializers.get(self.moving_variance_initializer))

    def call(self, inputs: Any, mask: Any = None, training: bool = False) -> Any:
        x = as_floats(inputs, self.moving_mean)
        rank = len(x.shape)
        (axis,) = _axes(self.axis, rank)
        shape = tuple(n if i == axis else 1 for i, n in enumerate(x.shape))
        if training and self.trainable:
            others = tuple(i for i in range(rank) if i != axis)
            gamma = _gamma(self, shape)
            if mask is None:
                mean, variance = moments(x, others)
                y = normalised(x, mean, variance, gamma, others, self.epsilon)
            else:
                mean, variance = _masked_moments(x, others, mask)
                y = centred(x, mean, variance, gamma, self.epsilon)
            self._remember(mean, variance)
        else:
            mean = ops.reshape(self.moving_mean, shape=shape)
            variance = ops.reshape(self.moving_variance, shape=shape)
            y = centred(x, mean, variance, _gamma(self, shape), self.epsilon)
        if self.center:
            y = y + ops.reshape(self.beta, shape=shape)
        return y

    def _remember(self, mean: Any, variance: Any) -> None:
        """Let the running means follow the mini-batch; no derivative goes through them."""
        m = self.momentum
        new_mean = ops.stop_gradient(ops.reshape(mean, shape=self.moving_mean.shape))
        new_variance = ops.stop_gradient(ops.reshape(variance, shape=self.moving_mean.shape))
        self.moving_mean = self.moving_mean * m + new_mean * (1 - m)
        self.moving_variance = self.moving_variance * m + new_variance * (1 - m)


class LayerNormalization(Layer):
    """Centre and scale each row by itself: `γ (x − μ) / √(σ² + ε) + β` along the last axes.

    Source: Ba et al., Layer normalization (2016).

    Args:
        axis: the axis or axes to average over.
        epsilon: ε, inside the root.
        center, scale: whether there are β and γ.
        beta_initializer, gamma_initializer: how they start.
        beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: as for a kernel.
    """

    axis: Any = -1
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    beta_initializer: Any = "zeros"
    gamma_initializer: Any = "ones"
    beta_regularizer: Any = None
    gamma_regularizer: Any = None
    beta_constraint: Any = None
    gamma_constraint: Any = None

    supports_masking = True

    def build(self, input_shape: Any) -> None:
        shape = tuple(input_shape[a] for a in _axes(self.axis, len(input_shape)))
        if self.scale:
            self.gamma = self.param("gamma", shape)
        if self.center:
            self.beta = self.param("beta", shape)

    def call(self, inputs: Any) -> Any:
        axes = _axes(self.axis, len(inputs.shape))
        shape = tuple(n if i in axes else 1 for i, n in enumerate(inputs.shape))
        gamma = _gamma(self, shape)
        y = normalised(inputs, *moments(inputs, axes), gamma, axes, self.epsilon)
        if self.center:
            y = y + ops.reshape(self.beta, shape=shape)
        return y


class GroupNormalization(Layer):
    """Centre and scale groups of channels, each row by itself: `γ (x − μ) / √(σ² + ε) + β`.

    Args:
        groups: how many; −1 for one a channel.
        axis: the axis of the channels.
        epsilon: ε, inside the root.
        center, scale: whether there are β and γ, one a channel.
        beta_initializer, gamma_initializer: how they start.
        beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: as for a kernel.

    Raises:
        UserError: if groups do not divide the channels.

    Source: Wu, He, Group normalization (ECCV 2018).

    >>> GroupNormalization(2)(np.array([[1.0, 3.0, 5.0, 9.0]])).round(3).tolist()
    [[-1.0, 1.0, -1.0, 1.0]]
    """

    groups: int = 32
    axis: int = -1
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    beta_initializer: Any = "zeros"
    gamma_initializer: Any = "ones"
    beta_regularizer: Any = None
    gamma_regularizer: Any = None
    beta_constraint: Any = None
    gamma_constraint: Any = None

    supports_masking = True

    def build(self, input_shape: Any) -> None:
        (axis,) = _axes(self.axis, len(input_shape))
        channels = input_shape[axis]
        groups = channels if self.groups == -1 else self.groups
        if channels is None or groups < 1 or channels % groups:
            raise UserError(
                f"{self.groups} groups do not divide {channels} channels",
                where(),
                "choose a divisor, or -1 for one a channel",
            )
        if self.scale:
            self.gamma = self.param("gamma", (channels,))
        if self.center:
            self.beta = self.param("beta", (channels,))

    def call(self, inputs: Any) -> Any:
        (axis,) = _axes(self.axis, len(inputs.shape))
        shape, channels = tuple(inputs.shape), inputs.shape[axis]
        groups = channels if self.groups == -1 else self.groups
        parted = (*shape[:axis], groups, channels // groups, *shape[axis + 1 :])
        x = ops.reshape(inputs, parted)
        over = tuple(i for i in range(1, len(parted)) if i != axis)
        split = tuple(n if i in (axis, axis + 1) else 1 for i, n in enumerate(parted))
        gamma = _gamma(self, split)
        y = ops.reshape(normalised(x, *moments(x, over), gamma, over, self.epsilon), shape)
        own = tuple(n if i == axis else 1 for i, n in enumerate(shape))
        return y + ops.reshape(self.beta, own) if self.center else y


class Normalization(Layer):
    """Standardise with the mean and variance of data seen once: `(x − μ) / √σ²`.

    Args:
        axis: the axis or axes that keep their own μ and σ²; `None`: one of each for all.
        mean, variance: given instead of learnt by `adapt`.
        invert: undo it: `x √σ² + μ`.

    >>> layer = Normalization()
    >>> layer.adapt(np.array([[1.0], [3.0]]))
    >>> layer(np.array([[1.0], [3.0]])).tolist()
    [[-1.0], [1.0]]
    """

    axis: Any = -1
    mean: Any = None
    variance: Any = None
    invert: bool = False

    supports_masking = True

    def build(self, input_shape: Any) -> None:
        if (self.mean is None) != (self.variance is None):
            raise UserError(
                "mean and variance have to be given together",
                where(),
                "give both, or neither and call adapt(data)",
            )
        kept = () if self.axis is None else _axes(self.axis, len(input_shape))
        shape = tuple(n if i in kept else 1 for i, n in enumerate(input_shape))
        mean, variance = (0.0, 1.0) if self.mean is None else (self.mean, self.variance)
        self.adapt_mean = Buffer(shape, _given(mean))
        self.adapt_variance = Buffer(shape, _given(variance))

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn mean and variance from data (batch axis first)."""
        data = np.asarray(data)
        self.build((None, *data.shape[1:]))
        kept = () if self.axis is None else _axes(self.axis, data.ndim)
        over = tuple(i for i in range(data.ndim) if i not in kept)
        wide = data.astype("float64")
        dtype = self.adapt_mean.dtype
        self.adapt_mean = wide.mean(axis=over, keepdims=True).astype(dtype)
        self.adapt_variance = wide.var(axis=over, keepdims=True).astype(dtype)

    def call(self, inputs: Any) -> Any:
        x = as_floats(inputs, self.adapt_mean)
        deviation = ops.maximum(ops.sqrt(self.adapt_variance), 1e-7)
        if self.invert:
            return x * deviation + self.adapt_mean
        return (x - self.adapt_mean) / deviation


def _given(value: Any) -> Any:
    """An initializer that fills a shape with given numbers."""
    return lambda shape, dtype, key: np.array(
        np.broadcast_to(np.asarray(value, dtype), shape), dtype=dtype
    )
