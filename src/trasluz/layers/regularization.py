"""Noise in training, nothing after."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from trasluz.autodiff import random
from trasluz.autodiff.tape import where
from trasluz.errors import UserError, unknown
from trasluz.layers.base import Layer
from trasluz.layers.pooling import FORMATS


class _Noise(Layer):
    supports_masking = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        return self.disturb(inputs) if training else inputs

    def disturb(self, inputs: Any) -> Any:
        """Add noise."""
        raise NotImplementedError


def _rate(rate: float) -> float:
    if not 0 <= rate < 1:
        raise UserError(
            f"the rate has to be in [0, 1), it is {rate}", where(), "give a share such as 0.2"
        )
    return rate


def switched_off(x: Any, rate: float, shape: tuple[int, ...], key: Any) -> Any:
    """Switch off a random part of entries, by a mask of some shape; the rest grows accordingly."""
    keep = 1 - _rate(rate)
    if keep == 1:
        return x
    mask = random.bernoulli(key, keep, shape)
    return x * (mask.astype(x.dtype) / keep)


class Dropout(_Noise):
    """Switch off a random part of the inputs in training: `x · m / (1 − rate)`, m ∈ {0, 1}.

    Source: Srivastava et al., Dropout (2014).

    Args:
        rate: the part that is switched off.
        noise_shape: shape of the mask, with 1 where entries share their fate.
        seed: makes the masks of a layer reproducible by itself.

    >>> import numpy as np
    >>> Dropout(0.5)(np.ones(3))
    array([1., 1., 1.], dtype=float32)
    """

    rate: float
    noise_shape: Any = None
    seed: int | None = None

    def disturb(self, inputs: Any) -> Any:
        shape = tuple(self.noise_shape or inputs.shape)
        shape = tuple(n if k is None else k for k, n in zip(shape, inputs.shape, strict=True))
        return switched_off(inputs, self.rate, shape, self.key(self.seed))


class SpatialDropout1D(Dropout):
    """Switch off whole channels of a series in training: one mask for all its places.

    Source: Tompson et al., Efficient object localization using convolutional networks (2015).

    Args:
        rate: the part of the channels that is switched off.
        seed: as for Dropout.

    >>> import numpy as np
    >>> SpatialDropout1D(0.5)(np.ones((1, 2, 1))).shape
    (1, 2, 1)
    """

    rank: ClassVar[int] = 1

    def disturb(self, inputs: Any) -> Any:
        if len(inputs.shape) != self.rank + 2:
            raise UserError(
                f"it reads (batch, {'places, ' * self.rank}channels), the shape is "
                f"{tuple(inputs.shape)}",
                where(),
                "add the missing axis, e.g. with Reshape",
            )
        layout = getattr(self, "data_format", None)
        if layout is not None and layout not in FORMATS:
            raise unknown("data_format", layout, FORMATS)
        first = layout == "channels_first"
        ones = (1,) * self.rank
        shape = (*inputs.shape[:2], *ones) if first else (inputs.shape[0], *ones, inputs.shape[-1])
        return switched_off(inputs, self.rate, shape, self.key(self.seed))


class SpatialDropout2D(SpatialDropout1D):
    """Switch off whole channels of a picture in training: one mask for all its places.

    Source: Tompson et al., Efficient object localization using convolutional networks (2015).

    Args:
        rate: the part of the channels that is switched off.
        data_format: "channels_last" or "channels_first".
        seed: as for Dropout.

    >>> import numpy as np
    >>> SpatialDropout2D(0.5)(np.ones((1, 2, 2, 1))).shape
    (1, 2, 2, 1)
    """

    data_format: str | None = None

    rank: ClassVar[int] = 2


class GaussianNoise(_Noise):
    """Add normal noise in training: `x + stddev · n`.

    Args:
        stddev: standard deviation of the noise.
        seed: as for Dropout.
    """

    stddev: float
    seed: int | None = None

    def disturb(self, inputs: Any) -> Any:
        noise = random.normal(self.key(self.seed), inputs.shape, inputs.dtype)
        return inputs + noise * self.stddev


class GaussianDropout(_Noise):
    """Multiply with normal noise around one in training: `x · (1 + n √(rate / (1 − rate)))`.

    Args:
        rate: as for Dropout, whose variance it has.
        seed: as for Dropout.
    """

    rate: float
    seed: int | None = None

    def disturb(self, inputs: Any) -> Any:
        deviation = math.sqrt(_rate(self.rate) / (1 - self.rate))
        noise = random.normal(self.key(self.seed), inputs.shape, inputs.dtype)
        return inputs * (1 + noise * deviation)


__all__ = ["Dropout", "GaussianDropout", "GaussianNoise"]
