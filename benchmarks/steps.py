"""How fast is a training step, and one predicted row? Against the libraries people use.

    python benchmarks/steps.py                prints tables: medians, and ours as part of theirs
    python benchmarks/steps.py --quick        two networks, few repetitions; fails far off the bars

Everything is measured as people use it: whole epochs with shuffling, float32, Adam. Each
contestant lives in a process of its own, so that thread pools do not meet, and they take turns.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

# sizes, rows a step, rows, epochs a turn; networks of one output learn numbers, others classes
NETWORKS = {
    "2-8-8-1, 32": ((2, 8, 8, 1), 32, 3_200, 20),
    "784-128-10, 128": ((784, 128, 10), 128, 12_800, 8),
    "784-1024-1024-10, 512": ((784, 1024, 1024, 10), 512, 25_600, 2),
}
ROW = "2-8-8-1, predict one row"
CALLS = 100
# Ours as part of theirs, at most: wide of what is measured, since machines are noisy.
BARS = {
    ("2-8-8-1, 32", "PyTorch eager"): 0.15,
    ("2-8-8-1, 32", "JAX + optax, lax.scan"): 4.0,
    ("784-128-10, 128", "PyTorch eager"): 1.0,
    (ROW, "PyTorch eager"): 3.0,
}


def data(sizes: tuple[int, ...], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Make inputs and targets: numbers for one output, class numbers for several."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, sizes[0])).astype("float32")
    if sizes[-1] == 1:
        return x, (x[:, :1] * x[:, 1:2]).astype("float32")
    return x, rng.integers(0, sizes[-1], n)


# ------------------------------------------------------------------------------ the contestants
# Each gives a function that trains for so many epochs, and one that predicts so many single rows.

Pair = tuple[Callable[[int], object], Callable[[int], object] | None]


def ours(sizes: tuple[int, ...], size: int, n: int) -> Pair:
    """Ours, compiled; NumPy predicts."""
    from trasluz import Sequential, layers, losses

    x, y = data(sizes, n)
    hidden = [layers.Dense(units, "tanh") for units in sizes[1:-1]]
    model = Sequential([layers.Input((sizes[0],)), *hidden, layers.Dense(sizes[-1])])
    loss = "mse" if sizes[-1] == 1 else losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)

    def predict(count: int) -> None:
        for i in range(count):
            model.predict(x[i : i + 1])

    def train(epochs: int) -> None:
        model.fit(x, y, batch_size=size, epochs=epochs, verbose=0, engine="xla")

    return train, predict


def torch_eager(sizes: tuple[int, ...], size: int, n: int) -> Pair:
    """PyTorch as its tutorials write it, less the DataLoader, on as many threads as suit it."""
    import torch

    x, y = (torch.from_numpy(a) for a in data(sizes, n))
    parts: list[torch.nn.Module] = []
    for i, (a, b) in enumerate(itertools.pairwise(sizes)):
        parts += [torch.nn.Linear(a, b)] + ([torch.nn.Tanh()] if i < len(sizes) - 2 else [])
    model = torch.nn.Sequential(*parts)
    loss_of = torch.nn.MSELoss() if sizes[-1] == 1 else torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters())

    def train(epochs: int) -> None:
        for _ in range(epochs):
            for rows in torch.randperm(n).split(size):
                optimizer.zero_grad()
                loss_of(model(x[rows]), y[rows]).backward()
                optimizer.step()

    def predict(count: int) -> None:
        with torch.inference_mode():
            for i in range(count):
                model(x[i : i + 1])

    def seconds_on(threads: int) -> float:
        torch.set_num_threads(threads)
        train(1)
        begin = time.perf_counter()
        train(1)
        return time.perf_counter() - begin

    torch.set_num_threads(min((1, os.cpu_count() or 1), key=seconds_on))
    return train, predict


def keras_jax(sizes: tuple[int, ...], size: int, n: int) -> Pair:
    """Keras on jax."""
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    x, y = data(sizes, n)
    hidden = [keras.layers.Dense(units, "tanh") for units in sizes[1:-1]]
    model = keras.Sequential([keras.Input((sizes[0],)), *hidden, keras.layers.Dense(sizes[-1])])
    several = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", "mse" if sizes[-1] == 1 else several)

    def train(epochs: int) -> None:
        model.fit(x, y, batch_size=size, epochs=epochs, verbose=0)

    def predict(count: int) -> None:
        for i in range(count):
            model.predict(x[i : i + 1], verbose=0)

    return train, predict


def sklearn_mlp(sizes: tuple[int, ...], size: int, n: int) -> Pair:
    """scikit-learn's MLP."""
    import warnings

    from sklearn.neural_network import MLPClassifier, MLPRegressor

    warnings.simplefilter("ignore")
    x, y = data(sizes, n)
    kind = MLPRegressor if sizes[-1] == 1 else MLPClassifier

    def train(epochs: int) -> object:
        how = {"batch_size": size, "max_iter": epochs, "n_iter_no_change": epochs + 1, "alpha": 0.0}
        model = kind(hidden_layer_sizes=sizes[1:-1], activation="tanh", **how)
        return model.fit(x, y.ravel())

    trained = train(1)

    def predict(count: int) -> None:
        for i in range(count):
            trained.predict(x[i : i + 1])  # type: ignore[attr-defined]

    return train, predict


