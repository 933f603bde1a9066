"""What happens between steps: alone, against Keras on random runs, and in training."""

from __future__ import annotations

import csv
import io
import itertools
import sys

import numpy as np
import pytest

from trasluz import callbacks, optimizers
from trasluz.callbacks import CallbackList
from trasluz.errors import UserError


class Model:
    """As much of a model as callbacks touch; its weights say which epoch it is."""

    def __init__(self, rate=1.0):
        self.optimizer = optimizers.SGD(rate)
        self.stop_training = False
        self.weights_now, self.saved = 0, []

    def get_weights(self):
        return [self.weights_now]

    def set_weights(self, weights):
        self.weights_now = weights[0]

    def save(self, path, overwrite=True):
        self.saved.append((str(path), self.weights_now))

    def save_weights(self, path, overwrite=True):
        self.saved.append((str(path), self.weights_now, "weights"))


def drive(callback, values, model=None, monitor="val_loss"):
    """Run epochs that measure the given values; say when it stopped."""
    model = model or Model()
    callback.set_model(model)
    callback.set_params({"verbose": 0, "epochs": len(values), "steps": 1})
    callback.on_train_begin()
    logs, epoch = {}, -1
    rates = []
    for epoch, value in enumerate(values):
        model.weights_now = epoch + 1
        callback.on_epoch_begin(epoch)
        logs = {monitor: value}
        callback.on_epoch_end(epoch, logs)
        rates.append(float(model.optimizer.learning_rate))
        if model.stop_training:
            break
    callback.on_train_end(logs)
    return epoch, model, rates


# ------------------------------------------------------------------------------- against Keras


def keras_module():
    return pytest.importorskip("keras").callbacks


def runs(n=60):
    rng = np.random.default_rng(0)
    for _ in range(n):
        # few distinct values, so that equal ones and thresholds are met
        yield rng, [float(v) for v in rng.integers(0, 8, size=15) / 4]


@pytest.mark.interop
def test_early_stopping_is_that_of_keras():
    theirs = keras_module()
    for rng, values in runs():
        kwargs = {
            "patience": int(rng.integers(0, 4)),
            "min_delta": float(rng.choice([0.0, 0.25, 0.3])),
            "mode": str(rng.choice(["auto", "min", "max"])),
            "baseline": float(rng.choice([0.5, 1.0])) if rng.random() < 0.4 else None,
            "restore_best_weights": bool(rng.random() < 0.5),
            "start_from_epoch": int(rng.choice([0, 0, 3])),
        }
        a, b = callbacks.EarlyStopping(**kwargs), theirs.EarlyStopping(**kwargs)
        (epoch, model, _), (other_epoch, other_model, _) = drive(a, values), drive(b, values)
        assert epoch == other_epoch, (kwargs, values)
        assert model.weights_now == other_model.weights_now, (kwargs, values)
        assert (a.stopped_epoch, a.best) == (b.stopped_epoch, b.best), (kwargs, values)
        assert a.best_epoch == b.best_epoch, (kwargs, values)


@pytest.mark.interop
def test_reduce_on_plateau_is_that_of_keras():
    theirs = keras_module()
    for rng, values in runs():
        kwargs = {
            "patience": int(rng.integers(1, 4)),
            "min_delta": float(rng.choice([0.0, 1e-4, 0.25])),
            "mode": str(rng.choice(["auto", "min", "max"])),
            "cooldown": int(rng.integers(0, 3)),
            "factor": 0.5,
            "min_lr": float(rng.choice([0.0, 0.2])),
        }
        a, b = callbacks.ReduceLROnPlateau(**kwargs), theirs.ReduceLROnPlateau(**kwargs)
        assert drive(a, values)[2] == drive(b, values)[2], (kwargs, values)


