"""What is given in Python: kinds, ranges and sizes are told before anything is done with them."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import trasluz
from trasluz import (
    Input,
    Model,
    Sequential,
    callbacks,
    config,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    regularizers,
    utils,
)  # fmt: skip
from trasluz.base.messages import LANGUAGES
from trasluz.errors import UserError

SOURCE = Path(trasluz.__file__).parent
X = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
Y = X[:, :1]


def network(**how):
    model = Sequential([Input((4,)), layers.Dense(3, "tanh"), layers.Dense(1)])
    model.compile(**{"optimizer": "sgd", "loss": "mse", "engine": "numpy", **how})
    return model


class Forgets(layers.Layer):
    def __init__(self):
        self.dense = layers.Dense(2)

    def call(self, x):
        return self.dense(x)


def taught(function):
    """Train a model whose call uses a function."""

    class Own(Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, x):
            return function(self.dense(x))

    model = Own()
    model.compile("sgd", "mse", engine="numpy")
    model.fit(X, np.ones((16, 2)), verbose=0)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: layers.Dropout("a"), "Dropout: rate has to be a number, it is 'a'"),
        (lambda: layers.Dropout(float("nan")), "rate has to be a number, it is nan"),
        (lambda: layers.Dense(2, use_bias="yes"), "use_bias has to be True or False"),
        (lambda: layers.Dense(2, unit=3), "unknown argument of Dense 'unit'.*did you mean 'units'"),
        (lambda: layers.Dense(2.5), "units has to be a whole number"),
        (lambda: layers.Dense(2, name=7), "name has to be a text or None"),
        (lambda: layers.Reshape("ab"), "target_shape has to be whole numbers in a list"),
        (lambda: Sequential([Input((3, 4)), layers.Permute((5,))]), "permute"),
        (lambda: Sequential([Input((4,)), layers.RepeatVector(0)]), "n is 0"),
        (lambda: Sequential([Input((4,)), layers.Embedding(0, 2)]), "input_dim is 0"),
        (lambda: Sequential(3), "the layers are 3"),
        (lambda: Sequential([Input((4,)), "Dense"]), "'Dense' is not a layer"),
        (lambda: Model((None,), None), "inputs or outputs are missing"),
        (lambda: Input("ab"), "'ab' is not a shape"),
        (lambda: Input((4,), dtype="U5"), "'U5' is no type of numbers"),
        (lambda: layers.Add()([np.ones((2, 3)), np.ones((2, 4))]), r"add: .*\(2, 3\), \(2, 4\)"),
        (lambda: layers.Dense(2)([[1.0, 2.0]]), "reads one array, a list of 1 was given.*np.array"),
        (lambda: layers.Conv2D(0, 3)(np.ones((1, 5, 5, 1))), "filters is 0"),
        (lambda: layers.SeparableConv1D(-1, 3)(np.ones((1, 5, 1))), "filters is -1"),
        (lambda: layers.LSTM(2)(layers.LSTM(2)(Input((3, 4)))), "return_sequences=True"),
        (lambda: network().predict(X[0]), r"add the axis of rows: x\[None\]"),
        (lambda: Sequential([Input((4, 1)), layers.Conv1D(2, 3)]).predict(X), "channels: x.*None"),
        (
            lambda: layers.Dense(2)(layers.Flatten()(Input((None, None, 1)))),
            "GlobalAveragePooling instead of Flatten",
        ),
        (
            lambda: losses.sparse_categorical_crossentropy(np.ones(3), np.ones((3, 4, 2))),
            "one output a row.*return_sequences",
        ),
        (
            lambda: losses.sparse_categorical_crossentropy(np.ones((3, 2)), np.ones((3, 2))),
            "'categorical_crossentropy' for one-hot",
        ),
        (lambda: Forgets()(np.ones((2, 3))), r"Forgets: .*super\(\).__init__\(\)"),
        (lambda: Forgets()(Input((3,))), r"Forgets: .*super\(\).__init__\(\)"),
        (lambda: taught(np.tanh), r"value that has no numbers yet \(tanh\).*trasluz\.ops"),
        (lambda: optimizers.SGD({"a": 1}), "the learning rate is {'a': 1}"),
        (lambda: optimizers.SGD(0.1, momentum="much"), "momentum has to be a number"),
        (lambda: losses.Huber(delta=[]), r"delta has to be a number, it is \[\]"),
        (lambda: losses.Huber(dtype="U5"), "'U5' is no type of numbers"),
        (lambda: losses.get(type), "does not name a loss"),
        (lambda: metrics.Precision(thresholds="high"), "thresholds are 'high'"),
        (lambda: metrics.MeanIoU(2)(np.ones((2, 3)), "x"), "mean_io_u: it does not go with"),
        (lambda: initializers.RandomNormal(seed="s"), "seed has to be a whole number or None"),
        (lambda: regularizers.L1("x"), "l1 has to be a number"),
        (lambda: constraints.UnitNorm(9)(np.ones((2, 2))), "there is no axis 9"),
        (lambda: callbacks.EarlyStopping(patience="long"), "patience has to be a whole number"),
        (lambda: callbacks.ModelCheckpoint("m", save_freq=0), "save_freq is 0"),
        (lambda: callbacks.BackupAndRestore("m", save_freq=-1), "save_freq is -1"),
        (lambda: callbacks.CSVLogger("m", separator=";;"), "separator is ';;'"),
        (lambda: utils.set_random_seed(-1), "the seed is -1"),
        (lambda: utils.set_random_seed("x"), "seed has to be a whole number"),
        (lambda: utils.normalize([1.0], axis=4), "there is no axis 4"),
        (lambda: utils.to_categorical([2], 2), "2 is not a class number"),
        (lambda: utils.to_categorical(10**9), "too much for memory"),
        (lambda: network().set_weights(None), "the weights are None"),
        (lambda: network().set_weights(3), "the weights are 3"),
        (lambda: network().fit(X, Y, verbose="x"), "verbose is 'x'"),
        (lambda: network().fit(X, Y, verbose=0, shuffle="no"), "shuffle has to be True or False"),
        (lambda: network().fit(X, Y, verbose=0, callbacks=["x"]), "'x' is not a callback"),
        (lambda: network().fit(X, Y, verbose=0, validation_data=3), "validation_data is 3"),
        (lambda: network().fit(X, Y, verbose=0, batchsize=3), "did you mean 'batch_size'"),
        (lambda: network().train_on_batch(X, Y, return_dict="y"), "return_dict is 'y'"),
        (lambda: network().save(3), "filepath has to be a text or a path"),
        (lambda: network().save("a\0b"), "no file can be called so"),
        (lambda: network().save("\ud800"), "no file can be called so"),
        (lambda: config.set_most_numbers(0), "0 is no bound"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_told(make, said):
    with pytest.raises(UserError, match=said) as caught:
        make()
    assert caught.value.mend


def test_what_can_be_meant_is_taken():
    """Numbers of NumPy, truths as numbers, paths, lists for tuples."""
    model = Sequential(
        [
            Input([np.int64(4)]),
            layers.Dense(np.int64(3), use_bias=np.True_),
            layers.Dropout(np.float32(0.5)),
            layers.Reshape([3, 1]),
            layers.Flatten(),
            layers.Dense(np.int8(1)),
        ]
    )
    model.compile(optimizers.SGD(np.float64(0.1)), "mse", engine="numpy")
    stopping = callbacks.EarlyStopping("loss", min_delta=np.float32(0), patience=1, verbose=True)
    model.fit(X, Y, epochs=np.int64(1), shuffle=1, verbose=np.int64(0), callbacks=(stopping,))
    assert model.count_params() == 4 * 3 + 3 + 3 + 1


class Gives(layers.Layer):
    """A layer of one's own that gives what it was told to."""

    def __init__(self, result):
        super().__init__(name="mine")
        self.result = result

    def call(self, inputs):
        return self.result(inputs) if callable(self.result) else self.result


