"""SimpleRNN, LSTM and GRU: their cells, and these folded over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from trasluz import activations, initializers
from trasluz.autodiff import ops, random
from trasluz.autodiff.parts import split
from trasluz.autodiff.tape import note, where
from trasluz.errors import UserError
from trasluz.layers.base import Layer
from trasluz.layers.core import as_floats
from trasluz.layers.folding import _Folded

State = tuple[Any, ...]


class _Cell(Layer):
    """What the cells share: sums of products with what comes in and with the output before.

    A subclass has `gates`, how many sums a unit has, `kept`, how many states, and `turn`.
    """

    gates: ClassVar[int] = 1
    kept: ClassVar[int] = 1

    @property
    def state_size(self: Any) -> Any:
        """How large each state is."""
        return self.units if self.kept == 1 else [self.units] * self.kept

    @property
    def output_size(self: Any) -> int:
        """How many numbers it gives."""
        return self.units  # type: ignore[no-any-return]

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """Give the states that so many rows start from: zeros."""
        return list(self.begin(batch_size))

    def begin(self: Any, rows: int) -> State:
        """Give the states to start from."""
        return (np.zeros((rows, self.units), self.compute_dtype),) * self.kept

    def build(self, input_shape: Any) -> None:
        self.declare(input_shape[0] if isinstance(input_shape, list) else input_shape)

    def declare(self: Any, step_shape: Any) -> None:
        """Declare the cell's arrays for inputs of this shape at each step."""
        if len(step_shape) != 2 or step_shape[-1] is None:
            raise UserError(
                f"a cell reads (batch, features) at each step, the shape is {step_shape}",
                where(),
                "flatten what comes at each step, e.g. with TimeDistributed(Flatten())",
            )
        if self.units < 1:
            raise UserError(f"units is {self.units}", where(), "give 1 or more")
        for name in ("dropout", "recurrent_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(
                    f"{name} has to be in [0, 1), it is {getattr(self, name)}",
                    where(),
                    "give a share such as 0.2",
                )
        wide = self.gates * self.units
        self.kernel = self.param("kernel", (step_shape[-1], wide))
        self.recurrent_kernel = self.param("recurrent", (self.units, wide))
        if self.use_bias:
            self.bias = self.param("bias", self.bias_shape())

    def bias_shape(self: Any) -> tuple[int, ...]:
        """Give the shape of the bias."""
        return (self.gates * self.units,)

    def sums(self: Any, x: Any) -> Any:
        """Work out what the inputs add to the sums, in one product for all steps."""
        z = ops.dot_last(x, self.kernel, self.precision)  # (time, batch, gates · units)
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

    def all_steps(self: Any, x: Any, training: bool) -> Any:
        """Take in all steps, or one: what each turn sees, what all see, and what takes a turn."""
        x, constants = as_floats(x, self.kernel), self.constants()
        key = self.key(self.seed) if training and (self.dropout or self.recurrent_dropout) else None
        if key is not None and self.dropout:
            x = x * self._mask(x.shape[-2:], self.dropout, random.fold(key, 0))
        if key is not None and self.recurrent_dropout:
            shape = (x.shape[-2], self.units)
            constants["kept"] = self._mask(shape, self.recurrent_dropout, random.fold(key, 1))
        return self.sums(x), constants, self._taken

    def _mask(self: Any, shape: tuple[int, ...], rate: float, key: Any) -> Any:
        return random.bernoulli(key, 1 - rate, shape).astype(self.compute_dtype) / (1 - rate)

    def _taken(self, z: Any, states: Any, constants: dict[str, Any]) -> tuple[Any, State]:
        before = states[0] * constants["kept"] if "kept" in constants else states[0]
        new = self.turn(z, tuple(states), before, constants)
        return new[0], type(states)(new)  # a fold on XLA asks for the nesting that it began with

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:  # type: ignore[override]
        z, constants, take = self.all_steps(inputs, training)
        output, new = take(z, states if isinstance(states, (list, tuple)) else [states], constants)
        return output, list(new)


class _Whole(_Folded):
    """A cell that is a layer of its own: it folds itself, its last output is its first state.

    Its fields come behind those of the cell.
    """

    return_sequences: bool = False
    return_state: bool = False
    go_backwards: bool = False
    stateful: bool = False
    unroll: bool = False
    zero_output_for_mask: bool = False

    def prepared(self: Any, x: Any, training: bool) -> Any:
        """Take in all steps."""
        return self.all_steps(x, training)

    def last_output(self: Any, last: Any, outputs: Any, masked: bool) -> Any:
        """Give the output of the last turn."""
        if masked and self.zero_output_for_mask:
            return super().last_output(last, outputs, masked)
        return last[0]


