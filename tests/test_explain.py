"""Derivations: right for any small network, and read off the rules themselves."""

from __future__ import annotations

import json
import re
import time

import numpy as np
import pytest

from evaluation import evaluate
from trasluz import (
    Input,
    Model,
    Sequential,
    activations,
    config,
    layers,
    losses,
    ops,
    optimizers,
    utils,
)
from trasluz.errors import UserError
from trasluz.explain import explain
from trasluz.explain.names import SCHEMES
from trasluz.explain.reading import Reading
from trasluz.pages.text import plain

LOSSES = {
    "mse": "numbers",
    "half_squared_error": "numbers",
    "sum_of_squared_residuals": "numbers",
    "mae": "numbers",
    "mape": "numbers",
    "msle": "positive",
    "huber": "numbers",
    "log_cosh": "numbers",
    "cosine_similarity": "numbers",
    "hinge": "signs",
    "squared_hinge": "signs",
    "categorical_hinge": "one_hot",
    "categorical_crossentropy": "one_hot",
    "categorical_focal_crossentropy": "one_hot",
    "sparse_categorical_crossentropy": "labels",
    "binary_crossentropy": "truths",
    "binary_focal_crossentropy": "truths",
    "kl_divergence": "probabilities",
    "poisson": "positive",
    "perceptron": "signs",
}
SOFT = {
    "labels": "softmax", "truths": "sigmoid", "probabilities": "softmax", "positive": "softplus",
}  # fmt: skip
ACTIVATIONS = (
    None, "sigmoid", "tanh", "relu", "softplus", "elu", "gelu", "silu", "leaky_relu", "selu",
    "mish", "softsign", "hard_sigmoid", "exponential", "relu6", "softmax", "log_softmax",
)  # fmt: skip
UNDRAWN = {"linear", "sign", "swish"}  # as None, without a slope, silu by another name
OPTIMIZERS = {
    "sgd": {}, "momentum": {"momentum": 0.9}, "nesterov": {"momentum": 0.9, "nesterov": True},
    "rmsprop": {"centered": True, "momentum": 0.5}, "adagrad": {}, "adadelta": {},
    "adam": {"amsgrad": True}, "adamw": {"clipnorm": 0.01}, "adamax": {"clipvalue": 0.01},
    "nadam": {}, "lion": {"global_clipnorm": 0.1}, "ftrl": {}, "lamb": {}, "adafactor": {},
}  # fmt: skip


@pytest.fixture(autouse=True)
def wide():
    config.set_floatx("float64")
    yield
    config.set_floatx("float32")


def test_the_tables_have_all_that_can_be_drawn():
    named = {losses.resolve(name).name for name in losses.registry.names()}
    missing = {
        "LOSSES": named - {losses.resolve(name).name for name in LOSSES},
        "ACTIVATIONS": {*activations.registry.names()} - {*ACTIVATIONS} - UNDRAWN,
        "OPTIMIZERS": {*optimizers.registry.names()} - {*OPTIMIZERS},
    }
    assert not any(missing.values()), f"append to the tables of tests/test_explain.py: {missing}"


def optimizer(pick):
    """Draw an optimizer, sometimes with a schedule or averages."""
    name = pick(*OPTIMIZERS)
    known = {"momentum": "sgd", "nesterov": "sgd"}
    rate = pick(0.01, optimizers.schedules.ExponentialDecay(0.1, 10, 0.9))
    how = {"use_ema": True} if pick(False, False, True) else {}
    return optimizers.get(
        {
            "class_name": known.get(name, name),
            "config": {"learning_rate": rate, **OPTIMIZERS[name], **how},
        }
    )


def targets(kind, n, k, generator):
    numbers = generator.normal(size=(n, k))
    labels = generator.integers(0, k, n)
    shares = np.abs(numbers) + 0.1
    return {
        "numbers": numbers,
        "positive": np.abs(numbers),
        "signs": np.sign(numbers),
        "one_hot": np.eye(k)[labels],
        "labels": labels,
        "truths": (numbers > 0).astype(float),
        "probabilities": shares / shares.sum(1, keepdims=True),
    }[kind]