@pytest.mark.interop
def test_checkpoints_are_those_of_keras():
    theirs = keras_module()
    for rng, values in runs():
        kwargs = {
            "save_best_only": bool(rng.random() < 0.7),
            "save_weights_only": bool(rng.random() < 0.5),
            "mode": str(rng.choice(["auto", "min", "max"])),
            "initial_value_threshold": 1.0 if rng.random() < 0.4 else None,
        }
        end = "weights.h5" if kwargs["save_weights_only"] else "keras"
        path = f"m{{epoch:02d}}-{{val_loss:.2f}}.{end}"
        a = callbacks.ModelCheckpoint(path, **kwargs)
        b = theirs.ModelCheckpoint(path, **kwargs)
        assert drive(a, values)[1].saved == drive(b, values)[1].saved, (kwargs, values)


@pytest.mark.interop
@pytest.mark.parametrize(
    "schedule", [lambda epoch: 0.1 / (epoch + 1), lambda epoch, rate: rate * 0.5]
)
def test_scheduler_is_that_of_keras(schedule):
    theirs = keras_module()
    a, b = callbacks.LearningRateScheduler(schedule), theirs.LearningRateScheduler(schedule)
    assert drive(a, [0.0] * 5)[2] == drive(b, [0.0] * 5)[2]


# ------------------------------------------------------------------------------------- alone


def test_early_stopping_says_what_it_does(capsys):
    stop = callbacks.EarlyStopping(patience=1, restore_best_weights=True, verbose=1)
    epoch, model, _ = drive(stop, [3.0, 2.0, 2.5, 1.0])
    assert (epoch, model.weights_now) == (2, 2)
    said = capsys.readouterr().out
    assert "Epoch 3: early stopping" in said
    assert "Epoch 2: its weights are restored" in said


def test_a_callback_can_be_used_again():
    stop = callbacks.EarlyStopping(patience=1)
    assert drive(stop, [1.0, 2.0, 3.0])[0] == 1
    assert drive(stop, [9.0, 8.0, 7.0])[0] == 2


def test_what_is_not_measured_is_said():
    with pytest.warns(UserWarning, match="watches 'val_loss', which is not measured"):
        drive(callbacks.EarlyStopping(), [1.0], monitor="loss")


@pytest.mark.parametrize(
    ("monitor", "greater"),
    [
        ("val_loss", False), ("loss", False), ("val_accuracy", True), ("acc", True),
        ("sparse_categorical_accuracy", True), ("val_auc", True), ("mean_squared_error", False),
        ("categorical_crossentropy", False), ("val_r2_score", True), ("f1_score", True),
        ("root_mean_squared_error", False), ("precision", True), ("kl_divergence", False),
    ],
)  # fmt: skip
def test_names_tell_which_way_is_better(monitor, greater):
    assert callbacks.EarlyStopping(monitor).greater_is_better() is greater


def test_a_name_that_does_not_tell():
    with pytest.raises(UserError, match="give mode='max' or mode='min'"):
        drive(callbacks.EarlyStopping("val_quality"), [1.0, 2.0], monitor="val_quality")
    drive(callbacks.EarlyStopping("val_quality", mode="max"), [1.0, 2.0], monitor="val_quality")


@pytest.mark.parametrize(
    "make",
    [
        lambda: callbacks.EarlyStopping(mode="mim"),
        lambda: callbacks.ModelCheckpoint("m", save_freq="batch"),
        lambda: callbacks.ModelCheckpoint("m", save_freq=0),
        lambda: callbacks.ReduceLROnPlateau(factor=1.0),
        lambda: callbacks.LambdaCallback(on_epoch_and=print),
        lambda: CallbackList([print]),
    ],
)
def test_arguments_out_of_range(make):
    with pytest.raises(UserError):
        make()


def test_checkpoint_paths():
    model = Model()
    drive(callbacks.ModelCheckpoint("{epoch:02d}.model"), [1.0, 2.0], model)
    assert [path for path, _ in model.saved] == ["01.model", "02.model"]
    with pytest.raises(UserError, match="use epoch, val_loss"):
        drive(callbacks.ModelCheckpoint("{val_los}"), [1.0])


def test_checkpoints_after_batches():
    model = Model()
    save = callbacks.ModelCheckpoint("{epoch}-{batch}", save_freq=4)
    listed = CallbackList([save], model=model, epochs=2, steps=6)
    for epoch in range(2):
        listed.on_epoch_begin(epoch)
        for batch in range(6):
            listed.on_train_batch_end(batch, {"loss": 1.0})
        listed.on_epoch_end(epoch, {"loss": 1.0})
    assert [path for path, _ in model.saved] == ["1-4", "2-2", "2-6"]


