"""Every layer through the conformance suite, and against Keras where it counts."""

from __future__ import annotations

import numpy as np
import pytest

from peer import keras_in
from trasluz import Input, Model, activations, layers, random, utils
from trasluz.errors import UserError
from trasluz.layers.base import registry
from trasluz.models import clone_model
from trasluz.saving import load_model
from trasluz.state import Param, read
from trasluz.testing import check_layer, model_of


def _x(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape) + 0.01


SAMPLES = {
    "Dense": [
        (lambda: layers.Dense(3, activation="tanh"), _x(4, 5)),
        (lambda: layers.Dense(2, use_bias=False), _x(2, 3, 5)),
        (lambda: layers.Dense(2, activation="softmax"), np.arange(6).reshape(2, 3)),
    ],
    "SharedBias": [(lambda: layers.SharedBias(2, "sigmoid"), _x(4, 3))],
    "Activation": [(lambda: layers.Activation("gelu"), _x(3, 4))],
    "ReLU": [(lambda: layers.ReLU(max_value=1.5, negative_slope=0.1), _x(3, 4))],
    "LeakyReLU": [(lambda: layers.LeakyReLU(0.2), _x(3, 4))],
    "PReLU": [
        (lambda: layers.PReLU("uniform"), _x(3, 4)),
        (lambda: layers.PReLU("uniform", shared_axes=[1]), _x(3, 4, 2)),
    ],
    "ELU": [(lambda: layers.ELU(0.7), _x(3, 4))],
    "Softmax": [(lambda: layers.Softmax(axis=1), _x(3, 4, 2))],
    "Flatten": [
        (lambda: layers.Flatten(), _x(3, 4, 2)),
        (lambda: layers.Flatten(data_format="channels_first"), _x(3, 4, 2)),
    ],
    "Reshape": [(lambda: layers.Reshape((2, -1)), _x(3, 4, 2))],
    "Permute": [(lambda: layers.Permute((2, 1)), _x(3, 4, 2))],
    "RepeatVector": [(lambda: layers.RepeatVector(3), _x(3, 4))],
    "Masking": [(lambda: layers.Masking(9.0), _x(3, 4, 2))],
    "Identity": [(lambda: layers.Identity(), _x(3, 4))],
    "InputLayer": [(lambda: layers.InputLayer((4,)), _x(3, 4))],
    "Dropout": [
        (lambda: layers.Dropout(0.4), _x(3, 4)),
        (lambda: layers.Dropout(0.4, noise_shape=(None, 1), seed=3), _x(3, 4)),
    ],
    "GaussianNoise": [(lambda: layers.GaussianNoise(0.3), _x(3, 4))],
    "GaussianDropout": [(lambda: layers.GaussianDropout(0.3), _x(3, 4))],
    "BatchNormalization": [
        (lambda: layers.BatchNormalization(), _x(6, 4)),
        (lambda: layers.BatchNormalization(axis=1, scale=False), _x(6, 4, 3)),
    ],
    "LayerNormalization": [
        (lambda: layers.LayerNormalization(), _x(3, 5)),
        (lambda: layers.LayerNormalization(axis=(1, 2), center=False), _x(3, 5, 2)),
    ],
    "Normalization": [(lambda: layers.Normalization(mean=1.0, variance=4.0), _x(3, 5))],
    "Rescaling": [(lambda: layers.Rescaling(0.5, 1.0), _x(3, 5))],
    "Embedding": [(lambda: layers.Embedding(7, 3), np.array([[1, 6, 6], [0, 1, 2]]))],
    "Add": [(lambda: layers.Add(), [_x(3, 4), _x(3, 4, seed=1), _x(3, 4, seed=2)])],
    "Subtract": [(lambda: layers.Subtract(), [_x(3, 4), _x(3, 4, seed=1)])],
    "Multiply": [(lambda: layers.Multiply(), [_x(3, 4), _x(3, 4, seed=1)])],
    "Average": [(lambda: layers.Average(), [_x(3, 4), _x(3, 4, seed=1)])],
    "Maximum": [(lambda: layers.Maximum(), [_x(3, 4), _x(3, 4, seed=1)])],
    "Minimum": [(lambda: layers.Minimum(), [_x(3, 4), _x(3, 4, seed=1)])],
    "Concatenate": [(lambda: layers.Concatenate(), [_x(3, 4), _x(3, 2)])],
    "Dot": [
        (lambda: layers.Dot(1), [_x(3, 4), _x(3, 4, seed=1)]),
        (lambda: layers.Dot((-1, 1), normalize=True), [_x(2, 2, 3, 4), _x(2, 4, 3)]),
    ],
    "Lambda": [
        (lambda: layers.Lambda(activations.gelu), _x(3, 4)),
        (lambda: layers.Lambda("leaky_relu", arguments={"negative_slope": 0.3}), _x(3, 4)),
    ],
    "RandomFlip": [(lambda: layers.RandomFlip(), _x(3, 2, 3, 2))],
    "RandomRotation": [
        (lambda: layers.RandomRotation(0.3), _x(2, 3, 4, 2)),
        (lambda: layers.RandomRotation(0.3, "constant", "nearest", 3, 2.0), _x(3, 4, 2)),
    ],
    "RandomTranslation": [
        (
            lambda: layers.RandomTranslation(0.3, (0.1, 0.5), "wrap", data_format="channels_first"),
            _x(2, 2, 3, 4),
        )
    ],
    "RandomZoom": [(lambda: layers.RandomZoom(0.4, fill_mode="constant"), _x(2, 3, 4, 2))],
    "RandomCrop": [
        (lambda: layers.RandomCrop(2, 3), _x(2, 3, 4, 2)),
        (lambda: layers.RandomCrop(4, 3, data_format="channels_first"), _x(2, 2, 3, 4)),
    ],
    "RandomContrast": [(lambda: layers.RandomContrast(0.5, (-9, 9)), _x(2, 3, 2, 2))],
    "RandomBrightness": [(lambda: layers.RandomBrightness(0.1, (-9, 9)), _x(2, 3, 2, 2))],
    "Bidirectional": [
        (lambda: layers.Bidirectional(layers.GRU(2, return_sequences=True), "ave"), _x(2, 3, 2))
    ],
    "TimeDistributed": [(lambda: layers.TimeDistributed(layers.Dense(2)), _x(2, 3, 4))],
    "UpSampling1D": [(lambda: layers.UpSampling1D(3), _x(2, 3, 2))],
    "UpSampling2D": [
        (lambda: layers.UpSampling2D(), _x(2, 2, 3, 2)),
        (lambda: layers.UpSampling2D((2, 3), interpolation="bilinear"), _x(2, 2, 3, 2)),
    ],
    "SpatialDropout1D": [(lambda: layers.SpatialDropout1D(0.4), _x(2, 3, 4))],
    "SpatialDropout2D": [
        (lambda: layers.SpatialDropout2D(0.4, data_format="channels_first"), _x(2, 4, 2, 2))
    ],
    "GroupNormalization": [(lambda: layers.GroupNormalization(2), _x(3, 2, 4))],
    "EinsumDense": [
        (lambda: layers.EinsumDense("abc,cde->abde", (None, 2, 2), bias_axes="de"), _x(2, 3, 2))
    ],
    "MultiHeadAttention": [
        (lambda: layers.MultiHeadAttention(2, 2, dropout=0.2), _x(2, 3, 4)),
        (
            lambda: layers.MultiHeadAttention(
                2, 2, attention_axes=2, sliding_window=2, use_gate=True
            ),
            _x(2, 2, 3, 2),
        ),
    ],
    "CachedMultiHeadAttention": [(lambda: layers.CachedMultiHeadAttention(2, 2), _x(2, 3, 4))],
    "PositionEmbedding": [(lambda: layers.PositionEmbedding(5), _x(2, 3, 4))],
    "SinePositionEncoding": [(lambda: layers.SinePositionEncoding(100), _x(2, 3, 4))],
    "ReversibleEmbedding": [
        (lambda: layers.ReversibleEmbedding(7, 3), np.array([[1, 6, 6], [0, 1, 2]]))
    ],
    "TokenAndPositionEmbedding": [
        (lambda: layers.TokenAndPositionEmbedding(7, 5, 3), np.array([[1, 6, 6], [0, 1, 2]]))
    ],
    "Attention": [(lambda: layers.Attention(True, "concat"), [_x(2, 3, 2), _x(2, 4, 2, seed=1)])],
    "AdditiveAttention": [(lambda: layers.AdditiveAttention(), [_x(2, 3, 2), _x(2, 4, 2, seed=1)])],
    "Conv1D": [
        (lambda: layers.Conv1D(4, 2, dilation_rate=2, padding="causal", groups=2), _x(2, 6, 4))
    ],
    "Conv2D": [
        (
            lambda: layers.Conv2D(3, 3, strides=2, padding="same", activation="tanh"),
            _x(2, 5, 6, 2),
        ),
    ],
    "Conv1DTranspose": [(lambda: layers.Conv1DTranspose(2, 3, strides=2), _x(2, 3, 2))],
    "Conv2DTranspose": [
        (lambda: layers.Conv2DTranspose(2, 3, strides=2, padding="same"), _x(2, 3, 3, 2))
    ],
    "DepthwiseConv1D": [(lambda: layers.DepthwiseConv1D(2, depth_multiplier=2), _x(2, 4, 2))],
    "DepthwiseConv2D": [
        (
            lambda: layers.DepthwiseConv2D(2, padding="same", data_format="channels_first"),
            _x(2, 2, 4, 4),
        )
    ],
    "SeparableConv1D": [(lambda: layers.SeparableConv1D(3, 2), _x(2, 4, 2))],
    "SeparableConv2D": [(lambda: layers.SeparableConv2D(3, 2, depth_multiplier=2), _x(2, 4, 4, 2))],
    "MaxPooling1D": [(lambda: layers.MaxPooling1D(), _x(2, 4, 2))],
    "MaxPooling2D": [(lambda: layers.MaxPooling2D(3, 2, padding="same"), _x(2, 5, 5, 2))],
    "AveragePooling1D": [(lambda: layers.AveragePooling1D(), _x(2, 4, 2))],
    "AveragePooling2D": [(lambda: layers.AveragePooling2D(3, 2, padding="same"), _x(2, 5, 5, 2))],
    "GlobalMaxPooling1D": [(lambda: layers.GlobalMaxPooling1D(), _x(2, 4, 2))],
    "GlobalMaxPooling2D": [(lambda: layers.GlobalMaxPooling2D(keepdims=True), _x(2, 3, 3, 2))],
    "GlobalAveragePooling1D": [(lambda: layers.GlobalAveragePooling1D(), _x(2, 4, 2))],
    "GlobalAveragePooling2D": [
        (lambda: layers.GlobalAveragePooling2D("channels_first"), _x(2, 2, 3, 3))
    ],
    "ZeroPadding1D": [(lambda: layers.ZeroPadding1D((1, 2)), _x(2, 3, 1))],
    "ZeroPadding2D": [(lambda: layers.ZeroPadding2D(((1, 0), (0, 2))), _x(2, 2, 2, 1))],
    "Cropping1D": [(lambda: layers.Cropping1D(1), _x(2, 4, 2))],
    "Cropping2D": [(lambda: layers.Cropping2D((1, 0)), _x(2, 4, 3, 1))],
    # Cells are called on two things: here each is folded over time.
    "RNN": [
        (
            lambda: layers.RNN([layers.LSTMCell(2), layers.GRUCell(2)], return_sequences=True),
            _x(2, 3, 2),
        )
    ],
    "StackedRNNCells": [
        (
            lambda: layers.RNN(
                layers.StackedRNNCells([layers.GRUCell(2, dropout=0.3), layers.SimpleRNNCell(3)])
            ),
            _x(2, 3, 2),
        )
    ],
    "SimpleRNNCell": [(lambda: layers.RNN(layers.SimpleRNNCell(2), unroll=True), _x(2, 3, 2))],
    "LSTMCell": [(lambda: layers.RNN(layers.LSTMCell(2, recurrent_dropout=0.3)), _x(2, 3, 2))],
    "GRUCell": [(lambda: layers.RNN(layers.GRUCell(2, reset_after=False)), _x(2, 3, 2))],
    "LSTM": [
        (lambda: layers.LSTM(2, return_sequences=True, dropout=0.3), _x(2, 3, 2)),
    ],
    "GRU": [
        (lambda: layers.GRU(2, go_backwards=True, recurrent_dropout=0.2), _x(2, 3, 2)),
        (lambda: layers.GRU(2, reset_after=False), _x(2, 3, 2)),
    ],
    "SimpleRNN": [
        (lambda: layers.SimpleRNN(3), _x(2, 4, 3)),
        (
            lambda: layers.SimpleRNN(
                3, return_sequences=True, go_backwards=True, dropout=0.3, recurrent_dropout=0.2
            ),
            _x(2, 4, 3),
        ),
        (lambda: layers.SimpleRNN(2, return_state=True, activation="sigmoid"), _x(2, 4, 3)),
    ],
}
CASES = [
    pytest.param(make, x, id=f"{name}-{i}")
    for name, samples in SAMPLES.items()
    for i, (make, x) in enumerate(samples)
]


