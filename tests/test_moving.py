"""engine="auto": NumPy trains while XLA compiles, and takes over between two steps."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from test_loop import network, same, table
from trasluz import Sequential, callbacks, layers, utils
from trasluz.autodiff import backend
from trasluz.base.undisturbed import undisturbed
from trasluz.data import Batch
from trasluz.training.engine import Engine
from trasluz.training.epoch import Epoch

AT = 7  # an epoch has six steps: within the second
HOW = {"batch_size": 16, "epochs": 4, "verbose": 0}


@pytest.fixture
def moves(monkeypatch):
    """Let runs move over before their seventh step; note when they do."""
    moved, move, settle = [], Epoch._move, Engine.settle_auto

    def chosen(self, *given, **how):
        settle(self, *given, **how)
        if self.moves_at is not None:
            self.moves_at = AT

    def noting(self):
        move(self)
        moved.append((self.number, self.batch, int(self.state.arrays["step"])))

    monkeypatch.setattr("trasluz.training.engine._WORTH_COMPILING", 0.0)
    monkeypatch.setattr(Engine, "settle_auto", chosen)
    monkeypatch.setattr(Epoch, "_move", noting)
    return moved


def fitted(engine, data, **how):
    model = network(engine)
    model.fit(*data, validation_split=0.1, **{**HOW, **how})
    return model


def test_the_way_is_that_of_either_engine(moves):
    x, y = table(100)
    one = fitted("auto", (x, y))
    assert moves == [(1, 1, AT)]
    for engine in ("numpy", "xla"):
        other = fitted(engine, (x, y))
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-6)
        for name, values in one.history.history.items():
            np.testing.assert_allclose(values, other.history.history[name], rtol=2e-4)
    same(one, fitted("auto", (x, y)))  # whatever the clock says


def test_up_to_there_it_is_numpy(moves):
    x, y = table(100)
    models = []
    for engine in ("numpy", "auto"):
        models.append(fitted(engine, (x, y), epochs=1))
        models[-1].fit(x, y, steps_per_epoch=1, **{**HOW, "epochs": 1})
    same(*models)
    assert [w.dtype for w in models[1].weights] == [w.dtype for w in models[0].weights]
    assert models[1].optimizer.iterations == AT


def test_a_model_that_is_past_that_step_starts_on_xla(moves):
    x, y = table(100)
    model = fitted("auto", (x, y))
    moves.clear()
    model.fit(x, y, **HOW)
    assert moves == [(0, 0, 24)]


class Stop(callbacks.Callback):
    def __init__(self, at):
        self.at = at

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.at:
            raise KeyboardInterrupt


@pytest.mark.parametrize(("at", "moved"), [(0, (1, 1, 7)), (1, (1, 1, 7)), (2, (2, 0, 12))])
def test_a_killed_run_goes_on_bit_for_bit(at, moved, moves, tmp_path):
    x, y = table(100)
    whole = fitted("auto", (x, y))
    keep = callbacks.BackupAndRestore(tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        fitted("auto", (x, y), callbacks=[Stop(at), keep])
    moves.clear()
    same(whole, fitted("auto", (x, y), callbacks=[keep]))
    assert moves == [moved]


def test_a_run_that_goes_on_to_more_epochs_is_one_that_was_planned_so(tmp_path, monkeypatch):
    """When it moves over does not depend on the plan: here in the middle of the third epoch."""
    x, y = table(100)
    probe = Engine(network("auto"), None)
    probe.model.build((None, 4))
    seconds = probe._cost_of(Batch(x, y, None)).seconds(16)
    monkeypatch.setattr("trasluz.training.engine._WORTH_COMPILING", 14.5 * seconds)
    moved, move = [], Epoch._move
    monkeypatch.setattr(Epoch, "_move", lambda self: (move(self), moved.append(self.number)))
    whole = fitted("auto", (x, y))
    assert moved == [2]
    keep = callbacks.BackupAndRestore(tmp_path / "run", delete_checkpoint=False)
    for epochs, where in ((1, []), (2, []), (3, [2]), (4, [3])):
        moved.clear()
        model = fitted("auto", (x, y), epochs=epochs, callbacks=[keep])
        assert moved == where, epochs
    same(whole, model)


def test_what_a_callback_changes_meanwhile_holds_after_the_move(moves):
    class Change(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.optimizer.learning_rate = 0.0
            self.model.layers[0].trainable = False

    x, y = table(100)
    model = fitted("auto", (x, y), callbacks=[Change()])
    assert len(moves) == 1
    first = fitted("numpy", (x, y), epochs=1)
    for path in ("dense/kernel", "dense_1/kernel"):
        ours, theirs = ({w.path: w.value for w in m.weights}[path] for m in (model, first))
        np.testing.assert_array_equal(ours, theirs)


def test_an_epoch_whose_callbacks_hear_each_batch_moves_too(moves):
    class Listen(callbacks.Callback):
        def __init__(self):
            self.heard = 0

        def on_train_batch_end(self, batch, logs=None):
            self.heard += 1

    x, y = table(100)
    listen = Listen()
    same(fitted("auto", (x, y)), fitted("auto", (x, y), callbacks=[listen]))
    assert listen.heard == 24
    assert len(moves) == 2


def test_no_thread_is_left_behind(moves):
    fitted("auto", table(100))
    assert not [t for t in threading.enumerate() if t.name.startswith("compile")]


class Looks(layers.Layer):
    """Looks at values, which only NumPy has at hand."""

    def call(self, inputs):
        seen = getattr(inputs, "value", inputs)
        return inputs * 2.0 if seen.sum() > 0 else inputs


def test_what_xla_cannot_compile_stays_on_numpy(moves):
    x, y = table(100)

    def made(engine):
        utils.set_random_seed(0)
        model = Sequential([layers.Input((4,)), Looks(), layers.Dense(1)])
        model.compile("sgd", "mse", engine=engine)
        return model

    model = made("auto")
    with pytest.warns(UserWarning, match="XLA cannot take over, NumPy goes on"):
        model.fit(x, y, **HOW)
    other = made("numpy")
    other.fit(x, y, **HOW)
    same(model, other)


def test_without_jax_numpy_does_all(moves, monkeypatch):
    monkeypatch.setattr(backend, "has_xla", lambda: False)
    x, y = table(100)
    same(fitted("auto", (x, y)), fitted("numpy", (x, y)))
    assert moves == []


def test_a_small_table_is_trained_without_jax(tmp_path):
    program = (
        "import sys; from trasluz.cli import main\n"
        "sys.argv = ['trasluz', 'train', 'iris', '--target', 'species', '--epochs', '20',"
        f" '--out', {str(tmp_path / 'run')!r}]\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(tmp_path), timeout=120)


# ------------------------------------------------------------------- what belongs to the program

DRAWING = """
import random, time
import numpy as np
from trasluz import Sequential, callbacks, layers, utils
from trasluz.training import engine