def network(seed):
    """Draw a network, a loss, an optimizer, some rows and a place in the parameters."""
    generator = np.random.default_rng(seed)
    pick = lambda *options: options[generator.integers(len(options))]  # noqa: E731
    utils.set_random_seed(seed)
    width, k, n = pick(1, 2, 3, 14), pick(2, 3), pick(1, 1, 2, 3, 8)
    loss = pick(*LOSSES)
    inputs = h = Input((width,))
    for _ in range(pick(1, 2, 3, 4, 5)):
        units = pick(2, 3, 3, 13)
        penalty = pick(None, "l2", "l1", "l1_l2")
        how = {"bias_initializer": "normal", "kernel_regularizer": penalty}  # no sum is exactly 0
        new = layers.Dense(units, pick(*ACTIVATIONS), **how)(h)
        new = layers.BatchNormalization()(new) if generator.random() < 0.2 else new
        new = layers.Dropout(0.3)(new) if generator.random() < 0.2 else new
        new = layers.LayerNormalization()(new) if generator.random() < 0.15 else new
        h = layers.Add()([h, new]) if h.shape == new.shape and generator.random() < 0.6 else new
    last = "softmax" if loss.startswith("categorical_c") else SOFT.get(LOSSES[loss])
    model = Model(inputs, layers.Dense(k, last)(h))
    model.compile(optimizer(pick), loss)
    x = generator.normal(size=(n, width)) + 0.05
    y = targets(LOSSES[loss], n, k, generator)
    path = pick(*[v.path for v in model.trainable_weights])
    shape = next(v.shape for v in model.weights if v.path == path)
    return model, x, y, path, tuple(int(generator.integers(m)) for m in shape)


@pytest.mark.parametrize("seed", range(240))
def test_any_network(seed):
    model, x, y, path, at = network(seed)
    training = bool(seed % 2)
    d = model.explain(
        x, y, path, at, 12, training=training, update=True,
        names=list(SCHEMES)[seed % len(SCHEMES)], depth="op" if seed % 5 == 0 else "layer",
    )  # fmt: skip
    derived, backward, difference = d.checks.values()
    assert derived == pytest.approx(backward, rel=1e-9, abs=1e-12)
    assert derived == pytest.approx(difference, rel=1e-5, abs=1e-6)
    numbers = [step.number for step in d.steps()]
    assert numbers == list(range(1, len(numbers) + 1))
    for step in d.steps():
        for earlier in step.children + step.reused:
            assert earlier.number < step.number, (earlier.line(), step.line())
        again, largest = evaluate(step.numbers), max(map(abs, printed(step.numbers)), default=1)
        assert again == pytest.approx(step.value, rel=1e-9, abs=1e-9 * max(1, largest)), step.line()
        assert "\\" not in plain(step.line()), step.formula
    told = {}
    for step in d.steps():
        same = told.setdefault(step.symbol, step.value)
        assert np.allclose(same, step.value, rtol=1e-9, atol=1e-12), step.line()
    whole = model.explain(x, y, path, training=training)
    np.testing.assert_allclose(whole.value[at], derived, rtol=1e-9, atol=1e-12)
    agree(whole)
    expected = new_value(model, x, y, path, training)[at]
    assert d.value == pytest.approx(expected, rel=1e-9, abs=1e-12)


def printed(latex):
    """List the numbers in a formula."""
    return [float(n) for n in re.findall(r"(?<![\w.])\d+\.\d+", latex)]


