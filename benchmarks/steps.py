"""How long is a training step, by network? Against the libraries people use.

Whole epochs with shuffling, float32, Adam, data in memory. PyTorch may use as many threads as suit
it, and does not pay for a DataLoader.
"""

import sys

import peers
from bench import Question, main, per

# sizes, rows a step, rows, epochs a turn
NETWORKS = {
    "2-8-8-1, 32": ((2, 8, 8, 1), 32, 3_200, 15),
    "8-64-64-3, 32": ((8, 64, 64, 3), 32, 3_200, 8),
    "64-256-256-10, 64": ((64, 256, 256, 10), 64, 6_400, 3),
    "784-128-10, 128": ((784, 128, 10), 128, 12_800, 20),
    "784-1024-1024-10, 512": ((784, 1024, 1024, 10), 512, 12_288, 4),
}
SHORTER = {"784-128-10, 128": ((784, 128, 10), 128, 12_800, 2)}  # in the quick mode
TORCH, SCAN = "PyTorch eager", "JAX + optax, one scan"


def side(train):
    """Make a contestant of what trains for so many epochs: microseconds a step."""

    def prepare(sizes, size, n, epochs, **how):
        step = train(sizes, size, n, **how)
        return per(lambda: step(epochs), epochs * (n // size))

    return prepare


QUESTION = Question(
    "A training step",
    "µs a step",
    NETWORKS,
    {
        "ours": side(peers.ours),
        TORCH: side(peers.torch_eager),
        "PyTorch compiled": side(peers.torch_compiled),
        "Keras (jax)": side(peers.keras_jax),
        "scikit-learn": side(peers.sklearn_mlp),
        "JAX + optax, a call a step": side(peers.jax_steps),
        SCAN: side(peers.jax_scan),
        "ours on NumPy": side(lambda *job: peers.ours(*job, engine="numpy")),
    },
    bars={
        ("2-8-8-1, 32", TORCH): 1 / 25,
        ("2-8-8-1, 32", SCAN): 0.8,
        ("784-128-10, 128", TORCH): 0.6,
        ("784-128-10, 128", SCAN): 1.0,
        **{
            ("784-1024-1024-10, 512", side): 1.0
            for side in (TORCH, "PyTorch compiled", "Keras (jax)", SCAN)
        },
    },
    quick=("2-8-8-1, 32", "784-128-10, 128"),
    shorter=SHORTER,
    peers=(TORCH, SCAN),
)

if __name__ == "__main__":
    sys.exit(main(__file__, QUESTION))
