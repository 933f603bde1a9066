"""The run: the pure steps driven over data, on an engine, with callbacks in between."""

from __future__ import annotations

import contextlib
import contextvars
import copy
import hashlib
import math
import sys
import time
import warnings
from collections.abc import Callable, Generator, Iterator
from typing import Any

import numpy as np

from trasluz import callbacks, distribution
from trasluz.autodiff import backend, random
from trasluz.base.naming import unique
from trasluz.base.tree import leaves, tree_map
from trasluz.data import blocks
from trasluz.data.arrays import Arrays, Batch
from trasluz.data.blocks import Block
from trasluz.data.reader import Reader
from trasluz.data.streams import Stream
from trasluz.errors import UserError, unknown
from trasluz.state.binding import read
from trasluz.state.holder import handles, holders
from trasluz.state.registry import Configurable
from trasluz.training.cost import Work, work
from trasluz.training.finite import NonFiniteError, all_finite, checked, diagnose
from trasluz.training.fold import find_fold, test_fold, train_fold
from trasluz.training.objective import State, spread
from trasluz.training.step import initial, predict_step, test_step, train_step

# "auto" takes XLA when NumPy would need more than so many seconds for what is ahead. It trains on
# NumPy for so many of them first, while XLA compiles. They are worked out, not measured: when a
# run moves over must not depend on the clock, or it could not be repeated bit for bit.
_WORTH_COMPILING = 2.0
_HEAD_START = 0.5
# A compiled call takes as many steps as fit into so many seconds: between calls a run listens.
_CALL_SECONDS = 0.2
# Data up to so many bytes are kept where XLA computes.
_KEPT_BYTES = 2**31
# Before several processes train together, they compare about so many bytes of each array.
_LOOKED_AT = 2**24
# Attributes of a model that a compiled step does not depend on.
_MOVING = ("optimizer", "history", "stop_training", "built")
_CALMER = "lower the learning rate, clip the gradients (clipnorm=1.0), or scale the inputs"


