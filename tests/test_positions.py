"""Words, where they stand, and numbers that no table has."""

from __future__ import annotations

import numpy as np
import pytest

from peer import keras_in
from trasluz import Input, Model, Sequential, layers, random, tape, utils
from trasluz.autodiff import backend
from trasluz.errors import UserError
from trasluz.state.binding import bind, read


def test_positions_are_rows_of_a_table():
    layer = layers.PositionEmbedding(5)
    x = np.zeros((2, 3, 4), "float32")
    table = np.arange(20.0, dtype="float32").reshape(5, 4)
    layer(x)
    layer.set_weights([table])
    assert (layer(x) == table[:3]).all()
    assert (layer(x, start_index=2) == table[2:]).all()
    assert (layer(x[0], positions=np.array([4, 0, 4])) == table[[4, 0, 4]]).all()
    later = backend.compiled(lambda p, i: bind(layer, p)(x, start_index=i), "xla")
    assert (later(read(layer), np.int32(1)) == table[1:4]).all()
    assert np.isnan(later(read(layer), np.int32(3))[:, 2]).all()


def test_waves_are_those_of_the_paper():
    d, m = 6, 50.0
    y = layers.SinePositionEncoding(m, dtype="float64")(np.zeros((2, 4, d)), start_index=3)
    for t in range(4):
        for i in range(d // 2):
            angle = (3 + t) / m ** (2 * i / d)
            assert y[1, t, 2 * i] == pytest.approx(np.sin(angle), abs=1e-12)
            assert y[1, t, 2 * i + 1] == pytest.approx(np.cos(angle), abs=1e-12)
    odd = layers.SinePositionEncoding()(np.zeros((3, 5)), positions=np.array([7, 7, 0]))
    assert odd.shape == (3, 5) and (odd[0] == odd[1]).all() and (odd[2] == [0, 1, 0, 1, 0]).all()


@pytest.mark.interop
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # the peer's
@pytest.mark.parametrize("how", [{}, {"tie_weights": False}, {"logit_soft_cap": 0.3}])
def test_tables_read_both_ways_are_those_of_keras(how):
    words, g = np.array([[1, 6, 6], [0, 1, 2]]), np.random.default_rng(0).normal(size=(2, 3, 7))
    with keras_in("float64") as keras:
        theirs = keras.layers.ReversibleEmbedding(7, 4, **how, dtype="float64")
        theirs(theirs(words), reverse=True)
        ours = layers.ReversibleEmbedding(7, 4, **how, dtype="float64")
        ours(words)
        assert [tuple(w.shape) for w in theirs.weights] == [w.shape for w in ours.weights]
        ours.set_weights([np.asarray(w) for w in theirs.get_weights()])
        wanted = theirs(theirs(words), reverse=True)
        import torch

        slopes = torch.autograd.grad(
            (wanted * torch.tensor(g)).sum(), [w.value for w in theirs.weights]
        )

    def value(arrays):
        twin = bind(ours, arrays)
        return (twin(twin(words), reverse=True) * g).sum()

    y = ours(ours(words), reverse=True)
    np.testing.assert_allclose(y, wanted.detach().numpy(), rtol=1e-10)
    found = tape.grad(value)(read(ours))
    for weight, slope in zip(ours.weights, slopes, strict=True):
        np.testing.assert_allclose(found[weight.path], slope.numpy(), rtol=1e-9, atol=1e-12)


def test_entries_of_tables_open_into_their_derivations():
    random.set_seed(3)
    words, y = np.array([[1, 6, 1]]), np.array([[0.3]])
    x = Input((3,), dtype="int32")
    seen = layers.TokenAndPositionEmbedding(7, 4, 3, name="words")(x)
    seen = layers.MultiHeadAttention(1, 2)(seen, seen, use_causal_mask=True)
    model = Model(x, layers.Dense(1)(layers.GlobalAveragePooling1D()(seen)))
    model.compile("sgd", "mse", engine="numpy")
    for path, place in (
        ("words/token_embedding/embeddings", (1, 2)),
        ("words/position_embedding/position_embeddings", (2, 0)),
    ):
        derivation = model.explain(words, y, path, place)
        checks = [float(value) for value in derivation.checks.values()]
        np.testing.assert_allclose(checks, derivation.value, rtol=1e-5, atol=1e-9)
    assert "p^{" in derivation.latex()


def test_a_reading_model_learns_and_comes_back_from_a_file(tmp_path):
    from trasluz.saving import load_model

    utils.set_random_seed(0)
    words = np.random.default_rng(0).integers(0, 7, (32, 4))
    x = Input((4,), dtype="int32")
    table = layers.ReversibleEmbedding(7, 8)
    seen = layers.Add()([table(x), layers.PositionEmbedding(4)(table(x))])
    seen = layers.CachedMultiHeadAttention(2, 4)(seen, use_causal_mask=True)
    model = Model(x, table(seen, reverse=True))
    loss = "sparse_categorical_crossentropy"
    from trasluz.losses import SparseCategoricalCrossentropy

    model.compile("adam", SparseCategoricalCrossentropy(from_logits=True), engine="numpy")
    history = model.fit(words, words, epochs=20, verbose=0).history
    assert history["loss"][-1] < history["loss"][0], loss
    model.save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(words), model.predict(words))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda x: layers.PositionEmbedding(2)(x), r"go from 0 to 2, .* \(2, 3, 4\).*table has 2"),
        (lambda x: layers.PositionEmbedding(4)(x, start_index=2), "go from 2 to 4"),
        (lambda x: layers.PositionEmbedding(4)(x, start_index=-1), "go from -1 to 1"),
        (lambda x: layers.PositionEmbedding(0)(x), "sequence_length is 0"),
        (lambda x: layers.PositionEmbedding(4)(x[0, 0]), r"shape \(None,\)"),
        (lambda x: layers.PositionEmbedding(4)(x, positions=np.arange(2)), r"\(2,\), the places"),
        (
            lambda x: layers.PositionEmbedding(4)(x, positions=np.arange(3) + 2),
            "from 2 to 4, the t",
        ),
        (lambda x: layers.SinePositionEncoding(0)(x), "max_wavelength is 0"),
        (lambda x: layers.ReversibleEmbedding(0, 4)(x), "input_dim is 0"),
        (lambda x: layers.ReversibleEmbedding(5, 3)(x, reverse=True), r"table of shape \(5, 3\)"),
        (
            lambda x: layers.TokenAndPositionEmbedding(5, 4, 3)(np.full((2, 3), 5)),
            "the indices go from 5 to 5, the table has 5 rows",
        ),
    ],
)
def test_mistakes_are_told(call, said):
    with pytest.raises(UserError, match=said) as caught:
        call(np.ones((2, 3, 4)))
    assert caught.value.mend


