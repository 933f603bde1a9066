"""Keras on PyTorch as a peer that keeps float64, where its own promotion falls back to float32."""

import contextlib
from unittest import mock

import numpy as np


@contextlib.contextmanager
def keras_in(dtype):
    """Let Keras compute in a floating type, and give it."""
    import keras
    from keras.src.backend.common import dtypes

    narrow = {} if dtype == "float64" else dtypes.BIT64_TO_BIT32_DTYPE
    before, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    try:
        with as_elsewhere(), mock.patch.object(dtypes, "BIT64_TO_BIT32_DTYPE", narrow):
            yield keras
    finally:
        keras.config.set_floatx(before)
        keras.config.set_dtype_policy(policy)


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


def start(model, seed=1):
    """Give a model weights that depend on its shapes alone."""
    draw = np.random.default_rng(seed)
    model.set_weights([0.1 + abs(draw.normal(size=w.shape)) * 0.3 for w in model.get_weights()])
    return model


def same(a, b, where="result"):
    """Compare what two runs found, part by part."""
    if isinstance(a, dict):
        assert sorted(a) == sorted(b), where
        for key in a:
            same(a[key], b[key], f"{where}[{key!r}]")
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            same(x, y, f"{where}[{i}]")
    elif a is None or isinstance(a, (str, bool)):
        assert a == b, where
    else:
        a, b = np.asarray(a), np.asarray(b)
        assert a.shape == b.shape, f"{where}: {a.shape} and {b.shape}"
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=2e-5, err_msg=where)
