"""Models: three ways to make one, training, measuring, predicting, and what goes wrong."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest

from trasluz import (
    Input,
    Model,
    Sequential,
    callbacks,
    config,
    layers,
    losses,
    ops,
    optimizers,
    utils,
)
from trasluz.errors import UserError
from trasluz.state import Variable, read
from trasluz.training import NonFiniteError


def blobs(n=120, d=4, classes=3, seed=0):
    """Make points around a centre for each class."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(classes, d)) * 3
    y = generator.integers(0, classes, n)
    return (centres[y] + generator.normal(size=(n, d))).astype("float32"), y


def classifier(seed=1, **how):
    utils.set_random_seed(seed)
    model = Sequential(
        [Input((4,)), layers.Dense(8, "relu"), layers.Dense(3, activation="softmax")]
    )
    model.compile(
        how.pop("optimizer", "adam"),
        how.pop("loss", "sparse_categorical_crossentropy"),
        metrics=how.pop("metrics", ["accuracy"]),
        **how,
    )
    return model


# ---------------------------------------------------------------------------- the course's example


@pytest.fixture
def unam():
    """The 2-2-2 network of the course; each of its biases is one number shared by a layer."""

    class SharedBias(layers.Layer):
        start: float = 0.0
        moves: bool = True

        def build(self, input_shape):
            from trasluz import Param, initializers

            self.b = Param((1,), initializers.Constant(self.start), trainable=self.moves)

        def call(self, x):
            return x + self.b

    config.set_floatx("float64")
    yield lambda moves: Sequential(
        [
            Input((2,)),
            layers.Dense(2, use_bias=False, kernel_initializer=np_init([[0.1, 0.2], [0.3, 0.4]])),
            SharedBias(0.25, moves),
            layers.Activation("sigmoid"),
            layers.Dense(2, use_bias=False, kernel_initializer=np_init([[0.5, 0.7], [0.6, 0.8]])),
            SharedBias(0.35, moves),
            layers.Activation("sigmoid"),
        ]
    )
    config.set_floatx("float32")


def np_init(values):
    return lambda shape, dtype: np.asarray(values, dtype)


@pytest.mark.parametrize("engine", ["numpy", "xla"])
@pytest.mark.parametrize(("moves", "second"), [(False, 0.24072491), (True, 0.23384589)])
def test_unam_2_2_2(unam, engine, moves, second):
    x, t = np.array([[0.1, 0.5]]), np.array([[0.05, 0.95]])
    model = unam(moves)
    model.compile(optimizers.SGD(0.6), "half_squared_error", engine=engine)
    np.testing.assert_allclose(model.predict(x), [[0.73492861, 0.77955388]], atol=5e-9)
    before = read(model)
    error = model.train_on_batch(x, t)
    assert error == pytest.approx(0.24908954, abs=5e-9)
    hidden, output = [p for p in before if "kernel" in p]
    after = read(model)
    gradient = {p: (before[p] - after[p]) / 0.6 for p in before}
    np.testing.assert_allclose(
        gradient[output], [[0.08020312, -0.01760653], [0.08211062, -0.01802527]], atol=5e-9
    )
    np.testing.assert_allclose(
        gradient[hidden], [[0.00110806, 0.00134024], [0.00554029, 0.00670120]], atol=5e-9
    )
    np.testing.assert_allclose(
        after[output], [[0.45187813, 0.71056392], [0.55073363, 0.81081516]], atol=5e-9
    )
    np.testing.assert_allclose(
        after[hidden], [[0.09933517, 0.19919586], [0.29667583, 0.39597928]], atol=5e-9
    )
    if moves:
        biases = [gradient[p].item() for p in before if p.endswith("/b")]
        assert biases == pytest.approx([0.02448298, 0.10413885], abs=5e-9)
    assert model.evaluate(x, t, verbose=0) == pytest.approx(second, abs=5e-9)


# ------------------------------------------------------------------------------------- training


