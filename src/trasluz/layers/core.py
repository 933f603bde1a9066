"""Dense, Embedding, and what feeds them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from trasluz import activations, initializers
from trasluz.autodiff import ops
from trasluz.autodiff.tape import where
from trasluz.errors import UserError, shown
from trasluz.layers.base import Layer
from trasluz.state.limits import check_row
from trasluz.state.module import Param
from trasluz.state.registry import plain
from trasluz.state.symbolic import Input, SymbolicTensor, is_drawing, placeholder, shapes_of


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

    supports_masking = True

    def build(self, input_shape: Any) -> None:
        if not isinstance(self.units, (int, np.integer)) or self.units < 1:
            raise UserError(
                f"units has to be a positive whole number, it is {shown(self.units)}",
                where(),
                "say how many outputs the layer has, from 1",
            )
        if isinstance(input_shape, list):
            raise UserError(
                f"it reads one array, a list of {len(input_shape)} was given",
                where(),
                "give np.array(…) for a list of numbers, or join inputs with Concatenate",
            )
        if not input_shape or input_shape[-1] is None:
            raise UserError(
                f"the last axis of the input shape {input_shape} is not known",
                where(),
                "give the first layer its input_shape, or begin with Input(shape)",
            )
        self.kernel = self.param("kernel", (input_shape[-1], self.units))
        self.bias = self.param("bias", (self.units,)) if self.use_bias else None

    def call(self, inputs: Any) -> Any:
        if not inputs.shape or inputs.shape[-1] != self.kernel.shape[0]:
            raise UserError(
                f"inputs of shape {tuple(inputs.shape)} do not fit a kernel of shape "
                f"{tuple(self.kernel.shape)}",
                where(),
                f"the last axis has to have {self.kernel.shape[0]} entries; where sizes vary, use "
                "GlobalAveragePooling instead of Flatten",
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
        mask_zero: whether 0 stands for no item: a mask leaves it out in the layers behind.

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
    mask_zero: bool = False

    @property
    def supports_masking(self) -> bool:  # type: ignore[override]
        """Whether the output has a mask."""
        return self.mask_zero

    def build(self, input_shape: Any) -> None:
        for name in ("input_dim", "output_dim"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}", where(), "give 1 or more")
        self.embeddings = self.param("embeddings", (self.input_dim, self.output_dim))

    def call(self, inputs: Any) -> Any:
        return looked_up(self.embeddings, inputs)

    def index_limits(self, *inputs: Any, **options: Any) -> tuple[int | None, ...]:
        return (self.input_dim,)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Tell which indices are not 0; `None` if 0 is one like others."""
        return inputs != 0 if self.mask_zero else None


def looked_up(table: Any, numbers: Any) -> Any:
    """Give the row of a table for each whole number."""
    if is_drawing():  # places in a sequence may go beyond its length
        numbers = ops.minimum(numbers, table.shape[0] - 1)
    check_row((*numbers.shape[1:], table.shape[-1]), where())
    return ops.take(table, ops.cast(numbers, "int32"), axis=0, table=where())


class Masking(Layer):
    """Leave out the steps all of whose features are one value: they become zeros, with a mask.

    Shapes: `(n, time, …, d) → (n, time, …, d)`; the mask is `(n, time, …)`.

    Args:
        mask_value: the value.

    >>> Masking()(np.array([[[1.0, 0.0], [0.0, 0.0]]]))
    array([[[1., 0.],
            [0., 0.]]], dtype=float32)
    """

    mask_value: float = 0.0

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Tell which steps have a feature of another value."""
        return ops.sum(ops.cast(inputs != self.mask_value, "int32"), axis=-1) > 0

    def call(self, inputs: Any) -> Any:
        counts = ops.expand_dims(self.compute_mask(inputs), -1)
        return ops.where(counts, inputs, ops.zero(inputs))


class Identity(Layer):
    """Give back what comes in."""

    supports_masking = True

    def call(self, inputs: Any) -> Any:
        return inputs


class Rescaling(Layer):
    """Scale and shift: `x · scale + offset`.

    >>> Rescaling(1 / 255)(np.array([255.0]))
    array([1.], dtype=float32)
    """

    scale: float
    offset: float = 0.0

    supports_masking = True

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


class Lambda(Layer):
    """A function as a layer: `function(x, **arguments)`, written with operators and `trasluz.ops`.

    A file keeps the function's name alone, never its code: what reads it has to know the name, by
    `trasluz.saving.register` or `custom_objects`, or it is an activation. A lambda has no name.

    Args:
        function: what is called; `mask` and `training` are handed in if it takes them.
        output_shape: has no effect, for shapes are found by calling the function.
        mask: the mask of the output, or a function `(inputs, mask)` that gives it.
        arguments: more arguments of the function, by name.

    Raises:
        UserError: if a function is given by a name that is not known.

    >>> Lambda(lambda x: x**2)(np.array([3.0]))
    array([9.], dtype=float32)
    """

    def __init__(
        self,
        function: Callable[..., Any] | str,
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.function, self.mask, self.arguments = function, mask, arguments or {}
        self._given_shape, self.supports_masking = output_shape, mask is not None

    def call(self, inputs: Any, mask: Any = None, training: bool = False) -> Any:
        function = known_function(self.function)
        asked = inspect.signature(function).parameters
        told = {k: v for k, v in (("mask", mask), ("training", training)) if k in asked}
        return function(inputs, **{**told, **self.arguments})

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Give the mask of the output."""
        if callable(self.mask) or isinstance(self.mask, str):
            return known_function(self.mask)(inputs, mask)
        return self.mask

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Tell the shape of the output by calling the function on zeros."""
        several = isinstance(input_shape, list)
        shapes = input_shape if several else [input_shape]
        inputs = [placeholder(tuple(shape)) for shape in shapes]
        return shapes_of(self(inputs if several else inputs[0]))

    def get_config(self) -> dict[str, Any]:
        """List the constructor's arguments as plain data, functions as their names."""
        return {**super().get_config(), "output_shape": plain(self._given_shape)}


def known_function(given: Any) -> Any:
    """Give the function of a name; a function is one already.

    Raises:
        UserError: if no function of that name is known.
    """
    if not isinstance(given, str):
        return given
    found = activations.registry.known.get(given)
    if not callable(found) or isinstance(found, type):
        raise UserError(
            f"no function {shown(given)} is known",
            where(),
            "write it as a function (def) and make it known: @trasluz.saving.register, or "
            "custom_objects={'name': function}",
        )
    return found


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
