"""Callbacks that keep models and runs in files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from trasluz.callbacks.base import Callback, Logs
from trasluz.callbacks.watching import Monitor
from trasluz.errors import UserError
from trasluz.saving.checkpoints import load_checkpoint, save_checkpoint


@dataclass(eq=False)
class ModelCheckpoint(Monitor):
    """Saves the model, or its weights, after epochs or after so many batches.

    Args:
        filepath: the file; may hold `{epoch:02d}` and names of the logs, `{val_loss:.2f}`.
        monitor: the measure, for `save_best_only`.
        verbose: 1 to say what is saved.
        save_best_only: whether to save only when the measure is better than ever.
        save_weights_only: whether to save weights alone.
        mode: "min", "max", or "auto" to tell from the name.
        save_freq: "epoch", or after how many batches to save.
        initial_value_threshold: what has to be beaten first.

    Raises:
        UserError: if mode or `save_freq` are not known, or the path names what is not measured.
    """

    filepath: str | os.PathLike[str]
    monitor: str = "val_loss"
    verbose: int = 0
    save_best_only: bool = False
    save_weights_only: bool = False
    mode: str = "auto"
    save_freq: str | int = "epoch"
    initial_value_threshold: float | None = None

    min_delta = 0.0
    remembers: ClassVar[dict[str, str]] = {"best": "number?", "batches": "count"}
    writes = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.best = self.initial_value_threshold
        self.batches, self.epoch = 0, 0
        _check_often(self.save_freq, type(self).__name__)

    def hears(self, hook: str) -> bool:
        """Whether batches are counted at all."""
        return self.save_freq != "epoch" and super().hears(hook)

    def listens(self, hook: str, batch: int) -> bool:
        """Whether so many batches have gone by."""
        self.batches += 1
        return self.batches % int(self.save_freq) == 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Take note of the epoch."""
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Save when it is time."""
        self._save({"batch": batch + 1} | dict(logs or {}))

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save when it is time."""
        self.epoch = epoch
        if self.save_freq == "epoch":
            self._save(dict(logs or {}))

    def _save(self, logs: Logs) -> None:
        path = self._path(logs)
        if self.save_best_only:
            current = self.measured(logs)
            if current is not None and not self.is_better(current, self.best):
                self.say(self.epoch, f"{self.monitor} is not better than {self.best:.5f}")
                return
            self.best = self.best if current is None else current
        save = self.model.save_weights if self.save_weights_only else self.model.save
        save(path, overwrite=True)
        self.say(self.epoch, f"saved to {path}")

    def _path(self, logs: Logs) -> str:
        try:
            return os.fspath(self.filepath).format(**{**logs, "epoch": self.epoch + 1})
        except KeyError as error:
            raise UserError(
                f"the path {self.filepath!r} names {error}, which is not measured",
                type(self).__name__,
                f"use epoch, {', '.join(logs)}",
            ) from error


@dataclass(eq=False)
class BackupAndRestore(Callback):
    """Keeps a checkpoint while training runs; the next `fit` with it goes on bit for bit.

    A checkpoint holds weights, optimizer state, step, random key, the place in the epoch, the
    history and what other callbacks remember. It is written whole or not at all. After a
    keyboard interrupt one is written where training stood.

    Args:
        backup_dir: the file of the checkpoint, or a folder for it.
        save_freq: "epoch", or after how many batches to write one too.
        delete_checkpoint: whether to remove it when training has come to its end.

    Raises:
        UserError: if the checkpoint is of another network, optimizer, batch size or data, or not
            whole.
    """

    backup_dir: str | os.PathLike[str]
    save_freq: str | int = "epoch"
    delete_checkpoint: bool = True

    def __post_init__(self) -> None:
        _check_often(self.save_freq, type(self).__name__)

    @property
    def pause_every(self) -> int | None:
        """After how many batches a checkpoint is written too."""
        return None if self.save_freq == "epoch" else int(self.save_freq)

    @property
    def file(self) -> Path:
        """The file of the checkpoint; in a folder that exists it is given a name."""
        path = Path(self.backup_dir)
        return path / "checkpoint.trasluz" if path.is_dir() else path

    def resume(self, run: Any) -> bool:
        """Put a run where the checkpoint was, if there is one."""
        if not self.file.exists():
            return False
        run.go_to(*load_checkpoint(run.model, self.file, run.agree))
        return True

    def keep(self, run: Any, when: str) -> None:
        """Write a checkpoint if it is time: at an "epoch", a "batch", an "interrupt", the "end"."""
        if not run.leads:
            return
        if when == "batch" and (self.pause_every is None or run.batch % self.pause_every):
            return
        if when == "end" and self.delete_checkpoint:
            self.file.unlink(missing_ok=True)
            return
        run.store()
        save_checkpoint(run.model, self.file, *run.position())


def _check_often(freq: Any, where: str) -> None:
    """Make sure that something is saved at the end of epochs or after so many batches."""
    if freq != "epoch" and not (isinstance(freq, (int, np.integer)) and freq > 0):
        raise UserError(f"save_freq is {freq!r}", where, "give 'epoch' or a number of batches")