def new_value(model, x, y, path, training):
    """Give a parameter after one step of the optimizer on the numbers."""
    reading = Reading(model, x, y, training)
    slots = model.optimizer.init(reading.params)
    gradient = {p: g for p, g in reading.gradient().items() if p in reading.params}
    new, _ = model.optimizer.update(gradient, slots, reading.params, 0)
    return new[path]


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
    d = explain(*unam, "dense/kernel", (0, 0), names="course")
    lines = [plain(step.line()) for step in d.steps()]
    assert lines[0] == "sum_(n₁) = x₁ w₁ + x₂ w₃ + b₁ = 0.1 · 0.1 + 0.5 · 0.3 + 0.25 = 0.41"
    assert "E₁ = 0.5 · (t₁ - ŷ₁)² = 0.5 · (0.05 - 0.73493)² = 0.23456" in lines
    chain = next(s for s in d.steps() if s.kind == "chain")
    factors = [s.symbol for s in chain.children]
    assert [plain(symbol) for symbol in factors] == [
        "∂E₁/∂ŷ₁", "∂ŷ₁/∂sum_(ŷ₁)", "∂sum_(ŷ₁)/∂n₁", "∂n₁/∂sum_(n₁)", "∂sum_(n₁)/∂w₁",
    ]  # fmt: skip
    assert chain.formula == r"\,".join(rf"\boxed{{{symbol}}}" for symbol in factors)
    assert plain(chain.numbers) == "0.68493 · 0.19481 · 0.5 · 0.23978 · 0.1"
    other = next(s for s in d.steps() if s.kind == "chain" and s is not chain)
    assert [plain(s.symbol) for s in other.reused] == ["∂n₁/∂sum_(n₁)", "∂sum_(n₁)/∂w₁"]
    assert lines[-1] == "∂E/∂w₁ = ∂E₁/∂w₁ + ∂E₂/∂w₁ = 0.0015997 + (-0.00049164) = 0.0011081"
    symbols = [step.symbol for step in d.steps()]
    assert len(symbols) == len(set(symbols))


def test_the_course_counts_weights_as_it_does(unam):
    places = {5: (0, 0), 6: (1, 0), 7: (0, 1), 8: (1, 1)}
    for number, at in places.items():
        d = explain(*unam, "dense_1/kernel", at, names="course")
        assert d.symbol == rf"\frac{{\partial E}}{{\partial w_{{{number}}}}}"


def test_from_the_model(unam):
    model, x, y = unam
    assert str(model.explain(x, y, "dense/bias", 1)) == str(explain(*unam, "dense/bias", (1,)))
    apart = model.check_gradients(x, y)
    assert set(apart) == {v.path for v in model.weights}
    assert list(apart.values()) == sorted(apart.values(), reverse=True)
    assert max(apart.values()) < 1e-7


def test_a_wrong_rule_is_caught(unam, monkeypatch):
    model, x, y = unam
    monkeypatch.setattr(ops.PRIMITIVES["sigmoid"], "rules", (lambda y, x: y * (1.1 - y),))
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
    assert plain(d.line()).startswith("w⁽²⁾₁,₂′ = w")


def test_an_update_by_hand(unam):
    model, x, y = unam
    model.compile(optimizers.SGD(0.6), "half_squared_error")
    d = model.explain(x, y, "dense_1/kernel", (0, 0), update=True)
    assert d.value == pytest.approx(0.45187813, abs=5e-9)
    assert d.formula == r"w^{(2)}_{1,1} - \eta\,\frac{\partial E}{\partial w^{(2)}_{1,1}}"
    assert d.numbers == r"0.5 - 0.6 \cdot 0.080203"


def test_json_is_exact(unam):
    d = explain(*unam, "dense_1/kernel", (1, 0))
    tree = json.loads(d.json())
    assert tree["value"] == d.value
    assert tree["checks"]["backward"] == pytest.approx(tree["value"], rel=1e-12)
    assert (tree["format"], tree["lang"]) == (1, "en")
    assert tree["checks"]["derived"] == d.checks["derived"]
    known = ["number", "symbol", "formula", "numbers", "value", "kind", "where", "note"]
    for number, (step, one) in enumerate(zip(tree["steps"], d.steps(), strict=True), 1):
        assert list(step) == [*known, "children", "reused"]
        assert step["number"] == number
        assert step["value"] == one.value
        assert all(earlier < number for earlier in step["children"] + step["reused"])


def test_an_altered_rule_alters_the_derivation(unam, monkeypatch):
    monkeypatch.setattr(ops.PRIMITIVES["sigmoid"], "rules", (lambda y, x: y * (3 - y),))
    d = explain(*unam, "dense/kernel", (0, 0))
    assert "3 - a⁽¹⁾₁" in d.text()
    assert d.checks["derived"] == pytest.approx(d.checks["backward"])
    assert d.checks["derived"] != pytest.approx(d.checks["central difference"], rel=1e-2)