def _optax(sizes: tuple[int, ...]) -> tuple:
    """A step written by hand in JAX and optax, and what it starts from."""
    import jax
    import jax.numpy as jnp
    import optax

    rng = np.random.default_rng(0)
    draw = lambda a, b: jnp.asarray(rng.normal(size=(a, b)) * a**-0.5, "float32")  # noqa: E731
    params = [(draw(a, b), jnp.zeros(b)) for a, b in itertools.pairwise(sizes)]
    rule = optax.adam(1e-3)

    def loss_of(params, x, y):
        for w, b in params[:-1]:
            x = jnp.tanh(x @ w + b)
        w, b = params[-1]
        out = x @ w + b
        if sizes[-1] == 1:
            return jnp.mean((out - y) ** 2)
        return optax.softmax_cross_entropy_with_integer_labels(out, y).mean()

    def step(state, x, y):
        params, slots = state
        loss, grads = jax.value_and_grad(loss_of)(params, x, y)
        updates, slots = rule.update(grads, slots)
        return (optax.apply_updates(params, updates), slots), loss

    return step, (params, rule.init(params))


def jax_steps(sizes: tuple[int, ...], size: int, n: int) -> Pair:
    """JAX and optax, one compiled call a step."""
    import jax

    step, state = _optax(sizes)
    step, (x, y) = jax.jit(step, donate_argnums=0), data(sizes, n)
    rng = np.random.default_rng(0)

    def train(epochs: int) -> None:
        nonlocal state
        for _ in range(epochs):
            order = rng.permutation(n)
            for i in range(0, n, size):
                rows = order[i : i + size]
                state, _ = step(state, x[rows], y[rows])
        jax.block_until_ready(state)

    return train, None


def jax_scan(sizes: tuple[int, ...], size: int, n: int) -> Pair:
    """JAX and optax, an epoch in one lax.scan, the data on the device."""
    import jax
    import jax.numpy as jnp

    step, state = _optax(sizes)
    x, y = (jnp.asarray(a) for a in data(sizes, n))
    key = jax.random.key(0)

    @jax.jit
    def epoch(state, key, x, y):
        order = jax.random.permutation(key, n).reshape(-1, size)
        state, losses = jax.lax.scan(lambda s, rows: step(s, x[rows], y[rows]), state, order)
        return state, losses.mean()

    def train(epochs: int) -> None:
        nonlocal state, key
        for _ in range(epochs):
            key, now = jax.random.split(key)
            state, loss = epoch(state, now, x, y)
            float(loss)  # people look at it

    return train, None


CONTESTANTS: dict[str, Callable[[tuple[int, ...], int, int], Pair]] = {
    "ours": ours,
    "PyTorch eager": torch_eager,
    "Keras (jax)": keras_jax,
    "scikit-learn": sklearn_mlp,
    "JAX, step by step": jax_steps,
    "JAX + optax, lax.scan": jax_scan,
}


# -------------------------------------------------------------------------------- taking turns


def contest(name: str, network: str) -> None:
    """Serve as a contestant: for each line read, take a turn and print its microseconds."""
    sizes, size, n, epochs = NETWORKS[network]
    train, predict = CONTESTANTS[name](sizes, size, n)
    print("ready", flush=True)
    for line in sys.stdin:
        begin = time.perf_counter()
        if line.strip() == "train":
            train(epochs)
            count = epochs * (n // size)
        else:
            count = CALLS if predict else 0
            if predict:
                predict(count)
        print((time.perf_counter() - begin) / max(count, 1) * 1e6 if count else "nan", flush=True)


class Contestant:
    """A process that takes turns when asked."""

    def __init__(self, name: str, network: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--contest", name, network],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.runs = self._line() == "ready"

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def turn(self, what: str) -> float:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        return float(self._line())

    def leave(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def measure(network: str, names: list[str], rounds: int, row: bool) -> dict[str, dict[str, float]]:
    """Let contestants take turns at a network: medians of microseconds by work and name."""
    there = {name: Contestant(name, network) for name in names}
    there = {name: c for name, c in there.items() if c.runs}
    found = {}
    for work, what in [(network, "train"), *([(ROW, "predict")] if row else [])]:
        for contestant in there.values():
            contestant.turn(what)  # warms up
        turns = [{name: c.turn(what) for name, c in there.items()} for _ in range(rounds)]
        medians = {name: statistics.median(t[name] for t in turns) for name in there}
        found[work] = {name: m for name, m in medians.items() if m == m}
    for contestant in there.values():
        contestant.leave()
    return found


def table(found: dict[str, dict[str, float]]) -> str:
    """Write medians, and ours as part of theirs, as Markdown."""
    names = [name for name in CONTESTANTS if any(name in row for row in found.values())]
    lines = [f"| µs | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for work, row in found.items():
        cells = []
        for name in names:
            share = f" ({row['ours'] / row[name]:.2f})" if name != "ours" and name in row else ""
            cells.append(f"{row[name]:.3g}{share}" if name in row else "–")
        lines.append(f"| {work} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Measure, print, and in quick mode say whether something is far off."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--contest", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.contest:
        contest(*asked.contest)
        return 0
    names = ["ours", "PyTorch eager", "JAX + optax, lax.scan"] if asked.quick else [*CONTESTANTS]
    networks = list(NETWORKS)[: 2 if asked.quick else None]
    found: dict[str, dict[str, float]] = {}
    for i, network in enumerate(networks):
        found |= measure(network, names, 3 if asked.quick else 7, row=i == 0)
    print("Medians; in brackets ours as part of theirs.\n")
    print(table(found))
    off = [
        f"{work}: {found[work]['ours'] / found[work][name]:.2f} of {name}, at most {bar}"
        for (work, name), bar in BARS.items()
        if work in found and name in found[work] and found[work]["ours"] > bar * found[work][name]
    ]
    print(*(off or ["nothing is far off"]), sep="\n")
    return 1 if off and asked.quick else 0


if __name__ == "__main__":
    sys.exit(main())
