"""Random numbers: by key, or Keras's way, by shape.

Programs import it from here; it is at home in `trasluz.autodiff.random` and `trasluz.state.draws`.

>>> normal(key(7), (2,)).shape, normal((2,), seed=7).shape
((2,), (2,))
"""

import functools as _functools
from collections.abc import Callable as _Callable
from typing import Any as _Any

from trasluz.autodiff import random as _by_key
from trasluz.autodiff.random import *  # noqa: F403
from trasluz.state import draws as _draws
from trasluz.state.draws import (  # noqa: F401
    SeedGenerator,
    categorical,
    dropout,
    randint,
    shuffle,
)


def _either(name: str) -> _Callable[..., _Any]:
    """Draw by the key that is given first, or by the shape."""
    by_shape, by_key = getattr(_draws, name), getattr(_by_key, name)

    @_functools.wraps(by_shape)
    def draw(*args: _Any, **named: _Any) -> _Any:
        keyed = "key" in named or (args and _draws.is_key(args[0]))
        return (by_key if keyed else by_shape)(*args, **named)

    return draw


normal, uniform, truncated_normal = map(_either, ("normal", "uniform", "truncated_normal"))
