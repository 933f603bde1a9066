"""The base of all callbacks: what they hear of, and when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from trasluz.base.arguments import Checked
from trasluz.saving.kinds import require, wrong

Logs = dict[str, Any]

BATCH_HOOKS = (
    "on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end",
    "on_test_batch_begin", "on_test_batch_end", "on_predict_batch_begin", "on_predict_batch_end",
)  # fmt: skip


class Callback(Checked):
    """Hears what training does: override the hooks of interest.

    Attributes:
        model: the model being trained; `model.stop_training = True` ends training.
        params: a dict with `verbose`, `epochs` and `steps`.
        writes: whether its hooks write files; of several processes only the first calls them.
        every_batch: whether its hooks for batches have to hear of each; else a few of them do.
        forgives: whether numbers that are not finite end training without an error.
        remembers: the attributes that a checkpoint keeps, with the kind of each (a key of
            `saving.kinds.KINDS`); of names alone any plain data are taken up. A file that was
            forged can set them to anything of the kind: never name a path, or what is run.

    >>> class Print(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(epoch, logs["loss"])
    >>> from trasluz.callbacks import CallbackList
    >>> CallbackList([Print()]).on_epoch_end(0, {"loss": 0.5})
    0 0.5
    """

    model: Any = None
    params: Any = None
    remembers: ClassVar[Mapping[str, str] | tuple[str, ...]] = ()
    writes = False
    every_batch = True
    forgives = False

    @property
    def pause_every(self) -> int | None:
        """After how many batches `keep` is to be called; `None` for whenever a run comes to it."""
        return None

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
        """Take up what a checkpoint kept.

        Raises:
            UserError: if it is not what `remembers` declares.
        """
        declared, own = self.remembers, type(self).__name__
        if not isinstance(declared, Mapping):
            declared = dict.fromkeys(declared, "plain")
        lists: dict[str, list[Any]] = {}
        for name in sorted(arrays, key=lambda name: (len(name), name)):  # .2 before .10
            attribute, _, _ = name.rpartition(".")
            if declared.get(attribute, "").removesuffix("?") not in ("arrays", "plain"):
                raise wrong(f"the file holds arrays {name!r}, which do not belong there", own)
            if not hasattr(arrays[name], "shape"):
                raise wrong(f"the file holds more than an array in {name!r}", own)
            lists.setdefault(attribute, []).append(arrays[name])
        for name, value in (require(declared, plain, own) | lists).items():
            setattr(self, name, value)

    def resume(self, run: Any) -> Any:
        """Training has begun: the callback may put it where an earlier one was.

        Args:
            run: what trains: it has `model`, `agree(position)` and `go_to(position, arrays)`.
        """

    def keep(self, run: Any, when: str) -> None:
        """All callbacks have heard of what happened: a checkpoint may be written.

        Args:
            run: what trains: it has `model`, `batch`, `first`, `store()` and `position()`.
            when: before an "epoch", after a "batch", at an "interrupt", at the "end".
        """

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
