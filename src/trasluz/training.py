"""The pure step: the only code that trains.

`step(state, batch, rate) -> (state, loss)` is called as it is on NumPy and compiled on XLA. The
state is a flat dict of dicts of arrays: everything that a run is, and all that a checkpoint holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from trasluz import backend, losses, metrics, random, tape
from trasluz.data import Batch
from trasluz.errors import UserError
from trasluz.scan import unrolled
from trasluz.state import Binding, Context, Holder, assign_paths, bind, handles, read
from trasluz.tree import leaves, tree_map

State = dict[str, Any]
NO_KEY = random.key(0)  # nothing is drawn outside of training but by layers that insist on it
# What NumPy takes for a training step and each line of its forward pass, and, there and back, for
# a number and for a product of a matrix multiplication.
_SECONDS_A_STEP, _SECONDS_A_LINE = 1e-4, 15e-6
_SECONDS_A_NUMBER, _SECONDS_A_PRODUCT = 4e-9, 4e-11


class Trackers(Holder):
    """The metrics of a compiled model, and the mean of its loss."""

    name = "trackers"

    def __init__(self, tracked: list[metrics.Metric]) -> None:
        self.tracked = tracked
        assign_paths(self)


class Objective:
    """What training minimises and what it reports, for each output of a model.

    Args:
        names: the outputs' names.
        loss: a loss, or one an output (list, or dict by name).
        loss_weights: how much each output's loss counts.
        given_metrics: metrics, likewise; they see no sample weights.
        weighted_metrics: metrics that do.
    """

    def __init__(
        self,
        names: Sequence[str],
        loss: Any,
        loss_weights: Any = None,
        given_metrics: Any = None,
        weighted_metrics: Any = None,
    ) -> None:
        self.names = list(names)
        several = len(self.names) > 1
        self.loss_identifiers = self._each(loss, "loss", several)
        self.losses = [
            None if _waits_for_shapes(one) else losses.resolve(one) for one in self.loss_identifiers
        ]
        weights = self._each(loss_weights, "loss_weights", several)
        self.loss_weights = [_loss_weight(w) for w in weights]
        self.identifiers = [
            [(m, weighted) for m in _listed(one)]
            for weighted, given in ((False, given_metrics), (True, weighted_metrics))
            for one in self._each(given, "metrics", several, nested=True)
        ]
        n = len(self.names)
        self.identifiers = [self.identifiers[i] + self.identifiers[n + i] for i in range(n)]
        self.trackers: Trackers | None = None
        self.by_output: list[list[tuple[metrics.Metric, bool]]] = []

    def _each(self, given: Any, what: str, several: bool, nested: bool = False) -> list[Any]:
        """Spread what was given over the outputs."""
        if isinstance(given, dict) and "class_name" not in given:
            for name in given:
                if name not in self.names:
                    raise UserError(
                        f"{what} names an output {name!r}", mend=f"the outputs are {self.names}"
                    )
            return [given.get(name) for name in self.names]
        if not several:
            single = isinstance(given, (list, tuple)) and not nested
            return [given[0] if single and len(given) == 1 else given]
        if nested and isinstance(given, (list, tuple)) and not _is_nested(given, len(self.names)):
            raise UserError(
                f"{what} for {len(self.names)} outputs have to say which belong to which",
                mend=f"give a dict by name ({', '.join(self.names)}) or a list of lists",
            )
        if isinstance(given, (list, tuple)):
            if len(given) != len(self.names):
                raise UserError(
                    f"{what}: {len(given)} were given for {len(self.names)} outputs",
                    mend="give one an output, None for an output without",
                )
            return list(given)
        return [given] * len(self.names)

    def prepare(self, y: list[Any], p: list[Any]) -> None:
        """Choose the metrics that names like "accuracy" mean for targets of these shapes."""
        if self.trackers is not None:
            return
        for i, identifier in enumerate(self.loss_identifiers):
            if _waits_for_shapes(identifier):
                self.losses[i] = losses.resolve(identifier, y[i].shape, p[i].shape)
        loss_mean = metrics.Mean(name="loss")
        self.by_output, several = [], len(self.names) > 1
        parts: list[metrics.Metric] = []
        if several:
            parts = [metrics.Mean(name=f"{name}_loss") for name in self.names]
        taken = {"loss"} | {m.name for m in parts}
        for i, name in enumerate(self.names):
            chosen = []
            for identifier, weighted in self.identifiers[i]:
                metric = metrics.resolve(identifier, y[i].shape, p[i].shape, self.losses[i])
                label = metric.name if not several else f"{name}_{metric.name}"
                if label in taken:
                    if several or isinstance(identifier, str):
                        continue
                    n = 1
                    while f"{label}_{n}" in taken:
                        n += 1
                    label = f"{label}_{n}"
                taken.add(label)
                metric.name = label
                chosen.append((metric, weighted))
            self.by_output.append(chosen)
        chosen_metrics = [m for output in self.by_output for m, _ in output]
        self.trackers = Trackers([loss_mean, *parts, *chosen_metrics])

    def value(self, y: list[Any], p: list[Any], w: list[Any]) -> tuple[Any, list[Any]]:
        """Add up the outputs' losses: `(total, one an output)`."""
        parts = [
            None if loss is None or y[i] is None else loss(y[i], p[i], sample_weight=w[i])
            for i, loss in enumerate(self.losses)
        ]
        terms = [
            part if weight == 1.0 else part * weight
            for part, weight in zip(parts, self.loss_weights, strict=True)
            if part is not None
        ]
        if not terms:
            raise UserError(
                "no output has both targets and a loss",
                "compile",
                "give compile(loss=…), and targets beside the inputs",
            )
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total, parts

    def track(
        self, tracked: list[Any], total: Any, parts: list[Any], y: Any, p: list[Any], w: Any
    ) -> None:
        """Let metrics (those of `trackers`, or twins of them) see a batch."""
        rows = p[0].shape[0]
        metric = iter(tracked)
        next(metric).update_state(total, sample_weight=rows)
        if len(self.names) > 1:
            for part in parts:
                mean = next(metric)
                if part is not None:
                    mean.update_state(part, sample_weight=rows)
        for i, output in enumerate(self.by_output):
            for _, weighted in output:
                one = next(metric)
                if y[i] is not None:
                    one.update_state(y[i], p[i], sample_weight=w[i] if weighted else None)

    def results(self, arrays: State) -> dict[str, float]:
        """Work out what the trackers say."""
        assert self.trackers is not None
        twin = bind(self.trackers, backend.to_numpy(arrays))
        logs: dict[str, Any] = {}
        for metric in twin.tracked:
            value = metric.result()
            if isinstance(value, dict):
                logs |= {k: float(v) for k, v in value.items()}
            else:
                logs[metric.name] = float(value) if np.ndim(value) == 0 else np.asarray(value)
        return logs

    def fresh(self) -> State:
        """The trackers' arrays before anything was seen."""
        assert self.trackers is not None
        for metric in self.trackers.tracked:
            metric.reset_state()
        return read(self.trackers)


