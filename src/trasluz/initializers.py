"""Where weights start: functions `(shape, dtype, key) -> array`, drawn on NumPy always.

A key determines a draw, on every engine and after every restart. An initializer that was given a
`seed` draws from that; one that was not, from the key it is called with, or else from the
program's seed (`trasluz.random.set_seed`).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from trasluz.autodiff import random
from trasluz.config import floatx
from trasluz.errors import UserError, misfit, shown, unknown
from trasluz.state.registry import Configurable, Registry, serialize

__all__ = [
    "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity",
    "Initializer", "LecunNormal", "LecunUniform", "Ones", "Orthogonal", "RandomNormal",
    "RandomUniform", "TruncatedNormal", "VarianceScaling", "Zeros", "deserialize", "get",
    "serialize",
]  # fmt: skip

MODES = ("fan_in", "fan_out", "fan_avg")
DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")
# standard deviation of a standard normal cut off at ±2
TRUNCATED_STDDEV = 0.87962566103423978

registry = Registry("initializer")


class Initializer(Configurable):
    """What gives a weight its first value."""

    def __call__(self, shape: Any, dtype: Any = None, key: Any = None) -> np.ndarray:
        """Make an array.

        Args:
            shape: its shape.
            dtype: its floating type; `floatx()` if not given.
            key: determines the draw.
        """
        raise NotImplementedError


class Random(Initializer):
    """An initializer that draws."""

    seed: int | None

    def __call__(self, shape: Any, dtype: Any = None, key: Any = None) -> np.ndarray:
        """Draw an array: from the initializer's seed, else the key, else the program's seed."""
        if self.seed is not None:
            key = random.key(self.seed)
        elif key is None:
            key = random.next_key()
        dtype = np.dtype(dtype or floatx())
        return np.asarray(self.draw(key, tuple(shape), dtype), dtype)

    def draw(self, key: Any, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Draw an array that the key determines."""
        raise NotImplementedError


@registry.register("zeros", "zero")
@dataclass
class Zeros(Initializer):
    """All zeros.

    >>> Zeros()((2,))
    array([0., 0.], dtype=float32)
    """

    def __call__(self, shape: Any, dtype: Any = None, key: Any = None) -> np.ndarray:
        return np.zeros(tuple(shape), dtype or floatx())


@registry.register("ones", "one")
@dataclass
class Ones(Initializer):
    """All ones.

    >>> Ones()((2,))
    array([1., 1.], dtype=float32)
    """

    def __call__(self, shape: Any, dtype: Any = None, key: Any = None) -> np.ndarray:
        return np.ones(tuple(shape), dtype or floatx())


@registry.register()
@dataclass
class Constant(Initializer):
    """One number everywhere, or the entries of a given array.

    Args:
        value: a number, or an array of the shape that will be asked for.

    Raises:
        UserError: when called, if an array was given and another shape is asked for.

    >>> Constant(2.0)((2,))
    array([2., 2.], dtype=float32)
    """

    value: Any = 0.0

    def __call__(self, shape: Any, dtype: Any = None, key: Any = None) -> np.ndarray:
        shape, value = tuple(shape), np.asarray(self.value, dtype or floatx())
        if value.ndim and value.shape != shape:
            raise UserError(
                f"the given values have shape {value.shape}, the weight has {shape}",
                type(self).__name__,
                "give values of the weight's shape",
            )
        return np.array(np.broadcast_to(value, shape))


@registry.register()
@dataclass
class Identity(Initializer):
    """The identity matrix, scaled: `gain · I`.

    Args:
        gain: the number on the diagonal.

    Raises:
        UserError: when called for anything but a matrix.

    >>> Identity()((2, 2))
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """

    gain: float = 1.0

    def __call__(self, shape: Any, dtype: Any = None, key: Any = None) -> np.ndarray:
        if len(shape) != 2:
            raise UserError(
                f"a weight of shape {tuple(shape)} is not a matrix",
                type(self).__name__,
                "use it for kernels with two axes",
            )
        return self.gain * np.eye(*shape, dtype=np.dtype(dtype or floatx()))


