"""Checkpoints: the whole state of a run, between two epochs or two steps."""

from __future__ import annotations

from typing import Any

from trasluz.base.files import write_atomically
from trasluz.errors import UserError
from trasluz.saving.archive import flat, nested, pack, unpack
from trasluz.saving.models import describe, write_weights
from trasluz.state.registry import plain


def save_checkpoint(model: Any, filepath: Any, position: dict[str, Any], more: Any = None) -> None:
    """Write all that a run needs to go on bit for bit.

    Args:
        model: the model, as far as it is trained.
        filepath: where; the checkpoint before stays until this one is whole.
        position: plain data: epoch, history, what callbacks remember.
        more: arrays to keep, as nested dicts.
    """
    arrays, document = describe(model)
    arrays |= flat(more or {}, "more")
    write_atomically(filepath, pack(arrays, {**document, "position": plain(position)}))


def load_checkpoint(model: Any, filepath: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Put a model back where a checkpoint left it.

    Returns:
        The position, and the arrays that were kept beside.

    Raises:
        UserError: if the checkpoint is of a model of another architecture.
    """
    arrays, document = unpack(filepath)
    if "position" not in document:
        raise UserError("this is a model, not a checkpoint", str(filepath), "use load_model")
    write_weights(model, nested(arrays, "weights"), str(filepath))
    optimizer = model.optimizer
    optimizer.iterations = document["iterations"]
    rate = document["compile"]["optimizer"]["config"]["learning_rate"]
    if not optimizer.scheduled and not isinstance(rate, (dict, str)):
        optimizer.learning_rate = rate  # a callback may have lowered it
    model._slots = nested(arrays, "slots") or None
    model._root = arrays.get("root")
    return document["position"], nested(arrays, "more")
