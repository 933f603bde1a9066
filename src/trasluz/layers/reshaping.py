"""The same entries in another shape."""

from __future__ import annotations

import math
from typing import Any

from trasluz.autodiff import ops
from trasluz.autodiff.tape import where
from trasluz.errors import UserError
from trasluz.layers.base import Layer
from trasluz.state.limits import check_row


class Flatten(Layer):
    """One axis out of all but the batch axis.

    >>> import numpy as np
    >>> Flatten()(np.zeros((2, 28, 28))).shape
    (2, 784)
    """

    data_format: str | None = None

    def call(self, inputs: Any) -> Any:
        if self.data_format == "channels_first" and len(inputs.shape) > 2:
            axes = (0, *range(2, len(inputs.shape)), 1)
            inputs = ops.transpose(inputs, axes=axes)
        return ops.reshape(inputs, shape=(inputs.shape[0], math.prod(inputs.shape[1:])))


class Reshape(Layer):
    """Another shape behind the batch axis; one length may be −1.

    >>> import numpy as np
    >>> Reshape((-1, 2))(np.zeros((3, 6))).shape
    (3, 3, 2)
    """

    target_shape: tuple[int, ...]

    def call(self, inputs: Any) -> Any:
        have, want = math.prod(inputs.shape[1:]), tuple(self.target_shape)
        known = math.prod(n for n in want if n != -1)
        if (-1 not in want and known != have) or (-1 in want and (known == 0 or have % known)):
            raise UserError(
                f"{have} entries a row (shape {tuple(inputs.shape[1:])}) do not fill {want}",
                where(),
                "give a target_shape with as many entries; an axis of -1 takes the rest",
            )
        return ops.reshape(inputs, shape=(inputs.shape[0], *want))


class Permute(Layer):
    """Axes in another order, counted from 1 behind the batch axis.

    >>> import numpy as np
    >>> Permute((2, 1))(np.zeros((5, 3, 4))).shape
    (5, 4, 3)
    """

    dims: tuple[int, ...]

    def call(self, inputs: Any) -> Any:
        return ops.transpose(inputs, axes=(0, *self.dims))


class RepeatVector(Layer):
    """A vector n times: `(batch, d) → (batch, n, d)`."""

    n: int

    def call(self, inputs: Any) -> Any:
        batch, d = inputs.shape
        if self.n < 1:
            raise UserError(f"n is {self.n}", where(), "say how many times, from 1")
        check_row((self.n, d), where())
        return ops.broadcast_to(ops.expand_dims(inputs, 1), (batch, self.n, d))
