"""Recurrent layers: genuine Keras on random configurations, forwards and backwards."""

from __future__ import annotations

import random

import numpy as np
import pytest

from trasluz import Input, Sequential, layers, tape, utils
from trasluz.base import tree
from trasluz.errors import UserError
from trasluz.models import clone_model
from trasluz.saving import load_model
from trasluz.state.binding import bind, read

keras = pytest.importorskip("keras")
from peer import keras_in  # noqa: E402

KINDS = [layers.SimpleRNN, layers.LSTM, layers.GRU]
CELLS = ["SimpleRNNCell", "LSTMCell", "GRUCell"]
STATES = {"SimpleRNN": 1, "LSTM": 2, "GRU": 1}
MASK = np.array([[0, 1, 0, 1], [1, 0, 0, 0]], bool)


def how_of_cell(kind, chance):
    """Draw a configuration of a cell."""
    how = {
        "units": chance.randint(1, 3), "use_bias": chance.random() < 0.7,
        "activation": chance.choice(["tanh", "sigmoid"]),
    }  # fmt: skip
    if not kind.startswith("SimpleRNN"):
        how["recurrent_activation"] = chance.choice(["sigmoid", "tanh"])
    if kind.startswith("GRU"):
        how["reset_after"] = chance.random() < 0.6
    return how


def how_of_fold(chance):
    """Draw what is read and given."""
    return {
        "return_sequences": chance.random() < 0.5, "go_backwards": chance.random() < 0.4,
        "zero_output_for_mask": chance.random() < 0.3, "unroll": chance.random() < 0.2,
    }  # fmt: skip


def flat(outputs):
    """List outputs and states, however nested."""
    return tree.leaves(outputs)


def of_keras(make, x, weights, mask, states, g):
    """Give Keras's outputs, and its derivatives in the input and in each weight."""
    import torch

    with keras_in("float64"):
        layer = make(keras.layers)
        layer.build(x.shape)
        layer.set_weights(weights)
        given = torch.tensor(x, requires_grad=True)
        begin = None if states is None else tree.tree_map(torch.tensor, states)
        seen = None if mask is None else torch.tensor(mask)
        outputs = flat(layer(given, initial_state=begin, mask=seen))
        total = sum((y * torch.tensor(w)).sum() for y, w in zip(outputs, g, strict=True))
        wrt = [given, *(w.value for w in layer.trainable_weights)]
        grads = torch.autograd.grad(total, wrt, allow_unused=True)
        grads = [torch.zeros_like(w) if d is None else d for d, w in zip(grads, wrt, strict=True)]
        return [y.detach().numpy() for y in outputs], [d.numpy() for d in grads]


def compare(make, x, mask=None, states=None, why=""):
    """Compare a layer with Keras's: outputs, states, derivatives in the input and each weight."""
    drawer = np.random.default_rng(5)
    layer = make(layers)
    outputs = flat(layer(x, initial_state=states, mask=mask))
    weights = [drawer.normal(size=w.shape) for w in layer.weights]
    layer.set_weights(weights)
    g = [drawer.normal(size=y.shape) for y in outputs]

    def value(x, arrays):
        outputs = flat(bind(layer, arrays)(x, initial_state=states, mask=mask))
        parts = [(y * w).sum() for y, w in zip(outputs, g, strict=True)]
        return sum(parts[1:], parts[0])

    ours = tape.vjp(value, x, read(layer))[1](np.float64(1))
    wanted, slopes = of_keras(make, x, weights, mask, states, g)
    outputs = flat(layer(x, initial_state=states, mask=mask))
    close = {"rtol": 1e-9, "atol": 1e-9, "err_msg": why}
    for y, w in zip(outputs, wanted, strict=True):
        np.testing.assert_allclose(y, w, **close)
    np.testing.assert_allclose(ours[0], slopes[0], **close)
    for weight, slope in zip(layer.weights, slopes[1:], strict=True):
        np.testing.assert_allclose(ours[1][weight.path], slope, **close)


