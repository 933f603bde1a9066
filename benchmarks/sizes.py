"""How does a training step grow with a network's depth and width?"""

import sys

import peers
from bench import Question, main
from steps import SCAN, TORCH, side

DEPTHS, WIDTHS = {1: 20, 4: 10, 16: 4}, {16: 20, 64: 12, 256: 4, 1024: 3}  # epochs a turn

QUESTION = Question(
    "By depth and width",
    "µs a step, batch 32",
    {
        **{f"8-64(×{d})-3": ((8, *[64] * d, 3), 32, 3_200, e) for d, e in DEPTHS.items()},
        **{f"8-{w}-{w}-3": ((8, w, w, 3), 32, 3_200, e) for w, e in WIDTHS.items()},
    },
    {"ours": side(peers.ours), TORCH: side(peers.torch_eager), SCAN: side(peers.jax_scan)},
    rounds=3,
)

if __name__ == "__main__":
    sys.exit(main(__file__, QUESTION))
