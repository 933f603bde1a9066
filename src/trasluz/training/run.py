"""The run: epochs, with callbacks in between."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import warnings
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from trasluz import distribution
from trasluz.autodiff import backend
from trasluz.base.messages import say
from trasluz.base.tree import leaves
from trasluz.callbacks.listed import CallbackList
from trasluz.data.arrays import Arrays, Batch
from trasluz.data.reader import Reader
from trasluz.data.streams import Stream
from trasluz.errors import UserError
from trasluz.optimizers.base import optimizers_in
from trasluz.state.binding import read
from trasluz.state.registry import plain
from trasluz.training.engine import CompiledSteps, Engine
from trasluz.training.epoch import Epoch
from trasluz.training.feed import Feed
from trasluz.training.measure import measured, verbosity
from trasluz.training.objective import State
from trasluz.training.ready import Ready
from trasluz.training.state import TrainingState, array_shapes, refilled

# Before several processes train together, they compare about so many bytes of each array.
_LOOKED_AT = 2**24
# The models that were trained, each with what a thread holds as long as it does so.
_BUSY: weakref.WeakKeyDictionary[Any, threading.RLock] = weakref.WeakKeyDictionary()


class Run:
    """One call of fit.

    What keeps checkpoints knows `model`, `leads`, `batch`, `store`, `position`, `agree` and
    `go_to`.

    Args:
        model: what is trained.
        engine: "numpy", "xla", "auto"; `None` is what compile said.
        devices: those to split batches among, as in `fit`; `None` computes on one.
    """

    ready: Ready
    feed: Feed
    state: TrainingState
    listed: CallbackList
    epoch: Epoch
    asked: dict[str, Any] | None = None  # what the next run has to ask for too, to go on with this
    machine: dict[str, int] | None = None  # what sums are parted by

    def __init__(self, model: Any, engine: str | None, devices: Any = None) -> None:
        self.model, self.engine = model, Engine(model, engine, devices)
        self.number, self.epochs = 0, 1  # the epoch that is on, and the one before which to end

    def fit(
        self,
        data: Arrays | Stream,
        held_out: Arrays | Stream | None,
        batch_size: int | None,
        epochs: int,
        verbose: Any,
        callbacks: Any,
        shuffle: bool,
        initial_epoch: int,
        validation_batch_size: int | None,
        validation_freq: int,
        steps_per_epoch: int | None = None,
    ) -> Any:
        """Train; see `Model.fit`."""
        model, engine, measuring = self.model, self.engine, None
        with (
            _alone_on(model),
            contextlib.closing(Reader()) as reader,
            engine.together(lambda: self.number),
        ):
            self.feed = feed = Feed(
                data, batch_size, engine, reader, shuffle, steps_per_epoch, initial_epoch
            )
            if held_out is not None:
                held_size = validation_batch_size or batch_size
                measuring = Feed(held_out, held_size, engine, reader)
            sample = feed.sample()
            self.ready = Ready(model, sample)
            size, steps = feed.size or len(leaves(sample.x)[0]), feed.steps
            engine.try_out(self.ready, "train", sample, feed.size)
            if steps:
                engine.settle_auto(sample, size, steps * epochs)
            if measuring is not None:
                engine.try_out(self.ready, "test", measuring.sample(), measuring.size)
            level = verbosity(verbose)
            self.listed = listed = CallbackList(
                callbacks, add_history=True, add_progbar=level != 0, model=model,
                first=engine.leads, verbose=level, epochs=epochs, steps=steps,
            )  # fmt: skip
            history = model.history
            model.stop_training = False
            self.state, self.epochs = TrainingState(self.ready, engine), epochs
            self._begin(initial_epoch)
            if listed.keeps:
                self.machine = backend.threads()
            with engine.computing(sample, size):
                listed.on_train_begin()
                if listed.keeps:
                    self.asked = self._asked(shuffle)
                listed.resume(self)
                self.state.load()
                if engine.joint:
                    self._agree()
                if engine.moves_at is not None:
                    self._compile_ahead(sample, measuring)
                logs = self._train(measuring, validation_freq)
                listed.keep(self, "end")
                self.state.average()
                listed.on_train_end(logs)
            model.history = history  # a callback may have called fit
            return history

    def _begin(self, number: int, batch: int = 0, begun: int | None = None) -> None:
        """Have an epoch come next, from some batch on."""
        self.number, last = number, number + 1 >= self.epochs
        self.epoch = Epoch(
            self.ready, self.feed, self.state, self.listed, number, last, batch, begun
        )

    def _train(self, measuring: Feed | None, every: int) -> dict[str, Any]:
        """Train epoch by epoch: what the last one gave.

        Args:
            measuring: what to measure on.
            every: how many epochs lie between two measurements.
        """
        model, state, listed = self.model, self.state, self.listed
        logs: dict[str, Any] = {}
        while self.number < self.epochs and not model.stop_training:
            number = self.number
            listed.keep(self, "epoch")
            listed.on_epoch_begin(number)
            state.load()
            try:
                reached = self._pass()
                if reached is None:
                    break
                logs = reached
                state.store()
                if measuring is not None and (number + 1) % every == 0:
                    arrays = state.weights()
                    held_out = measured(self.ready, measuring, arrays, listed, number)
                    state.carry(arrays)
                    logs |= {f"val_{name}": value for name, value in held_out.items()}
            except BaseException as error:
                state.store()  # what was learnt so far stays with the model
                if isinstance(error, KeyboardInterrupt) or distribution.is_loss(error):
                    listed.keep(self, "interrupt")
                raise
            self._begin(number + 1)
            listed.on_epoch_end(number, logs)
            state.load()
        return logs

    def _pass(self) -> dict[str, Any] | None:
        """Take the steps of the epoch, or the rest of them: its logs; `None` if there are none."""
        epoch = self.epoch
        with contextlib.closing(epoch.steps()) as steps:
            for _ in steps:
                self._offer(epoch.batch - 1)
                if self.model.stop_training:
                    break
        if epoch.batch == 0 and epoch.broken is None:
            warnings.warn(
                f"the iterable is used up: training ends before epoch {self.number + 1}; give one "
                "that can start anew, or steps_per_epoch",
                stacklevel=5,
            )
            return None
        return epoch.logs()

    def _offer(self, batch: int) -> None:
        """Let callbacks see a batch; those that hear of every batch may change the model too."""
        state, listed = self.state, self.listed
        every = listed.wants_every_batch
        if every:
            state.store()
        listed.on_train_batch_end(batch, state.results)
        if every:
            state.load()
        listed.keep(self, "batch")

    def _compile_ahead(self, sample: Batch, measuring: Feed | None) -> None:
        """Let XLA compile in the background what the run needs: by calls that take no steps.

        Args:
            sample: the rows that were prepared for.
            measuring: what will be measured on.
        """
        ready, feed, arrays = self.ready, self.feed, self.state.arrays

        def act(engine: Engine) -> None:
            state, there = engine.put(arrays), feed.on(engine)
            CompiledSteps(engine, there.example(sample)).train(ready, state, 0, 0)
            if measuring is not None and isinstance(measuring.data, Arrays):
                weights, tests = {**state["params"], **state["buffers"]}, measuring.on(engine)
                steps = CompiledSteps(engine, tests.example(sample))
                steps.test(ready, engine.fresh(ready, "test"), 0, 0, weights)
                measuring.kept = tests.kept
            feed.kept = there.kept

        self.engine.compile_ahead(act)

    def _agree(self) -> None:
        """Make sure that all processes train the same: what differed would spoil all in silence."""
        model, feed, epoch = self.model, self.feed, self.epoch
        data, arrays, optimizer = feed.data, read(model), model.optimizer
        place = epoch.number, epoch.batch, epoch.begun, optimizer.iterations, feed.limit
        rows = leaves(tuple(data.sample())) if isinstance(data, Arrays) else []
        distribution.agree(
            {
                "settings": _digest(feed.size, self.epochs, feed.shuffle, *place, optimizer),
                "data": _digest(*rows),
                "weights": _digest(*arrays, *arrays.values(), model._root),
            }
        )

    @property
    def leads(self) -> bool:
        """Whether this process is the first of those that train together, or the only one."""
        return self.engine.leads

    @property
    def batch(self) -> int:
        """How many batches of the epoch are behind it."""
        return self.epoch.batch

    def store(self) -> None:
        """Put what the run has reached back into the model."""
        self.state.store()

    def position(self) -> tuple[dict[str, Any], State]:
        """Where the run is: plain data, and arrays."""
        remembered, arrays = self.listed.remembered()
        epoch = self.epoch
        place: dict[str, Any] = {"epoch": epoch.number, "batch": epoch.done, "begun": epoch.begun}
        metrics = backend.to_numpy(self.state.arrays["metrics"])
        place |= {"callbacks": remembered, "asked": self.asked, "machine": self.machine}
        return place, {"metrics": metrics, "callbacks": arrays}

    def _asked(self, shuffle: bool) -> dict[str, Any]:
        """Say what a run rests on: a checkpoint of another one is not gone on with."""
        model, feed = self.model, self.feed
        optimizer = plain(model.optimizer)
        others = {name: rule for name, rule in optimizers_in(model).items() if name != "optimizer"}
        rows = leaves(tuple(feed.data.sample())) if isinstance(feed.data, Arrays) else None
        return {
            "optimizer": optimizer["class_name"],
            **{f"optimizer's {k}": v for k, v in optimizer["config"].items() if k != "name"},
            **{name: _fixed(rule) for name, rule in others.items()},
            "loss": plain(model._compiled_with["loss"]),
            "batch size": feed.size,
            "shuffle": bool(shuffle),
            "rows": len(rows[0]) if rows else None,
            "data": _digest(*rows).hex() if rows else None,
        }

    def agree(self, position: dict[str, Any]) -> None:
        """Make sure that the run which a checkpoint was kept of asked for the same.

        Raises:
            UserError: if optimizer, loss, batch size or data are others; they are named.
        """
        before, now = position.get("asked"), dict(self.asked or {})
        if before is None:
            return  # it was written by version 0.1
        if self.model.optimizer.iterations:  # what trained before it was put back: callbacks
            now.pop("optimizer's learning_rate", None)  # may have moved it
        if before.get("optimizer") != now["optimizer"]:  # the name says enough
            now = {k: v for k, v in now.items() if not k.startswith("optimizer's")}
        told = [
            name if name == "data" else f"{name} ({before.get(name)!r:.60}, now {value!r:.60})"
            for name, value in now.items()
            if name not in before or before[name] != value
        ]
        if told:
            raise UserError(
                f"the checkpoint is of another training, with other {', '.join(told)}",
                mend="ask for the same to go on with it, or take another file to begin anew",
            )
        there, here = position.get("machine"), dict(self.machine or {})
        if there and there != here:
            was, is_now = (_counted(machine) for machine in (there, here))
            warnings.warn(say("machine-differs", before=was, now=is_now), stacklevel=2)

    def go_to(self, position: dict[str, Any], arrays: State) -> None:
        """Put the run where `position` was.

        Raises:
            UserError: if it is one that this run does not come to.
        """
        metrics, fresh = arrays.get("metrics", {}), self.ready.fresh()
        if array_shapes(metrics) != array_shapes(fresh):
            raise UserError(
                "the file holds other metrics than the model is compiled with",
                mend="compile it as it was, or begin anew",
            )
        self._begin(position["epoch"], position["batch"], position.get("begun"))
        self.state.load()
        self.state.arrays["metrics"] = self.engine.put(refilled(fresh, metrics))
        self.listed.remember(position["callbacks"], arrays.get("callbacks", {}))


@contextlib.contextmanager
def _alone_on(model: Any) -> Iterator[None]:
    """Keep other threads from training a model; a callback may, which is of the same thread.

    Raises:
        UserError: if another thread is at it.
    """
    lock = _BUSY.setdefault(model, threading.RLock())
    if not lock.acquire(blocking=False):
        raise UserError(
            "the model is being trained by another thread",
            model.name or "fit",
            "wait for it, or train a copy: models.clone_model(model)",
        )
    try:
        yield
    finally:
        lock.release()


def _fixed(rule: Any) -> dict[str, Any]:
    """Write down what of an optimizer no callback moves."""
    written = plain(rule)
    config = written["config"]
    return {"class_name": written["class_name"]} | {
        k: v for k, v in config.items() if k not in ("name", "learning_rate")
    }


def _counted(machine: dict[str, Any]) -> str:
    return f"{machine.get('cores')} / {machine.get('threads')}"


def _digest(*parts: Any) -> bytes:
    """Sum up values, and rows of arrays."""
    digest = hashlib.sha256(repr([a for a in parts if not hasattr(a, "shape")]).encode())
    for a in [np.atleast_1d(a) for a in parts if hasattr(a, "shape")]:
        digest.update(a[:: max(1, a.nbytes // _LOOKED_AT)].tobytes())
    return digest.digest()
