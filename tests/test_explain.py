"""Derivations: right for any small network, and read off the rules themselves."""

from __future__ import annotations

import json

import numpy as np
import pytest

from trasluz import Input, Model, Sequential, config, layers, ops, optimizers, utils
from trasluz.errors import UserError
from trasluz.explain import explain
from trasluz.explain.plain import plain

ACTIVATIONS = ("sigmoid", "tanh", "relu", "softplus", "elu", "gelu", "silu", "leaky_relu", None)
LOSSES = {
    "mse": "numbers",
    "half_squared_error": "numbers",
    "sum_of_squared_residuals": "numbers",
    "mae": "numbers",
    "huber": "numbers",
    "log_cosh": "numbers",
    "hinge": "signs",
    "squared_hinge": "signs",
    "categorical_crossentropy": "one_hot",
    "sparse_categorical_crossentropy": "labels",
    "binary_crossentropy": "truths",
    "kl_divergence": "probabilities",
}


@pytest.fixture(autouse=True)
def wide():
    config.set_floatx("float64")
    yield
    config.set_floatx("float32")


def targets(kind, n, k, generator):
    numbers = generator.normal(size=(n, k))
    labels = generator.integers(0, k, n)
    shares = np.abs(numbers) + 0.1
    return {
        "numbers": numbers,
        "signs": np.sign(numbers),
        "one_hot": np.eye(k)[labels],
        "labels": labels,
        "truths": (numbers > 0).astype(float),
        "probabilities": shares / shares.sum(1, keepdims=True),
    }[kind]


def network(seed):
    """Draw a network, a loss, some rows and a place in its parameters."""
    generator = np.random.default_rng(seed)
    pick = lambda *options: options[generator.integers(len(options))]  # noqa: E731
    utils.set_random_seed(seed)
    width, k, n = pick(1, 2, 3), pick(2, 3), pick(1, 2, 3)
    loss = pick(*LOSSES)
    inputs = h = Input((width,))
    for _ in range(pick(1, 1, 2, 3)):
        units = pick(2, 3)
        penalty = pick(None, "l2")
        how = {"bias_initializer": "normal", "kernel_regularizer": penalty}  # no sum is exactly 0
        new = layers.Dense(units, pick(*ACTIVATIONS), **how)(h)
        new = layers.BatchNormalization()(new) if generator.random() < 0.2 else new
        new = layers.Dropout(0.3)(new) if generator.random() < 0.2 else new
        new = layers.LayerNormalization()(new) if generator.random() < 0.15 else new
        h = layers.Add()([h, new]) if h.shape == new.shape and generator.random() < 0.6 else new
    last = {"one_hot": "softmax", "labels": "softmax", "truths": "sigmoid"}.get(LOSSES[loss])
    last = "softmax" if LOSSES[loss] == "probabilities" else last
    model = Model(inputs, layers.Dense(k, last)(h))
    model.compile("sgd", loss)
    x = generator.normal(size=(n, width)) + 0.05
    y = targets(LOSSES[loss], n, k, generator)
    path = pick(*[v.path for v in model.trainable_weights])
    shape = next(v.shape for v in model.weights if v.path == path)
    return model, x, y, path, tuple(int(generator.integers(m)) for m in shape)


@pytest.mark.parametrize("seed", range(200))
def test_any_network(seed):
    model, x, y, path, at = network(seed)
    d = explain(model, x, y, path, at, training=bool(seed % 2))
    derived, backward, difference = d.checks.values()
    assert derived == pytest.approx(backward, rel=1e-9, abs=1e-12)
    assert derived == pytest.approx(difference, rel=1e-5, abs=1e-7)
    for step in d.steps():
        assert d.line(step).count("{") == d.line(step).count("}")
        assert "\\" not in plain(d.line(step)), step.formula