@pytest.mark.interop
@pytest.mark.parametrize("kind", STATES)
def test_it_is_keras_forwards_and_backwards(kind):
    chance, drawer = random.Random(kind), np.random.default_rng(5)
    for case in range(12):
        how = how_of_cell(kind, chance) | how_of_fold(chance)
        mask = MASK if case % 3 == 1 else None
        states = None
        if case % 2 and case != 7:  # before the first step that counts, PyTorch's Keras gives zeros
            states = [drawer.normal(size=(2, how["units"])) for _ in range(STATES[kind])]
            mask = None if mask is None else ~MASK if how["go_backwards"] else MASK[::-1] | MASK

        def make(layers, how=how):
            return getattr(layers, kind)(**how, return_state=True, dtype="float64")

        compare(make, drawer.normal(size=(2, 4, 3)), mask, states, f"{case}: {how}")


@pytest.mark.interop
def test_cells_alone_and_stacked_are_those_of_keras():
    chance, drawer = random.Random(2), np.random.default_rng(5)
    for case in range(9):
        kinds = [chance.choice(CELLS) for _ in range(1 + case % 3)]
        hows = [how_of_cell(kind, chance) for kind in kinds]
        fold = how_of_fold(chance) | {"return_state": case != 4}

        def make(layers, kinds=kinds, hows=hows, fold=fold):
            cells = [
                getattr(layers, kind)(**how, dtype="float64")
                for kind, how in zip(kinds, hows, strict=True)
            ]
            inside = cells[0] if len(cells) == 1 else cells
            return layers.RNN(inside, **fold, dtype="float64")

        mask = None
        if len(kinds) == 1 and not fold["unroll"]:  # Keras on PyTorch takes masks of no others
            mask = MASK
        compare(make, drawer.normal(size=(2, 4, 3)), mask, why=f"{kinds} {hows} {fold}")


@pytest.mark.parametrize("mask", [None, MASK])
def test_stacked_cells_are_layers_after_each_other(mask):
    x = np.random.default_rng(3).normal(size=(2, 4, 3))
    lower = layers.LSTM(2, return_sequences=True, dtype="float64")
    upper = layers.GRU(3, return_sequences=True, return_state=True, dtype="float64")
    stacked = layers.RNN(
        [layers.LSTMCell(2, dtype="float64"), layers.GRUCell(3, dtype="float64")],
        return_sequences=True, return_state=True, dtype="float64",
    )  # fmt: skip
    output, state = upper(lower(x, mask=mask), mask=mask)
    stacked(x)
    stacked.set_weights(lower.get_weights() + upper.get_weights())
    both, _, above = stacked(x, mask=mask)
    np.testing.assert_allclose(both, output, rtol=1e-12)
    np.testing.assert_allclose(above, state, rtol=1e-12)


@pytest.mark.interop
@pytest.mark.parametrize("several", [True, False])
def test_both_directions_with_a_mask_are_those_of_keras(several):
    def make(layers):
        one = layers.LSTM(2, return_sequences=several, return_state=True, dtype="float64")
        return layers.Bidirectional(one, dtype="float64")

    compare(make, np.random.default_rng(3).normal(size=(2, 4, 3)), MASK)


