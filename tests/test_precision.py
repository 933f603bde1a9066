"""Mixed precision: products of bfloat16 factors, everything else in float32."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from trasluz import Model, Sequential, config, layers, ops, saving, tape, utils
from trasluz.autodiff import backend
from trasluz.errors import UserError
from trasluz.layers import Input


@pytest.fixture
def mixed():
    config.set_dtype_policy("mixed_bfloat16")
    yield
    config.set_dtype_policy(None)


def table(n=96, d=5):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, d)).astype("float32")
    return x, (x @ rng.normal(size=(d, 3))).argmax(-1)


def network(engine="xla"):
    utils.set_random_seed(2)
    model = Sequential(
        [
            Input((5,)),
            layers.Dense(16, "tanh"),
            layers.BatchNormalization(),
            layers.Reshape((4, 4)),
            layers.SimpleRNN(6),
            layers.Dense(3, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", engine=engine)
    return model


def test_rounding_is_that_of_xla():
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, 200_000, dtype=np.uint32)
    bits[:4] = [0x3F808000, 0x3F818000, 0x7F7FFFFF, 0x80000001]  # ties, the largest, the least
    x = bits.view(np.float32)
    x = x[(np.abs(x) > 1e-37) | np.isnan(x)]
    theirs = np.asarray(jax.numpy.asarray(x).astype("bfloat16").astype("float32"))
    np.testing.assert_array_equal(backend._rounded(x), theirs)


def test_both_engines_take_the_same_way(mixed):
    x, y = table()
    ways = []
    for engine in ("numpy", "xla"):
        model = network(engine)
        model.fit(x, y, epochs=4, batch_size=16, verbose=0)
        ways.append((model.history.history["loss"], model.get_weights(), model.predict(x)))
        assert {str(w.dtype) for w in model.weights} == {"float32"}
        slots = [a for slots in model._slots.values() for a in slots.values()]
        assert {str(a.dtype) for a in slots} == {"float32"}
    # a last bit that differs may round to another bfloat16: 2^-9 of that factor
    np.testing.assert_allclose(ways[0][0], ways[1][0], rtol=2e-3)
    np.testing.assert_allclose(ways[0][2], ways[1][2], atol=5e-3)


def test_it_learns_what_float32_learns(mixed):
    x, y = table()
    mixed_model = network()
    config.set_dtype_policy(None)
    plain = network()
    logs = [m.fit(x, y, epochs=30, verbose=0).history["loss"] for m in (mixed_model, plain)]
    assert logs[0] != logs[1]
    assert logs[0][-1] < 0.7 * logs[0][0]
    assert logs[0][-1] == pytest.approx(logs[1][-1], rel=0.05)


def test_products_are_of_bfloat16_in_each_direction():
    a, b = np.ones((4, 3), "float32"), np.ones((3, 2), "float32")
    loss = lambda p: ops.sum(ops.tanh(ops.matmul(*p, precision="bfloat16")))  # noqa: E731
    text = str(jax.make_jaxpr(tape.grad(loss))((jax.numpy.asarray(a), jax.numpy.asarray(b))))
    products = [line for line in text.splitlines() if "dot_general" in line]
    assert len(products) == 3
    assert text.count("bf16[") >= 5
    assert all("preferred_element_type=float32" in p for p in text.split("dot_general")[1:])


def test_float64_is_not_rounded(mixed):
    x, y = table(8)
    model = network()
    assert model.check_gradients(x, y, print_fn=lambda _: None)
    kernel = model.layers[0]
    wide = np.random.default_rng(0).normal(size=(3, 5))
    for a in (wide, wide.astype("float32")):  # nor is a product of one with float32
        np.testing.assert_array_equal(ops.matmul(a, np.eye(5), precision=kernel.precision), a)


def test_a_policy_is_kept_in_a_file_and_by_a_clone(mixed, tmp_path):
    x, y = table()
    model = network()
    model.fit(x, y, epochs=1, verbose=0)
    model.save(tmp_path / "m.trasluz")
    config.set_dtype_policy(None)
    read = saving.load_model(tmp_path / "m.trasluz")
    assert [layer.precision for layer in read.layers] == ["bfloat16"] * len(read.layers)
    np.testing.assert_array_equal(read.predict(x), model.predict(x))
    assert layers.Dense(3).precision is None


def test_one_layer_of_its_own():
    layer = layers.Dense(3, dtype="mixed_bfloat16")
    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    y = layer(x)
    assert layer.compute_dtype == "float32" and y.dtype == np.float32
    exact = x @ layer.kernel
    assert 0 < np.abs(y - exact).max() < 0.05


def test_inputs_of_a_wider_type_go_through_convolutions_on_both_engines():
    x, given = np.random.default_rng(3).normal(size=(4, 6, 2)), []
    for engine in ("numpy", "xla"):
        utils.set_random_seed(3)
        wide = Input((6, 2), dtype="float64")
        model = Model(wide, layers.Conv1D(2, 3)(wide))
        model.compile("sgd", "mse", engine=engine)
        model.fit(x, x[:, 2:], batch_size=2, shuffle=False, verbose=0)
        given.append([*model.get_weights(), model.predict(x)])
    for one, other in zip(*given, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_an_unknown_policy_is_refused():
    with pytest.raises(UserError, match=r"dtype policy 'mixed_float16'.*mixed_bfloat16"):
        config.set_dtype_policy("mixed_float16")
    with pytest.raises(UserError, match="mixed_bfloat16"):
        layers.Dense(2, dtype="mixed_bfloat")(np.ones((1, 2)))
