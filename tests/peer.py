"""Keras on PyTorch as a peer that keeps float64, where its own promotion falls back to float32."""

import contextlib
from unittest import mock


@contextlib.contextmanager
def keras_in(dtype):
    """Let Keras compute in a floating type, and give it."""
    import keras
    from keras.src.backend.common import dtypes

    narrow = {} if dtype == "float64" else dtypes.BIT64_TO_BIT32_DTYPE
    before = keras.config.floatx()
    keras.config.set_floatx(dtype)
    try:
        with as_elsewhere(), mock.patch.object(dtypes, "BIT64_TO_BIT32_DTYPE", narrow):
            yield keras
    finally:
        keras.config.set_floatx(before)


@contextlib.contextmanager
def as_elsewhere():
    """Let Keras do on PyTorch what it does on its other engines.

    There as many of the best may be asked for as one likes, and a tensor can be read as an array.
    """
    import torch
    from keras.src.backend.torch import core, math

    best = math.top_k

    def top_k(x, k, sorted=True):
        return best(x, min(k, x.shape[-1]), sorted)

    def array(self, dtype=None, copy=None):
        return self.detach().numpy().astype(dtype or core.standardize_dtype(self.dtype))

    patch = mock.patch.object
    with patch(math, "top_k", top_k), patch(torch.Tensor, "__array__", array):
        yield


def gradient(function, x):
    """Differentiate a function of a tensor of Keras's, at an array."""
    import torch

    x = torch.tensor(x, requires_grad=True)
    (derivative,) = torch.autograd.grad(function(x), x)
    return derivative.numpy()