def test_every_layer_has_samples():
    own = {
        name
        for name, kind in registry.known.items()
        if name == kind.__name__ and kind.__module__.startswith("trasluz.layers") and name[0] != "_"
    }
    assert own <= set(SAMPLES), f"add to SAMPLES in tests/test_layers.py: {own - set(SAMPLES)}"
    assert set(SAMPLES) <= own, f"SAMPLES names what is no layer: {set(SAMPLES) - own}"


@pytest.mark.parametrize(("make", "x"), CASES)
def test_conformance(make, x):
    random.set_seed(11)
    check_layer(make(), x)


ONE_EACH = [pytest.param(*samples[0], id=name) for name, samples in SAMPLES.items()]


@pytest.mark.parametrize(("make", "x"), ONE_EACH)
def test_ten_steps_are_the_same_on_both_engines_and_are_explained(make, x):
    random.set_seed(11)
    as_floats = lambda a: a.astype("float32") if a.dtype.kind == "f" else a  # noqa: E731
    x = [as_floats(a) for a in x] if isinstance(x, list) else as_floats(x)
    model = model_of(make(), x)
    rows = len(x[0] if isinstance(x, list) else x)
    y = [np.zeros((rows, *t.shape[1:]), "float32") for t in model.outputs]
    start, after = model.get_weights(), {}
    for engine in ("numpy", "xla") if model.trainable_weights else ():
        model.set_weights(start)
        model.compile("sgd", "mse", engine=engine)
        utils.set_random_seed(3)
        model.fit(x, y if len(y) > 1 else y[0], epochs=10, batch_size=rows, verbose=0)
        after[engine] = model.get_weights()
    for a, b in zip(after.get("numpy", ()), after.get("xla", ()), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-3, atol=1e-5)
    model.set_weights(start)
    model.compile("sgd", "mse", engine="numpy")
    moved, first = model.trainable_weights, x[0] if isinstance(x, list) else x
    if not moved and first.dtype.kind != "f":
        return  # whole numbers have no derivative
    path = moved[0].path if moved else "x1" if isinstance(x, list) else "x"
    place = (0,) * (len(moved[0].shape) if moved else first.ndim - 1)
    few = 2 if moved else 1  # of an input, one row is asked about
    x = [a[:few] for a in x] if isinstance(x, list) else x[:few]
    y = [t[:few] for t in y]
    if path == "x" and make is SAMPLES["SinePositionEncoding"][0][0]:
        with pytest.raises(UserError, match="depends on no weight and on no number"):
            model.explain(x, y[0], path, place, lang="en")
        return
    d = model.explain(x, y if len(y) > 1 else y[0], path, place)
    derived, backward, difference = d.checks.values()
    assert derived == pytest.approx(backward, rel=1e-9, abs=1e-12)
    assert derived == pytest.approx(difference, rel=1e-4, abs=1e-7)