def _waits_for_shapes(identifier: Any) -> bool:
    """Tell whether only the shapes say which loss a name means."""
    return isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce")


def _loss_weight(given: Any) -> float:
    try:
        return 1.0 if given is None else float(given)
    except (TypeError, ValueError) as error:
        raise UserError(f"{given!r} is not the weight of a loss", "compile", "e.g. 0.5") from error


def _listed(one: Any) -> list[Any]:
    given = one if isinstance(one, (list, tuple)) else [one]
    return [metric for metric in given if metric is not None]


def _is_nested(given: Sequence[Any], n: int) -> bool:
    return len(given) == n and all(g is None or isinstance(g, (list, tuple, str)) for g in given)


def spread(tree: Any, names: Sequence[str], what: str) -> list[Any]:
    """List one entry an output, from a value, a list or a dict by name."""
    if tree is None:
        return [None] * len(names)
    if isinstance(tree, dict):
        for name in tree:
            if name not in names:
                raise UserError(f"{what} names an output {name!r}", mend=f"outputs: {list(names)}")
        return [tree.get(name) for name in names]
    if isinstance(tree, (list, tuple)):
        if len(tree) != len(names):
            raise UserError(f"{what}: {len(tree)} were given for the outputs {list(names)}")
        return list(tree)
    return [tree] * len(names)


