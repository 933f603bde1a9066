"""Many trainings at once: rates, penalties, initial weights and seeds side by side in one program.

What tells the members of a group apart are arrays (weights, keys, orders of rows, learning rates,
factors of penalties), so the pure step of one training, mapped over them, trains them all. What
changes shapes or formulas makes another group.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from trasluz import metrics
from trasluz.autodiff import backend, random
from trasluz.base.arguments import checks_arguments
from trasluz.base.tree import leaves, tree_map
from trasluz.callbacks.progress import StatusLine
from trasluz.data.arrays import Arrays, Batch
from trasluz.data.reader import Reader
from trasluz.data.streams import is_stream
from trasluz.errors import UserError
from trasluz.layers.base import Layer
from trasluz.models import intake
from trasluz.state.binding import bind, read
from trasluz.state.module import modules_in
from trasluz.studies.member import (
    Member,
    Penalty,
    Settings,
    choices_of,
    combined,
    initial_arrays,
    named,
    own_factors,
    own_random_numbers,
    penalised,
)
from trasluz.studies.runs import Trainings
from trasluz.training.engine import CompiledSteps, Engine
from trasluz.training.feed import Feed
from trasluz.training.finite import NonFiniteError, checked
from trasluz.training.fold import folded, test_fold
from trasluz.training.objective import State
from trasluz.training.ready import Ready
from trasluz.training.step import initial

_GROUP_BYTES = 2**30  # members whose training takes more, as far as is known before, go in parts


@checks_arguments("batch_size", "epochs", "grid", "learning_rates", "validation_split")
def fit_many(
    model: Any,
    x: Any,
    y: Any,
    seeds: int | Sequence[int] = 1,
    learning_rates: Sequence[float] | None = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    epochs: int = 1,
    batch_size: int | None = 32,
    validation_data: Any = None,
    validation_split: float = 0.0,
    sample_weight: Any = None,
    shuffle: bool = True,
    verbose: Any = "auto",
    engine: str | None = None,
    progress: Callable[[float], Any] | None = None,
) -> Trainings:
    """Train a model with every combination of settings, each from every seed.

    The member with seed s is what these lines give, up to the rounding of the floating type:

        trasluz.utils.set_random_seed(s)
        one = trasluz.models.clone_model(model)     # or build(**settings)
        one.compile(...)                            # as the model was, with the member's rate
        one.fit(x, y, ...)

    so it has weights, orders of rows and dropout masks of its own. The random numbers of the
    program go on afterwards as if nothing had been drawn. On XLA all members that differ in seed,
    learning rate, `l1`, `l2` or initializers alone are one program: a step is mapped over
    `θ ← θ − ηₖ ∇(E(θ; batchₖ) + λₖ Σw²)`, k = 1 … members. On NumPy they train one after the other.

    Args:
        model: a compiled model; or a function that gives one, and takes settings of the grid as
            arguments; or several of either, as a list or a dict by name.
        x: inputs, in memory.
        y: targets.
        seeds: how many (0, 1, …), or which.
        learning_rates: which; the optimizer's own if not given.
        grid: values by setting. `"l1"`, `"l2"`: factors of the penalties on kernels; those that a
            kernel has of the same name give way. Where no kernel has a penalty, all get one.
            `"batch_size"`, `"optimizer"`. An argument of the function that makes the model. A
            field of layers: `"kernel_initializer"` for all that have it, `"dense/units"` for one.
        epochs: how many passes over the rows.
        batch_size: rows a step; `None` takes all rows at once.
        validation_data: `(x, y)` to measure on after every epoch.
        validation_split: the part at the end of the rows to measure on.
        sample_weight: weight of each row in the loss.
        shuffle: whether each epoch takes the rows in another order.
        verbose: 0 is silent; else how far it is.
        engine: "numpy", "xla", "auto"; that of compile if not given.
        progress: hears, in place of what `verbose` prints, how many epochs of all trainings
            together are done.

    Returns:
        The `Trainings`: curves, tables, trained models. A member whose numbers stop being finite is
        marked with the step and keeps its last good weights; the others go on. Ctrl-C ends
        training early, and what was reached is given.

    Raises:
        UserError: if data or settings do not fit.

    >>> from trasluz import Sequential, layers
    >>> line = Sequential([layers.Input((1,)), layers.Dense(1)])
    >>> line.compile("sgd", "mse", engine="numpy")
    >>> x = np.linspace(-1, 1, 8)[:, None]
    >>> runs = fit_many(line, x, 2 * x, seeds=2, learning_rates=[0.01, 0.3], epochs=9, verbose=0)
    >>> runs[runs.best()].settings["learning_rate"]
    0.3
    >>> runs.history["loss"].shape
    (4, 9)
    """
    if not isinstance(epochs, (int, np.integer)) or epochs < 1:
        raise UserError(
            f"epochs has to be a whole number from 1, it is {epochs!r}",
            "fit_many",
            "e.g. epochs=20",
        )
    if is_stream(x, y) or x is None:
        raise UserError(
            "fit_many needs inputs and targets in memory", mend="give arrays or frames x and y"
        )
    sources = named(model)
    choices = choices_of(sources, seeds, learning_rates, grid or {})
    runs = Trainings(combined(sources, choices), epochs)
    job = {
        "x": x, "y": y, "epochs": epochs, "batch_size": batch_size, "shuffle": shuffle,
        "validation_data": validation_data, "validation_split": validation_split,
        "sample_weight": sample_weight,
    }  # fmt: skip
    teller = _Progress(bool(verbose), len(runs) * epochs, progress)
    groups: dict[Any, list[Member]] = {}
    for member in runs.members:
        groups.setdefault(member.group, []).append(member)
    try:
        with own_random_numbers(), np.errstate(all="ignore"):
            for group in [_Group(ms, job, engine, teller) for ms in groups.values()]:
                group.train()
    except KeyboardInterrupt:
        runs.interrupted = True
    finally:
        teller.end()
    return runs


class _Group:
    """Members that can train in one program.

    Args:
        members: which.
        job: the arguments of `fit`.
        engine: which engine was asked for.
        progress: says how far it is.
    """

    def __init__(
        self, members: list[Member], job: Settings, engine: Any, progress: _Progress
    ) -> None:
        size = members[0].settings.get("batch_size", job["batch_size"])
        self.members, self.job, self.progress = members, {**job, "batch_size": size}, progress
        self.state: State = {}
        self.lead = lead = members[0].made()
        data, held_out = self._data()
        self.rows, self.epochs = len(data), job["epochs"]
        self.engine, reader = Engine(lead, engine), Reader()
        self.feed = Feed(data, size, self.engine, reader)
        self.size, self.steps = self.feed.size, self.feed.steps or 0
        self.measuring = held_out and Feed(held_out, self.size, self.engine, reader)
        self.example = data.rows(slice(0, 1)).x
        self.ready = Ready(lead, data.sample())
        self.engine.try_out(self.ready, "train", data.sample(), self.size)
        steps = self.steps * len(members) * self.epochs
        self.engine.settle_auto(data.rows(slice(0, 2)), self.size, steps, at_once=True)

    def _data(self) -> tuple[Arrays, Arrays | None]:
        """Take in the rows to train on, and those to measure on."""
        job = self.job
        data = intake.with_targets(self.lead, job["x"], job["y"], job["sample_weight"])
        held_out = job["validation_data"]
        if job["validation_split"] and held_out is None:
            data, held_out = data.split(job["validation_split"])
        return data, intake.held_in_memory(self.lead, held_out)

    def train(self) -> None:
        """Train all members."""
        feeds = [feed for feed in (self.feed, self.measuring) if feed]
        together = self.engine.compiles and all(feed.stays for feed in feeds)
        if not together or self.ready.own is not None:  # a user's step is not mapped over members
            for member in self.members:
                self._alone(member)
                self.progress.say(self.epochs)
            return
        if self.members[0].factors:
            for weight in penalised(self.lead):
                weight.spec.regularizer = Penalty(own_factors(weight))
        members = self.members
        parts = math.ceil(len(members) * self._bytes() / _GROUP_BYTES)
        for places in np.array_split(np.arange(len(members)), min(parts, len(members))):
            self.members = [members[place] for place in places]
            self._together()

    def _bytes(self) -> int:
        """Estimate how much memory the training of a member takes."""
        one = initial(self.lead, self.lead.optimizer, self.lead._root)
        state = sum(array.nbytes for array in leaves([one["params"], one["buffers"], one["slots"]]))
        layers = [part for part in modules_in(self.lead) if isinstance(part, Layer)]
        outputs = sum(_entries(layer._output_shape) for layer in layers)
        inputs = sum(array.nbytes for array in leaves(self.example))
        width = np.dtype(self.lead._dtype()).itemsize
        # A state is drawn, taken up, changed, handed back and kept; an output has its sum, its
        # value and the derivatives of both; rows have two orders, and words to sort them by.
        return 5 * state + self.size * (4 * width * outputs + 2 * inputs) + 32 * self.rows

    def _alone(self, member: Member) -> None:
        """Train a member by itself."""
        model = member.built(self.example)
        try:
            model.fit(**self.job, verbose=0, engine=self.engine.where)
        except NonFiniteError:
            member.diverged = model.optimizer.iterations + 1
        finally:
            logs = model.history.history if model.history else {}
            lost = [] if member.diverged is None else [math.nan]
            member.logs = {k: [*v, *lost] for k, v in logs.items() if np.ndim(v) == 1}
            member.reached = {
                "arrays": read(model), "slots": model._slots or {}, "root": model._root,
                "step": model.optimizer.iterations, "example": self.example,
            }  # fmt: skip

    def _together(self) -> None:
        """Train all members in one program."""
        steps, going = self.steps, True
        self._start()
        order = self._order(0)
        following: list[Any] = []
        try:
            for epoch in range(self.epochs):
                self.state["metrics"], batch = self.fresh, 0
                calls = CompiledSteps(self.engine, self.feed.whole(order))
                ahead = partial(lambda n: following.append(self._order(n * steps)), epoch + 1)
                while batch < steps and going:
                    end = calls.end(self.kind, batch, steps)
                    think = ahead if end == steps and epoch + 1 < self.epochs else None
                    self.state, going = calls.take(
                        self.kind, self._fold, self.state, batch, end, self.given, think
                    )
                    self.progress.say((end - batch) / steps * len(self.members))
                    batch = end
                self._log()
                if not going:
                    break
                order = following.pop() if following else None
            final = self.lead.optimizer.finalize(self.state["params"], self.state["slots"])
            self.state["params"] = final
        finally:
            self._keep()

    def _start(self) -> None:
        """Gather the states to start from, stacked, and what every step is given."""
        members, lead, many = self.members, self.lead, len(self.members)
        starts: dict[Any, list[int]] = {}
        for i, member in enumerate(members):
            starts.setdefault(member.start, []).append(i)
        arrays: State = {}
        roots = np.zeros((many, 2), np.uint32)
        for places in starts.values():
            alike = [members[i] for i in places]
            first = alike[0].made()
            first._require_built(self.example)
            drawn, roots[places] = initial_arrays(alike, first, self.example)
            for path, array in drawn.items():
                arrays.setdefault(path, np.empty((many, *array.shape[1:]), array.dtype))
                arrays[path][places] = array
        one = initial(lead, lead.optimizer, lead._root)
        stack = lambda a: np.broadcast_to(a, (many, *np.shape(a)))  # noqa: E731
        state = {
            "params": {path: arrays[path] for path in one["params"]},
            "buffers": {path: arrays[path] for path in one["buffers"]},
            "slots": tree_map(stack, one["slots"]),
            "step": np.zeros(many, np.int32),
            "root": roots,
            "going": np.ones(many, bool),
        }
        self.roots, dtype = roots, lead._dtype()
        factors = {
            name: np.array([member.factors[name] for member in members], dtype)
            for name in members[0].factors
        }
        rates = None
        if not lead.optimizer.scheduled:
            own = lead.optimizer.learning_rate
            rates = np.array([own if m.rate is None else m.rate for m in members], dtype)
        put = self.engine.put
        self.given = put({"rate": rates, "factors": factors})
        self.state = put(state)
        self.fresh: State = put(tree_map(stack, self.ready.objective.fresh()))
        self.kind = f"many {[*factors]} {self.job['shuffle']}"

    def _order(self, begun: int) -> Any:
        """Shuffle the rows for every member, for the epoch that begins at a step: a column each."""
        if not self.job["shuffle"]:
            return None
        keys = random.fold(self.roots, "order", begun)
        return random.permutation(keys, self.rows).T

    def _fold(self) -> Callable[..., Any]:
        """Make the program: steps of all members, each until its numbers are not finite."""
        step = checked(self.ready.train_step())

        def one(state: State, batch: Batch, given: State) -> State:
            before = {k: v for k, v in state.items() if k != "going"}
            after, fine = step(before, batch, given["rate"], given["factors"])
            going = state["going"] & fine
            where = backend.namespace(going).where
            return {
                **tree_map(lambda new, old: where(going, new, old), after, before),
                "going": going,
            }

        all_of_them = backend.vmapped(one, (0, 1 if self.job["shuffle"] else None, 0))

        def every(state: State, batch: Batch, given: State) -> tuple[State, Any]:
            after = all_of_them(state, batch, given)
            return after, after["going"].any()

        return folded(every, self.size)

    def _test_fold(self) -> Callable[..., Any]:
        """Make the program that measures all members."""
        step = self.ready.test_step()

        def one(tracked: State, batch: Batch, given: State) -> tuple[State, Any]:
            return step(tracked, batch, given["arrays"], given["factors"])

        return test_fold(backend.vmapped(one, (0, None, 0)), self.size)

    def _log(self) -> None:
        """Write down what an epoch gave."""
        logs = self._results(self.state["metrics"])
        if self.measuring:
            last = self.measuring.steps or 0
            calls = CompiledSteps(self.engine, self.measuring.whole())
            kind, tracked, number = f"test {self.kind}", self.fresh, 0
            arrays = {**self.state["params"], **self.state["buffers"]}
            given = {"arrays": arrays, "factors": self.given["factors"]}
            while number < last:
                end = calls.end(kind, number, last)
                tracked, _ = calls.take(kind, self._test_fold, tracked, number, end, given)
                number = end
            logs |= {f"val_{name}": values for name, values in self._results(tracked).items()}
        going = np.asarray(self.state["going"])
        for name, values in logs.items():
            for member, value, goes in zip(self.members, values, going, strict=True):
                member.logs.setdefault(name, []).append(float(value) if goes else math.nan)

    def _results(self, tracked: State) -> dict[str, Any]:
        """Work out what the trackers say: a number a member."""
        tracked, objective = backend.to_numpy(tracked), self.ready.objective
        twins = bind(objective.trackers, tracked).tracked
        if all(type(metric).result is metrics.Mean.result for metric in twins):
            return {metric.name: metric.result() for metric in twins}
        each = [
            objective.results({path: a[i] for path, a in tracked.items()})
            for i in range(len(self.members))
        ]
        return {k: [logs[k] for logs in each] for k, v in each[0].items() if np.ndim(v) == 0}

    def _keep(self) -> None:
        """Hand members what they reached."""
        kept = ("params", "buffers", "slots", "step", "going")
        state = backend.to_numpy({name: self.state[name] for name in kept})
        for i, member in enumerate(self.members):
            own = tree_map(lambda a, i=i: a[i], state)
            member.diverged = None if own["going"] else int(own["step"]) + 1
            member.reached = {
                "arrays": {**own["params"], **own["buffers"]}, "slots": own["slots"],
                "root": self.roots[i], "step": own["step"], "example": self.example,
            }  # fmt: skip


def _entries(shape: Any) -> int:
    """Count the numbers a row in arrays of shapes: `(None, 3)`, or lists or dicts of such."""
    if isinstance(shape, (dict, list)):
        return sum(map(_entries, shape.values() if isinstance(shape, dict) else shape))
    return math.prod(n or 1 for n in shape) if shape else 0


class _Progress:
    """Says on one line how far the work is, at most twice a second.

    Args:
        shown: whether to say anything.
        whole: how many epochs there are in all members together.
        told: hears it in place of the line.
    """

    def __init__(self, shown: bool, whole: int, told: Callable[[float], Any] | None) -> None:
        self.shown, self.whole, self.done = shown and not told, whole, 0.0
        self.told, self.line = told or (lambda done: None), StatusLine()
        self.began = self.said = time.monotonic()

    def say(self, done: float) -> None:
        """Say that so many epochs more are done."""
        self.done += done
        self.told(self.done)
        now = time.monotonic()
        if self.shown and now - self.said > 0.5:
            self.said = now
            ahead = (now - self.began) * (self.whole / self.done - 1)
            part = f"{self.done / self.whole:4.0%} of {self.whole:,} epochs"
            self.line.show(f"{part}, {ahead:.0f} s to go")

    def end(self) -> None:
        """Say how long it took."""
        if self.shown:
            took = time.monotonic() - self.began
            self.line.end(f"{self.done:,.0f} of {self.whole:,} epochs in {took:.1f} s")
