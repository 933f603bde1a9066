"""What holds on four devices: `test_devices.py` runs this file in a process that has so many."""

import jax
import numpy as np
import pytest

import test_own_steps as own
from trasluz import Sequential, callbacks, distribution, layers, utils
from trasluz.autodiff import backend
from trasluz.errors import UserError

ROWS = 83
NEAR = {"rtol": 0, "atol": 1e-6}  # 100 steps of Adam; sums of rows are added up in another order


def table():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 4)).astype("float32")
    return x, (x @ rng.normal(size=(4, 1)) + 0.1).astype("float32")


def network(metrics=("mae",)):
    """One with all that looks at more than a row: masks, statistics of batches."""
    utils.set_random_seed(3)
    hidden = [layers.Dense(6, "tanh"), layers.BatchNormalization(momentum=0.9), layers.Dropout(0.3)]
    model = Sequential([layers.Input((4,)), *hidden, layers.Dense(1)])
    model.compile("adam", "mse", metrics=list(metrics))
    return model


def sequences():
    """A recurrent one, with more classes than two."""
    utils.set_random_seed(4)
    parts = [layers.Input((5, 4)), layers.Dense(3, "relu"), layers.LayerNormalization()]
    model = Sequential([*parts, layers.SimpleRNN(4), layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fitted(model, x, y, **how):
    how = {"epochs": 5, "verbose": 0} | how
    if "devices" not in how:
        how["engine"] = "xla"
    return model, model.fit(x, y, **how).history


def near(one, other):
    for v, w in zip(one[0].get_weights(), other[0].get_weights(), strict=True):
        np.testing.assert_allclose(v, w, **NEAR)
    for name, values in one[1].items():
        np.testing.assert_allclose(values, other[1][name], rtol=1e-5, err_msg=name)


def test_own_steps():
    """Two optimizers, numbers drawn in the step, a tape inside a tape."""
    pair = [fitted(own.wgan("xla"), own.X[:64], None, epochs=2, batch_size=16, **how)
            for how in ({}, {"devices": 4})]  # fmt: skip
    near(*pair)


def test_there_are_four():
    assert len(distribution.list_devices()) == 4
    assert distribution.process_count() == 1


@pytest.mark.parametrize("size, devices", [(16, "all"), (15, 4), (2, [0, 2, 3]), (None, 2)])
def test_the_trajectory_is_that_of_one_device(size, devices):
    """Batches that divide evenly, that do not, that have fewer rows than there are devices."""
    how = {"batch_size": size, "validation_split": 0.1 if size == 15 else 0.0}
    near(fitted(network(), *table(), **how), fitted(network(), *table(), devices=devices, **how))


def test_a_network_of_sequences():
    rng = np.random.default_rng(1)
    data = rng.normal(size=(50, 5, 4)).astype("float32"), rng.integers(0, 3, 50)
    near(
        fitted(sequences(), *data, batch_size=13),
        fitted(sequences(), *data, devices=3, batch_size=13),
    )


def test_the_same_seed_gives_the_same_bits_again():
    how = {"devices": "all", "batch_size": 15, "validation_split": 0.1}
    one, other = (fitted(network(), *table(), **how) for _ in range(2))
    assert one[1] == other[1]
    for v, w in zip(one[0].get_weights(), other[0].get_weights(), strict=True):
        np.testing.assert_array_equal(v, w)


def test_batches_from_an_iterable_and_callbacks_that_hear_every_batch():
    x, y = table()
    stream = [(x[i : i + 16], y[i : i + 16]) for i in range(0, ROWS, 16)]
    near(fitted(network(), stream, None), fitted(network(), stream, None, devices=4))
    heard = []
    each = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: heard.append(batch))
    near(
        fitted(network(), x, y, epochs=2, batch_size=16),
        fitted(network(), x, y, epochs=2, batch_size=16, devices="all", callbacks=[each]),
    )
    assert heard == [0, 1, 2, 3, 4, 5] * 2


def test_evaluate_and_predict():
    x, y = table()
    model, _ = fitted(network(), x, y)
    alone, shared = (model.evaluate(x, y, verbose=0, devices=d) for d in (None, "all"))
    np.testing.assert_allclose(alone, shared, rtol=1e-6)
    for size in (16, 5, None):
        shared = model.predict(x, batch_size=size, devices="all")
        np.testing.assert_allclose(model.predict(x), shared, rtol=1e-5, atol=1e-6)


def test_rows_are_split_and_the_rest_is_everywhere():
    engine = backend.device_mesh("all")
    data = backend.to_engine(np.zeros((20, 3), np.float32), engine)
    assert data.addressable_shards[0].data.shape == (20, 3)
    even, uneven = (backend.split(np.zeros((n, 3), np.float32), engine) for n in (8, 10))
    assert even.addressable_shards[0].data.shape == (2, 3)
    assert uneven.addressable_shards[0].data.shape == (10, 3)
    kept = backend._SPREAD.set(engine)
    try:
        cut = jax.jit(lambda a, order: backend.rows(a, order, np.int32(4), 8))
        assert cut(data, np.arange(20)).addressable_shards[0].data.shape == (2, 3)
    finally:
        backend._SPREAD.reset(kept)


def test_a_checkpoint_does_not_know_of_devices(tmp_path):
    x, y = table()
    whole = fitted(network(), x, y, epochs=6, devices="all")
    backup = [callbacks.BackupAndRestore(tmp_path / "kept", delete_checkpoint=False)]
    fitted(network(), x, y, epochs=2, devices="all", callbacks=backup)
    fitted(network(), x, y, epochs=4, callbacks=backup)
    near(whole, fitted(network(), x, y, epochs=6, devices="all", callbacks=backup))


def test_numbers_that_break_are_found():
    x, y = table()
    x[70] = np.inf
    model = network()
    with pytest.raises(UserError, match="the inputs of its batch hold NaN"):
        model.fit(x, y, verbose=0, shuffle=False, devices="all")
    assert model.optimizer.iterations == 2


@pytest.mark.parametrize("devices", [5, 0, -1, [0, 0], [4], [], "gpu", True, 1.5])
def test_devices_that_are_not_there(devices):
    with pytest.raises(UserError, match="there are 4 of the kind 'cpu'"):
        network().fit(*table(), verbose=0, devices=devices)


def test_numpy_has_no_devices():
    with pytest.raises(UserError, match="'numpy' computes on one device"):
        network().fit(*table(), verbose=0, devices="all", engine="numpy")