def _keras_pairs(kl):
    return [
        (layers.Dense(3, activation="relu"), kl.Dense(3, activation="relu"), _x(4, 5)),
        (layers.BatchNormalization(), kl.BatchNormalization(), _x(6, 4)),
        (layers.BatchNormalization(axis=1), kl.BatchNormalization(axis=1), _x(6, 4, 3)),
        (layers.LayerNormalization(), kl.LayerNormalization(), _x(6, 4)),
        (layers.PReLU("uniform"), kl.PReLU("uniform"), _x(6, 4)),
        (layers.ReLU(2.0, 0.1, 0.5), kl.ReLU(2.0, 0.1, 0.5), _x(6, 4) * 2),
        (layers.Embedding(9, 4), kl.Embedding(9, 4), np.array([[1, 8], [0, 3]])),
        (layers.SimpleRNN(3), kl.SimpleRNN(3), _x(2, 5, 3)),
        (
            layers.SimpleRNN(3, return_sequences=True, go_backwards=True),
            kl.SimpleRNN(3, return_sequences=True, go_backwards=True),
            _x(2, 5, 3),
        ),
        *(
            (
                layers.Bidirectional(layers.LSTM(2, return_sequences=several), mode),
                kl.Bidirectional(kl.LSTM(2, return_sequences=several), mode),
                _x(2, 4, 3),
            )
            for mode in ("concat", "sum", "mul", "ave")
            for several in (True, False)
        ),
        (
            layers.TimeDistributed(layers.Dense(3, "tanh")),
            kl.TimeDistributed(kl.Dense(3, "tanh")),
            _x(2, 4, 3),
        ),
        (layers.GroupNormalization(2), kl.GroupNormalization(2), _x(3, 4, 6)),
        (layers.GroupNormalization(-1), kl.GroupNormalization(-1), _x(3, 2, 3, 4)),
        (layers.UpSampling1D(3), kl.UpSampling1D(3), _x(2, 3, 2)),
        (layers.UpSampling2D((2, 3)), kl.UpSampling2D((2, 3)), _x(2, 2, 3, 2)),
        (
            layers.UpSampling2D(2, interpolation="bilinear"),
            kl.UpSampling2D(2, interpolation="bilinear"),
            _x(2, 3, 4, 2),
        ),
    ]