def test_the_snippet_of_the_course():
    from trasluz.layers import Dense, Flatten
    from trasluz.models import Sequential

    x, y = np.random.default_rng(0).normal(size=(50, 28, 28)), np.arange(50) % 10
    model = Sequential(
        [
            Flatten(input_shape=(28, 28)),
            Dense(8, activation="relu"),
            Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, batch_size=32, epochs=10, validation_split=0.2, verbose=0)
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert len(history.epoch) == 10


def test_learns_and_measures():
    x, y = blobs(300)
    model = classifier(optimizer=optimizers.Adam(0.02))
    history = model.fit(x, y, epochs=30, verbose=0)
    loss, accuracy = model.evaluate(x, y, verbose=0)
    assert accuracy > 0.95
    assert loss < history.history["loss"][0]
    p = model.predict(x)
    assert p.shape == (300, 3)
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-5)
    assert (p.argmax(1) == y).mean() == pytest.approx(accuracy)
    assert model.evaluate(x, y, verbose=0, return_dict=True) == {"loss": loss, "accuracy": accuracy}


@pytest.mark.parametrize("engine", ["numpy", "xla"])
def test_same_seed_same_weights(engine):
    x, y = blobs()
    first, second = classifier(7, engine=engine), classifier(7, engine=engine)
    for model in (first, second):
        model.add(layers.Dropout(0.2))
        model.fit(x, y, epochs=2, verbose=0)
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        assert (a == b).all()


def everything(units=5):
    utils.set_random_seed(2)
    return Sequential(
        [
            Input((6, 4)),
            layers.SimpleRNN(units),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.GaussianNoise(0.1),
            layers.Dense(4, "tanh", kernel_regularizer="l2", activity_regularizer="l1"),
            layers.LayerNormalization(),
            layers.PReLU(),
            layers.Dense(3, kernel_constraint="max_norm"),
        ]
    )


def small():
    utils.set_random_seed(2)
    return Sequential([Input((4,)), layers.Dense(3, "tanh", kernel_regularizer="l2")])


LOSSES = {
    "mse": "float",
    "mae": "float",
    "mape": "positive",
    "msle": "positive",
    "huber": "float",
    "log_cosh": "float",
    "cosine_similarity": "float",
    "hinge": "sign",
    "squared_hinge": "sign",
    "perceptron": "sign",
    "half_squared_error": "float",
    "sum_of_squared_residuals": "float",
    "kl_divergence": "probability",
    "poisson": "positive",
    "categorical_hinge": "one_hot",
    "categorical_crossentropy": "one_hot",
    "categorical_focal_crossentropy": "one_hot",
    "binary_crossentropy": "binary",
    "binary_focal_crossentropy": "binary",
    "sparse_categorical_crossentropy": "label",
}


def targets(kind, n):
    generator = np.random.default_rng(5)
    values = generator.normal(size=(n, 3))
    labels = generator.integers(0, 3, n)
    return {
        "float": values,
        "positive": np.abs(values) + 0.1,
        "sign": np.sign(values),
        "binary": (values > 0).astype(float),
        "probability": np.abs(values) / np.abs(values).sum(1, keepdims=True),
        "one_hot": np.eye(3)[labels],
        "label": labels,
    }[kind]


def trained(engine, model, loss, optimizer, kind, steps=10):
    shape = (16 * steps, *model.input_shape[1:])
    x = np.random.default_rng(1).normal(size=shape).astype("float32")
    model.compile(optimizer() if callable(optimizer) else optimizer, loss, engine=engine)
    weights = np.linspace(0.5, 1.5, len(x))
    history = model.fit(
        x, targets(kind, len(x)), batch_size=16, epochs=1, verbose=0, sample_weight=weights
    )
    return model.get_weights(), history.history["loss"][-1]


