"""How fast are many small trainings at once? Against PyTorch, one after the other.

    python benchmarks/many.py                 prints a table
    python benchmarks/many.py --quick         few repetitions; fails far off the bar

256 networks 2-8-8-1 from seeds of their own, each with its own order of rows: 1,000 rows, batches
of 32, float32, Adam. PyTorch trains a few of them, which is scaled up to all; the two take turns.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

import numpy as np

NETWORKS, ROWS, SIZE = 256, 1_000, 32
MEASURED = 4  # networks that PyTorch trains in a turn
BAR, QUICK_BAR = 50, 15  # times as fast; machines are noisy


def data() -> tuple[np.ndarray, np.ndarray]:
    """Make inputs and targets."""
    x = np.random.default_rng(0).normal(size=(ROWS, 2)).astype("float32")
    return x, x[:, :1] * x[:, 1:]


def ours():
    """Give a function that trains all networks for so many epochs."""
    from trasluz import Sequential, fit_many, layers

    x, y = data()
    hidden = [layers.Dense(8, "tanh"), layers.Dense(8, "tanh")]
    model = Sequential([layers.Input((2,)), *hidden, layers.Dense(1)])
    model.compile("adam", "mse", engine="xla")

    def train(epochs: int) -> None:
        fit_many(model, x, y, NETWORKS, epochs=epochs, batch_size=SIZE, verbose=0)

    return train


def torch_eager():
    """Give a function that trains a few networks as PyTorch's tutorials do, less the DataLoader."""
    import torch

    x, y = (torch.from_numpy(a) for a in data())
    torch.set_num_threads(1)  # more are slower for networks of this size

    def train(epochs: int) -> None:
        for seed in range(MEASURED):
            torch.manual_seed(seed)
            tanh, linear = torch.nn.Tanh, torch.nn.Linear
            model = torch.nn.Sequential(linear(2, 8), tanh(), linear(8, 8), tanh(), linear(8, 1))
            optimizer, loss_of = torch.optim.Adam(model.parameters()), torch.nn.MSELoss()
            for _ in range(epochs):
                for rows in torch.randperm(ROWS).split(SIZE):
                    optimizer.zero_grad()
                    loss_of(model(x[rows]), y[rows]).backward()
                    optimizer.step()

    return train


def seconds(train, epochs: int) -> float:
    begin = time.perf_counter()
    train(epochs)
    return time.perf_counter() - begin


def main() -> int:
    """Measure, print, and in quick mode say whether it is far off."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    many, single = ours(), torch_eager()
    first = seconds(many, 5)
    single(1)  # warms up
    print(f"{NETWORKS} networks 2-8-8-1, {ROWS:,} rows, batch {SIZE}; medians, warm\n")
    print("| epochs | fit_many, s | PyTorch eager, s | times as fast |\n|---|---|---|---|")
    reached = 0.0
    for epochs in (5,) if quick else (5, 50):
        turns = [
            (seconds(many, epochs), seconds(single, epochs) * NETWORKS / MEASURED)
            for _ in range(3 if quick else 5)
        ]
        own, theirs = (statistics.median(side) for side in zip(*turns, strict=True))
        reached = max(reached, theirs / own)
        print(f"| {epochs} | {own:.3f} | {theirs:.1f} | {theirs / own:.0f} |")
    print(f"\nPyTorch: {MEASURED} networks a turn, times {NETWORKS // MEASURED}. The first call of")
    print(
        f"fit_many takes {first:.1f} s with the import of jax, and compilation if nothing is kept."
    )
    if quick:
        return int(reached < QUICK_BAR)
    print(f"The bar is {BAR} times: {'reached' if reached >= BAR else 'not reached'}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
