"""What happens between steps: looking, saving, stopping.

A callback hears when epochs and batches begin and end, and may look at and change the model
through `self.model`. Every callback hears every epoch; hooks for batches cost something only
where a callback has them, and their logs are worked out only for one that listens right now.
"""

from __future__ import annotations

import csv
import io
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from trasluz.errors import UserError, unknown
from trasluz.files import write_atomically

Logs = dict[str, Any]

BATCH_HOOKS = (
    "on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end",
    "on_test_batch_begin", "on_test_batch_end", "on_predict_batch_begin", "on_predict_batch_end",
)  # fmt: skip


class Callback:
    """Hears what training does: override the hooks of interest.

    Attributes:
        model: the model being trained; `model.stop_training = True` ends training.
        params: a dict with `verbose`, `epochs` and `steps`.
        writes: whether its hooks write files; of several processes only the first calls them.

    >>> class Print(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(epoch, logs["loss"])
    >>> CallbackList([Print()]).on_epoch_end(0, {"loss": 0.5})
    0 0.5
    """

    model: Any = None
    params: Any = None
    remembers: tuple[str, ...] = ()  # attributes that a checkpoint has to keep
    writes = False

    def set_model(self, model: Any) -> None:
        """Say which model the callback belongs to."""
        self.model = model

    def set_params(self, params: Logs) -> None:
        """Say how training was asked for."""
        self.params = params

    def hears(self, hook: str) -> bool:
        """Whether the callback does anything at a hook for batches, under this or an older name."""
        return overrides(self, hook) or overrides(self, hook.replace("on_train_batch", "on_batch"))

    def listens(self, hook: str, batch: int) -> bool:
        """Whether a batch is of interest; asked once before each hook that the callback hears."""
        return True

    def remembered(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Give what a checkpoint has to keep of the callback: plain data, and arrays by name.

        It is what `remembers` names; a list of arrays is kept as several.
        """
        plain: dict[str, Any] = {}
        arrays: dict[str, Any] = {}
        for name in self.remembers:
            value = getattr(self, name, None)
            if isinstance(value, list) and value and isinstance(value[0], np.ndarray):
                arrays |= {f"{name}.{i}": a for i, a in enumerate(value)}
            else:
                plain[name] = value
        return plain, arrays

    def remember(self, plain: dict[str, Any], arrays: dict[str, Any]) -> None:
        """Take up what a checkpoint kept."""
        for name, value in plain.items():
            setattr(self, name, value)
        lists: dict[str, dict[int, Any]] = {}
        for name, array in arrays.items():
            attribute, number = name.split(".")
            lists.setdefault(attribute, {})[int(number)] = array
        for attribute, parts in lists.items():
            setattr(self, attribute, [parts[i] for i in sorted(parts)])

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Training begins."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Training has ended; `logs` are those of the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """An epoch begins; the first is 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """An epoch has ended; names of what was measured on held-out data begin with `val_`."""

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """A training batch begins (older name)."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """A training batch has ended (older name)."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """A training batch begins."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """A training batch has ended; `logs` are means over the epoch so far."""
        self.on_batch_end(batch, logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Measuring begins."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Measuring has ended."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """A batch to measure begins."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """A batch has been measured."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Predicting begins."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Predicting has ended."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """A batch to predict begins."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """A batch has been predicted."""


def overrides(callback: Any, hook: str) -> bool:
    """Tell whether a callback has a hook of its own, in its class or set on the object."""
    own = callback.__dict__.get(hook) or getattr(type(callback), hook, None)
    return own is not None and own is not getattr(Callback, hook)


class CallbackList(Callback):
    """Several callbacks spoken to as one, in order; History and progress come last.

    Args:
        callbacks: a callback, or any nesting of lists of them.
        add_history: whether to record the logs of every epoch.
        add_progbar: whether to print progress.
        model: the model they belong to.
        first: whether this process is the first, or the only one, that trains the model.
        params: what `Callback.params` holds.

    Raises:
        UserError: if something in the list is not a callback.
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        first: bool = True,
        **params: Any,
    ) -> None:
        self.callbacks = [_Idle(c) if c.writes and not first else c for c in _flat(callbacks)]
        for cls, wanted in ((History, add_history), (ProgbarLogger, add_progbar)):
            if wanted and not any(isinstance(c, cls) for c in self.callbacks):
                self.callbacks.append(cls())
        self.set_params(params)
        if model is not None:
            self.set_model(model)

    def set_model(self, model: Any) -> None:
        """Say which model the callbacks belong to."""
        self.model = model
        for c in self.callbacks:
            if isinstance(c, History):
                model.history = c
            c.set_model(model)

    def set_params(self, params: Logs) -> None:
        """Say how training was asked for."""
        self.params = params
        for c in self.callbacks:
            c.set_params(params)
        self._hearers = {hook: [c for c in self.callbacks if c.hears(hook)] for hook in BATCH_HOOKS}

    @property
    def wants_every_batch(self) -> bool:
        """Whether any has a hook for batches that cannot do with hearing a few of them.

        The progress line can, and `TerminateOnNaN`, since a run itself stops at such a batch.
        """
        modest = (ProgbarLogger, TerminateOnNaN)
        return any(not isinstance(c, modest) for cs in self._hearers.values() for c in cs)

    def _batch(self, hook: str, batch: int, logs: Any) -> None:
        """Speak to those who listen; `logs` may be a function that works them out."""
        hearers = [c for c in self._hearers[hook] if c.listens(hook, batch)]
        if hearers and callable(logs):
            logs = logs()
        for c in hearers:
            getattr(c, hook)(batch, logs)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Training begins."""
        for c in self.callbacks:
            c.on_train_begin(logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Training has ended."""
        for c in self.callbacks:
            c.on_train_end(logs)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """An epoch begins."""
        for c in self.callbacks:
            c.on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """An epoch has ended; what a callback adds to the logs, those after it see."""
        logs = dict(logs or {})
        for c in self.callbacks:
            c.on_epoch_end(epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """A training batch begins."""
        self._batch("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """A training batch has ended."""
        self._batch("on_train_batch_end", batch, logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Measuring begins."""
        for c in self.callbacks:
            c.on_test_begin(logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Measuring has ended."""
        for c in self.callbacks:
            c.on_test_end(logs)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        """A batch to measure begins."""
        self._batch("on_test_batch_begin", batch, logs)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """A batch has been measured."""
        self._batch("on_test_batch_end", batch, logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Predicting begins."""
        for c in self.callbacks:
            c.on_predict_begin(logs)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Predicting has ended."""
        for c in self.callbacks:
            c.on_predict_end(logs)

    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
        """A batch to predict begins."""
        self._batch("on_predict_batch_begin", batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        """A batch has been predicted."""
        self._batch("on_predict_batch_end", batch, logs)


class _Idle(Callback):
    """Stands for one that writes files in another process, and hears of the same batches.

    Args:
        other: the callback.
    """

    def __init__(self, other: Callback) -> None:
        self.hears, self.listens = other.hears, other.listens  # type: ignore[method-assign]


def _flat(callbacks: Any) -> Iterable[Any]:
    if callbacks is None:
        return
    if isinstance(callbacks, (list, tuple)):
        for one in callbacks:
            yield from _flat(one)
    elif isinstance(callbacks, Callback):
        yield callbacks
    else:
        raise UserError(
            f"{callbacks!r} is not a callback", mend="give instances of classes made from Callback"
        )


# ----------------------------------------------------------------------------- seeing what happens


class History(Callback):
    """Records the logs of every epoch; `fit` returns one.

    Attributes:
        epoch: the numbers of the epochs.
        history: `{"loss": [one an epoch], ...}`.
    """

    remembers = ("epoch", "history")

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[Any]] = {}

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget the numbers of epochs of an earlier training."""
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Record."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


class ProgbarLogger(Callback):
    """Prints progress: a bar with the time left (`verbose=1`) or one line an epoch (`verbose=2`).

    The bar moves ten times a second at most, and only on a terminal or in a notebook; elsewhere
    an epoch gets its last line alone.

    Args:
        file: where to print; the program's output if not given.
    """

    WIDTH = 20
    INTERVAL = 0.1

    def __init__(self, file: TextIO | None = None) -> None:
        self.file = file
        self.verbose, self.epochs = 1, 1
        self.steps: int | None = None
        self.title, self.seen, self.shown_width = "", 0, 0
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
        return self.output.isatty() or "ipykernel" in sys.modules

    @property
    def output(self) -> TextIO:
        """Where to print, looked up late: tests and notebooks exchange it."""
        return self.file or sys.stdout

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
            self._write(f"{self.title}\n")

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
        self.began, self.seen, self.shown_width = time.perf_counter(), 0, 0

    def _end(self, logs: Logs) -> None:
        if not self.verbose:
            return
        self.steps = self.steps or self.seen or None
        taken = time.perf_counter() - self.began
        each = [duration(taken / self.steps) + "/step"] if self.steps else []
        count = [f"{self.steps}/{self.steps}"] if self.steps else []
        if self.verbose == 1:
            head = " ".join([*count, "━" * self.WIDTH, f"{taken:.0f}s", *each])
            self._line(" - ".join([head, *_measures(logs)]))
            self._write("\n")
        else:
            self._write(" - ".join([self.title, *count, f"{taken:.0f}s", *each, *_measures(logs)]))
            self._write("\n")

    def _show(self, done: int, logs: Logs) -> None:
        each = (time.perf_counter() - self.began) / done
        if self.steps:
            full = self.WIDTH * done // self.steps
            bar = "━" * full + "╺" * (self.WIDTH - full)
            left = f"{clock(each * (self.steps - done))} left"
            head = f"{done:{len(str(self.steps))}d}/{self.steps} {bar} {left}"
        else:
            head = f"{done}"
        self._line(" - ".join([f"{head} {duration(each)}/step", *_measures(logs)]))

    def _line(self, text: str) -> None:
        """Write over the line that is shown."""
        start = "\r" if self.shown_width else ""
        self._write(start + text.ljust(self.shown_width))
        self.shown_width = len(text)

    def _write(self, text: str) -> None:
        self.output.write(text)
        self.output.flush()


def _measures(logs: Logs) -> list[str]:
    return [f"{name}: {measure(value)}" for name, value in logs.items()]


def measure(value: Any) -> str:
    """Write a measured number with four digits.

    >>> measure(0.25), measure(0.00001234)
    ('0.2500', '1.2340e-05')
    """
    value = float(np.mean(value))
    return f"{value:.4f}" if abs(value) > 1e-3 or value == 0 else f"{value:.4e}"


def duration(seconds: float) -> str:
    """Write how long a step takes.

    >>> duration(2), duration(0.012), duration(0.000034)
    ('2s', '12ms', '34us')
    """
    if seconds >= 1:
        return f"{seconds:.0f}s"
    return f"{seconds * 1e3:.0f}ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us"


def clock(seconds: float) -> str:
    """Write a time to wait.

    >>> clock(5), clock(75), clock(3700)
    ('5s', '1:15', '1:01:40')
    """
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60
    if hours:
        return f"{hours}:{minutes % 60:02d}:{whole % 60:02d}"
    return f"{minutes}:{whole % 60:02d}" if minutes else f"{whole}s"


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


# ------------------------------------------------------------------------------ watching a measure

# Parts of the names of measures that are better when greater.
GREATER_IS_BETTER = (
    "acc", "auc", "precision", "recall", "f1", "fbeta", "f_beta", "r2", "iou", "sensitivity",
    "specificity", "true_positives", "true_negatives", "cosine_similarity",
)  # fmt: skip
SMALLER_IS_BETTER = (
    "loss", "error", "mse", "mae", "mape", "msle", "crossentropy", "divergence", "hinge", "poisson",
    "log_cosh", "huber", "false_positives", "false_negatives",
)  # fmt: skip


class Monitor(Callback):
    """A callback that watches one measure: it keeps the best value and knows what is better."""

    monitor: str
    mode: str
    min_delta: float
    best: float | None = None

    def __post_init__(self) -> None:
        if self.mode not in ("auto", "min", "max"):
            raise unknown("mode", self.mode, ("auto", "min", "max"))

    def greater_is_better(self) -> bool:
        """Tell which way is better.

        Raises:
            UserError: if the mode is "auto" and the measure's name does not tell.
        """
        if self.mode != "auto":
            return self.mode == "max"
        name = self.monitor.removeprefix("val_")
        if any(part in name for part in SMALLER_IS_BETTER):
            return False
        if any(part in name for part in GREATER_IS_BETTER):
            return True
        raise UserError(
            f"the name {self.monitor!r} does not tell whether more is better",
            type(self).__name__,
            "give mode='max' or mode='min'",
        )

    def is_better(self, value: float, than: float | None) -> bool:
        """Tell whether a value is better than another by more than `min_delta`."""
        if than is None:
            return True
        delta = abs(self.min_delta)
        return value - delta > than if self.greater_is_better() else value + delta < than

    def measured(self, logs: Logs | None) -> float | None:
        """Give the measure out of the logs; warns if it is not in them."""
        value = (logs or {}).get(self.monitor)
        if value is None:
            warnings.warn(
                f"{type(self).__name__} watches {self.monitor!r}, which is not measured. "
                f"Measured are: {', '.join(logs or {})}",
                stacklevel=2,
            )
            return None
        return float(value)

    def say(self, epoch: int, text: str) -> None:
        """Print what was done, if that is wanted."""
        if self.verbose:
            print(f"\nEpoch {epoch + 1}: {text}")

    verbose: int


@dataclass(eq=False)
class EarlyStopping(Monitor):
    """Stops when a measure has not become better for `patience` epochs.

    Args:
        monitor: the measure.
        min_delta: how much better counts as better.
        patience: how many epochs to wait.
        verbose: 1 to say when it stops.
        mode: "min", "max", or "auto" to tell from the name.
        baseline: what has to be beaten for waiting to start anew.
        restore_best_weights: whether the model gets the weights of its best epoch back.
        start_from_epoch: how many epochs to leave out at first.

    Raises:
        UserError: if the mode is not known.
    """

    monitor: str = "val_loss"
    min_delta: float = 0
    patience: int = 0
    verbose: int = 0
    mode: str = "auto"
    baseline: float | None = None
    restore_best_weights: bool = False
    start_from_epoch: int = 0

    stopped_epoch: int = field(default=0, init=False)

    remembers = ("wait", "best", "best_weights", "best_epoch", "stopped_epoch")
    best_weights: Any = field(default=None, init=False, repr=False)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget an earlier training."""
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best, self.best_weights = None, None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Look at the measure."""
        current = self.measured(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        better = self.is_better(current, self.best)
        if self.restore_best_weights and (better or self.best_weights is None):
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        if better:
            self.best, self.best_epoch = current, epoch
            if self.is_better(current, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Give the best weights back."""
        if self.stopped_epoch:
            self.say(self.stopped_epoch, "early stopping")
        if self.best_weights is not None:
            self.say(self.best_epoch, "its weights are restored, they were the best")
            self.model.set_weights(self.best_weights)


@dataclass(eq=False)
class PruneTrial(Callback):
    """Reports a measure to a trial of Optuna's, and ends it where its pruner finds it hopeless.

    Args:
        trial: Optuna's trial.
        monitor: the measure.
        every: after how many epochs; each report is written to the study's storage.

    Raises:
        optuna.TrialPruned: out of `fit`, for Optuna to hear.
    """

    trial: Any
    monitor: str = "val_loss"
    every: int = 1

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Report, and ask."""
        value = (logs or {}).get(self.monitor)
        if value is None or (epoch + 1) % self.every:
            return
        self.trial.report(float(value), epoch)
        if self.trial.should_prune():
            from optuna import TrialPruned

            raise TrialPruned


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
    remembers = ("best", "batches")
    writes = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.best = self.initial_value_threshold
        self.batches, self.epoch = 0, 0
        if self.save_freq != "epoch" and not (
            isinstance(self.save_freq, int) and self.save_freq > 0
        ):
            raise UserError(
                f"save_freq is {self.save_freq!r}",
                type(self).__name__,
                "give 'epoch' or a number of batches",
            )

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
class ReduceLROnPlateau(Monitor):
    """Multiplies the learning rate by a factor when a measure has not become better for long.

    Args:
        monitor: the measure.
        factor: the factor, below 1.
        patience: how many epochs to wait.
        verbose: 1 to say when it acts.
        mode: "min", "max", or "auto" to tell from the name.
        min_delta: how much better counts as better.
        cooldown: how many epochs to rest after having acted.
        min_lr: the least learning rate.

    Raises:
        UserError: if the factor is not below 1 or the mode is not known.
    """

    monitor: str = "val_loss"
    factor: float = 0.1
    patience: int = 10
    verbose: int = 0
    mode: str = "auto"
    min_delta: float = 1e-4
    cooldown: int = 0
    min_lr: float = 0.0

    remembers = ("best", "wait", "resting")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.factor >= 1:
            raise UserError(f"factor is {self.factor}", type(self).__name__, "give less than 1")

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget an earlier training."""
        self.best, self.wait, self.resting = None, 0, 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Look at the measure, and log the learning rate."""
        optimizer = self.model.optimizer
        if logs is not None:
            logs["learning_rate"] = float(optimizer.learning_rate)
        current = self.measured(logs)
        if current is None:
            return
        if self.resting:
            self.resting, self.wait = self.resting - 1, 0
        if self.is_better(current, self.best):
            self.best, self.wait = current, 0
            return
        if self.resting:
            return
        self.wait += 1
        rate = float(optimizer.learning_rate)
        if self.wait >= self.patience and rate > self.min_lr:
            optimizer.learning_rate = max(rate * self.factor, self.min_lr)
            self.resting, self.wait = self.cooldown, 0
            self.say(epoch, f"learning rate reduced to {optimizer.learning_rate}")


@dataclass(eq=False)
class LearningRateScheduler(Callback):
    """Sets the learning rate at the beginning of each epoch.

    Args:
        schedule: function of the epoch, or of epoch and learning rate so far.
        verbose: 1 to say what is set.

    Raises:
        UserError: during training, if the function does not give a number.
    """

    schedule: Callable[..., float]
    verbose: int = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Set the learning rate."""
        optimizer = self.model.optimizer
        before = float(optimizer.learning_rate)
        rate = self.schedule(epoch, before) if takes_two(self.schedule) else self.schedule(epoch)
        if isinstance(rate, bool) or not isinstance(rate, (int, float, np.number)):
            raise UserError(
                f"the schedule gave {rate!r} for epoch {epoch}",
                type(self).__name__,
                "return a number",
            )
        optimizer.learning_rate = float(rate)
        if self.verbose:
            print(f"\nEpoch {epoch + 1}: learning rate set to {float(rate)}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Log the learning rate."""
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


def takes_two(f: Callable[..., Any]) -> bool:
    """Tell whether a function can be called with two positional arguments."""
    import inspect

    try:
        inspect.signature(f).bind(0, 0.0)
    except TypeError:
        return False
    return True


@dataclass(eq=False)
class TerminateOnNaN(Callback):
    """Stops training when the loss of a batch is not a finite number.

    Args:
        raise_error: whether to raise instead of stopping quietly.

    Raises:
        RuntimeError: during training, if asked for.
    """

    raise_error: bool = False

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Look at the loss."""
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(f"the loss is {loss} at batch {batch}")
        print(f"Batch {batch}: the loss is {loss}, training stops")
        self.model.stop_training = True


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
        UserError: if the checkpoint is of another network, or not whole.
    """

    backup_dir: str | os.PathLike[str]
    save_freq: str | int = "epoch"
    delete_checkpoint: bool = True

    @property
    def file(self) -> Path:
        """The file of the checkpoint; in a folder that exists it is given a name."""
        path = Path(self.backup_dir)
        return path / "checkpoint.trasluz" if path.is_dir() else path

    def resume(self, run: Any) -> bool:
        """Put a run where the checkpoint was, if there is one."""
        from trasluz import saving

        if not self.file.exists():
            return False
        run.go_to(*saving.load_checkpoint(run.model, self.file))
        return True

    def keep(self, run: Any, when: str) -> None:
        """Write a checkpoint if it is time: at an "epoch", a "batch", an "interrupt", the "end"."""
        from trasluz import saving

        if not run.first:
            return
        if when == "batch" and (self.save_freq == "epoch" or run.batch % int(self.save_freq)):
            return
        if when == "end" and self.delete_checkpoint:
            self.file.unlink(missing_ok=True)
            return
        run.store()
        saving.save_checkpoint(run.model, self.file, *run.position())