class Run:
    """One call of fit, evaluate or predict.

    Args:
        model: what runs.
        engine: "numpy", "xla", "auto"; `None` is what compile said.
        devices: those to split batches among, as in `fit`; `None` computes on one.
    """

    def __init__(self, model: Any, engine: str | None, devices: Any = None) -> None:
        self.model = model
        self.walk = model._walked()  # its paths too: a layer may lie in another model since
        self.asked = model._engine if engine is None else engine
        if self.asked not in ("auto", *backend.ENGINES):
            raise unknown("engine", self.asked, ("auto", *backend.ENGINES))
        if devices is not None:
            if self.asked == "numpy":
                raise UserError(
                    "the engine 'numpy' computes on one device, and devices were given",
                    mend="leave devices out, or use engine='xla'",
                )
            self.asked = backend.spread(devices)
        self.engine = self.asked if self.asked != "auto" else "numpy"
        self.moves: int | None = None  # before which step of the model a run goes over to XLA
        self.ahead: Any = None  # what XLA gets ready until then
        self.work: Work | None = None  # what a forward pass does, once it is asked for
        self.joint = devices is not None and distribution.process_count() > 1
        self.first = not self.joint or distribution.process_index() == 0
        self.target: Any = None
        self.listed: Any = None
        self.epoch, self.batch, self.epochs = 0, 0, 1
        self.begun: int | None = None  # the step at which the epoch began
        self.limit: int | None = None  # how many batches an epoch has at most
        self.state: State = {}
        self.known: list[Any] = []  # what the model holds, as the run left it
        self.programs: dict[str, Any] = {}
        self.shapes: list[Any] = []  # of a row, where steps are asked for one by one
        self.outputs: list[tuple[int, ...]] = []  # the shapes of a row's outputs
        self.dtype: str | None = None  # the floating type of the weights, once it is asked for
        self.empty: State | None = None  # the trackers' arrays before anything was seen
        self.orders: dict[int, np.ndarray] = {}  # that of one epoch, by the step it begins at
        self.counts: dict[str, int] = {}  # how many steps a compiled call takes
        self.placed: dict[int, Batch] = {}  # data where XLA computes
        self.initial = 0  # the epoch that training began with
        self.reader: Reader | None = None
        self.streams: list[Stream] = []

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *error: Any) -> None:
        """End the thread that reads, and what it began."""
        if self.reader:
            self.reader.close(self.streams)

    # ------------------------------------------------------------------------------------- pieces

    def _worth_compiling(self, batch: Batch, size: int, steps: int) -> bool:
        """Settle "auto": whether XLA is worth it, and before which step to go over to it.

        Args:
            batch: rows to look at.
            size: how many rows a step takes.
            steps: how many steps there are.
        """
        if self.asked == "auto" and backend.has_xla():
            seconds = self._work(batch).seconds(size)
            if seconds * steps > _WORTH_COMPILING:
                self.moves = math.ceil(_HEAD_START / seconds)
        return self.moves is not None

    def _work(self, batch: Batch) -> Work:
        """Count what a forward pass does, once."""
        if self.work is None:
            self.work = work(self.model, tree_map(lambda a: a[:2], batch.x))
        return self.work

    @contextlib.contextmanager
    def _computing(self, batch: Batch, size: int) -> Iterator[None]:
        """Compute: numbers that break are told by the run, NumPy's threads suit the work.

        Args:
            batch: rows to look at.
            size: how many rows a step takes.
        """
        numpy = self.engine == "numpy"
        largest = self._work(batch).largest * size if numpy else math.inf
        with np.errstate(all="ignore"), backend.blas_threads(largest):
            yield

    def _get_ready(
        self,
        data: Arrays | Stream,
        first: Batch,
        size: int,
        shuffle: bool,
        held_out: Any,
        held_size: int | None,
    ) -> None:
        """Let XLA compile in the background what the run needs: by calls that take no steps."""
        from concurrent.futures import ThreadPoolExecutor

        twin = copy.copy(self)
        twin.programs, twin.placed, twin.counts, twin.empty = {}, {}, {}, None
        twin.engine = "xla"

        def block(data: Arrays | Stream, size: int, shuffle: bool) -> Block:
            if isinstance(data, Arrays) and twin._stays(data):
                order = np.arange(len(data)) if shuffle else None
                return twin._placed(blocks.whole(data, size, order, 0, 0), data)
            return twin._placed(blocks.example(data, first, size, shuffle))

        def compile_all() -> Run:
            twin.state = backend.to_engine(twin.state, twin.engine)
            twin._train_calls(Calls(twin, block(data, size, shuffle)), 0, 0)
            if isinstance(held_out, Arrays):
                arrays = {**twin.state["params"], **twin.state["fixed"]}
                calls = Calls(twin, block(held_out, _batch_size(held_size, held_out), False))
                twin._test_calls(calls, twin._fresh(), 0, 0, arrays)
            return twin

        pool = ThreadPoolExecutor(1, "compile")
        self.ahead = pool.submit(contextvars.copy_context().run, compile_all)
        pool.shutdown(wait=False)

    def _move(self) -> None:
        """Go over to XLA, once it is ready; stay where it cannot compile this model."""
        try:
            placed = self.ahead.result().placed if self.ahead else {}
        except Exception as error:
            said = str(error).strip().split("\n")[0]
            warnings.warn(
                f"XLA cannot take over, NumPy goes on ({type(error).__name__}: {said}); "
                'engine="numpy" says so from the start, engine="xla" shows the whole error',
                stacklevel=2,
            )
            self.moves = None
            return
        self.store()
        self.engine, self.programs, self.placed, self.empty = "xla", {}, placed, None
        self.state = backend.to_engine(self.state, self.engine)

    def _program(self, kind: str, make: Any) -> Any:
        """Give a compiled step, kept as long as nothing that it was made from changes."""
        if kind not in self.programs:
            if self.engine == "numpy":
                return self.programs.setdefault(kind, make())
            programs = self.model._programs
            key, functions = self._fingerprint(kind)
            if (kind, self.engine, key) not in programs:
                made = backend.compiled(make(), self.engine), functions
                programs[kind, self.engine, key] = made
            self.programs[kind] = programs[kind, self.engine, key][0]
        return self.programs[kind]

    def _fingerprint(self, kind: str) -> tuple[str, list[Any]]:
        """Everything a compiled step depends on beside arrays, and the functions among it.

        Functions are told apart by their identity, so they have to be kept alive.
        """
        model, functions = self.model, []

        def mark(value: Any) -> str:
            if isinstance(value, Configurable):
                own = {k: v for k, v in vars(value).items() if k[:1] != "_"}
                plain = {k: mark(v) for k, v in own.items() if not hasattr(v, "shape")}
                return f"{type(value).__name__} {plain}"
            if callable(value):
                functions.append(value)
                return f"{value!r} {id(value)}"
            return repr(value)

        parts = [
            [
                type(h).__qualname__,
                {
                    name: [mark(v) for v in leaves(value)]
                    for name, value in dict(vars(h)).items()  # a copy: training goes on meanwhile
                    if name[:1] != "_" and not hasattr(value, "shape") and name not in _MOVING
                },
            ]
            for h in holders(model)
        ]
        frozen = [(v.path, v.trainable) for v in handles(model)]
        how = {k: v for k, v in model._compiled_with.items() if k != "optimizer"}
        goal = [] if kind == "predict" else [mark(v) for v in leaves(list(how.values()))]
        rule: Any = None
        if kind != "predict" and not kind.startswith("test"):
            rule = {k: v for k, v in vars(model.optimizer).items() if k[:1] != "_"}
            rule.pop("iterations", None)
            rule["schedule"] = mark(model.optimizer._learning_rate) if self._rate() is None else ""
        return repr([parts, frozen, goal, type(model.optimizer).__name__, rule]), functions

    def _prepare(self, batch: Batch) -> None:
        """Build and resolve what depends on the shapes of data."""
        model = self.model
        model._require_built(batch.x)
        model._check_shape(batch.x)
        self.target = model._target()
        few = tree_map(lambda a: a[:2], batch.x)
        with np.errstate(all="ignore"):
            p = leaves(predict_step(model)(read(model), few))
        self.outputs = [output.shape[1:] for output in p]
        self._check_targets(batch)
        none = np.zeros((0,))
        y = spread(batch.y, self.target.names, "y")
        self.target.prepare([none if t is None else t for t in y], p)

    def _check_targets(self, batch: Batch) -> None:
        from trasluz import losses

        rows, y = len(leaves(batch.x)[0]), spread(batch.y, self.target.names, "y")
        for name, target, output, loss in zip(
            self.target.names, y, self.outputs, self.target.losses, strict=True
        ):
            if target is None or loss is None:
                continue
            shape = (rows, *output)
            if isinstance(loss, losses.SparseCategoricalCrossentropy):
                classes = output[-1]
                numbers = np.asarray(target)
                skip = loss.ignore_class
                numbers = numbers if skip is None else numbers[numbers != skip]
                if numbers.dtype.kind == "f" and not np.all(numbers == np.floor(numbers)):
                    raise UserError(
                        "some class numbers are missing or have decimals",
                        name,
                        "leave rows without a class out, and number classes 0, 1, 2, …",
                    )
                if numbers.size and (numbers.min() < 0 or numbers.max() >= classes):
                    raise UserError(
                        f"class numbers go from {numbers.min()} to {numbers.max()}, "
                        f"the output has {classes} units",
                        name,
                        "number classes from 0, and give the last layer one unit a class",
                    )
            elif isinstance(loss, losses.Loss) and not _alike(target.shape, shape):
                raise UserError(
                    f"targets of shape {target.shape} were given, the output has {shape}",
                    name,
                    "give the last layer as many units as the targets have columns, or use "
                    "'sparse_categorical_crossentropy' for class numbers",
                )

    def _start(self) -> None:
        """Gather the state to start from: the model's arrays, the optimizer's, the trackers'."""
        model = self.model
        if model._root is None:
            model._root = random.next_key()
        state = initial(model, model.optimizer, model._root)
        kept = model._slots
        if kept is not None and _shapes(kept) == _shapes(state["slots"]):
            state["slots"] = kept
        state["step"] = np.asarray(model.optimizer.iterations, np.int32)
        state["metrics"] = self.target.fresh()
        if self.engine != "numpy":
            state = backend.to_engine(state, self.engine)
        self.state = state
        self.walk = model._walked()
        self.known = self._held()

    def _rate(self) -> Any:
        """The learning rate to hand to a step; `None` where a schedule works it out inside."""
        optimizer = self.model.optimizer
        if optimizer.scheduled:
            return None
        number = optimizer.learning_rate
        if self.engine == "numpy":
            return number
        self.dtype = self.dtype or self.model._dtype()
        return np.asarray(number, self.dtype)

    def store(self) -> None:
        """Put what the run has reached back into the model."""
        state = backend.to_numpy({k: self.state[k] for k in ("params", "fixed", "slots", "step")})
        arrays = {**state["params"], **state["fixed"]}
        for weight in self.walk.weights:
            weight.holder.__dict__[weight.attribute] = arrays[weight.path]
        self.model._slots = state["slots"]
        self.model.optimizer.iterations = int(state["step"])
        self.known = self._held()

    def load(self) -> None:
        """Take up what callbacks changed in the model (restored weights, resumed state)."""
        if self._changed():
            metrics = self.state["metrics"]
            self._start()
            self.state["metrics"] = metrics

    def _held(self) -> list[Any]:
        """List what the model holds: arrays, and what says which of them move."""
        model = self.model
        walk = self.walk
        arrays = [weight.value for weight in walk.weights]
        moving = [part.trainable for part in walk.parts] + [w.spec.trainable for w in walk.weights]
        return [*arrays, model._slots, model._root, model.optimizer.iterations, *moving]

    def _changed(self) -> bool:
        """Tell whether the model is no longer what the run left there."""
        held = self._held()
        if len(held) != len(self.known) or any(
            a is not b for a, b in zip(held, self.known, strict=True)
        ):
            return True
        if self.engine == "numpy":  # the run's arrays are the model's own
            return False
        ours = {**self.state["params"], **self.state["fixed"]}
        return not all(np.array_equal(w.value, ours[w.path]) for w in self.walk.weights)

    # ------------------------------------------------------------------------------------ training

    def fit(
        self,
        data: Arrays | Stream,
        held_out: Arrays | Stream | None,
        batch_size: int | None,
        epochs: int,
        verbose: Any,
        given_callbacks: Any,
        shuffle: bool,
        initial_epoch: int,
        validation_batch_size: int | None,
        validation_freq: int,
        steps_per_epoch: int | None = None,
    ) -> Any:
        """Train; see `Model.fit`."""
        model = self.model
        size = _batch_size(batch_size, data)
        self.limit = steps_per_epoch
        first, steps = self._first(data, size, steps_per_epoch)
        if isinstance(held_out, Stream):
            self.streams.append(held_out)
        self._prepare(first)
        many = size or len(leaves(first.x)[0])
        if steps:
            self._worth_compiling(first, many, steps * epochs)
        listed = callbacks.CallbackList(
            given_callbacks,
            add_history=True,
            add_progbar=_verbosity(verbose) != 0,
            model=model,
            first=self.first,
            verbose=_verbosity(verbose),
            epochs=epochs,
            steps=steps,
        )
        history = model.history
        model.stop_training = False
        self.listed, self.epoch, self.epochs = listed, initial_epoch, epochs
        self.initial = initial_epoch
        self._start()
        logs: dict[str, Any] = {}
        with self._computing(first, many):
            listed.on_train_begin()
            self._resume()
            if self.joint:
                self._agree(data, size, epochs, shuffle)
            if self.moves is not None:
                held_size = validation_batch_size or batch_size
                self._get_ready(data, first, size, shuffle, held_out, held_size)
            while self.epoch < epochs and not model.stop_training:
                self._keep_checkpoints("epoch")
                listed.on_epoch_begin(self.epoch)
                try:
                    found = self._epoch(data, size, shuffle)
                    if found is None:
                        break
                    logs = found
                    self.store()
                    if held_out is not None and (self.epoch + 1) % validation_freq == 0:
                        logs |= self._measured(held_out, validation_batch_size or batch_size)
                except BaseException as error:
                    self.store()  # what was learnt so far stays with the model
                    if isinstance(error, KeyboardInterrupt) or distribution.is_loss(error):
                        self._keep_checkpoints("interrupt")
                    raise
                self.epoch, self.batch, self.begun = self.epoch + 1, 0, None
                listed.on_epoch_end(self.epoch - 1, logs)
                self.load()
            self._keep_checkpoints("end")
            self._average()
            listed.on_train_end(logs)
        model.history = history  # a callback may have called fit
        return history

    def together(self) -> Any:
        """Run with the other processes, if there are any; see `distribution.together`."""
        return distribution.together(lambda: self.epoch) if self.joint else contextlib.nullcontext()

    def _agree(self, data: Arrays | Stream, *settings: Any) -> None:
        """Make sure that all processes train the same: what differed would spoil all in silence."""

        def digest(*what: Any) -> bytes:
            made = hashlib.sha256(repr([a for a in what if not hasattr(a, "shape")]).encode())
            for a in [np.atleast_1d(a) for a in what if hasattr(a, "shape")]:
                made.update(a[:: max(1, a.nbytes // _LOOKED_AT)].tobytes())
            return made.digest()

        arrays = read(self.model)
        rows = leaves(tuple(data.sample())) if isinstance(data, Arrays) else []
        place = self.epoch, self.batch, self.begun, self.model.optimizer.iterations, self.limit
        distribution.agree(
            {
                "settings": digest(*settings, *place, self.model.optimizer),
                "data": digest(*rows),
                "weights": digest(*arrays, *arrays.values(), self.model._root),
            }
        )

    def _average(self) -> None:
        """Give the model the averages of its weights, where the optimizer keeps them."""
        final = self.model.optimizer.finalize(self.state["params"], self.state["slots"])
        self.state["params"] = final
        self.store()

    # ------------------------------------------------------------------------------- checkpoints

    def _backups(self) -> list[Any]:
        return [c for c in self.listed.callbacks if isinstance(c, callbacks.BackupAndRestore)]

    def _keep_checkpoints(self, when: str) -> None:
        """Let those who keep checkpoints do so: all callbacks have finished with an epoch then."""
        for backup in self._backups():
            backup.keep(self, when)

    def _resume(self) -> None:
        """Go on from a checkpoint, if one is there; else take up what callbacks changed."""
        for backup in self._backups():
            backup.resume(self)
        self.load()

    def position(self) -> tuple[dict[str, Any], State]:
        """Where the run is: plain data, and arrays."""
        remembered, arrays = {}, {}
        for name, callback in self._by_name():
            remembered[name], arrays[name] = callback.remembered()
        done = 0 if self.begun is None else int(self.state["step"]) - self.begun
        place = {"epoch": self.epoch, "batch": done, "begun": self.begun}
        metrics = backend.to_numpy(self.state["metrics"])
        return {**place, "callbacks": remembered}, {"metrics": metrics, "callbacks": arrays}

    def go_to(self, position: dict[str, Any], arrays: State) -> None:
        """Put the run where `position` was."""
        self.epoch, self.batch = position["epoch"], position["batch"]
        self.begun = position["begun"]
        self.load()
        metrics = arrays.get("metrics", {})
        self.state["metrics"] = backend.to_engine(metrics, self.engine)
        kept = arrays.get("callbacks", {})
        for name, callback in self._by_name():
            callback.remember(position["callbacks"].get(name, {}), kept.get(name, {}))

    def _by_name(self) -> list[tuple[str, Any]]:
        """Name callbacks by class and turn: a run that goes on need not have all of them."""
        taken: set[str] = set()
        return [(unique(type(c).__name__, taken), c) for c in self.listed.callbacks]

    # -------------------------------------------------------------------------------- the epoch

    def _training_step(self) -> Callable[..., Any]:
        return train_step(self.model, self.target, self.model.optimizer)

    def _test_step(self) -> Callable[..., Any]:
        return test_step(self.model, self.target)

    def _epoch(self, data: Arrays | Stream, size: int, shuffle: bool) -> dict[str, Any] | None:
        """Take one pass over the training set, or the rest of one; `None` if there is nothing."""
        if self.begun is None:
            self.state["metrics"] = self._fresh()
            self.begun = int(self.state["step"])
        order, broken = self._order(data, self.begun, shuffle), None
        with contextlib.closing(self._steps(data, size, order)) as steps:
            for broken in steps:
                if broken is not None:
                    self._broken(broken)
                    break
                self._offer(self.batch - 1)
                if self.model.stop_training:
                    break
        if self.batch == 0 and broken is None:
            warnings.warn(
                f"the iterable is used up: training ends before epoch {self.epoch + 1}; give one "
                "that can start anew, or steps_per_epoch",
                stacklevel=4,
            )
            return None
        logs = self.target.results(self.state["metrics"])
        return logs if broken is None else {**logs, "loss": math.nan}

    def _steps(
        self, data: Arrays | Stream, size: int, order: np.ndarray | None
    ) -> Generator[Batch | None]:
        """Take the steps of an epoch; gives a batch at which numbers broke, `None` for others."""
        every = self.listed.wants_every_batch
        coming = self._blocks(data, size, order, self.batch, self.limit, every)
        with contextlib.closing(coming):
            for block in coming:
                while self.batch < block.end:
                    if self._is_due():
                        self._move()
                    take = self._one_by_one if self.engine == "numpy" else self._in_calls
                    yield from take(self._placed(block, data), data)

    def _is_due(self) -> bool:
        """Tell whether it is time to go over to XLA."""
        numpy = self.engine == "numpy"
        return numpy and self.moves is not None and int(self.state["step"]) >= self.moves

    def _one_by_one(self, block: Block, data: Arrays | Stream) -> Iterator[Batch | None]:
        """Take steps one by one, till the block's end or till it is time to go over to XLA."""
        step = self._program("step", lambda: checked(self._training_step()))
        while self.batch < block.end and not self._is_due():
            self.listed.on_train_batch_begin(self.batch)
            batch = block.batch(self.batch)
            state, fine = step(self.state, batch, self._rate())
            if not fine:
                yield batch
                return
            self.state = state
            self.batch += 1
            yield None

    def _in_calls(self, block: Block, data: Arrays | Stream) -> Iterator[Batch | None]:
        """Take the steps of a block, many a compiled call."""
        begun = self.begun or 0
        calls, following = Calls(self, block), None
        if block.order is not None and self.epoch + 1 < self.epochs:
            last = math.ceil(len(data) / block.size)  # type: ignore[arg-type]
            last = min(last, self.limit or last)
            if block.end == last or block.begin > 0:  # once: it is kept
                following = lambda: self._order(data, begun + last, True)  # noqa: E731
        while self.batch < block.end:
            self.listed.on_train_batch_begin(self.batch)
            end = calls.end("fold", self.batch, min(block.end, *self._stops()))
            meanwhile = following if end == block.end else None
            state, fine = self._train_calls(calls, self.batch, end, meanwhile)
            if not fine:  # what it started from is still there
                fold = lambda: find_fold(self._training_step(), block.size)  # noqa: E731
                span = self.state, self.batch, end, self._rate()
                state, fine = calls.take("find", fold, *span)
            self.state = state
            self.batch = int(state["step"]) - begun
            yield None if fine else block.batch(self.batch)
            if not fine:
                return

    def _train_calls(self, calls: Calls, begin: int, end: int, meanwhile: Any = None) -> Any:
        """Take training steps in a compiled call."""
        fold = lambda: train_fold(self._training_step(), calls.block.size)  # noqa: E731
        return calls.take("fold", fold, self.state, begin, end, self._rate(), meanwhile)

    def _test_calls(self, calls: Calls, tracked: State, begin: int, end: int, arrays: State) -> Any:
        """Take evaluation steps in a compiled call."""
        fold = lambda: test_fold(self._test_step(), calls.block.size)  # noqa: E731
        return calls.take("test", fold, tracked, begin, end, arrays)

    def _stops(self) -> list[int]:
        """Say before which batches a compiled call has to end for callbacks."""
        stops = [self.batch + 1] if self.listed.wants_every_batch else [sys.maxsize]
        often = [int(b.save_freq) for b in self._backups() if b.save_freq != "epoch"]
        return stops + [(self.batch // n + 1) * n for n in often]

    def _folds(self, data: Arrays | Stream) -> bool:
        """Tell whether the data are kept where XLA computes."""
        return self.engine != "numpy" and self._stays(data)

    def _stays(self, data: Arrays | Stream) -> bool:
        """Tell whether the data are one block: nothing is read then, nor copied twice."""
        if isinstance(data, Stream) or not data.in_memory:
            return False
        everything = leaves((data.x, data.y, data.w))
        for_numpy = self.engine == "numpy" and self.moves is None
        return for_numpy or sum(a.nbytes for a in everything) <= _KEPT_BYTES

    def _blocks(
        self,
        data: Arrays | Stream,
        size: int,
        order: np.ndarray | None = None,
        begin: int = 0,
        limit: int | None = None,
        every: bool = False,
        training: bool = True,
        placed: bool = True,
    ) -> Generator[Block]:
        """Go through data in blocks, each read while the one before is in use.

        Args:
            data: the data.
            size: the rows of a batch.
            order: the order of all rows.
            begin: the first batch.
            limit: how many batches there are at most.
            every: whether batches are asked for one by one: no more than one is read ahead then.
            training: whether the batches are those of the epoch; else they begin anew.
            placed: whether to put what is read where XLA computes.
        """
        if isinstance(data, Arrays):
            last = math.ceil(len(data) / size)
            last = min(last, limit or last)
            if self._stays(data):
                yield blocks.whole(data, size, order, begin, last)
                return
            made = blocks.of_arrays(data, size, order, begin, last)
        else:
            # By the clock; several processes have to cut their calls alike.
            haste = self._reading().in_haste if not self.joint else lambda *_: False
            at = (self.epoch - self.initial if data.limit else self.epoch) if training else 0
            made = blocks.of_stream(data, at, begin, lambda *when: every or haste(*when))
        yield from self._reading().ahead(self._readied(made, placed))

    def _readied(self, made: Generator[Block], placed: bool) -> Generator[Block]:
        """Look at the targets of blocks that were read, and put them where XLA computes."""
        number, epoch = 0, self.epoch
        try:
            for block in made:
                if self.target is not None and block.rows.y is not None:
                    self._check_targets(block.filled())
                number = block.end
                yield self._placed(block) if placed else block
        except Exception as error:
            error.add_note(f"It happened in reading batch {number} (or later) of epoch {epoch + 1}")
            raise

    def _placed(self, block: Block, data: Any = None) -> Block:
        """Put a block where XLA computes, if it does; data that are one block, once."""
        if self.engine == "numpy" or block.placed is not None:
            return block
        kept = self.placed.get(id(data))
        if kept is None:
            kept = backend.to_engine(block.rows, self.engine, lent=True)
            if isinstance(data, Arrays) and self._stays(data):
                self.placed[id(data)] = kept
        return block._replace(placed=kept)

    def _reading(self) -> Reader:
        """Give the thread that reads."""
        if self.reader is None:
            self.reader = Reader()
        return self.reader

    def _first(
        self, data: Arrays | Stream, size: int, limit: int | None = None
    ) -> tuple[Batch, int | None]:
        """Give the rows to prepare for, and how many batches there are, if it is known."""
        if isinstance(data, Stream):
            self.streams.append(data)
            return self._reading().result(self._reading().ask(data.peek)), data.steps
        steps = math.ceil(len(data) / size)
        return data.sample(), min(steps, limit or steps)

    def _offer(self, number: int) -> None:
        """Let callbacks see a batch; those that hear of every batch may change the model too."""
        listed = self.listed
        every = listed.wants_every_batch
        if every:
            self.store()
        listed.on_train_batch_end(number, lambda: self.target.results(self.state["metrics"]))
        if every:
            self.load()
        self._keep_checkpoints("batch")

    def _order(self, data: Arrays | Stream, begun: int, shuffle: bool) -> np.ndarray | None:
        """Shuffle the rows of an epoch: a function of the run's key and the step it begins at."""
        if not shuffle or isinstance(data, Stream):
            return None
        if begun not in self.orders:
            root = np.asarray(self.model._root)
            order = random.permutation(random.fold(root, "order", begun), len(data))
            self.orders = {begun: order}
        return self.orders[begun]

    def _fresh(self) -> State:
        if self.engine == "numpy":
            return self.target.fresh()
        if self.empty is None:
            self.empty = backend.to_engine(self.target.fresh(), self.engine)
        return self.empty

    def _broken(self, batch: Batch) -> None:
        """Stop at a step whose numbers are not finite; the weights before it stay."""
        self.store()
        state = backend.to_numpy(self.state)
        step = int(state["step"])
        place, mend = diagnose(self.model, self.target, state, batch), _CALMER
        for what, part in (("inputs", batch.x), ("targets", batch.y), ("weights", batch.w)):
            if not all_finite(part):
                place = f"because the {what} of its batch hold NaN or infinity ({place})"
                mend = "fill in or leave out the rows with missing or infinite values"
        listening = self.listed.callbacks if self.listed else []
        if any(isinstance(c, callbacks.TerminateOnNaN) for c in listening):
            self.model.stop_training = True
            return
        raise NonFiniteError(
            f"the loss or a weight is not finite any more at training step {step + 1}, {place}; "
            "the weights from before that step are kept",
            self.model.name or "fit",
            mend,
        )

    def _measured(self, held_out: Any, size: int | None) -> dict[str, Any]:
        """Measure on held-out data, with names that begin with val_."""
        logs = self._evaluated(held_out, size, self.listed)
        return {f"val_{name}": value for name, value in logs.items()}

    def _ready(self, batch_data: Arrays) -> Batch:
        """Get ready for one batch; again and again, as long as the model's structure stays."""
        batch = batch_data.rows(slice(None))
        shapes = [(a.shape[1:], a.dtype) for a in leaves(batch)]
        if shapes != self.shapes:
            self._prepare(batch)
            self._start()
            self.shapes = shapes
        else:
            self._check_targets(batch)
            self.load()
            self.state["metrics"] = self._fresh()
        if self.engine != "numpy":
            self.programs.clear()  # hyper-parameters may have changed
        return batch

    def measure_one(self, batch_data: Arrays) -> dict[str, Any]:
        """Measure on one batch."""
        batch = self._ready(batch_data)
        program = self._program("test", self._test_step)
        arrays = {**self.state["params"], **self.state["fixed"]}
        with np.errstate(all="ignore"):
            return self.target.results(program(self.state["metrics"], batch, arrays)[0])

    def train_one(self, batch_data: Arrays) -> dict[str, Any]:
        """Make one training step."""
        batch = self._ready(batch_data)
        step = self._program("step", lambda: checked(self._training_step()))
        with np.errstate(all="ignore"):
            state, fine = step(self.state, batch, self._rate())
            if fine:
                self.state = state
            else:
                self._broken(batch)
        self.store()
        return self.target.results(self.state["metrics"])

    # ----------------------------------------------------------------------- measuring, predicting

    def evaluate(
        self, data: Arrays | Stream, batch_size: int | None, given_callbacks: Any, verbose: Any
    ) -> dict[str, Any]:
        """Measure; see `Model.evaluate`."""
        size = _batch_size(batch_size, data)
        first, steps = self._first(data, size)
        self._prepare(first)
        many = size or len(leaves(first.x)[0])
        if isinstance(data, Arrays) and self._worth_compiling(first, many, (steps or 0) // 3):
            self.engine = "xla"
        listed = self._listeners(given_callbacks, data, batch_size, verbose)
        with self._computing(first, many):
            return self._evaluated(data, batch_size, listed)

    def _listeners(self, given: Any, data: Any, batch_size: int | None, verbose: Any) -> Any:
        """Gather callbacks and progress for measuring or predicting."""
        level = _verbosity(verbose)
        in_memory = isinstance(data, Arrays)
        steps = math.ceil(len(data) / _batch_size(batch_size, data)) if in_memory else data.steps
        return callbacks.CallbackList(
            given, add_progbar=level != 0, model=self.model, verbose=level, steps=steps, epochs=1
        )

    def _evaluated(
        self, data: Arrays | Stream, batch_size: int | None, listed: Any
    ) -> dict[str, Any]:
        reached = {**self.state.get("params", {}), **self.state.get("fixed", {})}
        arrays = reached or backend.to_engine(read(self.model), self.engine)
        size = _batch_size(batch_size, data)
        listed.on_test_begin()
        tracked, number = self._fresh(), 0
        say = lambda: self.target.results(tracked)  # noqa: E731
        every = listed.wants_every_batch
        coming = self._blocks(data, size, every=every, training=False)
        with contextlib.closing(coming):
            for block in coming:
                calls = Calls(self, self._placed(block, data))
                while number < block.end:
                    listed.on_test_batch_begin(number)
                    if self.engine == "numpy":
                        program = self._program("test", self._test_step)
                        tracked, _ = program(tracked, block.batch(number), arrays)
                        number += 1
                    else:
                        end = calls.end("test", number, number + 1 if every else block.end)
                        tracked, _ = self._test_calls(calls, tracked, number, end, arrays)
                        number = end
                    listed.on_test_batch_end(number - 1, say)
        if number == 0:
            raise UserError(
                "the iterable to measure on gave no batch",
                mend="give one that can start anew, or steps",
            )
        logs = self.target.results(tracked)
        listed.on_test_end(logs)
        return logs

    def predict(
        self, data: Arrays | Stream, batch_size: int | None, given_callbacks: Any, verbose: Any
    ) -> Any:
        """Compute outputs; see `Model.predict`."""
        if isinstance(data, Stream):
            self.model._require_built(self._first(data, 0)[0].x)
        listed = self._listeners(given_callbacks, data, batch_size, verbose)
        arrays = backend.to_engine(read(self.model), self.engine)
        program = self._program("predict", lambda: predict_step(self.model))
        pieces = []
        listed.on_predict_begin()
        every = listed.wants_every_batch
        size = _batch_size(batch_size, data)
        coming = self._blocks(data, size, every=every, training=False, placed=False)
        with np.errstate(all="ignore"), contextlib.closing(coming):
            for block in coming:
                for number in range(block.begin, block.end):
                    listed.on_predict_batch_begin(number)
                    rows = backend.split(block.batch(number).x, self.engine)
                    outputs = backend.to_numpy(program(arrays, rows))
                    pieces.append(outputs)
                    listed.on_predict_batch_end(number, {"outputs": outputs})
        listed.on_predict_end()
        return tree_map(lambda *parts: np.concatenate(parts), pieces[0], *pieces[1:])


class Calls:
    """The batches of a block, many steps a compiled call.

    Args:
        run: the run.
        block: the block, where XLA computes.
    """

    def __init__(self, run: Run, block: Block) -> None:
        self.run, self.block = run, block

    def end(self, kind: str, begin: int, most: int) -> int:
        """Say before which step a call of some kind ends."""
        return min(begin + self.run.counts.setdefault(kind, 1), most)

    def take(
        self,
        kind: str,
        make: Callable[[], Any],
        state: State,
        begin: int,
        end: int,
        given: Any,
        meanwhile: Callable[[], Any] | None = None,
    ) -> tuple[State, bool]:
        """Make a call: see `folded`.

        Args:
            kind: what kind of steps they are.
            make: makes their program.
            state: what they start from.
            begin: the first step.
            end: the step before which to end.
            given: what all steps are given.
            meanwhile: what to do while XLA computes.
        """
        block, counts = self.block, self.run.counts
        program = self.run._program(f"{kind} {block.size}", make)
        span = np.int32(begin - block.offset), np.int32(end - block.offset)
        began = time.perf_counter()
        state, fine = program(state, block.placed, block.order, *span, given)
        if meanwhile:
            meanwhile()
        fine = bool(fine)  # waits for XLA
        took = time.perf_counter() - began
        if self.run.joint:
            took = distribution.longest(took)  # as many steps follow in each process
        if took > _CALL_SECONDS or end - begin == counts.get(kind):
            fit = int(_CALL_SECONDS / took * (end - begin))
            counts[kind] = max(1, min(fit, 8 * counts.get(kind, 1)))
        return state, fine


def _batch_size(size: int | None, data: Arrays | Stream) -> int:
    if size is None:
        return len(data) if isinstance(data, Arrays) else 0
    if not isinstance(size, (int, np.integer)) or size < 1:
        raise UserError(
            f"batch_size has to be a positive whole number or None, it is {size!r}",
            mend="None takes all rows at once",
        )
    return int(size)


def _verbosity(verbose: Any) -> int:
    return 1 if verbose == "auto" else int(verbose)


def _alike(target: tuple[int, ...], output: tuple[int, ...]) -> bool:
    """Tell whether targets fit an output, with or without a last axis of one."""
    if len(target) < len(output) and output[-1] == 1:
        target = (*target, 1)
    if len(target) > len(output) and target[-1] == 1:
        target = target[:-1]
    return target == output


def _shapes(tree: Any) -> Any:
    return {k: _shapes(v) for k, v in tree.items()} if isinstance(tree, dict) else np.shape(tree)


__all__ = ["Run"]
