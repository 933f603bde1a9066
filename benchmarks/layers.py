"""How long is a step of a network for pictures, for characters, for words? Against the libraries.

Whole epochs with shuffling, float32, Adam, data in memory; PyTorch with the threads and the layout
that suit it best.

    python benchmarks/layers.py
"""

import copy
import sys
from collections.abc import Callable

import numpy as np
import peers
from bench import Question, main, per

ROWS = 10  # batches an epoch
CLASSES = 10


def _pictures(size):
    drawn = np.random.default_rng(0)
    x = drawn.standard_normal((size * ROWS, 28, 28, 1), "float32")
    return x, drawn.integers(0, CLASSES, len(x))


def _characters(size):
    drawn = np.random.default_rng(0)
    return drawn.standard_normal((size * ROWS, 64, 64), "float32"), drawn.integers(
        0, CLASSES, size * ROWS
    )


def _stack(layers, kind):
    """Make the layers of a network, of a library with Keras's names."""
    if kind == "CNN":
        return [
            layers.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(CLASSES),
        ]
    cell = layers.LSTM if kind == "LSTM" else layers.GRU
    return [layers.Input((64, 64)), cell(128), layers.Dense(CLASSES)]


def _data(kind, size):
    return _pictures(size) if kind == "CNN" else _characters(size)


def ours(kind, size, epochs):
    """Ours, on XLA."""
    from trasluz import Sequential, layers, losses

    model, (x, y) = Sequential(_stack(layers, kind)), _data(kind, size)
    model.compile("adam", losses.SparseCategoricalCrossentropy(from_logits=True), engine="xla")
    return per(lambda: model.fit(x, y, batch_size=size, epochs=epochs, verbose=0), epochs * ROWS)


def keras_jax(kind, size, epochs):
    """Keras on jax."""
    import os

    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    model, (x, y) = keras.Sequential(_stack(keras.layers, kind)), _data(kind, size)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return per(lambda: model.fit(x, y, batch_size=size, epochs=epochs, verbose=0), epochs * ROWS)


def torch_eager(kind, size, epochs):
    """PyTorch."""
    import torch
    from torch import nn

    x, y = map(torch.tensor, _data(kind, size))
    if kind == "CNN":
        x = x.permute(0, 3, 1, 2).contiguous()
        model: nn.Module = nn.Sequential(
            nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(),
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1600, CLASSES),
        )  # fmt: skip
    else:
        model = _Last(getattr(nn, kind)(64, 128, batch_first=True), nn.Linear(128, CLASSES))
    loss = nn.CrossEntropyLoss()

    def trained(model, x) -> Callable[[], None]:
        rule = torch.optim.Adam(model.parameters())

        def train():
            for _ in range(epochs):
                order = torch.randperm(len(x))
                for k in range(ROWS):
                    rows = order[k * size : (k + 1) * size]
                    rule.zero_grad(set_to_none=True)
                    loss(model(x[rows]), y[rows]).backward()
                    rule.step()

        return train

    ways = [(model, x)]
    if kind == "CNN":
        last = torch.channels_last
        other = copy.deepcopy(model).to(memory_format=last)
        ways.append((other, x.contiguous(memory_format=last)))
    best = min((trained(*way) for way in ways), key=lambda train: per(train, 1)())
    peers.best_threads(best)
    return per(best, epochs * ROWS)


class _Last:
    """What a recurrent layer of PyTorch's gives last, and a dense layer."""

    def __init__(self, cell, dense):
        self.cell, self.dense = cell, dense

    def __call__(self, x):
        return self.dense(self.cell(x)[0][:, -1])

    def parameters(self):
        return [*self.cell.parameters(), *self.dense.parameters()]


QUESTION = Question(
    "A step of other layers",
    "µs a step",
    {
        "CNN 28×28, 32 and 64 filters, batch 64": ("CNN", 64, 1),
        "LSTM 128, 64 steps of 64, batch 32": ("LSTM", 32, 1),
        "GRU 128, 64 steps of 64, batch 32": ("GRU", 32, 1),
    },
    {"ours": ours, "PyTorch eager": torch_eager, "Keras (jax)": keras_jax},
    bars={
        ("CNN 28×28, 32 and 64 filters, batch 64", "PyTorch eager"): 1.0,
        ("CNN 28×28, 32 and 64 filters, batch 64", "Keras (jax)"): 0.8,
        ("LSTM 128, 64 steps of 64, batch 32", "PyTorch eager"): 1.1,
        ("LSTM 128, 64 steps of 64, batch 32", "Keras (jax)"): 1.0,
        ("GRU 128, 64 steps of 64, batch 32", "PyTorch eager"): 0.8,
        ("GRU 128, 64 steps of 64, batch 32", "Keras (jax)"): 1.0,
    },
)

if __name__ == "__main__":
    sys.exit(main(__file__, QUESTION))
