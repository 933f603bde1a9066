"""Recurrence: a fold over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from trasluz import activations, initializers
from trasluz.autodiff import ops, random
from trasluz.autodiff.scan import scan
from trasluz.autodiff.tape import note, where
from trasluz.errors import UserError
from trasluz.layers.base import Layer
from trasluz.layers.core import as_floats

State = tuple[Any, ...]


class _Recurrent(Layer):
    """What all recurrent layers share: masks, states, directions, what is given back.

    A subclass has `gates`, how many sums a unit has, `kept`, how many states, and `turn`.
    """

    gates: ClassVar[int] = 1
    kept: ClassVar[int] = 1

    def build(self: Any, input_shape: Any) -> None:
        if len(input_shape) != 3 or input_shape[-1] is None:
            raise UserError(
                f"a recurrent layer reads (batch, time, features), the shape is {input_shape}",
                where(),
                "add a time axis, e.g. with Reshape",
            )
        if self.units < 1:
            raise UserError(f"units is {self.units}", where(), "give 1 or more")
        if self.stateful or self.unroll:
            raise UserError("stateful and unroll are not available", where(), "leave them False")
        for name in ("dropout", "recurrent_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(
                    f"{name} has to be in [0, 1), it is {getattr(self, name)}",
                    where(),
                    "give a share such as 0.2",
                )
        wide = self.gates * self.units
        self.kernel = self.param("kernel", (input_shape[-1], wide))
        self.recurrent_kernel = self.param("recurrent", (self.units, wide))
        if self.use_bias:
            self.bias = self.param("bias", self.bias_shape())

    def bias_shape(self: Any) -> tuple[int, ...]:
        """Give the shape of the bias."""
        return (self.gates * self.units,)

    def sums(self: Any, x: Any) -> Any:
        """Work out what the inputs add to the sums of all steps, in one product."""
        z = ops.dot_last(x, self.kernel, self.precision)  # (batch, time, gates · units)
        return z + self.bias if self.use_bias else z

    def turn(self, z: Any, states: State, before: Any, constants: dict[str, Any]) -> State:
        """Take a step.

        Args:
            z: what the inputs add to the sums.
            states: those after the step before; the output comes first.
            before: the output of the step before, some of it switched off in training.
            constants: the arrays that all steps use.

        Returns:
            The new states.
        """
        raise NotImplementedError

    def constants(self: Any) -> dict[str, Any]:
        """Give the arrays that all steps use."""
        return {"U": self.recurrent_kernel}

    def call(
        self: Any, inputs: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        x = as_floats(inputs, self.kernel)
        batch, _, d = x.shape
        key = self.key(self.seed) if training and (self.dropout or self.recurrent_dropout) else None
        x = self._masked(x, self.dropout, key, (batch, 1, d), 0)
        z = ops.transpose(self.sums(x), axes=(1, 0, 2))  # (time, batch, gates · units)
        nothing = ops.stop_gradient(z[0, :, : self.units] * 0)
        states = self._initial(initial_state, nothing)
        constants = self.constants()
        if key is not None and self.recurrent_dropout:
            ones, shape = nothing + 1, (batch, self.units)
            constants["kept"] = self._masked(ones, self.recurrent_dropout, key, shape, 1)
        turns = {"z": z}
        if mask is not None:
            turns["valid"] = ops.expand_dims(ops.transpose(mask, axes=(1, 0)), -1)
        last, outputs = scan(self._step, states, turns, constants, reverse=self.go_backwards)
        if self.return_sequences:
            outputs = ops.flip(outputs, 0) if self.go_backwards else outputs
            output = ops.transpose(outputs, axes=(1, 0, 2))
        else:
            output = last[0]
        return (output, *last) if self.return_state else output

    def _initial(self, given: Any, nothing: Any) -> State:
        if given is None:
            return (nothing,) * self.kept
        states = tuple(given) if isinstance(given, (list, tuple)) else (given,)
        if len(states) != self.kept:
            raise UserError(
                f"{len(states)} initial states were given, the layer has {self.kept}",
                where(),
                "give one for each, as return_state=True gives them",
            )
        return states

    def _step(
        self, states: State, turn: dict[str, Any], constants: dict[str, Any]
    ) -> tuple[State, Any]:
        before = states[0] * constants["kept"] if "kept" in constants else states[0]
        new = self.turn(turn["z"], states, before, constants)
        if "valid" in turn:  # a step that does not count repeats the one before
            new = tuple(ops.where(turn["valid"], n, s) for n, s in zip(new, states, strict=True))
        return new, note(new[0], "state")

    def _part(self: Any, z: Any, number: int) -> Any:
        """Give the sums of one gate."""
        return z[:, number * self.units : (number + 1) * self.units]

    def _masked(self, x: Any, rate: float, key: Any, shape: tuple[int, ...], number: int) -> Any:
        if key is None or not rate:
            return x
        mask = random.bernoulli(random.fold(key, number), 1 - rate, shape)
        return x * (mask.astype(x.dtype) / (1 - rate))


class SimpleRNN(_Recurrent):
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

    def turn(self, z: Any, states: State, before: Any, constants: dict[str, Any]) -> State:
        """Take a step."""
        z = z + ops.matmul(before, constants["U"], self.precision)
        return (activations.get(self.activation)(z),)


class LSTM(_Recurrent):
    """A state that is kept over long times, and gates that say what to keep.

    `i, f, o = σ(x_t W + h_{t−1} U + b)`, `g = tanh(x_t W + h_{t−1} U + b)`,
    `c_t = f c_{t−1} + i g`, `h_t = o tanh(c_t)`; each gate has columns of its own.

    Shapes: `(batch, time, d) → (batch, units)`, or `(batch, time, units)` with
    `return_sequences`; W `(d, 4 · units)`, U `(units, 4 · units)`, b `(4 · units,)`, the columns in
    the order i, f, g, o.

    Args:
        units: length of the states h and c.
        activation: of g and of c; `tanh` unless another is named.
        recurrent_activation: of the gates.
        use_bias: whether there is a b.
        kernel_initializer, recurrent_initializer, bias_initializer: how W, U and b start.
        unit_forget_bias: whether b starts at one for f, so that c is kept at first.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties on them.
        kernel_constraint, recurrent_constraint, bias_constraint: projections after each update.
        dropout: part of the inputs switched off in training, the same at every step.
        recurrent_dropout: likewise of h.
        seed: as for Dropout.
        return_sequences: give all states instead of the last.
        return_state: give the last h and c too.
        go_backwards: read the sequence from its end.

    Source: Hochreiter, Schmidhuber, Long short-term memory (1997); Gers, Schmidhuber, Cummins,
    Learning to forget (2000).

    >>> import numpy as np
    >>> LSTM(4)(np.zeros((2, 5, 3))).shape
    (2, 4)
    """

    units: int
    activation: Any = "tanh"
    recurrent_activation: Any = "sigmoid"
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    recurrent_initializer: Any = "orthogonal"
    bias_initializer: Any = "zeros"
    unit_forget_bias: bool = True
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

    gates: ClassVar[int] = 4
    kept: ClassVar[int] = 2

    def param(self, name: str, shape: tuple[int, ...]) -> Any:
        """Declare an array; the bias of the forget gate starts at one."""
        param = super().param(name, shape)
        if name == "bias" and self.unit_forget_bias:
            param.init = initializers.get(_forgetting(param.init, self.units))
        return param

    def turn(self, z: Any, states: State, before: Any, constants: dict[str, Any]) -> State:
        """Take a step."""
        gate, squash = activations.get(self.recurrent_activation), activations.get(self.activation)
        z = z + ops.matmul(before, constants["U"], self.precision)
        names = ("input gate", 0), ("forget gate", 1), ("output gate", 3)
        i, f, o = (note(gate(self._part(z, n)), name) for name, n in names)
        g = note(squash(self._part(z, 2)), "candidate")
        c = note(f * states[1] + i * g, "cell")
        return o * squash(c), c


def _forgetting(init: Any, units: int) -> Callable[..., np.ndarray]:
    """Draw the bias of an LSTM: ones for the forget gate."""

    def forgetting(shape: Any, dtype: Any = None, key: Any = None) -> np.ndarray:
        first, rest = (init((n * units,), dtype=dtype, key=key) for n in (1, 2))
        many = np.broadcast_shapes(first.shape[:-1], rest.shape[:-1])  # drawn by many keys at once
        parts = [first, np.ones(units, dtype), rest]
        whole = [np.broadcast_to(part, (*many, part.shape[-1])) for part in parts]
        return np.concatenate(whole, axis=-1)

    return forgetting


class GRU(_Recurrent):
    """A state, and gates that say how much of it is new.

    `z, r = σ(x_t W + h_{t−1} U + b)`, `g = tanh(x_t W + b + r (h_{t−1} U + b'))`,
    `h_t = z h_{t−1} + (1 − z) g`; without `reset_after`, r comes before the product:
    `g = tanh(x_t W + b + (r h_{t−1}) U)`.

    Shapes: `(batch, time, d) → (batch, units)`, or `(batch, time, units)` with
    `return_sequences`; W `(d, 3 · units)`, U `(units, 3 · units)`, b `(2, 3 · units)`, or
    `(3 · units,)` without `reset_after`; the columns in the order z, r, g.

    Args:
        units: length of the state h.
        activation: of g; `tanh` unless another is named.
        recurrent_activation: of the gates.
        use_bias: whether there is a b.
        kernel_initializer, recurrent_initializer, bias_initializer: how W, U and b start.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties on them.
        kernel_constraint, recurrent_constraint, bias_constraint: projections after each update.
        dropout: part of the inputs switched off in training, the same at every step.
        recurrent_dropout: likewise of h.
        seed: as for Dropout.
        return_sequences: give all states instead of the last.
        return_state: give the last h too.
        go_backwards: read the sequence from its end.
        reset_after: whether r comes after the product.

    Source: Cho et al., Learning phrase representations using RNN encoder–decoder (EMNLP 2014).

    >>> import numpy as np
    >>> GRU(4)(np.zeros((2, 5, 3))).shape
    (2, 4)
    """

    units: int
    activation: Any = "tanh"
    recurrent_activation: Any = "sigmoid"
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

    reset_after: bool = True

    gates: ClassVar[int] = 3

    def bias_shape(self) -> tuple[int, ...]:
        """Give the shape of the bias: two rows where the product has one of its own."""
        wide = self.gates * self.units
        return (2, wide) if self.reset_after else (wide,)

    def sums(self, x: Any) -> Any:
        """Work out what the inputs add to the sums of all steps, in one product."""
        z = ops.dot_last(x, self.kernel, self.precision)
        if not self.use_bias:
            return z
        return z + (self.bias[0] if self.reset_after else self.bias)

    def constants(self) -> dict[str, Any]:
        """Give the arrays that all steps use."""
        own = {"U": self.recurrent_kernel}
        return own | {"b": self.bias[1]} if self.use_bias and self.reset_after else own

    def turn(self, z: Any, states: State, before: Any, constants: dict[str, Any]) -> State:
        """Take a step."""
        gate, squash = activations.get(self.recurrent_activation), activations.get(self.activation)
        u, both = constants["U"], 2 * self.units
        if self.reset_after:
            inner = ops.matmul(before, u, self.precision)
            inner = inner + constants["b"] if "b" in constants else inner
            update, reset = (gate(self._part(z, n) + self._part(inner, n)) for n in (0, 1))
            new = squash(self._part(z, 2) + reset * self._part(inner, 2))
        else:
            inner = ops.matmul(before, u[:, :both], self.precision)
            update, reset = (gate(self._part(z, n) + self._part(inner, n)) for n in (0, 1))
            again = ops.matmul(reset * before, u[:, both:], self.precision)
            new = squash(self._part(z, 2) + again)
        note(update, "update gate")
        note(reset, "reset gate")
        note(new, "new state")
        return (update * states[0] + (1 - update) * new,)
