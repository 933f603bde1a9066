"""Masks: made, handed on, used by layers, losses and metrics, as genuine Keras does."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import trasluz
from peer import keras_in, same, start
from trasluz import Input, Model, Sequential, layers, tape
from trasluz.errors import UserError
from trasluz.state.masks import mask_of

generator = np.random.default_rng(4)
WORDS = np.where(np.arange(5) < generator.integers(1, 6, (12, 1)), 3, 0)
WORDS = WORDS * generator.integers(1, 3, WORDS.shape)
COUNTS = WORDS != 0
SERIES = generator.normal(size=(12, 5, 3)).astype("float32") * COUNTS[..., None]
ONE = generator.normal(size=(12, 1)).astype("float32")
EACH = generator.normal(size=(12, 5, 1)).astype("float32")

PROGRAMS = []


def program(function):
    """Keep a program for the test below."""
    PROGRAMS.append(function)
    return function


def trained(model, x, y, **how):
    """Give what a model learns and says."""
    start(model)
    model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mse"])
    history = model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0, **how).history
    return history, model.evaluate(x, y, verbose=0), model.predict(x, verbose=0)


@program
def an_embedding_before_recurrence(keras):
    kl = keras.layers
    for layer in (kl.SimpleRNN(2), kl.LSTM(2), kl.GRU(2), kl.Bidirectional(kl.GRU(2))):
        first = [keras.Input((5,), dtype="int32"), kl.Embedding(7, 3, mask_zero=True)]
        yield trained(keras.Sequential([*first, layer, kl.Dense(1)]), WORDS, ONE)


@program
def a_sequence_is_handed_on_to_the_loss(keras):
    kl = keras.layers
    inputs = keras.Input((5, 3))
    x = kl.Masking()(inputs)
    x = kl.TimeDistributed(kl.Dense(4))(x)
    x = kl.Dropout(0.0)(kl.Activation("tanh")(x))
    x = kl.Bidirectional(kl.GRU(2, return_sequences=True))(x)
    x = kl.LayerNormalization()(x)
    model = keras.Model(inputs, kl.Dense(1)(kl.ReLU()(x)))
    yield trained(model, SERIES, EACH)


@program
def masks_meet(keras):
    kl = keras.layers
    words, series = keras.Input((5,), dtype="int32"), keras.Input((5, 3))
    known, steps = kl.Embedding(7, 3, mask_zero=True)(words), kl.Masking()(series)
    late = np.concatenate([SERIES[:, :1] * 0, SERIES[:, 1:]], axis=1)
    for merged in (
        kl.Add()([known, steps]),
        kl.Multiply()([known, steps]),
        kl.Concatenate()([known, steps]),
        kl.Concatenate(axis=1)([known, series]),
        kl.Average()([known, series]),
    ):
        model = keras.Model([words, series], kl.GRU(2)(merged))
        yield trained(model, [WORDS, late], np.ones((12, 2)))


@program
def statistics_leave_out_what_does_not_count(keras):
    kl = keras.layers
    first = [keras.Input((5, 3)), kl.Masking()]
    yield trained(keras.Sequential([*first, kl.BatchNormalization(), kl.LSTM(1)]), SERIES, ONE)
    yield trained(keras.Sequential([*first, kl.GlobalAveragePooling1D(), kl.Dense(1)]), SERIES, ONE)
    mask = np.array([[True, False, True]] * 2)
    yield np.asarray(kl.Softmax()(SERIES[:2, 0], mask=mask))
    yield np.asarray(kl.Softmax()(SERIES[:2, 0], mask=mask & False))


@program
def attention_looks_at_what_counts(keras):
    kl = keras.layers
    words = keras.Input((5,), dtype="int32")
    x = kl.Embedding(7, 4, mask_zero=True)(words)
    yield trained(keras.Model(words, kl.Dense(1)(kl.Attention()([x, x]))), WORDS, EACH)
    yield trained(keras.Model(words, kl.Dense(1)(kl.AdditiveAttention()([x, x]))), WORDS, EACH)
    y = kl.MultiHeadAttention(2, 2)(x, x)
    *learnt, predicted = trained(keras.Model(words, kl.Dense(1)(y)), WORDS, EACH)
    yield learnt, predicted[COUNTS]  # PyTorch lets a place that does not count look at all
    yield trained(keras.Model(words, kl.GRU(1)(y)), WORDS, ONE)


@program
def own_layers_make_and_take_masks(keras):
    kl, ops = keras.layers, keras.ops

    class Table(kl.Layer):
        def __init__(self, rows, wide, **kwargs):
            super().__init__(**kwargs)
            self.rows, self.wide = rows, wide

        def build(self, input_shape):
            self.table = self.add_weight(shape=(self.rows, self.wide), initializer="ones")

        def call(self, inputs):
            return ops.take(self.table, ops.cast(inputs, "int32"), axis=0)

        def compute_mask(self, inputs, mask=None):
            return ops.not_equal(inputs, 0)

    class Shares(kl.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.supports_masking = True

        def call(self, inputs, mask=None):
            assert mask is not None
            e = ops.exp(inputs) * ops.expand_dims(ops.cast(mask, "float32"), axis=-1)
            return e / ops.sum(e, axis=1, keepdims=True)

    words = keras.Input((5,), dtype="int32")
    model = keras.Model(words, Shares()(kl.Dense(1)(Table(7, 3)(words))))
    yield [kind(1, 1).supports_masking for kind in (Table,)], kl.Dense(1).supports_masking
    yield trained(model, WORDS, EACH)


@program
def models_are_layers_too(keras):
    kl = keras.layers
    reader = keras.Sequential([keras.Input((5, 3)), kl.Dense(3), kl.LSTM(2)])
    words = keras.Input((5,), dtype="int32")
    x = kl.Embedding(7, 3, mask_zero=True)(words)
    yield trained(keras.Model(words, kl.Dense(1)(reader(x))), WORDS, ONE)

    class Reader(keras.Model):
        def __init__(self):
            super().__init__()
            self.table = kl.Embedding(7, 3, mask_zero=True)
            self.inner, self.outer = kl.GRU(3, return_sequences=True), kl.GRU(2)
            self.last = kl.Dense(1)

        def call(self, inputs):
            return self.last(self.outer(self.inner(self.table(inputs))))

    model = Reader()
    model(WORDS[:2])
    yield trained(model, WORDS, ONE)


@pytest.mark.interop
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore:__array__ implementation")
@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
def test_it_is_as_in_keras(function):
    with keras_in("float32") as keras:
        wanted = list(function(keras))
    same(wanted, list(function(trasluz)))


@pytest.mark.parametrize("engine", ["numpy", "xla"])
def test_what_does_not_count_changes_nothing(engine):
    steps = [layers.Masking(), layers.LSTM(2, return_sequences=True), layers.Dense(1)]
    model = Sequential([Input((5, 3)), *steps])
    model.compile("sgd", "mse", metrics=["mae"], engine=engine)
    other = np.where(COUNTS[..., None], EACH, 99)
    weights = model.get_weights()
    first = model.fit(SERIES, EACH, epochs=2, verbose=0, shuffle=False).history
    model.set_weights(weights)
    assert model.fit(SERIES, other, epochs=2, verbose=0, shuffle=False).history == first
    assert model.evaluate(SERIES, EACH, verbose=0) == model.evaluate(SERIES, other, verbose=0)
    left = (model.predict(SERIES) - EACH)[COUNTS]
    np.testing.assert_allclose(
        model.evaluate(SERIES, EACH, verbose=0), [(left**2).mean(), abs(left).mean()], rtol=1e-5
    )


def test_a_mask_goes_with_an_array_outside_of_models_too():
    table, reader = layers.Embedding(7, 3, mask_zero=True), layers.LSTM(2)
    known = table(WORDS)
    np.testing.assert_array_equal(mask_of(known), COUNTS)
    np.testing.assert_array_equal(reader(known), reader(known, mask=COUNTS))
    assert np.abs(reader(known) - reader(known.copy())).max() > 1e-4
    assert mask_of(reader(known)) is None
    wide = layers.LSTM(2, dtype="float64")  # takes it in as another array
    np.testing.assert_array_equal(wide(known), wide(known, mask=COUNTS))
    slope = tape.grad(lambda x: reader(layers.Masking()(x)).sum())(SERIES.astype("float64"))
    assert (slope[~COUNTS] == 0).all()
    assert (slope[COUNTS] != 0).all()


def test_derivatives_go_past_what_does_not_count():
    model = Sequential([Input((5, 3)), layers.Masking(), layers.SimpleRNN(2), layers.Dense(1)])
    model.compile("sgd", "mse")
    row = next(i for i in range(12) if 2 <= COUNTS[i].sum() <= 3)
    seen = model.explain(SERIES[row : row + 1], ONE[:1], "simple_rnn/recurrent_kernel", (0, 1))
    for value in seen.checks.values():
        assert float(value) == pytest.approx(float(seen.value), abs=1e-8)
    assert float(seen.value) != 0


def test_a_model_takes_a_mask():
    reader = Sequential([Input((5, 3)), layers.Dense(3), layers.GRU(2)])
    x, inner = SERIES[:4], reader.layers
    by_hand = inner[1](inner[0](x), mask=COUNTS[:4])
    np.testing.assert_allclose(reader(x, mask=COUNTS[:4]), by_hand, atol=1e-6)
    drawn = Model(reader.inputs, reader.outputs)
    np.testing.assert_allclose(drawn(x, mask=COUNTS[:4]), by_hand, atol=1e-6)


def test_weights_of_rows_and_masks_go_together():
    model = Sequential([Input((5, 3)), layers.Masking(), layers.Dense(1)])
    model.compile("sgd", "mse", weighted_metrics=["mae"], engine="numpy")
    by_row = np.arange(12.0)
    scores = model.evaluate(SERIES, EACH, sample_weight=by_row, batch_size=12, verbose=0)
    left = (model.predict(SERIES) - EACH)[..., 0]
    spread = by_row[:, None] * COUNTS
    squares = (left**2 * spread).sum() / COUNTS.sum()
    np.testing.assert_allclose(scores, [squares, (abs(left) * spread).sum() / spread.sum()], 1e-5)


def test_what_is_lost_is_said():
    known = layers.Embedding(7, 3, mask_zero=True)(WORDS)
    with pytest.warns(UserWarning, match="flatten.*does not hand its mask on"):
        layers.Flatten(name="flatten")(known)
    with pytest.warns(UserWarning, match="gru.*initial_state came with inputs; give mask= too"):
        layers.GRU(2, name="gru")(known, initial_state=[np.zeros((12, 2))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layers.GRU(2)(known, initial_state=[np.zeros((12, 2))], mask=COUNTS)
        layers.MultiHeadAttention(1, 2)(known, known)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: layers.Softmax()(SERIES, mask=COUNTS), r"\(12, 5\).*\(12, 5, 3\)"),
        (lambda: layers.GlobalAveragePooling1D()(SERIES, mask=COUNTS[:, 1:]), r"\(12, 4\)"),
        (
            lambda: layers.BatchNormalization()(SERIES, mask=COUNTS[1:], training=True),
            r"\(11, 5\).*an axis less",
        ),
    ],
)
def test_a_mask_that_does_not_fit_is_told(call, words):
    with pytest.raises(UserError, match=words):
        call()


def test_batches_of_other_lengths_go_through_one_model():
    def batches():
        for length in (5, 9, 7):
            x = np.ones((4, length, 3), "float32")
            yield x, x[..., :1]

    model = Sequential([Input((None, 3)), layers.GRU(2, return_sequences=True), layers.Dense(1)])
    model.compile("sgd", "mse", engine="numpy")
    assert model.fit(batches(), verbose=0).history["loss"][0] > 0
    with pytest.raises(UserError, match=r"\(4, 6, 1\).*\(4, 5, 1\)"):
        model.fit(np.ones((4, 5, 3)), np.ones((4, 6, 1)), verbose=0)


def test_axes_that_are_not_known_go_through_windows():
    read = Sequential([Input((None,), dtype="int32"), layers.Embedding(7, 4), layers.Conv1D(2, 7)])
    assert read.output_shape == (None, None, 2)
    assert read.predict(WORDS.repeat(2, axis=1)).shape == (12, 4, 2)
    picture = Input((None, None, 1))
    half = layers.Conv2D(2, 3, strides=2, padding="same")(picture)
    whole = layers.Conv2DTranspose(2, 3, strides=2, padding="same")(half)
    both = Model(picture, layers.Concatenate()([picture, layers.Cropping2D(0)(whole)]))
    assert both.output_shape == (None, None, None, 3)
    assert both.predict(np.zeros((1, 6, 10, 1), "float32")).shape == (1, 6, 10, 3)


def test_places_of_a_longer_example_are_no_mistake():
    class Places(layers.Layer):
        def __init__(self):
            super().__init__()
            self.table = layers.Embedding(8, 3)

        def call(self, inputs):
            return inputs + self.table(np.arange(inputs.shape[1]))

    series = Input((None, 3))
    model = Model(series, Places()(series))
    assert model.predict(SERIES).shape == SERIES.shape
    with pytest.raises(UserError, match="the table has 8 rows"):
        model.predict(np.zeros((1, 9, 3), "float32"))


def test_heads_with_a_cache_leave_padding_out_where_there_is_none():
    table, heads = layers.Embedding(7, 4, mask_zero=True), layers.CachedMultiHeadAttention(2, 2)
    known = table(WORDS)
    looked = heads(known, known)
    before = table.embeddings
    table.embeddings = before + np.eye(7, 1) * 9  # what stands for no word is another
    again = heads(table(WORDS), table(WORDS))
    np.testing.assert_allclose(again[COUNTS], looked[COUNTS], atol=1e-6)
