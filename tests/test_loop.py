"""Many steps a compiled call: nothing else changes; what is kept between calls is not stale."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from trasluz import Model, Sequential, callbacks, layers, optimizers, utils
from trasluz.autodiff import backend
from trasluz.data import blocks
from trasluz.errors import UserError
from trasluz.layers import Input
from trasluz.models.recording import Recording
from trasluz.training.engine import CompiledSteps
from trasluz.training.finite import NonFiniteError

ENGINES = ["numpy", "xla"]


def table(n=88, d=4):
    """Give rows; 83 have a shorter last batch, which costs a second step in each program."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, d)).astype("float32")
    return x, (x @ rng.normal(size=(d, 1)) + 0.1).astype("float32")


def network(engine="xla", optimizer="adam", **how):
    """One with all that could depend on how steps are called: masks, statistics, slots."""
    utils.set_random_seed(3)
    model = Sequential(
        [
            Input((4,)),
            layers.Dense(6, "tanh"),
            layers.BatchNormalization(momentum=0.9),
            layers.Dropout(0.3),
            layers.Dense(1),
        ]
    )
    model.compile(optimizer, "mse", metrics=["mae"], engine=engine, **how)
    return model


def same(a, b):
    assert a.optimizer.iterations == b.optimizer.iterations
    for v, w in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(v, w)
    for path, slots in a._slots.items():
        for name, slot in slots.items():
            np.testing.assert_array_equal(slot, b._slots[path][name])


@pytest.fixture
def lengths(monkeypatch):
    """Note how many steps each compiled call takes."""
    taken = []
    take = CompiledSteps.take

    def noting(self, kind, make, state, begin, end, *rest):
        taken.append((kind, begin, end))
        return take(self, kind, make, state, begin, end, *rest)

    monkeypatch.setattr(CompiledSteps, "take", noting)
    return taken


# ---------------------------------------------------------------------------- how steps are called


def test_however_an_epoch_is_cut_the_numbers_are_the_same(monkeypatch, lengths):
    x, y = table()
    found = []
    for seconds in (1e-9, 100.0):
        monkeypatch.setattr("trasluz.training.engine._CALL_SECONDS", seconds)
        model = network()
        history = model.fit(x, y, batch_size=8, epochs=6, validation_split=0.2, verbose=0)
        found.append((model, history.history, len(lengths)))
    (a, first, many), (b, second, all_calls) = found
    assert many == 6 * (9 + 3)
    assert all_calls - many < many / 2
    assert first == second
    same(a, b)


def test_listening_to_batches_changes_nothing(lengths):
    x, y = table()
    heard = []
    listen = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: heard.append(batch))
    a, b = network(), network()
    a.fit(x, y, batch_size=8, epochs=3, verbose=0)
    del lengths[:]
    b.fit(x, y, batch_size=8, epochs=3, verbose=0, callbacks=[listen])
    assert heard == [*range(11)] * 3
    assert {end - begin for _, begin, end in lengths} == {1}
    same(a, b)


def test_stopping_at_what_is_no_number_needs_no_call_a_batch(lengths, monkeypatch):
    monkeypatch.setattr("trasluz.training.engine._CALL_SECONDS", 100.0)
    x, y = table()
    model = network()
    model.fit(x, y, batch_size=8, epochs=3, verbose=0, callbacks=callbacks.TerminateOnNaN())
    assert max(end - begin for _, begin, end in lengths) > 1
    y[70] = np.nan
    for engine in ENGINES:
        model = network(engine)
        stop = callbacks.TerminateOnNaN()
        history = model.fit(x, y, 8, 3, shuffle=False, verbose=0, callbacks=stop).history
        assert (model.optimizer.iterations, len(history["loss"])) == (8, 1)
        assert np.isnan(history["loss"][0])