@pytest.fixture
def unam():
    """The 2-2-2 network of the course."""
    model = Sequential([Input((2,)), layers.Dense(2, "sigmoid"), layers.Dense(2, "sigmoid")])
    model.compile("sgd", "half_squared_error")
    first, second = np.array([[0.1, 0.2], [0.3, 0.4]]), np.array([[0.5, 0.7], [0.6, 0.8]])
    model.set_weights([first, np.full(2, 0.25), second, np.full(2, 0.35)])
    return model, np.array([[0.1, 0.5]]), np.array([[0.05, 0.95]])


def test_every_number_of_the_course(unam):
    right = {
        ("dense_1/kernel", (0, 0)): 0.08020312,
        ("dense_1/kernel", (1, 0)): 0.08211062,
        ("dense_1/kernel", (0, 1)): -0.01760653,
        ("dense_1/kernel", (1, 1)): -0.01802527,
        ("dense/kernel", (0, 0)): 0.00110806,
        ("dense/kernel", (0, 1)): 0.00134024,
        ("dense/kernel", (1, 0)): 0.00554029,
        ("dense/kernel", (1, 1)): 0.00670120,
    }
    for (path, at), value in right.items():
        assert explain(*unam, path, at).value == pytest.approx(value, abs=5e-9)


def test_reads_as_the_course_does(unam):
    d = explain(*unam, "dense/kernel", (0, 0))
    lines = d.text().splitlines()
    assert (
        lines[1]
        == "  z⁽¹⁾₁ = x₁ w⁽¹⁾₁,₁ + x₂ w⁽¹⁾₂,₁ + b⁽¹⁾₁ = 0.1 · 0.1 + 0.5 · 0.3 + 0.25 = 0.41"
    )
    assert lines[-2] == "  ∂E/∂w⁽¹⁾₁,₁ = x₁ ∂E/∂z⁽¹⁾₁ = 0.1 · 0.011081 = 0.0011081"
    assert lines[-1].startswith("derived: 0.00110805795998, backward: 0.00110805795998, central")
    (delta,) = (s for s in d.steps() if s.symbol == r"\frac{\partial E}{\partial z^{(2)}_{1}}")
    assert delta.formula == (
        r"\frac{\partial E}{\partial \hat{y}_{1}}\,\hat{y}_{1}\,\left(1 - \hat{y}_{1}\right)"
    )
    assert delta.value == pytest.approx(0.13342995, abs=5e-9)
    symbols = [step.symbol for step in d.steps()]
    assert len(symbols) == len(set(symbols))


def test_from_the_model(unam):
    model, x, y = unam
    assert str(model.explain(x, y, "dense/bias", 1)) == str(explain(*unam, "dense/bias", (1,)))
    apart = model.check_gradients(x, y)
    assert set(apart) == {v.path for v in model.weights}
    assert list(apart.values()) == sorted(apart.values(), reverse=True)
    assert max(apart.values()) < 1e-7


def test_a_wrong_rule_is_caught(unam, monkeypatch):
    model, x, y = unam
    monkeypatch.setattr(ops.ROWS["sigmoid"], "rules", (lambda y, x: y * (1.1 - y),))
    assert max(model.check_gradients(x, y).values()) > 0.01