def assert_engines_agree(make, loss, optimizer, kind):
    (a, la), (b, lb) = (trained(e, make(), loss, optimizer, kind) for e in ("numpy", "xla"))
    assert la == pytest.approx(lb, rel=2e-5)
    for u, v in zip(a, b, strict=True):
        np.testing.assert_allclose(u, v, rtol=1e-4, atol=5e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_engines_agree_for_every_loss(loss):
    kind = LOSSES[loss]
    activation = {
        "one_hot": "softmax", "label": "softmax", "binary": "sigmoid", "probability": "softmax",
        "positive": "softplus",
    }.get(kind, "linear")  # fmt: skip

    def make():
        model = small()
        model.add(layers.Activation(activation))
        return model

    assert_engines_agree(make, loss, lambda: optimizers.SGD(0.003), kind)


def test_engines_agree_for_a_network_of_everything():
    assert_engines_agree(everything, "mse", "adam", "float")


@pytest.mark.parametrize("optimizer", optimizers.registry.names())
def test_engines_agree_for_every_optimizer(optimizer):
    assert_engines_agree(small, "mse", optimizer, "float")


def test_every_loss_is_in_the_table():
    listed = {losses.resolve(name).name for name in LOSSES}
    missing = {losses.resolve(name).name for name in losses.registry.names()} - listed
    assert not missing, f"add to LOSSES in tests/test_model.py: {missing}"


def test_float64_is_float64_throughout():
    config.set_floatx("float64")
    try:
        for engine in ("numpy", "xla"):
            model = everything()
            model.compile("adam", "mse", engine=engine)
            x = np.random.default_rng(1).normal(size=(8, 6, 4))
            model.fit(x, np.ones((8, 3)), epochs=2, verbose=0)
            assert {a.dtype for a in model.get_weights()} == {np.dtype("float64")}
            assert model.predict(x).dtype == np.float64
    finally:
        config.set_floatx("float32")


def test_second_epoch_does_not_compile_again():
    model = classifier(engine="xla")
    x, y = blobs(64)
    model.fit(x, y, epochs=1, verbose=0)
    programs = dict(model._programs)
    model.optimizer.learning_rate = 0.5
    model.fit(x, y, epochs=2, verbose=0)
    assert model._programs == programs


def test_batch_size_none_is_full_batch_and_one_is_pure_sgd():
    x, y = blobs(10)
    for size, steps in ((None, 1), (1, 10), (4, 3)):
        model = classifier()
        model.fit(x, y, batch_size=size, epochs=1, verbose=0)
        assert model.optimizer.iterations == steps


def test_full_batch_gradient_descent_by_hand():
    x = np.array([[1.0], [2.0], [3.0]])
    y = np.array([[2.0], [4.0], [7.0]])
    model = Sequential([Input((1,)), layers.Dense(1, kernel_initializer="zeros")])
    model.compile(optimizers.SGD(0.1), "mse")
    model.fit(x, y, batch_size=None, epochs=1, verbose=0)
    w, b = model.get_weights()
    assert w.item() == pytest.approx(0.1 * 2 * (x * y).mean(), rel=1e-6)
    assert b.item() == pytest.approx(0.1 * 2 * y.mean(), rel=1e-6)


def test_frames_lists_and_iterables():
    x, y = blobs(60)
    wanted = None
    frames = [
        (x, y),
        (x.tolist(), y.tolist()),
        (pd.DataFrame(x, columns=list("abcd")), pd.Series(y)),
        (pl.DataFrame(x, schema=list("abcd")), pl.Series("y", y)),
    ]
    for a, b in frames:
        model = classifier()
        model.fit(a, b, batch_size=20, epochs=2, verbose=0, shuffle=False)
        wanted = wanted or model.get_weights()
        for u, v in zip(model.get_weights(), wanted, strict=True):
            np.testing.assert_allclose(u, v, atol=1e-6)
    batches = [(x[i : i + 20], y[i : i + 20]) for i in (0, 20, 40)]
    model = classifier()
    model.fit(batches, epochs=2, verbose=0)
    for u, v in zip(model.get_weights(), wanted, strict=True):
        np.testing.assert_allclose(u, v, atol=1e-6)

    def endless():
        while True:
            yield from batches

    model = classifier()
    history = model.fit(
        endless(), epochs=2, steps_per_epoch=3, validation_data=endless(), validation_steps=2,
        verbose=0,
    )  # fmt: skip
    for u, v in zip(model.get_weights(), wanted, strict=True):
        np.testing.assert_allclose(u, v, atol=1e-6)
    assert "val_loss" in history.history
    assert model.predict(batch[0] for batch in batches).shape == (60, 3)


def test_sample_and_class_weights():
    x, y = blobs(40)
    one, two = classifier(optimizer="sgd"), classifier(optimizer="sgd")
    table = {0: 1.0, 1: 3.0, 2: 0.5}
    one.fit(x, y, class_weight=table, epochs=2, verbose=0)
    two.fit(x, y, sample_weight=np.array([table[int(k)] for k in y]), epochs=2, verbose=0)
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_an_iterable_that_is_used_up_ends_training():
    x, y = blobs(40)
    model = classifier()
    batches = ((x[i : i + 10], y[i : i + 10]) for i in range(0, 40, 10))
    with pytest.warns(UserWarning, match="used up: training ends before epoch 2"):
        history = model.fit(batches, epochs=3, verbose=0)
    assert len(history.history["loss"]) == 1
    once = iter([(x, y)])
    with pytest.raises(UserError, match="gave no batch"):
        model.fit(x, y, epochs=2, validation_data=once, verbose=0)


def test_steps_limit_arrays_too():
    x, y = blobs(40)
    model = classifier()
    model.fit(x, y, batch_size=10, epochs=3, steps_per_epoch=2, verbose=0)
    assert model.optimizer.iterations == 6
    assert model.predict(x, batch_size=10, steps=3).shape == (30, 3)


@pytest.mark.parametrize("steps", [0, -1, 1.5, "3"])
def test_a_number_of_batches_is_a_whole_number_from_one(steps):
    x, y = blobs(40)
    model = classifier()
    endless = iter(lambda: (x, y), None)
    for what in ("steps_per_epoch", "validation_steps"):
        with pytest.raises(UserError, match=f"{what} has to be a whole number from 1"):
            model.fit(endless, validation_data=endless, verbose=0, **{what: steps})
    with pytest.raises(UserError, match="steps has to be a whole number from 1"):
        model.evaluate(endless, steps=steps, verbose=0)
    with pytest.raises(UserError, match="steps has to be a whole number from 1"):
        model.predict(x, steps=steps)


def test_fit_in_a_callback_leaves_the_history_of_the_fit_around_it():
    x, y = blobs(40)

    class Inside(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                self.model.fit(x[:8], y[:8], verbose=0)

    model = classifier()
    history = model.fit(x, y, epochs=3, verbose=0, callbacks=[Inside()])
    assert len(history.history["loss"]) == 3 and history is model.history


def test_class_weights_are_not_for_validation():
    x, y = blobs(60)
    model = classifier(optimizer=optimizers.SGD(0.0))
    table = {0: 100.0, 1: 100.0, 2: 100.0}
    logs = model.fit(x, y, class_weight=table, validation_split=0.5, verbose=0).history
    assert logs["val_loss"][0] == pytest.approx(model.evaluate(x[30:], y[30:], verbose=0)[0])
    assert logs["loss"][0] == pytest.approx(100 * model.evaluate(x[:30], y[:30], verbose=0)[0])


@pytest.mark.parametrize("bad", [np.nan, 0.5])
def test_class_numbers_are_whole(bad):
    x, y = blobs(20)
    with pytest.raises(UserError, match="missing or have decimals"):
        classifier().fit(x, np.where(np.arange(20) == 3, bad, y), verbose=0)


def test_what_was_learnt_before_an_interrupt_stays():
    x, y = blobs(100)
    for engine in ("numpy", "xla"):
        model = classifier(engine=engine)

        def batches():
            for i in range(0, 100, 10):
                if i == 50:
                    raise KeyboardInterrupt
                yield x[i : i + 10], y[i : i + 10]

        class Source:
            def __iter__(self):
                return batches()

        with pytest.raises(KeyboardInterrupt):
            model.fit(Source(), epochs=1, verbose=0)
        assert model.optimizer.iterations == 5


def test_layers_in_nested_containers_are_found():
    class Deep(Model):
        def __init__(self):
            super().__init__()
            self.blocks = [[layers.Dense(4), layers.Dense(4)], {"last": (layers.Dense(1),)}]

        def call(self, x):
            for layer in self.blocks[0]:
                x = layer(x)
            assert isinstance(self.blocks[1]["last"], tuple)
            return self.blocks[1]["last"][0](x)

    model = Deep()
    model.compile("sgd", "mse")
    x, y = blobs(20)
    model.fit(x, y, verbose=0)
    assert model.count_params() == 20 + 20 + 5
    assert list(read(model))[::2] == ["dense/kernel", "dense_1/kernel", "dense_2/kernel"]


def test_freezing_goes_for_all_below():
    base = Sequential([Input((4,)), layers.Dense(3), layers.BatchNormalization()])
    base.trainable = False
    model = Sequential([Input((4,)), base, layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = [w.copy() for w in base.get_weights()]
    model.fit(*blobs(40), verbose=0)
    assert all((a == b).all() for a, b in zip(before, base.get_weights(), strict=True))
    base.trainable = True
    assert base.layers[1].trainable


def test_drawing_does_not_move_state():
    layer = layers.BatchNormalization()
    layer(Input((3,)), training=True)
    assert (layer.moving_variance == 1).all()


def test_a_constant_of_another_type_does_not_widen_the_weights():
    class Shift(layers.Layer):
        def call(self, x):
            return x * np.array([1.0, 2.0, 3.0])

    model = Sequential([Input((4,)), layers.Dense(3), Shift()])
    model.compile("adam", "mse", engine="numpy")
    model.fit(blobs(20)[0], np.ones((20, 3)), verbose=0)
    assert {w.dtype for w in model.get_weights()} == {np.dtype("float32")}


def test_no_compilation_for_a_changed_rate():
    x, y = blobs(64)
    model = classifier(optimizer=optimizers.Adam(0.1), engine="xla")
    schedule = callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
    model.fit(x, y, epochs=4, validation_data=(x, y), callbacks=[schedule], verbose=0)
    assert len(model._programs) == 2  # one to train, one to measure


def test_changed_layers_are_compiled_again():
    class Scale(layers.Layer):
        def __init__(self, factor=1.0, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, x):
            return x * self.factor

    model = Sequential([Input((2,)), Scale(), layers.Activation(lambda x: x + 1.0)])
    model.compile("sgd", "mse", engine="xla")
    x = np.ones((1, 2), "float32")
    assert model.predict(x).tolist() == [[2, 2]]
    model.layers[0].factor = 5.0
    assert model.predict(x).tolist() == [[6, 6]]
    model.layers[1].activation = lambda x: x - 1.0
    assert model.predict(x).tolist() == [[4, 4]]


def test_several_inputs_in_a_subclass(tmp_path):
    class Pair(Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.head = layers.Dense(2)

        def call(self, inputs):
            return self.head(inputs["a"] * inputs["b"])

    model = Pair()
    model.compile("sgd", "mse", engine="xla")
    x = {"a": np.ones((4, 3), "float32"), "b": np.ones((4, 3), "float32")}
    model.fit(x, np.ones((4, 2)), verbose=0)
    assert model.input_shape == {"a": (None, 3), "b": (None, 3)}
    model.save(tmp_path / "pair")
    from trasluz.saving import load_model

    again = load_model(tmp_path / "pair", custom_objects={"Pair": Pair})
    np.testing.assert_array_equal(again.predict(x), model.predict(x))


def test_ops_on_symbolic_tensors():
    x = Input((3,))
    y = ops.expand_dims(x, 1)
    assert y.shape == (None, 1, 3)
    assert ops.squeeze(y, 1).shape == (None, 3)
    assert ops.reshape(x, (x.shape[0], 3, 1)).shape == (None, 3, 1)
    model = Model(x, layers.Flatten()(ops.stack([x, x * 2.0], 1)))
    assert model.predict(np.ones((2, 3))).shape == (2, 6)


def test_training_goes_on_where_it_stopped():
    """Two fits of one epoch are one fit of two: slots and step stay with the model."""
    x, y = blobs()
    once, twice = classifier(), classifier()
    once.fit(x, y, epochs=2, verbose=0)
    twice.fit(x, y, epochs=1, verbose=0)
    twice.fit(x, y, epochs=2, initial_epoch=1, verbose=0)
    for a, b in zip(once.get_weights(), twice.get_weights(), strict=True):
        assert (a == b).all()


def test_frozen_layers_stay():
    x, y = blobs()
    model = classifier()
    model.layers[0].trainable = False
    before = model.layers[0].kernel.copy()
    model.fit(x, y, epochs=2, verbose=0)
    assert (model.layers[0].kernel == before).all()
    assert [v.path for v in model.trainable_weights] == ["dense_1/kernel", "dense_1/bias"]


def test_regularizers_and_added_losses_count():
    model = Sequential([Input((1,)), layers.Dense(1, kernel_regularizer="l2", use_bias=False)])
    model.compile(optimizers.SGD(0.1), "mse")
    model.set_weights([np.array([[2.0]])])
    assert model.evaluate(np.ones((4, 1)), np.ones((4, 1)), verbose=0) == pytest.approx(
        1 + 0.01 * 4, rel=1e-5
    )
    assert len(model.losses) == 1

    class Fixed(layers.Layer):
        def call(self, x):
            self.add_loss(ops.sum(x) * 0 + 5.0)
            return x

    model = Sequential([Input((1,)), Fixed()])
    model.compile("sgd", "mse")
    assert model.evaluate(np.ones((4, 1)), np.ones((4, 1)), verbose=0) == pytest.approx(5)


# -------------------------------------------------------------------------- three ways to make one


def test_functional_with_shared_layers_and_several_ends():
    utils.set_random_seed(0)
    a, b = Input((3,), name="a"), Input((3,), name="b")
    shared = layers.Dense(4, "tanh", name="shared")
    left, right = shared(a), shared(b)
    merged = layers.Concatenate()([left, right, left * right - 1.0])
    first = layers.Dense(1, name="first")(merged)
    second = layers.Dense(2, activation="softmax", name="second")(ops.relu(merged))
    model = Model(inputs=[a, b], outputs=[first, second])
    assert model.output_names == ["first", "second"]
    assert model.count_params() == (3 * 4 + 4) + (12 + 1) + (24 + 2)
    generator = np.random.default_rng(0)
    xa, xb = generator.normal(size=(40, 3)), generator.normal(size=(40, 3))
    ya, yb = xa.sum(1, keepdims=True), (xb.sum(1) > 0).astype(int)
    model.compile(
        "adam",
        {"first": "mse", "second": "sparse_categorical_crossentropy"},
        loss_weights={"first": 0.5},
        metrics={"second": ["accuracy"], "first": "mae"},
    )
    history = model.fit(
        {"a": xa, "b": xb}, {"first": ya, "second": yb}, epochs=3, verbose=0, validation_split=0.25
    )
    assert set(history.history) == {
        f"{v}{k}"
        for v in ("", "val_")
        for k in ("loss", "first_loss", "second_loss", "second_accuracy", "first_mae")
    }
    logs = model.evaluate([xa, xb], [ya, yb], verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(0.5 * logs["first_loss"] + logs["second_loss"], rel=1e-5)
    p, q = model.predict([xa, xb])
    h = np.concatenate([np.tanh(x @ shared.kernel + shared.bias) for x in (xa, xb)], 1)
    h = np.concatenate([h, h[:, :4] * h[:, 4:] - 1], 1)
    np.testing.assert_allclose(
        p, h @ model.get_layer("first").kernel + model.get_layer("first").bias, atol=1e-5
    )
    assert q.shape == (40, 2)


def test_subclass_and_nesting():
    class Block(Model):
        def __init__(self, units):
            super().__init__()
            self.inner = layers.Dense(units, "tanh")
            self.norms = [layers.BatchNormalization(momentum=0.8), layers.LayerNormalization()]

        def call(self, x, training=False):
            y = self.inner(x)
            for norm in self.norms:
                y = norm(y)
            return x + y

    class Net(Model):
        def __init__(self):
            super().__init__()
            self.block = Block(4)
            self.again = Block(4)
            self.head = layers.Dense(3, activation="softmax")

        def call(self, x):
            return self.head(self.again(self.block(x)))

    utils.set_random_seed(0)
    x, y = blobs()
    model = Net()
    rule = optimizers.Adam(0.01)
    model.compile(rule, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=25, verbose=0)
    assert model.evaluate(x, y, verbose=0)[1] > 0.8
    assert "block/dense/kernel" in read(model)
    assert "block_1/batch_normalization/moving_mean" in read(model)
    kernels = [a for p, a in read(model).items() if p.endswith("dense/kernel")]
    assert not (kernels[0] == kernels[1]).all()
    nested = Sequential([Input((4,)), Sequential([layers.Dense(5)]), layers.Dense(2)])
    assert list(read(nested)) == [
        "sequential/dense/kernel", "sequential/dense/bias", "dense/kernel", "dense/bias"
    ]  # fmt: skip


def test_sequential_grows_and_shrinks():
    model = Sequential([Input((3,)), layers.Dense(4)])
    first = model.layers[0].kernel
    model.add(layers.Dense(2))
    assert model.output_shape == (None, 2)
    assert model.layers[0].kernel is first
    model.pop()
    assert model.output_shape == (None, 4)
    late = Sequential([layers.Dense(2), layers.Dense(2)])
    with pytest.raises(UserError, match="no arrays yet"):
        late.layers[0].count_params()
    assert late.predict(np.ones((2, 5))).shape == (2, 2)
    assert late.count_params() == 12 + 6


def test_summary(capsys):
    model = classifier()
    model.summary()
    text = capsys.readouterr().out
    assert "dense_1 (Dense)" in text
    assert "(None, 3)" in text
    assert f"Total parameters: {4 * 8 + 8 + 8 * 3 + 3} (268 B)" in text
    lines = []
    Sequential([layers.Dense(2)]).summary(print_fn=lines.append)
    assert "not known yet" in lines[0]


def test_variables_are_handles():
    model = classifier()
    v = model.trainable_weights[0]
    v.assign(np.zeros((4, 8)))
    assert not model.layers[0].kernel.any()
    assert np.asarray(v).shape == v.shape == (4, 8)
    with pytest.raises(UserError, match=r"\(2,\).*\(4, 8\)"):
        v.assign([1, 2])
    with pytest.raises(UserError, match="1 arrays were given, the weights are 4"):
        model.set_weights([np.ones(2)])
    assert Variable(3.0).numpy() == 3


# ------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda m, x, y: m.fit(x[:, :3], y), r"\(120, 3\).*\(None, 4\)"),
        (lambda m, x, y: m.predict(x[0]), r"\(4,\).*\(None, 4\)"),
        (lambda m, x, y: m.fit(x, y[:50]), "x has 120, y has 50"),
        (lambda m, x, y: m.fit(x, np.eye(4)[y]), "targets|class numbers"),
        (lambda m, x, y: m.fit(x, y + 1), "from 1 to 3.*3 units"),
        (lambda m, x, y: m.fit(x), "without targets"),
        (lambda m, x, y: m.fit(x[:0], y[:0]), "no rows"),
        (lambda m, x, y: m.fit(x, np.array(["a"] * 120)), "needs numbers"),
        (lambda m, x, y: m.fit([["a", 1]], [0]), "number"),
        (lambda m, x, y: m.fit(x, y, batch_size=0), "batch_size"),
        (lambda m, x, y: m.fit(x, y, engine="xls"), "did you mean 'xla'"),
        (lambda m, x, y: m.fit(x, y, validation_split=1.5), "between 0 and 1"),
        (lambda m, x, y: m.compile("adm", "mse"), "did you mean 'adam'"),
        (lambda m, x, y: m.compile("adam", "mean_square_error"), "mean_squared_error"),
        (
            lambda m, x, y: m.compile("adam", "mse", metrics=["acuracy"]) or m.fit(x, x[:, :3]),
            "did you mean",
        ),
        (lambda m, x, y: m.get_layer("dens"), "did you mean 'dense'"),
        (lambda m, x, y: Sequential([layers.Dense(2)]).fit(x, y), "call model.compile"),
        (lambda m, x, y: Sequential([3]), "not a layer"),
        (lambda m, x, y: layers.Dense(2, activaton="relu"), "activaton"),
        (lambda m, x, y: m.fit(iter([]), epochs=1), "no batch"),
        (lambda m, x, y: m.fit(x, y, callbacks=[3]), "not a callback"),
    ],
)
def test_mistakes_say_what_and_how_to_mend(act, message):
    x, y = blobs()
    with pytest.raises((UserError, TypeError), match=message):
        act(classifier(), x, y)


def test_a_mistake_leaves_the_model_clean():
    x, y = blobs()
    model = classifier()
    before = model.get_weights()
    with pytest.raises(UserError):
        model.fit(x, y + 1)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    model.fit(x, y, epochs=1, verbose=0)


@pytest.mark.parametrize("engine", ["numpy", "xla"])
def test_numbers_that_break(engine):
    x, y = blobs(64)
    utils.set_random_seed(0)
    model = Sequential([Input((4,)), layers.Dense(8, "relu", name="hidden"), layers.Dense(1)])
    model.compile(optimizers.SGD(1e6), "mse", engine=engine)
    with pytest.raises(NonFiniteError, match=r"training step \d+, first in .*(hidden|dense|loss)"):
        model.fit(x, y.astype(float), epochs=20, verbose=0)
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert model.optimizer.iterations > 0

    bad = x.copy()
    bad[33, 2] = np.nan
    model = classifier(engine=engine)
    with pytest.raises(NonFiniteError, match="forward pass, in sequential/dense"):
        model.fit(bad, y, epochs=1, verbose=0)
    model = classifier(engine=engine)
    model.fit(bad, y, epochs=5, verbose=0, callbacks=[callbacks.TerminateOnNaN()])
    assert model.stop_training


def test_broken_numbers_stop_at_the_same_step_on_both_engines():
    x, y = blobs(64)
    said = []
    for engine in ("numpy", "xla"):
        utils.set_random_seed(0)
        model = Sequential([Input((4,)), layers.Dense(8, "relu"), layers.Dense(1)])
        model.compile(optimizers.SGD(1e4), "mse", engine=engine)
        with pytest.raises(NonFiniteError) as error:
            model.fit(x, y.astype(float), epochs=20, verbose=0)
        said.append((str(error.value), model.optimizer.iterations))
    assert said[0] == said[1]


def test_auto_takes_numpy_for_small_work():
    from trasluz.data import Batch
    from trasluz.training.engine import Engine

    model = classifier()
    x, y = blobs(2)
    few, many, at_once = (Engine(model, "auto") for _ in range(3))
    few.settle_auto(Batch(x, y), 25, 40)
    assert few.moves_at is None
    many.settle_auto(Batch(x, y), 32, 3_125_000)
    assert 1000 < many.moves_at < 10_000
    at_once.settle_auto(Batch(x, y), 32, 3_125_000, at_once=True)
    assert [e.where for e in (few, many, at_once)] == ["numpy", "numpy", "xla"]


def test_history_of_losses_is_the_mean_over_rows():
    x, y = blobs(50)
    model = classifier(optimizer=optimizers.SGD(0.0))
    logs = model.fit(x, y, batch_size=32, epochs=1, verbose=0).history
    assert logs["loss"][0] == pytest.approx(
        model.evaluate(x, y, batch_size=None, verbose=0)[0], rel=1e-5
    )
    assert not math.isnan(logs["accuracy"][0])


class Reads(Model):
    """A model with a call of its own, of sequences of any length."""

    def __init__(self):
        super().__init__()
        self.table, self.score = layers.Embedding(9, 4), layers.Dense(9)

    def call(self, tokens):
        return self.score(self.table(tokens))


@pytest.mark.parametrize("engine", ["numpy", "xla"])
def test_a_call_of_ones_own_takes_other_lengths(engine):
    words = np.arange(24).reshape(4, 6) % 9
    model = Reads()
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, engine=engine)
    model.fit(words, words, validation_data=(words[:, :3], words[:, :3]), epochs=1, verbose=0)
    longer = np.tile(words, 2)
    np.testing.assert_allclose(
        model.predict(longer)[:, :6], model.predict(words), rtol=1e-5, atol=1e-6
    )
    assert np.isfinite(model.evaluate(longer, longer, verbose=0))


def test_what_a_call_of_ones_own_cannot_take_says_both_shapes():
    class Two(Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, x):
            return self.dense(x)

    model = Two()
    assert model.predict(np.ones((3, 4))).shape == (3, 2)
    with pytest.raises(UserError, match=r"shape \(3, 5\) was given, the model takes \(None, 4\)"):
        model.predict(np.ones((3, 5)))
    assert model.predict(np.ones((3, 4))).shape == (3, 2)
