"""Numbers that break: found, and told by layer and row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from trasluz.autodiff import backend, tape
from trasluz.base.tree import leaves
from trasluz.data.arrays import Batch
from trasluz.errors import UserError
from trasluz.state.context import Context
from trasluz.training.objective import Objective, State
from trasluz.training.own import OwnSteps
from trasluz.training.ready import Ready
from trasluz.training.step import Problem

_CALMER = (
    "lower the learning rate, clip the gradients (clipnorm=1.0; in the terminal --clipnorm 1), or "
    "scale the inputs"
)


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

    def look(state: State, batch: Batch, *others: Any) -> tuple[State, Any]:
        after, loss = step(state, batch, *others)
        fine = backend.namespace(loss).isfinite(loss)
        return after, fine & finite_sums(after["params"])

    return look


def non_finite(ready: Ready, state: State, batch: Batch) -> NonFiniteError:
    """Make the error that says where numbers break: at which step, in which layer, and why.

    Args:
        ready: a compiled model, ready for the data.
        state: that before the step.
        batch: the rows at which they break.
    """
    if ready.own is None:
        place = diagnose(ready.model, ready.objective, state, batch)
    else:
        place = diagnose_own(ready.own, state, batch)
    mend = _CALMER
    for what, part in (("inputs", batch.x), ("targets", batch.y), ("weights", batch.w)):
        if not all_finite(part):
            place = f"because the {what} of its batch hold NaN or infinity ({place})"
            mend = "fill in or leave out the rows with missing or infinite values"
    return NonFiniteError(
        f"the loss or a weight is not finite any more at training step {int(state['step']) + 1}, "
        f"{place}; the weights from before that step are kept",
        ready.model.name or "fit",
        mend,
    )


def diagnose(model: Any, objective: Objective, state: State, batch: Batch) -> str:
    """Say where in a step the first number appears that is not finite."""
    context = Context(True, state["root"], state["step"])
    book = tape.Tape()
    boxes = {path: book.input(value) for path, value in state["params"].items()}
    with np.errstate(all="ignore"):
        total, _ = Problem(model, objective).loss(boxes, state["buffers"], batch, context)
        forward = _first_broken(book)
        if forward:
            return forward
        seeds = {total.index: np.ones_like(total.value)} if isinstance(total, tape.Box) else {}
        grads = book.backward(seeds, keep=True)
        for index in range(len(book.lines) - 1, -1, -1):
            at = book.lines[index]
            if at is not None and index in grads and not all_finite(grads[index]):
                return (
                    f"first in the backward pass, in {at.scope or 'the loss'} ({at.primitive.name})"
                )
        for path, box in boxes.items():
            if box.index in grads and not all_finite(grads[box.index]):
                return f"first in the backward pass, in the gradient of {path}"
    return "first in the optimizer's update"


def diagnose_own(own: OwnSteps, state: State, batch: Batch) -> str:
    """Say where in a step that a user wrote the first number appears that is not finite."""
    with np.errstate(all="ignore"):
        tapes = own.try_out("train", state, batch, {}, compiles=False)
    for book in tapes:
        forward = _first_broken(book)
        if forward:
            return forward
    return "in the backward pass or the optimizer's update" if tapes else "in what it computes"


def _first_broken(book: tape.Tape) -> str:
    """Say which line of a tape is the first that is not finite; nothing if all are."""
    for step in book.lines:
        if step is not None and not all_finite(tape.bare(step.value)):
            where, name = step.scope or "the loss", step.primitive.name
            return f"first in the forward pass, in {where} ({name})"
    return ""


def all_finite(value: Any) -> bool:
    """Tell whether a tree holds finite numbers only."""
    return all(bool(np.isfinite(v).all()) for v in leaves(value) if np.asarray(v).dtype.kind == "f")