@pytest.mark.parametrize(
    ("wrt", "at", "message"),
    [
        ("dense/kernl", (0, 0), "did you mean “dense/kernel”"),
        ("dense/kernel", (2, 0), r"shape \(2, 2\) has no entry \(2, 0\)"),
        ("dense/kernel", (0,), "has no entry"),
        ("x", 2, r"shape \(1, 2\) has no entry \(0, 2\)"),
        ("dense", (3, 0), "has no entry"),
    ],
)
def test_mistakes(unam, wrt, at, message):
    with pytest.raises(UserError, match=message):
        explain(*unam, wrt, at)


def test_mistakes_in_how(unam):
    with pytest.raises(UserError, match="way of naming"):
        explain(*unam, "dense/kernel", (0, 0), names="latin")
    with pytest.raises(UserError, match="'layer' or 'op'"):
        explain(*unam, "dense/kernel", (0, 0), depth="atom")
    with pytest.raises(UserError, match="no optimizer moves it"):
        explain(*unam, "x", 0, update=True)
    with pytest.raises(UserError, match="language"):
        explain(*unam, "dense/kernel", (0, 0), lang="de").text()


def agree(d):
    derived, backward, difference = d.checks.values()
    assert derived == pytest.approx(backward, rel=1e-9, abs=1e-12)
    assert derived == pytest.approx(difference, rel=1e-5, abs=1e-8)
    return [plain(step.line()) for step in d.steps()]


def test_inputs_and_activations(unam):
    model, x, y = unam
    lines = agree(explain(*unam, "x", 1))
    assert lines[-1].startswith("∂E/∂x₂ = ∂E₁/∂x₂ + ∂E₂/∂x₂")
    lines = agree(explain(*unam, "dense", 0))
    assert lines[-1].startswith("∂E/∂a⁽¹⁾₁ =")
    assert agree(explain(*unam, "dense/sum", 1))[-1].startswith("∂E/∂z⁽¹⁾₂ =")
    assert agree(explain(*unam, "dense_1", 1))[-1].startswith("∂E/∂ŷ₂ =")
    two, targets = np.vstack([x, x * 2]), np.vstack([y, y])
    agree(explain(model, two, targets, "dense", (1, 0)))
    with pytest.raises(UserError, match="has no entry"):
        explain(model, two, targets, "dense", 0)


def test_rows_are_averaged(unam):
    model, x, y = unam
    d = explain(model, np.vstack([x, x * 2, -x]), np.vstack([y, y, y]), "dense/kernel", (0, 1))
    lines = agree(d)
    assert lines[-1].startswith(
        "∂E/∂w⁽¹⁾₁,₂ = (∂E^([1])/∂w⁽¹⁾₁,₂ + ∂E^([2])/∂w⁽¹⁾₁,₂ + ∂E^([3])/∂w⁽¹⁾₁,₂)/3 = ("
    )


def test_penalties_are_a_part_of_their_own():
    utils.set_random_seed(0)
    model = Sequential([Input((2,)), layers.Dense(1, kernel_regularizer="l2", name="only")])
    model.compile("sgd", "mse")
    lines = agree(explain(model, [[0.5, -1.0]], [[2.0]], "only/kernel", (0, 0)))
    assert "E = L + R⁽¹⁾" in " ".join(lines)
    assert lines[-1].startswith("∂E/∂w⁽¹⁾₁,₁ = ∂L/∂w⁽¹⁾₁,₁ + ∂R⁽¹⁾/∂w⁽¹⁾₁,₁ = ")


def test_softmax_the_long_way_and_the_short_way():
    utils.set_random_seed(0)
    model = Sequential([Input((2,)), layers.Dense(3, "softmax", bias_initializer="normal")])
    model.compile("sgd", "categorical_crossentropy")
    d = explain(model, [[0.5, -1.0]], [[0.0, 1.0, 0.0]], "dense/kernel", (0, 2))
    text = "\n".join(agree(d))
    assert "∂E/∂z⁽¹⁾₃ = (t₁ + t₂ + t₃) ŷ₃ - t₃ = " in text
    assert "∂ŷ₃/∂z⁽¹⁾₃ = ŷ₃ (1 - ŷ₃) = " in text
    assert "∂ŷ₂/∂z⁽¹⁾₃ = -ŷ₂ ŷ₃ = " in text
    assert "∂E/∂ŷ₂ = -t₂/ŷ₂ = " in text
    assert "∂E/∂z⁽¹⁾₃ = ŷ₃ - t₃ = " in text
    same = [s.value for s in d.steps() if plain(s.symbol) == "∂E/∂z⁽¹⁾₃"]
    assert len(same) == 3
    assert same == pytest.approx([same[0]] * 3, rel=1e-12)
    jacobian = next(s for s in d.steps() if np.ndim(s.value) == 2)
    p = np.array(model.predict([[0.5, -1.0]], verbose=0))[0]
    np.testing.assert_allclose(jacobian.value, np.diag(p) - np.outer(p, p), atol=1e-12)