@pytest.mark.interop
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # the peer's
def test_outputs_are_those_of_keras():
    with keras_in("float32") as keras:
        for ours, theirs, x in _keras_pairs(keras.layers):
            x = x.astype("float32") if x.dtype.kind == "f" else x
            theirs(x)
            ours(x)
            assert [tuple(w.shape) for w in theirs.weights] == [w.shape for w in ours.weights], ours
            ours.set_weights(theirs.get_weights())
            for training in (False, True):
                np.testing.assert_allclose(
                    ours(x, training=training),
                    np.asarray(theirs(x, training=training)),
                    rtol=2e-5,
                    atol=2e-6,
                    err_msg=repr(ours),
                )
            for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
                np.testing.assert_allclose(mine, np.asarray(other), rtol=1e-5, atol=1e-7)


@pytest.mark.interop
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # the peer's
def test_both_directions_give_their_states_as_keras_does():
    with keras_in("float32") as keras:
        theirs = keras.layers.Bidirectional(keras.layers.LSTM(2, return_state=True))
        ours = layers.Bidirectional(layers.LSTM(2, return_state=True))
        x = _x(2, 4, 3).astype("float32")
        theirs(x), ours(x)
        ours.set_weights(theirs.get_weights())
        begin = [_x(2, 2, seed=k).astype("float32") for k in range(4)]
        for state in (None, begin):
            for y, z in zip(
                ours(x, initial_state=state), theirs(x, initial_state=state), strict=True
            ):
                np.testing.assert_allclose(y, np.asarray(z), rtol=2e-5, atol=2e-6)