# ------------------------------------------------------------------------------------- the steps


def initial(model: Any, optimizer: Any, root: Any) -> State:
    """Gather the state a run starts from."""
    variables = handles(model)
    trainable = {v.path: v.value for v in variables if v.trainable}
    return {
        "params": trainable,
        "fixed": {v.path: v.value for v in variables if not v.trainable},
        "slots": optimizer.init(trainable),
        "step": np.asarray(0, np.int32),
        "root": root,
    }


class Bound:
    """A model and its goal, with what does not change between steps looked up once.

    Args:
        model: a built model.
        target: what it is compiled for; `None` for prediction.
    """

    def __init__(self, model: Any, target: Objective | None = None) -> None:
        self.binding = Binding(model)
        self.target: Any = target
        variables = handles(model)
        self.penalised = [
            (v.path, v.regularizer) for v in variables if v.regularizer is not None and v.trainable
        ]
        self.constrained = [
            (v.path, v.constraint) for v in variables if v.constraint is not None and v.trainable
        ]
        self.trackers: Any = Binding(target.trackers) if target and target.trackers else None

    def forward(self, arrays: State, x: Any, context: Context) -> tuple[Any, State]:
        """Run a twin of the model: its outputs, and its arrays as it left them."""
        twins = self.binding.twins(arrays)
        with context:
            outputs = twins[0](x)
        return outputs, self.binding.read(twins)

    def objective(
        self, params: State, fixed: State, batch: Batch, context: Context
    ) -> tuple[Any, tuple[Any, ...]]:
        """The loss of a batch as a function of the parameters, and what is worth keeping of it."""
        arrays = {**fixed, **params}
        outputs, after = self.forward(arrays, batch.x, context)
        names = self.target.names
        p = leaves(outputs)
        y, w = spread(batch.y, names, "y"), spread(batch.w, names, "sample_weight")
        total, parts = self.target.value(y, p, w)
        for path, regularizer in self.penalised:
            total = tape.note(total, "data") + tape.note(regularizer(arrays[path]), "penalty")
        for penalty in context.losses:
            total = tape.note(total, "data") + tape.note(penalty, "penalty")
        moved = {path: after[path] for path in fixed}
        return total, (total, parts, p, y, w, moved)

    def track(self, arrays: State, kept: tuple[Any, ...]) -> State:
        """Let the metrics see a batch: new arrays of the trackers."""
        total, parts, p, y, w, _ = kept
        twins = self.trackers.twins(arrays)
        self.target.track(twins[0].tracked, total, parts, y, p, w)
        return self.trackers.read(twins)


def train_step(model: Any, target: Objective, optimizer: Any) -> Callable[..., Any]:
    """Make the pure training step of a compiled model.

    Returns:
        `step(state, batch, rate) -> (state, total loss)`; `rate` is the learning rate, or `None`
        where a schedule gives it.
    """
    bound = Bound(model, target)

    def step(state: State, batch: Batch, rate: Any) -> tuple[State, Any]:
        context = Context(True, state["root"], state["step"])
        slope = tape.value_and_grad(bound.objective, has_aux=True)
        (loss, kept), grads = slope(state["params"], state["fixed"], batch, context)
        params, slots = optimizer.update(
            grads, state["slots"], state["params"], state["step"], learning_rate=rate
        )
        for path, constraint in bound.constrained:
            params = {**params, path: constraint(params[path])}
        return {
            "params": params,
            "fixed": kept[-1],
            "slots": slots,
            "step": state["step"] + np.int32(1),
            "root": state["root"],
            "metrics": bound.track(state["metrics"], kept),
        }, loss

    return step


