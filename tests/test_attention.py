"""Attention: genuine Keras on random configurations, forwards and backwards."""

from __future__ import annotations

import random

import numpy as np
import pytest

from trasluz import Input, Layer, Model, layers, ops, tape, utils
from trasluz.autodiff import backend
from trasluz.autodiff.scan import scan
from trasluz.errors import UserError
from trasluz.state.binding import bind, read
from trasluz.testing import scalar_of

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


class Decoder(Layer):
    """Words that look back, block by block; with caches, a word at a time."""

    words: int = 7
    length: int = 6

    def build(self, input_shape):
        self.embed = layers.TokenAndPositionEmbedding(self.words, self.length, 8, dtype=self.dtype)
        self.looks = [
            layers.CachedMultiHeadAttention(2, 4, dtype=self.dtype, **more)
            for more in ({}, {"use_gate": True, "sliding_window": 3})
        ]
        self.norms = [layers.LayerNormalization(dtype=self.dtype) for _ in self.looks]

    def call(self, words, caches=None, index=0):
        x, after = self.embed(words, start_index=index), []
        for k, (look, norm) in enumerate(zip(self.looks, self.norms, strict=True)):
            y = norm(x)
            if caches is None:
                y = look(y, use_causal_mask=True)
            else:
                y, cache = look(y, cache=caches[k], cache_update_index=index)
                after.append(cache)
            x = x + y
        z = self.embed.token_embedding(x, reverse=True)
        return z if caches is None else (z, after)

    def caches(self, rows, length=None):
        return [look.empty_cache(rows, length or self.length) for look in self.looks]


@pytest.fixture
def decoder():
    utils.set_random_seed(5)
    made = Decoder(dtype="float64")
    made(np.zeros((1, 2), int))
    drawer = np.random.default_rng(5)
    made.set_weights([drawer.normal(size=w.shape) for w in made.get_weights()])
    return made


@pytest.mark.parametrize("engine", ["numpy", "xla"])
def test_what_is_generated_with_a_cache_is_what_is_without(decoder, engine):
    def generated(arrays, first):
        model = bind(decoder, arrays)

        def turn(carry, i, _):
            words, caches = carry
            z, caches = model(words, caches=caches, index=i)
            words = ops.cast(ops.argmax(ops.sin(9 * z), axis=-1), "int32")  # now this, now that
            return (words, caches), (words[:, 0], z[:, 0])

        start = (first, model.caches(len(first)))
        return scan(turn, start, np.arange(model.length, dtype="int32"))[1]

    first = np.array([[1], [4]], "int32")
    words, z = map(np.asarray, backend.compiled(generated, engine)(read(decoder), first))
    assert z.dtype == np.float64
    seen = np.concatenate([first, words[:-1].T], axis=1)
    assert len(np.unique(words)) > 2
    whole = decoder(seen)
    np.testing.assert_allclose(z.swapaxes(0, 1), whole, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(words.T, np.sin(9 * whole).argmax(-1))


def test_several_places_go_into_a_cache_at_once(decoder):
    words = np.array([[1, 4, 2, 2, 6], [0, 3, 5, 1, 1]])
    whole = decoder(words)
    first, caches = decoder(words[:, :3], caches=decoder.caches(2, 9))
    rest, caches = decoder(words[:, 3:], caches=caches, index=3)
    np.testing.assert_allclose(np.concatenate([first, rest], 1), whole, rtol=1e-12, atol=1e-12)
    assert caches[0].shape == (2, 2, 9, 2, 4)
    assert not caches[0][:, :, 5:].any()


def test_derivatives_pass_through_a_cache():
    """Keys of earlier places are worked out once, and every later place has a part in them."""

    class Steps(Layer):
        def build(self, input_shape):
            self.look = layers.CachedMultiHeadAttention(2, 2, dtype="float64")

        def call(self, x):
            cache, out = self.look.empty_cache(x.shape[0], x.shape[1]), []
            for i in range(x.shape[1]):
                y, cache = self.look(x[:, i : i + 1], cache=cache, cache_update_index=i)
                out.append(y)
            return ops.concatenate(out, axis=1)

    class Whole(Layer):
        def build(self, input_shape):
            self.look = layers.CachedMultiHeadAttention(2, 2, dtype="float64")

        def call(self, x):
            return self.look(x, use_causal_mask=True)

    x, found = np.random.default_rng(0).normal(size=(2, 4, 3)), []
    for kind in (Steps, Whole):
        utils.set_random_seed(1)
        layer = kind()
        layer(x)
        found.append(tape.grad(scalar_of(layer, False))((read(layer), x)))
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-10, atol=1e-12)
    for path, g in found[0][0].items():
        np.testing.assert_allclose(g, found[1][0][path], rtol=1e-10, atol=1e-12, err_msg=path)