def test_sigmoid_the_long_way_and_the_short_way():
    utils.set_random_seed(0)
    model = Sequential([Input((2,)), layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    text = "\n".join(agree(explain(model, [[0.5, -1.0]], [[1.0]], "dense/kernel", (0, 0))))
    assert "∂ŷ₁/∂z⁽¹⁾₁ = ŷ₁ (1 - ŷ₁)" in text
    assert "∂E/∂z⁽¹⁾₁ = ŷ₁ - t₁" in text


def test_a_large_network_is_folded():
    config.set_floatx("float32")
    utils.set_random_seed(0)
    widths = (512, "relu"), (256, "relu"), (10, "softmax")
    model = Sequential([Input((784,)), *[layers.Dense(*w) for w in widths]])
    model.compile("adam", "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).random((32, 784)).astype("float32")
    y = np.arange(32) % 10
    model.explain(x[:1], y[:1], "dense/kernel", (400, 3))
    begun = time.perf_counter()
    d = model.explain(x, y, "dense/kernel", (400, 3), update=True)
    text = d.text()
    assert time.perf_counter() - begun < 3  # a tenth of that where nothing else runs
    assert len(list(d.steps())) < 400
    assert "x₅,₄₀₁ w⁽¹⁾₄₀₁,₄" in text  # the weight itself is never left out
    derived, backward, difference = d.checks.values()
    assert derived == pytest.approx(backward, rel=1e-9)
    assert derived == pytest.approx(difference, rel=1e-3)
    folded = next(s for s in d.steps() if "underbrace" in s.formula)
    assert folded.value == pytest.approx(float(folded.evaluated({})), rel=1e-9)


def test_pages_stay_short():
    """Neither many classes, nor depth, nor statistics of many rows make a page too long to read."""
    utils.set_random_seed(0)
    many = Sequential([Input((3,)), layers.Dense(1000, "softmax")])
    many.compile("sgd", "sparse_categorical_crossentropy")
    d = many.explain(np.ones((1, 3)), [7], "dense/kernel", (0, 7))
    agree(d)
    assert len(list(d.steps())) < 60
    deep = Sequential([Input((2,)), *[layers.Dense(2, "tanh") for _ in range(250)]])
    deep.compile("sgd", "mse")
    d = deep.explain([[0.5, -0.5]], [[1.0, 0.0]], "dense/kernel", (0, 0))
    assert len(json.loads(d.json())["steps"]) < 3000
    wide = Sequential([Input((12,))])
    for _ in range(3):
        wide.add(layers.Dense(12, "tanh"))
        wide.add(layers.BatchNormalization())
    wide.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(12, 12))
    d = wide.explain(x, x, "dense/kernel", (0, 0), training=True)
    agree(d)
    assert len(list(d.steps())) < 600


class Doubling(layers.Layer):
    """A layer whose formula would double with each turn."""

    def call(self, x):
        for _ in range(12):
            x = x * x * 0.1 + x
        return x


def test_long_formulas_are_parted():
    model = Sequential([Input((2,)), layers.Dense(2), Doubling(), layers.Dense(1)])
    model.compile("sgd", "mse")
    d = model.explain([[0.5, -0.5]], [[1.0]], "dense/kernel", (0, 0))
    agree(d)
    assert max(len(step.line()) for step in d.steps()) < 20_000


def test_several_outputs_have_names_of_their_own():
    utils.set_random_seed(0)
    inputs = Input((2,))
    hidden = layers.Dense(2, "tanh", name="output_hidden")(inputs)
    outputs = [
        layers.Dense(2, name="one")(hidden),
        layers.Dense(3, "softmax", name="output")(hidden),
    ]
    model = Model(inputs, outputs)
    model.compile("sgd", ["mse", "categorical_crossentropy"], loss_weights=[1.0, 0.5])
    x, y = np.array([[0.3, -0.4], [0.1, 0.9]]), [np.ones((2, 2)), np.eye(3)[[0, 2]]]
    for some in (slice(0, 1), slice(0, 2)):
        d = model.explain(x[some], [t[some] for t in y], "output_hidden/kernel", (0, 1))
        agree(d)
        told = {}
        for step in d.steps():
            assert told.setdefault(step.symbol, step.value) == pytest.approx(step.value)


def test_the_size_of_a_page_does_not_grow_with_the_paths():
    """A network twice as deep has far more paths, and a page about twice as long."""
    lengths = []
    for depth in (4, 8):
        model = Sequential([Input((3,)), *[layers.Dense(20, "tanh") for _ in range(depth)]])
        model.add(layers.Dense(1))
        model.compile("sgd", "mse")
        lengths.append(len(list(model.explain(np.ones((1, 3)), [[1.0]], "dense", 0).steps())))
    assert lengths[1] < 3 * lengths[0]


def test_recurrence_through_time():
    utils.set_random_seed(1)
    model = Sequential([Input((3, 2)), layers.SimpleRNN(2, bias_initializer="normal")])
    model.add(layers.Dense(1))
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(2, 3, 2))
    for path in ("simple_rnn/recurrent_kernel", "simple_rnn/kernel"):
        lines = agree(model.explain(x, [[1.0], [0.0]], path, (0, 1), update=True))
        assert any(line.startswith("h") and "tanh" in line for line in lines)
    d = model.explain(x[:1], [[1.0]], "simple_rnn/recurrent_kernel", (0, 1))
    states = [s.symbol for s in d.steps() if s.symbol.startswith("h")]
    assert {s[s.index("t=") :][:3] for s in states} == {"t=1", "t=2", "t=3"}
    backwards = layers.SimpleRNN(2, go_backwards=True, name="backwards")
    reversed_rnn = Sequential([Input((3, 2)), backwards])
    reversed_rnn.compile("sgd", "mse")
    agree(reversed_rnn.explain(x, np.ones((2, 2)), "backwards/kernel", (0, 0)))


def test_embeddings_shared_weights_and_images():
    utils.set_random_seed(2)
    model = Sequential([Input((3,), dtype="int32"), layers.Embedding(5, 2), layers.Flatten()])
    model.add(layers.Dense(1, "tanh"))
    model.compile("sgd", "mse")
    words = np.array([[1, 4, 1]])
    lines = agree(model.explain(words, [[0.5]], "embedding/embeddings", (1, 0)))
    assert any("e⁽¹⁾₂,₁" in line for line in lines)
    with pytest.raises(UserError, match="has no derivative"):
        model.explain(words, [[0.5]], "x", (0, 0))
    shared = layers.Dense(2, "tanh", name="shared")
    inputs = Input((2,))
    twice = Model(inputs, layers.Dense(1)(shared(shared(inputs))))
    twice.compile("sgd", "mse")
    agree(twice.explain([[0.3, -0.4]], [[1.0]], "shared/kernel", (0, 1)))


def test_training_statistics_and_masks():
    utils.set_random_seed(3)
    model = Sequential([Input((2,)), layers.Dense(3, "tanh"), layers.BatchNormalization()])
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(1))
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(4, 2))
    d = model.explain(x, np.ones((4, 1)), "dense/kernel", (0, 1), training=True)
    lines = agree(d)
    assert any(
        line.startswith("μ⁽²⁾₁ = (a⁽¹⁾₁,₁ + a⁽¹⁾₂,₁ + a⁽¹⁾₃,₁ + a⁽¹⁾₄,₁)/4") for line in lines
    )
    assert any(line.startswith("a⁽³⁾") and "= 2 · a⁽²⁾" in line for line in lines)
    with pytest.raises(UserError, match="is not trained"):
        model.explain(x, np.ones((4, 1)), "batch_normalization/moving_mean", 0)


