"""Checkpoints: the whole state of a run, between two epochs or two steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from trasluz.base.files import write_atomically
from trasluz.errors import UserError
from trasluz.optimizers.base import optimizers_in
from trasluz.saving.archive import flat, nested, pack, unpack
from trasluz.saving.kinds import require_all
from trasluz.saving.models import check_weights, describe, read_carefully, write_weights
from trasluz.state.registry import plain

# Where a run is, as `training.run` writes it.
POSITION = {"epoch": "count", "batch": "count", "begun": "count?", "callbacks": "names",
            "asked": "names?", "machine": "names?"}  # fmt: skip


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


def load_checkpoint(
    model: Any, filepath: Any, agree: Callable[[dict[str, Any]], None] | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Put a model back where a checkpoint left it.

    Args:
        model: a model of the same architecture.
        filepath: the file.
        agree: looks at the position before anything of the model moves, and may raise.

    Returns:
        The position, and the arrays that were kept beside.

    Raises:
        UserError: if the checkpoint is of a model of another architecture, or holds what a run
            never writes.
    """
    where = str(filepath)
    arrays, document = unpack(filepath)
    if "position" not in document:
        raise UserError("this is a model, not a checkpoint", where, "use load_model")
    with read_carefully(where):
        position = require_all(POSITION, document["position"], where)
        steps = require_all({"iterations": "count of steps"}, _part(document, "iterations"), where)
        slots, root = nested(arrays, "slots") or None, arrays.get("root")
        if root is not None and (root.shape != (2,) or root.dtype != np.uint32):
            raise ValueError("the random key is none")
        rate = document["compile"]["optimizer"]["config"]["learning_rate"]
        weights = nested(arrays, "weights")
        check_weights(model, weights, where)
        if agree is not None:
            agree(position)
        write_weights(model, weights, where)
        optimizer = model.optimizer
        optimizer.iterations = steps["iterations"]
        if not optimizer.scheduled and not isinstance(rate, (dict, str)):
            optimizer.learning_rate = _rate(rate)  # a callback may have lowered it
        rates = document.get("rates", {})
        for name, rule in optimizers_in(model).items():
            if name in rates:
                rule.learning_rate = _rate(rates[name])
        model._slots, model._root = slots, root
        return position, nested(arrays, "more")


def _part(document: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: document[name] for name in names if name in document}


def _rate(rate: Any) -> float:
    if isinstance(rate, bool) or not 0 <= float(rate) < math.inf:
        raise ValueError(f"{rate!r} is no learning rate")
    return float(rate)