@pytest.mark.interop
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # the peer's
@pytest.mark.parametrize(
    ("axes", "first", "second"),
    [
        (1, (3, 4), (3, 4)),
        (-1, (3, 2, 4), (3, 5, 4)),
        ((1, 2), (3, 2, 4), (3, 5, 2)),
        ((2, 1), (3, 2, 4, 5), (3, 4)),
        ((-1, -1), (3, 4), (3, 2, 5, 4)),
        ((3, 1), (2, 1, 2, 3), (2, 3, 2, 4)),
    ],
)
def test_dot_is_that_of_keras(axes, first, second):
    a, b = _x(*first), _x(*second, seed=1)
    with keras_in("float64") as keras:
        for normalize in (False, True):
            theirs = np.asarray(keras.layers.Dot(axes, normalize, dtype="float64")([a, b]))
            ours = layers.dot([a, b], axes, normalize=normalize, dtype="float64")
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", [layers.SpatialDropout1D, layers.SpatialDropout2D])
def test_whole_channels_are_switched_off(kind):
    shape = (3, *(4,) * kind.rank, 50)
    y = kind(0.4)(np.ones(shape, "float32"), training=True).reshape(3, -1, 50)
    assert (y == y[:, :1]).all()
    assert set(np.unique(y.round(5))) == {0, np.float32(1 / 0.6).round(5)}


