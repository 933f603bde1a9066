"""The conformance suites pass what is right and catch what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from trasluz import layers, ops, optimizers
from trasluz.tape import Primitive
from trasluz.testing import check_layer, check_optimizer


@pytest.mark.parametrize("name", optimizers.registry.names())
def test_every_optimizer_conforms(name):
    check_optimizer(lambda: optimizers.get(name))


def test_a_wrong_derivative_is_caught(monkeypatch):
    monkeypatch.setattr(ops.PRIMITIVES["tanh"], "rules", (lambda y, x: 1 - y,))
    with pytest.raises(AssertionError, match="central difference"):
        check_layer(layers.Dense(3, "tanh"), np.linspace(-1, 1, 8).reshape(2, 4))


def test_a_wrong_second_derivative_is_caught():
    slope = Primitive("slope", np.cos, "", (lambda y, x: 0 * x,), "elementwise")
    wave = Primitive("wave", np.sin, "", (lambda y, x: slope(x),), "elementwise")

    class Wave(layers.Layer):
        def call(self, x):
            return wave(x)

    x = np.linspace(-1, 1, 8).reshape(2, 4)
    with pytest.raises(AssertionError, match="second derivative"):
        check_layer(Wave(), x)


def test_a_config_that_loses_something_is_caught():
    class Loses(layers.Layer):
        def __init__(self, factor=2.0, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor * 2

        def call(self, x):
            return x * self.factor

        def get_config(self):
            return {**super().get_config(), "factor": self.factor}

    with pytest.raises(AssertionError, match="config"):
        check_layer(Loses(3.0), np.ones((2, 2)))


def test_an_optimizer_that_climbs_is_caught():
    class Climbs(optimizers.SGD):
        def step(self, g, s, t, lr, p):
            return p + lr * g, s

    with pytest.raises(AssertionError, match="up to"):
        check_optimizer(lambda: Climbs(0.1))