def test_a_scheduler_needs_numbers():
    with pytest.raises(UserError, match="gave None for epoch 0"):
        drive(callbacks.LearningRateScheduler(lambda epoch: None), [1.0])


def test_history_and_what_is_added_to_the_logs():
    model = Model()
    listed = CallbackList(
        [callbacks.LearningRateScheduler(lambda epoch: 0.5**epoch)], add_history=True, model=model
    )
    given = {"loss": 1.0}
    listed.on_train_begin()
    for epoch in range(3):
        listed.on_epoch_begin(epoch)
        listed.on_epoch_end(epoch, given)
    assert model.history.epoch == [0, 1, 2]
    assert model.history.history == {"loss": [1.0] * 3, "learning_rate": [1.0, 0.5, 0.25]}
    assert given == {"loss": 1.0}


def test_terminate_on_nan(capsys):
    model = Model()
    listed = CallbackList([callbacks.TerminateOnNaN()], model=model)
    listed.on_train_batch_end(3, {"loss": 1.0})
    assert not model.stop_training
    listed.on_train_batch_end(4, {"loss": float("nan")})
    assert model.stop_training
    assert "Batch 4: the loss is nan" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match="inf at batch 0"):
        CallbackList([callbacks.TerminateOnNaN(True)]).on_train_batch_end(0, {"loss": np.inf})


# ------------------------------------------------------------------------------ batches on demand


def test_batches_are_wanted_only_where_somebody_listens():
    class Old(callbacks.Callback):
        def on_batch_end(self, batch, logs=None):
            heard.append((batch, logs))

    heard: list = []
    quiet = [callbacks.EarlyStopping(), callbacks.History(), callbacks.TensorBoard()]
    assert not CallbackList([*quiet, callbacks.ModelCheckpoint("m")]).wants_every_batch
    assert CallbackList(callbacks.ModelCheckpoint("m", save_freq=2)).wants_every_batch
    assert not CallbackList([], add_progbar=True, verbose=2).wants_every_batch
    assert not CallbackList([], add_progbar=True, verbose=1).wants_every_batch
    set_later = callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: None)
    assert CallbackList(set_later).wants_every_batch
    listed = CallbackList([[Old()]])
    assert listed.wants_every_batch
    listed.on_train_batch_end(1, lambda: {"loss": 2.0})
    assert heard == [(1, {"loss": 2.0})]


def test_logs_are_worked_out_only_for_one_that_listens(monkeypatch):
    asked = []
    listed = CallbackList([callbacks.ProgbarLogger(io.StringIO())], verbose=1, epochs=1, steps=9)
    listed.on_epoch_begin(0)
    for batch in range(9):
        listed.on_train_batch_end(batch, lambda: asked.append(1) or {})
    assert asked == []


# -------------------------------------------------------------------------------------- progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def progress(file, verbose, epochs=2, steps=4, batches=4):
    bar = callbacks.ProgbarLogger(file)
    bar.INTERVAL = 0.0
    listed = CallbackList([bar], model=Model(), verbose=verbose, epochs=epochs, steps=steps)
    listed.on_train_begin()
    for epoch in range(epochs):
        listed.on_epoch_begin(epoch)
        for batch in range(batches):
            listed.on_train_batch_end(batch, {"loss": 1.0})
        listed.on_test_begin()
        listed.on_test_batch_end(0, {"loss": 9.0})
        listed.on_test_end({"loss": 9.0})
        listed.on_epoch_end(epoch, {"loss": 0.5, "val_loss": 1e-5})
    listed.on_train_end({})
    return file.getvalue()


def test_progress_in_a_file():
    lines = progress(io.StringIO(), verbose=1).splitlines()
    assert len(lines) == 4
    assert lines[0] == "Epoch 1/2"
    assert lines[1].startswith("4/4 ━━━━━━━━━━━━━━━━━━━━ 0s ")
    assert lines[1].endswith("/step - loss: 0.5000 - val_loss: 1.0000e-05")


