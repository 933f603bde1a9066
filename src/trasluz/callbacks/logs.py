"""Callbacks that write logs elsewhere: CSV, TensorBoard, functions of your own."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trasluz.base.files import write_atomically
from trasluz.callbacks.base import Callback, Logs
from trasluz.errors import UserError, unknown


@dataclass(eq=False)
class CSVLogger(Callback):
    """Writes the logs of every epoch to a table, one line at a time; a stopped run loses none.

    A name that first appears in a later epoch gets a column, empty cells read "NA".

    Args:
        filename: the file.
        separator: what stands between cells.
        append: whether to go on with a file that is there.
    """

    filename: str | os.PathLike[str]
    separator: str = ","
    append: bool = False

    writes = True

    def __post_init__(self) -> None:
        if len(self.separator) != 1 or self.separator in '\n\r"':
            raise UserError(
                f"the separator is {self.separator!r}", "CSVLogger", "give one sign, such as ';'"
            )

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Start the table, or read the columns of the one that is there."""
        path = Path(self.filename)
        if not (self.append and path.exists() and path.stat().st_size):
            write_atomically(path, b"")
        with path.open(newline="", encoding="utf-8") as file:
            self.columns = next(csv.reader(file, delimiter=self.separator), [])

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write a line."""
        row = {"epoch": epoch} | {name: _cell(value) for name, value in (logs or {}).items()}
        new = [name for name in ("epoch", *sorted(logs or {})) if name not in self.columns]
        if new:
            self._widen(new)
        with Path(self.filename).open("a", newline="", encoding="utf-8") as file:
            self._writer(file).writerow(row)

    def _widen(self, new: list[str]) -> None:
        path = Path(self.filename)
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter=self.separator))
        self.columns = [*self.columns, *new]
        text = io.StringIO(newline="")
        writer = self._writer(text)
        writer.writeheader()
        writer.writerows(rows)
        write_atomically(path, text.getvalue().encode())

    def _writer(self, file: Any) -> csv.DictWriter[str]:
        return csv.DictWriter(file, self.columns, restval="NA", delimiter=self.separator)


def _cell(value: Any) -> Any:
    return f"[{', '.join(map(str, np.ravel(value)))}]" if np.ndim(value) else value


@dataclass(eq=False)
class TensorBoard(Callback):
    """Writes the logs for TensorBoard: `tensorboard --logdir logs` shows them.

    Args:
        log_dir: folder; training and validation have one each in it.
        histogram_freq: after how many epochs to write the distribution of every weight; 0: never.
        update_freq: "epoch", "batch", or after how many batches to write the logs too.

    Raises:
        UserError: when training begins, if tensorboardX is not installed.
    """

    log_dir: str | os.PathLike[str] = "logs"
    histogram_freq: int = 0
    update_freq: str | int = "epoch"

    writes = True

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Open the folders."""
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise UserError(
                "TensorBoard needs tensorboardX, which is not installed",
                mend="pip install tensorboardX, or use CSVLogger",
            ) from error
        folder = Path(self.log_dir)
        self.writers = {part: SummaryWriter(str(folder / part)) for part in ("train", "validation")}
        self.batches = 0

    def hears(self, hook: str) -> bool:
        """Whether batches are written at all."""
        return self.update_freq != "epoch" and super().hears(hook)

    def listens(self, hook: str, batch: int) -> bool:
        """Whether it is time to write a batch's logs."""
        self.batches += 1
        return self.update_freq == "batch" or self.batches % int(self.update_freq) == 0

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Write a batch's logs."""
        for name, value in (logs or {}).items():
            self.writers["train"].add_scalar(f"batch_{name}", value, self.batches)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write an epoch's logs."""
        for name, value in (logs or {}).items():
            part = "validation" if name.startswith("val_") else "train"
            self.writers[part].add_scalar(f"epoch_{name.removeprefix('val_')}", value, epoch)
        rate = self.model.optimizer.learning_rate
        self.writers["train"].add_scalar("epoch_learning_rate", float(rate), epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            for weight in self.model.weights:
                self.writers["train"].add_histogram(weight.path, weight.numpy(), epoch)
        for writer in self.writers.values():
            writer.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the folders."""
        for writer in self.writers.values():
            writer.close()


class LambdaCallback(Callback):
    """A callback made of functions.

    Args:
        hooks: functions by the names of `Callback`'s hooks, with the hooks' arguments.

    Raises:
        UserError: if there is no hook of such a name.

    >>> show = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs))
    >>> show.on_epoch_end(0, {"loss": 1.0})
    0 {'loss': 1.0}
    """

    def __init__(self, **hooks: Callable[..., None] | None) -> None:
        known = [name for name in vars(Callback) if name.startswith("on_")]
        for name, function in hooks.items():
            if name not in known:
                raise unknown("hook", name, known)
            if function is not None:
                setattr(self, name, function)
