"""What layers add to the loss, in the step that is running or in the last call outside of one."""

from __future__ import annotations

from typing import Any

from trasluz.autodiff.tape import held
from trasluz.errors import UserError
from trasluz.state.context import Context, current
from trasluz.state.module import Module, modules_in, own_modules, weights_of


def keep_losses(layer: Module, context: Context) -> None:
    """Let what was added in a call outside of steps stay with the layers that added it."""
    if context.losses:
        for one in modules_in(layer):
            one.__dict__.pop("_added", None)
        for (owner, _), term in zip(context.owners, context.losses, strict=True):
            owner.__dict__.setdefault("_added", []).append(term)


def losses_of(layer: Module) -> list[Any]:
    """List what a layer and those below it add to the loss."""
    below, context = own_modules(layer), current()
    if context is None:
        added = [term for one in below for term in one.__dict__.get("_added", ())]
    else:
        added = context.added_by(set(map(id, below)))
    penalised = [v for v in weights_of(layer) if v.trainable and v.regularizer is not None]
    terms = [*added, *(v.regularizer(v.value) for v in penalised)]
    return held(terms) if context is not None and context.acting is not None else terms


def check_may_build(name: str) -> None:
    """Make sure that no layer gets its weights in a step that a user wrote.

    Raises:
        UserError: if such a step is running.
    """
    context = current()
    if context is not None and context.acting is not None:
        raise UserError(
            "the layer gets its weights in a step, where they would be lost",
            name,
            "make it in __init__, and let it begin with Input(shape), or call it on data once "
            "before fit",
        )
