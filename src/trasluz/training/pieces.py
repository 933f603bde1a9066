"""What Keras's steps are made of: the pieces that a model may write itself, as they usually are."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable
from typing import Any

from trasluz.autodiff import tape
from trasluz.autodiff.tape import held, released
from trasluz.base.tree import leaves
from trasluz.data.arrays import unpacked
from trasluz.errors import UserError
from trasluz.state.binding import Binding
from trasluz.state.context import current
from trasluz.state.gradient import GradientTape
from trasluz.state.module import Weight
from trasluz.training.objective import NONE, Objective, per_output


def total_loss(total: Any, penalties: Iterable[Any]) -> Any:
    """Add penalties to the loss of the outputs, which may be `None`.

    Raises:
        UserError: if there is nothing to add up.
    """
    for penalty in penalties:
        noted = tape.note(penalty, "penalty")
        total = noted if total is None else tape.note(total, "data") + noted
    if total is None:
        raise UserError(
            "no output has both targets and a loss",
            "compile",
            "give compile(loss=…), and targets beside the inputs, or call add_loss in a layer",
        )
    return total


def compute_loss(
    model: Any,
    x: Any = None,
    y: Any = None,
    y_pred: Any = None,
    sample_weight: Any = None,
    training: bool = True,
) -> Any:
    """Give the loss of a batch: what compile says, and what layers and regularizers add.

    Args:
        model: a compiled model.
        x: the inputs.
        y: the targets.
        y_pred: what the model makes of the inputs.
        sample_weight: weights of the rows.
        training: whether it is for training.

    Raises:
        UserError: if there is neither a loss nor anything that is added to it.
    """
    objective, y, p, w = _taken_apart(model, *released((y, y_pred, sample_weight)))
    total, parts = objective.value(y, p, w)
    if model._tracked is not None:
        objective.track_parts(model._tracked, parts, p)
    total = total_loss(total, released(model.losses))
    return held(total) if is_acting() else total


def compute_metrics(
    model: Any, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
) -> dict[str, Any]:
    """Let the metrics of compile see a batch, and give what all metrics say."""
    objective, y, p, w = _taken_apart(model, *released((y, y_pred, sample_weight)))
    objective.track_metrics(_tracked(model, objective), y, p, w)
    results: dict[str, Any] = model.get_metrics_result()
    return results


def get_metrics_result(model: Any) -> dict[str, Any]:
    """Give what the metrics say, by name."""
    logs: dict[str, Any] = {}
    for metric in model.metrics:
        value = metric.result()
        logs |= value if isinstance(value, dict) else {metric.name: value}
    return logs


def reset_metrics(model: Any) -> None:
    """Let the metrics forget all batches."""
    for metric in model.metrics:
        metric.reset_state()


def train_step(model: Any, data: Any) -> dict[str, Any]:
    """Make the loss of a batch smaller.

    It runs on a twin of the model: what it assigns to arrays (weights, variables, metrics, the
    optimizers' state) is kept, anything else is not. On XLA it is compiled.

    Args:
        model: a compiled model.
        data: `x`, `(x, y)` or `(x, y, sample_weight)`.

    Returns:
        What to report, by name.
    """
    x, y, w = unpacked(data)
    with GradientTape() as book:
        y_pred = model(x, training=True)
        loss = asked_loss(model, x, y, w, y_pred, True)
    _track(model, loss, x)
    weights = model.trainable_weights
    if weights:
        model.optimizer.apply(book.gradient(loss, weights), weights)
    logs: dict[str, Any] = model.compute_metrics(x, y, y_pred, sample_weight=w)
    return logs


def test_step(model: Any, data: Any) -> dict[str, Any]:
    """Measure on a batch, as `(x, y)`: what to report, by name."""
    x, y, w = unpacked(data)
    with GradientTape():  # losses see the logits under a softmax then
        y_pred = model(x, training=False)
        loss = asked_loss(model, x, y, w, y_pred, False)
    _track(model, loss, x)
    logs: dict[str, Any] = model.compute_metrics(x, y, y_pred, sample_weight=w)
    return logs


def predict_step(model: Any, data: Any) -> Any:
    """Compute the outputs for a batch."""
    return model(unpacked(data).x, training=False)


def stateless_call(
    model: Any,
    trainable_variables: Any,
    non_trainable_variables: Any,
    *args: Any,
    return_losses: bool = False,
    **kwargs: Any,
) -> tuple[Any, ...]:
    """Call a model with other arrays in it: a pure function of them, for `trasluz.tape`.

    Args:
        model: a built model.
        trainable_variables: arrays in the order of its `trainable_weights`.
        non_trainable_variables: arrays in the order of its `non_trainable_weights`.
        args: what to call it with.
        return_losses: whether to give too what is added to the loss.
        kwargs: by name.

    Returns:
        The outputs, and the arrays that training leaves alone, as the call left them.

    Raises:
        UserError: if the numbers of arrays do not fit.
    """
    handles = [*model.trainable_weights, *model.non_trainable_weights]
    arrays = [*trainable_variables, *non_trainable_variables]
    if len(arrays) != len(handles):
        raise UserError(
            f"{len(arrays)} arrays were given, the weights are {len(handles)}",
            model.name or type(model).__name__,
            "give those of trainable_weights, and those of non_trainable_weights",
        )
    values = [a.value if isinstance(a, Weight) else a for a in released(arrays)]
    binding = Binding(model)
    paths = [handle.path for handle in handles]
    twins = binding.twins(dict(zip(paths, values, strict=True)))
    outputs = twins[0](*args, **kwargs)
    after = binding.read(twins)
    others = [after[path] for path in paths[len(model.trainable_weights) :]]
    return (outputs, others, twins[0].losses) if return_losses else (outputs, others)


def asked_loss(model: Any, x: Any, y: Any, w: Any, y_pred: Any, training: bool) -> Any:
    """Ask a model for its loss.

    Raises:
        UserError: if that is no number.
    """
    given = {"x": x, "y": y, "y_pred": y_pred, "sample_weight": w}
    kind: Any = type(model)
    if _takes_training(kind):
        given["training"] = training
    loss = model.compute_loss(**given)
    if getattr(loss, "shape", None) != ():
        what = "nothing" if loss is None else f"shape {getattr(loss, 'shape', type(loss).__name__)}"
        raise UserError(
            f"its compute_loss gives {what}",
            type(model).__name__,
            "let it return one number: ops.mean(...) or ops.sum(...) makes one",
        )
    return loss


@functools.cache
def _takes_training(kind: Any) -> bool:
    parameters = inspect.signature(kind.compute_loss).parameters
    return "training" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def _track(model: Any, loss: Any, x: Any) -> None:
    tracked = _tracked(model, model._require_objective())
    tracked[0].update_state(released(loss), sample_weight=leaves(x)[0].shape[0])


def _tracked(model: Any, objective: Objective) -> list[Any]:
    """Give the metrics of compile: in a step, those of the step."""
    if model._tracked is not None:
        return list(model._tracked)
    assert objective.trackers is not None
    return objective.trackers.tracked


def _taken_apart(model: Any, y: Any, y_pred: Any, w: Any) -> tuple[Objective, Any, Any, Any]:
    """Give what the model is compiled for, with targets, outputs and weights an output each."""
    objective, p = model._require_objective(), leaves(y_pred)
    names = objective.names
    y, w = per_output(y, names, "y"), per_output(w, names, "sample_weight")
    objective.prepare([NONE if t is None else t for t in y], p)
    return objective, y, p, w


def is_acting() -> bool:
    """Tell whether a step that a user wrote is running."""
    context = current()
    return context is not None and context.acting is not None