def test_what_has_no_derivative_is_said():
    model = Sequential([Input((2,)), layers.Dense(2, "sign"), layers.Dense(1)])
    model.compile("sgd", "mse")
    for at in ((0, 0), None):
        with pytest.raises(UserError, match="only through “sign”"):
            model.explain([[1.0, 2.0]], [[1.0]], "dense/kernel", at)


def test_where_a_number_stops_being_finite_is_said(unam):
    model, x, y = unam
    weights = model.get_weights()
    weights[2][0, 1] = np.nan
    model.set_weights(weights)
    with pytest.raises(UserError, match=r"dense_1.*nan comes first from “matmul”, at \(0, 1\)"):
        explain(model, x, y, "dense/kernel", (0, 0))


def test_the_matrix_form(unam):
    d = explain(*unam, "dense/kernel")
    lines = {step.symbol: step.formula for step in d.steps()}
    delta = r"\frac{\partial E}{\partial Z^{(1)}}"
    assert d.formula == r"X^{\top}\,\frac{\partial E}{\partial Z^{(1)}}"
    assert lines[r"\frac{\partial E}{\partial \hat{Y}}"] == r"-\left(T - \hat{Y}\right)"
    assert lines[delta] == (
        r"\frac{\partial E}{\partial A^{(1)}} \odot A^{(1)} \odot \left(1 - A^{(1)}\right)"
    )
    assert lines["Z^{(2)}"] == r"A^{(1)}\,W^{(2)} + \mathbf{b}^{(2)}"
    assert r"\left[1 \times 2\right]^{\top}\,\left[1 \times 2\right]" in d.line()
    np.testing.assert_allclose(
        d.value, [[0.00110806, 0.00134024], [0.00554029, 0.0067012]], atol=5e-9
    )
    agree(d)
    for wrt in ("dense/bias", "dense_1", "dense/sum", "x"):
        agree(explain(*unam, wrt))
    assert json.loads(explain(*unam, "dense/bias").json())["value"] == pytest.approx(
        [0.01108058, 0.0134024]
    )


