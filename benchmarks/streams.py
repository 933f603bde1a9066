"""What does it cost that data are not in memory? Time for an epoch, and peak memory.

    python benchmarks/streams.py              writes its section of results.md
    python benchmarks/streams.py --quick      less data, few repetitions; fails far off the bars

All sources give the same rows and are trained on by the same program, taking turns in one process.
Files are in the page cache: what is measured is not the disk. Peak memory is that of a process of
its own, training on a file of zeros that takes up no space.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from bench import write

# sizes, rows a step, rows, rows in quick mode
NETWORKS = {
    "2-8-8-1, 32": ((2, 8, 8, 1), 32, 3_200_000, 320_000),
    "784-128-10, 128": ((784, 128, 10), 128, 64_000, 25_600),
}
# Times of memory, at most: wide of what is measured, since machines are noisy.
BARS = {
    "memory map": 2.5,
    "memory map, shuffled": 3.0,
    "Parquet, kept": 3.0,
    "generator": 4.0,
}
MEGABYTES = 150  # peak memory above that of training on little


def model_of(sizes: tuple[int, ...]) -> Any:
    from trasluz import Sequential, layers, losses

    hidden = [layers.Dense(units, "tanh") for units in sizes[1:-1]]
    model = Sequential([layers.Input((sizes[0],)), *hidden, layers.Dense(sizes[-1])])
    several = losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", "mse" if sizes[-1] == 1 else several, engine="xla")
    return model


class Batches:
    """Slices of arrays, made by a generator, as people write one."""

    def __init__(self, x: np.ndarray, y: np.ndarray, size: int) -> None:
        self.x, self.y, self.size = x, y, size

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for row in range(0, len(self.x), self.size):
            part = slice(row, row + self.size)
            yield self.x[part], self.y[part]


def sources(sizes: tuple[int, ...], size: int, n: int, folder: Path) -> dict[str, tuple]:
    """Make what to train on: by name, data and whether `fit` shuffles them."""
    import polars as pl

    from trasluz import ParquetStream

    rng = np.random.default_rng(0)
    x = rng.random((n, sizes[0]), dtype="float32")
    y = x[:, 0] * x[:, 1] if sizes[-1] == 1 else rng.integers(0, sizes[-1], n)
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    mapped = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in "xy"]
    columns = {f"x{i}": x[:, i] for i in range(sizes[0])}
    file = folder / "rows.parquet"
    pl.DataFrame({**columns, "y": y}).write_parquet(file, row_group_size=2**24 // (4 * sizes[0]))
    parquet = lambda **how: (ParquetStream(file, [*columns], "y", size, **how),)  # noqa: E731
    return {
        "memory": ((x, y), False),
        "memory map": (mapped, False),
        "Parquet": (parquet(shuffle=False), False),
        "Parquet, kept": (parquet(shuffle=False, cache=folder), False),
        "generator": ((Batches(x, y, size),), False),
        "memory, shuffled": ((x, y), True),
        "memory map, shuffled": (mapped, True),
        "Parquet, shuffled": (parquet(), True),
        "Parquet, kept, shuffled": (parquet(cache=folder), True),
    }


def epochs(network: str, quick: bool, rounds: int) -> dict[str, float]:
    """Let sources take turns at a network: median seconds an epoch."""
    from trasluz import callbacks

    sizes, size, *rows = NETWORKS[network]
    taken: dict[str, list[float]] = {}
    began = 0.0

    def begin(epoch: int, logs: Any) -> None:
        nonlocal began
        began = time.perf_counter()

    def end(epoch: int, logs: Any) -> None:
        taken[name].append(time.perf_counter() - began)

    clock = callbacks.LambdaCallback(on_epoch_begin=begin, on_epoch_end=end)
    with tempfile.TemporaryDirectory() as folder:
        there = sources(sizes, size, rows[quick], Path(folder))
        models = {name: model_of(sizes) for name in there}
        for turn in range(rounds + 1):
            for name, (data, shuffle) in there.items():
                if turn == 1:
                    taken[name] = []  # it is warm now
                taken.setdefault(name, [])
                how = {"batch_size": size, "epochs": 2, "shuffle": shuffle, "verbose": 0}
                models[name].fit(*data, **how, callbacks=clock)
        del there
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def peak(n: int) -> None:
    """Train on so many rows of zeros, and print the megabytes that the process took up at most."""
    with tempfile.TemporaryFile() as file:
        file.truncate(n * 785 * 4)
        x = np.memmap(file, "float32", "r", shape=(n, 784))
        y = np.memmap(file, "float32", "r", offset=n * 784 * 4, shape=(n,))
        from trasluz import Sequential, layers

        model = Sequential([layers.Input((784,)), layers.Dense(8, "tanh"), layers.Dense(1)])
        model.compile("adam", "mse", engine="xla")
        model.fit(x, y, batch_size=256, verbose=0)
    status = Path("/proc/self/status").read_text()  # ru_maxrss would be that of the parent too
    print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def peak_of(n: int) -> int:
    words = [sys.executable, __file__, "--peak", str(n)]
    return int(subprocess.run(words, capture_output=True, text=True, check=True).stdout) // 1024


def main() -> int:
    """Measure, print, and in quick mode say whether something is far off."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.peak:
        peak(asked.peak)
        return 0
    off, tables = [], []
    for network in list(NETWORKS)[: 1 if asked.quick else None]:
        found = epochs(network, asked.quick, 2 if asked.quick else 7)
        lines = [f"| {network} | ms an epoch | times memory |", "|---|---|---|"]
        tables.append(lines)
        for name, seconds in found.items():
            base = found["memory, shuffled" if "shuffled" in name else "memory"]
            lines.append(f"| {name} | {seconds * 1e3:.0f} | {seconds / base:.2f} |")
            if seconds / base > BARS.get(name, np.inf):
                off.append(f"{network}: {name} takes {seconds / base:.2f} times as long as memory")
    few, many = 5_000, 100_000 if asked.quick else 500_000
    little, much = peak_of(few), peak_of(many)
    lines = ["| rows of 784 numbers | MB of data | MB of memory at most |", "|---|---|---|"]
    for rows, used in ((few, little), (many, much)):
        lines.append(f"| {rows:,} | {rows * 785 * 4 / 1e6:,.0f} | {used:,} |")
    text = "\n\n".join("\n".join(lines) for lines in [*tables, lines])
    print(text)
    if not asked.quick:
        write("streams", "Data larger than memory", text, "In times of the same data in memory.")
    if much - little > MEGABYTES:
        off.append(f"{much - little} MB of memory, at most {MEGABYTES}")
    print(*(off or ["nothing is far off"]), sep="\n")
    return 1 if off and asked.quick else 0


if __name__ == "__main__":
    sys.exit(main())
