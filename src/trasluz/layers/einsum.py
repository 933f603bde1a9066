"""Weighted sums along axes that an equation names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trasluz import activations
from trasluz.autodiff import ops
from trasluz.autodiff.tape import where
from trasluz.errors import UserError
from trasluz.layers.base import Layer
from trasluz.layers.core import as_floats


class EinsumDense(Layer):
    """A weighted sum along the axes that an equation names: `activation(einsum(x, W) + b)`.

    It is worked out as one product of matrices, whatever axes lead.

    Args:
        equation: such as `"abc,cd->abd"`: axes of the input, of W, of the output; `...` stands for
            all that are not named.
        output_shape: of a row; a number, or one by axis, `None` where the input says it.
        activation: name or function; `None` is the identity.
        bias_axes: the axes of the output that b has; none without it.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            kernel_constraint, bias_constraint: as for `Dense`.

    Raises:
        UserError: if the equation does not fit, or W shares an axis with both.

    >>> EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de")(np.zeros((1, 5, 4))).shape
    (1, 5, 2, 3)
    """

    equation: str
    output_shape: Any = None  # type: ignore[assignment]
    activation: Any = None
    bias_axes: str | None = None
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None

    def build(self, input_shape: Any) -> None:
        given, own, out = self._axes(len(input_shape))
        sizes = dict(zip(given, input_shape, strict=True))
        wanted = self.output_shape
        if wanted is None:
            raise UserError("output_shape is missing", where(), "e.g. (None, 64)")
        wanted = (wanted,) if isinstance(wanted, (int, np.integer)) else tuple(wanted)
        for axis, size in zip(reversed(out), reversed(wanted), strict=False):
            if size is not None and sizes.setdefault(axis, size) != size:
                raise UserError(
                    f"the axis {axis!r} has {sizes[axis]} entries, output_shape says {size}",
                    where(),
                    "give None for axes that the input says",
                )
        missing = [axis for axis in own if sizes.get(axis) is None]
        if missing:
            raise UserError(
                f"how long the axes {', '.join(missing)} are is not known",
                where(),
                "say it in output_shape, or begin with Input(shape)",
            )
        self.kernel = self.param("kernel", tuple(sizes[axis] for axis in own))
        if self.bias_axes:
            first = min(out.index(axis) for axis in self.bias_axes if axis in out)
            shape = tuple(sizes[a] if a in self.bias_axes else 1 for a in out[first:])
            self.bias = self.param("bias", shape)

    def _axes(self, rank: int) -> tuple[str, str, str]:
        """Read the equation: the axes of input, kernel and output, a letter each."""
        parts = self.equation.replace(" ", "").replace("->", ",").split(",")
        if len(parts) != 3:
            raise UserError(
                f"the equation is {self.equation!r}", where(), 'write it like "abc,cd->abd"'
            )
        free = (chr(k) for k in range(ord("A"), ord("Z")))
        rest = "".join(next(free) for _ in range(rank - len(parts[0].replace("...", ""))))
        given, own, out = (part.replace("...", rest) for part in parts)
        new = [axis for axis in own if axis not in given]
        both = [axis for axis in own if axis in given and axis in out]
        fits = len(given) == rank and set(out) == {a for a in given if a not in own} | {*new}
        if not fits or both or any(len({*one}) != len(one) for one in (given, own, out)):
            raise UserError(
                f"the equation {self.equation!r} does not fit an input of {rank} axes",
                where(),
                "an axis of W is either summed over or new in the output, each axis stands once",
            )
        return given, own, out

    def call(self, inputs: Any) -> Any:
        x = as_floats(inputs, self.kernel)
        given, own, out = self._axes(len(x.shape))
        summed = [axis for axis in own if axis in given]
        stays = [axis for axis in given if axis not in own]
        new = [axis for axis in own if axis not in given]
        sizes = dict(zip(given, x.shape, strict=True))
        sizes |= dict(zip(own, self.kernel.shape, strict=True))
        rows = _arranged(x, given, [*stays, *summed])
        columns = _arranged(self.kernel, own, [*summed, *new])
        wide = math.prod(sizes[axis] for axis in summed)
        rows = ops.reshape(rows, (*(sizes[axis] for axis in stays), wide))
        columns = ops.reshape(columns, (wide, math.prod(sizes[axis] for axis in new)))
        y = ops.dot_last(rows, columns, self.precision)
        y = ops.reshape(y, tuple(sizes[axis] for axis in (*stays, *new)))
        y = _arranged(y, [*stays, *new], out)
        if self.bias_axes:
            y = y + self.bias
        return activations.get(self.activation)(y)


def _arranged(x: Any, have: Sequence[str], want: Sequence[str]) -> Any:
    """Put axes that are named into another order."""
    return x if [*have] == [*want] else ops.transpose(x, tuple(list(have).index(a) for a in want))
