"""Callbacks that show or note how training goes: the history and the bar."""

from __future__ import annotations

import sys
import time
from typing import Any, ClassVar, TextIO

from trasluz.base.numbers import clock, duration, measure
from trasluz.callbacks.base import Callback, Logs
from trasluz.errors import visible


class History(Callback):
    """Records the logs of every epoch; `fit` returns one.

    Attributes:
        epoch: the numbers of the epochs.
        history: `{"loss": [one an epoch], ...}`.
    """

    remembers: ClassVar[dict[str, str]] = {"epoch": "counts", "history": "measures"}

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[Any]] = {}

    def set_model(self, model: Any) -> None:
        """Say which model the callback belongs to; the model knows its history."""
        self.model = model
        model.history = self

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget the numbers of epochs of an earlier training."""
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Record."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


class StatusLine:
    """A line that is written over while something goes on.

    Args:
        file: where it is; the program's output if not given.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self.file, self.width = file, 0

    @property
    def output(self) -> TextIO:
        """Where to print, looked up late: tests and notebooks exchange it."""
        return self.file or sys.stdout

    def show(self, text: str) -> None:
        """Write over what is shown."""
        text = visible(text, lines=False)
        self.write(("\r" if self.width else "") + text.ljust(self.width))
        self.width = len(text)

    def end(self, text: str | None = None) -> None:
        """Leave it as it stands, or with a last text."""
        if text is not None:
            self.show(text)
        self.write("\n")
        self.width = 0

    def write(self, text: str) -> None:
        """Write at once, whatever is shown."""
        self.output.write(text)
        self.output.flush()


class ProgbarLogger(Callback):
    """Prints progress: a bar with the time left (`verbose=1`) or one line an epoch (`verbose=2`).

    The bar moves ten times a second at most, and only on a terminal or in a notebook; elsewhere
    an epoch gets its last line alone.

    Args:
        file: where to print; the program's output if not given.
    """

    WIDTH = 20
    INTERVAL = 0.1

    every_batch = False

    def __init__(self, file: TextIO | None = None) -> None:
        self.file, self.line = file, StatusLine(file)
        self.verbose, self.epochs = 1, 1
        self.steps: int | None = None
        self.title, self.seen = "", 0
        self.in_fit = False
        self.began = self.shown = 0.0

    def set_params(self, params: Logs) -> None:
        """Take over how much to print, and how much there is to do."""
        self.params = params
        self.verbose = 1 if params.get("verbose") == "auto" else params.get("verbose", 1)
        self.epochs, self.steps = params.get("epochs", 1), params.get("steps")

    def hears(self, hook: str) -> bool:
        """Only a bar that moves needs batches."""
        return self.verbose == 1 and hook.endswith("batch_end") and hook != "on_batch_end"

    def listens(self, hook: str, batch: int) -> bool:
        """Whether it is time to move the bar."""
        if self.in_fit and "test" in hook:
            return False
        self.seen = batch + 1
        now = time.perf_counter()
        if now - self.shown < self.INTERVAL or not self.moves():
            return False
        self.shown = now
        return True

    def moves(self) -> bool:
        """Whether what is printed can be written over."""
        return self.line.output.isatty() or "ipykernel" in sys.modules

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """From here on, measuring is part of an epoch and stays silent."""
        self.in_fit = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Measuring after training has a line of its own."""
        self.in_fit = False

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Print which epoch begins."""
        self.title = f"Epoch {epoch + 1}/{self.epochs}"
        self._begin()
        if self.verbose == 1:
            self.line.end(self.title)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Move the bar."""
        self._show(batch + 1, logs or {})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Print an epoch's last line."""
        self._end(logs or {})

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Start anew, outside of training."""
        if not self.in_fit:
            self.title = "Measuring"
            self._begin()

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Move the bar."""
        self._show(batch + 1, logs or {})

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Print the last line, outside of training."""
        if not self.in_fit:
            self._end(logs or {})

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Start anew."""
        self.title = "Predicting"
        self._begin()

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Move the bar."""
        self._show(batch + 1, {})

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Print the last line."""
        self._end({})

    def _begin(self) -> None:
        self.began, self.seen, self.line = time.perf_counter(), 0, StatusLine(self.file)

    def _end(self, logs: Logs) -> None:
        if not self.verbose:
            return
        self.steps = self.steps or self.seen or None
        taken = time.perf_counter() - self.began
        each = [duration(taken / self.steps) + "/step"] if self.steps else []
        count = [f"{self.steps}/{self.steps}"] if self.steps else []
        if self.verbose == 1:
            head = " ".join([*count, "━" * self.WIDTH, f"{taken:.0f}s", *each])
            self.line.end(" - ".join([head, *_measures(logs)]))
        else:
            parts = [self.title, *count, f"{taken:.0f}s", *each, *_measures(logs)]
            self.line.end(" - ".join(parts))

    def _show(self, done: int, logs: Logs) -> None:
        each = (time.perf_counter() - self.began) / done
        if self.steps:
            full = self.WIDTH * done // self.steps
            bar = "━" * full + "╺" * (self.WIDTH - full)
            left = f"{clock(each * (self.steps - done))} left"
            head = f"{done:{len(str(self.steps))}d}/{self.steps} {bar} {left}"
        else:
            head = f"{done}"
        self.line.show(" - ".join([f"{head} {duration(each)}/step", *_measures(logs)]))


def _measures(logs: Logs) -> list[str]:
    return [f"{name}: {measure(value)}" for name, value in logs.items()]