def test_progress_on_a_terminal():
    text = progress(Terminal(), verbose=1, epochs=1)
    shown = text.split("\n")[1].split("\r")
    assert len(shown) == 5
    assert shown[0].startswith("1/4 ━━━━━╺╺╺╺╺╺╺╺╺╺╺╺╺╺╺ 0s left")
    assert "loss: 1.0000" in shown[0]
    assert "9.0" not in text
    assert all(len(b) >= len(a) for a, b in itertools.pairwise(shown))


def test_progress_one_line_an_epoch():
    lines = progress(io.StringIO(), verbose=2).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("Epoch 1/2 - 4/4 - 0s - ")
    assert progress(io.StringIO(), verbose=0) == ""


def test_progress_without_a_known_number_of_steps():
    lines = progress(io.StringIO(), verbose=1, steps=None).splitlines()
    assert lines[1].startswith("4/4 ━")
    assert progress(Terminal(), verbose=1, steps=None, epochs=1).split("\n")[1].startswith("1 ")


def test_progress_of_measuring_and_predicting(monkeypatch):
    text = io.StringIO()
    monkeypatch.setattr(sys, "stdout", text)
    listed = CallbackList(add_progbar=True, verbose=1, steps=2)
    listed.on_test_begin()
    listed.on_test_batch_end(0, {})
    listed.on_test_end({"loss": 0.25})
    listed.on_predict_begin()
    listed.on_predict_end({})
    lines = text.getvalue().splitlines()
    assert lines[0].endswith("loss: 0.2500")
    assert len(lines) == 2


# ----------------------------------------------------------------------------------------- files


def rows(path, separator=","):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter=separator))


def test_csv_has_every_epoch_at_once(tmp_path):
    path = tmp_path / "new" / "log.csv"
    log = callbacks.CSVLogger(path)
    log.on_train_begin()
    for epoch in range(3):
        log.on_epoch_end(epoch, {"loss": 0.5 * epoch, "accuracy": 1.0})
        assert rows(path)[-1] == {"epoch": str(epoch), "accuracy": "1.0", "loss": str(0.5 * epoch)}


def test_csv_gets_a_column_for_a_late_name(tmp_path):
    path = tmp_path / "log.csv"
    log = callbacks.CSVLogger(path, separator=";")
    log.on_train_begin()
    log.on_epoch_end(0, {"loss": 1.0})
    log.on_epoch_end(1, {"loss": 0.5, "val_loss": np.array([1.0, 2.0])})
    log.on_epoch_end(2, {"loss": 0.25})
    assert [row["val_loss"] for row in rows(path, ";")] == ["NA", "[1.0, 2.0]", "NA"]
    assert [row["loss"] for row in rows(path, ";")] == ["1.0", "0.5", "0.25"]


def test_csv_goes_on_or_starts_anew(tmp_path):
    path = tmp_path / "log.csv"
    for append, count in ((True, 1), (True, 2), (False, 1)):
        log = callbacks.CSVLogger(path, append=append)
        log.on_train_begin()
        log.on_epoch_end(0, {"loss": 1.0})
        log.on_train_end()
        assert len(rows(path)) == count


def test_tensorboard_needs_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(UserError, match="pip install tensorboardX"):
        callbacks.TensorBoard().on_train_begin()