# ------------------------------------------------------------------------------------- behaviour


def test_batch_normalization_learns_the_population():
    """Algorithm 2 of the paper: after training, population statistics stand for the batch's."""
    generator = np.random.default_rng(0)
    layer = layers.BatchNormalization(momentum=0.9)
    for _ in range(200):
        layer(generator.normal(3.0, 2.0, (64, 2)), training=True)
    assert layer.moving_mean == pytest.approx([3, 3], abs=0.15)
    assert layer.moving_variance == pytest.approx([4, 4], abs=0.5)
    y = layer(generator.normal(3.0, 2.0, (4000, 2)))
    assert y.mean(0) == pytest.approx([0, 0], abs=0.1)
    layer.trainable = False
    before = layer.moving_mean
    layer(np.ones((4, 2)), training=True)
    assert layer.moving_mean is before


def test_dropout_keeps_the_mean_and_its_seed():
    x = np.ones((200, 50))
    y = layers.Dropout(0.25)(x, training=True)
    assert set(np.round(np.unique(y), 5)) == {0, np.float32(1.33333)}
    assert y.mean() == pytest.approx(1, abs=0.02)
    random.set_seed(3)
    one = layers.Dropout(0.5)(x, training=True)
    random.set_seed(3)
    assert (layers.Dropout(0.5)(x, training=True) == one).all()


def test_normalization_adapts():
    data = _x(100, 3) * [1, 5, 9] + [0, 1, 2]
    layer = layers.Normalization()
    layer.adapt(data)
    y = layer(data)
    assert y.mean(0) == pytest.approx(np.zeros(3), abs=1e-5)
    assert y.std(0) == pytest.approx(np.ones(3), abs=1e-5)
    back = layers.Normalization(mean=layer.adapt_mean, variance=layer.adapt_variance, invert=True)
    np.testing.assert_allclose(back(y), data, rtol=1e-4, atol=1e-5)


def test_recurrent_mask_keeps_the_state():
    layer = layers.SimpleRNN(3)
    x = _x(2, 5, 4)
    short = layer(x[:, :3])
    mask = np.array([[1, 1, 1, 0, 0]] * 2, bool)
    np.testing.assert_allclose(layer(x, mask=mask), short, rtol=1e-6)


def test_own_layer_in_both_styles():
    class Scale(layers.Layer):
        start: float = 2.0

        def build(self, input_shape):
            from trasluz import initializers

            self.factor = Param((input_shape[-1],), initializers.Constant(self.start))

        def call(self, x):
            return x * self.factor

    class Linear(layers.Layer):
        def __init__(self, units=3, **kwargs):
            super().__init__(**kwargs)
            self.units = units

        def build(self, input_shape):
            self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="ones")
            self.b = self.add_weight(shape=(self.units,), initializer="zeros", trainable=False)

        def call(self, inputs):
            return inputs @ self.w + self.b

    class Pair(layers.Layer):
        def __init__(self):
            super().__init__()
            self.first, self.second = Linear(4), Linear(2)

        def call(self, x, training=False):
            return self.second(self.first(x))

    check_layer(Scale(), _x(3, 4))
    assert Scale(5.0)(np.ones((1, 2))).tolist() == [[5, 5]]
    pair = Pair()
    assert pair(np.ones((1, 3))).tolist() == [[12, 12]]
    assert sorted(read(pair)) == ["linear/b", "linear/w", "linear_1/b", "linear_1/w"]
    assert [v.path for v in pair.trainable_weights] == ["linear/w", "linear_1/w"]


