"""Derivations of layers for pictures, sequences and attention: as a textbook tells them."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation import evaluate
from trasluz import Input, Model, Sequential, config, layers, utils
from trasluz.base.messages import LANGUAGES
from trasluz.pages.text import plain


@pytest.fixture(autouse=True)
def _double():
    config.set_floatx("float64")
    yield
    config.set_floatx("float32")


def model_of(*several, loss="mse"):
    utils.set_random_seed(1)
    model = Sequential(list(several))
    model.compile("sgd", loss)
    return model


def told(d):
    """Check what holds for every derivation, and give its steps in text by name."""
    derived, backward, difference = d.checks.values()
    assert derived == pytest.approx(backward, rel=1e-9, abs=1e-12)
    assert derived == pytest.approx(difference, rel=1e-5, abs=1e-8)
    values = {}
    for step in d.steps():
        known = values.setdefault(step.symbol, step.value)
        assert np.allclose(known, step.value, rtol=1e-9, atol=1e-12), step.line()
        assert "\\" not in plain(step.line()), step.formula
    for lang in LANGUAGES:
        d.lang = lang
        for page in (d.text(), d.html(), d.latex(), d.markdown()):
            assert "explain-" not in page
    d.lang = "en"
    return {plain(step.symbol): plain(step.line()) for step in d.steps()}


def printed(d):
    """Check that the numbers that are printed give each value, to 12 digits."""
    for step in d.steps():
        if np.ndim(step.value) == 0:
            again = evaluate(step.numbers)
            assert again == pytest.approx(step.value, rel=1e-9, abs=1e-9), step.line()


SERIES = np.array([[[0.5], [-1.0], [0.25]]])


def test_the_gates_of_an_lstm_have_their_names():
    model = model_of(Input((3, 1)), layers.LSTM(2, name="lstm"), layers.Dense(1))
    d = model.explain(SERIES, [[1.0]], "lstm/kernel", (0, 2), 12)
    printed(d)
    d = model.explain(SERIES, [[1.0]], "lstm/kernel", (0, 2), lang="en")
    lines = told(d)
    for gate in "ifog":
        function = "tanh" if gate == "g" else "σ"
        bar = f"{gate}\u0304" if gate in "f" else {"i": "ī", "o": "ō", "g": "ḡ"}[gate]
        assert f"{gate}⁽¹⁾ᵗ⁼²₁ = {function}({bar}⁽¹⁾ᵗ⁼²₁)" in lines[f"{gate}⁽¹⁾ᵗ⁼²₁"]
    assert "= f⁽¹⁾ᵗ⁼²₁ c⁽¹⁾ᵗ⁼¹₁ + i⁽¹⁾ᵗ⁼²₁ g⁽¹⁾ᵗ⁼²₁ =" in lines["c⁽¹⁾ᵗ⁼²₁"]
    assert "= o⁽¹⁾ᵗ⁼²₁ tanh(c⁽¹⁾ᵗ⁼²₁) =" in lines["h⁽¹⁾ᵗ⁼²₁"]
    assert list(lines)[-1] == "∂E/∂w⁽¹⁾₁,₃"
    kept = lines["∂c⁽¹⁾ᵗ⁼³₁/∂c⁽¹⁾ᵗ⁼¹₁"]
    assert kept.startswith("∂c⁽¹⁾ᵗ⁼³₁/∂c⁽¹⁾ᵗ⁼¹₁ = f⁽¹⁾ᵗ⁼³₁ f⁽¹⁾ᵗ⁼²₁ = 0.76158 · 0.57644 = 0.439")
    step = next(s for s in d.steps() if plain(s.symbol).startswith("∂c⁽¹⁾ᵗ⁼³₁/"))
    assert step.remark.startswith("so much of c⁽¹⁾ᵗ⁼¹₁ is left in c⁽¹⁾ᵗ⁼³₁")
    assert max(map(len, lines.values())) < 450  # they were 3,000 where gates had no names


def test_the_gates_of_a_gru_have_their_names():
    for how in ({}, {"reset_after": False}):
        model = model_of(Input((3, 1)), layers.GRU(2, name="gru", **how), layers.Dense(1))
        d = model.explain(SERIES, [[1.0]], "gru/kernel", (0, 0), lang="en")
        lines = told(d)
        state = "= z⁽¹⁾ᵗ⁼²₁ h⁽¹⁾ᵗ⁼¹₁ + (1 - z⁽¹⁾ᵗ⁼²₁) n⁽¹⁾ᵗ⁼²₁ ="
        assert state in lines["h⁽¹⁾ᵗ⁼²₁"]
        assert "= tanh(n̄⁽¹⁾ᵗ⁼²₁) =" in lines["n⁽¹⁾ᵗ⁼²₁"]
        assert "= z⁽¹⁾ᵗ⁼³₁ z⁽¹⁾ᵗ⁼²₁ =" in lines["∂h⁽¹⁾ᵗ⁼³₁/∂h⁽¹⁾ᵗ⁼¹₁"]


def test_a_gate_can_be_asked_for():
    model = model_of(Input((3, 1)), layers.LSTM(2, name="lstm"), layers.Dense(1))
    d = model.explain(SERIES, [[1.0]], "lstm/forget gate", 1)
    assert list(told(d))[-1] == "∂E/∂f⁽¹⁾ᵗ⁼³₂"
    d = model.explain(SERIES, [[1.0]], "lstm", 0, names="keras")
    assert any("lstm/t=1/input_gate[0]" in line for line in told(d))
