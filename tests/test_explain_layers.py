"""Derivations of layers for pictures, sequences and attention: as a textbook tells them."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation import evaluate
from trasluz import Input, Model, Sequential, config, layers, utils
from trasluz.base.messages import LANGUAGES
from trasluz.errors import UserError
from trasluz.pages.text import plain


@pytest.fixture(autouse=True)
def _double():
    config.set_floatx("float64")
    yield
    config.set_floatx("float32")


def model_of(*several, loss="mse"):
    utils.set_random_seed(1)
    model = Sequential(list(several))
    model.compile("sgd", loss)
    return model


def told(d):
    """Check what holds for every derivation, and give its steps in text by name."""
    derived, backward, difference = d.checks.values()
    assert derived == pytest.approx(backward, rel=1e-9, abs=1e-12)
    assert derived == pytest.approx(difference, rel=1e-5, abs=1e-8)
    values = {}
    for step in d.steps():
        known = values.setdefault(step.symbol, step.value)
        assert np.allclose(known, step.value, rtol=1e-9, atol=1e-12), step.line()
        assert "\\" not in plain(step.line()), step.formula
    for lang in LANGUAGES:
        d.lang = lang
        for page in (d.text(), d.latex(), d.markdown()):
            assert "explain-" not in page
    d.lang = "en"
    return {plain(step.symbol): plain(step.line()) for step in d.steps()}


def printed(d):
    """Check that the numbers that are printed give each value, to 12 digits."""
    for step in d.steps():
        if np.ndim(step.value) == 0:
            again = evaluate(step.numbers)
            assert again == pytest.approx(step.value, rel=1e-9, abs=1e-9), step.line()


SERIES = np.array([[[0.5], [-1.0], [0.25]]])


def test_the_gates_of_an_lstm_have_their_names():
    model = model_of(Input((3, 1)), layers.LSTM(2, name="lstm"), layers.Dense(1))
    d = model.explain(SERIES, [[1.0]], "lstm/kernel", (0, 2), 12)
    printed(d)
    d = model.explain(SERIES, [[1.0]], "lstm/kernel", (0, 2), lang="en")
    lines = told(d)
    for gate in "ifog":
        function = "tanh" if gate == "g" else "σ"
        bar = f"{gate}\u0304" if gate in "f" else {"i": "ī", "o": "ō", "g": "ḡ"}[gate]
        assert f"{gate}⁽¹⁾ᵗ⁼²₁ = {function}({bar}⁽¹⁾ᵗ⁼²₁)" in lines[f"{gate}⁽¹⁾ᵗ⁼²₁"]
    assert "= f⁽¹⁾ᵗ⁼²₁ c⁽¹⁾ᵗ⁼¹₁ + i⁽¹⁾ᵗ⁼²₁ g⁽¹⁾ᵗ⁼²₁ =" in lines["c⁽¹⁾ᵗ⁼²₁"]
    assert "= o⁽¹⁾ᵗ⁼²₁ tanh(c⁽¹⁾ᵗ⁼²₁) =" in lines["h⁽¹⁾ᵗ⁼²₁"]
    assert list(lines)[-1] == "∂E/∂w⁽¹⁾₁,₃"
    kept = lines["∂c⁽¹⁾ᵗ⁼³₁/∂c⁽¹⁾ᵗ⁼¹₁"]
    assert kept.startswith("∂c⁽¹⁾ᵗ⁼³₁/∂c⁽¹⁾ᵗ⁼¹₁ = f⁽¹⁾ᵗ⁼³₁ f⁽¹⁾ᵗ⁼²₁ = 0.76158 · 0.57644 = 0.439")
    step = next(s for s in d.steps() if plain(s.symbol).startswith("∂c⁽¹⁾ᵗ⁼³₁/"))
    assert step.remark.startswith("so much of c⁽¹⁾ᵗ⁼¹₁ is left in c⁽¹⁾ᵗ⁼³₁")
    assert max(map(len, lines.values())) < 450  # they were 3,000 where gates had no names


def test_the_gates_of_a_gru_have_their_names():
    for how in ({}, {"reset_after": False}):
        model = model_of(Input((3, 1)), layers.GRU(2, name="gru", **how), layers.Dense(1))
        d = model.explain(SERIES, [[1.0]], "gru/kernel", (0, 0), lang="en")
        lines = told(d)
        state = "= z⁽¹⁾ᵗ⁼²₁ h⁽¹⁾ᵗ⁼¹₁ + (1 - z⁽¹⁾ᵗ⁼²₁) n⁽¹⁾ᵗ⁼²₁ ="
        assert state in lines["h⁽¹⁾ᵗ⁼²₁"]
        assert "= tanh(n̄⁽¹⁾ᵗ⁼²₁) =" in lines["n⁽¹⁾ᵗ⁼²₁"]
        assert "= z⁽¹⁾ᵗ⁼³₁ z⁽¹⁾ᵗ⁼²₁ =" in lines["∂h⁽¹⁾ᵗ⁼³₁/∂h⁽¹⁾ᵗ⁼¹₁"]


def test_a_gate_can_be_asked_for():
    model = model_of(Input((3, 1)), layers.LSTM(2, name="lstm"), layers.Dense(1))
    d = model.explain(SERIES, [[1.0]], "lstm/forget gate", 1)
    assert list(told(d))[-1] == "∂E/∂f⁽¹⁾ᵗ⁼³₂"
    d = model.explain(SERIES, [[1.0]], "lstm", 0, names="keras")
    assert any("lstm/t=1/input_gate[0]" in line for line in told(d))


def pictures(*more):
    return model_of(
        Input((6, 6, 1)), layers.Conv2D(2, 3, activation="relu", name="conv"),
        layers.MaxPooling2D(2, name="pool"), layers.Flatten(), layers.Dense(1), *more,
    )  # fmt: skip


def random(*shape):
    return np.random.default_rng(0).normal(size=shape).round(2)


def test_a_filters_weight_is_told_place_by_place():
    model, x = pictures(), random(2, 6, 6, 1)
    d = model.explain(x[:1], [[1.0]], "conv/kernel", (0, 1, 0, 0), lang="en")
    lines = told(d)
    last = lines["∂E/∂w⁽¹⁾₁,₂,₁,₁"]
    assert last.startswith("∂E/∂w⁽¹⁾₁,₂,₁,₁ = x₁,₂,₁ ∂E/∂z⁽¹⁾₁,₁,₁ + ")
    assert "⟨12: ⋯⟩" in last  # the places that lost in the pooling, or were switched off
    remark = list(d.steps())[-1].remark
    assert remark == (
        "the weight was used at 16 places; the 12 that are left out come to 0 together"
    )
    np.testing.assert_allclose(d.places.met[0], x[0, :4, 1:5, 0], atol=1e-12)
    assert d.places.totals == pytest.approx([d.value])
    assert "Place by place" in d.text()
    assert "∂E/∂w⁽¹⁾₁,₂,₁,₁ = Σ S ⊙ Δ" in d.text()
    assert 'src="data:image/png;base64,' in d.html()
    assert "odot" in d.latex()
    assert d.pdf().startswith(b"%PDF-")
    d = model.explain(x, [[1.0], [0.0]], "conv/kernel", (0, 1, 0, 0), lang="es")
    told(d)
    assert d.places.totals.sum() == pytest.approx(d.value)
    assert "= Σ S^([1]) ⊙ Δ^([1]) + Σ S^([2]) ⊙ Δ^([2])" in d.text()
    assert model.explain(x, [[1.0], [0.0]], "conv/bias", 0).places is None


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2D(2, 2, strides=2, padding="same", data_format="channels_first", name="c"),
        layers.DepthwiseConv2D(2, name="c"),
        layers.Conv2DTranspose(2, 2, strides=2, name="c"),
        layers.Conv2D(2, 2, groups=2, dilation_rate=2, name="c"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_what_a_weight_met_is_found_in_any_convolution(layer):
    model = model_of(Input((4, 4, 4)), layer, layers.Flatten(), layers.Dense(1))
    path = next(v.path for v in model.weights if v.path.startswith("c/") and v.ndim == 4)
    d = model.explain(random(2, 4, 4, 4), [[1.0], [0.0]], path, (1, 0, 0, 0))
    told(d)
    assert d.places.totals.sum() == pytest.approx(d.value, rel=1e-9)


def test_a_series_is_told_place_by_place_too():
    model = model_of(
        Input((5, 1)), layers.Conv1D(2, 2, padding="causal", name="c"),
        layers.GlobalMaxPooling1D(), layers.Dense(1),
    )  # fmt: skip
    d = model.explain(random(1, 5, 1), [[1.0]], "c/kernel", (0, 0, 1))
    told(d)
    assert d.places.met.shape == (1, 5)


def test_who_wins_in_a_pooling_is_said():
    model, x = pictures(), random(1, 6, 6, 1)
    d = model.explain(x, [[1.0]], "conv/kernel", (0, 1, 0, 0), lang="en")
    lines = told(d)
    said = {plain(step.symbol): step.remark for step in d.steps()}
    alone = "a⁽¹⁾₁,₁,₁ is the greatest: the derivative goes through it alone"
    assert said["a⁽²⁾₁,₁,₁"] == alone
    assert "are equal, and the greatest: they share the derivative" in said["a⁽²⁾₁,₂,₂"]
    assert "= ∂E/∂a⁽²⁾₁,₁,₁ [a⁽¹⁾₁,₁,₁ = a⁽²⁾₁,₁,₁] =" in lines["∂E/∂a⁽¹⁾₁,₁,₁"]
    tied = model_of(Input((4, 1)), layers.MaxPooling1D(2, name="p"), layers.Flatten(),
                    layers.Dense(1))  # fmt: skip
    d = tied.explain(np.array([[[2.0], [2.0], [1.0], [3.0]]]), [[1.0]], "x", (0, 0), lang="es")
    assert d.checks["derived"] == pytest.approx(d.checks["backward"])
    assert "= [x₁,₁ = a⁽¹⁾₁,₁]/2 =" in d.text()
    assert "son iguales, y los mayores: se reparten la derivada por igual" in d.text()


def test_very_long_pages_show_fewer_terms():
    model = model_of(
        Input((14, 14, 1)), layers.Conv2D(8, 3, activation="relu", name="a"),
        layers.Conv2D(8, 3, activation="relu"), layers.Conv2D(16, 3, activation="relu"),
        layers.Flatten(), layers.Dense(4, "softmax"), loss="sparse_categorical_crossentropy",
    )  # fmt: skip
    d = model.explain(random(2, 14, 14, 1), [0, 3], "a/kernel", (1, 1, 0, 3))
    told(d)
    assert len(list(d.steps())) < 500


TOKENS = np.array([[[1.0, 0.0], [0.5, -1.0], [0.0, 2.0]]])


def attending(heads=1, **how):
    utils.set_random_seed(1)
    inputs = Input((3, 2))
    h = layers.MultiHeadAttention(heads, 2, name="att")(inputs, inputs, **how)
    model = Model(inputs, layers.Dense(1)(layers.GlobalAveragePooling1D()(h)))
    model.compile("sgd", "mse")
    return model


def test_a_head_is_told_row_by_row():
    model = attending(use_causal_mask=True)
    printed(model.explain(TOKENS, [[1.0]], "att/query/kernel", (0, 0, 0), 12))
    d = model.explain(TOKENS, [[1.0]], "att/query/kernel", (0, 0, 0), lang="en")
    lines = told(d)
    assert lines["q⁽²⁾₂,₁"].startswith("q⁽²⁾₂,₁ = x₂,₁ w⁽²⁾₁,₁,₁ + x₂,₂ w⁽²⁾₂,₁,₁ + b⁽²⁾₁,₁ =")
    scores = "s⁽¹⁾₂,₁ = 1/√(2) q⁽²⁾₂,₁ k⁽³⁾₁,₁ + 1/√(2) q⁽²⁾₂,₂ k⁽³⁾₁,₂ ="
    assert lines["s⁽¹⁾₂,₁"].startswith(scores)
    assert lines["ℓ₂"].startswith("ℓ₂ = ln(e^(s⁽¹⁾₂,₁) + e^(s⁽¹⁾₂,₂) + e^(-1 × 10⁹)) =")
    assert lines["α⁽¹⁾₂,₁"].startswith("α⁽¹⁾₂,₁ = e^(s⁽¹⁾₂,₁ - ℓ₂) =")
    assert lines["o⁽¹⁾₂,₁"].startswith("o⁽¹⁾₂,₁ = α⁽¹⁾₂,₁ v⁽⁴⁾₁,₁ + α⁽¹⁾₂,₂ v⁽⁴⁾₂,₁ ")
    back = (
        "∂E/∂s⁽¹⁾₃,₁ = α⁽¹⁾₃,₁ (∂E/∂α⁽¹⁾₃,₁ - (∂E/∂α⁽¹⁾₃,₁ α⁽¹⁾₃,₁ + ∂E/∂α⁽¹⁾₃,₂ α⁽¹⁾₃,₂"
        " + ∂E/∂α⁽¹⁾₃,₃ α⁽¹⁾₃,₃)) ="
    )
    assert lines["∂E/∂s⁽¹⁾₃,₁"].startswith(back)
    said = {plain(step.symbol): step.remark for step in d.steps()}
    assert "2 places do not count here" in said["ℓ₁"]
    assert said["α⁽¹⁾₁,₂"].startswith("the mask leaves this place out")
    assert said["∂E/∂s⁽¹⁾₁,₂"] == "nothing that the loss rests on uses it"
    assert [s for s in said.values() if s.startswith("back through the softmax")]


def test_heads_are_counted_first():
    model = attending(2)
    d = model.explain(TOKENS, [[1.0]], "att/query/kernel", (0, 1, 0))
    lines = told(d)
    assert "= 1/√(2) q⁽²⁾₂,₁,₁ k⁽³⁾₂,₃,₁ + 1/√(2) q⁽²⁾₂,₁,₂ k⁽³⁾₂,₃,₂ =" in lines["s⁽¹⁾₂,₁,₃"]
    d = model.explain(TOKENS, [[1.0]], "att/query", (0, 1, 0))  # at a place, in a head
    assert list(told(d))[-1] == "∂E/∂q⁽²⁾₂,₁,₁"
    for path in ("att/value/kernel", "att/key/kernel", "att/attention_output/kernel"):
        told(model.explain(TOKENS, [[1.0]], path, (0, 1, 0)))


def test_attention_without_heads():
    utils.set_random_seed(1)
    inputs = Input((3, 2))
    for layer in (layers.Attention(name="att"), layers.AdditiveAttention(name="att")):
        h = layer([inputs, layers.Dense(2, name="d")(inputs)])
        model = Model(inputs, layers.Dense(1)(layers.GlobalAveragePooling1D()(h)))
        model.compile("sgd", "mse")
        lines = told(model.explain(TOKENS, [[1.0]], "d/kernel", (0, 1)))
        assert lines["α⁽²⁾₁,₂"].startswith("α⁽²⁾₁,₂ = e^(s⁽²⁾₁,₂ - ℓ₁) =")


@pytest.mark.parametrize(
    "layer",
    [
        layers.BatchNormalization(gamma_initializer="normal", name="n"),
        layers.LayerNormalization(gamma_initializer="normal", name="n"),
        layers.GroupNormalization(2, gamma_initializer="normal", name="n"),
        layers.BatchNormalization(center=False, scale=False, name="n"),
    ],
    ids=["batch", "layer", "group", "bare"],
)
def test_the_paths_through_a_normalisation_are_told_apart_and_together(layer):
    model = model_of(Input((2,)), layers.Dense(4, name="d"), layer, layers.Dense(1))
    x, y = random(3, 2), np.ones((3, 1))
    printed(model.explain(x, y, "d/kernel", (0, 0), 12, training=True))
    d = model.explain(x, y, "d/kernel", (0, 0), training=True, lang="en")
    lines = told(d)
    assert any(line.startswith("x̂⁽²⁾₁,₁") for line in lines.values())
    paths = [s for s in d.steps() if s.remark.startswith("three paths")]
    for step in paths:
        assert sum(step.remarks[0].facts.values()) == pytest.approx(step.value, rel=1e-9)
    together = [s for s in d.steps() if s.remark.startswith("the three paths in one")]
    assert len(together) == 1
    assert together[0].symbol == paths[0].symbol
    assert together[0].value == pytest.approx(paths[0].value, rel=1e-12)
    assert model.explain(x, y, "n", (1, 1), training=True).checks
    d = model.explain(x, y, "x", (0, 1), training=True)
    told(d)
    whole = model.explain(x, y, "d/kernel", training=True)
    assert whole.checks["derived"] == pytest.approx(whole.checks["central difference"], rel=1e-6)


def test_a_normalised_input_can_be_asked_for():
    model = model_of(Input((3,)), layers.LayerNormalization(name="n"), layers.Dense(1))
    d = model.explain(random(1, 3), [[1.0]], "x", 1, lang="en")
    told(d)
    assert list(d.steps())[-1].remark.startswith("three paths")


def test_the_places_of_a_word_are_listed():
    model = model_of(
        Input((4,), dtype="int32"), layers.Embedding(5, 2, name="emb"), layers.Flatten(),
        layers.Dense(1),
    )  # fmt: skip
    words = np.array([[1, 4, 1, 0]])

    def said(row, lang="en"):
        d = model.explain(words, [[0.5]], "emb/embeddings", (row, 0), lang=lang)
        told(d)
        d.lang = lang
        return list(d.steps())[-1].remark

    twice = said(1)
    assert "looked up 2 times, for a⁽¹⁾₁,₁, a⁽¹⁾₃,₁: what comes back there adds up" in twice
    assert "looked up once, for a⁽¹⁾₂,₁;" in said(4)
    assert said(2).startswith("none of these rows looks this one of the table up")
    many = np.ones((3, 4), "int32")
    d = model.explain(many, np.ones((3, 1)), "emb/embeddings", (1, 0), lang="en")
    assert "12 times" in list(d.steps())[-1].remark
    assert "and 6 more" in list(d.steps())[-1].remark


def masked(layer):
    utils.set_random_seed(1)
    inputs, truths = Input((3, 1)), Input((3,), dtype="bool")
    model = Model([inputs, truths], layers.Dense(1)(layer(inputs, mask=truths)))
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("kind", [layers.LSTM, layers.GRU, layers.SimpleRNN])
def test_steps_that_do_not_count_are_said(kind):
    model = masked(kind(1, name="rnn"))
    x = [SERIES, np.array([[True, True, False]])]
    d = model.explain(x, [[1.0]], "rnn/kernel", (0, 0), lang="en")
    lines = told(d)
    assert lines["h⁽¹⁾ᵗ⁼³₁"].startswith("h⁽¹⁾ᵗ⁼³₁ = h⁽¹⁾ᵗ⁼²₁ = ")
    said = {plain(step.symbol): step.remark for step in d.steps()}
    assert said["h⁽¹⁾ᵗ⁼³₁"].startswith("the mask leaves this step out")
    assert not said["h⁽¹⁾ᵗ⁼²₁"]
    assert not any(line.startswith("∂c⁽¹⁾ᵗ⁼³") for line in lines)


def test_units_that_are_off_are_said():
    model = model_of(Input((2,)), layers.Dense(4), layers.Dropout(0.5, name="drop"),
                     layers.Dense(1))  # fmt: skip
    d = model.explain(random(1, 2), [[1.0]], "dense/bias", 0, training=True, lang="en")
    told(d)
    dropped = [s for s in d.steps() if s.where == "drop" and s.kind == "forward"]
    assert {s.remark for s in dropped} == {"", "switched off: multiplied by 0"}


def whole(model, x, y, path, **how):
    """Derive a whole array, and give the formulas of its steps in text by name."""
    d = model.explain(x, y, path, lang="en", **how)
    derived, backward, difference = d.checks.values()
    assert derived == pytest.approx(backward, rel=1e-9, abs=1e-12)
    assert derived == pytest.approx(difference, rel=1e-5, abs=1e-8)
    for lang in LANGUAGES:
        d.lang = lang
        for page in (d.text(), d.html(), d.latex(), d.markdown()):
            assert "explain-" not in page
    d.lang = "en"
    assert all("\\" not in plain(step.line()) for step in d.steps())
    said = " ".join(step.remark for step in d.steps())
    return {plain(step.symbol): plain(step.formula) for step in d.steps()}, said


def test_a_head_in_matrix_form():
    lines, said = whole(attending(use_causal_mask=True), TOKENS, [[1.0]], "att/query/kernel")
    assert lines["S⁽¹⁾"] == "1/√(2) Q⁽²⁾ K⁽³⁾ᵀ"
    assert lines["α⁽¹⁾"] == "softmax(mask(S⁽¹⁾))"
    assert lines["∂E/∂S⁽¹⁾"] == "α⁽¹⁾ ⊙ (∂E/∂α⁽¹⁾ - Σ ∂E/∂α⁽¹⁾ ⊙ α⁽¹⁾)"
    assert lines["∂E/∂Q⁽²⁾"] == "1/√(2) ∂E/∂S⁽¹⁾ K⁽³⁾"
    assert lines["∂E/∂W⁽²⁾"] == "Xᵀ ∂E/∂Q⁽²⁾"
    assert "mask: what does not count is put at" in said
    lines, said = whole(attending(2), TOKENS, [[1.0]], "att/value/kernel")
    assert lines["O⁽¹⁾"] == "α⁽¹⁾ V⁽⁴⁾"
    assert lines["∂E/∂V⁽⁴⁾"] == "α⁽¹⁾ᵀ ∂E/∂O⁽¹⁾"


def test_gates_in_matrix_form_turn_by_turn():
    model = model_of(Input((3, 1)), layers.LSTM(2, name="lstm"), layers.Dense(1))
    lines, _ = whole(model, SERIES, [[1.0]], "lstm/kernel")
    assert lines["F̄⁽¹⁾ᵗ⁼²"] == "(X̄⁽¹⁾ᵗ⁼² + H⁽¹⁾ᵗ⁼¹ U⁽¹⁾)_([:,3:4])"
    assert lines["C⁽¹⁾ᵗ⁼²"] == "F⁽¹⁾ᵗ⁼² ⊙ C⁽¹⁾ᵗ⁼¹ + I⁽¹⁾ᵗ⁼² ⊙ G⁽¹⁾ᵗ⁼²"
    assert lines["∂E/∂W⁽¹⁾"] == (
        "Xᵀ (place_([3])(∂E/∂X̄⁽¹⁾ᵗ⁼³) + place_([2])(∂E/∂X̄⁽¹⁾ᵗ⁼²) + place_([1])(∂E/∂X̄⁽¹⁾ᵗ⁼¹))"
    )
    model = model_of(Input((9, 1)), layers.GRU(2, name="gru"), layers.Dense(1))
    lines, said = whole(model, random(1, 9, 1), [[1.0]], "gru/recurrent_kernel")
    assert "∂E/∂X̄" not in lines["∂E/∂U⁽¹⁾"]
    assert "⟨5: ⋯⟩" in lines["∂E/∂U⁽¹⁾"]
    lines, said = whole(model, random(1, 9, 1), [[1.0]], "gru/kernel")
    assert "⟨6: ⋯⟩" in lines["∂E/∂W⁽¹⁾"]
    assert "place: back to where it was taken from" in said


def test_pictures_words_and_statistics_in_matrix_form():
    lines, said = whole(pictures(), random(1, 6, 6, 1), [[1.0]], "conv/kernel")
    assert lines["Z⁽¹⁾"] == "windows(X) W⁽¹⁾ + b⁽¹⁾"
    assert lines["∂E/∂W⁽¹⁾"] == "windows(X)ᵀ ∂E/∂Z⁽¹⁾"
    assert "windows: each row is a window of the array, laid out flat" in said
    model = model_of(
        Input((4,), dtype="int32"), layers.Embedding(5, 2, name="emb"), layers.Flatten(),
        layers.Dense(1),
    )  # fmt: skip
    lines, said = whole(model, np.array([[1, 4, 1, 0]]), [[0.5]], "emb/embeddings")
    assert "rows that were looked up more than once add up" in said
    model = model_of(Input((2,)), layers.Dense(2, name="d"), layers.BatchNormalization(),
                     layers.Dense(1))  # fmt: skip
    lines, _ = whole(model, random(3, 2), np.ones((3, 1)), "d/kernel", training=True)
    assert lines["X̂⁽²⁾"] == "(A⁽¹⁾ - μ⁽²⁾)/√(σ²⁽²⁾ + 0.001)"
    assert lines["∂E/∂A⁽¹⁾"].startswith("(∂E/∂X̂⁽²⁾)/√(σ²⁽²⁾ + 0.001) + ")
    assert lines["∂E/∂A⁽¹⁾"].endswith(" ∂E/∂σ²⁽²⁾ ⊙ (A⁽¹⁾ - μ⁽²⁾) + 1/3 ∂E/∂μ⁽²⁾")


def test_a_largest_among_places_some_of_which_were_laid_around():
    model = model_of(
        Input((3, 1)), layers.Dense(1, name="dense"), layers.MaxPooling1D(2, padding="same"),
        layers.Flatten(), layers.Dense(1),
    )  # fmt: skip
    told(model.explain(SERIES, [[1.0]], "dense/kernel", (0, 0)))


def test_a_gate_that_was_misspelled_is_named():
    model = model_of(layers.LSTM(2, name="lstm", input_shape=(3, 1)), layers.Dense(1))
    with pytest.raises(UserError, match="did you mean “lstm/forget gate”"):
        model.explain(random(1, 3, 1), [[1.0]], "lstm/forgetgate")