def events(folder):
    """Read the scalars of TensorBoard's own file format: length, checksum, event, checksum."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in sorted(folder.glob("events*")):
        content = path.read_bytes()
        while content:
            length = int.from_bytes(content[:8], "little")
            event = Event.FromString(content[12 : 12 + length])
            content = content[16 + length :]
            found += [(v.tag, v.simple_value, event.step) for v in event.summary.value]
    return found


def test_tensorboard_writes(tmp_path):
    board = callbacks.TensorBoard(tmp_path, update_freq=2)
    listed = CallbackList([board], model=Model(0.5))
    listed.on_train_begin()
    for batch in range(2):
        listed.on_train_batch_end(batch, {"loss": 3.0})
    listed.on_epoch_end(0, {"loss": 2.0, "val_loss": 1.0})
    listed.on_train_end()
    assert events(tmp_path / "train") == [
        ("batch_loss", 3.0, 2),
        ("epoch_loss", 2.0, 0),
        ("epoch_learning_rate", 0.5, 0),
    ]
    assert events(tmp_path / "validation") == [("epoch_loss", 1.0, 0)]


# ------------------------------------------------------------------------------------ in training


def table(n=96):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 3)).astype(np.float32)
    return x, (x @ np.array([[1.0], [-2.0], [0.5]])).astype(np.float32)


def compiled_model(engine, optimizer):
    from trasluz.layers import Dense
    from trasluz.models import Sequential
    from trasluz.utils import set_random_seed

    set_random_seed(1)
    model = Sequential([Dense(4, activation="tanh"), Dense(1)])
    model.compile(optimizer=optimizer, loss="mse", engine=engine)
    return model


@pytest.mark.parametrize("engine", ["numpy", "xla"])
def test_the_best_weights_are_those_of_their_epoch(engine):
    if engine == "xla":
        pytest.importorskip("jax")
    x, y = table()
    kept: dict[int, list] = {}
    model = compiled_model(engine, optimizers.SGD(1.5))  # too fast: the loss jumps about
    keep = callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: kept.update({epoch: model.get_weights()})
    )
    stop = callbacks.EarlyStopping("loss", patience=2, restore_best_weights=True)
    history = model.fit(x, y, epochs=40, batch_size=16, verbose=0, callbacks=[keep, stop])
    losses = history.history["loss"]
    best = int(np.argmin(losses))
    assert stop.stopped_epoch == len(losses) - 1 == best + 2
    for a, b in zip(model.get_weights(), kept[best], strict=True):
        assert (a == b).all()


@pytest.mark.parametrize("engine", ["numpy", "xla"])
def test_a_rate_set_between_epochs_is_used(engine):
    if engine == "xla":
        pytest.importorskip("jax")
    x, y = table()
    model = compiled_model(engine, optimizers.SGD(0.1))
    rates = callbacks.LearningRateScheduler(lambda epoch: 0.1 if epoch < 2 else 0.0)
    history = model.fit(x, y, epochs=4, shuffle=False, verbose=0, callbacks=[rates])
    losses = history.history["loss"]
    assert history.history["learning_rate"] == [0.1, 0.1, 0.0, 0.0]
    assert losses[0] > losses[1] > losses[2] == losses[3]


@pytest.mark.parametrize("engine", ["numpy", "xla"])
def test_a_schedule_follows_the_steps(engine):
    if engine == "xla":
        pytest.importorskip("jax")
    x, y = table()
    piecewise = optimizers.schedules.PiecewiseConstantDecay([5, 11], [0.1, 0.05, 0.0])
    model = compiled_model(engine, optimizers.SGD(piecewise))
    history = model.fit(x, y, epochs=4, batch_size=16, shuffle=False, verbose=0)
    losses = history.history["loss"]
    assert losses[0] > losses[1] > losses[2] == losses[3]
    assert model.optimizer.iterations == 24


def test_averages_are_the_weights_at_the_end():
    x, y = table()
    model = compiled_model("numpy", optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5))
    seen = []
    model.fit(
        x, y, epochs=3, batch_size=96, verbose=0, shuffle=False,
        callbacks=callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: seen.append(model.get_weights())
        ),
    )  # fmt: skip
    expected = [(a / 2 + b / 2) / 2 + c / 2 for a, b, c in zip(*seen, strict=True)]
    for a, b in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_checkpoints_load_again(tmp_path):
    from trasluz.models import load_model

    x, y = table()
    model = compiled_model("numpy", "adam")
    path = tmp_path / "{epoch:02d}-{loss:.3f}.trasluz"
    history = model.fit(x, y, epochs=2, verbose=0, callbacks=[callbacks.ModelCheckpoint(path)])
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == [f"{i + 1:02d}-{v:.3f}.trasluz" for i, v in enumerate(history.history["loss"])]
    again = load_model(tmp_path / names[-1])
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
