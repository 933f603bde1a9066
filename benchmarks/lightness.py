"""Is it light? Import time, an eager step against PyTorch's, memory over many steps.

    python benchmarks/lightness.py            prints a table, fails if a bar is missed
    python benchmarks/lightness.py --quick    fewer repetitions

Bars: `import trasluz` at most 1.5 times `import numpy`; an eager NumPy step of a 2-8-8-1 network
(batch 32, Adam) faster than PyTorch's eager step; memory flat over 10,000 steps.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

from trasluz import Sequential, layers, training
from trasluz.data import Batch
from trasluz.loop import Run


def seconds_of(code: str) -> float:
    """Time a fresh process that runs a line, from inside: without Python's own start."""
    timed = f"import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"
    done = subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True)
    return float(done.stdout)


def import_ratio(repeats: int) -> tuple[float, float]:
    """Median seconds of `import trasluz` and of `import numpy`, alternating."""
    pairs = [(seconds_of("import trasluz"), seconds_of("import numpy")) for _ in range(repeats)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def our_step() -> Callable[[], object]:
    """An eager training step of ours."""
    model = Sequential(
        [
            layers.Input((2,)),
            layers.Dense(8, "tanh"),
            layers.Dense(8, "tanh"),
            layers.Dense(1),
        ]
    )
    model.compile("adam", "mse", engine="numpy")
    x = np.random.default_rng(0).normal(size=(32, 2)).astype("float32")
    y = x[:, :1] * x[:, 1:]
    run = Run(model, "numpy")
    batch = Batch(x, y)
    run._prepare(batch)
    run._start()
    step = training.train_step(model, run.target, model.optimizer)

    def once() -> None:
        run.state, _ = step(run.state, batch, 0.001)

    return once


def torch_step() -> Callable[[], object]:
    """The same step in PyTorch, eager."""
    import torch

    torch.set_num_threads(2)
    model = torch.nn.Sequential(
        torch.nn.Linear(2, 8),
        torch.nn.Tanh(),
        torch.nn.Linear(8, 8),
        torch.nn.Tanh(),
        torch.nn.Linear(8, 1),
    )
    optimizer = torch.optim.Adam(model.parameters())
    x = torch.randn(32, 2)
    y = x[:, :1] * x[:, 1:]

    def once() -> None:
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()

    return once


def alternate(steps: list[Callable[[], object]], rounds: int, count: int) -> list[float]:
    """Median microseconds a step, the contestants taking turns."""
    times: list[list[float]] = [[] for _ in steps]
    for step in steps:
        step()
    for _ in range(rounds):
        for i, step in enumerate(steps):
            begin = time.perf_counter()
            for _ in range(count):
                step()
            times[i].append((time.perf_counter() - begin) / count * 1e6)
    return [statistics.median(t) for t in times]


def growth(count: int) -> float:
    """Bytes that Python's memory grew by over many steps, after warming up."""
    step = our_step()
    for _ in range(200):
        step()
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(count):
        step()
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return after - before


def main() -> int:
    """Measure, print, and say whether the bars hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    a, b = import_ratio(5 if quick else 15)
    print(f"import trasluz {a * 1e3:.0f} ms, import numpy {b * 1e3:.0f} ms: ratio {a / b:.2f}")
    ours, theirs = alternate([our_step(), torch_step()], 5 if quick else 15, 100)
    print(f"eager step {ours:.0f} µs, PyTorch {theirs:.0f} µs: ratio {ours / theirs:.2f}")
    grown = growth(1000 if quick else 10_000)
    print(f"memory grew by {grown / 1024:.1f} KiB over the steps")
    held = a / b <= 1.5 and ours < theirs and grown < 64 * 1024
    print("all bars hold" if held else "A BAR IS MISSED")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
