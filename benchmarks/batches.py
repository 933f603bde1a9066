"""How does a training step grow with the rows in it?"""

import sys

import peers
from bench import Question, main
from steps import SCAN, TORCH, side

SIZES = (64, 256, 256, 10)
STEPS = {1: 1_500, 8: 800, 32: 400, 128: 120, 512: 40, 2048: 12}

QUESTION = Question(
    "By batch size",
    "µs a step, 64-256-256-10",
    {f"batch {b}": (SIZES, b, b * min(n, 200), max(1, n // 200)) for b, n in STEPS.items()},
    {"ours": side(peers.ours), TORCH: side(peers.torch_eager), SCAN: side(peers.jax_scan)},
    rounds=3,
)

if __name__ == "__main__":
    sys.exit(main(__file__, QUESTION))