def test_every_row_of_a_step(unam):
    d = explain(*unam, "dense/kernel", (0, 0), depth="op")
    lines = agree(d)
    assert "v⁽⁵⁾₁ = x₁ w⁽¹⁾₁,₁ + x₂ w⁽¹⁾₂,₁" in " ".join(lines)
    assert all(line.count(" = ") <= 3 for line in lines)


def test_names_of_keras_and_of_ones_own(unam):
    lines = agree(explain(*unam, "dense/kernel", (0, 1), names="keras"))
    assert lines[-1].startswith("∂E/∂dense/kernel[0, 1] =")
    own = {("dense/kernel", (0, 1)): "\\omega"}
    assert r"\partial \omega" in explain(*unam, "dense/kernel", (0, 1), names=own).symbol


def test_languages(unam):
    d = explain(*unam, "dense/kernel", (0, 0), lang="es")
    assert "0,60109" in d.text()
    assert "Pérdida" in d.html()
    assert json.loads(d.json())["lang"] == "es"
    assert "0.60109" in explain(*unam, "dense/kernel", (0, 0), lang="en").text()


def test_schedules_and_clipping_have_steps_of_their_own(unam):
    model, x, y = unam
    rate = optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    model.compile(optimizers.Adam(rate, global_clipnorm=0.01), "half_squared_error")
    model.train_on_batch(x, y)
    d = model.explain(x, y, "dense/kernel", (0, 0), update=True)
    symbols = [s.symbol for s in d.steps() if s.kind == "update"]
    assert [s for s in symbols if s in (r"\eta_{k}", r"\tilde{g}")] == [r"\eta_{k}", r"\tilde{g}"]
    assert {"k", r"\alpha_{k}", r"m^{\prime}", r"v^{\prime}"} <= set(symbols)


def small_model(layer_list, loss, optimizer="sgd"):
    utils.set_random_seed(0)
    model = Sequential(layer_list)
    model.compile(optimizer, loss)
    return model


def test_matrices_of_labels_and_of_whole_numbers():
    x = np.array([[0.5, -0.2, 0.3], [0.1, 0.4, -0.6]])
    model = small_model(
        [Input((3,)), layers.Dense(4, "tanh"), layers.Dense(3, "softmax", name="o")],
        "sparse_categorical_crossentropy",
    )
    lines = agree(model.explain(x, [1, 2], "o/bias"))
    assert any(line.startswith("∂E/∂Z⁽²⁾ = (Ŷ - T)/2 = ") for line in lines)
    model = small_model([Input((3,)), layers.Dense(3, name="o")], "mae")
    lines = agree(model.explain(x, [[1, 2, 0], [3, 1, 1]], "o/kernel"))
    assert any(line.startswith("∂E/∂Ŷ = -1/6 sign(T - Ŷ) = ") for line in lines)
    assert "e = |T - Ŷ| = " in " ".join(lines)