def test_step(model: Any, target: Objective) -> Callable[..., Any]:
    """Make the pure evaluation step: `step(metrics, batch, arrays) -> (metrics, total loss)`.

    It runs on a tape too, so that losses see the logits under a softmax as they do in training.
    """
    bound = Bound(model, target)

    def step(tracked: State, batch: Batch, arrays: State) -> tuple[State, Any]:
        context = Context(False, NO_KEY)
        f = lambda arrays: bound.objective(arrays, {}, batch, context)  # noqa: E731
        loss, _, kept = tape.vjp(f, arrays, has_aux=True)
        return bound.track(tracked, kept), loss

    return step


def predict_step(model: Any) -> Callable[..., Any]:
    """Make the pure prediction step: `step(arrays, x) -> outputs`."""
    bound = Bound(model)
    return lambda arrays, x: bound.forward(arrays, x, Context(False, NO_KEY))[0]


class Work(NamedTuple):
    """What a forward pass does.

    Attributes:
        lines: how many rows are run.
        numbers: how many numbers they give, for a row of the data.
        products: how many multiplications its matrix products take, for a row of the data.
        largest: how many of them the largest product takes.
        weights: how many numbers the model holds.
    """

    lines: int
    numbers: float
    products: float
    largest: float
    weights: int

    def seconds(self, size: int) -> float:
        """Work out roughly how long a training step on so many rows takes on NumPy."""
        a_row = self.products * _SECONDS_A_PRODUCT + self.numbers * _SECONDS_A_NUMBER
        whole = self.lines * _SECONDS_A_LINE + self.weights * _SECONDS_A_NUMBER
        return _SECONDS_A_STEP + whole + size * a_row


def work(model: Any, x: Any) -> Work:
    """Count what a forward pass of a built model does, on a few rows."""
    book = tape.Tape()
    boxes = {path: book.input(value) for path, value in read(model).items()}
    with unrolled(), np.errstate(all="ignore"):
        predict_step(model)(boxes, x)
    lines, rows = [step for step in book.steps if step is not None], len(leaves(x)[0])
    numbers = sum(step.value.size for step in lines)
    products = [s.value.size * s.args[0].shape[-1] for s in lines if s.row.name == "matmul"]
    weights = sum(box.value.size for box in boxes.values())
    largest = max(products, default=0)
    return Work(len(lines), numbers / rows, sum(products) / rows, largest / rows, weights)


# ---------------------------------------------------------------------------- many steps in a call


def folded(step: Callable[..., Any], size: int) -> Callable[..., Any]:
    """Make many steps one call, fit to be compiled.

    How many steps, is an argument: one program takes one or a thousand, so the numbers do not
    depend on how an epoch is cut into calls. A last batch of fewer rows has a loop of its own
    behind the others', since nobody knows what rows that only fill it up would change.

    Args:
        step: `step(state, batch, given) -> (state, whether to go on)`.
        size: how many rows a batch has.

    Returns:
        `fold(state, rows, order, begin, end, given) -> (state, whether it came to the end)`: takes
        the steps from `begin` to before `end` of an epoch, whose batches are cut from `rows`, all
        of the training set, in an order or (`None`) as they stand.
    """

    def fold(
        state: State, rows: Batch, order: Any, begin: Any, end: Any, given: Any
    ) -> tuple[State, Any]:
        whole, rest = divmod(len(leaves(rows.x)[0]), size)

        def turns(carry: tuple[Any, State, Any], last: Any, count: int) -> tuple[Any, State, Any]:
            def body(carry: tuple[Any, State, Any]) -> tuple[Any, State, Any]:
                number, before, _ = carry
                batch = backend.rows(rows, order, number * size, count)
                after, fine = step(before, batch, given)
                return number + 1, _typed_like(after, before), fine

            return backend.loop(lambda carry: carry[2] & (carry[0] < last), body, carry)

        carry = (begin, state, np.True_)
        if whole:
            carry = turns(carry, backend.namespace(end).minimum(end, whole), size)
        if rest:
            carry = turns(carry, end, rest)
        return carry[1:]

    return fold


