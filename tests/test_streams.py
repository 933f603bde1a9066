"""What is larger than memory trains as what is in memory does: same bits, bounded memory."""

from __future__ import annotations

import contextlib
import itertools
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import traceback

import numpy as np
import polars as pl
import pytest

from trasluz import ParquetStream, Sequential, callbacks, data, layers, losses, utils
from trasluz.data import blocks
from trasluz.errors import UserError
from trasluz.layers import Input
from trasluz.training.engine import Engine

ENGINES = ["numpy", "xla"]
N, D, CLASSES = 203, 4, 3


def table(n=N):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, D)).astype("float32")
    return x, rng.integers(0, CLASSES, n)


def network(engine="numpy", optimizer="adam", **how):
    utils.set_random_seed(3)
    model = Sequential(
        [
            Input((D,)),
            layers.Dense(6, "tanh"),
            layers.BatchNormalization(momentum=0.9),
            layers.Dropout(0.3),
            layers.Dense(CLASSES, "softmax"),
        ]
    )
    loss = losses.SparseCategoricalCrossentropy()
    model.compile(optimizer, loss, metrics=["accuracy"], engine=engine, **how)
    return model


def same(a, b):
    assert a.optimizer.iterations == b.optimizer.iterations
    for v, w in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(v, w)
    assert a.history.history == b.history.history


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Let blocks hold three batches of ten rows, so that there are many of them."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 3 * 10 * (4 * D + 8))
    monkeypatch.setattr(data.arrays, "_WINDOW_BYTES", 700)


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and any(
        t.name == "trasluz-reader" for t in threading.enumerate()
    ):
        time.sleep(0.01)
    assert not [t for t in threading.enumerate() if t.name == "trasluz-reader"]


@pytest.fixture
def on_disk(tmp_path):
    """Put an array into a file, and map that into memory."""

    def put(array, name, **how):
        np.save(tmp_path / f"{name}.npy", np.asarray(array))
        return np.load(tmp_path / f"{name}.npy", mmap_mode="r", **how)

    return put


def batches_of(x, y, size=10):
    return [(x[i : i + size], y[i : i + size]) for i in range(0, len(x), size)]


# ------------------------------------------------------------------------------- arrays on disk


@pytest.mark.parametrize(("engine", "shuffle"), [("numpy", False), ("numpy", True), ("xla", True)])
def test_a_memory_map_trains_as_the_array_does(engine, shuffle, on_disk):
    x, y = table()
    how = {"batch_size": 10, "epochs": 3, "verbose": 0, "shuffle": shuffle}
    how |= {"validation_split": 0.2, "class_weight": {0: 1.0, 1: 2.0, 2: 0.5}}
    a, b = network(engine), network(engine)
    a.fit(x, y, **how)
    mapped = on_disk(x, "x"), on_disk(y, "y")
    b.fit(*mapped, **how)
    same(a, b)
    assert a.evaluate(x, y, 16, verbose=0) == b.evaluate(*mapped, 16, verbose=0)
    np.testing.assert_array_equal(a.predict(x, 16), b.predict(mapped[0], 16))


@pytest.mark.parametrize("kind", ["uint8", "float64", ">f4", "columns", "fortran"])
def test_types_and_layouts_on_disk(kind, on_disk):
    x, y = table()
    x = np.rint(x * 20 + 100)
    asked = on_disk(np.tile(x, 2).astype("float32"), "x")[:, :D] if kind == "columns" else None
    if kind == "fortran":
        asked = on_disk(np.asfortranarray(x.astype("float32")), "x")
    if asked is None:
        asked = on_disk(x.astype(kind), "x")
    assert isinstance(asked, np.memmap)
    a, b = network(), network()
    a.fit(x, y, 10, 2, verbose=0)
    b.fit(asked, y, 10, 2, verbose=0)
    same(a, b)


