"""Where the steps of a run are computed, and the programs that are compiled for it."""

from __future__ import annotations

import contextlib
import contextvars
import copy
import math
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from trasluz import distribution
from trasluz.autodiff import backend, random, tape
from trasluz.base.tree import leaves, tree_map
from trasluz.data.arrays import Batch
from trasluz.data.blocks import Block
from trasluz.errors import UserError, unknown
from trasluz.optimizers.base import Optimizer
from trasluz.state.binding import read
from trasluz.state.module import modules_in, weights_of
from trasluz.state.registry import Configurable
from trasluz.training.cost import Cost, cost_of, cost_of_step
from trasluz.training.fold import find_fold, test_fold, train_fold
from trasluz.training.objective import State
from trasluz.training.ready import Ready
from trasluz.training.step import few_of, initial

# "auto" trains on NumPy for so many seconds, while XLA compiles for what is left after them; if
# nothing is, XLA is left alone. The seconds are worked out, not measured, and the step at which a
# run moves over depends neither on the clock nor on how many epochs are planned: a run that is
# repeated, or goes on to more epochs, comes to the same bits.
_WORTH_COMPILING = 2.0
# A compiled call takes as many steps as fit into so many seconds: between calls a run listens. In
# less, large networks get few steps a call, and a call has to be given its memory anew.
_CALL_SECONDS = 1.0
# Attributes of a model that a compiled step does not depend on.
_MOVING = ("optimizer", "history", "stop_training", "built")


