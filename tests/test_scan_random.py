"""Recurrence with its derivative, and random numbers that a key determines."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from trasluz import ops, tape
from trasluz.autodiff import random
from trasluz.autodiff.scan import scan
from trasluz.errors import UserError


@pytest.fixture(autouse=True)
def wide():
    with jax.enable_x64(True):
        yield


def cell(h, turn, weights):
    x, gate = turn["x"], turn["gate"]
    new = ops.tanh(x @ weights["W"] + h["h"] @ weights["U"]) * gate
    return {"h": new, "n": h["n"] + 1.0}, {"out": new * 2, "n": h["n"]}


def problem():
    draw = np.random.default_rng(0).normal
    weights = {"W": draw(size=(3, 4)), "U": draw(size=(4, 4))}
    start = {"n": np.zeros(()), "h": draw(size=(2, 4))}
    turns = {"x": draw(size=(6, 2, 3)), "gate": draw(size=(6, 2, 1))}
    return weights, start, turns


def ours(point, reverse=False):
    weights, start, turns = point
    last, ys = scan(cell, start, turns, weights, reverse=reverse)
    return ops.sum(ops.square(ys["out"])) + ops.sum(last["h"]) + ops.sum(ys["n"] * 0.1)


def oracle(point, reverse=False):
    weights, start, turns = point

    def body(h, turn):
        new = jnp.tanh(turn["x"] @ weights["W"] + h["h"] @ weights["U"]) * turn["gate"]
        return {"h": new, "n": h["n"] + 1.0}, {"out": new * 2, "n": h["n"]}

    last, ys = jax.lax.scan(body, start, turns, reverse=reverse)
    return jnp.sum(ys["out"] ** 2) + jnp.sum(last["h"]) + jnp.sum(ys["n"] * 0.1)


def close(a, b, tolerance=1e-10):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("reverse", [False, True])
def test_scan_against_jax(reverse):
    point = problem()
    assert ours(point, reverse) == pytest.approx(float(oracle(point, reverse)), rel=1e-12)
    want = jax.jit(jax.grad(lambda p: oracle(p, reverse)))(point)
    close(tape.grad(lambda p: ours(p, reverse))(point), want)
    close(jax.jit(tape.grad(lambda p: ours(p, reverse)))(point), want)


def test_second_order_through_scan():
    point = problem()
    v = jax.tree.map(lambda x: np.cos(np.arange(x.size) + 1.0).reshape(x.shape), point)
    want = jax.jit(lambda p: jax.jvp(jax.grad(oracle), (p,), (v,))[1])(point)
    close(tape.hvp(ours, point, v), want, 1e-9)
    close(jax.jit(lambda p: tape.hvp(ours, p, v))(point), want, 1e-9)


def test_scan_in_a_scan():
    def inner(c, x, k):
        return c * k + x, c

    def outer(c, xs, k):
        last, ys = scan(inner, c, xs, k)
        return last, ops.sum(ys)

    def f(k):
        last, ys = scan(outer, np.array(0.5), np.arange(6.0).reshape(2, 3), k)
        return last + ops.sum(ys * ys)

    k, step = np.array(0.7), 1e-6
    expected = (f(k + step) - f(k - step)) / (2 * step)
    assert tape.grad(f)(k) == pytest.approx(expected, rel=1e-8)


def test_a_captured_box_is_refused():
    def f(w):
        return ops.sum(scan(lambda c, x, _: (c * w + x, c), np.zeros(()), np.ones(3))[1])

    with pytest.raises(UserError, match="constants"):
        tape.grad(f)(np.array(2.0))


# -------------------------------------------------------------------------------- random numbers


def test_threefry_is_the_published_generator():
    """Known answers of Random123 for threefry2x32 with 20 rounds, in jax's words."""
    key = np.array([0x13198A2E, 0x03707344], np.uint32)
    a, b = random._threefry(
        key, np.array([0x243F6A88], np.uint32), np.array([0x85A308D3], np.uint32)
    )
    assert (int(a[0]), int(b[0])) == (0xC4923A9C, 0x483DF7A0)


def test_engines_draw_the_same_bits():
    key = random.key(2**40 + 3)

    def draws(key):
        k = random.fold(random.fold(key, 12), "dense/dropout")
        return random.bits(k, (5, 3)), random.bernoulli(k, 0.3, (7,)), random.permutation(k, 50)

    for a, b in zip(draws(key), jax.jit(draws)(key), strict=True):
        assert (np.asarray(a) == np.asarray(b)).all()
    n = random.normal(key, (100,))
    np.testing.assert_allclose(jax.jit(lambda k: random.normal(k, (100,)))(key), n, atol=1e-5)


def test_distributions():
    key = random.key(1)
    u = random.uniform(key, (200_000,))
    assert u.min() >= 0 and u.max() < 1
    assert u.mean() == pytest.approx(0.5, abs=0.003)
    assert u.var() == pytest.approx(1 / 12, abs=0.001)
    n = random.normal(key, (200_000,), "float64")
    assert n.dtype == np.float64
    assert (n.mean(), n.var()) == (pytest.approx(0, abs=0.01), pytest.approx(1, abs=0.01))
    assert (n**4).mean() == pytest.approx(3, abs=0.1)
    t = random.truncated_normal(key, (200_000,))
    assert np.abs(t).max() <= 2
    assert t.std() == pytest.approx(0.8796, abs=0.005)
    assert random.bernoulli(key, 0.2, (200_000,)).mean() == pytest.approx(0.2, abs=0.004)
    order = random.permutation(key, 1000)
    assert sorted(order) == list(range(1000))
    assert not (order == np.arange(1000)).all()


def test_keys_differ():
    key = random.key(0)
    made = [random.fold(key, x) for x in (0, 1, 2, "dense", "dense_1")]
    assert len({tuple(k.tolist()) for k in made}) == 5


def test_seed_of_the_program():
    random.set_seed(5)
    one = [random.next_key() for _ in range(3)]
    random.set_seed(5)
    assert all(
        (a == b).all() for a, b in zip(one, [random.next_key() for _ in range(3)], strict=True)
    )


def test_stacked_keys_draw_what_each_draws_alone():
    seeds = [0, 3, 2**31, 2**32 - 1]
    keys = np.stack([random.key(seed) for seed in seeds])
    for draw in (
        lambda key: random.fold(key, 7, "dense/kernel"),
        lambda key: random.bits(key, (3, 5)),
        lambda key: random.normal(key, (3, 5)),
        lambda key: random.truncated_normal(key, (40,)),
        lambda key: random.permutation(key, 101),
    ):
        for row, seed in zip(draw(keys), seeds, strict=True):
            np.testing.assert_array_equal(row, draw(random.key(seed)))
    order = np.argsort(random.bits(keys, (101,)), axis=-1, stable=True)
    np.testing.assert_array_equal(random.permutation(keys, 101), order)