def test_an_hdf5_dataset_is_read_as_it_is_needed(tmp_path):
    h5py = pytest.importorskip("h5py")
    x, y = table()
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"], file["y"] = x, y
    a, b = network(), network()
    a.fit(x, y, 10, 2, verbose=0, validation_split=0.1)
    with h5py.File(tmp_path / "data.h5") as file:
        taken = data.Arrays(file["x"], file["y"])
        assert not taken.in_memory
        b.fit(file["x"], file["y"], 10, 2, verbose=0, validation_split=0.1)
    same(a, b)


def test_changes_to_a_private_map_are_not_lost(tmp_path):
    x, y = table()
    np.save(tmp_path / "x.npy", x)
    private = np.load(tmp_path / "x.npy", mmap_mode="c")
    private[:50] = 0.5
    a, b = network(), network()
    a.fit(np.array(private), y, 10, 1, verbose=0)
    b.fit(private, y, 10, 1, verbose=0)
    same(a, b)
    assert (private[:50] == 0.5).all()


def test_targets_on_disk_are_looked_at_as_they_come(on_disk):
    x, y = table()
    y[150] = CLASSES
    with pytest.raises(UserError, match="class numbers go from 0 to 3"):
        network().fit(x, on_disk(y, "y"), 10, verbose=0, shuffle=False)


def test_several_inputs_on_disk(on_disk):
    from trasluz import Model

    x, y = table()
    first, second = Input((D,), name="first"), Input((D,), name="second")
    both = layers.Concatenate()([first, second])
    found = []
    for inputs in ({"first": x, "second": x + 1}, {"first": on_disk(x, "x"), "second": x + 1}):
        utils.set_random_seed(0)
        model = Model({"first": first, "second": second}, layers.Dense(1)(both))
        model.compile("sgd", "mse")
        model.fit(inputs, y[:, None], 10, 2, verbose=0)
        found.append(model.get_weights())
    for v, w in zip(*found, strict=True):
        np.testing.assert_array_equal(v, w)