class Engine:
    """What computes the steps of one run of a model.

    Args:
        model: what runs.
        asked: "numpy", "xla", "auto"; `None` is what compile said.
        devices: those to split batches among, as in `fit`; `None` computes on one.

    Attributes:
        where: "numpy", "xla", or several devices.
        moves_at: before which step of the model a run goes over to XLA; `None` for never.
        joint: whether several processes compute together.
        leads: whether this process is the first of them, or the only one.
        counts: how many steps a compiled call takes, by their kind.

    Raises:
        UserError: if there is no such engine, or it does not know of devices.
    """

    def __init__(self, model: Any, asked: str | None, devices: Any = None) -> None:
        self.model = model
        self.asked = model._engine if asked is None else asked
        if self.asked not in backend.CHOICES:
            raise unknown("engine", self.asked, backend.CHOICES)
        if devices is not None:
            if self.asked == "numpy":
                raise UserError(
                    "the engine 'numpy' computes on one device, and devices were given",
                    mend="leave devices out, or use engine='xla'",
                )
            self.asked = backend.device_mesh(devices)
        self.where: Any = "numpy" if self.asked == "auto" else self.asked
        self.moves_at: int | None = None
        self.joint = devices is not None and distribution.process_count() > 1
        self.leads = not self.joint or distribution.process_index() == 0
        self.counts: dict[str, int] = {}
        self._programs: dict[str, Any] = {}
        self._ahead: Any = None  # what XLA gets ready before a run goes over to it
        self._cost: Cost | None = None
        self._dtype: str | None = None  # the floating type of the weights
        self._fresh: dict[str, State] = {}

    @property
    def compiles(self) -> bool:
        """Whether steps are compiled, or run as they are."""
        return self.where != "numpy"

    def together(self, epoch: Callable[[], int] = lambda: 0) -> Any:
        """Run with the other processes, if there are any; see `distribution.together`."""
        return distribution.together(epoch) if self.joint else contextlib.nullcontext()

    @contextlib.contextmanager
    def computing(self, batch: Batch, size: int) -> Iterator[None]:
        """Compute: numbers that break are told by the run, NumPy's threads suit the work.

        Args:
            batch: rows to look at.
            size: how many rows a step takes.
        """
        largest = math.inf if self.compiles else self._cost_of(batch).largest * size
        with np.errstate(all="ignore"), backend.blas_threads(largest):
            yield

    def put(self, tree: Any, lent: bool = False) -> Any:
        """Put arrays where steps are computed; see `backend.to_engine`."""
        return backend.to_engine(tree, self.where, lent)

    def settle_auto(self, batch: Batch, size: int, steps: int, at_once: bool = False) -> None:
        """Settle "auto": whether XLA is worth it, and before which step to go over to it.

        Args:
            batch: rows to look at.
            size: how many rows a step takes.
            steps: how many training steps there are, or what takes as long.
            at_once: whether XLA computes from the start, if it is worth it.
        """
        if self.asked == "auto" and backend.has_xla():
            seconds = self._cost_of(batch).seconds(size)
            alone = math.ceil(_WORTH_COMPILING / seconds)
            if steps > alone and at_once:
                self.where = "xla"
            elif steps > alone:
                self.moves_at = alone

    def _cost_of(self, batch: Batch) -> Cost:
        """Count what a forward pass does, once."""
        if self._cost is None:
            self._cost = cost_of(self.model, few_of(self.model, batch.x))
        return self._cost

    def try_out(self, ready: Ready, kind: str, batch: Batch, size: int) -> None:
        """Find out what a step that a user wrote reports and moves, before any step counts.

        Args:
            ready: the model, ready for the data.
            kind: "train" or "test".
            batch: some rows.
            size: how many a step takes; 0 for as they come.
        """
        own, model = ready.own, self.model
        if own is None or kind in own.logs:
            return
        rows = len(leaves(batch.x)[0])
        places = np.arange(size or rows) % rows
        given = Batch(*(tree_map(lambda a: a[places], part) for part in batch))
        shapes = str([(a.shape, a.dtype) for a in leaves(tuple(given))])
        made_from, functions = fingerprint(model, kind)
        key = f"try {kind}", self.compiles, made_from + shapes
        if key not in model._programs:
            root = random.key(0) if model._root is None else model._root
            state = initial(model, model.optimizer, root, own.slots) | {"metrics": own.fresh(kind)}
            self._try(ready, kind, state, given)
            model._programs[key] = (own.logs[kind], own.moved, self._cost), functions
        (own.logs[kind], own.moved, self._cost), _ = model._programs[key]

    def _try(self, ready: Ready, kind: str, state: State, batch: Batch) -> None:
        own, book = ready.own, tape.Tape()
        assert own is not None
        if self.compiles:
            own.try_out(kind, state, batch, self.rate(own), compiles=True)
            return
        for group in ("params", "buffers"):
            state[group] = {path: book.input(array) for path, array in state[group].items()}
        with np.errstate(all="ignore"):
            own.try_out(kind, state, batch, self.rate(own), compiles=False)
        weights = sum(np.size(a) for a in read(self.model).values())
        self._cost = cost_of_step(book, len(leaves(batch.x)[0]), weights)

    def is_due(self, step: Any) -> bool:
        """Tell whether it is time to go over to XLA, before some step."""
        return self.moves_at is not None and not self.compiles and int(step) >= self.moves_at

    def compile_ahead(self, act: Callable[[Engine], None]) -> None:
        """Let XLA compile in the background what a run will need.

        Args:
            act: calls it, on an engine like this one that is on XLA.
        """
        from concurrent.futures import ThreadPoolExecutor

        twin = copy.copy(self)
        twin.where, twin.counts, twin._programs, twin._fresh = "xla", {}, {}, {}
        pool = ThreadPoolExecutor(1, "compile")
        self._ahead = pool.submit(contextvars.copy_context().run, act, twin)
        pool.shutdown(wait=False)

    def move(self) -> bool:
        """Go over to XLA, once it is ready; stay, and say `False`, where it cannot compile this."""
        try:
            self._ahead.result()
        except Exception as error:
            said = str(error).strip().split("\n")[0]
            warnings.warn(
                f"XLA cannot take over, NumPy goes on ({type(error).__name__}: {said}); "
                'engine="numpy" says so from the start, engine="xla" shows the whole error',
                stacklevel=2,
            )
            self.moves_at = None
            return False
        self.where, self._programs, self._fresh = "xla", {}, {}
        return True

    def rate(self, own: Any = None) -> Any:
        """The learning rate to hand to a step; `None` where a schedule works it out inside.

        Args:
            own: the steps that a user wrote: they are given a rate for each optimizer, by name.
        """
        if own is not None:
            return {name: self._rate(rule) for name, rule in own.optimizers.items()}
        return self._rate(self.model.optimizer)

    def _rate(self, optimizer: Any) -> Any:
        if optimizer.scheduled:
            return None
        number = optimizer.learning_rate
        if not self.compiles:
            return number
        self._dtype = self._dtype or self.model._dtype()
        return np.asarray(number, self._dtype)

    def fresh(self, ready: Ready, kind: str = "train", before: State | None = None) -> State:
        """The arrays of metrics before anything was seen; `kind` is "train" or "test"."""
        if not self.compiles or ready.own is not None:
            return self.put(ready.fresh(kind, before))
        if kind not in self._fresh:
            self._fresh[kind] = self.put(ready.fresh(kind))
        return self._fresh[kind]

    def program(self, kind: str, make: Callable[[], Any]) -> Any:
        """Give a compiled step, kept as long as nothing that it was made from changes."""
        if kind not in self._programs:
            self._programs[kind] = self._kept(kind, make) if self.compiles else make()
        return self._programs[kind]

    def _kept(self, kind: str, make: Callable[[], Any]) -> Any:
        """Give a compiled step of the model's, which serves later runs too."""
        programs = self.model._programs
        made_from, functions = fingerprint(self.model, kind)
        key = kind, self.where, made_from
        if key not in programs:
            programs[key] = backend.compiled(make(), self.where), functions
        return programs[key][0]

    def look_again(self) -> None:
        """Look at the model anew before the next step: hyper-parameters may have changed."""
        if self.compiles:
            self._programs.clear()


