"""Attention: genuine Keras on random configurations, forwards and backwards."""

from __future__ import annotations

import random

import numpy as np
import pytest

from trasluz import Input, Model, layers, tape
from trasluz.errors import UserError
from trasluz.state.binding import bind, read

keras = pytest.importorskip("keras")
from peer import keras_in  # noqa: E402


def same(ours, theirs, arrays, call, ours_call, what):
    """Compare outputs and derivatives, in the inputs and in each weight."""
    import torch

    drawer = np.random.default_rng(7)
    outputs = ours_call(ours, *arrays)
    weights = [drawer.normal(size=w.shape) for w in ours.weights]
    ours.set_weights(weights)
    outputs = ours_call(ours, *arrays)
    g = [drawer.normal(size=y.shape) for y in outputs]

    def value(arrays, held):
        parts = [
            (y * w).sum() for y, w in zip(ours_call(bind(ours, held), *arrays), g, strict=True)
        ]
        return sum(parts[1:], parts[0])

    found = tape.vjp(value, list(arrays), read(ours))[1](np.float64(1))
    with keras_in("float64"):
        given = [torch.tensor(a, requires_grad=True) for a in arrays]
        call(theirs, *given)
        theirs.set_weights(weights)
        wanted = call(theirs, *given)
        total = sum((y * torch.tensor(w)).sum() for y, w in zip(wanted, g, strict=True))
        slopes = torch.autograd.grad(
            total, [*given, *(w.value for w in theirs.weights)], allow_unused=True
        )
    close = {"rtol": 1e-8, "atol": 1e-9, "err_msg": what}
    for y, w in zip(outputs, wanted, strict=True):
        np.testing.assert_allclose(y, w.detach().numpy(), **close)
    mine = [*found[0], *(found[1][w.path] for w in ours.weights)]
    for a, b in zip(mine, slopes, strict=True):
        np.testing.assert_allclose(a, 0 if b is None else b.numpy(), **close)


@pytest.mark.interop
def test_heads_are_those_of_keras():
    chance, drawer = random.Random(1), np.random.default_rng(1)
    for case in range(12):
        how = {
            "num_heads": chance.randint(1, 3), "key_dim": chance.randint(1, 3),
            "value_dim": chance.choice([None, 2]), "use_bias": chance.random() < 0.7,
            "output_shape": chance.choice([None, 5]),
        }  # fmt: skip
        arrays = [drawer.normal(size=(2, 3, 4)), drawer.normal(size=(2, 5, 3))]
        if case % 3 == 0:
            arrays.append(drawer.normal(size=(2, 5, 2)))
        masks = {}
        if case % 4 == 1:
            masks["attention_mask"] = drawer.random((2, 3, 5)) < 0.6
        if case % 4 == 2:
            masks["value_mask"] = np.array([[1, 1, 0, 0, 1], [0, 0, 0, 0, 0]], bool)
            masks["query_mask"] = np.array([[1, 1, 0], [1, 1, 1]], bool)
        causal = case % 4 == 3

        def ours(layer, query, value, *key, masks=masks, causal=causal):
            return layer(
                query, value, *key, **masks, use_causal_mask=causal, return_attention_scores=True
            )

        def theirs(layer, query, value, *key, masks=masks, causal=causal):
            import torch

            seen = {name: torch.tensor(mask) for name, mask in masks.items()}
            more = {"key": key[0]} if key else {}
            if "query_mask" in seen:  # Keras takes it from the query alone
                keras.src.backend.set_keras_mask(query, seen.pop("query_mask"))
            return layer(
                query, value, **more, **seen, use_causal_mask=causal, return_attention_scores=True
            )

        with keras_in("float64"):
            peer = keras.layers.MultiHeadAttention(**how, dtype="float64", flash_attention=False)
        layer = layers.MultiHeadAttention(**how, dtype="float64")
        same(layer, peer, arrays, theirs, ours, f"{case}: {how} {masks}")


RANKS = [  # axes, places of query and of key; None for all axes
    (None, (2, 3), (2, 3)), ((1,), (2, 3), (4, 3)), ((2,), (2, 3), (2, 4)), (2, (3, 2), (3, 2)),
    ((1, 2), (2, 3), (3, 2)), ((-2,), (2, 2), (2, 3)), ((2, 1), (2, 3), (3, 2)),
    ((1, 3), (2, 2, 3), (3, 2, 2)), ((2,), (2, 3, 2), (2, 4, 2)), (None, (4,), (3,)),
]  # fmt: skip


