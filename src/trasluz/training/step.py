"""The pure step: the only code that trains.

`step(state, batch, rate) -> (state, loss)` is called as it is on NumPy and compiled on XLA. The
state is a flat dict of dicts of arrays: everything that a run is, and all that a checkpoint holds.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from trasluz.autodiff import random, tape
from trasluz.base.tree import leaves, tree_map
from trasluz.data.arrays import Batch
from trasluz.state.binding import Binding
from trasluz.state.context import Context
from trasluz.state.masks import mask_of, set_mask
from trasluz.state.module import carried_in, weights_of
from trasluz.state.registry import overrides
from trasluz.training.objective import CARRIED, Objective, State, per_output
from trasluz.training.pieces import asked_loss, total_loss

NO_KEY = random.key(0)  # nothing is drawn outside of training but by layers that insist on it


def initial(model: Any, optimizer: Any, root: Any, slots: Any = None) -> State:
    """Gather the state a run starts from; `slots` makes the optimizer's, if it is given."""
    variables = weights_of(model)
    trainable = {v.path: v.value for v in variables if v.trainable}
    return {
        "params": trainable,
        "buffers": {v.path: v.value for v in variables if not v.trainable},
        "slots": optimizer.init(trainable) if slots is None else slots(trainable),
        "step": np.asarray(0, np.int32),
        "root": root,
    }


class Problem:
    """A model and its objective, with what does not change between steps looked up once.

    Args:
        model: a built model.
        objective: what it is compiled for; `None` for prediction.
    """

    def __init__(self, model: Any, objective: Objective | None = None) -> None:
        self.binding = Binding(model)
        self.own_loss = overrides(model, "compute_loss")
        self.own_prediction = overrides(model, "predict_step")
        self.objective: Any = objective
        variables = weights_of(model)
        self.penalised = [
            (v.path, v.regularizer) for v in variables if v.regularizer is not None and v.trainable
        ]
        self.constrained = [
            (v.path, v.constraint) for v in variables if v.constraint is not None and v.trainable
        ]
        self.trackers: Any = (
            Binding(objective.trackers) if objective and objective.trackers else None
        )

    def forward(self, arrays: State, x: Any, context: Context) -> tuple[Any, list[Any]]:
        """Run a twin of the model: its outputs, and the twins."""
        twins = self.binding.twins(arrays)
        with context:
            outputs = twins[0](x)
        return outputs, twins

    def predict(self, arrays: State, x: Any) -> Any:
        """Compute the outputs for some rows, the model's own way if it has one."""
        context = Context(False, NO_KEY)
        if not self.own_prediction:
            return self.forward(arrays, x, context)[0]
        with context:
            return self.binding.twins(arrays)[0].predict_step(x)

    def loss(
        self, params: State, buffers: State, batch: Batch, context: Context
    ) -> tuple[Any, tuple[Any, ...]]:
        """The loss of a batch as a function of the parameters, and what is worth keeping of it."""
        arrays = {**buffers, **params}
        outputs, twins = self.forward(arrays, batch.x, context)
        names = self.objective.names
        p = leaves(outputs)
        y, w = per_output(batch.y, names, "y"), per_output(batch.w, names, "sample_weight")
        if self.own_loss:
            with context:
                total = asked_loss(twins[0], *batch, y_pred=outputs, training=context.training)
            parts = []
        else:
            with context:
                total, parts = self.objective.value(y, p, w)
                penalties = (regularizer(arrays[path]) for path, regularizer in self.penalised)
                total = total_loss(total, itertools.chain(penalties, context.losses))
        with context:
            masks = [mask_of(one) for one in p]
        after = self.binding.read(twins)
        moved = {path: after[path] for path in buffers}
        return total, (total, parts, p, y, w, masks, moved)

    def track(self, arrays: State, kept: tuple[Any, ...]) -> State:
        """Let the metrics see a batch: new arrays of the trackers."""
        total, parts, p, y, w, masks, _ = kept
        twins = self.trackers.twins(arrays)
        with Context():
            for one, mask in zip(p, masks, strict=True):
                set_mask(one, mask)
            self.objective.track(twins[0].tracked, total, parts, y, p, w)
        return self.trackers.read(twins)


def train_step(model: Any, objective: Objective, optimizer: Any) -> Callable[..., Any]:
    """Make the pure training step of a compiled model.

    Returns:
        `step(state, batch, rate, factors) -> (state, total loss)`; `rate` is the learning rate, or
        `None` where a schedule gives it; `factors` are those of `Context`, and may be left out.
    """
    problem = Problem(model, objective)

    def step(
        state: State, batch: Batch, rate: Any, factors: State | None = None
    ) -> tuple[State, Any]:
        context = Context(True, state["root"], state["step"], factors)
        slope = tape.value_and_grad(problem.loss, has_aux=True)
        (loss, kept), grads = slope(state["params"], state["buffers"], batch, context)
        params, slots = optimizer.update(
            grads, state["slots"], state["params"], state["step"], learning_rate=rate
        )
        for path, constraint in problem.constrained:
            params = {**params, path: constraint(params[path])}
        return {
            "params": params,
            "buffers": kept[-1],
            "slots": slots,
            "step": state["step"] + np.int32(1),
            "root": state["root"],
            "metrics": problem.track(state["metrics"], kept),
        }, loss

    return step


def test_step(model: Any, objective: Objective) -> Callable[..., Any]:
    """Make the pure evaluation step of a compiled model.

    It runs on a tape too, so that losses see the logits under a softmax as they do in training.

    Returns:
        `step(tracked, batch, arrays, factors) -> (tracked, total loss)`; `tracked` holds the arrays
        of the trackers, and what layers carry on (`carrying`); `factors` are those of `Context`,
        and may be left out.
    """
    problem = Problem(model, objective)

    def step(
        tracked: State, batch: Batch, arrays: State, factors: State | None = None
    ) -> tuple[State, Any]:
        context = Context(False, NO_KEY, factors=factors)
        states = tracked.get(CARRIED, {})
        fixed = {path: array for path, array in arrays.items() if path not in states}
        f = lambda arrays: problem.loss(arrays, states, batch, context)  # noqa: E731
        loss, _, kept = tape.vjp(f, fixed, has_aux=True)
        after = problem.track(tracked, kept)
        return (after | {CARRIED: kept[-1]} if states else after), loss

    return step


def carrying(model: Any, tracked: State, arrays: State) -> State:
    """Put beside the trackers' arrays what the model's layers carry on from batch to batch."""
    states = {path: arrays[path] for path in carried_in(model)}
    return tracked | {CARRIED: states} if states else tracked


def carrying_step(model: Any) -> Callable[..., Any]:
    """Make the prediction step of a model whose layers carry states on.

    Returns:
        `step(arrays, x) -> (outputs, states)`.
    """
    problem, carried = Problem(model), carried_in(model)

    def step(arrays: State, x: Any) -> tuple[Any, State]:
        outputs, twins = problem.forward(arrays, x, Context(False, NO_KEY))
        after = problem.binding.read(twins)
        return outputs, {path: after[path] for path in carried}

    return step


def few_of(model: Any, x: Any) -> Any:
    """Take rows enough to look what a model gives: two, or as many as its states are for."""
    states = [weight for weight in weights_of(model) if weight.spec.carried]
    rows = states[0].shape[0] if states else 2
    return tree_map(lambda a: a[:rows], x)


def predict_step(model: Any) -> Callable[..., Any]:
    """Make the pure prediction step: `step(arrays, x) -> outputs`."""
    return Problem(model).predict
