"""Files: whole or not at all, checked, versioned, and the run goes on bit for bit."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from trasluz import (
    Input,
    Model,
    Sequential,
    activations,
    callbacks,
    layers,
    losses,
    metrics,
    optimizers,
    saving,
    utils,
)
from trasluz.errors import UserError
from trasluz.layers.base import registry
from trasluz.models import load_model, save_model
from trasluz.state import read

FIXTURES = Path(__file__).parent / "fixtures"  # written by version 0.1, of `network()` and `data()`


def data(n=96):
    generator = np.random.default_rng(3)
    x = generator.normal(size=(n, 4)).astype("float32")
    return x, (x.sum(1) > 0).astype(int)


def network(engine="numpy"):
    utils.set_random_seed(4)
    model = Sequential(
        [
            Input((4,)),
            layers.Dense(8, "relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(2, activation="softmax"),
        ],
        name="net",
    )
    model.compile(
        optimizers.Adam(0.01, clipnorm=1.0),
        losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy"],
        engine=engine,
    )
    return model


def same(a, b):
    assert list(read(a)) == list(read(b))
    for u, v in zip(a.get_weights(), b.get_weights(), strict=True):
        assert (u == v).all()


def test_round_trip_goes_on_training(tmp_path):
    x, y = data()
    model = network()
    model.fit(x, y, epochs=2, verbose=0)
    path = tmp_path / "deep" / "net.trasluz"
    model.save(path)
    again = load_model(path)
    same(model, again)
    assert again.name == "net"
    assert (again.predict(x) == model.predict(x)).all()
    assert again.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    assert again.optimizer.get_config() == model.optimizer.get_config()
    for one in (model, again):
        one.fit(x, y, epochs=4, initial_epoch=2, verbose=0)
    same(model, again)


def test_any_safetensors_reader_sees_the_weights(tmp_path):
    model = network()
    model.save(tmp_path / "m.trasluz")
    with safe_open(tmp_path / "m.trasluz", "np") as file:
        assert (file.get_tensor("weights|dense/kernel") == model.layers[0].kernel).all()
        document = json.loads(file.metadata()["trasluz"])
    assert document["model"]["class_name"] == "Sequential"


def test_functional_and_shared_layers(tmp_path):
    from trasluz import ops

    a, b = Input((3,), name="a"), Input((3,), name="b")
    shared = layers.Dense(4, "tanh")
    h = layers.Concatenate()([shared(a), shared(b)])
    model = Model([a, b], {"one": layers.Dense(1)(h[:, 1:5] * 2.0), "two": ops.softmax(h)})
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    model.save(tmp_path / "f.trasluz")
    again = load_model(tmp_path / "f.trasluz")
    for key, value in model.predict(list(x)).items():
        np.testing.assert_array_equal(again.predict({"a": x[0], "b": x[1]})[key], value)
    assert again.count_params() == model.count_params() == 16 + 5


def test_own_classes_and_functions(tmp_path):
    class Scale(layers.Layer):
        factor: float = 2.0

        def call(self, x):
            return x * self.factor

    def doubled(y_true, y_pred):
        return (y_true - y_pred) * (y_true - y_pred) * 2.0

    model = Sequential([Input((4,)), Scale(3.0), layers.Dense(1)])
    model.compile("sgd", doubled)
    path = tmp_path / "own.trasluz"
    model.save(path)
    with pytest.raises(UserError, match="'Scale'"):
        load_model(path)
    again = load_model(path, custom_objects={"Scale": Scale, "doubled": doubled})
    x = np.ones((3, 4), "float32")
    assert (again.predict(x) == model.predict(x)).all()
    assert again.evaluate(x, np.ones((3, 1)), verbose=0) == model.evaluate(
        x, np.ones((3, 1)), verbose=0
    )

    class Opaque(layers.Layer):
        def __init__(self, factor):
            super().__init__()
            self.hidden = factor

        def call(self, x):
            return x * self.hidden

    with pytest.raises(UserError, match=r"factor.*get_config"):
        Sequential([Input((4,)), Opaque(3)]).save(tmp_path / "no.trasluz")
    assert not (tmp_path / "no.trasluz").exists()


@pytest.mark.parametrize("kind", [layers.LeakyReLU, layers.PReLU])
def test_a_layer_as_activation(tmp_path, kind):
    model = Sequential([Input((4,)), layers.Dense(3, activation=kind()), layers.Dense(1)])
    model.compile("adam", "mse", engine="numpy")
    x, y = data()
    model.fit(x, y, epochs=1, verbose=0)
    model.save(tmp_path / "m.trasluz")
    again = load_model(tmp_path / "m.trasluz")
    assert type(again.layers[0].activation) is kind
    assert (again.predict(x) == model.predict(x)).all()
    for one in (model, again):
        one.fit(x, y, epochs=1, verbose=0, shuffle=False)
    assert (again.predict(x) == model.predict(x)).all()


def test_what_a_file_cannot_hold_is_named(tmp_path):
    leaky = functools.partial(activations.leaky_relu, negative_slope=0.3)
    model = Sequential([Input((4,)), layers.Dense(1, activation=leaky)])
    path = tmp_path / "m.trasluz"
    with pytest.raises(UserError, match=r"partial\(.*leaky_relu.*function with a name"):
        model.save(path)
    model = Sequential([Input((4,)), layers.Dense(1)])
    model.compile("sgd", functools.partial(losses.huber, delta=2.0))
    with pytest.raises(UserError, match=r"partial\(.*huber"):
        model.save(path)
    assert not path.exists()


def test_what_does_not_move_and_does_not_decay_comes_back(tmp_path):
    model = Sequential([Input((4,)), layers.Dense(3), layers.BatchNormalization(), layers.Dense(1)])
    kernel, bias = model.layers[0].weights
    bias.trainable = False
    optimizer = optimizers.AdamW(0.01, weight_decay=0.5)
    optimizer.exclude_from_weight_decay([kernel], ["gamma", "beta"])
    model.compile(optimizer, "mse", engine="numpy")
    x, y = data()
    model.fit(x, y, epochs=2, verbose=0)
    model.save(tmp_path / "m.trasluz")
    again = load_model(tmp_path / "m.trasluz")
    flags = {v.path: v.trainable for v in model.weights}
    assert {v.path: v.trainable for v in again.weights} == flags
    assert not flags[bias.path]
    assert flags[kernel.path]
    for path in flags:
        assert again.optimizer._spares(path) == model.optimizer._spares(path)
    assert again.optimizer._spares(kernel.path)
    for one in (model, again):
        one.fit(x, y, epochs=2, verbose=0, shuffle=False)
    for path, array in read(model).items():
        assert (read(again)[path] == array).all(), path
    again.save(tmp_path / "again.trasluz")
    once_more = load_model(tmp_path / "again.trasluz")
    assert once_more.optimizer._spares("batch_normalization/gamma")
    assert not once_more.optimizer._spares("dense_1/kernel")


def test_arguments_kept_in_attributes_are_written(tmp_path):
    class Leak(layers.Layer):
        def __init__(self, alpha=0.1):
            super().__init__()
            self.alpha = alpha

        def call(self, x):
            return x * self.alpha

    class Loses(Leak):
        def __init__(self, slope=0.1):
            super().__init__(slope * 2)

    x = np.ones((1, 2), "float32")
    model = Sequential([Input((2,)), Leak(0.9)])
    model.save(tmp_path / "leak")
    with pytest.raises(UserError, match=r"unknown layer 'Leak'.*custom_objects"):
        load_model(tmp_path / "leak")
    again = load_model(tmp_path / "leak", custom_objects={"Leak": Leak})
    assert (again.predict(x) == model.predict(x)).all()
    with pytest.raises(UserError, match=r"lacks arguments.*slope"):
        Sequential([Input((2,)), Loses()]).save(tmp_path / "no")


def test_subclassed_model(tmp_path):
    class Net(Model):
        def __init__(self, units=3, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.hidden = layers.Dense(units, "relu")
            self.head = layers.Dense(1)

        def call(self, x):
            return self.head(self.hidden(x))

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    x = np.ones((2, 4), "float32")
    model = Net(5)
    p = model.predict(x)
    model.save(tmp_path / "s.trasluz")
    again = load_model(tmp_path / "s.trasluz", custom_objects={"Net": Net})
    assert (again.predict(x) == p).all()
    assert again.units == 5


def test_weights_alone(tmp_path):
    a, b = network(), network()
    a.fit(*data(), epochs=1, verbose=0)
    a.save_weights(tmp_path / "w.safetensors")
    b.load_weights(tmp_path / "w.safetensors")
    same(a, b)
    other = Sequential([Input((4,)), layers.Dense(9)])
    with pytest.raises(UserError, match=r"\(4, 8\) in the file, \(4, 9\) in the model"):
        other.load_weights(tmp_path / "w.safetensors")


def test_extras(tmp_path):
    save_model(network(), tmp_path / "m", extras={"preparation.json": b"{}", "x": b"\x00\xff"})
    assert saving.load_extras(tmp_path / "m") == {"preparation.json": b"{}", "x": b"\x00\xff"}
    load_model(tmp_path / "m")


@pytest.mark.parametrize(
    "harm", ["cut", "altered", "other", "newer", "missing", "foreign", "empty"]
)
def test_harmed_files_are_refused(tmp_path, harm):
    path = tmp_path / "m.trasluz"
    model = network()
    model.save(path)
    content = path.read_bytes()
    message = {
        "cut": "whole model file",
        "altered": "altered",
        "other": "whole model file",
        "newer": "format 99.*newer version",
        "missing": "no such file",
        "foreign": "without Trasluz",
        "empty": "whole model file",
    }[harm]
    if harm == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif harm == "altered":
        path.write_bytes(content[:-3] + bytes([content[-3] ^ 255]) + content[-2:])
    elif harm == "other":
        path.write_bytes(b"a,b\n1,2\n" * 50)
    elif harm == "empty":
        path.write_bytes(b"")
    elif harm == "newer":
        arrays, document = saving.describe(model)
        path.write_bytes(saving.pack(arrays, document | {"format": 99}))
    elif harm == "missing":
        path.unlink()
    else:
        from safetensors.numpy import save_file

        save_file({"a": np.ones(2)}, path)
    with pytest.raises(UserError, match=message):
        load_model(path)


def test_overwriting_is_a_choice(tmp_path):
    model = network()
    model.save(tmp_path / "m")
    with pytest.raises(UserError, match="exists"):
        model.save(tmp_path / "m", overwrite=False)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full device")
def test_full_disk_keeps_the_old_file(tmp_path, monkeypatch):
    model = network()
    path = tmp_path / "m"
    model.save(path)
    before = path.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    model.fit(*data(), epochs=1, verbose=0)
    with pytest.raises(UserError, match="No space left"):
        model.save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m"]


# ---------------------------------------------------------------------------------------- going on


class Stop(Exception):
    pass


class StopAt(callbacks.Callback):
    """Breaks off after so many batches, as a power cut would."""

    def __init__(self, batches, error=Stop):
        self.left, self.error = batches, error

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise self.error


def callbacks_of(path, **how):
    return [
        callbacks.BackupAndRestore(path, **how),
        callbacks.EarlyStopping("loss", patience=3, restore_best_weights=True),
        callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=0.05),
    ]


@pytest.mark.parametrize("engine", ["numpy", "xla"])
@pytest.mark.parametrize("save_freq", ["epoch", 5])
def test_resumes_bit_for_bit(tmp_path, engine, save_freq):
    x, y = data()
    whole = network(engine)
    history = whole.fit(
        x, y, batch_size=16, epochs=9, verbose=0, callbacks=callbacks_of(tmp_path / "whole"),
        validation_data=(x, y),
    )  # fmt: skip
    path = tmp_path / "broken"
    for batches in (8, 9, 14):
        with pytest.raises(Stop):
            network(engine).fit(
                x, y, batch_size=16, epochs=9, verbose=0, validation_data=(x, y),
                callbacks=[*callbacks_of(path, save_freq=save_freq), StopAt(batches)],
            )  # fmt: skip
    resumed = network(engine)
    again = resumed.fit(
        x, y, batch_size=16, epochs=9, verbose=0, validation_data=(x, y),
        callbacks=callbacks_of(path, save_freq=save_freq),
    )  # fmt: skip
    same(whole, resumed)
    assert again.history == history.history
    assert again.epoch == history.epoch
    assert resumed.optimizer.learning_rate == whole.optimizer.learning_rate
    assert not path.exists()


def test_interrupt_saves_where_it_was(tmp_path):
    x, y = data()
    whole = network()
    whole.fit(x, y, batch_size=16, epochs=4, verbose=0)
    path = tmp_path / "c"
    with pytest.raises(KeyboardInterrupt):
        network().fit(
            x, y, batch_size=16, epochs=4, verbose=0,
            callbacks=[callbacks.BackupAndRestore(path), StopAt(9, KeyboardInterrupt)],
        )  # fmt: skip
    assert path.exists()
    resumed = network()
    resumed.fit(
        x, y, batch_size=16, epochs=4, verbose=0, callbacks=[callbacks.BackupAndRestore(path)]
    )
    same(whole, resumed)


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    path = tmp_path / "c"
    with pytest.raises(Stop):
        network().fit(
            *data(), batch_size=16, epochs=4, verbose=0,
            callbacks=[callbacks.BackupAndRestore(path), StopAt(14)],
        )  # fmt: skip
    other = Sequential([Input((4,)), layers.Dense(2, activation="softmax")])
    other.compile("adam", "sparse_categorical_crossentropy")
    with pytest.raises(UserError, match="do not fit"):
        other.fit(*data(), verbose=0, callbacks=[callbacks.BackupAndRestore(path)])


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    """What is asked for anew has to be what was asked for; the model stays as it is."""
    (x, y), path = data(), tmp_path / "c"
    how = {"batch_size": 16, "epochs": 4, "verbose": 0}
    with pytest.raises(Stop):
        network().fit(x, y, **how, callbacks=[callbacks.BackupAndRestore(path), StopAt(14)])
    kept = path.read_bytes()
    rate = network()
    rate.optimizer.learning_rate = 0.5
    ruled = network()
    ruled.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    for model, x_, asked, said in [
        (rate, x, how, r"learning_rate \(0.01, now 0.5\)"),
        (ruled, x, how, r"optimizer \('Adam', now 'SGD'\)"),
        (network(), x, how | {"batch_size": 8}, r"batch size \(16, now 8\)"),
        (network(), x + 1, how, "other data"),
        (network(), x[:80], how, r"rows \(96, now 80\), data"),
        (network(), x, how | {"shuffle": False}, r"shuffle \(True, now False\)"),
    ]:
        before = model.get_weights()
        with pytest.raises(UserError, match=said):
            model.fit(x_, y[: len(x_)], **asked, callbacks=[callbacks.BackupAndRestore(path)])
        assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
        assert model.optimizer.iterations == 0
    assert path.read_bytes() == kept


def forged(path, change):
    """Alter what a file holds, with a checksum that fits."""
    arrays, document = saving.unpack(path)
    document.pop("format")
    change(arrays, document)
    path.write_bytes(saving.pack(arrays, document))


def to_position(**values):
    return lambda arrays, document: document["position"].update(values)


def with_array(name):
    return lambda arrays, document: arrays.update({name: np.zeros(1)})


def to_callback(name, **values):
    return lambda arrays, document: document["position"]["callbacks"][name].update(values)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (to_callback("BackupAndRestore", backup_dir="precious"), "'backup_dir', which does not"),
        (to_callback("BackupAndRestore", delete_checkpoint=True), "'delete_checkpoint', which"),
        (to_callback("EarlyStopping", monitor="accuracy"), "'monitor', which does not belong"),
        (to_callback("EarlyStopping", wait=-1), "'wait' is no count"),
        (to_callback("EarlyStopping", wait=True), "'wait' is no count"),
        (to_callback("EarlyStopping", wait=10**30), "'wait' is no count"),
        (to_callback("EarlyStopping", best="0.5"), "'best' is no number"),
        (to_callback("EarlyStopping", best_weights=["a"]), "'best_weights' is no arrays"),
        (to_callback("ReduceLROnPlateau", factor=9.0), "'factor', which does not belong"),
        (to_callback("History", history={"loss": "much"}), "'history' is no measures"),
        (to_callback("History", epoch=[0.5]), "'epoch' is no counts"),
        (to_callback("History", model="another"), "'model', which does not belong"),
        (to_position(epoch=-1), "'epoch' is no count"),
        (to_position(epoch="2"), "'epoch' is no count"),
        (to_position(batch=None), "'batch' is no count"),
        (to_position(callbacks=[]), "'callbacks' is no names"),
        (to_position(file="precious"), "'file', which does not belong"),
        (lambda arrays, document: document["position"].pop("epoch"), "lacks epoch"),
        (lambda arrays, document: document.update(position=3), "no values by name"),
        (lambda arrays, document: document.update(iterations=-3), "'iterations' is no count"),
        (lambda arrays, document: document.pop("iterations"), "lacks iterations"),
        (lambda arrays, document: document.pop("compile"), "does not hold what it should"),
        (lambda arrays, document: arrays.update(root=np.zeros(9)), "random key"),
        (with_array("more|metrics|own"), "other metrics"),
        (with_array("more|callbacks|BackupAndRestore|backup_dir.0"), "arrays 'backup_dir.0'"),
        (with_array("more|callbacks|EarlyStopping|best_weights.0"), "do not fit the model"),
    ],
)  # fmt: skip
def test_a_forged_checkpoint_moves_nothing_but_the_run(tmp_path, monkeypatch, change, said):
    """It can set what the callback declares, to what is of its kind: no path, no file, no code."""
    monkeypatch.chdir(tmp_path)
    precious, path = tmp_path / "precious", tmp_path / "c"
    precious.write_text("all my work")
    how = {"batch_size": 16, "epochs": 4, "verbose": 0, "validation_data": data()}
    with pytest.raises(Stop):
        network().fit(*data(), **how, callbacks=[*callbacks_of(path), StopAt(14)])
    forged(path, change)
    kept = path.read_bytes()
    with pytest.raises(UserError, match=said) as caught:
        network().fit(*data(), **how, callbacks=callbacks_of(path))
    assert caught.value.mend
    assert precious.read_text() == "all my work" and path.read_bytes() == kept
    assert {file.name for file in tmp_path.iterdir()} == {"precious", "c"}


def test_any_sign_may_stand_in_a_name(tmp_path):
    """Names are keys in the file, and "|" parts them there."""
    x, y = data()
    model = Sequential([Input((4,)), layers.Dense(2, "softmax", name="a|b %7C 100%25")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=1, verbose=0)
    model.save(tmp_path / "m")
    again = load_model(tmp_path / "m")
    same(model, again)
    assert again._slots.keys() == model._slots.keys()
    model.save_weights(tmp_path / "w")
    again.load_weights(tmp_path / "w")
    for one in (model, again):
        one.fit(x, y, epochs=1, verbose=0)
    same(model, again)


@pytest.mark.parametrize(
    ("make", "where"),
    [
        (lambda: layers.Dense(2, lambda x: x), "activation"),
        (lambda: layers.Dense(2, kernel_initializer=lambda shape, dtype=None: np.ones(shape)),
         "kernel_initializer"),
        (lambda: layers.Dense(2, kernel_regularizer=lambda w: w.sum()), "kernel_regularizer"),
    ],
)  # fmt: skip
def test_a_lambda_is_refused_when_it_is_saved(tmp_path, make, where):
    model = Sequential([Input((4,)), make()])
    with pytest.raises(UserError, match=f"{where}: a lambda cannot be saved") as caught:
        model.save(tmp_path / "m")
    assert "@trasluz.saving.register" in caught.value.mend
    lossy = Sequential([Input((4,)), layers.Dense(1)])
    lossy.compile("sgd", lambda y, p: (y - p) ** 2)
    with pytest.raises(UserError, match="loss: a lambda cannot be saved"):
        lossy.save(tmp_path / "m")
    assert not (tmp_path / "m").exists()
    lossy.save_weights(tmp_path / "m")  # which are arrays alone


def test_what_a_callback_of_ones_own_remembers_is_taken_up_by_name():
    class Counting(callbacks.Callback):
        remembers = ("rows", "seen")
        rows, seen, file = 0, (), "mine"

    counting = Counting()
    counting.remember({"rows": 3}, {"seen.10": np.ones(1), "seen.2": np.zeros(1)})
    assert counting.rows == 3 and [a[0] for a in counting.seen] == [0, 1]
    with pytest.raises(UserError, match="'file', which does not belong"):
        counting.remember({"file": "another"}, {})


def test_a_model_of_the_first_version_loads():
    expected = np.load(FIXTURES / "expected-0.1.npz")["predictions"]
    model = load_model(FIXTURES / "model-0.1.trasluz")
    np.testing.assert_allclose(model.predict(data()[0]), expected, atol=1e-6)


def test_a_checkpoint_of_the_first_version_goes_on(tmp_path):
    path, model = tmp_path / "c", network()
    shutil.copy(FIXTURES / "checkpoint-0.1.trasluz", path)
    backup = callbacks.BackupAndRestore(path)
    history = model.fit(*data(), epochs=4, verbose=0, callbacks=[backup])
    assert history.epoch == [0, 1, 2, 3]
    assert model.optimizer.iterations == 12
    expected = np.load(FIXTURES / "expected-0.1.npz")
    for number, weight in enumerate(model.get_weights()):
        np.testing.assert_allclose(weight, expected[f"weight{number}"], rtol=1e-5, atol=1e-5)


def test_kill_in_the_middle_of_checkpoints(tmp_path):
    """A process that saves without pause is killed at odd moments: what is left always loads."""
    path = tmp_path / "model.trasluz"
    script = textwrap.dedent(
        f"""
        from trasluz import Input, Sequential, layers
        model = Sequential([Input((300,)), layers.Dense(1000), layers.Dense(300)])
        model.save({str(path)!r})
        print("saving", flush=True)
        while True:
            model.save({str(path)!r})
        """
    )
    for pause in (0.05, 0.11, 0.23):
        child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        assert child.stdout.readline() == "saving\n"
        time.sleep(pause)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        assert load_model(path).count_params() == 301_000 + 300_300


def test_metrics_come_back(tmp_path):
    model = network()
    model.compile(
        "sgd", "sparse_categorical_crossentropy", metrics=[metrics.SparseTopKCategoricalAccuracy(1)]
    )
    x, y = data()
    before = model.evaluate(x, y, verbose=0, return_dict=True)
    model.save(tmp_path / "m")
    assert load_model(tmp_path / "m").evaluate(x, y, verbose=0, return_dict=True) == before


def test_a_file_of_weights_alone_says_what_it_is(tmp_path):
    model = network()
    model.fit(*data(), epochs=1, verbose=0)
    model.save_weights(tmp_path / "w")
    with pytest.raises(UserError, match="it holds weights alone, and no model") as caught:
        load_model(tmp_path / "w")
    assert "load_weights" in caught.value.mend


def test_weights_that_do_not_decay_are_known_by_path_and_no_pattern_is_read(tmp_path):
    """A pattern from a file could be looked for without end."""
    model = network()
    model.compile("adamw", "sparse_categorical_crossentropy")
    model.optimizer.exclude_from_weight_decay(var_names=["(b|i)+as"])
    model.fit(*data(), epochs=1, verbose=0)
    model.save(tmp_path / "m")
    again = load_model(tmp_path / "m")
    biases = {v.path for v in model.weights if v.path.endswith("bias")}
    assert again.optimizer._decays_not == biases and again.optimizer._decays_not_pattern is None
    forged(tmp_path / "m", lambda arrays, document: document["decays_not"].update(names=["(a+)+$"]))
    with pytest.raises(UserError, match=r"the pattern '\(a\+\)\+\$'"):
        load_model(tmp_path / "m")
    forged(tmp_path / "m", lambda arrays, document: document["decays_not"].update(names=["bias"]))
    assert load_model(tmp_path / "m").optimizer._decays_not_pattern.pattern == "bias"


def test_a_file_that_describes_too_much_is_refused_at_once(tmp_path):
    model = network()
    model.fit(*data(), epochs=1, verbose=0)
    model.save(tmp_path / "m")

    def repeat(arrays, document):
        document["model"]["config"]["layers"] *= 3000

    forged(tmp_path / "m", repeat)
    with pytest.raises(UserError, match="layers and calls"):
        load_model(tmp_path / "m")
    model.save(tmp_path / "m")
    forged(tmp_path / "m", lambda arrays, document: arrays.update({"weights": np.zeros(1)}))
    with pytest.raises(UserError, match="has no place"):
        load_model(tmp_path / "m")


def test_going_on_elsewhere_says_that_last_digits_may_change(tmp_path):
    path = tmp_path / "c"
    how = {"batch_size": 16, "epochs": 4, "verbose": 0, "validation_data": data()}
    with pytest.raises(Stop):
        network().fit(*data(), **how, callbacks=[*callbacks_of(path), StopAt(14)])
    forged(path, lambda arrays, document: document["position"].update(machine={"cores": 999}))
    with pytest.warns(UserWarning, match="written with 999 / .* last digits"):
        network().fit(*data(), **how, callbacks=callbacks_of(path))


def test_classes_that_a_first_load_makes_known_are_known_to_the_second(tmp_path):
    model = Sequential([Input((2,)), layers.Dense(1)])
    model.save(tmp_path / "m.trasluz")
    program = (
        "import sys, trasluz.saving as s\n"
        "for _ in range(2): print(s.load_model(sys.argv[1]).count_params())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "m.trasluz")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.stdout.split() == ["3", "3"], answer.stderr


def test_what_is_registered_in_a_scope_stays_and_what_the_scope_lent_goes():
    class Lent(layers.Dense):
        pass

    dense = registry.find("Dense")
    with saving.custom_object_scope({"Dense": Lent, "Lent": Lent}):
        registry.add(Lent, "registered in the scope")
        assert registry.find("Dense") is Lent
    try:
        assert registry.find("Dense") is dense
        assert "Lent" not in registry.known
        assert registry.find("registered in the scope") is Lent
    finally:
        registry.known.pop("registered in the scope")
        registry.shown.discard("registered in the scope")
        registry.known.pop("lent")