def test_training_mode_repeats_the_step(unam):
    """Dropout is explained with the mask of the step that comes next."""
    utils.set_random_seed(3)
    model = Sequential([Input((2,)), layers.Dropout(0.5), layers.Dense(2), layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = unam[1], np.array([[1.0]])
    before = model.get_weights()
    derived = model.explain(x, y, "dense/kernel", (0, 0), training=True).value
    model.train_on_batch(x, y)
    moved = (before[0] - model.get_weights()[0]) / 0.01
    assert derived == pytest.approx(moved[0, 0], rel=1e-9)


UPDATES = {
    "sgd": optimizers.SGD(0.6),
    "momentum": optimizers.SGD(0.6, momentum=0.9),
    "nesterov": optimizers.SGD(0.6, momentum=0.9, nesterov=True),
    "rmsprop": optimizers.RMSprop(0.1, centered=True),
    "adagrad": optimizers.Adagrad(0.1),
    "adadelta": optimizers.Adadelta(0.1),
    "adam": optimizers.Adam(0.1, amsgrad=True),
    "adamw": optimizers.AdamW(0.1, weight_decay=0.01),
    "adamax": optimizers.Adamax(0.1),
    "nadam": optimizers.Nadam(0.1),
    "lion": optimizers.Lion(0.1),
    "clipvalue": optimizers.SGD(0.1, clipvalue=0.01),
    "clipnorm": optimizers.SGD(0.1, clipnorm=0.01),
    "global_clipnorm": optimizers.SGD(0.1, global_clipnorm=0.01),
}


@pytest.mark.parametrize("name", UPDATES)
def test_updates_are_those_of_training(unam, name):
    """The third update, spelled before it happens, is what training then does."""
    model, x, y = unam
    model.compile(UPDATES[name], "half_squared_error")
    for _ in range(2):
        model.train_on_batch(x, y)
    d = model.explain(x, y, "dense_1/kernel", (0, 1), update=True)
    model.train_on_batch(x, y)
    assert d.value == pytest.approx(model.get_weights()[2][0, 1], rel=1e-12)
    assert "\\" not in d.text()
    assert d.text().splitlines()[-2].startswith("  w⁽²⁾₁,₂′ = w⁽²⁾₁,₂")


def test_an_update_by_hand(unam):
    model, x, y = unam
    model.compile(optimizers.SGD(0.6), "half_squared_error")
    d = model.explain(x, y, "dense_1/kernel", (0, 0), update=True)
    assert d.value == pytest.approx(0.45187813, abs=5e-9)
    assert d.formula == (r"w^{(2)}_{1,1} - 0.6 \cdot \frac{\partial E}{\partial w^{(2)}_{1,1}}")
    assert d.numbers == r"0.5 - 0.6 \cdot 0.080203"


def test_json_is_exact(unam):
    d = explain(*unam, "dense_1/kernel", (1, 0))
    tree = json.loads(d.json())
    assert tree["value"] == d.value
    assert tree["checks"]["backward"] == pytest.approx(tree["value"], rel=1e-12)
    assert tree["children"][0]["kind"] in ("forward", "backward")
    assert d.latex().startswith(r"\begin{align*}")
    assert "**dense_1**" in d.markdown()


def test_an_altered_rule_alters_the_derivation(unam, monkeypatch):
    monkeypatch.setattr(ops.ROWS["sigmoid"], "rules", (lambda y, x: y * (3 - y),))
    d = explain(*unam, "dense/kernel", (0, 0))
    assert "3 - a⁽¹⁾₁" in d.text()
    assert d.checks["derived"] == pytest.approx(d.checks["backward"])
    assert d.checks["derived"] != pytest.approx(d.checks["central difference"], rel=1e-2)


@pytest.mark.parametrize(
    ("wrt", "at", "message"),
    [
        ("dense/kernl", (0, 0), "did you mean 'dense/kernel'"),
        ("dense/kernel", (2, 0), r"shape \(2, 2\) has no entry \(2, 0\)"),
        ("dense/kernel", (0,), "has no entry"),
    ],
)
def test_mistakes(unam, wrt, at, message):
    with pytest.raises(UserError, match=message):
        explain(*unam, wrt, at)


def test_what_is_too_large_or_recurrent_is_said():
    model = Sequential([Input((100,)), layers.Dense(300), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(UserError, match="can be spelled"):
        explain(model, np.ones((1, 100)), np.ones((1, 1)), "dense/kernel", (0, 0))
    model = Sequential([Input((3, 2)), layers.SimpleRNN(2), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(UserError, match="recurrent"):
        explain(model, np.ones((1, 3, 2)), np.ones((1, 1)), "dense/kernel", (0, 0))
