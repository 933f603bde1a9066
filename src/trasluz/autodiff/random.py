"""Random numbers that a key determines: Threefry-2x32, the same bits on NumPy and XLA.

A key is two 32-bit words. Nothing is threaded through: a step's key is `fold(root, step)`, a
layer's is `fold(key, path)`, so any draw of any step can be made again. Several keys, stacked along
leading axes, draw at once what each of them draws alone.

Source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
"""

from __future__ import annotations

import contextlib
import math
import os
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from trasluz.autodiff.backend import everywhere, namespace, sorted_places

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)


def key(seed: int) -> Any:
    """Make a key from a whole number.

    >>> key(7)
    array([0, 7], dtype=uint32)
    """
    return np.array([(seed >> 32) & 0xFFFFFFFF, seed & 0xFFFFFFFF], np.uint32)


def fold(key: Any, *data: Any) -> Any:
    """Derive another key from one or two whole numbers or texts: a step, a path.

    >>> fold(key(7), 3, "dense/kernel")
    array([2648138399,  810646628], dtype=uint32)
    """
    words = [zlib.crc32(d.encode()) if isinstance(d, str) else d for d in (*data, 0)[:2]]
    xp = namespace(key, *words)
    first, second = (xp.asarray(w, dtype=xp.uint32).reshape(1) for w in words)
    return xp.concatenate(_threefry(key, first, second), axis=-1)


def _threefry(key: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """Scramble pairs of words: 20 rounds of add, rotate, exclusive or."""
    k0, k1 = key[..., 0:1], key[..., 1:2]
    words = (k0, k1, k0 ^ k1 ^ _PARITY)
    a, b = a + k0, b + k1
    for i in range(5):
        for r in _ROTATIONS[i % 2]:
            a = a + b
            b = (b << np.uint32(r)) | (b >> np.uint32(32 - r))
            b = a ^ b
        a = a + words[(i + 1) % 3]
        b = b + words[(i + 2) % 3] + np.uint32(i + 1)
    return a, b


def bits(key: Any, shape: tuple[int, ...]) -> Any:
    """Draw 32 random bits an entry; with several keys, along leading axes, for each of them."""
    xp = namespace(key)
    size = math.prod(shape)
    half = (size + 1) // 2
    count = xp.arange(half, dtype=xp.uint32)
    a, b = map(everywhere, _threefry(key, count, count + np.uint32(half)))
    return xp.concatenate([a, b], axis=-1)[..., :size].reshape(key.shape[:-1] + shape)


def uniform(key: Any, shape: tuple[int, ...], dtype: Any = np.float32) -> Any:
    """Draw from [0, 1): multiples of 2⁻²⁴, exact in float32.

    >>> uniform(key(7), (2,))
    array([0.04541254, 0.9458059 ], dtype=float32)
    """
    return (bits(key, shape) >> np.uint32(8)).astype(dtype) * np.dtype(dtype).type(2.0**-24)


def bernoulli(key: Any, probability: float, shape: tuple[int, ...]) -> Any:
    """Draw truths, each with a probability; compared as whole numbers, so engines agree."""
    below = min(int(probability * 2.0**24), 2**24)
    return (bits(key, shape) >> np.uint32(8)) < np.uint32(below)


def normal(key: Any, shape: tuple[int, ...], dtype: Any = np.float32) -> Any:
    """Draw from the standard normal distribution by Box and Muller's transform."""
    xp = namespace(key)
    scale = np.dtype(dtype).type
    pairs = (bits(key, (2, *shape)) >> np.uint32(8)).astype(dtype)
    u, v = xp.moveaxis(pairs, key.ndim - 1, 0)
    radius = xp.sqrt(scale(-2) * xp.log((u + scale(1)) * scale(2.0**-24)))
    return radius * xp.cos(v * scale(2 * math.pi * 2.0**-24))


def truncated_normal(key: Any, shape: tuple[int, ...], dtype: Any = np.float32) -> Any:
    """Draw from the standard normal distribution cut off at ±2, by drawing again what lies out."""
    drawn = normal(key, shape, dtype)
    attempt = 2
    while (out := np.abs(drawn) > 2).any():
        drawn = np.where(out, normal(fold(key, attempt), shape, dtype), drawn)
        attempt += 1
    return drawn


def permutation(key: Any, n: int) -> Any:
    """Shuffle the numbers 0 … n − 1.

    >>> permutation(key(7), 5)
    array([0, 1, 3, 2, 4])
    """
    xp, drawn = namespace(key), bits(key, (n,))
    return sorted_places(drawn)[1] if xp is np else xp.argsort(drawn, stable=True)


class _Program:
    """The seed that everything unseeded in a program is drawn from, and how often it was asked."""

    root: Any = None
    asked = 0


def set_seed(seed: int) -> None:
    """Make everything drawn from here on reproducible."""
    _Program.root, _Program.asked = key(int(seed)), 0


def next_key() -> Any:
    """Give a fresh key: from the program's seed if one was set, else from the system."""
    if _Program.root is None:
        set_seed(int.from_bytes(os.urandom(8), "little"))
    _Program.asked += 1
    return fold(_Program.root, _Program.asked)


def times_asked() -> int:
    """Tell how many keys were asked for since the seed was set."""
    return _Program.asked


@contextlib.contextmanager
def set_aside() -> Iterator[None]:
    """Let seeds that are set inside leave the program's own as it was."""
    kept = _Program.root, _Program.asked
    try:
        yield
    finally:
        _Program.root, _Program.asked = kept
