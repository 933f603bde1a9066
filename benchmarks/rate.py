"""How near is a training step to the matrix products in it? Against the products alone.

A step of a stack of dense layers makes, for each layer, one product forward and two backward (one
for the first layer). Here they are made alone, on arrays of the same shapes, by NumPy and by XLA,
and once more as if each were as fast as a square product of 1024.
"""

import itertools
import sys

import numpy as np
import peers
from bench import Question, main, per
from steps import NETWORKS, SHORTER, side


def shapes(sizes, size):
    """List the products of a step as (rows, inner, columns)."""
    for i, (a, b) in enumerate(itertools.pairwise(sizes)):
        yield size, a, b
        yield a, size, b
        if i:
            yield size, b, a


def alone_in_numpy(sizes, size, n, epochs):
    """Make the products of some steps with NumPy."""
    rng = np.random.default_rng(0)
    pairs = [
        (rng.random((m, k), "float32"), rng.random((k, n), "float32"), np.empty((m, n), "float32"))
        for m, k, n in shapes(sizes, size)
    ]
    steps = max(8, epochs * (n // size) // 2)

    def work():
        for _ in range(steps):
            for a, b, out in pairs:
                np.matmul(a, b, out=out)

    return per(work, steps)


def alone_in_xla(sizes, size, n, epochs):
    """Make the products of some steps with XLA, in one call."""
    import jax
    import jax.numpy as jnp

    rng = np.random.default_rng(0)
    pairs = [
        (jnp.asarray(rng.random((m, k), "float32")), jnp.asarray(rng.random((k, n), "float32")))
        for m, k, n in shapes(sizes, size)
    ]
    steps = max(8, epochs * (n // size) // 2)

    @jax.jit
    def many(pairs):
        def once(_, total):  # each product waits for the ones before, as in a step
            for a, b in pairs:
                total = total * 1e-9 + (a.at[0, 0].add(total) @ b)[0, 0]
            return total

        return jax.lax.fori_loop(0, steps, once, jnp.float32(0))

    return per(lambda: many(pairs).block_until_ready(), steps)


def at_the_rate_of_a_square(sizes, size, n, epochs):
    """Work out what the products would take at the rate of a square product."""
    a, b = (np.random.default_rng(i).random((1024, 1024), "float32") for i in range(2))
    flops = sum(2 * m * k * n for m, k, n in shapes(sizes, size))
    out = np.empty_like(a)
    square = per(lambda: [np.matmul(a, b, out=out) for _ in range(4)], 4)
    return lambda: square() * flops / (2 * 1024**3)


QUESTION = Question(
    "The rate of a training step",
    "µs a step",
    {name: NETWORKS[name] for name in list(NETWORKS)[2:]},
    {
        "ours": side(peers.ours),
        "its products alone, NumPy": alone_in_numpy,
        "its products alone, XLA": alone_in_xla,
        "at the rate of sgemm 1024³": at_the_rate_of_a_square,
    },
    bars={("784-1024-1024-10, 512", "at the rate of sgemm 1024³"): 1 / 0.8},
    quick=("784-128-10, 128",),
    shorter=SHORTER,
    peers=("its products alone, NumPy",),
    note="Ours as part of theirs is above 1: 1.25 is 0.8 of the rate.",
)

if __name__ == "__main__":
    sys.exit(main(__file__, QUESTION))
