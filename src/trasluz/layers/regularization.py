"""Noise in training, nothing after."""

from __future__ import annotations

import math
from typing import Any

from trasluz.autodiff import random
from trasluz.autodiff.tape import where
from trasluz.errors import UserError
from trasluz.layers.base import Layer


class _Noise(Layer):
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
        keep = 1 - _rate(self.rate)
        if keep == 1:
            return inputs
        shape = tuple(self.noise_shape or inputs.shape)
        shape = tuple(n if k is None else k for k, n in zip(shape, inputs.shape, strict=True))
        mask = random.bernoulli(self.key(self.seed), keep, shape)
        return inputs * (mask.astype(inputs.dtype) / keep)


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
