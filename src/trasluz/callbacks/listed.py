"""The callbacks of a run, called as one."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from trasluz.base.naming import unique
from trasluz.base.tree import leaves
from trasluz.callbacks.base import BATCH_HOOKS, Callback, Logs, overrides
from trasluz.callbacks.progress import History, ProgbarLogger
from trasluz.errors import UserError, shown


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
        self.forgives = any(c.forgives for c in self.callbacks)
        self.set_params(params)
        if model is not None:
            self.set_model(model)

    def set_model(self, model: Any) -> None:
        """Say which model the callbacks belong to."""
        self.model = model
        for c in self.callbacks:
            c.set_model(model)

    def set_params(self, params: Logs) -> None:
        """Say how training was asked for."""
        self.params = params
        for c in self.callbacks:
            c.set_params(params)
        self._hearers = {hook: [c for c in self.callbacks if c.hears(hook)] for hook in BATCH_HOOKS}

    @property
    def wants_every_batch(self) -> bool:
        """Whether any has a hook for batches that cannot do with hearing a few of them."""
        return any(c.every_batch for cs in self._hearers.values() for c in cs)

    def next_stop(self, batch: int) -> int:
        """Say before which batch a compiled call that begins with some batch has to end."""
        if self.wants_every_batch:
            return batch + 1
        often = [c.pause_every for c in self.callbacks]
        return min([(batch // n + 1) * n for n in often if n], default=sys.maxsize)

    @property
    def _by_name(self) -> dict[str, Callback]:
        """Name callbacks by class and turn: a run that goes on need not have all of them."""
        taken: set[str] = set()
        return {unique(type(c).__name__, taken): c for c in self.callbacks}

    def remembered(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Give what a checkpoint has to keep of each, by name: plain data, and arrays."""
        plain, arrays = {}, {}
        for name, c in self._by_name.items():
            plain[name], arrays[name] = c.remembered()
        return plain, arrays

    def remember(self, plain: dict[str, Any], arrays: dict[str, Any]) -> None:
        """Take up what a checkpoint kept."""
        for name, c in self._by_name.items():
            c.remember(plain.get(name, {}), arrays.get(name, {}))

    @property
    def keeps(self) -> bool:
        """Whether any keeps checkpoints of the run."""
        return any(overrides(c, "keep") for c in self.callbacks)

    def resume(self, run: Any) -> None:
        """Training has begun: any may put it where an earlier one was."""
        for c in self.callbacks:
            c.resume(run)

    def keep(self, run: Any, when: str) -> None:
        """All have heard of what happened: each may write a checkpoint."""
        for c in self.callbacks:
            c.keep(run, when)

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
        self.every_batch, self.forgives = other.every_batch, other.forgives


def _flat(callbacks: Any) -> Iterable[Any]:
    for one in leaves(callbacks):
        if not isinstance(one, Callback):
            what = f"{shown(one)} is not a callback"
            raise UserError(what, mend="give instances of classes made from Callback")
        yield one