@pytest.mark.interop
@pytest.mark.parametrize("more", [{}, {"use_gate": True}, {"sliding_window": 2}])
def test_axes_are_those_of_keras(more):
    chance, drawer = random.Random(3), np.random.default_rng(3)
    for axes, here, there in RANKS:
        if more.get("sliding_window") and (len(here) > 1 and axes != (1,)):
            continue  # Keras looks along the first axis of places, whichever are asked for
        each = [1, 2, 3][: len(here)] if axes is None else np.atleast_1d(axes).tolist()
        pairs = (*(here[a - 1 if a > 0 else a + 1] for a in each),
                 *(there[a - 1 if a > 0 else a + 1] for a in each))  # fmt: skip
        how = {
            "num_heads": 2, "key_dim": chance.randint(1, 3), "value_dim": chance.choice([None, 2]),
            "use_bias": chance.random() < 0.7, "output_shape": chance.choice([None, 5, (2, 3)]),
            **more,
        }  # fmt: skip
        arrays = [drawer.normal(size=(2, *places, 3)) for places in (here, there)]
        masks = [None, drawer.random((2, *pairs)) < 0.7, drawer.random(pairs) < 0.7]
        if len(here) == len(each):
            masks.append(drawer.random((2, 2, *pairs)) < 0.7)  # by head
        mask = chance.choice(masks)
        causal = axes == (1,) and mask is None

        def ours(layer, query, value, mask=mask, causal=causal):
            return layer(
                query, value, attention_mask=mask, use_causal_mask=causal,
                return_attention_scores=True,
            )  # fmt: skip

        def theirs(layer, query, value, mask=mask, causal=causal):
            import torch

            mask = None if mask is None else torch.tensor(mask)
            return layer(
                query, value, attention_mask=mask, use_causal_mask=causal,
                return_attention_scores=True,
            )  # fmt: skip

        with keras_in("float64"):
            given = axes if axes != (-2,) else (2,)  # Keras counts from the axis of features
            peer = keras.layers.MultiHeadAttention(
                **how, attention_axes=given, dtype="float64", flash_attention=False
            )
        layer = layers.MultiHeadAttention(**how, attention_axes=axes, dtype="float64")
        same(layer, peer, arrays, theirs, ours, f"{axes}: {how} {mask}")


@pytest.mark.interop
@pytest.mark.parametrize("how", [{}, {"use_scale": True}, {"score_mode": "concat"}, "additive"])
@pytest.mark.parametrize("masked", [False, True])
def test_lookups_are_those_of_keras(how, masked):
    drawer = np.random.default_rng(2)
    arrays = [drawer.normal(size=(2, n, 3)) for n in (3, 4, 4)]
    mask = [np.array([[1, 1, 0], [1, 0, 1]], bool), np.array([[1, 0, 1, 1], [1, 1, 0, 0]], bool)]

    def ours(layer, *inputs):
        return layer(
            list(inputs), mask=mask if masked else None, return_attention_scores=True,
            use_causal_mask=masked,
        )  # fmt: skip

    def theirs(layer, *inputs):
        import torch

        seen = [torch.tensor(m) for m in mask] if masked else None
        return layer(list(inputs), mask=seen, return_attention_scores=True, use_causal_mask=masked)

    name = "AdditiveAttention" if how == "additive" else "Attention"
    how = {} if how == "additive" else how
    with keras_in("float64"):
        peer = getattr(keras.layers, name)(**how, dtype="float64")
    same(getattr(layers, name)(**how, dtype="float64"), peer, arrays, theirs, ours, name)


@pytest.mark.interop
@pytest.mark.parametrize(
    ("equation", "shape", "bias", "rows"),
    [
        ("abc,cd->abd", (None, 4), "d", (2, 3, 5)),
        ("abc,cde->abde", (None, 2, 4), "de", (2, 3, 5)),
        ("abcd,cde->abe", (None, 6), "e", (2, 3, 2, 4)),
        ("...x,xy->...y", (7,), "y", (2, 3, 5)),
        ("abc,bd->adc", (4, None), None, (2, 3, 5)),
        ("abc,cd->abd", (3, 4), "bd", (2, 3, 5)),
    ],
)
def test_equations_are_those_of_keras(equation, shape, bias, rows):
    x = np.random.default_rng(3).normal(size=rows)
    how = {"output_shape": shape, "bias_axes": bias, "activation": "tanh"}
    with keras_in("float64"):
        peer = keras.layers.EinsumDense(equation, **how, dtype="float64")
    layer = layers.EinsumDense(equation, **how, dtype="float64")
    same(layer, peer, [x], lambda one, x: [one(x)], lambda one, x: [one(x)], equation)


def test_any_weight_of_a_head_opens_into_its_derivation():
    drawer = np.random.default_rng(4)
    x, y = drawer.normal(size=(1, 3, 2)), drawer.normal(size=(1, 1))
    inputs = Input((3, 2))
    seen = layers.MultiHeadAttention(2, 2)(inputs, inputs)
    model = Model(inputs, layers.Dense(1)(layers.GlobalAveragePooling1D()(seen)))
    model.compile("sgd", "mse", engine="numpy")
    assert max(model.check_gradients(x, y, print_fn=lambda text: None).values()) < 1e-6
    for weight in model.weights:
        derivation = model.explain(x, y, weight.path, tuple(n - 1 for n in weight.shape))
        checks = [float(value) for value in derivation.checks.values()]
        np.testing.assert_allclose(checks, derivation.value, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda x: layers.MultiHeadAttention(0, 2)(x, x), "num_heads is 0"),
        (lambda x: layers.MultiHeadAttention(1, 2)(x[0], x), "the query has the shape"),
        (
            lambda x: layers.MultiHeadAttention(1, 2)(x, x, value_mask=np.ones((2, 9))),
            r"a mask of shape \(2, 9\) came for places of shape \(2, 3\)",
        ),
        (
            lambda x: layers.MultiHeadAttention(1, 2)(x, x, attention_mask=np.ones((2, 3, 9))),
            "attention_mask has the shape|does not go with",
        ),
        (lambda x: layers.Attention()(x), "a list of query and value"),
        (lambda x: layers.EinsumDense("ab,bc", 3)(x), "the equation is 'ab,bc'"),
        (lambda x: layers.EinsumDense("ab,bc->ac", 3)(x), "does not fit an input of 3 axes"),
        (lambda x: layers.EinsumDense("abc,cd->abd")(x), "output_shape is missing"),
    ],
)
def test_mistakes_are_told(call, said):
    with pytest.raises(UserError, match=said) as caught:
        call(np.ones((2, 3, 4)))
    assert caught.value.mend
