"""Recurrent layers: genuine Keras on random configurations, forwards and backwards."""

from __future__ import annotations

import random

import numpy as np
import pytest

from trasluz import Input, Sequential, layers, tape
from trasluz.state.binding import bind, read

keras = pytest.importorskip("keras")
from peer import keras_in  # noqa: E402

KINDS = [layers.SimpleRNN, layers.LSTM, layers.GRU]
STATES = {layers.SimpleRNN: 1, layers.LSTM: 2, layers.GRU: 1}


def drawn(kind, chance):
    """Draw a configuration."""
    how = {
        "units": chance.randint(1, 3), "use_bias": chance.random() < 0.7,
        "return_sequences": chance.random() < 0.5, "go_backwards": chance.random() < 0.4,
        "activation": chance.choice(["tanh", "sigmoid"]),
    }  # fmt: skip
    if kind is not layers.SimpleRNN:
        how["recurrent_activation"] = chance.choice(["sigmoid", "tanh"])
    if kind is layers.GRU:
        how["reset_after"] = chance.random() < 0.6
    return how


def of_keras(kind, how, x, weights, mask, states, g):
    """Give Keras's outputs, and its derivatives in the input and in each weight."""
    import torch

    with keras_in("float64"):
        layer = getattr(keras.layers, kind.__name__)(**how, return_state=True, dtype="float64")
        layer.build(x.shape)
        layer.set_weights(weights)
        given = torch.tensor(x, requires_grad=True)
        begin = None if states is None else [torch.tensor(s) for s in states]
        seen = None if mask is None else torch.tensor(mask)
        outputs = layer(given, initial_state=begin, mask=seen)
        total = sum((y * torch.tensor(w)).sum() for y, w in zip(outputs, g, strict=True))
        grads = torch.autograd.grad(total, [given, *(w.value for w in layer.weights)])
        return [y.detach().numpy() for y in outputs], [d.numpy() for d in grads]


@pytest.mark.interop
@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_it_is_keras_forwards_and_backwards(kind):
    chance, drawer = random.Random(kind.__name__), np.random.default_rng(5)
    for case in range(12):
        how = drawn(kind, chance)
        x = drawer.normal(size=(2, 4, 3))
        mask = np.array([[1, 1, 0, 1], [1, 0, 0, 1]], bool) if case % 3 == 1 else None
        states = None
        if case % 2:
            states = [drawer.normal(size=(2, how["units"])) for _ in range(STATES[kind])]
        layer = kind(**how, return_state=True, dtype="float64")
        outputs = layer(x, initial_state=states, mask=mask)
        weights = [drawer.normal(size=w.shape) for w in layer.weights]
        layer.set_weights(weights)
        g = [drawer.normal(size=y.shape) for y in outputs]

        def value(x, arrays, layer=layer, g=g, mask=mask, states=states):
            outputs = bind(layer, arrays)(x, initial_state=states, mask=mask)
            parts = [(y * w).sum() for y, w in zip(outputs, g, strict=True)]
            return sum(parts[1:], parts[0])

        ours = tape.vjp(value, x, read(layer))[1](np.float64(1))
        wanted, slopes = of_keras(kind, how, x, weights, mask, states, g)
        outputs = layer(x, initial_state=states, mask=mask)
        close = {"rtol": 1e-9, "atol": 1e-9, "err_msg": f"{case}: {how}"}
        for y, w in zip(outputs, wanted, strict=True):
            np.testing.assert_allclose(y, w, **close)
        np.testing.assert_allclose(ours[0], slopes[0], **close)
        for weight, slope in zip(layer.weights, slopes[1:], strict=True):
            np.testing.assert_allclose(ours[1][weight.path], slope, **close)


def test_the_forget_gate_begins_open():
    bias = layers.LSTM(2)
    bias(np.zeros((1, 2, 3)))
    assert bias.get_weights()[2].tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    plain = layers.LSTM(2, unit_forget_bias=False)
    plain(np.zeros((1, 2, 3)))
    assert not plain.get_weights()[2].any()


@pytest.mark.parametrize("kind", [layers.LSTM, layers.GRU], ids=lambda k: k.__name__)
@pytest.mark.parametrize("rows", [1, 2])
def test_any_weight_of_a_gate_opens_into_its_derivation(kind, rows):
    drawer = np.random.default_rng(2)
    x, y = drawer.normal(size=(rows, 3, 2)), drawer.normal(size=(rows, 1))
    model = Sequential([Input((3, 2)), kind(2), layers.Dense(1)])
    model.compile("sgd", "mse", engine="numpy")
    model.set_weights([drawer.normal(size=w.shape) for w in model.weights])
    assert max(model.check_gradients(x, y, print_fn=lambda text: None).values()) < 1e-6
    for weight in model.weights:
        derivation = model.explain(x, y, weight.path, tuple(n - 1 for n in weight.shape))
        checks = [float(value) for value in derivation.checks.values()]
        np.testing.assert_allclose(checks, derivation.value, rtol=1e-5, atol=1e-9)