# --------------------------------------------------------- numbers that are not in the table


def _model(kind: str, engine: str) -> Model:
    utils.set_random_seed(0)
    start, table = Input((1,), dtype="int32"), layers.Embedding(5, 2)
    rest = [layers.Flatten(), layers.Dense(1)]
    model = {
        "first": lambda: Sequential([start, table, *rest]),
        "undeclared": lambda: Sequential([table, *rest]),
        "nested": lambda: Sequential([start, Sequential([table]), *rest]),
        "deep": lambda: Sequential([start, layers.Reshape((1, 1)), table, *rest]),
    }[kind]()
    model.compile("sgd", "mse", engine=engine)
    return model


@pytest.mark.parametrize("engine", ["numpy", "xla"])
@pytest.mark.parametrize("kind", ["first", "undeclared", "nested", "deep"])
def test_numbers_without_a_row_are_told_on_both_engines(kind, engine, tmp_path):
    model, y = _model(kind, engine), np.zeros((20, 1), "float32")
    fine = np.arange(20).reshape(20, 1) % 5
    model.fit(fine, y, batch_size=5, verbose=0)
    before = model.get_weights()
    for wrong in (-1, 7):
        x = fine.copy()
        x[15] = wrong
        np.save(tmp_path / "x.npy", x)
        disk = np.load(tmp_path / "x.npy", mmap_mode="r")
        batches = [(x[k : k + 5], y[k : k + 5]) for k in range(0, 20, 5)]
        calls = [
            lambda x=x: model.fit(x, y, batch_size=20, verbose=0),
            lambda x=disk: model.fit(x, y, batch_size=20, verbose=0),
            lambda b=batches: model.fit(b[3:], verbose=0),
            lambda x=x: model.train_on_batch(x, y),
        ]
        if kind != "deep" or engine == "numpy":
            calls += [
                lambda x=x: model.fit(fine, y, validation_data=(x, y), verbose=0),
                lambda x=x: model.evaluate(x, y, verbose=0),
                lambda b=batches: model.evaluate(b, verbose=0),
                lambda x=x: model.predict(x),
            ]
        else:
            assert np.isnan(model.predict(x)[15]).all()
            assert np.isfinite(model.predict(x)[:15]).all()
        for number, call in enumerate(calls):
            with pytest.raises(UserError, match=r"the table has 5 rows") as caught:
                call()
            assert caught.value.mend, number
            if number == 4:  # it had learned before it was measured
                model.set_weights(before)
            for a, b in zip(model.get_weights(), before, strict=True):
                np.testing.assert_array_equal(a, b)


def test_an_input_that_another_model_looks_up_may_hold_anything():
    x = Input((2,))
    Model(x, layers.Flatten()(layers.Embedding(3, 2)(x)))
    assert Model(x, layers.Dense(1)(x)).predict(np.full((1, 2), 9.0)).shape == (1, 1)