@registry.register("random_normal", "normal")
@dataclass
class RandomNormal(Random):
    """Draw from a normal distribution.

    Args:
        mean: its mean.
        stddev: its standard deviation.
        seed: determines the draw.

    >>> RandomNormal(seed=1)((2,))
    array([ 0.04079807, -0.07403909], dtype=float32)
    """

    mean: float = 0.0
    stddev: float = 0.05
    seed: int | None = None

    def draw(self, key: Any, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Draw an array that the key determines."""
        return self.mean + self.stddev * random.normal(key, shape, dtype)


@registry.register("random_uniform", "uniform")
@dataclass
class RandomUniform(Random):
    """Draw from [minval, maxval), all values equally likely.

    Args:
        minval: lower end.
        maxval: upper end.
        seed: determines the draw.

    >>> bool((abs(RandomUniform(seed=1)((50,))) <= 0.05).all())
    True
    """

    minval: float = -0.05
    maxval: float = 0.05
    seed: int | None = None

    def draw(self, key: Any, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Draw an array that the key determines."""
        return self.minval + (self.maxval - self.minval) * random.uniform(key, shape, dtype)


@registry.register()
@dataclass
class TruncatedNormal(Random):
    """Draw from a normal distribution, again when more than two standard deviations off.

    Args:
        mean: mean before the cut.
        stddev: standard deviation before the cut.
        seed: determines the draw.

    >>> bool((abs(TruncatedNormal(seed=1)((50,))) <= 0.1).all())
    True
    """

    mean: float = 0.0
    stddev: float = 0.05
    seed: int | None = None

    def draw(self, key: Any, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Draw an array that the key determines."""
        return self.mean + self.stddev * random.truncated_normal(key, shape, dtype)


@registry.register()
@dataclass
class Orthogonal(Random):
    """Draw a matrix whose rows or columns, whichever are fewer, are orthonormal.

    The Q of the QR decomposition of a normal draw, with the signs of R's diagonal; leading axes
    count as rows.

    Args:
        gain: factor on the matrix.
        seed: determines the draw.

    Raises:
        UserError: when called for fewer than two axes.

    Source: Saxe et al., Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks (ICLR 2014).

    >>> q = Orthogonal(seed=1)((3, 2))
    >>> np.allclose(q.T @ q, np.eye(2), atol=1e-6)
    True
    """

    gain: float = 1.0
    seed: int | None = None

    def draw(self, key: Any, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Draw an array that the key determines."""
        if len(shape) < 2:
            raise UserError(
                f"a weight of shape {shape} is not a matrix",
                type(self).__name__,
                "use it for kernels with two axes or more",
            )
        rows, columns = math.prod(shape[:-1]), shape[-1]
        tall = (max(rows, columns), min(rows, columns))
        q, r = np.linalg.qr(random.normal(key, tall, dtype))
        q = q * np.sign(np.diag(r))  # makes the decomposition, and so the draw, unique
        return self.gain * (q if rows >= columns else q.T).reshape(shape)


def compute_fans(
    shape: tuple[int, ...], input_axes: Any = None, output_axes: Any = None
) -> tuple[int, int]:
    """Count how many inputs a unit adds up and how many outputs an input reaches.

    The last two axes are inputs and outputs; axes before them are a convolution's window.

    >>> compute_fans((3, 3, 16, 32))
    (144, 288)
    """
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[a] for a in input_axes), math.prod(shape[a] for a in output_axes)
    if len(shape) < 2:
        fan = math.prod(shape)
        return fan, fan
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


@registry.register()
@dataclass
class VarianceScaling(Random):
    """Draw with variance `scale / n`, n being a fan of the weight.

    Args:
        scale: the variance of the sum over n inputs of variance one.
        mode: which n: "fan_in", "fan_out" or their mean, "fan_avg".
        distribution: "truncated_normal" (or "normal"), "untruncated_normal" or "uniform".
        seed: determines the draw.
        input_axes: the axes that count as inputs, if not the last but one.
        output_axes: the axes that count as outputs, if not the last.

    Raises:
        UserError: if the scale is not positive, or mode or distribution are not known.

    >>> bool((abs(VarianceScaling(3.0, distribution="uniform", seed=1)((9, 4))) <= 1).all())
    True
    """

    scale: float = 1.0
    mode: str = "fan_in"
    distribution: str = "truncated_normal"
    seed: int | None = None
    input_axes: Any = None
    output_axes: Any = None

    def __post_init__(self) -> None:
        if self.scale <= 0:
            raise UserError(f"scale is {self.scale}", type(self).__name__, "give a positive number")
        if self.mode not in MODES:
            raise unknown("mode", self.mode, MODES)
        if self.distribution not in (*DISTRIBUTIONS, "normal"):
            raise unknown("distribution", self.distribution, DISTRIBUTIONS)

    def draw(self, key: Any, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Draw an array that the key determines."""
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return RandomUniform(-limit, limit).draw(key, shape, dtype)
        stddev = math.sqrt(variance)
        if self.distribution == "untruncated_normal":
            return RandomNormal(0.0, stddev).draw(key, shape, dtype)
        return TruncatedNormal(0.0, stddev / TRUNCATED_STDDEV).draw(key, shape, dtype)


@dataclass
class Fans(Random):
    """A variance scaling that has a name of its own."""

    seed: int | None = None
    input_axes: Any = None
    output_axes: Any = None

    setting: ClassVar[tuple[float, str, str]]

    def draw(self, key: Any, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Draw an array that the key determines."""
        axes = (self.input_axes, self.output_axes)
        return VarianceScaling(*self.setting, None, *axes).draw(key, shape, dtype)


@registry.register()
@dataclass
class GlorotUniform(Fans):
    """Draw from ±√(6 / (fan_in + fan_out)), all values equally likely.

    Source: Glorot, Bengio, Understanding the difficulty of training deep feedforward neural
    networks (AISTATS 2010).

    >>> GlorotUniform(seed=1)((2, 1)).shape
    (2, 1)
    """

    setting: ClassVar = (1.0, "fan_avg", "uniform")


@registry.register()
@dataclass
class GlorotNormal(Fans):
    """Draw from a normal distribution of variance 2 / (fan_in + fan_out), cut off at both ends.

    Source: Glorot, Bengio (AISTATS 2010).

    >>> GlorotNormal(seed=1)((2, 1)).shape
    (2, 1)
    """

    setting: ClassVar = (1.0, "fan_avg", "truncated_normal")


@registry.register()
@dataclass
class HeUniform(Fans):
    """Draw from ±√(6 / fan_in), all values equally likely.

    Source: He et al., Delving deep into rectifiers (ICCV 2015).

    >>> HeUniform(seed=1)((2, 1)).shape
    (2, 1)
    """

    setting: ClassVar = (2.0, "fan_in", "uniform")


@registry.register()
@dataclass
class HeNormal(Fans):
    """Draw from a normal distribution of variance 2 / fan_in, cut off at both ends.

    Source: He et al. (ICCV 2015).

    >>> HeNormal(seed=1)((2, 1)).shape
    (2, 1)
    """

    setting: ClassVar = (2.0, "fan_in", "truncated_normal")


@registry.register()
@dataclass
class LecunUniform(Fans):
    """Draw from ±√(3 / fan_in), all values equally likely.

    Source: LeCun et al., Efficient backprop (1998).

    >>> LecunUniform(seed=1)((2, 1)).shape
    (2, 1)
    """

    setting: ClassVar = (1.0, "fan_in", "uniform")


@registry.register()
@dataclass
class LecunNormal(Fans):
    """Draw from a normal distribution of variance 1 / fan_in, cut off at both ends.

    Source: LeCun et al., Efficient backprop (1998).

    >>> LecunNormal(seed=1)((2, 1)).shape
    (2, 1)
    """

    setting: ClassVar = (1.0, "fan_in", "truncated_normal")


@dataclass
class Function(Initializer):
    """A plain function of shape and dtype, called as an initializer.

    >>> Function(lambda shape, dtype: np.ones(shape, dtype))((2,))
    array([1., 1.], dtype=float32)
    """

    function: Callable[..., Any]

    def __call__(self, shape: Any, dtype: Any = None, key: Any = None) -> np.ndarray:
        return np.asarray(self.function(tuple(shape), dtype=np.dtype(dtype or floatx())))


def get(identifier: Any) -> Any:
    """Give an initializer from a name, a config, an array, a function, or itself.

    A function is called with shape and dtype.

    Raises:
        UserError: if a name is not known; the nearest is suggested.

    >>> get("he_normal")
    HeNormal(seed=None, input_axes=None, output_axes=None)
    """
    if identifier is None:
        return None
    if isinstance(identifier, (np.ndarray, np.generic)):
        return Constant(identifier)
    initializer = registry.get(identifier)
    try:
        parameters = inspect.signature(initializer).parameters.values()
    except (TypeError, ValueError) as error:
        raise misfit(error, "it is no initializer", shown(initializer), "give a name") from error
    takes_key = any(p.name == "key" or p.kind is p.VAR_KEYWORD for p in parameters)
    return initializer if takes_key else Function(initializer)


deserialize = get
