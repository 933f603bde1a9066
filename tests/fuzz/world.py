"""What is attacked: a user's folder, files that the project wrote itself, and how a case ends."""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fuzz.guard import Found, Guard
from trasluz import Input, Model, Sequential, callbacks, layers, saving
from trasluz.cli import app
from trasluz.errors import HIDDEN, UserError
from trasluz.worksheets import Plan, make

TABLE = "size,weight,kind,ripe,price\n" + "".join(
    f"{1 + k % 7},{k * 0.5:.2f},{'abc'[k % 3]},{'true' if k % 4 else 'false'},{k % 5 + 0.25}\n"
    for k in range(30)
)
TRAIN = [
    "train", "fruit.csv", "--target", "price", "--hidden", "3", "--epochs", "2", "--engine",
    "numpy", "--out", "run", "--quiet",
]  # fmt: skip


class World:
    """A folder to work in, one that is precious, and what valid files hold.

    Args:
        root: an empty folder.
    """

    def __init__(self, root: Path) -> None:
        self.work, precious, self.aside = root / "work", root / "precious", root / "tmp"
        for folder in (self.work, precious, self.aside):
            folder.mkdir()
        (precious / "thesis.txt").write_text("all my work")
        (precious / "data.csv").write_text(TABLE)
        os.environ.update(HOME=str(precious), TMPDIR=str(self.aside), MPLCONFIGDIR=str(self.aside))
        tempfile.tempdir = str(self.aside)
        os.chdir(self.work)
        self.files: dict[str, bytes] = {"fruit.csv": TABLE.encode()}
        self._make()
        self.guard = Guard([self.work, self.aside], precious)
        self.defects: list[str] = []
        app._defect = self._note_defect

    def _make(self) -> None:
        """Write valid files of each kind, and keep what is in them."""
        Path("fruit.csv").write_bytes(self.files["fruit.csv"])
        if app.run(TRAIN) != 0:
            raise RuntimeError("what is attacked could not be made")
        wide().save("wide.trasluz")
        recurrent().save("recurrent.trasluz")
        recurrent().save_weights("weights.trasluz")
        with contextlib.suppress(Stop):
            small().fit(*rows(), **FIT, callbacks=remembering("checkpoint"))
        for file in sorted(Path().rglob("*")):
            if file.is_file():
                self.files[str(file)] = file.read_bytes()
        plans = [Plan(network=(1, 2, 1)), Plan(network=(2, 2), optimizer="adam", learning_rate=0.1)]
        self.sheets = [make(plan, 3, 1, blanks=4)[0] for plan in plans]
        self.sheets[0].write(".", "md")
        for name in ("sheet-01.md", "sheet-01.json"):
            self.files[name] = Path(name).read_bytes()

    def fresh(self, *names: str) -> None:
        """Empty the folder to work in, and put valid files there."""
        for place in (self.work, self.aside):
            for file in place.iterdir():
                shutil.rmtree(file) if file.is_dir() else file.unlink()
        for name in names:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_bytes(self.files[name])

    def command(self, *words: str) -> int:
        """Run a command, which has to end in a result or in a sentence that helps.

        Raises:
            Found: it did not.
        """
        self.defects.clear()
        out, told = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(told):
            code = app.run(list(words))
        if self.defects:
            raise Found(self.defects[0])
        if code not in (0, 2):
            raise Found(f"exit code {code}: {told.getvalue()}")
        if code == 2 and len(told.getvalue().strip().splitlines()) < 2:
            raise Found(f"no mend is said: {told.getvalue()}")
        shown = told.getvalue()
        if words[0] != "predict" or "--json" in words:  # its rows are not for a terminal
            shown += out.getvalue()
        if sign := HIDDEN.search(shown):
            raise Found(f"a terminal would obey {sign.group()!r}: {shown!r:.300}")
        return code

    def _note_defect(self, error: Exception, json_too: bool) -> int:
        self.defects.append("".join(traceback.format_exception(error)))
        return app.DEFECT


def answered(call: Callable[[], Any]) -> Any:
    """Call something, which has to give a result or an error that helps.

    Raises:
        Found: it did not.
    """
    try:
        return call()
    except UserError as error:
        if not error.mend:
            raise Found(f"no mend is said: {error}") from error
        return None


class Stop(Exception):
    """Ends a training in its midst."""


class StopAt(callbacks.Callback):
    """Ends a training after an epoch."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == 2:
            raise Stop


FIT: dict[str, Any] = {"batch_size": 8, "epochs": 4, "verbose": 0}


def rows() -> tuple[np.ndarray, np.ndarray]:
    """Give a few rows to train on."""
    drawn = np.random.default_rng(0)
    x = drawn.normal(size=(16, 4)).astype(np.float32)
    return x, (x[:, :1] > 0).astype(np.float32)


def small() -> Any:
    """Make a small network with all that a checkpoint keeps."""
    model = Sequential([Input((4,)), layers.Dense(3, "tanh"), layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"], engine="numpy")
    return model


def remembering(file: str) -> list[Any]:
    """Give callbacks that remember something, and the one that writes it."""
    return [
        callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True),
        callbacks.ReduceLROnPlateau("loss", patience=1),
        callbacks.BackupAndRestore(file),
        StopAt(),
    ]


def wide() -> Any:
    """Make a network of layers of many kinds, drawn with operators too."""
    x = Input((4,), name="in|one")
    y = layers.Dense(
        3, layers.LeakyReLU(0.2), kernel_regularizer="l2", kernel_constraint="non_neg"
    )(x)
    y = layers.BatchNormalization()(y) * 2.0 + y[:, ::-1]
    z = layers.RepeatVector(3)(layers.Dropout(0.2, seed=1)(y))
    z = layers.Reshape((9,))(layers.Permute((2, 1))(z))
    out = layers.Dense(2, "softmax")(layers.Concatenate()([z, layers.GaussianNoise(0.1)(y)]))
    model = Model(x, out)
    model.compile("adamw", "sparse_categorical_crossentropy", metrics=["accuracy", "auc"])
    return model


def recurrent() -> Any:
    """Make a network that reads words."""
    model = Sequential(
        [
            Input((5,), dtype="int32"),
            layers.Embedding(20, 3),
            layers.SimpleRNN(4),
            layers.LayerNormalization(),
            layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse")
    return model


def chance_of(seed: int, kind: str, case: int) -> random.Random:
    """Give the source of chance of a case: it follows from these three alone."""
    return random.Random(f"{seed}/{kind}/{case}")


__all__ = ["FIT", "TABLE", "TRAIN", "World", "answered", "chance_of", "saving"]