@pytest.mark.parametrize("result", [None, "text", 3.5, [], np.array("x"), np.array([None])])
def test_a_layer_of_ones_own_that_gives_no_array_is_named(result):
    with pytest.raises(UserError, match=r"mine: it gives .* where an array of numbers belongs"):
        Sequential([Input((4,)), Gives(result)])


@pytest.mark.parametrize("engine", ["numpy", "xla"])
def test_losses_and_metrics_of_ones_own_that_give_no_array_are_named(engine):
    model = network(loss=lambda t, p: None, engine=engine)
    with pytest.raises(UserError, match="lambda>: it does not go with targets of shape"):
        model.fit(X, Y, verbose=0)
    model = network(metrics=[lambda t, p: "x"], engine=engine)
    with pytest.raises(UserError, match="lambda>: it does not go with"):
        model.fit(X, Y, verbose=0)


def test_what_does_not_fit_says_which_layer_and_keeps_its_cause():
    wrong = layers.Dense(2, activation=lambda z: z + np.ones((2, 9)))
    with pytest.raises(UserError, match=r"dense: its call does not go with .*\(2, 4\)") as caught:
        Sequential([Input((4,)), Sequential([wrong])])
    cause = caught.value.__cause__
    assert type(cause) is ValueError and "broadcast" in str(cause)