@pytest.mark.parametrize("rows", [64, 83, 5])
@pytest.mark.parametrize("weighted", [False, True])
def test_both_engines_take_the_same_way(rows, weighted):
    x, y = table(rows)
    w = np.linspace(0, 2, rows) if weighted else None
    logs, models = [], []
    for engine in ENGINES:
        model = network(engine)
        logs.append(model.fit(x, y, 8, 5, verbose=0, sample_weight=w).history)
        models.append(model)
    for name in logs[0]:
        np.testing.assert_allclose(logs[0][name], logs[1][name], rtol=2e-4)
    for v, u in zip(*(m.get_weights() for m in models), strict=True):
        np.testing.assert_allclose(v, u, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("shuffle", [False, True])
def test_data_too_large_to_be_kept_go_block_by_block(monkeypatch, shuffle, lengths):
    x, y = table(83)
    a, b = network(), network()
    a.fit(x, y, batch_size=8, epochs=3, verbose=0, shuffle=shuffle)
    monkeypatch.setattr("trasluz.training.feed._KEPT_BYTES", 0)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 8 * 5 * 4 * 3)  # three batches
    del lengths[:]
    b.fit(x, y, batch_size=8, epochs=3, verbose=0, shuffle=shuffle)
    assert {end for _, _, end in lengths} >= {3, 6, 11}
    same(a, b)


def test_steps_per_epoch_ends_an_epoch_before_the_last_batch(lengths):
    x, y = table()
    for steps, taken in ((4, 8), (11, 22), (50, 22)):
        model = network()
        model.fit(x, y, batch_size=8, epochs=2, steps_per_epoch=steps, verbose=0)
        assert model.optimizer.iterations == taken


@pytest.mark.parametrize("engine", ENGINES)
def test_measuring_weighs_a_shorter_last_batch_right(engine):
    x, y = table(83)
    model = network(engine)
    whole = model.evaluate(x, y, batch_size=None, verbose=0)
    np.testing.assert_allclose(model.evaluate(x, y, batch_size=8, verbose=0), whole, rtol=1e-5)
    heard = []
    listen = callbacks.LambdaCallback(on_test_batch_end=lambda batch, logs: heard.append(batch))
    model.evaluate(x, y, batch_size=8, verbose=0, callbacks=[listen])
    assert heard[-1] == 10


def compilations(act):
    """Count what XLA compiles while something is done."""
    import jax

    count = 0

    def note(event, duration, **_):
        nonlocal count
        count += "backend_compile" in event

    jax.monitoring.register_event_duration_secs_listener(note)
    try:
        act()
    finally:
        jax.monitoring.clear_event_listeners()
    return count


def test_nothing_is_compiled_twice():
    x, y = table(83)
    model = network(optimizer=optimizers.SGD(0.01))
    fit = lambda epochs: model.fit(  # noqa: E731
        x, y, batch_size=8, epochs=epochs, verbose=0, validation_data=(x, y)
    )
    assert compilations(lambda: fit(3)) >= 2
    assert len(model._programs) == 2  # training with its shorter batch, and measuring
    model.optimizer.learning_rate = 0.02
    assert compilations(lambda: fit(5)) == 0


def test_a_changed_rule_is_compiled_again():
    x, y = table()
    model, other = (network(optimizer=optimizers.SGD(0.01, momentum=m)) for m in (0.5, 0.9))
    model.fit(x, y, epochs=1, verbose=0)
    start = model.get_weights()
    other.fit(x, y, epochs=1, verbose=0)
    other.set_weights(start)
    model.optimizer.momentum = 0.9
    for one in (model, other):
        one._slots, one.optimizer.iterations = None, 0
        one.fit(x, y, epochs=1, verbose=0)
    same(model, other)


# ------------------------------------------------------------------------------------ interruptions


def test_an_interrupt_between_calls_loses_nothing(monkeypatch, tmp_path):
    x, y = table()
    whole = network()
    whole.fit(x, y, batch_size=8, epochs=4, verbose=0)
    monkeypatch.setattr("trasluz.training.engine._CALL_SECONDS", 1e-9)
    calls, take = [0], CompiledSteps.take

    def until(self, *args):
        calls[0] += 1
        if calls[0] == 17:
            raise KeyboardInterrupt
        return take(self, *args)

    backup = callbacks.BackupAndRestore(tmp_path / "c")
    broken = network()
    with monkeypatch.context() as patched:
        patched.setattr(CompiledSteps, "take", until)
        with pytest.raises(KeyboardInterrupt):
            broken.fit(x, y, batch_size=8, epochs=4, verbose=0, callbacks=[backup])
    assert broken.optimizer.iterations == 16
    resumed = network()
    resumed.fit(x, y, batch_size=8, epochs=4, verbose=0, callbacks=[backup])
    same(whole, resumed)


