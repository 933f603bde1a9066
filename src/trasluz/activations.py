"""What a neuron makes of its weighted sum: functions made of rows.

At kinks the derivative is that of the rows: `relu'(0) = 0`, a bound that is met passes half.
"""

from __future__ import annotations

import math
from typing import Any

from trasluz.autodiff import ops
from trasluz.autodiff.ops import log_softmax, sigmoid, sign, softmax, softplus, tanh
from trasluz.autodiff.tape import composite
from trasluz.state.registry import Registry, serialize

__all__ = [
    "deserialize", "elu", "exponential", "gelu", "get", "hard_sigmoid", "leaky_relu", "linear",
    "log_softmax", "mish", "relu", "relu6", "selu", "serialize", "sigmoid", "sign", "silu",
    "softmax", "softplus", "softsign", "tanh",
]  # fmt: skip

registry = Registry("activation")
for _row in (sign, sigmoid, tanh, softplus):
    registry.add(_row, _row.name)
registry.add(softmax, "softmax")
registry.add(log_softmax, "log_softmax")


@registry.register()
def linear(x: Any) -> Any:
    """Leave as it is: `x`.

    >>> linear(-1.5)
    -1.5
    """
    return x


@registry.register()
@composite
def relu(
    x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Any:
    """Rectify: `x` above the threshold, else `negative_slope·(x − threshold)`; at most `max_value`.

    >>> import numpy as np
    >>> relu(np.array([-2.0, 0.5, 3.0]), negative_slope=0.1, max_value=1.0)
    array([-0.2,  0.5,  1. ])
    """
    if negative_slope == 0 and threshold == 0:
        y = ops.relu(x)
    else:
        y = ops.where(x > threshold, x, negative_slope * (x - threshold))
    return y if max_value is None else ops.minimum(y, max_value)


@registry.register()
@composite
def relu6(x: Any) -> Any:
    """Rectify and stop at six: `min(max(x, 0), 6)`.

    Source: Howard et al., MobileNets (2017).

    >>> import numpy as np
    >>> relu6(np.array([-1.0, 2.0, 8.0]))
    array([0., 2., 6.])
    """
    return relu(x, max_value=6.0)


@registry.register()
@composite
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """Rectify, letting a little through: `x` if `x > 0`, else `negative_slope·x`.

    Source: Maas et al., Rectifier nonlinearities improve neural network acoustic models (2013).

    >>> import numpy as np
    >>> leaky_relu(np.array([-1.0, 2.0]))
    array([-0.2,  2. ])
    """
    return ops.where(x > 0, x, negative_slope * x)


@registry.register()
@composite
def elu(x: Any, alpha: float = 1.0) -> Any:
    """Rectify smoothly: `x` if `x > 0`, else `alpha·(eˣ − 1)`.

    Source: Clevert et al., Fast and accurate deep network learning by ELUs (ICLR 2016).

    >>> import numpy as np
    >>> elu(np.array([-1000.0, 2.0]))
    array([-1.,  2.])
    """
    low = ops.where(x > 0, 0, x)  # the branch that is not taken must not overflow
    return ops.where(x > 0, x, alpha * ops.expm1(low))


@registry.register()
@composite
def selu(x: Any) -> Any:
    """Scale `elu` so that activations keep mean 0 and variance 1: `1.0507·elu(x, 1.6733)`.

    Source: Klambauer et al., Self-normalizing neural networks (NeurIPS 2017).

    >>> import numpy as np
    >>> selu(np.array([-1.0, 1.0])).round(4)
    array([-1.1113,  1.0507])
    """
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


@registry.register()
@composite
def gelu(x: Any, approximate: bool = False) -> Any:
    """Weigh by the normal distribution: `½x·(1 + erf(x/√2))`, or its approximation with tanh.

    Source: Hendrycks and Gimpel, Gaussian error linear units (2016).

    >>> import numpy as np
    >>> gelu(np.array([-1.0, 1.0])).round(4)
    array([-0.1587,  0.8413])
    """
    if approximate:
        return 0.5 * x * (1 + ops.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + ops.erf(x / math.sqrt(2)))


@registry.register("silu", "swish")
@composite
def silu(x: Any) -> Any:
    """Weigh by the sigmoid: `x·σ(x)`; also called swish.

    Source: Ramachandran et al., Searching for activation functions (2017).

    >>> import numpy as np
    >>> silu(np.array([-1.0, 1.0])).round(4)
    array([-0.2689,  0.7311])
    """
    return x * ops.sigmoid(x)


@registry.register()
@composite
def hard_sigmoid(x: Any) -> Any:
    """Approximate the sigmoid by a straight line: `relu6(x + 3) / 6`.

    >>> import numpy as np
    >>> hard_sigmoid(np.array([-4.0, 0.0, 4.0]))
    array([0. , 0.5, 1. ])
    """
    return relu6(x + 3) / 6


@registry.register()
@composite
def softsign(x: Any) -> Any:
    """Squash gently: `x / (1 + |x|)`.

    >>> import numpy as np
    >>> softsign(np.array([-1.0, 3.0]))
    array([-0.5 ,  0.75])
    """
    return x / (1 + ops.absolute(x))


@registry.register()
@composite
def mish(x: Any) -> Any:
    """Weigh by a squashed softplus: `x·tanh(softplus(x))`.

    Source: Misra, Mish: a self regularized non-monotonic activation function (BMVC 2020).

    >>> import numpy as np
    >>> mish(np.array([-1.0, 1.0])).round(4)
    array([-0.3034,  0.8651])
    """
    return x * ops.tanh(ops.softplus(x))


@registry.register()
def exponential(x: Any) -> Any:
    """Raise e to it: `eˣ`.

    >>> import numpy as np
    >>> exponential(np.array([0.0, 1.0])).round(4)
    array([1.    , 2.7183])
    """
    return ops.exp(x)


def get(identifier: Any) -> Any:
    """Find an activation: by name, or the function itself; `None` is `linear`.

    Raises:
        UserError: if there is none of that name.

    >>> get("swish").__name__
    'silu'
    """
    return linear if identifier is None else registry.get(identifier)


def deserialize(config: Any) -> Any:
    """Find again what `serialize` wrote down.

    >>> deserialize(serialize(relu)) is relu
    True
    """
    return get(config)