def fingerprint(model: Any, kind: str) -> tuple[str, list[Any]]:
    """Everything a compiled step depends on beside arrays, and the functions among it.

    Functions are told apart by their identity, so they have to be kept alive.
    """
    functions: list[Any] = []

    def rule_of(optimizer: Any) -> dict[str, Any]:
        rule = {k: v for k, v in vars(optimizer).items() if k[:1] != "_"}
        rule.pop("iterations", None)
        rule["schedule"] = mark(optimizer._learning_rate) if optimizer.scheduled else ""
        return rule

    def mark(value: Any) -> str:
        if isinstance(value, Optimizer):
            return f"{type(value).__name__} {rule_of(value)}"
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
        for h in modules_in(model)
    ]
    frozen = [(v.path, v.trainable) for v in weights_of(model)]
    how = {k: v for k, v in model._compiled_with.items() if k != "optimizer"}
    objective = [] if kind == "predict" else [mark(v) for v in leaves(list(how.values()))]
    optimizer, rule = model.optimizer, None
    if kind != "predict" and not kind.startswith("test"):
        rule = rule_of(optimizer)
    return repr([parts, frozen, objective, type(optimizer).__name__, rule]), functions


class CompiledSteps:
    """The steps on a block's batches, many a compiled call.

    Args:
        engine: what computes them.
        block: the block, where XLA computes.
    """

    def __init__(self, engine: Engine, block: Block) -> None:
        self.engine, self.block = engine, block

    def end(self, kind: str, begin: int, most: int) -> int:
        """Say before which step a call of some kind ends."""
        return min(begin + self.engine.counts.setdefault(kind, 1), most)

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
        block, counts = self.block, self.engine.counts
        program = self.engine.program(f"{kind} {block.size}", make)
        span = np.int32(begin - block.offset), np.int32(end - block.offset)
        began = time.perf_counter()
        state, fine = program(state, block.placed, block.order, *span, given)
        if meanwhile:
            meanwhile()
        fine = bool(fine)  # waits for XLA
        took = time.perf_counter() - began
        if self.engine.joint:
            took = distribution.longest(took)  # as many steps follow in each process
        if took > _CALL_SECONDS or end - begin == counts.get(kind):
            fit = int(_CALL_SECONDS / took * (end - begin))
            counts[kind] = max(1, min(fit, 8 * counts.get(kind, 1)))
        return state, fine

    def train(
        self, ready: Ready, state: State, begin: int, end: int, meanwhile: Any = None
    ) -> tuple[State, bool]:
        """Take training steps."""
        fold = lambda: train_fold(ready.train_step(), self.block.size)  # noqa: E731
        return self.take("fold", fold, state, begin, end, self.engine.rate(ready.own), meanwhile)

    def find(self, ready: Ready, state: State, begin: int, end: int) -> tuple[State, bool]:
        """Take training steps up to before the first whose numbers break."""
        fold = lambda: find_fold(ready.train_step(), self.block.size)  # noqa: E731
        return self.take("find", fold, state, begin, end, self.engine.rate(ready.own))

    def test(
        self, ready: Ready, tracked: State, begin: int, end: int, arrays: State
    ) -> tuple[State, bool]:
        """Take evaluation steps."""
        fold = lambda: test_fold(ready.test_step(), self.block.size)  # noqa: E731
        return self.take("test", fold, tracked, begin, end, arrays)
