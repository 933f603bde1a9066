"""Programs in the styles that Keras's guides teach, run with Keras and with the import changed.

A program gets the library as `keras` and gives what it found: histories, weights, texts. Both
libraries have to find the same. Models start from the same weights (`start`) and see the rows in
the same order, so that whole histories can be compared.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import trasluz
from peer import keras_in, same, start
from trasluz import (
    Input,
    Model,
    Sequential,
    Variable,
    initializers,
    layers,
    metrics,
    ops,
    tape,
    utils,
)
from trasluz.errors import UserError
from trasluz.state import read
from trasluz.state.registry import _open_registries

pytestmark = pytest.mark.interop

generator = np.random.default_rng(0)
X = generator.normal(size=(48, 4)).astype("float32")
X2 = generator.normal(size=(48, 3)).astype("float32")
Y = (X @ generator.normal(size=(4, 1)) + 0.3).astype("float32")
LABELS = generator.integers(0, 3, 48)
BITS = (X[:, :1] * X[:, 1:2] > 0).astype("float32")
WORDS = generator.integers(0, 10, (48, 5))

PROGRAMS = []


def program(function):
    """Keep a program for the test below."""
    PROGRAMS.append(function)
    return function


# ---------------------------------------------------------------------------------- three styles


@program
def sequential_classifier(keras, tmp_path):
    model = keras.Sequential(
        [
            keras.Input(shape=(4,)),
            keras.layers.Dense(8, activation="relu", name="hidden"),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(3, activation="softmax", name="out"),
        ],
        name="classifier",
    )
    start(model)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=0.01),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=[keras.metrics.SparseCategoricalAccuracy(), "sparse_top_k_categorical_accuracy"],
    )
    history = model.fit(
        X, LABELS, batch_size=16, epochs=3, validation_split=0.25, shuffle=False, verbose=0
    )
    return {
        "history": history.history,
        "epochs": history.epoch,
        "weights": model.get_weights(),
        "names": [w.name for w in model.weights],
        "scores": model.evaluate(X, LABELS, batch_size=16, verbose=0),
        "dict": model.evaluate(X, LABELS, verbose=0, return_dict=True),
        "predicted": model.predict(X, verbose=0),
        "shapes": [model.input_shape, model.output_shape, model.layers[0].name],
        "counts": [model.count_params(), len(model.trainable_weights)],
    }


@program
def sequential_added_step_by_step(keras, tmp_path):
    model = keras.models.Sequential()
    model.add(keras.layers.Dense(4, activation=keras.activations.tanh))
    model.add(keras.layers.Dense(1))
    before = model.built
    model.build((None, 4))
    start(model)
    model.add(keras.layers.Activation("sigmoid"))
    model.pop()
    model.compile("sgd", "mse", metrics=["mae"])
    history = model.fit(X, Y, epochs=2, batch_size=48, verbose=0, shuffle=False)
    return before, model.built, len(model.layers), history.history, model.get_weights()


@program
def functional_with_several_ends(keras, tmp_path):
    layers = keras.layers
    left = keras.Input(shape=(4,), name="left")
    right = keras.Input(shape=(3,), name="right")
    a = layers.Dense(6, activation="relu", name="a")(left)
    b = layers.Dense(6, activation="relu", name="b")(right)
    joint = layers.concatenate([a, b])
    score = layers.Dense(1, name="score")(joint)
    label = layers.Dense(3, activation="softmax", name="label")(joint)
    model = keras.Model(inputs=[left, right], outputs=[score, label], name="two_by_two")
    start(model)
    model.compile(
        optimizer=keras.optimizers.RMSprop(1e-2),
        loss={"score": "mse", "label": keras.losses.SparseCategoricalCrossentropy()},
        loss_weights={"score": 0.5, "label": 1.0},
        metrics={"score": ["mae"], "label": ["accuracy"]},
    )
    history = model.fit(
        {"left": X, "right": X2},
        {"score": Y, "label": LABELS},
        epochs=2,
        batch_size=16,
        shuffle=False,
        verbose=0,
    )
    lists = model.evaluate([X, X2], [Y, LABELS], verbose=0, return_dict=True)
    dicts = model.evaluate(
        {"left": X, "right": X2}, {"score": Y, "label": LABELS}, verbose=0, return_dict=True
    )
    return {
        "history": history.history,
        "lists": lists,
        "dicts": dicts,
        "predicted": model.predict([X, X2], verbose=0),
        "weights": model.get_weights(),
        "names": [model.output_names, [t.name for t in model.inputs]],
    }


@program
def functional_losses_in_lists(keras, tmp_path):
    inputs = keras.Input((4,))
    x = keras.layers.Dense(5, activation="gelu")(inputs)
    first, second = keras.layers.Dense(1, name="p")(x), keras.layers.Dense(1, name="q")(x)
    model = start(keras.Model(inputs, [first, second]))
    model.compile(
        keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        loss=["mse", keras.losses.Huber()],
        loss_weights=[1.0, 0.2],
        metrics=[["mae"], ["mse"]],
    )
    history = model.fit(X, [Y, 2 * Y], epochs=2, batch_size=24, shuffle=False, verbose=0)
    return history.history, model.evaluate(X, [Y, 2 * Y], verbose=0), model.metrics_names[:1]


@program
def residuals_and_shared_layers(keras, tmp_path):
    layers = keras.layers
    inputs = keras.Input(shape=(4,))
    block = layers.Dense(4, activation="tanh", name="shared")
    x = layers.add([block(inputs), inputs])
    x = block(x) + x
    x = x * 2.0 - inputs / 4.0
    x = keras.ops.concatenate([x, keras.ops.square(inputs)], axis=-1)
    x = layers.Dropout(0.0)(x)
    outputs = layers.Dense(1)(keras.activations.relu(x))
    model = start(keras.Model(inputs, outputs))
    model.compile("adam", "mean_absolute_error")
    history = model.fit(X, Y, epochs=2, batch_size=16, shuffle=False, verbose=0)
    return history.history, model.get_weights(), model.count_params()


@program
def models_as_layers_and_extractors(keras, tmp_path):
    inputs = keras.Input((4,), name="rows")
    x = keras.layers.Dense(5, activation="relu", name="first")(inputs)
    x = keras.layers.Dense(2, name="code")(x)
    encoder = keras.Model(inputs, x, name="encoder")
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)], name="decoder")
    outer = keras.Input((4,))
    auto = keras.Model(outer, decoder(encoder(outer)), name="auto")
    start(auto)
    auto.compile("adam", "mse")
    auto.fit(X, X, epochs=1, batch_size=16, shuffle=False, verbose=0)
    one = keras.Model(encoder.input, encoder.get_layer("first").output)
    all_of_them = keras.Model(encoder.inputs, [layer.output for layer in encoder.layers[-2:]])
    linked = keras.Model(encoder.input, decoder(encoder.output))
    middle = keras.Model(encoder.get_layer("code").input, encoder.outputs)
    history = auto.fit(X, X, epochs=1, batch_size=16, shuffle=False, verbose=0).history
    return {
        "history": history,
        "auto": auto.predict(X, verbose=0),
        "one": one.predict(X, verbose=0),
        "all": all_of_them.predict(X, verbose=0),
        "linked": linked.predict(X, verbose=0),
        "middle": middle.predict(np.ones((2, 5), "float32"), verbose=0),
        "names": [layer.name for layer in auto.layers[-2:]],
        "ensemble": _ensemble(keras).predict(X, verbose=0),
    }


def _ensemble(keras):
    members = [
        start(keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]), seed) for seed in (1, 2)
    ]
    inputs = keras.Input(shape=(4,))
    return keras.Model(inputs, keras.layers.average([m(inputs) for m in members]))


@program
def extractor_from_a_sequential(keras, tmp_path):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(3, activation="relu", name="features"),
            keras.layers.Dense(2),
        ]
    )
    start(model)
    extractor = keras.Model(inputs=model.inputs, outputs=model.get_layer(name="features").output)
    every = keras.Model(model.inputs, [layer.output for layer in model.layers])
    return (
        np.asarray(extractor(X)),
        [np.asarray(v) for v in every(X)],
        model.outputs[0].shape,
        model.layers[0].output.shape,
    )


@program
def transfer_learning(keras, tmp_path):
    base = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(6, activation="relu"),
         keras.layers.BatchNormalization()], name="base",
    )  # fmt: skip
    start(base)
    base.trainable = False
    inputs = keras.Input(shape=(4,))
    x = base(inputs, training=False)
    outputs = keras.layers.Dense(1)(x)
    model = keras.Model(inputs, outputs)
    model.layers[-1].set_weights([np.full((6, 1), 0.1, "float32"), np.zeros(1, "float32")])
    counts = [len(model.trainable_weights), len(model.non_trainable_weights)]
    model.compile(keras.optimizers.Adam(0.1), keras.losses.MeanSquaredError())
    frozen = model.fit(X, Y, epochs=2, batch_size=16, shuffle=False, verbose=0).history
    kept = base.get_weights()
    base.trainable = True
    base.layers[-1].trainable = False
    model.compile(keras.optimizers.Adam(1e-3), keras.losses.MeanSquaredError())
    tuned = model.fit(X, Y, epochs=2, batch_size=16, shuffle=False, verbose=0).history
    counts += [len(model.trainable_weights), len(model.non_trainable_weights)]
    return frozen, kept, tuned, counts, model.get_weights()


# --------------------------------------------------------------------------- subclassed, own parts


@program
def own_layers(keras, tmp_path):
    class Linear(keras.layers.Layer):
        def __init__(self, units=32, **kwargs):
            super().__init__(**kwargs)
            self.units = units

        def build(self, input_shape):
            self.w = self.add_weight(
                shape=(input_shape[-1], self.units),
                initializer="random_normal",
                regularizer=keras.regularizers.L2(0.01),
                trainable=True,
                name="w",
            )
            self.b = self.add_weight(shape=(self.units,), initializer="zeros", trainable=True)

        def call(self, inputs):
            return keras.ops.matmul(inputs, self.w) + self.b

        def get_config(self):
            config = super().get_config()
            config.update({"units": self.units})
            return config

    class Gentle(Linear):
        def call(self, inputs):
            return keras.ops.tanh(super().call(inputs))

    class Block(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.one = Gentle(4)
            self.rest = [Linear(3), Linear(1, name="last")]
            self.rate = self.add_weight(shape=(), initializer="ones", name="rate")

        def call(self, inputs):
            x = self.one(inputs)
            for layer in self.rest:
                x = keras.activations.relu(layer(x))
            self.add_loss(1e-2 * keras.ops.sum(keras.ops.square(x)))
            return x * self.rate

    block = Block()
    shape = block(np.ones((3, 4), "float32")).shape
    layer = Linear.from_config(Linear(7, name="seven").get_config())
    inputs = keras.Input((4,))
    model = start(keras.Model(inputs, block(inputs)))
    model.compile("sgd", "mse")
    penalty = float(sum(block.one.losses))
    history = model.fit(X, Y, epochs=2, batch_size=16, shuffle=False, verbose=0)
    return {
        "shape": tuple(shape),
        "config": [layer.units, layer.name],
        "counts": [len(block.weights), len(block.trainable_weights)],
        "losses": [len(block.one.losses), penalty],
        "history": history.history,
        "weights": model.get_weights(),
    }


@program
def own_layer_with_state(keras, tmp_path):
    class ComputeSum(keras.layers.Layer):
        def __init__(self, input_dim):
            super().__init__()
            self.total = self.add_weight(initializer="zeros", shape=(input_dim,), trainable=False)

        def call(self, inputs):
            self.total.assign_add(keras.ops.sum(inputs, axis=0))
            return self.total

    layer = ComputeSum(2)
    first = np.array(layer(np.ones((2, 2), "float32")))
    second = np.array(layer(np.ones((2, 2), "float32")))

    class Counting(keras.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.calls = keras.Variable(0.0, trainable=False, name="calls")

        def call(self, inputs, training=False):
            if training:
                self.calls.assign(self.calls + 1.0)
            return inputs * 1.0

    counting = Counting()
    model = keras.Sequential([keras.Input((4,)), counting, keras.layers.Dense(1)])
    start(model)
    counting.calls.assign(0.0)
    model.compile("sgd", "mse")
    model.fit(X, Y, epochs=2, batch_size=16, verbose=0)
    counts = [len(layer.weights), len(layer.non_trainable_weights), len(layer.trainable_weights)]
    return first, second, counts, counting.calls.numpy()


@program
def subclassed_model(keras, tmp_path):
    class Net(keras.Model):
        def __init__(self, hidden, **kwargs):
            super().__init__(**kwargs)
            self.hidden = hidden
            self.first = keras.layers.Dense(hidden, activation="relu")
            self.drop = keras.layers.Dropout(0.5)
            self.out = keras.layers.Dense(1)

        def call(self, inputs, training=False):
            x = self.first(inputs)
            if training:
                x = x * 1.5
            x = self.drop(x, training=False)
            return self.out(x)

        def get_config(self):
            return {**super().get_config(), "hidden": self.hidden}

    model = Net(5, name="net")
    model(X)
    start(model)
    model.compile(optimizer="adam", loss="mse", metrics=["mae"])
    history = model.fit(X, Y, epochs=2, batch_size=16, shuffle=False, verbose=0)
    again = Net.from_config(model.get_config())
    return {
        "history": history.history,
        "weights": model.get_weights(),
        "again": [again.hidden, again.name],
        "layers": [type(layer).__name__ for layer in model.layers],
        "called": np.asarray(model(X, training=True)),
    }


@program
def own_losses(keras, tmp_path):
    def cubic(y_true, y_pred):
        return keras.ops.mean(keras.ops.abs(y_true - y_pred) ** 3, axis=-1)

    class Weighted(keras.losses.Loss):
        def __init__(self, factor=0.1, name="weighted", **kwargs):
            super().__init__(name=name, **kwargs)
            self.factor = factor

        def call(self, y_true, y_pred):
            squares = keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)
            penalty = keras.ops.mean(keras.ops.square(0.5 - y_pred), axis=-1)
            return squares + penalty * self.factor

    found = []
    weights = np.linspace(0, 2, 48).astype("float32")
    for loss in (cubic, Weighted(0.3), keras.losses.get("log_cosh")):
        model = start(keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]))
        model.compile("sgd", loss, metrics=[cubic])
        history = model.fit(
            X, Y, sample_weight=weights, epochs=2, batch_size=16, shuffle=False, verbose=0
        )
        found.append(history.history)
    return found, np.asarray(Weighted(1.0)(Y, Y * 2)), Weighted(0.3).name


@program
def own_metrics(keras, tmp_path):
    class TruePositives(keras.metrics.Metric):
        def __init__(self, name="true_positives", **kwargs):
            super().__init__(name=name, **kwargs)
            self.total = self.add_weight(name="tp", initializer="zeros")
            self.seen = self.add_variable(shape=(), initializer="zeros", name="seen")

        def update_state(self, y_true, y_pred, sample_weight=None):
            y_true = keras.ops.cast(y_true, "bool")
            hits = keras.ops.logical_and(y_true, keras.ops.greater(y_pred, 0.5))
            hits = keras.ops.cast(hits, "float32")
            if sample_weight is not None:
                hits = hits * keras.ops.reshape(sample_weight, (-1, 1))
            self.total.assign(self.total + keras.ops.sum(hits))
            self.seen.assign_add(keras.ops.cast(keras.ops.shape(y_true)[0], "float32"))

        def result(self):
            return self.total / self.seen

        def reset_state(self):
            self.total.assign(0.0)
            self.seen.assign(0.0)

    metric = TruePositives()
    metric.update_state(BITS, np.full((48, 1), 0.7, "float32"))
    alone = float(metric.result())
    metric.reset_state()
    model = start(
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")])
    )
    model.compile(
        keras.optimizers.SGD(0.5),
        "binary_crossentropy",
        metrics=[TruePositives(), "accuracy", keras.metrics.AUC(name="auc")],
        weighted_metrics=[TruePositives(name="weighted")],
    )
    history = model.fit(
        X,
        BITS,
        epochs=2,
        batch_size=16,
        shuffle=False,
        verbose=0,
        sample_weight=np.linspace(0, 1, 48).astype("float32"),
        validation_data=(X[:20], BITS[:20]),
    )
    return alone, history.history, [float(v) for v in metric.variables[:1]]


# ------------------------------------------------------------------------------------- training


@program
def arguments_of_fit(keras, tmp_path):
    def fresh():
        model = start(
            keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
        )
        model.compile("sgd", "categorical_crossentropy", metrics=["acc", "categorical_accuracy"])
        return model

    hot = keras.utils.to_categorical(LABELS, num_classes=3)
    quiet = {"shuffle": False, "verbose": 0}
    classes = fresh().fit(X, hot, 16, 2, class_weight={0: 1.0, 1: 2.0, 2: 0.5}, **quiet)
    held = fresh().fit(
        x=X,
        y=hot,
        batch_size=10,
        epochs=3,
        validation_data=(X[:7], hot[:7], np.ones(7)),
        validation_freq=2,
        initial_epoch=1,
        steps_per_epoch=None,
        **quiet,
    )

    def endless():
        while True:
            for i in range(0, 48, 16):
                yield X[i : i + 16], hot[i : i + 16]

    streamed = fresh().fit(
        endless(), steps_per_epoch=3, epochs=2, verbose=0, validation_data=(X, hot)
    )  # fmt: skip
    return classes.history, held.history, held.epoch, streamed.history


@program
def data_from_a_sequence(keras, tmp_path):
    class Rows(keras.utils.PyDataset):
        def __init__(self, size, **kwargs):
            super().__init__(**kwargs)
            self.size = size

        def __len__(self):
            return 48 // self.size

        def __getitem__(self, index):
            rows = slice(index * self.size, (index + 1) * self.size)
            return X[rows], Y[rows]

    model = start(keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]))
    model.compile("sgd", "mse")
    history = model.fit(Rows(16), epochs=2, shuffle=False, verbose=0, validation_data=Rows(24))
    return history.history, model.evaluate(Rows(12), verbose=0), model.predict(Rows(24), verbose=0)


@program
def batch_by_batch(keras, tmp_path):
    model = start(keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]))
    model.compile("sgd", "mse", metrics=["mae"])
    found = []
    for _ in range(3):
        for i in range(0, 48, 24):
            logs = model.train_on_batch(X[i : i + 24], Y[i : i + 24], return_dict=True)
        found.append(logs)
        model.reset_metrics()
    found.append(model.train_on_batch(X, Y, sample_weight=np.arange(48.0)))
    model.reset_metrics()
    found.append(model.test_on_batch(X, Y, return_dict=True))
    return found, model.predict_on_batch(X[:3])


@program
def losses_of_ones_own(keras, tmp_path):
    class Tracked(keras.Model):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.loss_tracker = keras.metrics.Mean(name="loss")

        def compute_loss(self, x, y, y_pred, sample_weight, training=True):
            loss = keras.ops.mean((y_pred - y) ** 2) + 0.1 * keras.ops.mean(keras.ops.abs(y_pred))
            self.loss_tracker.update_state(loss)
            return loss

        @property
        def metrics(self):
            return [self.loss_tracker]

    class Doubled(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden = keras.layers.Dense(3, "tanh", kernel_regularizer="l2")
            self.out = keras.layers.Dense(1)

        def call(self, x):
            hidden = self.hidden(x)
            self.add_loss(0.5 * keras.ops.mean(keras.ops.square(hidden)))
            return self.out(hidden)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return 2.0 * super().compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)

        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            results = super().compute_metrics(x, y, y_pred, sample_weight)
            return {"seven": 7.0, **results}

    inputs = keras.Input((4,))
    drawn = start(Tracked(inputs, keras.layers.Dense(1)(inputs)))
    drawn.compile(keras.optimizers.SGD(0.05), loss=None)
    histories = [drawn.fit(X, Y, epochs=3, batch_size=20, shuffle=False, verbose=0).history]
    called = Doubled()
    called(X[:1])
    start(called)
    called.compile("adam", "mse", metrics=["mae"])
    weights = np.linspace(0.5, 1.5, 48).astype("float32")
    how = {"epochs": 2, "batch_size": 20, "shuffle": False, "verbose": 0}
    valid = called.fit(X, Y, sample_weight=weights, validation_data=(X[::-1], Y), **how)
    histories.append(valid.history)
    outside = float(called.compute_loss(x=X, y=Y, y_pred=called(X)))
    measured = called.evaluate(X, Y, verbose=0, return_dict=True)
    return histories, outside, measured, called.get_weights()


@program
def accuracies_of_all_kinds(keras, tmp_path):
    hot = keras.utils.to_categorical(LABELS)
    found = []
    for units, activation, loss, y in (
        (1, "sigmoid", "binary_crossentropy", BITS),
        (1, "sigmoid", "binary_crossentropy", BITS[:, 0]),
        (1, None, keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1), BITS),
        (3, "softmax", keras.losses.CategoricalCrossentropy(label_smoothing=0.1), hot),
        (3, None, keras.losses.SparseCategoricalCrossentropy(from_logits=True), LABELS),
        (1, None, "hinge", BITS),
        (3, "softmax", "kl_divergence", hot),
    ):
        model = start(
            keras.Sequential([keras.Input((4,)), keras.layers.Dense(units, activation=activation)])
        )
        model.compile("adam", loss, metrics=["accuracy"])
        history = model.fit(X, y, epochs=1, batch_size=16, shuffle=False, verbose=0)
        found.append(history.history)
    return found


@program
def callbacks_of_all_kinds(keras, tmp_path):
    heard = []

    class Hearing(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            heard.append(["begin", sorted(logs or {})])

        def on_epoch_begin(self, epoch, logs=None):
            heard.append(["epoch", epoch, float(np.array(self.model.optimizer.learning_rate))])

        def on_train_batch_end(self, batch, logs=None):
            heard.append(["batch", batch, sorted(logs), float(logs["loss"])])

        def on_epoch_end(self, epoch, logs=None):
            heard.append(["ended", epoch, sorted(logs), self.params["epochs"]])
            if logs["val_loss"] < 0:
                self.model.stop_training = True

    def rate(epoch, lr):
        return lr if epoch < 2 else float(lr * 0.5)

    lines = []
    model = start(keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]))
    model.compile(keras.optimizers.SGD(0.05), "mse")
    best = str(tmp_path / "best.keras")
    history = model.fit(
        X,
        Y,
        epochs=5,
        batch_size=24,
        shuffle=False,
        verbose=0,
        validation_data=(X[:10], Y[:10]),
        callbacks=[
            Hearing(),
            keras.callbacks.LearningRateScheduler(rate),
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: lines.append(epoch)),
            keras.callbacks.CSVLogger(str(tmp_path / "log.csv")),
            keras.callbacks.ModelCheckpoint(best, monitor="val_loss", save_best_only=True),
            keras.callbacks.TerminateOnNaN(),
        ],
    )
    table = (tmp_path / "log.csv").read_text().splitlines()
    again = keras.models.load_model(best)
    return {
        "heard": heard,
        "history": history.history,
        "lines": lines,
        "table": [table[0].split(","), len(table)],
        "best": again.get_weights(),
        "last": model.history.history["loss"][-1],
    }


@program
def stopping_early_and_plateaus(keras, tmp_path):
    def run(*callbacks, lr=0.9):
        model = start(keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]))
        model.compile(keras.optimizers.SGD(learning_rate=lr), "mse")
        history = model.fit(
            X, Y, epochs=8, batch_size=48, validation_data=(X2[:, :1] + X, Y), shuffle=False,
            verbose=0, callbacks=list(callbacks),
        )  # fmt: skip
        return history.history, model.get_weights()

    stop = keras.callbacks.EarlyStopping(
        monitor="val_loss", patience=2, restore_best_weights=True, min_delta=0.5, mode="min"
    )
    return (
        run(stop, lr=0.1),
        [stop.stopped_epoch, stop.best_epoch, float(stop.best)],
        run(
            keras.callbacks.ReduceLROnPlateau(
                monitor="loss", factor=0.2, patience=2, min_lr=0.001, min_delta=0.5
            ),
            lr=0.1,
        ),
        run(keras.callbacks.EarlyStopping("loss", patience=0, baseline=0.001)),
    )


@program
def schedules(keras, tmp_path):
    found = []
    for make in (
        lambda s: s.ExponentialDecay(initial_learning_rate=1e-2, decay_steps=3, decay_rate=0.9),
        lambda s: s.CosineDecay(1e-2, 5, warmup_target=0.1, warmup_steps=2),
        lambda s: s.PiecewiseConstantDecay([2, 4], [0.1, 0.05, 0.01]),
    ):
        schedule = make(keras.optimizers.schedules)
        model = start(keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]))
        model.compile(keras.optimizers.Adam(learning_rate=schedule, clipnorm=1.0), "mse")
        history = model.fit(X, Y, epochs=2, batch_size=16, shuffle=False, verbose=0)
        found.append([history.history, float(np.array(model.optimizer.learning_rate))])
    return found


@program
def regularizers_constraints_and_initializers(keras, tmp_path):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(
                5,
                kernel_regularizer=keras.regularizers.l1_l2(l1=1e-3, l2=1e-2),
                bias_regularizer="l2",
                activity_regularizer=keras.regularizers.L2(1e-2),
                kernel_constraint=keras.constraints.MaxNorm(0.8),
                kernel_initializer=keras.initializers.HeNormal(seed=1),
            ),
            keras.layers.PReLU(),
            keras.layers.LayerNormalization(),
            keras.layers.Dense(1, kernel_constraint="non_neg", kernel_initializer="ones"),
        ]
    )
    ones = model.layers[-1].get_weights()
    start(model)
    model.compile(keras.optimizers.AdamW(0.01, weight_decay=0.01), "mse")
    penalties = len(model.losses)
    history = model.fit(X, Y, epochs=2, batch_size=16, shuffle=False, verbose=0)
    return ones, history.history, model.get_weights(), penalties


@program
def words_and_recurrence(keras, tmp_path):
    inputs = keras.Input(shape=(5,), dtype="int32")
    x = keras.layers.Embedding(10, 4)(inputs)
    x = keras.layers.SimpleRNN(3, return_sequences=True)(x)
    x = keras.layers.SimpleRNN(3)(x)
    model = start(keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(x)))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(WORDS, BITS, epochs=2, batch_size=16, shuffle=False, verbose=0)
    return history.history, model.get_weights()


@program
def normalisation_layer(keras, tmp_path):
    layer = keras.layers.Normalization()
    layer.adapt(X)
    model = keras.Sequential([keras.Input((4,)), layer, keras.layers.Dense(1)])
    model.layers[-1].set_weights([np.ones((4, 1)), np.zeros(1)])
    reshaped = keras.Sequential(
        [
            keras.Input((2, 2)),
            keras.layers.Flatten(),
            keras.layers.Rescaling(1 / 255, offset=-1.0),
            keras.layers.Reshape((4, 1)),
            keras.layers.Permute((2, 1)),
        ]
    )
    return model.predict(X, verbose=0), reshaped.predict(X.reshape(48, 2, 2), verbose=0)


@program
def own_loop_with_apply_gradients(keras, tmp_path):
    v, w = keras.Variable([1.0, 2.0]), keras.Variable(np.ones((2, 2), "float32"), name="w")
    optimizer = keras.optimizers.Adam(learning_rate=0.1)
    for _ in range(3):
        gradients = [keras.ops.convert_to_tensor(g) for g in (2 * np.array(v), np.array(w) - 3.0)]
        optimizer.apply_gradients(zip(gradients, [v, w], strict=True))
    v.assign_add([1.0, 1.0])
    w.assign_sub(np.ones((2, 2)))
    return (
        v.numpy(),
        np.array(w + 1.0),
        np.array(keras.ops.sum(v * 2)),
        [w.shape, w.name, w.trainable, str(np.dtype(str(w.dtype)))],
        int(np.array(optimizer.iterations)),
        float(np.array(optimizer.learning_rate)),
        float(np.array(v[0])),
    )


# ------------------------------------------------------------------------------ looking, keeping


@program
def saving_and_loading(keras, tmp_path):
    def scaled(x):
        return keras.ops.tanh(x) * 2.0

    class Scale(keras.layers.Layer):
        def __init__(self, start=1.0, **kwargs):
            super().__init__(**kwargs)
            self.start = start

        def build(self, input_shape):
            self.factor = self.add_weight(
                shape=(input_shape[-1],), initializer=keras.initializers.Constant(self.start)
            )

        def call(self, inputs):
            return inputs * self.factor

        def get_config(self):
            return {**super().get_config(), "start": self.start}

    inputs = keras.Input((4,))
    x = keras.layers.Dense(3, activation=scaled)(inputs)
    model = start(keras.Model(inputs, keras.layers.Dense(1)(Scale(2.0)(x))))

    def gap(y_true, y_pred):
        return keras.ops.max(keras.ops.abs(y_true - y_pred), axis=-1)

    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae", gap])
    model.fit(X, Y, epochs=1, batch_size=16, shuffle=False, verbose=0)
    path = tmp_path / "model.keras"
    model.save(path)
    custom = {"Scale": Scale, "scaled": scaled, "gap": gap}
    again = keras.models.load_model(path, custom_objects=custom)
    with keras.utils.custom_object_scope(custom):
        third = keras.saving.load_model(str(path))
        cloned = keras.models.clone_model(model)
        rebuilt = keras.Model.from_config(model.get_config())
        read = keras.models.model_from_json(model.to_json())
    more = again.fit(X, Y, epochs=2, batch_size=16, shuffle=False, verbose=0).history
    model.save_weights(tmp_path / "kept.weights.h5")
    rebuilt.load_weights(tmp_path / "kept.weights.h5")
    return {
        "predicted": again.predict(X, verbose=0),
        "more": more,
        "third": third.get_weights(),
        "rebuilt": rebuilt.predict(X, verbose=0),
        "shapes": [cloned.count_params(), read.count_params()],
        "first": model.get_weights(),
    }


@program
def registered_objects(keras, tmp_path):
    @keras.saving.register_keras_serializable(package="Ours")
    class Doubling(keras.layers.Layer):
        def call(self, inputs):
            return inputs * 2.0

    @keras.saving.register_keras_serializable()
    def away(y_true, y_pred):
        return keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=-1)

    model = keras.Sequential([keras.Input((4,)), Doubling(), keras.layers.Dense(1)])
    start(model)
    model.compile("sgd", away)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    return again.predict(X, verbose=0), again.evaluate(X, Y, verbose=0)


@program
def configs(keras, tmp_path):
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, activation="relu", name="a")], name="m"
    )
    again = keras.Sequential.from_config(model.get_config())
    layer = keras.layers.Dense(2, activation="relu", use_bias=False, name="d")
    config = layer.get_config()
    dense = keras.layers.Dense.from_config(config)
    copy = keras.layers.deserialize(keras.layers.serialize(layer))
    adam = keras.optimizers.Adam.from_config(keras.optimizers.Adam(0.3, beta_1=0.8).get_config())
    smooth = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2)
    loss = keras.losses.BinaryCrossentropy.from_config(smooth.get_config())
    return {
        "again": [again.name, again.layers[0].name, again.count_params()],
        "config": {k: config[k] for k in ("name", "trainable", "units", "activation", "use_bias")},
        "dense": [dense.units, dense.use_bias, dense.name, copy.units],
        "adam": [float(np.array(adam.learning_rate)), adam.beta_1],
        "loss": np.asarray(loss(BITS, Y)),
        "output": layer.compute_output_shape((None, 7)),
        "gets": [
            type(keras.layers.get("dense") if hasattr(keras.layers, "get") else layer).__name__,
            type(keras.optimizers.get("rmsprop")).__name__,
            type(keras.initializers.get("he_normal")).__name__,
            type(keras.regularizers.get("l2")).__name__,
            keras.activations.get("relu").__name__,
            keras.activations.serialize(keras.activations.gelu),
        ],
    }


@program
def summaries(keras, tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="the_layer")])
    lines = []
    model.summary(print_fn=lambda line, *_, **__: lines.append(line))
    text = "\n".join(lines)
    return "the_layer" in text, "15" in text, "(None, 3)" in text


@program
def seeds(keras, tmp_path):
    found = []
    for _ in range(2):
        keras.utils.set_random_seed(812)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        found.append(model.get_weights()[0])
    seeded = [keras.initializers.GlorotUniform(seed=3)((2, 2)) for _ in range(2)]
    return bool((found[0] == found[1]).all()), bool((np.array(seeded[0]) == seeded[1]).all())


@program
def operations(keras, tmp_path):
    ops = keras.ops
    a, b = X[:3], X[3:6]
    found = {
        "mean": ops.mean(a), "mean_axis": ops.mean(a, axis=-1, keepdims=True),
        "sum": ops.sum(a, axis=0), "max": ops.max(a, axis=1), "min": ops.min(a),
        "var": ops.var(a, axis=0), "std": ops.std(a, axis=0), "prod": ops.prod(a, axis=1),
        "square": ops.square(a), "sqrt": ops.sqrt(ops.abs(a)),
        "exp": ops.exp(a), "log": ops.log(ops.abs(a)), "log1p": ops.log1p(ops.abs(a)),
        "relu": ops.relu(a), "sigmoid": ops.sigmoid(a), "tanh": ops.tanh(a),
        "softmax": ops.softmax(a), "softmax0": ops.softmax(a, axis=0),
        "log_softmax": ops.log_softmax(a), "softplus": ops.softplus(a),
        "matmul": ops.matmul(a, b.T), "transpose": ops.transpose(a),
        "swap": ops.swapaxes(a, 0, 1), "reshape": ops.reshape(a, (-1, 2)),
        "concatenate": ops.concatenate([a, b], axis=-1), "stack": ops.stack([a, b], axis=1),
        "expand": ops.expand_dims(a, -1), "squeeze": ops.squeeze(ops.expand_dims(a, 1)),
        "maximum": ops.maximum(a, b), "minimum": ops.minimum(a, 0.0),
        "where": ops.where(a > 0, a, b), "clip": ops.clip(a, -0.5, 0.5),
        "add": ops.add(a, b), "subtract": ops.subtract(a, b), "multiply": ops.multiply(a, b),
        "divide": ops.divide(a, b), "power": ops.power(ops.abs(a), 1.5),
        "negative": ops.negative(a),
        "argmax": ops.argmax(a, axis=-1), "argsort": ops.argsort(a, axis=-1),
        "one_hot": ops.one_hot(LABELS[:4], 3), "cumsum": ops.cumsum(a, axis=1),
        "logsumexp": ops.logsumexp(a, axis=-1), "norm": ops.norm(a, axis=-1),
        "cast": ops.cast(LABELS[:3], "float32"), "zeros": ops.zeros((2, 3)), "ones": ops.ones(3),
        "zeros_like": ops.zeros_like(a), "ones_like": ops.ones_like(a),
        "take": ops.take(a, np.array([0, 2]), axis=0), "flip": ops.flip(a, axis=0),
        "pad": ops.pad(a, [(1, 0), (0, 2)]), "broadcast": ops.broadcast_to(a[0], (2, 4)),
        "equal": ops.equal(LABELS[:3], 1), "greater": ops.greater(a, b), "sign": ops.sign(a),
        "and": ops.logical_and(a > 0, b > 0), "or": ops.logical_or(a > 0, b > 0),
        "not": ops.logical_not(a > 0),
        "floor": ops.floor(a),
        "erf": ops.erf(a), "sin": ops.sin(a), "cos": ops.cos(a),
        "numpy": ops.convert_to_numpy(ops.convert_to_tensor(a)), "shape": ops.shape(a),
        "flat": ops.sum(a, axis=(0, 1)),
    }  # fmt: skip
    return {k: v if isinstance(v, tuple) else np.asarray(v) for k, v in found.items()}


@pytest.fixture
def registries(monkeypatch):
    """Forget what a program registers."""
    for registry in _open_registries():
        monkeypatch.setattr(registry, "known", dict(registry.known))
        monkeypatch.setattr(registry, "shown", set(registry.shown))


@pytest.mark.usefixtures("registries")
@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
def test_runs_with_the_import_changed(function, tmp_path):
    folders = [tmp_path / name for name in ("keras", "trasluz")]
    for folder in folders:
        folder.mkdir()
    # what Keras does to NumPy is its own affair
    with warnings.catch_warnings(action="ignore"), keras_in("float32") as keras:
        expected = function(keras, folders[0])
    same(expected, function(trasluz, folders[1]))


# ------------------------------------------------------------------- what such programs lean on


@pytest.mark.parametrize("engine", ["numpy", "xla"])
def test_variables_move_in_steps_of_both_engines(engine):
    class Counting(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.rows = self.add_weight(shape=(), initializer="zeros", trainable=False)
            self.set = self.add_weight(shape=(), initializer="zeros", trainable=False)
            self.scales = [self.add_weight(shape=(), initializer="ones") for _ in range(2)]

        def call(self, inputs, training=False):
            if training:
                self.rows.assign_add(ops.sum(inputs[:, 0] * 0 + 1))
                self.set = self.set + 1
            return inputs * self.scales[0] - self.scales[1]

    class Largest(metrics.Metric):
        def __init__(self, name="largest", **kwargs):
            super().__init__(name=name, **kwargs)
            self.largest = self.add_weight(name="largest", initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.largest.assign(ops.maximum(self.largest, ops.max(y_true)))

        def result(self):
            return self.largest

    counting = Counting(name="counting")
    model = Sequential([Input((4,)), counting, layers.Dense(1)])
    assert [w.path for w in counting.weights] == [
        "counting/variable", "counting/variable_1", "counting/rows", "counting/set",
    ]  # fmt: skip
    model.compile("sgd", "mse", metrics=[Largest()], engine=engine)
    history = model.fit(X, Y, batch_size=16, epochs=2, verbose=0).history
    assert float(counting.rows) == 96
    assert int(counting.set) == 6
    assert float(counting.scales[0]) != 1
    np.testing.assert_allclose(history["largest"], [Y.max()] * 2)
    twin = read(model)
    assert isinstance(twin["counting/rows"], np.ndarray)


def test_drawing_a_model_moves_nothing():
    class Steps(layers.Layer):
        def __init__(self):
            super().__init__()
            self.steps = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, inputs):
            self.steps.assign_add(1.0)
            return inputs

    layer = Steps()
    x = Input((2,))
    Model(x, layer(layer(x)))
    assert float(layer.steps) == 0
    layer(np.ones((1, 2)))
    assert float(layer.steps) == 1


def test_layers_of_the_same_name_keep_their_own_weights():
    class Two(Model):
        def __init__(self):
            super().__init__()
            self.a, self.b = layers.Dense(2, name="same"), layers.Dense(2, name="same")

        def call(self, inputs):
            return self.b(self.a(inputs))

    model = Two()
    model(X)
    assert len(read(model)) == len(model.weights) == 4


def test_a_variable_is_an_array_in_computations():
    v = Variable([[1.0, 2.0]], name="v")
    slope = tape.grad(lambda x: ops.sum(ops.matmul(v, x) * v[0, 1] - v))(np.ones((2, 1)))
    np.testing.assert_allclose(slope, [[2 * 2], [4 * 2]])
    assert (v == v).all()
    assert (np.ones((1, 2)) + v).tolist() == [[2, 3]]
    assert -v.assign_sub([[1, 1]])[0, 1] == -1
    assert bool(Variable(1)) is True
    v.trainable = False
    assert not v.trainable
    drawn = Variable(initializers.Ones(), shape=(2,), dtype="float64")
    assert (drawn.dtype, drawn.numpy().tolist()) == (np.float64, [1, 1])
    with pytest.raises(UserError, match=r"\(3,\).*\(2,\)"):
        drawn.assign(np.ones(3))


def test_a_layer_that_was_not_drawn_has_no_ends():
    with pytest.raises(UserError, match="has not been called on symbolic tensors"):
        _ = layers.Dense(2).output


def test_a_dataset_hears_the_end_of_each_epoch():
    class Rows(utils.PyDataset):
        ended = 0

        def __len__(self):
            return 2

        def __getitem__(self, index):
            return X[index : index + 8], Y[index : index + 8]

        def on_epoch_end(self):
            self.ended += 1

    rows = Rows(workers=2)
    model = Sequential([Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(rows, epochs=3, verbose=0)
    assert rows.ended == 3
