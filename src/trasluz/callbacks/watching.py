"""Callbacks that watch a number and act on it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from trasluz.callbacks.base import Callback, Logs
from trasluz.errors import MISFITS, UserError, is_misfit, misfit, unknown, visible
from trasluz.metrics.lookup import GREATER_IS_BETTER, SMALLER_IS_BETTER
from trasluz.saving.kinds import wrong


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
        name = f"_{self.monitor.removeprefix('val_')}".lower()
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
            print(visible(f"\nEpoch {epoch + 1}: {text}"))

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

    remembers: ClassVar[dict[str, str]] = {
        "wait": "count", "best": "number?", "best_weights": "arrays?", "best_epoch": "count",
        "stopped_epoch": "count",
    }  # fmt: skip
    best_weights: Any = field(default=None, init=False, repr=False)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget an earlier training, and see that there is a way to be better."""
        self.greater_is_better()
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best, self.best_weights = None, None

    def remember(self, plain: dict[str, Any], arrays: dict[str, Any]) -> None:
        """Take up what a checkpoint kept; the best weights have to fit the model."""
        super().remember(plain, arrays)
        if self.best_weights is not None:
            own, kept = (
                [w.shape for w in ws] for ws in (self.model.get_weights(), self.best_weights)
            )
            if own != kept:
                raise wrong(
                    "the best weights in the file do not fit the model", type(self).__name__
                )

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

    remembers: ClassVar[dict[str, str]] = {"best": "number?", "wait": "count", "resting": "count"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.factor >= 1:
            raise UserError(f"factor is {self.factor}", type(self).__name__, "give less than 1")

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget an earlier training, and see that there is a way to be better."""
        self.greater_is_better()
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
        try:
            both = takes_two(self.schedule)
            rate = self.schedule(epoch, before) if both else self.schedule(epoch)
        except MISFITS as error:
            if not is_misfit(error):
                raise
            what, mend = "the schedule fails", "let it take the epoch, and the learning rate before"
            raise misfit(error, what, type(self).__name__, mend) from error
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

    every_batch = False  # a run itself stops at such a batch
    forgives = True

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Look at the loss."""
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(f"the loss is {loss} at batch {batch}")
        print(f"Batch {batch}: the loss is {loss}, training stops")
        self.model.stop_training = True