LARGE = """
import sys
import numpy as np
from trasluz import Sequential, layers, utils

def network():
    utils.set_random_seed(0)
    m = Sequential([layers.Input((784,)), layers.Dense(8, "tanh"), layers.Dense(1)])
    m.compile("sgd", "mse", engine=sys.argv[2])
    return m

def used():
    status = open("/proc/self/status").read()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024

def work(n):
    x = np.memmap(sys.argv[1], "uint8", "r", shape=(n, 784))
    y = np.memmap(sys.argv[1], "float32", "r", shape=(n, 1))
    m = network()
    m.fit(x, y, batch_size=2000, epochs=1, verbose=0, validation_data=(x[-20000:], y[-20000:]))
    m.evaluate(x, y, batch_size=4000, verbose=0)
    assert m.predict(x, batch_size=4000).shape == (n, 1)

work(40_000)
before = used()
work(250_000)
print(used() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_memory_is_bounded(tmp_path):
    file = tmp_path / "large"
    with open(file, "wb") as opened:
        opened.truncate(250_000 * 784)  # 0.8 GB as float32
    done = subprocess.run(
        [sys.executable, "-c", LARGE, file, "xla"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 200, done.stdout


# ------------------------------------------------------------------------------------- iterables


class Anew:
    """Batches that start anew whenever they are asked for; counts, and notes what was closed."""

    def __init__(self, batches):
        self.batches, self.given, self.closed = batches, 0, 0

    def __iter__(self):
        try:
            for batch in self.batches:
                self.given += 1
                yield batch
        finally:
            self.closed += 1


class Numbered(utils.PyDataset):
    """Batches by number."""

    def __init__(self, batches):
        super().__init__()
        self.batches, self.asked = batches, []

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        self.asked.append(index)
        return self.batches[index]


@pytest.mark.parametrize(
    ("kind", "engine"),
    [*((kind, "numpy") for kind in (list, Anew, Numbered, "lists")), ("mapped", "xla")],
)
def test_batches_train_as_the_array_does(engine, kind, on_disk):
    x, y = table()
    a, b = network(engine), network(engine)
    a.fit(x, y, 10, 3, verbose=0, shuffle=False, validation_data=(x, y), validation_batch_size=10)
    made = batches_of(x, y)
    if kind == "lists":
        made = Anew([[*pair] for pair in made])
    elif kind == "mapped":
        made = Anew(batches_of(on_disk(x.astype("float64"), "x"), y))
    else:
        made = kind(made)
    b.fit(made, epochs=3, verbose=0, validation_data=made)
    same(a, b)
    assert a.evaluate(x, y, 10, verbose=0) == b.evaluate(made, verbose=0)
    np.testing.assert_array_equal(a.predict(x, 10), b.predict([(part,) for part, _ in made]))


def test_a_dataloader_of_pytorch():
    torch = pytest.importorskip("torch")
    x, y = table()
    rows = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    loader = torch.utils.data.DataLoader(rows, batch_size=10)
    a, b = network(), network()
    a.fit(x, y, 10, 2, verbose=0, shuffle=False)
    b.fit(loader, epochs=2, verbose=0)
    same(a, b)


@pytest.mark.parametrize("engine", ENGINES)
def test_batches_may_have_any_sizes(engine):
    x, y = table()
    cuts = [0, 10, 20, 27, 37, 47, 57, 67, 74, 84]
    made = [(x[i:j], y[i:j]) for i, j in itertools.pairwise(cuts)]
    a, b = network(), network(engine)
    for batch in made:
        a.train_on_batch(*batch)
    b.fit(made, verbose=0)
    for v, w in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_allclose(v, w, rtol=1e-3, atol=1e-5)
    assert a.optimizer.iterations == b.optimizer.iterations == len(made)


def test_classes_of_batches_are_weighted():
    x, y = table()
    weights = {0: 1.0, 1: 5.0, 2: 0.1}
    a, b = network(), network()
    a.fit(x, y, 10, 2, verbose=0, shuffle=False, class_weight=weights)
    b.fit(batches_of(x, y), epochs=2, verbose=0, class_weight=weights)
    same(a, b)
    for how in ({"validation_split": 0.5}, {"sample_weight": np.ones(N)}):
        with pytest.raises(UserError, match="are for arrays"):
            b.fit(batches_of(x, y), verbose=0, **how)


def test_no_more_is_taken_of_a_generator_than_epochs_need():
    x, y = table()
    taken = []

    def endless():
        while True:
            for batch in batches_of(x, y):
                taken.append(1)
                yield batch

    source = endless()
    model = network()
    model.fit(source, epochs=3, steps_per_epoch=7, verbose=0)
    assert len(taken) == 21
    model.fit(source, epochs=1, steps_per_epoch=2, verbose=0)  # it is still open
    assert len(taken) == 23

    class Stop(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 4

    del taken[:]
    model.fit(source, epochs=1, steps_per_epoch=500, verbose=0, callbacks=Stop())
    assert model.optimizer.iterations == 23 + 5
    assert len(taken) <= 5 + 1


def test_what_was_begun_of_an_iterable_is_closed():
    x, y = table()
    source = Anew(batches_of(x, y) * 100)

    class Stop(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 4

    network().fit(source, epochs=3, verbose=0, callbacks=Stop())
    assert source.given in (5, 6)  # one may have been read ahead
    assert source.closed == 1
    network().evaluate(source, steps=3, verbose=0)
    assert source.closed == 2
    network().predict(Anew([(x,)]), steps=1)


def test_batches_are_read_while_others_are_in_use():
    x, y = table(40)

    class Slow(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            time.sleep(0.03)

    def slowly():
        for batch in batches_of(x, y, 2):
            time.sleep(0.03)
            yield batch

    model = network()
    model.fit(slowly(), verbose=0)
    began = time.perf_counter()
    model.fit(slowly(), verbose=0, callbacks=Slow())
    assert time.perf_counter() - began < 0.75 * 20 * 0.06


def test_a_slow_iterable_is_not_waited_for_until_a_block_is_full():
    x, y = table(60)
    seen, shown = [], []

    def slowly():
        for batch in batches_of(x, y):
            seen.append(len(shown))
            time.sleep(0.05)
            yield batch

    class Modest(callbacks.TerminateOnNaN):  # does not ask for every batch
        def on_train_batch_end(self, batch, logs=None):
            shown.append(batch)

    network().fit(slowly(), verbose=0, callbacks=Modest())
    assert seen[-1] >= 3


def test_one_thread_reads_an_iterable_from_first_to_last(tmp_path):
    x, y = table()
    with contextlib.closing(sqlite3.connect(tmp_path / "rows.db")) as made:
        made.execute("create table rows (a, b, c, d, y)")
        made.executemany(
            "insert into rows values (?, ?, ?, ?, ?)",
            [(*map(float, row), int(k)) for row, k in zip(x, y, strict=True)],
        )
        made.commit()

    class Base:
        def __iter__(self):
            base = sqlite3.connect(tmp_path / "rows.db")  # may be used in this thread alone
            with contextlib.closing(base):
                cursor = base.execute("select * from rows")
                while rows := cursor.fetchmany(10):
                    table = np.array(rows)
                    yield table[:, :4], table[:, 4].astype(int)

    a, b = network(), network()
    few = {"validation_data": (x[:30], y[:30]), "validation_batch_size": 10}
    a.fit(x, y, 10, 2, verbose=0, shuffle=False, **few)
    few = {"validation_data": Base(), "validation_steps": 3}
    b.fit(Base(), epochs=2, steps_per_epoch=21, verbose=0, **few)
    same(a, b)


def test_xla_takes_over_within_a_block(on_disk, monkeypatch):
    def soon(self, *given):
        self.moves_at = 25  # the fifth step of the second epoch

    monkeypatch.setattr(Engine, "settle_auto", soon)
    x, y = table()
    how = {"epochs": 3, "verbose": 0, "shuffle": False}
    a, b, c = (network("auto") for _ in range(3))
    a.fit(x, y, 10, **how)
    b.fit(on_disk(x, "x"), on_disk(y, "y"), 10, **how)
    c.fit(batches_of(x, y), **how)
    same(a, b)
    same(a, c)


# ----------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("engine", ENGINES)
def test_what_an_iterable_raises_comes_through(engine):
    x, y = table()

    def breaks_at_some_point():
        yield from batches_of(x, y)[:7]
        raise OSError("the tape is torn")

    model = network(engine)
    with pytest.raises(OSError, match="torn") as error:
        model.fit(breaks_at_some_point(), verbose=0)
    frames = [frame.name for frame in traceback.extract_tb(error.value.__traceback__)]
    assert "breaks_at_some_point" in frames
    assert "epoch 1" in "".join(error.value.__notes__)
    assert model.optimizer.iterations == 7


def test_batches_that_do_not_fit_are_said():
    x, y = table()
    good = batches_of(x, y)
    for bad, words in (
        ((x[:3, :2], y[:3]), "shape"),
        ((x[:3], y[:2]), "numbers of rows differ"),
        ((x[:10], y[:10] + 5), "class numbers go from 0 to 7"),
        ((x[:3].astype(str), y[:3]), "needs numbers"),
        ((x, y, y, y), "4 parts"),
    ):
        with pytest.raises(ValueError, match=words):
            network().fit([*good[:5], bad, *good], verbose=0)


def test_an_iterable_without_batches():
    with pytest.raises(UserError, match="gave no batch"):
        network().fit(iter(()), verbose=0)
    with pytest.raises(UserError, match="gave no batch"):
        network().fit(Anew([]), steps_per_epoch=2, verbose=0)


SLOW = """
import sys, time, threading
import numpy as np
from trasluz import Sequential, layers