def test_a_whole_cache_is_looked_at_where_no_place_is_new():
    """Keys and values of another sequence, worked out once."""
    utils.set_random_seed(2)
    layer = layers.CachedMultiHeadAttention(2, 2, dtype="float64")
    drawer = np.random.default_rng(1)
    q, other = drawer.normal(size=(2, 3, 4)), drawer.normal(size=(2, 5, 4))
    whole = layer(q, other)
    kept = np.stack([layer.key_dense(other), layer.value_dense(other)], axis=1)
    y, same = layer(q, other, cache=kept)
    np.testing.assert_allclose(y, whole, rtol=1e-12)
    assert same is kept
    some = np.arange(5) < 3
    y, _ = layer(q, cache=kept, attention_mask=np.broadcast_to(some, (3, 5)))
    np.testing.assert_allclose(y, layer(q, other[:, :3]), rtol=1e-12)


def test_beyond_the_end_of_a_cache_xla_gives_nan(decoder):
    def step(arrays, words, i):
        return bind(decoder, arrays)(words, caches=decoder.caches(1), index=i)[0]

    run = backend.compiled(step, "xla")
    words = np.array([[1, 2]], "int32")
    assert np.isfinite(run(read(decoder), words, np.int32(4))).all()
    assert np.isnan(run(read(decoder), words, np.int32(5))).all()
    with pytest.raises(UserError, match="the places go from 5 to 6"):
        step(read(decoder), words, 5)


def test_a_row_without_places_takes_zeros():
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    layer = layers.MultiHeadAttention(2, 2, use_bias=False)
    mask = np.ones((2, 3, 3), bool)
    mask[1, 2] = False
    y, shares = layer(x, x, attention_mask=mask, return_attention_scores=True)
    assert not y[1, 2].any() and not shares[1, :, 2].any()
    assert y[1, 1].any()
    far = layers.MultiHeadAttention(2, 2, use_bias=False, sliding_window=1)
    assert not far(x, x[:, :2])[:, 2].any()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda x: layers.MultiHeadAttention(1, 2, attention_axes=3)(x, x), "attention_axes is 3"),
        (lambda x: layers.MultiHeadAttention(1, 2, attention_axes=0)(x, x), "attention_axes is 0"),
        (lambda x: layers.MultiHeadAttention(1, 2, attention_axes=[1, 1])(x, x), "is \\[1, 1"),
        (
            lambda x: layers.MultiHeadAttention(1, 2)(x, x, x[:, :2]),
            r"the value \(2, 3, 4\), the key \(2, 2, 4\)",
        ),
        (lambda x: layers.MultiHeadAttention(1, 2)(x, x[:1]), r"the value \(1, 3, 4\)"),
        (lambda x: layers.MultiHeadAttention(1, 2)(x, x[None]), r"the value \(1, 2, 3, 4\)"),
        (
            lambda x: layers.MultiHeadAttention(3, 2)(x, x, attention_mask=np.ones((2, 2, 3, 3))),
            r"shape \(2, 2, 3, 3\), the pairs of places .* have \(2, 3, 3, 3\)",
        ),
        (
            lambda x: layers.MultiHeadAttention(3, 2)(x, x, attention_mask=np.ones(3)),
            r"attention_mask has the shape \(3,\)",
        ),
        (
            lambda x: layers.MultiHeadAttention(3, 2)(x, x, query_mask=np.ones(3)),
            r"a mask of shape \(3,\) came for places of shape \(2, 3\)",
        ),
        (lambda x: layers.MultiHeadAttention(1, 2, sliding_window=-1)(x, x), "sliding_window -1"),
        (
            lambda x: layers.CachedMultiHeadAttention(2, 2)(x, cache=x, cache_update_index=0),
            r"the cache has the shape \(2, 3, 4\).*\(2, 2, 'length', 2, 2\)",
        ),
        (
            lambda x: layers.CachedMultiHeadAttention(2, 2, value_dim=3)(
                x, cache=np.zeros((2, 2, 5, 2, 2)), cache_update_index=0
            ),
            "value_dim 3",
        ),
        (
            lambda x: layers.CachedMultiHeadAttention(2, 2)(
                x, cache=np.zeros((2, 2, 5, 2, 2)), cache_update_index=3
            ),
            "3 places from 3 on do not fit into a cache of 5",
        ),
        (lambda x: ops.slice_update(x, (0, 1, 0), x), "reaches beyond an array of shape"),
        (lambda x: ops.slice(x, (0, 1), (1, 1)), "has no part of shape"),
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
