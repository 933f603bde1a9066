"""Random numbers in Keras's manner: by shape, of the step that is running.

In a step, numbers follow from the run's key, the step and the call: any step can be made again,
and a resumed run draws what the whole run would have drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trasluz import config
from trasluz.autodiff import ops, random
from trasluz.autodiff.backend import namespace
from trasluz.autodiff.tape import held, outermost, where
from trasluz.errors import UserError, shown
from trasluz.state.context import current


class SeedGenerator:
    """A source of random numbers of its own: others that are drawn do not change what it gives.

    Args:
        seed: a whole number; drawn from the program's seed if it is not given.
        name: a name.

    >>> first, second = SeedGenerator(7), SeedGenerator(7)
    >>> bool((normal((2,), seed=first) == normal((2,), seed=second)).all())
    True
    """

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        if seed is None:
            seed = int(random.next_key()[1])
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
            raise UserError(f"the seed is {shown(seed)}", "SeedGenerator", "give a whole number")
        self.seed, self.name, self._drawn = int(seed), name or "seed_generator", 0

    def next(self) -> Any:
        """Give the next key: in a step, that of the step and the call."""
        context = current()
        if context is not None:
            return context.key_for(f"{where()} {self.seed}", self.seed)
        self._drawn += 1
        return random.fold(random.key(self.seed), self._drawn)

    def get_config(self) -> dict[str, Any]:
        """List the constructor's arguments as plain data."""
        return {"seed": self.seed, "name": self.name}


def _key(seed: Any) -> Any:
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if seed is not None:
        return random.key(int(seed))
    context = current()
    return random.next_key() if context is None else context.key_for(f"{where()} drawn")


def _given(x: Any) -> Any:
    """Hand numbers to a step that a user wrote, which may want to watch them."""
    context = current()
    mine = context is not None and context.acting is not None and outermost() is None
    return held(x) if mine else x


def _float(dtype: Any) -> np.dtype[Any]:
    return np.dtype(dtype or config.floatx())


def _shape(shape: Any) -> tuple[int, ...]:
    try:
        return tuple(int(n) for n in shape)
    except TypeError:
        raise UserError(f"{shown(shape)} is not a shape", "random", "e.g. (3, 2)") from None


def normal(
    shape: Sequence[int],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: Any = None,
    seed: Any = None,
) -> Any:
    """Draw from a normal distribution.

    Args:
        shape: of what is drawn.
        mean: μ.
        stddev: σ.
        dtype: a floating type; `floatx()` if it is not given.
        seed: a whole number gives the same numbers each time; a `SeedGenerator`; or nothing.

    >>> normal((2,), seed=7)
    array([-1.6544085,  0.0380875], dtype=float32)
    """
    dtype = _float(dtype)
    drawn = random.normal(_key(seed), _shape(shape), dtype)
    return _given(drawn * dtype.type(stddev) + dtype.type(mean))


def uniform(
    shape: Sequence[int],
    minval: float = 0.0,
    maxval: float = 1.0,
    dtype: Any = None,
    seed: Any = None,
) -> Any:
    """Draw evenly from `[minval, maxval)`; otherwise as `normal`."""
    dtype = _float(dtype)
    if dtype.kind != "f":
        return randint(shape, int(minval), int(maxval), dtype, seed)
    drawn = random.uniform(_key(seed), _shape(shape), dtype)
    return _given(drawn * dtype.type(maxval - minval) + dtype.type(minval))


def truncated_normal(
    shape: Sequence[int],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: Any = None,
    seed: Any = None,
) -> Any:
    """Draw from a normal distribution cut off at μ ± 2σ; otherwise as `normal`.

    Raises:
        UserError: in a compiled step: how often it has to draw again is not known there.
    """
    dtype, key = _float(dtype), _key(seed)
    if namespace(key) is not np:
        raise UserError(
            "numbers cannot be drawn again in a compiled step",
            "truncated_normal",
            "use random.normal, or engine='numpy'",
        )
    drawn = random.truncated_normal(key, _shape(shape), dtype)
    return _given(drawn * dtype.type(stddev) + dtype.type(mean))


def randint(
    shape: Sequence[int], minval: int, maxval: int, dtype: Any = "int32", seed: Any = None
) -> Any:
    """Draw whole numbers from `minval` to before `maxval`; otherwise as `normal`."""
    if not maxval > minval:
        what = f"there is no number from {minval} to before {maxval}"
        raise UserError(what, "randint", "give maxval greater than minval")
    drawn = random.bits(_key(seed), _shape(shape)) % np.uint32(maxval - minval)
    dtype = np.dtype(dtype)
    return _given(drawn.astype(dtype) + dtype.type(minval))


def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Any = None) -> Any:
    """Draw numbers of classes: the largest of the logits, each with Gumbel noise.

    Args:
        logits: `(n, classes)`.
        num_samples: how many to draw for each row.
        dtype: the type of what is drawn.
        seed: as for `normal`.
    """
    n, classes = logits.shape
    even = uniform((n, num_samples, classes), 2.0**-25, 1.0, logits.dtype, seed)
    noisy = ops.expand_dims(logits, 1) - ops.log(-ops.log(even))
    return ops.astype(ops.argmax(noisy, axis=-1), dtype=np.dtype(dtype))


def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """Set entries to zero at a rate, and scale the others up so that the sum stays."""
    shape = tuple(inputs.shape)
    if noise_shape is not None:
        shape = tuple(m if n is None else n for n, m in zip(noise_shape, shape, strict=True))
    keep = ops.astype(random.bernoulli(_key(seed), 1 - rate, shape), dtype=inputs.dtype)
    return inputs * keep / (1 - rate)


def shuffle(x: Any, axis: int = 0, seed: Any = None) -> Any:
    """Put what lies along an axis into another order."""
    return ops.take(x, random.permutation(_key(seed), x.shape[axis]), axis=axis)


def is_key(x: Any) -> bool:
    """Tell keys from shapes."""
    return getattr(x, "dtype", None) == np.uint32 and math.prod(x.shape[-1:]) == 2
