"""Many trainings at once: each member is what a single fit gives; tables; what goes wrong."""

from __future__ import annotations

import random as python_random

import numpy as np
import pytest

import trasluz
from trasluz import Model, Sequential, fit_many, layers, optimizers, random, utils
from trasluz.errors import UserError
from trasluz.layers import Input
from trasluz.models import clone_model
from trasluz.regularizers import L1L2, L2
from trasluz.studies import many
from trasluz.training.finite import NonFiniteError

ENGINES = ["numpy", "xla"]


def table(n=96, d=4):
    """Give rows; 83 have a shorter last batch, which costs a second step in each program."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, d)).astype("float32")
    return x, (x @ rng.normal(size=(d, 1)) + 0.1).astype("float32")


def network(optimizer="adam", metrics=("mae",), dtype=None, **how):
    """One with all that depends on the seed and on the step: weights, masks, statistics, slots."""
    model = Sequential(
        [
            Input((4,)),
            layers.Dense(6, "tanh", dtype=dtype, **how),
            layers.BatchNormalization(momentum=0.9, dtype=dtype),
            layers.Dropout(0.3),
            layers.Dense(1, dtype=dtype, **how),
        ]
    )
    model.compile(optimizer, "mse", metrics=list(metrics), engine="xla")
    return model


def alone(build, seed, x, y, **how):
    """Train one as it is defined: from the seed, anew."""
    utils.set_random_seed(seed)
    model = build()
    history = model.fit(x, y, verbose=0, **how).history
    return model, history


def same(runs, k, single, history, tolerance=2e-5):
    for name, values in history.items():
        np.testing.assert_allclose(runs.history[name][k], values, tolerance, tolerance)
    again = runs.model(k)
    assert again.optimizer.iterations == single.optimizer.iterations
    np.testing.assert_array_equal(again._root, single._root)
    for a, b in zip(again.get_weights(), single.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, tolerance, tolerance)
    for path, slots in single._slots.items():
        for name, slot in slots.items():
            np.testing.assert_allclose(again._slots[path][name], slot, tolerance, tolerance)


def of(runs, **settings):
    """Find the member of some settings."""
    return next(k for k, m in enumerate(runs) if m.settings == settings)


@pytest.fixture
def groups(monkeypatch):
    """Note how many members each program trains, and how many go one by one."""
    found = {"together": [], "alone": 0}
    start, one = many._Group._start, many._Group._alone

    def noting(self):
        found["together"].append(len(self.members))
        start(self)

    def counting(self, member):
        found["alone"] += 1
        one(self, member)

    monkeypatch.setattr(many._Group, "_start", noting)
    monkeypatch.setattr(many._Group, "_alone", counting)
    return found


# ------------------------------------------------------------------------- as if one were trained


@pytest.mark.parametrize("engine", ENGINES)
def test_members_are_single_fits(engine, groups):
    x, y = table(83)
    runs = fit_many(
        network(), x, y, seeds=[3, 7], learning_rates=[0.001, 0.01], grid={"l2": [0.0, 0.02]},
        epochs=3, batch_size=16, validation_split=0.2, verbose=0, engine=engine,
    )  # fmt: skip
    assert groups == (
        {"together": [8], "alone": 0} if engine == "xla" else {"together": [], "alone": 8}
    )
    for rate, l2, seed in [(0.001, 0.0, 3), (0.01, 0.02, 7), (0.01, 0.0, 7)]:
        build = lambda: network(optimizers.Adam(rate), kernel_regularizer=L2(l2))  # noqa: E731, B023
        how = {"epochs": 3, "batch_size": 16, "validation_split": 0.2, "engine": engine}
        k = of(runs, learning_rate=rate, l2=l2, seed=seed)
        same(runs, k, *alone(build, seed, x, y, **how))


def test_engines_agree_and_batch_sizes_and_architectures_are_groups(groups):
    x, y = table()

    def build(units=3):
        model = Sequential([Input((4,)), layers.Dense(units, "tanh"), layers.Dense(1)])
        model.compile(optimizers.SGD(0.05, momentum=0.9), "mse")
        return model

    def trained(engine):
        return fit_many(
            build, x, y, 2, grid={"units": [2, 5], "batch_size": [20, None]}, epochs=3,
            verbose=0, shuffle=False, engine=engine,
        )  # fmt: skip

    compiled = trained("xla")
    assert groups == {"together": [2, 2, 2, 2], "alone": 0}
    eager = trained("numpy")
    assert groups["alone"] == 8
    np.testing.assert_allclose(compiled.history["loss"], eager.history["loss"], 1e-5, 1e-6)
    k = of(compiled, units=5, batch_size=None, seed=1)
    how = {"epochs": 3, "batch_size": None, "shuffle": False}
    same(compiled, k, *alone(lambda: build(5), 1, x, y, **how))


@pytest.mark.parametrize(
    "name", ["he_normal", "orthogonal", "random_uniform", "zeros", "untruncated"]
)
def test_initializers_differ_within_a_program(name, groups):
    x, y = table()
    kind = {"class_name": "VarianceScaling", "config": {"distribution": "untruncated_normal"}}
    value = kind if name == "untruncated" else name
    runs = fit_many(
        network(), x, y, 3, grid={"kernel_initializer": ["glorot_uniform", value]},
        verbose=0, engine="xla",
    )  # fmt: skip
    assert groups["together"] == [6]
    build = lambda: network(kernel_initializer=value)  # noqa: E731
    same(runs, 5, *alone(build, 2, x, y, engine="xla"))
    same(runs, 1, *alone(network, 1, x, y, engine="xla"))


class Scale(trasluz.Layer):
    """One of a user's own, that makes its array Keras's way."""

    def build(self, input_shape):
        self.factor = self.add_weight(shape=(input_shape[-1],), initializer="random_normal")

    def call(self, x):
        return x * self.factor


def drawn(units=5):
    inputs = Input((4,))
    hidden = layers.Dense(units, "relu")(inputs)
    model = Model(inputs, layers.Dense(1)(layers.Concatenate()([hidden, inputs])))
    model.compile("rmsprop", "mse")
    return model


def own():
    model = Sequential([Scale(), layers.Dense(1)])
    model.compile("nadam", lambda y, p: (y - p) ** 2)
    return model


class Written(Model):
    """A model as a class."""

    def __init__(self, units=3):
        super().__init__()
        self.units = units
        self.hidden, self.out = layers.Dense(units, bent), layers.Dense(1)

    def call(self, x):
        return self.out(self.hidden(x))


def bent(x):
    return x / (1 + x * x)


def written():
    model = Written()
    model.compile("lion", "mae")
    return model


def by_hand():
    """Weights that come from elsewhere."""
    model = Sequential([Input((4,)), layers.Dense(1)])
    model.set_weights([np.random.normal(size=(4, 1)), np.zeros(1)])  # noqa: NPY002
    model.compile("adagrad", "mse")
    return model


def wide():
    return network(dtype="float64")


def counted():
    return network(optimizers.Adafactor(0.01), metrics=["mae", trasluz.metrics.R2Score()])


def averaged():
    return network(optimizers.SGD(0.01, use_ema=True, clipnorm=1.0))


@pytest.mark.parametrize("build", [drawn, own, written, by_hand, wide, counted, averaged])
@pytest.mark.parametrize("made", [True, False], ids=["model", "function"])
def test_any_model(build, made):
    if made and build is by_hand:
        pytest.skip("a model's weights are drawn anew")
    x, y = table()
    x, y = (x.astype("float64"), y.astype("float64")) if build is wide else (x, y)
    runs = fit_many(build() if made else build, x, y, [5, 6, 7], epochs=2, verbose=0, engine="xla")
    for k in (0, 2):
        same(runs, k, *alone(build, 5 + k, x, y, epochs=2, engine="xla"))


def test_what_is_compiled_serves_later_calls(monkeypatch):
    x, y = table()
    model = network()
    fit_many(model, x, y, 2, verbose=0, engine="xla")
    monkeypatch.setattr(many._Group, "_fold", None)
    fit_many(model, x, y, [8, 9], [0.1], verbose=0, engine="xla")


def test_nothing_of_the_model_or_the_program_moves():
    x, y = table()
    model, before = network(), None
    utils.set_random_seed(1)
    before = model.get_weights()
    state = random.times_asked(), python_random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    runs = fit_many(model, x, y, 2, verbose=0, engine="xla")
    runs.model(0)
    assert random.times_asked() == state[0] and python_random.getstate() == state[1]
    np.testing.assert_array_equal(np.random.get_state()[1], state[2])  # noqa: NPY002
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert model.optimizer.iterations == 0 and model.history is None


def test_a_member_goes_on_training_and_is_saved(tmp_path):
    x, y = table()
    runs = fit_many(network(), x, y, 2, grid={"l1": [0.01], "l2": [0.02]}, epochs=2, verbose=0)
    model = runs.model(1)
    assert model.layers[0].kernel_regularizer == L1L2(0.01, 0.02)
    model.fit(x, y, verbose=0)
    build = lambda: network(kernel_regularizer=L1L2(0.01, 0.02))  # noqa: E731
    whole, _ = alone(build, 1, x, y, epochs=3)
    for a, b in zip(model.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, 2e-5, 2e-5)
    model.save(tmp_path / "one.trasluz")
    again = trasluz.saving.load_model(tmp_path / "one.trasluz")
    np.testing.assert_array_equal(again.predict(x), model.predict(x))


@pytest.mark.parametrize("engine", ENGINES)
def test_factors_take_the_place_of_those_of_the_same_name(engine):
    x, y = table()

    def build(penalty):
        model = Sequential(
            [Input((4,)), layers.Dense(3, kernel_regularizer=penalty), layers.Dense(1)]
        )
        model.compile("adam", "mse")
        return model

    runs = fit_many(build(L1L2(0.02, 0.5)), x, y, 2, grid={"l2": [0.03]}, verbose=0, engine=engine)
    same(runs, 1, *alone(lambda: build(L1L2(0.02, 0.03)), 1, x, y, engine=engine))
    kept = runs.model(1).layers
    assert kept[0].kernel_regularizer == L1L2(0.02, 0.03) and kept[1].kernel_regularizer is None
    everywhere = fit_many(build(None), x, y, grid={"l2": [0.03]}, verbose=0, engine=engine).model(0)
    assert [layer.kernel_regularizer for layer in everywhere.layers] == [L2(0.03)] * 2
    with pytest.raises(UserError, match="without l1 and l2"):
        fit_many(build("orthogonal"), x, y, 2, grid={"l2": [0.03]}, verbose=0, engine=engine)


def test_a_group_too_large_for_memory_is_parted(groups, monkeypatch):
    x, y = table()
    how = {"learning_rates": [0.001, 0.01], "grid": {"l2": [0.0, 0.1]}, "epochs": 2, "verbose": 0}
    whole = fit_many(network(), x, y, 5, validation_split=0.2, engine="xla", **how)
    monkeypatch.setattr(many, "_GROUP_BYTES", 80_000)
    parted = fit_many(network(), x, y, 5, validation_split=0.2, engine="xla", **how)
    sizes = groups["together"][1:]
    assert groups["together"][0] == sum(sizes) == 20
    assert len(sizes) > 2 and max(sizes) - min(sizes) <= 1
    for name, curves in whole.history.items():
        np.testing.assert_allclose(parted.history[name], curves, 2e-5, 2e-5)
    for a, b in zip(parted.model(17).get_weights(), whole.model(17).get_weights(), strict=True):
        np.testing.assert_allclose(a, b, 2e-5, 2e-5)


# -------------------------------------------------------------------------------- what comes out


@pytest.mark.parametrize("engine", ENGINES)
def test_a_member_that_diverges_stops_alone(engine):
    x, y = table()
    model = clone_model(network())
    model.compile("sgd", "mse")
    with pytest.raises(NonFiniteError, match="at training step") as caught:
        utils.set_random_seed(0)
        single = clone_model(model)
        single.compile(optimizers.SGD(1e12), "mse")
        single.fit(x, y, epochs=9, verbose=0, engine=engine)
    runs = fit_many(
        model, x, y, 2, [0.01, 1e12], epochs=9, validation_split=0.0, verbose=0, engine=engine
    )
    assert [member.diverged is None for member in runs] == [True, True, False, False]
    assert f"training step {runs[2].diverged}," in str(caught.value)
    assert all(np.isfinite(w).all() for w in runs.model(2).get_weights())
    assert np.isnan(runs.history["loss"][2][-1]) and np.isfinite(runs.history["loss"][:2]).all()
    assert runs.summary()[1]["diverged"] == 2 and np.isnan(runs.summary()[1]["loss"])
    assert runs.best() in (0, 1)
    with pytest.raises(UserError, match="finite numbers"):
        fit_many(model, x, y, 2, [1e20], epochs=9, verbose=0, engine=engine).best()


def test_tables():
    x, y = table()
    runs = fit_many(network(), x, y, 3, [0.001, 0.1], epochs=2, validation_data=(x, y), verbose=0)
    rows = runs.table()
    assert list(rows[0]) == [
        "learning_rate", "seed", "loss", "mae", "val_loss", "val_mae", "diverged"
    ]  # fmt: skip
    mine = [row["val_loss"] for row in rows if row["learning_rate"] == 0.1]
    line = runs.summary()[1]
    assert line["runs"] == 3 and line["diverged"] == 0
    np.testing.assert_allclose(line["val_loss"], np.mean(mine))
    np.testing.assert_allclose(line["± val_loss"], np.std(mine, ddof=1))
    assert runs.best() == np.argmin(runs.history["val_loss"][:, -1])
    assert runs.best("loss", mode="max") == np.argmax(runs.history["loss"][:, -1])
    text = str(runs).splitlines()
    assert text[0].split()[:3] == ["learning_rate", "runs", "diverged"] and len(text) == 4
    assert text[2].split()[0] == "0.1"  # the best first
    with pytest.raises(UserError, match="did you mean 'val_loss'"):
        runs.best("val_los")


def test_progress(capsys):
    (x, y), model = table(), network()
    fit_many(model, x, y, 2, epochs=3)
    assert "6 of 6 epochs in" in capsys.readouterr().out
    heard = []
    fit_many(model, x, y, 2, epochs=3, progress=heard.append)
    assert heard == sorted(heard) and heard[-1] == 6 and capsys.readouterr().out == ""


@pytest.mark.parametrize("engine", ENGINES)
def test_interrupt_keeps_what_was_reached(engine, monkeypatch):
    x, y = table()
    place = many._Group._log if engine == "xla" else many._Group._alone
    calls = []

    def stopping(self, *rest):
        if calls:
            raise KeyboardInterrupt
        calls.append(1)
        place(self, *rest)

    monkeypatch.setattr(many._Group, place.__name__, stopping)
    runs = fit_many(network(), x, y, 2, epochs=4, verbose=0, engine=engine)
    assert runs.interrupted and "Ctrl-C" in str(runs)
    reached = np.isfinite(runs.history["loss"]).sum(1)
    assert list(reached) == ([1, 1] if engine == "xla" else [4, 0])
    assert np.isfinite(runs.model(0).predict(x)).all()
    if engine == "numpy":
        with pytest.raises(UserError, match="has not begun"):
            runs.model(1)


# ------------------------------------------------------------------------------ what is not right


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"grid": {"kernel_initialiser": ["zeros"]}}, "did you mean 'kernel_initializer'"),
        ({"grid": {"kernel_initializer": ["zerros"]}}, "did you mean 'zeros'"),
        ({"grid": {"dense/unit": [3]}}, "did you mean 'dense/units'"),
        ({"grid": {"batch_size": [0]}}, "positive whole number"),
        ({"grid": {"batch_size": 8}}, "give a list of values"),
        ({"grid": ["l2"]}, "give a dict of lists"),
        ({"grid": {"l2": [-1.0]}}, "0 or more"),
        ({"grid": {"seed": [1]}}, "give seeds="),
        ({"learning_rates": ["fast"]}, "not a learning rate"),
        ({"learning_rates": []}, "give a list of values"),
        ({"seeds": 0}, "give a list of values"),
        ({"seeds": [-1]}, "not a seed"),
        ({"epochs": 0}, "whole number from 1"),
        ({"engine": "fast"}, "unknown engine"),
        ({"validation_data": [(0, 1)]}, "not in memory"),
    ],
)
def test_mistakes_are_named(how, says):
    x, y = table()
    with pytest.raises(UserError, match=says):
        fit_many(network(), x, y, verbose=0, **how)


def test_mistakes_with_models():
    x, y = table()
    with pytest.raises(UserError, match=r"call model\.compile"):
        fit_many(Sequential([layers.Dense(1)]), x, y)
    with pytest.raises(UserError, match="gave NoneType"):
        fit_many(lambda: None, x, y)
    with pytest.raises(UserError, match="unknown setting 'unit'"):
        fit_many(lambda units: network(), x, y, grid={"unit": [3]})
    bends = [layers.Dense(2, lambda x: x * x), layers.Dense(1, lambda x: 2 * x)]
    twice = Sequential([Input((4,)), *bends])
    twice.compile("sgd", "mse")
    with pytest.raises(UserError, match="two different things"):
        fit_many(twice, x, y)
    with pytest.raises(UserError, match="in memory"):
        fit_many(network(), iter([(x, y)]), None)
    scheduled = network(optimizers.SGD(trasluz.optimizers.schedules.ExponentialDecay(0.1, 9, 0.5)))
    assert fit_many(scheduled, x, y, 2, verbose=0, engine="xla").best() in (0, 1)
    with pytest.raises(UserError, match="follows a schedule"):
        fit_many(scheduled, x, y, learning_rates=[0.1])


def test_several_models(groups):
    x, y = table()
    runs = fit_many({"small": network(), "drawn": drawn}, x, y, 2, verbose=0, engine="xla")
    assert [m.settings["model"] for m in runs] == ["small", "small", "drawn", "drawn"]
    assert groups["together"] == [2, 2]
    assert np.isnan(runs.history["mae"][2:]).all()
    assert len(fit_many([network(), network()], x, y, verbose=0).summary()) == 2