engine._WORTH_COMPILING = 0.0
utils.set_random_seed(5)
draw = callbacks.LambdaCallback(
    on_train_batch_end=lambda batch, logs: drawn.extend((np.random.rand(), random.random()))
)
drawn = []
model = Sequential([layers.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1)])
model.compile("adam", "mse")
x = np.ones((640, 3), "float32")
model.fit(x, x[:, :1], batch_size=1, epochs=3, verbose=0, callbacks=[draw])
utils.set_random_seed(5)
expected = [number for _ in range(1920) for number in (np.random.rand(), random.random())]
assert drawn == expected
import sys
assert "jax" in sys.modules
"""


def test_what_is_loaded_meanwhile_draws_nothing_from_the_programs_generators():
    asked = [sys.executable, "-W", "error", "-c", DRAWING]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_other_threads_keep_drawing_from_the_shared_generators():
    inside, drawn = threading.Event(), threading.Event()

    def draw():
        with undisturbed():
            inside.set()
            drawn.wait(10)
            return np.random.rand(), random.random()  # noqa: NPY002

    np.random.seed(3)  # noqa: NPY002
    random.seed(3)
    loading = threading.Thread(target=draw)
    loading.start()
    assert inside.wait(10)
    here = [np.random.rand(), random.random()]  # noqa: NPY002
    drawn.set()
    loading.join()
    here += [np.random.rand(), random.random()]  # noqa: NPY002
    theirs, pythons = np.random.RandomState(3), random.Random(3)
    assert here == [theirs.rand(), pythons.random(), theirs.rand(), pythons.random()]
