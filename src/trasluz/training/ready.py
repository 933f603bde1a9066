"""A model made ready for data: what follows from shapes and targets, before any step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from trasluz import losses
from trasluz.base.tree import leaves
from trasluz.data.arrays import Batch
from trasluz.errors import UserError
from trasluz.state.binding import read
from trasluz.state.context import Context
from trasluz.state.registry import overrides
from trasluz.training.objective import NONE, State, per_output
from trasluz.training.own import OwnSteps, is_own
from trasluz.training.step import NO_KEY, Problem, few_of, initial, test_step, train_step


class Ready:
    """A compiled model that is ready for data like some rows.

    It is built, its objective knows which losses and metrics are meant, and the targets fit.

    Args:
        model: a compiled model.
        batch: the rows.

    Attributes:
        objective: what the model is compiled for.
        output_shapes: the shapes of a row's outputs; `None` where batches may differ.

    Raises:
        UserError: if inputs or targets do not fit the model.
    """

    def __init__(self, model: Any, batch: Batch) -> None:
        model._require_built(batch.x)
        model._check_shape(batch.x)
        structure = model._structure()  # gives paths anew: a layer may lie in another model since
        self.model, self.objective = model, model._require_objective()
        self.output_shapes: list[tuple[int, ...]] = []
        free, p = overrides(model, "train_step") or overrides(model, "compute_loss"), [NONE]
        if model._computes:
            few = few_of(model, batch.x)
            shapes = tuple((array.shape, array.dtype) for array in leaves(few))
            if shapes not in structure.given:
                context = Context(False, NO_KEY)
                with np.errstate(all="ignore"):
                    outputs = Problem(model).forward(read(model), few, context)[0]
                structure.given[shapes] = leaves(outputs)
            p = structure.given[shapes]
            drawn = leaves(model._drawn[1]) if model._drawn else p
            self.output_shapes = [output.shape[1:] for output in drawn]
        self.checks = model._computes and not free
        self.check_targets(batch)
        names, y = self.objective.names, [None]
        if not free or _goes_with(batch.y, self.objective.names):
            y = per_output(batch.y, names, "y")
        self.objective.prepare([NONE if t is None else t for t in y], p)
        self.own = OwnSteps(model, self.objective) if is_own(model) else None

    def check_targets(self, batch: Batch) -> None:
        """Make sure that the targets of some rows fit the outputs.

        Raises:
            UserError: if they do not; it names the output.
        """
        if not self.checks:
            return  # what they are is the matter of those who wrote the step
        rows, names = len(leaves(batch.x)[0]), self.objective.names
        y = per_output(batch.y, names, "y")
        for name, target, output, loss in zip(
            names, y, self.output_shapes, self.objective.losses, strict=True
        ):
            if target is None or loss is None:
                continue
            if isinstance(loss, losses.SparseCategoricalCrossentropy):
                _check_classes(name, np.asarray(target), output[-1], loss.ignore_class)
            elif isinstance(loss, losses.Loss):
                _check_shape(name, target.shape, (rows, *output))

    def train_step(self) -> Callable[..., Any]:
        """Make the training step."""
        if self.own is not None:
            return self.own.train_step()
        return train_step(self.model, self.objective, self.model.optimizer)

    def test_step(self) -> Callable[..., Any]:
        """Make the evaluation step."""
        if self.own is not None:
            return self.own.test_step()
        return test_step(self.model, self.objective)

    def fresh(self, kind: str = "train", before: State | None = None) -> State:
        """The arrays of metrics before anything was seen; `kind` is "train" or "test"."""
        return self.objective.fresh() if self.own is None else self.own.fresh(kind, before)

    def results(self, tracked: State, kind: str = "train") -> dict[str, Any]:
        """Work out what the metrics say."""
        if self.own is None:
            return self.objective.results(tracked)
        return self.own.results(tracked, kind)

    def state(self) -> State:
        """Gather the state that a run starts from; metrics and logs are fresh."""
        model = self.model
        slots = None if self.own is None else self.own.slots
        return initial(model, model.optimizer, model._root, slots)


def _goes_with(y: Any, names: list[str]) -> bool:
    """Tell whether targets are one an output."""
    return set(y) <= set(names) if isinstance(y, dict) else len(leaves(y)) in (0, len(names))


def _check_classes(name: str, numbers: Any, classes: int, skip: int | None) -> None:
    """Make sure that targets are numbers of classes, but for the one that is left out."""
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


def _check_shape(name: str, target: tuple[int, ...], output: tuple[Any, ...]) -> None:
    """Make sure that targets have the shape of an output, a last axis of one aside."""
    shape = target
    if len(shape) < len(output) and output[-1] == 1:
        shape = (*shape, 1)
    if len(shape) > len(output) and shape[-1] == 1:
        shape = shape[:-1]
    fits = len(shape) == len(output) and all(
        m in (None, n) for n, m in zip(shape, output, strict=True)
    )
    if not fits:
        raise UserError(
            f"targets of shape {target} were given, the output has {output}",
            name,
            "give the last layer as many units as the targets have columns, or use "
            "'sparse_categorical_crossentropy' for class numbers",
        )