def test_a_delta_that_only_happens_to_be_short_is_not_said_to_be():
    x = np.array([[0.5, -0.2, 0.3]])
    model = small_model([Input((3,)), layers.Dense(1, "elu", name="d"), layers.Dense(1)], "mse")
    lines = agree(model.explain(x, model.predict(x, verbose=0), "d/kernel"))
    assert not any("∂Z" in line and "- T" in line for line in lines)


def test_what_layers_give_is_found():
    x = np.array([[0.5, -0.2, 0.3]])
    penalised = layers.Dense(2, activity_regularizer="l2", name="d")
    model = small_model([Input((3,)), penalised, layers.Dense(1)], "mse")
    assert agree(model.explain(x, [[1.0]], "d", 0))[-1].startswith(
        "∂E/∂a⁽¹⁾₁ = ∂L/∂a⁽¹⁾₁ + ∂R⁽¹⁾/∂"
    )
    rnn = layers.SimpleRNN(2, name="r")
    model = small_model([Input((3, 2)), rnn, layers.Dense(1)], "mse")
    assert agree(model.explain(np.ones((1, 3, 2)), [[1.0]], "r", 0))[-1].startswith(
        "∂E/∂h⁽¹⁾ᵗ⁼³₁ ="
    )
    model = small_model(
        [Input((3,)), layers.Dense(3, "softmax", name="o")], "categorical_crossentropy"
    )
    with pytest.raises(UserError, match=r"ask for a layer's sum, such as dense/sum"):
        model.explain(x, [[0.0, 1.0, 0.0]], "o", 0)


def test_averages_that_are_taken_over_now_and_then():
    rule = optimizers.Adam(use_ema=True, ema_overwrite_frequency=2)
    model = small_model([Input((2,)), layers.Dense(1)], "mse", rule)
    d = model.explain([[0.5, 0.1]], [[1.0]], "dense/kernel", (0, 0), update=True)
    model.train_on_batch(np.array([[0.5, 0.1]]), np.array([[1.0]]))
    assert d.value == pytest.approx(float(model.get_weights()[0][0, 0]), rel=1e-9)


def test_numbers_are_those_that_were_given():
    config.set_floatx("float32")
    model = small_model([Input((3,)), layers.Dense(1)], "mse")
    d = model.explain([[0.1, 0.2, 0.3]], [[0.7]], "dense/kernel", (0, 0), 10)
    assert "0.1 \\cdot" in d.line() or "0.1" in [step.result for step in d.steps()]


def test_odd_names_and_mistakes_in_names():
    model = small_model([Input((3,)), layers.Dense(2, name="a{b#$%&_^~"), layers.Dense(1)], "mse")
    d = model.explain(np.ones((1, 3)), [[1.0]], "a{b#$%&_^~/kernel", (0, 0), names="keras")
    for page in (d.text(), d.html(), d.latex(), d.markdown()):
        assert "a" in page
    assert d.pdf().startswith(b"%PDF-")
    with pytest.raises(UserError, match="is not a formula"):
        model.explain(np.ones((1, 3)), [[1.0]], "x", 0, names={("x", (0,)): "x^{"})
    with pytest.raises(UserError, match="no entry that could be named"):
        model.explain(np.ones((1, 3)), [[1.0]], "x", 0, names={"x": "x"})
    with pytest.raises(UserError, match="nothing named “None”"):
        model.explain(np.ones((1, 3)), [[1.0]], None, 0)
    with pytest.raises(UserError, match="no hay nada llamado «y»"):
        model.explain(np.ones((1, 3)), [[1.0]], "y", 0, lang="es")


def test_an_exponential_is_no_softmax():
    model = small_model([Input((2,)), layers.Dense(2, "exponential")], "poisson")
    agree(model.explain([[0.5, 0.1]], [[1.0, 2.0]], "dense/kernel", (0, 0)))