@pytest.mark.parametrize(
    ("make", "x", "message"),
    [
        (lambda: layers.Dense(0), np.ones((2, 3)), "positive whole number"),
        (lambda: layers.Dense(2, activation="rleu"), np.ones((2, 3)), "did you mean 'relu'"),
        (lambda: layers.Dense(2, kernel_initializer="he"), np.ones((2, 3)), "unknown initiali"),
        (lambda: layers.Dropout(1.5), np.ones((2, 3)), r"\[0, 1\)"),
        (lambda: layers.Reshape((4,)), np.ones((2, 3)), "3 entries"),
        (lambda: layers.Embedding(3, 2), np.array([[1, 3]]), "from 1 to 3.*3 rows"),
        (lambda: layers.SimpleRNN(3), np.ones((2, 3)), "batch, time, features"),
        (lambda: layers.Add(), np.ones((2, 3)), "at least two"),
        (lambda: layers.Conv1D(0, 1), np.ones((2, 3, 1)), "filters is 0"),
        (lambda: layers.Conv1D(2, 1, groups=0), np.ones((2, 3, 1)), "groups is 0"),
        (lambda: layers.LayerNormalization(3), np.ones((2, 3)), "have 2 axes"),
        (lambda: layers.GroupNormalization(1, axis=5), np.ones((2, 3)), "have 2 axes"),
        (lambda: layers.Normalization(9), np.ones((2, 3)), "have 2 axes"),
        (lambda: layers.PReLU(shared_axes=[2]), np.ones((2, 3)), "from 1 to 1"),
        (lambda: layers.SpatialDropout2D(0.5, data_format="last"), np.ones((1, 2, 2, 1)), "'last'"),
        (lambda: layers.LSTM(3), np.float32(1), "batch, time, features"),
    ],
)
def test_mistakes_are_named(make, x, message):
    with pytest.raises(UserError, match=message):
        make()(x, training=True)


def test_wrong_width_says_both_shapes():
    layer = layers.Dense(2)
    layer(np.ones((4, 3)))
    with pytest.raises(UserError, match=r"\(4, 5\).*\(3, 2\)"):
        layer(np.ones((4, 5)))


@pytest.mark.interop
def test_merged_ranks_may_differ_and_rows_stay_rows():
    from peer import keras_in

    several = [_x(3, 4), _x(3, 2, 1), _x(3, 1, 2, 4)]
    kinds = ["Add", "Multiply", "Average", "Maximum", "Minimum", "Subtract"]
    with keras_in("float32") as keras:
        for kind in kinds:
            for inputs in (several[:2], several[1:], several[::2], several[1::-1]):
                wanted = getattr(keras.layers, kind)()([np.float32(x) for x in inputs])
                y = getattr(layers, kind)()([np.float32(x) for x in inputs])
                np.testing.assert_allclose(y, np.asarray(wanted), rtol=1e-6, err_msg=kind)
    check_layer(layers.Add(), several[:2])


def test_dot_says_what_does_not_fit():
    for axes, said in (
        (0, "axes is 0"),
        ((1, 2, 3), "axes is"),
        (3, r"shapes are \(2, 3\)"),
        (1, "length"),
    ):
        with pytest.raises(UserError, match=said):
            layers.Dot(axes)([np.ones((2, 3)), np.ones((2, 4))])
    with pytest.raises(UserError, match="3 were given"):
        layers.Dot(1)([np.ones((2, 3))] * 3)


def twice(x, training):
    """A function of one's own."""
    return x * 2 if training else x


def test_a_function_as_a_layer_goes_into_a_file_as_its_name_alone(tmp_path):
    x = np.ones((1, 3), "float32")
    assert (layers.Lambda(twice)(x, training=True) == 2).all()
    masked = layers.Lambda(lambda x, mask: x * mask, mask=lambda x, mask: mask)
    assert (masked(x, mask=np.zeros((1, 3), "f4")) == 0).all()
    assert masked.compute_mask(x, "a mask") == "a mask"
    assert layers.Lambda(lambda x: x[:, :2], output_shape=(2,)).compute_output_shape((4, 3)) == (
        4,
        2,
    )
    inputs = Input((3,))
    model = Model(inputs, layers.Lambda(twice, output_shape=(3,))(inputs))
    file = tmp_path / "model.trasluz"
    model.save(file)
    assert rb"\"function\": \"twice\"" in file.read_bytes()
    with pytest.raises(UserError, match=r"no function 'twice' is known.*custom_objects"):
        load_model(file)
    again = load_model(file, {"twice": twice})
    assert (again.predict(x) == 1).all() and again(x, training=True).sum() == 6
    nameless = Model(inputs, layers.Lambda(lambda x: x * 2)(inputs))
    assert (nameless.predict(x) == 2).all()
    with pytest.raises(UserError, match="a lambda cannot be saved"):
        nameless.save(file)
    assert (clone_model(nameless).predict(x) == 2).all()