class SimpleRNNCell(_Cell):
    """Each step sees the input and the step before: `h_t = tanh(x_t W + h_{t−1} U + b)`.

    Shapes: `(batch, d)`, a state `(batch, units) → (batch, units)`; W `(d, units)`, U
    `(units, units)`, b `(units,)`.

    Args:
        units: length of the state h.
        activation: `tanh` unless another is named.
        use_bias: whether there is a b.
        kernel_initializer, recurrent_initializer, bias_initializer: how W, U and b start.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties on them.
        kernel_constraint, recurrent_constraint, bias_constraint: projections after each update.
        dropout: part of the inputs switched off in training, the same at every step.
        recurrent_dropout: likewise of the output before.
        seed: as for Dropout.

    >>> import numpy as np
    >>> cell = SimpleRNNCell(4)
    >>> output, states = cell(np.zeros((2, 3)), cell.get_initial_state(2))
    >>> output.shape, len(states)
    ((2, 4), 1)
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
    seed: int | None = None

    def turn(self, z: Any, states: State, before: Any, constants: dict[str, Any]) -> State:
        """Take a step."""
        z = z + ops.matmul(before, constants["U"], self.precision)
        return (activations.get(self.activation)(z),)


class SimpleRNN(_Whole, SimpleRNNCell):  # type: ignore[misc] # called on all steps
    """A `SimpleRNNCell` folded over time: `h_t = tanh(x_t W + h_{t−1} U + b)`.

    Shapes: `(batch, time, d) → (batch, units)`, or `(batch, time, units)` with
    `return_sequences`; W `(d, units)`, U `(units, units)`, b `(units,)`.

    Args:
        units, activation, use_bias: as for the cell, and so are the others up to `seed`.
        return_sequences: give all outputs instead of the last.
        return_state: give the last states too.
        go_backwards: read the sequence from its end.
        stateful: start each batch from the states that the one before ended with, in training,
            measuring and predicting, until `reset_state()`. Row k of a batch then goes on where row
            k of the batch before ended: the number of rows has to be fixed
            (`Input(shape, batch_size=…)`), and `fit` needs `shuffle=False`.
        unroll: take the turns one by one in the compiled program instead of in a loop: for a few
            steps only, it compiles longer.
        zero_output_for_mask: whether a step that does not count gives zeros; else it repeats.

    >>> import numpy as np
    >>> SimpleRNN(4)(np.zeros((2, 5, 3))).shape
    (2, 4)
    """


class LSTMCell(_Cell):
    """A state that is kept over long times, and gates that say what to keep.

    `i, f, o = σ(x_t W + h_{t−1} U + b)`, `g = tanh(x_t W + h_{t−1} U + b)`,
    `c_t = f c_{t−1} + i g`, `h_t = o tanh(c_t)`; each gate has columns of its own.

    Shapes: `(batch, d)`, two states `(batch, units) → (batch, units)`; W `(d, 4 · units)`, U
    `(units, 4 · units)`, b `(4 · units,)`, the columns in the order i, f, g, o.

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
        recurrent_dropout: likewise of the output before.
        seed: as for Dropout.

    Source: Hochreiter, Schmidhuber, Long short-term memory (1997); Gers, Schmidhuber, Cummins,
    Learning to forget (2000).

    >>> import numpy as np
    >>> cell = LSTMCell(4)
    >>> output, states = cell(np.zeros((2, 3)), cell.get_initial_state(2))
    >>> output.shape, len(states)
    ((2, 4), 2)
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
        i, f, g, o = split(z, 4)
        named = ((i, "input gate"), (f, "forget gate"), (o, "output gate"))
        i, f, o = (note(gate(part), name) for part, name in named)
        c = note(f * states[1] + i * note(squash(g), "candidate"), "cell")
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


