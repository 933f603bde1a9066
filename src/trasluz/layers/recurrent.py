"""Recurrence: a fold over time."""

from __future__ import annotations

from typing import Any

from trasluz import activations
from trasluz.autodiff import ops, random
from trasluz.autodiff.scan import scan
from trasluz.autodiff.tape import where
from trasluz.errors import UserError
from trasluz.layers.base import Layer
from trasluz.layers.core import as_floats


class SimpleRNN(Layer):
    """Each step sees the input and the step before: `h_t = tanh(x_t W + h_{t−1} U + b)`.

    Shapes: `(batch, time, d) → (batch, units)`, or `(batch, time, units)` with
    `return_sequences`; W `(d, units)`, U `(units, units)`, b `(units,)`.

    Args:
        units: length of the state h.
        activation: `tanh` unless another is named.
        use_bias: whether there is a b.
        kernel_initializer, recurrent_initializer, bias_initializer: how W, U and b start.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties on them.
        kernel_constraint, recurrent_constraint, bias_constraint: projections after each update.
        dropout: part of the inputs switched off in training, the same at every step.
        recurrent_dropout: likewise of the state.
        return_sequences: give all states instead of the last.
        return_state: give the last state too.
        go_backwards: read the sequence from its end.
        seed: as for Dropout.

    >>> import numpy as np
    >>> SimpleRNN(4)(np.zeros((2, 5, 3))).shape
    (2, 4)
    """

    units: int
    activation: Any = "tanh"
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    recurrent_initializer: Any = "orthogonal"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    recurrent_regularizer: Any = None
    bias_regularizer: Any = None
    kernel_constraint: Any = None
    recurrent_constraint: Any = None
    bias_constraint: Any = None
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    return_sequences: bool = False
    return_state: bool = False
    go_backwards: bool = False
    stateful: bool = False
    unroll: bool = False
    seed: int | None = None

    def build(self, input_shape: Any) -> None:
        if len(input_shape) != 3:
            raise UserError(
                f"a recurrent layer reads (batch, time, features), the shape is {input_shape}",
                where(),
                "add a time axis, e.g. with Reshape",
            )
        if self.stateful or self.unroll:
            raise UserError("stateful and unroll are not available", where(), "leave them False")
        self.kernel = self.param("kernel", (input_shape[-1], self.units))
        self.recurrent_kernel = self.param("recurrent", (self.units, self.units))
        if self.use_bias:
            self.bias = self.param("bias", (self.units,))

    def call(
        self, inputs: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        x = as_floats(inputs, self.kernel)
        batch, _, d = x.shape
        key = self.key(self.seed) if training and (self.dropout or self.recurrent_dropout) else None
        x = self._masked(x, self.dropout, key, (batch, 1, d), 0)
        # all steps in one product: (batch, time, units)
        z = ops.dot_last(x, self.kernel, self.precision)
        if self.use_bias:
            z = z + self.bias
        z = ops.transpose(z, axes=(1, 0, 2))  # (time, batch, units)
        h = initial_state[0] if isinstance(initial_state, (list, tuple)) else initial_state
        if h is None:
            h = ops.stop_gradient(z[0] * 0)
        kept = None
        if key is not None and self.recurrent_dropout:
            ones = ops.stop_gradient(z[0] * 0 + 1)
            kept = self._masked(ones, self.recurrent_dropout, key, (batch, self.units), 1)
        valid = None if mask is None else ops.transpose(mask, axes=(1, 0))
        turns = {"z": z} if valid is None else {"z": z, "valid": ops.expand_dims(valid, -1)}
        constants = {"U": self.recurrent_kernel}
        if kept is not None:
            constants["kept"] = kept
        last, states = scan(self._turn, h, turns, constants, reverse=self.go_backwards)
        if self.return_sequences:
            states = ops.flip(states, 0) if self.go_backwards else states
            output = ops.transpose(states, axes=(1, 0, 2))
        else:
            output = last
        return (output, last) if self.return_state else output

    def _turn(self, h: Any, turn: dict[str, Any], constants: dict[str, Any]) -> tuple[Any, Any]:
        before = h * constants["kept"] if "kept" in constants else h
        z = turn["z"] + ops.matmul(before, constants["U"], self.precision)
        new = activations.get(self.activation)(z)
        if "valid" in turn:
            new = ops.where(turn["valid"], new, h)
        return new, new

    def _masked(self, x: Any, rate: float, key: Any, shape: tuple[int, ...], number: int) -> Any:
        if key is None or not rate:
            return x
        mask = random.bernoulli(random.fold(key, number), 1 - rate, shape)
        return x * (mask.astype(x.dtype) / (1 - rate))
