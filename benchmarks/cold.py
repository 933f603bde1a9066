"""How long does a small job take from nothing? A process reads 500 rows, trains 50 epochs, saves.

Each library is written as its users write such a script. `trasluz train` does more: it splits and
prepares the table, keeps checkpoints, measures three parts, and draws a learning curve.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from bench import Question, main, per

READ = """
import numpy as np
table = np.loadtxt("table.csv", delimiter=",", skiprows=1, dtype="float32")
x, y = table[:, :-1], table[:, -1:]
"""
OURS = f"""{READ}
from trasluz import Sequential, layers
hidden = [layers.Dense(32, "relu"), layers.Dense(16, "relu")]
model = Sequential([layers.Input((6,)), *hidden, layers.Dense(1)])
model.compile("adam", "mse")
model.fit(x, y, epochs=50, verbose=0)
model.save("model.trasluz")
"""
TORCH = f"""{READ}
import torch
from torch import nn
x, y = torch.from_numpy(x), torch.from_numpy(y)
model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer, loss_of = torch.optim.Adam(model.parameters()), nn.MSELoss()
for _ in range(50):
    for rows in torch.randperm(500).split(32):
        optimizer.zero_grad()
        loss_of(model(x[rows]), y[rows]).backward()
        optimizer.step()
torch.save(model.state_dict(), "model.pt")
"""
KERAS = f"""{READ}
import os
os.environ["KERAS_BACKEND"] = "jax"
import keras
hidden = [keras.layers.Dense(32, "relu"), keras.layers.Dense(16, "relu")]
model = keras.Sequential([keras.Input((6,)), *hidden, keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(x, y, epochs=50, verbose=0)
model.save("model.keras")
"""
SKLEARN = f"""{READ}
import joblib
from sklearn.neural_network import MLPRegressor
model = MLPRegressor(
    hidden_layer_sizes=(32, 16), batch_size=32, max_iter=50, n_iter_no_change=51, alpha=0.0
)
joblib.dump(model.fit(x, y.ravel()), "model.joblib")
"""
TRAIN = ["-m", "trasluz", "train", "table.csv", "--target", "y", "--epochs", "50"]
TRAIN += ["--patience", "0", "--quiet"]


def write_table(folder):
    """Write the 500 rows, a table of numbers."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 6))
    table = np.column_stack([x, x @ rng.normal(size=6) + np.sin(3 * x[:, 0])])
    np.savetxt(folder / "table.csv", table, delimiter=",", header="a,b,c,d,e,f,y", comments="")


def process(*words):
    """Make a contestant of a command, in a folder with the table: seconds of the whole process."""

    def prepare(*_):
        folder = tempfile.TemporaryDirectory()
        write_table(Path(folder.name))

        def work():
            subprocess.run(
                [sys.executable, *words],
                cwd=folder.name,
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

        return per(work, 1, 1)

    return prepare


def ours(command):
    """Our script, or our command line."""
    return process(*(TRAIN if command == "command line" else ("-c", OURS)))()


SIDES = ("PyTorch", "Keras (jax)", "scikit-learn")

QUESTION = Question(
    "Cold start",
    "s, whole process",
    {"a script": ("script",), "`trasluz train`": ("command line",)},
    {
        "ours": ours,
        **{n: process("-c", s) for n, s in zip(SIDES, (TORCH, KERAS, SKLEARN), strict=True)},
    },
    rounds=3,
    warm=0,
    bars={
        (job, side): 0.7 if side == "scikit-learn" else 0.4
        for job in ("a script", "`trasluz train`")
        for side in SIDES
    },
    quick=("`trasluz train`",),
    peers=("scikit-learn",),
    margin=1.8,
)

if __name__ == "__main__":
    sys.exit(main(__file__, QUESTION))