def batches():
    try:
        while True:
            print("batch", flush=True)
            yield np.ones((4, 2)), np.ones((4, 1))
            time.sleep(float(sys.argv[1]))
    finally:
        print("closed", flush=True)

class Source:
    def __iter__(self):
        return batches()

m = Sequential([layers.Input((2,)), layers.Dense(1)])
m.compile("sgd", "mse", engine="numpy")
try:
    m.fit(Source(), steps_per_epoch=10**6, verbose=0)
except KeyboardInterrupt:
    print("interrupted", m.optimizer.iterations > 0, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("seconds", [0.001, 20])
def test_ctrl_c_ends_the_thread_too(seconds):
    running = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for _ in range(1 if seconds > 1 else 30):
        running.stdout.readline()
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    asked = time.perf_counter()
    said, error = running.communicate(timeout=60)
    assert time.perf_counter() - asked < 8
    assert "interrupted True" in said and not error
    assert ("closed" in said) == (seconds < 1)  # nobody can close what does not come back


# ----------------------------------------------------------------------------------------- resuming


class StopAt(callbacks.Callback):
    """Breaks a run off after some steps of it."""

    def __init__(self, steps):
        self.left = steps

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def endlessly(batches):
    while True:
        yield from batches


SOURCES = {
    "a list": lambda made, file: made,
    "by number": lambda made, file: Numbered(made),
    "anew": lambda made, file: Anew(made),
    "a generator": lambda made, file: endlessly(made),
    "parquet": lambda made, file: ParquetStream(file, [*"abcd"], "y", 10, buffer_size=60),
}


@pytest.fixture
def file(tmp_path):
    x, y = table()
    path = tmp_path / "rows.parquet"
    frame = pl.DataFrame({**{n: x[:, i] for i, n in enumerate("abcd")}, "y": y})
    frame.write_parquet(path, row_group_size=25)
    return path


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("steps", [None, 8, 25])
def test_a_run_over_batches_goes_on_exactly(name, steps, tmp_path, file):
    if name == "a generator" and steps is None:
        pytest.skip("it has no epochs")
    made = batches_of(*table())
    source = lambda: SOURCES[name](made, file)  # noqa: E731
    how = {"epochs": 4, "steps_per_epoch": steps, "verbose": 0, "validation_data": made[:3]}
    whole, broken, resumed = (network() for _ in range(3))
    whole.fit(source(), **how)
    backup = callbacks.BackupAndRestore(tmp_path / "c")
    with pytest.raises(KeyboardInterrupt):
        broken.fit(source(), **how, callbacks=[backup, StopAt((steps or 21) * 2 + 5)])
    resumed.fit(source(), **how, callbacks=[backup])
    same(whole, resumed)


def test_batches_by_number_are_not_made_to_be_left_out(tmp_path):
    made = batches_of(*table())
    backup = callbacks.BackupAndRestore(tmp_path / "c")
    with pytest.raises(KeyboardInterrupt):
        network().fit(made, epochs=2, verbose=0, callbacks=[backup, StopAt(15)])
    source = Numbered(made)
    network().fit(source, epochs=1, verbose=0, callbacks=[backup])
    assert source.asked == [0, *range(15, 21)]  # the first tells shapes


def test_a_generator_that_was_in_use_cannot_be_rewound(tmp_path):
    source = endlessly(batches_of(*table()))
    backup = callbacks.BackupAndRestore(tmp_path / "c")
    how = {"epochs": 2, "steps_per_epoch": 9, "verbose": 0}
    with pytest.raises(KeyboardInterrupt):
        network().fit(source, **how, callbacks=[backup, StopAt(5)])
    model = network()
    with pytest.warns(UserWarning, match="give a new one to go on exactly"):
        model.fit(source, **how, callbacks=[backup])
    assert model.optimizer.iterations == 18


# ------------------------------------------------------------------------------------------ parquet


@pytest.mark.parametrize("engine", ENGINES)
def test_parquet_trains_as_the_array_does(engine, file):
    x, y = table()
    rows = lambda **how: ParquetStream(file, [*"abcd"], "y", 10, False, **how)  # noqa: E731
    a, b, c = network(engine), network(engine), network(engine)
    a.fit(x, y, 10, 2, verbose=0, shuffle=False, validation_data=(x, y), validation_batch_size=10)
    b.fit(rows(buffer_size=60), epochs=2, verbose=0, validation_data=rows())
    same(a, b)
    c.fit(rows(), epochs=6, steps_per_epoch=7, verbose=0)  # twice through the file
    for v, w in zip(a.get_weights(), c.get_weights(), strict=True):
        np.testing.assert_array_equal(v, w)
    assert a.evaluate(x, y, 10, verbose=0) == b.evaluate(rows(), verbose=0)
    if engine == "numpy":
        weights = {0: 1.0, 1: 5.0, 2: 0.1}
        a.fit(x, y, 10, 2, verbose=0, shuffle=False, class_weight=weights)
        b.fit(rows(), epochs=2, verbose=0, class_weight=weights)
        assert a.history.history["loss"] == b.history.history["loss"]
    inputs = ParquetStream(file, [*"abcd"], None, 10, shuffle=False)
    np.testing.assert_array_equal(a.predict(x, 10), b.predict(inputs))


@pytest.mark.parametrize("cache", [False, True])
@pytest.mark.parametrize("size", [1, 7, 50, 1000])
def test_rows_of_parquet_come_shuffled_and_all_of_them(file, size, cache, tmp_path):
    x, y = table()
    kept = tmp_path if cache else None
    stream = ParquetStream(file, [*"abcd"], "y", size, buffer_size=80, seed=5, cache=kept)
    epochs = [list(stream.batches(epoch)) for epoch in (0, 1, 0)]
    assert [len(epoch) for epoch in epochs] == [len(stream)] * 3
    xs = [np.concatenate([x for x, _ in epoch]) for epoch in epochs]
    ys = [np.concatenate([y for _, y in epoch]) for epoch in epochs]
    number = {row.tobytes(): i for i, row in enumerate(x)}
    orders = [[number[row.tobytes()] for row in given] for given in xs]
    assert all(sorted(order) == [*range(N)] for order in orders)
    assert orders[0] == orders[2] != orders[1]
    for order, labels in zip(orders, ys, strict=True):
        np.testing.assert_array_equal(y[order], labels)
    assert np.abs(np.diff(orders[0])).mean() > 25  # within 80 rows, of several pieces
    for begin in range(0, len(stream), 3):
        for one, other in zip(stream.batches(0, begin), epochs[0][begin:], strict=True):
            np.testing.assert_array_equal(one[0], other[0])
    again = ParquetStream(file, [*"abcd"], "y", size, buffer_size=80, seed=5)
    np.testing.assert_array_equal(next(iter(again))[0], epochs[0][0][0])


def test_many_files_and_what_columns_may_hold(tmp_path):
    x, y = table()
    for i in range(3):
        part = slice(i * 70, (i + 1) * 70)
        pl.DataFrame(
            {
                "whole": pl.Series(y[part], dtype=pl.Int16),
                "truth": y[part] > 0,
                "wide": x[part, 0].astype("float64"),
                "pixels": pl.Series(x[part].reshape(-1, 2, 2), dtype=pl.Array(pl.Float32, (2, 2))),
                "y": y[part],
                "w": np.arange(len(y[part])),
            }
        ).write_parquet(tmp_path / f"part-{i}.parquet")
    pattern = tmp_path / "part-*.parquet"
    how = {"batch_size": N, "shuffle": False}
    columns = ParquetStream(str(pattern), ["whole", "truth", "wide"], "y", sample_weight="w", **how)
    ((a, b, w),) = columns
    np.testing.assert_array_equal(a, np.stack([y, y > 0, x[:, 0]], 1).astype("float32"))
    np.testing.assert_array_equal(b, y)
    assert (a.dtype, b.dtype, w.dtype) == (np.float32, y.dtype, np.float32)
    ((a, b),) = ParquetStream(pattern, "pixels", ["y"], **how)
    np.testing.assert_array_equal(a, x.reshape(-1, 2, 2))
    assert b.shape == (N, 1)
    ((a, b),) = ParquetStream(pattern, "wide", ["wide", "y"], dtype="float64", **how)
    assert (a.shape, b.shape, a.dtype, b.dtype) == ((N, 1), (N, 2), np.float64, np.float64)


def test_what_is_wrong_with_parquet_files_is_said(tmp_path):
    good = pl.DataFrame({"a": [1.0, 2.0], "b": [3, 4], "name": ["x", "y"], "y": [0, 1]})
    file = tmp_path / "1.parquet"
    good.write_parquet(file)
    both = tmp_path / "*.parquet"

    def says(words, *given, frame=None, **how):
        if frame is not None:
            frame.write_parquet(tmp_path / "2.parquet")
        with pytest.raises(UserError) as error:
            list(ParquetStream(*given, **how))
        for word in words:
            assert word in str(error.value)
        (tmp_path / "2.parquet").unlink(missing_ok=True)

    says(["nothing.parquet", "no such file"], tmp_path / "nothing.parquet", "a")
    says(["no file was given"], [], "a")
    says(["1.parquet", "no column 'aa'", "did you mean 'a'"], file, ["aa", "b"], "y")
    says(["1.parquet", "'name' holds String"], file, ["a", "name"], "y")
    says(["2.parquet", "no column 'b'"], both, ["a", "b"], "y", frame=good.drop("b"))
    missing = good.with_columns(a=pl.Series([None, 1.0]))
    says(["2.parquet", "'a' has 1 missing", "rows 1 to 2"], both, ["a", "b"], "y", frame=missing)
    other = good.with_columns(y=pl.Series([0.0, 0.5]))
    says(["2.parquet", "'y' holds float64", "int64 in", "1.parquet"], both, "a", "y", frame=other)
    text = good.with_columns(b=pl.Series(["1", "2"]))
    says(["2.parquet", "'b' holds String"], both, ["a", "b"], "y", frame=text)
    says(["batch_size"], file, "a", batch_size=0)
    (tmp_path / "2.parquet").write_text("a,b,y\n1,2,3\n")
    says(["2.parquet", "cannot be read as Parquet"], both, "a", "y")
    empty = tmp_path / "empty.parquet"
    good[:0].write_parquet(empty)
    says(["no rows"], empty, "a", "y")


def test_predictions_belong_to_rows(file):
    with pytest.raises(UserError, match="shuffle=False"):
        network().predict(ParquetStream(file, [*"abcd"]))


def test_a_cache_that_cannot_be_written_names_its_folder(file, tmp_path):
    with pytest.raises(UserError, match=r"nowhere: cannot be written .*No such file"):
        ParquetStream(file, [*"abcd"], "y", cache=tmp_path / "nowhere")


def test_a_run_over_parquet_reads_no_more_than_it_has_to(file, tmp_path, monkeypatch):
    read = []
    take = ParquetStream._read
    monkeypatch.setattr(
        ParquetStream, "_read", lambda self, *piece: read.append(piece[:3]) or take(self, *piece)
    )
    stream = ParquetStream(file, [*"abcd"], "y", 10, buffer_size=50, cache=tmp_path)
    rest = list(stream.batches(0, 15))
    assert len(read) <= 11 < -(-N // stream.piece)
    assert sum(len(x) for x, _ in rest) == N - 150
    list(stream), list(stream)
    assert len(read) == len(set(read)) == -(-N // stream.piece)  # the rest came from the cache
