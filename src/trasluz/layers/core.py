"""Dense, Embedding, and what feeds them."""

from __future__ import annotations

from typing import Any

import numpy as np

from trasluz import activations, initializers
from trasluz.autodiff import ops
from trasluz.autodiff.tape import where
from trasluz.errors import UserError, shown
from trasluz.layers.base import Layer
from trasluz.state.limits import check_row
from trasluz.state.module import Param
from trasluz.state.symbolic import Input, SymbolicTensor


def as_floats(x: Any, like: Any) -> Any:
    """Give whole numbers and truths the floating type of the layer's arrays."""
    return x if x.dtype.kind not in "iub" else ops.astype(x, dtype=like.dtype)


class Dense(Layer):
    """Every output is a weighted sum of all inputs: `activation(x W + b)`.

    Shapes: `(…, d) → (…, units)`; W `(d, units)`, b `(units,)`.

    Args:
        units: how many outputs.
        activation: name or function; `None` is the identity.
        use_bias: whether there is a b.
        kernel_initializer, bias_initializer: how W and b start.
        kernel_regularizer, bias_regularizer: penalties on them.
        activity_regularizer: penalty on the output.
        kernel_constraint, bias_constraint: what they are projected to after each update.

    Raises:
        UserError: if the last axis of the input is not known or not the one it was built for.

    >>> layer = Dense(2, kernel_initializer="ones", bias_initializer="ones")
    >>> layer(np.array([[1.0, 2.0]]))
    array([[4., 4.]], dtype=float32)
    """

    units: int
    activation: Any = None
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None

    def build(self, input_shape: Any) -> None:
        if not isinstance(self.units, (int, np.integer)) or self.units < 1:
            raise UserError(
                f"units has to be a positive whole number, it is {shown(self.units)}",
                where(),
                "say how many outputs the layer has, from 1",
            )
        if not input_shape or input_shape[-1] is None:
            raise UserError(
                f"the last axis of the input shape {input_shape} is not known",
                where(),
                "give the first layer its input_shape, or begin with Input(shape)",
            )
        self.kernel = self.param("kernel", (input_shape[-1], self.units))
        if self.use_bias:
            self.bias = self.param("bias", (self.units,))

    def call(self, inputs: Any) -> Any:
        if not inputs.shape or inputs.shape[-1] != self.kernel.shape[0]:
            raise UserError(
                f"inputs of shape {tuple(inputs.shape)} do not fit a kernel of shape "
                f"{tuple(self.kernel.shape)}",
                where(),
                f"the last axis has to have {self.kernel.shape[0]} entries",
            )
        z = ops.dot_last(as_floats(inputs, self.kernel), self.kernel, self.precision)  # (…, units)
        if self.use_bias:
            z = z + self.bias
        return activations.get(self.activation)(z)


class Embedding(Layer):
    """A table of vectors, looked up by whole numbers: `y = E[x]`.

    Shapes: `(…) → (…, output_dim)`; E `(input_dim, output_dim)`.

    Args:
        input_dim: how many vectors; inputs go from 0 to `input_dim − 1`.
        output_dim: how long each is.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: as for a kernel.

    Raises:
        UserError: if there is no such vector. XLA cannot tell where the numbers are computed in
            the network; it gives NaN there.

    >>> Embedding(10, 4)(np.array([[1, 2, 3]])).shape
    (1, 3, 4)
    """

    input_dim: int
    output_dim: int
    embeddings_initializer: Any = "uniform"
    embeddings_regularizer: Any = None
    embeddings_constraint: Any = None

    def build(self, input_shape: Any) -> None:
        for name in ("input_dim", "output_dim"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}", where(), "give 1 or more")
        self.embeddings = self.param("embeddings", (self.input_dim, self.output_dim))

    def call(self, inputs: Any) -> Any:
        return looked_up(self.embeddings, inputs)

    def limits(self, *inputs: Any, **options: Any) -> tuple[int | None, ...]:
        return (self.input_dim,)


def looked_up(table: Any, numbers: Any) -> Any:
    """Give the row of a table for each whole number."""
    check_row((*numbers.shape[1:], table.shape[-1]), where())
    return ops.take(table, ops.cast(numbers, "int32"), axis=0, table=where())


class Identity(Layer):
    """Give back what comes in."""

    def call(self, inputs: Any) -> Any:
        return inputs


class Rescaling(Layer):
    """Scale and shift: `x · scale + offset`.

    >>> Rescaling(1 / 255)(np.array([255.0]))
    array([1.], dtype=float32)
    """

    scale: float
    offset: float = 0.0

    def call(self, inputs: Any) -> Any:
        x = as_floats(inputs, np.empty(0, self.compute_dtype))
        return x * self.scale + self.offset


class InputLayer(Layer):
    """The first line of a Sequential that says what comes in; `Input(shape)` is shorter.

    Args:
        shape: the shape of one input.
        batch_size: if it is fixed.
    """

    shape: Any = None
    batch_size: int | None = None

    def call(self, inputs: Any) -> Any:
        return inputs

    @property
    def output(self) -> SymbolicTensor:
        """The symbolic tensor it stands for."""
        return Input(self.shape, self.batch_size, self.dtype, self.name)


class SharedBias(Layer):
    """A dense layer whose units share one bias: `activation(x W + b)`.

    Shapes: `(n, d) → (n, units)`; W `(d, units)`, b `()`.

    Args:
        units: how many outputs.
        activation: name or function; `None` is the identity.
    """

    units: int
    activation: Any = None

    def build(self, input_shape: Any) -> None:
        self.kernel = Param((input_shape[-1], self.units), initializers.Zeros())
        self.bias = Param((), initializers.Zeros())

    def call(self, x: Any) -> Any:
        z = ops.matmul(x, self.kernel) + self.bias
        return activations.get(self.activation)(z)