def own_cell(layers, units):
    """Make a cell as programs write them."""

    class Own(layers.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units, self.state_size = units, units

        def build(self, input_shape):
            self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
            self.again = self.add_weight(shape=(self.units, self.units), name="again")
            self.built = True

        def call(self, inputs, states):
            new = inputs @ self.kernel + states[0] @ self.again
            return new * new, [new]

    return Own(units, dtype="float64")


@pytest.mark.interop
def test_a_cell_of_ones_own():
    x = np.random.default_rng(3).normal(size=(2, 4, 3))
    for several in (True, False):

        def make(layers, several=several):
            how = {"return_state": True, "zero_output_for_mask": True, "dtype": "float64"}
            return layers.RNN(own_cell(layers, 2), several, **how)

        compare(make, x)
        compare(make, x, MASK)


@pytest.mark.parametrize("kind", CELLS)
def test_a_folded_cell_predicts_the_same_on_both_engines(kind):
    model = Sequential([Input((4, 3)), layers.RNN(getattr(layers, kind)(2))])
    x, given = np.random.default_rng(3).normal(size=(2, 4, 3)).astype("float32"), []
    for engine in ("numpy", "xla"):
        model.compile("sgd", "mse", engine=engine)
        given.append(model.predict(x))
    np.testing.assert_allclose(*given, rtol=1e-5, atol=1e-6)


def test_weights_lie_where_files_have_them():
    model = Sequential([Input((3, 2)), *(kind(2, return_sequences=True) for kind in KINDS)])
    names = [f"{layer}/{array}" for layer in ("simple_rnn", "lstm", "gru")
             for array in ("kernel", "recurrent_kernel", "bias")]  # fmt: skip
    assert [weight.path for weight in model.weights] == names
    inside = layers.RNN([layers.LSTMCell(2), layers.GRUCell(2)])
    paths = [w.path for w in Sequential([Input((3, 2)), inside]).weights]
    assert paths[::3] == [
        f"rnn/stacked_rnn_cells/{cell}/kernel" for cell in ("lstm_cell", "gru_cell")
    ]


def long_and_cut():
    """Give sequences, and the same cut into three batches that follow each other."""
    x = np.random.default_rng(1).normal(size=(2, 6, 3)).astype("float32")
    return x, np.concatenate([x[:, begin : begin + 2] for begin in (0, 2, 4)])


def carrying(kind=layers.LSTM, engine="numpy", **how):
    """Make a model that carries states on, and one with the same weights that does not."""
    cut = Sequential([Input((2, 3), batch_size=2), kind(2, stateful=True, **how), layers.Dense(1)])
    whole = Sequential([Input((6, 3)), kind(2, **how), layers.Dense(1)])
    cut.compile("sgd", "mse", engine=engine)
    moved = {w.path: w for w in cut.trainable_weights}
    for weight, mine in zip(whole.weights, moved.values(), strict=True):
        weight.assign(mine.value)
    return cut, whole


@pytest.mark.parametrize("engine", ["numpy", "xla"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_states_are_carried_on(kind, engine):
    cut, whole = carrying(kind, engine)
    x, parts = long_and_cut()
    first = cut.predict(parts, batch_size=2)
    np.testing.assert_allclose(first[-2:], whole.predict(x), rtol=1e-5, atol=1e-6)
    again = cut.predict(parts, batch_size=2)
    assert abs(again - first).max() > 1e-4  # goes on where it ended
    cut.layers[0].reset_state()
    y = whole.predict(x)
    cut.evaluate(parts[:4], np.zeros((4, 1)), batch_size=2, verbose=0)
    assert cut.test_on_batch(parts[4:], y) < 1e-10
    cut.layers[0].reset_states()
    assert not any(state.any() for state in cut.layers[0].states)


def test_states_are_variables_and_no_weights():
    cut, whole = carrying(layers.GRU)
    cut.predict(long_and_cut()[1], batch_size=2)
    cut.set_weights(whole.get_weights())  # trained on whole sequences, used step by step
    assert [w.shape for w in cut.weights] == [w.shape for w in whole.weights]
    states = [w for w in cut.non_trainable_variables if "state" in w.path]
    assert [w.shape for w in states] == [(2, 2)] and states[0].numpy().any()
    assert not cut.non_trainable_weights


def test_training_goes_on_from_the_states_and_so_does_a_resumed_one(tmp_path):
    _, parts = long_and_cut()
    y = parts[:, 0, :1]
    ways = []
    for resumed in (False, True):
        utils.set_random_seed(1)
        model, _ = carrying()
        fit = {"batch_size": 2, "shuffle": False, "verbose": 0}
        model.fit(parts, y, epochs=1 if resumed else 2, validation_data=(parts, y), **fit)
        if resumed:
            model.save(tmp_path / "model")
            model = load_model(tmp_path / "model")
            model.fit(parts, y, epochs=1, validation_data=(parts, y), **fit)
        ways.append([np.array(w) for w in model.variables])
    for one, other in zip(*ways, strict=True):
        np.testing.assert_array_equal(one, other)
    assert ways[0][3].any()  # the state


@pytest.mark.interop
def test_carried_states_are_those_of_keras():
    x = np.random.default_rng(3).normal(size=(2, 4, 3)).astype("float32")
    theirs = keras.layers.GRU(2, stateful=True)
    ours = layers.GRU(2, stateful=True)
    theirs(x)
    ours(x)
    ours.set_weights([w.value.detach().numpy() for w in theirs.weights[:3]])
    ours.reset_state()
    theirs.reset_state()
    for begin in (None, [np.ones((2, 2), "float32")], None):
        np.testing.assert_allclose(
            ours(x, initial_state=begin), theirs(x, initial_state=begin).detach().numpy(), atol=1e-6
        )


def test_masks_of_cells_do_not_change_from_step_to_step():
    """A step alone is not seen by the next, and a mask drawn in a cell is the same in all."""

    class Noisy(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.state_size, self.drop = 4, layers.Dropout(0.5)

        def call(self, inputs, states):
            return self.drop(inputs), states

    layer = layers.RNN(Noisy(), return_sequences=True)
    y = layer(np.ones((2, 5, 4)), training=True)
    assert (y == y[:, :1]).all()
    assert (y == 0).any()
    assert (y != 0).any()


X = np.zeros((2, 4, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: layers.LSTM(2)(X, mask=np.ones((2, 3), bool)), r"\(2, 3\).*\(2, 4\)"),
        (lambda: layers.RNN(layers.GRUCell(2))(X, mask=np.ones(4, bool)), r"\(4,\).*\(2, 4\)"),
        (lambda: layers.GRU(2)(X, initial_state=np.ones((2, 3))), r"\(2, 3\).*\(2, 2\)"),
        (lambda: layers.LSTM(2)(X, initial_state=np.ones((2, 2))), "1 initial states.*has 2"),
        (lambda: layers.RNN(layers.LSTM(2))(X), "not a cell"),
        (lambda: layers.RNN(layers.Dense(2))(X), "state_size"),
        (lambda: layers.RNN([])(X), "no cells"),
        (lambda: layers.LSTM(2)(np.zeros((2, 3))), "add a time axis"),
        (lambda: layers.LSTM(2).reset_state(), "stateful=True"),
        (lambda: Sequential([Input((4, 3)), layers.GRU(2, stateful=True)]), "batch_size"),
        (lambda: carrying()[0].predict(np.zeros((3, 2, 3))), "3 rows.*for 2"),
    ],
)  # fmt: skip
def test_mistakes_are_told(call, message):
    with pytest.raises(UserError, match=message):
        call()


def test_the_forget_gate_begins_open():
    bias = layers.LSTM(2)
    bias(np.zeros((1, 2, 3)))
    assert bias.get_weights()[2].tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    plain = layers.LSTM(2, unit_forget_bias=False)
    plain(np.zeros((1, 2, 3)))
    assert not plain.get_weights()[2].any()


@pytest.mark.parametrize("kind", [layers.LSTM, layers.GRU], ids=lambda k: k.__name__)
@pytest.mark.parametrize("rows", [1, 2])
def test_any_weight_of_a_gate_opens_into_its_derivation(kind, rows):
    drawer = np.random.default_rng(2)
    x, y = drawer.normal(size=(rows, 3, 2)), drawer.normal(size=(rows, 1))
    model = Sequential([Input((3, 2)), kind(2), layers.Dense(1)])
    model.compile("sgd", "mse", engine="numpy")
    model.set_weights([drawer.normal(size=w.shape) for w in model.weights])
    assert max(model.check_gradients(x, y, print_fn=lambda text: None).values()) < 1e-6
    for weight in model.weights:
        derivation = model.explain(x, y, weight.path, tuple(n - 1 for n in weight.shape))
        checks = [float(value) for value in derivation.checks.values()]
        np.testing.assert_allclose(checks, derivation.value, rtol=1e-5, atol=1e-9)


def test_own_cells_need_no_registering_to_be_copied():
    class Slow(layers.Layer):
        units: int

        @property
        def state_size(self):
            return self.units

        def build(self, input_shape):
            self.w = self.add_weight(shape=(input_shape[-1], self.units))

        def call(self, inputs, states):
            h = states[0] / 2 + inputs @ self.w
            return h, [h]

    fold = layers.RNN([Slow(2), Slow(3)], return_sequences=True, return_state=True)
    assert fold.compute_output_shape((None, 5, 4))[0] == (None, 5, 3)
    both = layers.Bidirectional(layers.RNN(Slow(2)))
    assert both(np.ones((1, 5, 4))).shape == (1, 4)
    model = Sequential([Input((5, 4)), both])
    assert clone_model(model).output_shape == (None, 4)


def test_one_step_alone_is_taken_unrolled():
    for engine in ("numpy", "xla"):
        model = Sequential([Input((1, 2)), layers.GRU(2, unroll=True, return_sequences=True)])
        model.set_weights([np.full_like(w, 0.1) for w in model.get_weights()])
        model.compile("sgd", "mse", engine=engine)
        before = model.get_weights()[0]
        model.fit(np.ones((2, 1, 2)), np.ones((2, 1, 2)), verbose=0)
        assert (model.get_weights()[0] != before).any()


class OfLayers(layers.Layer):
    """A cell of layers that are built when they are called."""

    state_size = 2

    def __init__(self, normalised=False, **how):
        super().__init__(**how)
        self.ahead, self.again = layers.Dense(2), layers.Dense(2)
        self.normalised = layers.BatchNormalization() if normalised else layers.Identity()

    def call(self, inputs, states):
        h = self.normalised(self.ahead(inputs) + self.again(states[0]))
        return h, [h]


@pytest.mark.parametrize("stacked", [False, True])
def test_layers_in_a_cell_are_built_with_it(stacked):
    cell = OfLayers()
    model = Sequential([Input((3, 4)), layers.RNN([cell] if stacked else cell)])
    assert [w.shape for w in model.weights] == [(4, 2), (2,), (2, 2), (2,)]
    x, h = np.random.default_rng(5).normal(size=(2, 3, 4)).astype("float32"), np.zeros((2, 2))
    for t in range(3):
        h = x[:, t] @ cell.ahead.kernel + h @ cell.again.kernel
    np.testing.assert_allclose(model.predict(x), h, rtol=1e-5, atol=1e-6)


def test_what_a_cell_would_lose_is_told():
    model = Sequential([Input((3, 4)), layers.RNN(OfLayers(normalised=True))])
    model.compile("sgd", "mse")
    with pytest.raises(UserError, match="moving_mean' at each step"):
        model.fit(np.ones((2, 3, 4)), np.ones((2, 2)), verbose=0)


def test_a_cell_gives_the_states_that_it_says():
    for size in ((3, 3), 2):
        cell = own_cell(layers, 3)
        cell.state_size = size
        cell.units = 3
        x = np.ones((2, 4, 3))
        if size == 2:
            cell.call = lambda inputs, states: (inputs, [inputs])
        with pytest.raises(UserError, match="state_size says"):
            layers.RNN(cell, dtype="float64")(x)