def _typed_like(tree: Any, other: Any) -> Any:
    """Give arrays the types of others: what is carried from step to step keeps its own."""
    cast = lambda new, old: new if new.dtype == old.dtype else new.astype(old.dtype)  # noqa: E731
    return tree_map(cast, tree, other)


def train_fold(step: Callable[..., Any], size: int) -> Callable[..., Any]:
    """Fold training steps until a loss is not finite; parameters are looked at in the end only.

    What has stopped being a finite number stays so. Which step it was, `find_fold` tells.
    """

    def quick(state: State, batch: Batch, rate: Any) -> tuple[State, Any]:
        after, loss = step(state, batch, rate)
        return after, backend.namespace(loss).isfinite(loss)

    fold = folded(quick, size)

    def run(*args: Any) -> tuple[State, Any]:
        after, fine = fold(*args)
        return after, fine & finite_sums(after["params"])

    return run


def test_fold(step: Callable[..., Any], size: int) -> Callable[..., Any]:
    """Fold evaluation steps, to the end whatever they give."""

    def always(tracked: State, batch: Batch, arrays: State) -> tuple[State, Any]:
        return step(tracked, batch, arrays)[0], np.True_

    return folded(always, size)


def find_fold(step: Callable[..., Any], size: int) -> Callable[..., Any]:
    """Fold training steps up to before the first whose loss or parameters are not finite."""

    def careful(state: State, batch: Batch, rate: Any) -> tuple[State, Any]:
        after, fine = checked(step)(state, batch, rate)
        where = backend.namespace(fine).where
        return tree_map(lambda new, old: where(fine, new, old), after, state), fine

    return folded(careful, size)


# --------------------------------------------------------------------------- when numbers break


class NonFiniteError(UserError):
    """Training met a number that is not finite and stopped; the last good weights are kept."""


def finite_sums(params: State) -> Any:
    """Tell whether all parameters are finite numbers, by their sums."""
    fine: Any = np.True_
    for p in params.values():
        fine = fine & backend.namespace(p).isfinite(p.sum())
    return fine


def checked(step: Callable[..., Any]) -> Callable[..., Any]:
    """Make a training step that tells whether its numbers are finite, instead of the loss."""

    def look(state: State, batch: Batch, rate: Any) -> tuple[State, Any]:
        after, loss = step(state, batch, rate)
        fine = backend.namespace(loss).isfinite(loss)
        return after, fine & finite_sums(after["params"])

    return look


def diagnose(model: Any, target: Objective, state: State, batch: Batch) -> str:
    """Say where in a step the first number appears that is not finite."""
    context = Context(True, state["root"], state["step"])
    book = tape.Tape()
    boxes = {path: book.input(value) for path, value in state["params"].items()}
    with np.errstate(all="ignore"):
        total, _ = Bound(model, target).objective(boxes, state["fixed"], batch, context)
        for step in book.steps:
            if step is not None and not all_finite(step.value):
                return f"first in the forward pass, in {step.scope or 'the loss'} ({step.row.name})"
        seeds = {total.index: np.ones_like(total.value)} if isinstance(total, tape.Box) else {}
        grads = book.backward(seeds, keep=True)
        for index in range(len(book.steps) - 1, -1, -1):
            at = book.steps[index]
            if at is not None and index in grads and not all_finite(grads[index]):
                return f"first in the backward pass, in {at.scope or 'the loss'} ({at.row.name})"
        for path, box in boxes.items():
            if box.index in grads and not all_finite(grads[box.index]):
                return f"first in the backward pass, in the gradient of {path}"
    return "first in the optimizer's update"


def all_finite(value: Any) -> bool:
    """Tell whether a tree holds finite numbers only."""
    return all(bool(np.isfinite(v).all()) for v in leaves(value) if np.asarray(v).dtype.kind == "f")