class LSTM(_Whole, LSTMCell):  # type: ignore[misc] # called on all steps
    """An `LSTMCell` folded over time: a state kept for long, and gates that say what to keep.

    Shapes: `(batch, time, d) → (batch, units)`, or `(batch, time, units)` with
    `return_sequences`; W `(d, 4 · units)`, U `(units, 4 · units)`, b `(4 · units,)`, the columns in
    the order i, f, g, o. The states are h and c.

    Args:
        units, activation, recurrent_activation: as for the cell, and so are the others up to
            `seed`.
        return_sequences: give all outputs instead of the last.
        return_state: give the last states too.
        go_backwards: read the sequence from its end.
        stateful: start each batch from the states that the one before ended with, in training,
            measuring and predicting, until `reset_state()`. Row k of a batch then goes on where row
            k of the batch before ended: the number of rows has to be fixed
            (`Input(shape, batch_size=…)`), and `fit` needs `shuffle=False`.
        unroll: take the turns one by one in the compiled program instead of in a loop: for a few
            steps only, it compiles longer.
        zero_output_for_mask: whether a step that does not count gives zeros; else it repeats.
        use_cudnn: taken for the sake of programs that give it; it makes no difference.

    >>> import numpy as np
    >>> LSTM(4)(np.zeros((2, 5, 3))).shape
    (2, 4)
    """

    use_cudnn: Any = "auto"


class GRUCell(_Cell):
    """A state, and gates that say how much of it is new.

    `z, r = σ(x_t W + h_{t−1} U + b)`, `g = tanh(x_t W + b + r (h_{t−1} U + b'))`,
    `h_t = z h_{t−1} + (1 − z) g`; without `reset_after`, r comes before the product:
    `g = tanh(x_t W + b + (r h_{t−1}) U)`.

    Shapes: `(batch, d)`, a state `(batch, units) → (batch, units)`; W `(d, 3 · units)`, U
    `(units, 3 · units)`, b `(2, 3 · units)`, or `(3 · units,)` without `reset_after`; the columns
    in the order z, r, g.

    Args:
        units: length of the state h.
        activation: of g; `tanh` unless another is named.
        recurrent_activation: of the gates.
        use_bias: whether there is a b.
        kernel_initializer, recurrent_initializer, bias_initializer: how W, U and b start.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties on them.
        kernel_constraint, recurrent_constraint, bias_constraint: projections after each update.
        dropout: part of the inputs switched off in training, the same at every step.
        recurrent_dropout: likewise of the output before.
        seed: as for Dropout.
        reset_after: whether r comes after the product.

    Source: Cho et al., Learning phrase representations using RNN encoder–decoder (EMNLP 2014).

    >>> import numpy as np
    >>> cell = GRUCell(4)
    >>> output, states = cell(np.zeros((2, 3)), cell.get_initial_state(2))
    >>> output.shape, len(states)
    ((2, 4), 1)
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
        inputs = split(z, 3)
        if self.reset_after:
            inner = ops.matmul(before, u, self.precision)
            parts = split(inner + constants["b"] if "b" in constants else inner, 3)
            update, reset = (gate(inputs[n] + parts[n]) for n in (0, 1))
            new = squash(inputs[2] + reset * parts[2])
        else:
            parts = split(ops.matmul(before, u[:, :both], self.precision), 2)
            update, reset = (gate(inputs[n] + parts[n]) for n in (0, 1))
            new = squash(inputs[2] + ops.matmul(reset * before, u[:, both:], self.precision))
        note(update, "update gate")
        note(reset, "reset gate")
        note(new, "new state")
        return (update * states[0] + (1 - update) * new,)


class GRU(_Whole, GRUCell):  # type: ignore[misc] # called on all steps
    """A `GRUCell` folded over time: a state, and gates that say how much of it is new.

    Shapes: `(batch, time, d) → (batch, units)`, or `(batch, time, units)` with
    `return_sequences`; W `(d, 3 · units)`, U `(units, 3 · units)`, b `(2, 3 · units)`, or
    `(3 · units,)` without `reset_after`; the columns in the order z, r, g.

    Args:
        units, activation, recurrent_activation: as for the cell, and so are the others up to
            `reset_after`.
        return_sequences: give all outputs instead of the last.
        return_state: give the last states too.
        go_backwards: read the sequence from its end.
        stateful: start each batch from the states that the one before ended with, in training,
            measuring and predicting, until `reset_state()`. Row k of a batch then goes on where row
            k of the batch before ended: the number of rows has to be fixed
            (`Input(shape, batch_size=…)`), and `fit` needs `shuffle=False`.
        unroll: take the turns one by one in the compiled program instead of in a loop: for a few
            steps only, it compiles longer.
        zero_output_for_mask: whether a step that does not count gives zeros; else it repeats.
        use_cudnn: taken for the sake of programs that give it; it makes no difference.

    >>> import numpy as np
    >>> GRU(4)(np.zeros((2, 5, 3))).shape
    (2, 4)
    """

    use_cudnn: Any = "auto"