def test_checkpoints_within_an_epoch_are_where_they_were_asked_for(tmp_path, monkeypatch, lengths):
    monkeypatch.setattr("trasluz.training.engine._CALL_SECONDS", 100.0)
    x, y = table()
    backup = callbacks.BackupAndRestore(tmp_path / "c", save_freq=4)
    kept, keep = [], backup.keep
    monkeypatch.setattr(
        backup, "keep", lambda run, when: (kept.append((when, run.batch)), keep(run, when))
    )
    network().fit(x, y, batch_size=8, epochs=3, verbose=0, callbacks=[backup])
    ends = {end for kind, _, end in lengths if kind == "fold"}
    assert {4, 8, 11} <= ends
    assert not any(begin < stop < end for _, begin, end in lengths for stop in (4, 8))


@pytest.mark.parametrize("seconds", [1e-9, 100.0])
def test_numbers_that_break_in_the_middle_of_a_call(monkeypatch, seconds):
    monkeypatch.setattr("trasluz.training.engine._CALL_SECONDS", seconds)
    x, y = table(400)
    said = []
    for engine in ENGINES:
        utils.set_random_seed(0)
        model = Sequential([Input((4,)), layers.Dense(8, "relu"), layers.Dense(1)])
        model.compile(optimizers.SGD(30.0), "mse", engine=engine)
        with pytest.raises(NonFiniteError) as error:
            model.fit(x, y, batch_size=4, epochs=20, verbose=0)
        said.append((str(error.value), model.optimizer.iterations))
        assert all(np.isfinite(w).all() for w in model.get_weights())
    assert said[0] == said[1]


def test_a_weight_that_breaks_without_its_loss_is_noticed():
    class Spare(layers.Dense):
        """Has a weight that nothing uses and that its constraint blows up."""

        def build(self, input_shape):
            super().build(input_shape)
            self.spare = self.add_weight((1,), "ones", constraint=lambda w: w * 1e20)

    x, y = table(40)
    for engine in ENGINES:
        utils.set_random_seed(0)
        model = Sequential([Input((4,)), Spare(1)])
        model.compile(optimizers.SGD(0.0), "mse", engine=engine)
        with pytest.raises(NonFiniteError, match="training step 2"):
            model.fit(x, y, batch_size=4, epochs=2, verbose=0)
        assert model.optimizer.iterations == 1


# ---------------------------------------------------------------------- what callbacks may change


@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_callback_writes_into_a_weight_is_taken_up(engine):
    x, y = table()

    def halve(epoch, logs):
        model.layers[0].kernel[...] = 0.0

    def replace(epoch, logs):
        model.layers[0].kernel = np.zeros((4, 6), "float32")

    for change in (halve, replace):
        model = network(engine, optimizers.SGD(0.0))
        model.fit(
            x, y, epochs=2, verbose=0,
            callbacks=callbacks.LambdaCallback(on_epoch_end=change),
        )  # fmt: skip
        assert not model.layers[0].kernel.any()
        after = network(engine, optimizers.SGD(0.0))
        after.layers[0].kernel = np.zeros((4, 6), "float32")
        np.testing.assert_allclose(
            model.history.history["loss"][1],
            after.fit(x, y, epochs=2, verbose=0).history["loss"][1],
            rtol=0.5,
        )


# ------------------------------------------------------------------------------ one batch at a time


