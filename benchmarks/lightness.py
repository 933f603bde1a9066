"""Is it light? The import, an eager step by itself, and memory over many steps.

`import trasluz` is measured in fresh processes against `import numpy`, from inside: without
Python's own start. The step is one of 2-8-8-1, batch 32, Adam, on NumPy. The growth is that of
Python's own memory over 1,000 such steps.
"""

import gc
import subprocess
import sys
import tracemalloc

import peers
from bench import Question, main, per

SIZES, SIZE = (2, 8, 8, 1), 32
IMPORT, STEP, GROWTH = "import, ms", "an eager step, µs", "memory grown over 1,000 steps, KiB"


def imported(name):
    """Give a turn that imports something in a fresh process."""
    code = f"import time; t = time.perf_counter(); import {name}; print(time.perf_counter() - t)"

    def turn():
        asked = [sys.executable, "-c", code]
        return 1e3 * float(subprocess.run(asked, capture_output=True, check=True).stdout)

    return turn


def our_step():
    """Give a function that takes an eager training step."""
    from trasluz import training
    from trasluz.data import Batch
    from trasluz.training.engine import Engine
    from trasluz.training.state import TrainingState

    model, batch = peers.our_model(SIZES), Batch(*peers.data(SIZES, SIZE))
    ready = training.Ready(model, batch)
    state = TrainingState(ready, Engine(model, "numpy"))
    step = ready.train_step()

    def once():
        state.arrays, _ = step(state.arrays, batch, 0.001)

    return once


def grown(step):
    """Give a turn that says by how much Python's memory grows, after some steps."""

    def turn():
        for _ in range(200):
            step()
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(1_000):
            step()
        gc.collect()
        after = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return max(after - before, 0) / 1024

    return turn


def ours(what):
    """Ours."""
    if what == "import":
        return imported("trasluz")
    step = our_step()
    return per(lambda: [step() for _ in range(200)], 200) if what == "step" else grown(step)


def numpy_alone(what):
    """NumPy, which ours brings in."""
    return imported("numpy") if what == "import" else None


def torch_eager(what):
    """The same step in PyTorch."""
    if what != "step":
        return None
    import torch

    model, loss_of = peers.torch_model(SIZES), peers.torch_loss(SIZES)
    optimizer = torch.optim.Adam(model.parameters())
    x, y = (torch.from_numpy(a) for a in peers.data(SIZES, SIZE))

    def once():
        optimizer.zero_grad()
        loss_of(model(x), y).backward()
        optimizer.step()

    work = lambda: [once() for _ in range(200)]  # noqa: E731
    peers.best_threads(work)
    return per(work, 200)


QUESTION = Question(
    "Lightness",
    "as said",
    {IMPORT: ("import",), STEP: ("step",), GROWTH: ("growth",)},
    {"ours": ours, "NumPy": numpy_alone, "PyTorch eager": torch_eager},
    warm=0,  # a turn begins with steps that do not count, or is a process
    bars={(IMPORT, "NumPy"): 1.5, (STEP, "PyTorch eager"): 1.0},
    limits={GROWTH: 64.0},
    quick=(IMPORT, STEP, GROWTH),
    peers=("NumPy", "PyTorch eager"),
)

if __name__ == "__main__":
    sys.exit(main(__file__, QUESTION))