@pytest.mark.parametrize("kind", [KeyError, type("Mine", (ValueError,), {}), UserError])
def test_exceptions_of_ones_own_stay_what_they_are(kind):
    """A layer of one's own may raise what it likes; a note says where it was."""

    def fail(x):
        raise kind("mine")

    with pytest.raises(kind) as caught:
        Sequential([Input((4,)), Sequential([Gives(fail)])])
    assert type(caught.value) is kind and caught.value.__cause__ is None
    told = "".join(getattr(caught.value, "__notes__", []))
    assert kind is not KeyError or "in the call of the layer 'mine', inputs of shape (2, 4)" in told
    if kind is not UserError:
        own = layers.Dense(2, activation=fail)
        with pytest.raises(UserError if kind is KeyError else kind):
            Sequential([Input((4,)), own])


def test_an_initializer_that_gives_another_shape_is_named():
    wrong = lambda shape, dtype=None: np.ones((2, 2))  # noqa: E731
    with pytest.raises(UserError, match=r"for a weight of shape \(4, 3\)"):
        Sequential([Input((4,)), layers.Dense(3, kernel_initializer=wrong)])


@pytest.mark.parametrize(
    "make",
    [
        lambda: Sequential([Input((4,)), layers.Dense(10**9)]),
        lambda: Sequential([Input((4,)), layers.RepeatVector(10**9)]),
        lambda: Sequential([Input((10**9,))]),
        lambda: layers.Dense(2).add_weight(shape=(10**6, 10**6)),
    ],
)
def test_sizes_are_asked_before_memory_is(make):
    with pytest.raises(UserError, match="numbers"):
        make()


def test_the_bound_can_be_moved(monkeypatch):
    config.set_most_numbers(100)
    try:
        with pytest.raises(UserError, match=r"a weight of shape \(4, 26\) would hold 104 numbers"):
            Sequential([Input((4,)), layers.Dense(26)])
        Sequential([Input((4,)), layers.Dense(25)])
    finally:
        config.set_most_numbers(None)
    monkeypatch.setenv("TRASLUZ_MOST_NUMBERS", "103")
    with pytest.raises(UserError, match="103 numbers are the most"):
        Sequential([Input((4,)), layers.Dense(26)])


def test_every_mistake_says_its_mend():
    """A `UserError` has one as its third argument or by name; a message in both languages."""
    without, messages = [], set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            named = {keyword.arg for keyword in node.keywords}
            if name == "UserError" and len(node.args) < 3 and "mend" not in named:
                without.append(f"{path.name}:{node.lineno}")
            if name == "problem" and node.args and isinstance(node.args[0], ast.Constant):
                messages.add(node.args[0].value)
    assert not without
    assert len(messages) > 100
    for language in LANGUAGES:
        texts = (SOURCE / "locale" / language).glob("*.ftl")
        text = "\n" + "\n".join(file.read_text(encoding="utf-8") for file in texts)
        entries = dict(re.findall(r"\n([a-z0-9-]+) =((?:.*)(?:\n[ }\[*].*|\n(?=\n| ))*)", text))
        assert {m for m in messages if ".mend" not in entries[m]} == set()


FORKED = """
import multiprocessing, numpy, warnings
warnings.simplefilter("ignore")
from trasluz import Input, Sequential, layers
x = numpy.ones((8, 4), "float32")
model = Sequential([Input((4,)), layers.Dense(1)])
model.compile("sgd", "mse", engine="xla")
model.fit(x, x[:, :1], verbose=0)
context = multiprocessing.get_context("fork")
told = context.Queue()
def work():
    try:
        model.fit(x, x[:, :1], verbose=0)
    except Exception as error:
        told.put(f"{type(error).__name__}: {error}")
context.Process(target=work).start()
print(told.get(timeout=60))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_process_is_told_that_it_has_no_threads():
    done = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=120
    )
    assert "UserError: fork: this process was forked from one in which XLA" in done.stdout
    assert "spawn" in done.stdout, done.stderr


SAME = """
import hashlib, numpy, os
os.sched_setaffinity(0, CORES)
from trasluz import Input, Sequential, layers, utils
for engine in ("numpy", "xla"):
    utils.set_random_seed(0, deterministic=True)
    x = numpy.random.default_rng(0).normal(size=(512, 784)).astype("float32")
    model = Sequential([Input((784,)), layers.Dense(512, "tanh"), layers.Dense(1)])
    model.compile("sgd", "mse", engine=engine)
    model.fit(x, x[:, :1], batch_size=256, verbose=0)
    print(hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest())
"""


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="there is one core",
)
def test_the_number_of_cores_makes_no_difference_if_it_must_not():
    cores = sorted(os.sched_getaffinity(0))
    said = [
        subprocess.run(
            [sys.executable, "-c", SAME.replace("CORES", repr(set(some)))],
            capture_output=True, text=True, timeout=200, check=True,
        ).stdout.split()
        for some in (cores[:1], cores)
    ]  # fmt: skip
    assert said[0] == said[1] and len(set(said[0])) == 2