class Blocks(Model):
    """Keeps layers in a list that can grow."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.blocks = [layers.Dense(3, "tanh"), layers.Dense(3)]
        self.scale = 1.0

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return x * self.scale


@pytest.mark.parametrize("engine", ENGINES)
def test_one_row_is_predicted_as_many_are(engine):
    x, _ = table()
    model = network(engine)
    many = model.predict(x, batch_size=32)
    for rows in (1, 5, 32):
        np.testing.assert_allclose(model.predict(x[:rows]), many[:rows], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.predict(x[:1].astype("float64")), many[:1], rtol=1e-5)
    assert model.predict(x[:1]).dtype == np.float32


def test_a_drawn_model_predicts_one_row():
    first, second = Input((2,)), Input((2,))
    h = layers.Dense(3, "tanh")(first)
    one, two = Model(first, h), Model([first, second], [h, layers.Dense(3)(second)])
    x = np.ones((1, 2), "float32")
    assert one.predict(x).shape == (1, 3)
    assert [part.shape for part in two.predict([x, x])] == [(1, 3), (1, 3)]
    named = Model(first, {"a": h, "b": h})
    assert set(named.predict(x)) == {"a", "b"}


def test_a_prediction_is_nobody_elses_array():
    model = Sequential([Input((2,)), layers.Activation("linear")])
    x = np.ones((1, 2), "float32")
    model.predict(x)[...] = 5.0
    assert x.tolist() == [[1, 1]]


def test_what_changes_between_predictions_is_seen():
    x = np.ones((1, 4), "float32")
    model = Blocks()
    model.compile("sgd", "mse")
    first = model.predict(x)
    model.scale = 2.0
    np.testing.assert_allclose(model.predict(x), 2 * first, rtol=1e-6)
    model.blocks.append(layers.Activation(lambda x: x * 0.0))
    assert not model.predict(x).any()
    model.blocks[-1] = layers.Activation(lambda x: x * 0.0 + 7.0)
    assert (model.predict(x) == 14.0).all()
    model.blocks.pop()
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    assert not model.predict(x).any()


def thrice(model, x):
    """Predict so often that what happens is taken down, and done again."""
    return [model.predict(x, None) for _ in range(3)]


@pytest.mark.parametrize(
    ("shape", "stack"),
    [
        ((4,), [layers.Dense(3, "softmax")]),
        ((4,), [layers.BatchNormalization(), layers.Dense(3), layers.Dropout(0.5)]),
        ((4,), [layers.Dense(6, "gelu"), layers.Reshape((2, 3)), layers.Flatten()]),
        ((4,), [layers.LayerNormalization(), layers.Dense(2, activity_regularizer="l2")]),
        ((5, 2), [layers.SimpleRNN(3), layers.Dense(1)]),
        ((4,), [layers.Activation("linear")]),
    ],
)
def test_what_is_taken_down_gives_the_same_bits(shape, stack):
    model = Sequential([Input(shape), *stack])
    x, other = np.random.default_rng(0).normal(size=(2, 3, *shape)).astype("float32")
    first, *again = thrice(model, x)
    assert all(np.array_equal(first, more) for more in again)
    np.testing.assert_array_equal(model.predict(other), model._by_layers(other))
    model.predict(x)[...] = 9.0
    np.testing.assert_array_equal(model.predict(x), first)
    assert [a.dtype for a in thrice(model, x.astype("float64"))] == [np.float32] * 3


def test_what_is_taken_down_follows_the_model():
    x, y = np.ones((2, 4), "float32"), np.zeros((2, 3), "float32")
    model = Sequential([Input((4,)), layers.Dense(3), layers.Dense(3, kernel_initializer="ones")])
    model.compile("sgd", "mse", engine="numpy")
    before = thrice(model, x)[-1]
    assert isinstance(model._structure().recordings[2, 4], Recording)
    model.fit(x, y, epochs=1, verbose=0)
    trained = model.predict(x)
    assert not np.array_equal(trained, before)
    np.testing.assert_array_equal(trained, model._by_layers(x))
    model.layers[0].kernel = np.zeros((4, 3), "float32")
    np.testing.assert_array_equal(thrice(model, x)[-1], model._by_layers(x))
    model.layers[1].activation = "relu"
    assert all((p >= 0).all() for p in thrice(model, x))
    model.layers[0].bias = np.ones(3, "float32")
    assert thrice(model, x)[-1].min() > 0
    model.pop()
    assert all((p == 1).all() for p in thrice(model, x))
    model.add(layers.Rescaling(5.0))
    assert all((p == 5).all() for p in thrice(model, x))
    model.layers[-1].scale = np.full(3, 6.0, "float32")
    assert all((p == 6).all() for p in thrice(model, x))
    model.layers[-1].scale[...] = 7.0
    assert all((p == 7).all() for p in thrice(model, x))
    with pytest.raises(UserError, match="the model takes"):
        model.predict(np.ones((2, 5), "float32"))


def test_code_from_outside_runs_each_time():
    asked = []

    def counting(x):
        asked.append(1)
        return x

    class Own(layers.Layer):
        def call(self, x):
            return counting(x)

    for one in (layers.Activation(counting), Own()):
        model = Sequential([Input((2,)), one])
        asked.clear()
        thrice(model, np.ones((1, 2), "float32"))
        assert len(asked) == 3
    assert model._structure().recordings[1, 2] == model._by_layers


def test_few_shapes_are_taken_down():
    model = Sequential([Input((2,)), layers.Dense(1)])
    for rows in range(1, 200):
        model.predict(np.ones((rows, 2), "float32"), None)
    assert len(model._structure().recordings) <= 64


def test_predicting_moves_nothing():
    class Counts(layers.Layer):
        def build(self, input_shape):
            self.seen = self.add_weight((), "zeros", trainable=False)

        def call(self, x):
            self.seen.assign_add(1.0)
            return x + self.seen

    model = Sequential([Input((2,)), Counts()])
    x, before = np.zeros((3, 2), "float32"), float(model.layers[0].seen)
    for size in (3, 2):
        assert (model.predict(x, batch_size=size) == before + 1.0).all()
    assert float(model.layers[0].seen) == before


@pytest.mark.parametrize("engine", ENGINES)
def test_batches_by_hand_are_those_of_fit(engine):
    x, y = table(80)
    a, b = network(engine), network(engine)
    a.fit(x, y, batch_size=8, epochs=1, shuffle=False, verbose=0)
    for i in range(0, 80, 8):
        b.train_on_batch(x[i : i + 8], y[i : i + 8])
    assert a.optimizer.iterations == b.optimizer.iterations == 10
    for v, w in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_allclose(v, w, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_changes_between_batches_is_taken_up(engine):
    x, y = table(16)

    def steps(changes):
        model = network(engine, optimizers.SGD(0.1, momentum=0.9))
        model.train_on_batch(x, y)
        for change in changes:
            change(model)
        model.train_on_batch(x[:8], y[:8])
        logs = model.train_on_batch(x, y, return_dict=True)
        return model, logs

    def frozen(model):
        model.layers[0].trainable = False

    def stopped(model):
        model.optimizer.learning_rate = 0.0

    def reset(model):
        model.set_weights([np.ones_like(w) for w in model.get_weights()])

    plain, logs = steps([])
    assert set(logs) == {"loss", "mae"}
    still, _ = steps([frozen])
    first = network(engine, optimizers.SGD(0.1, momentum=0.9))
    first.train_on_batch(x, y)
    np.testing.assert_array_equal(still.layers[0].kernel, first.layers[0].kernel)
    assert (plain.layers[0].kernel != still.layers[0].kernel).any()
    ones, _ = steps([stopped, reset])
    assert (np.array(ones.layers[0].bias) != np.array(plain.layers[0].bias)).any()
    drops, _ = steps([lambda model: setattr(model.layers[2], "rate", 0.9)])
    assert (np.array(drops.layers[0].kernel) != np.array(plain.layers[0].kernel)).any()
    again, _ = steps([lambda model: model.compile(optimizers.SGD(0.0), "mse", engine=engine)])
    np.testing.assert_array_equal(again.layers[0].kernel, first.layers[0].kernel)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_epoch_end", "on_train_batch_begin"])
def test_what_a_callback_changes_between_steps_counts(engine, hook):
    rows, cell = layers.Input((3, 2), batch_size=4), layers.GRU(2, stateful=True)
    model = Model(rows, layers.Dense(1)(cell(rows)))
    model.compile(optimizers.SGD(0.0), "mse", engine=engine)
    change = callbacks.LambdaCallback(**{hook: lambda number, logs: cell.reset_state()})
    x, how = np.random.default_rng(2).normal(size=(8, 3, 2)), {"batch_size": 4, "shuffle": False}
    fit = model.fit(x, np.ones((8, 1)), epochs=3, verbose=0, callbacks=[change], **how)
    assert len(set(fit.history["loss"])) == 1  # each epoch starts from the same states


@pytest.mark.parametrize("engine", ENGINES)
def test_a_batch_is_measured_as_the_model_is_now(engine):
    x, y = table(16)
    model = network(engine)
    for change in (
        lambda: None,
        lambda: model.fit(x, y, epochs=1, verbose=0),
        lambda: model.train_on_batch(x, y),
        lambda: model.set_weights([w + 0.5 for w in model.get_weights()]),
        lambda: setattr(model.layers[1], "epsilon", 0.5),
    ):
        change()
        now, steps = model.get_weights(), model.optimizer.iterations
        here, there = model.test_on_batch(x, y), model.evaluate(x, y, batch_size=None, verbose=0)
        np.testing.assert_allclose(here, there, rtol=1e-5)
        assert model.optimizer.iterations == steps
        for v, w in zip(now, model.get_weights(), strict=True):
            np.testing.assert_array_equal(v, w)


def test_bad_class_numbers_are_refused_in_a_later_batch_too():
    utils.set_random_seed(0)
    model = Sequential([Input((2,)), layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    x = np.zeros((4, 2), "float32")
    model.train_on_batch(x, np.array([0, 1, 2, 0]))
    with pytest.raises(ValueError, match="class numbers go from 0 to 3"):
        model.train_on_batch(x, np.array([0, 1, 2, 3]))


# ------------------------------------------------------------------------- programs that are kept

TRAINS = """
import numpy as np
from trasluz import Sequential, layers, utils
utils.set_random_seed(0)
m = Sequential([layers.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1)])
m.compile("adam", "mse", engine="xla")
x = np.linspace(0, 1, 60, dtype="float32").reshape(20, 3)
m.fit(x, x[:, :1], epochs=3, batch_size=8, verbose=0)
print(float(m.get_weights()[0].sum()).hex())
"""


def trained(**environment):
    bare = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", TRAINS],
        env=bare | environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_second_process_finds_what_the_first_compiled(tmp_path):
    first = trained(TRASLUZ_CACHE=str(tmp_path))
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "xla").iterdir()}
    assert kept
    assert trained(TRASLUZ_CACHE=str(tmp_path)) == first
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "xla").iterdir()} == kept
    for file in kept:
        file.unlink()
    assert trained(TRASLUZ_CACHE="", HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path)) == first
    assert [p.name for p in tmp_path.rglob("*")] == ["xla"]


def test_where_programs_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("TRASLUZ_CACHE", str(tmp_path))
    assert backend._program_folder() == tmp_path / "xla"
    for i in range(4):
        (tmp_path / "xla" / f"{i}").write_bytes(b"0" * 100)
        os.utime(tmp_path / "xla" / f"{i}", (i, i))
    monkeypatch.setattr(backend, "_KEPT_PROGRAMS", 250)
    backend._program_folder()
    assert sorted(p.name for p in (tmp_path / "xla").iterdir()) == ["2", "3"]
    monkeypatch.setenv("TRASLUZ_CACHE", str(tmp_path / "xla" / "2" / "under a file"))
    assert backend._program_folder() is None
    monkeypatch.setenv("TRASLUZ_CACHE", "")
    assert backend._program_folder() is None


# -------------------------------------------------------------------------------- a real interrupt

ENDLESS = """
import numpy as np
from trasluz import Sequential, callbacks, layers, utils

def fit(epochs, file):
    utils.set_random_seed(0)
    dense = layers.Dense(4, "tanh")
    m = Sequential([layers.Input((3,)), dense, layers.Dropout(0.2), layers.Dense(1)])
    m.compile("adam", "mse", engine="xla")
    x = np.linspace(0, 1, 3000, dtype="float32").reshape(1000, 3)
    kept = [callbacks.BackupAndRestore(file, delete_checkpoint=False)] if file else []
    tell = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, flush=True))
    history = m.fit(x, x[:, :1], batch_size=12, epochs=epochs, verbose=0, callbacks=[*kept, tell])
    return m, history
"""


def test_ctrl_c_is_heard_soon_and_loses_nothing(tmp_path):
    file = tmp_path / "checkpoint"
    program = f"{ENDLESS}\nfit(10**6, {str(file)!r})"
    running = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for _ in range(20):
        running.stdout.readline()
    running.send_signal(signal.SIGINT)
    asked = time.perf_counter()
    said, error = running.communicate(timeout=60)
    assert time.perf_counter() - asked < 10
    assert "KeyboardInterrupt" in error
    done = int((said.split() or ["19"])[-1]) + 1
    space: dict = {}
    exec(ENDLESS, space)
    resumed, again = space["fit"](done + 2, file)
    whole, history = space["fit"](done + 2, None)
    same(resumed, whole)
    assert again.history == history.history


def test_small_products_take_one_thread_and_leave_the_number_as_it_was():
    from threadpoolctl import threadpool_info, threadpool_limits

    threads = lambda: [p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"]  # noqa: E731
    seen = []

    class Look(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(threads())

    with threadpool_limits(limits=2, user_api="blas"):
        before = threads()
        for units, size in ((64, 128), (1024, 512)):
            model = Sequential([Input((64,)), layers.Dense(units), layers.Dense(1)])
            model.compile("sgd", "mse", engine="numpy")
            x = np.zeros((512, 64), "float32")
            model.fit(x, x[:, :1], batch_size=size, verbose=0, callbacks=[Look()])
            assert threads() == before
    assert seen == [[1] * len(before), before]
