"""Reading a training step aloud: the same tape, with entries to be spelled in place of numbers.

The model runs on numbers, to know what happened and where its landmarks are: what each layer
gives, what goes into its activation, the errors. Then it runs on `Entries`, where each landmark
gets a name, so that formulas stay short. The backward walk is the one that trains; its derivatives
at landmarks are named too. Nothing here knows any derivative.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import cached_property
from typing import Any

import numpy as np

from trasluz.autodiff import random
from trasluz.autodiff.scan import UNROLLED, unrolled
from trasluz.autodiff.tape import Box, Line, Tape
from trasluz.base.messages import problem, suggest
from trasluz.base.tree import leaves, tree_map
from trasluz.data.arrays import Batch
from trasluz.explain.landmarks import landmarks, layer_paths
from trasluz.explain.names import GATES, NOTED, Landmark
from trasluz.models import intake
from trasluz.state.context import Context
from trasluz.training.ready import Ready
from trasluz.training.step import Problem

Place = tuple[int, ...]


class Nudged(Tape):
    """A tape that moves one entry of one line a little."""

    __slots__ = ("amount", "line", "place")

    def __init__(self, line: int, place: Place, amount: float) -> None:
        super().__init__()
        self.line, self.place, self.amount = line, place, amount

    def write(self, step: Line) -> Any:
        """Add a step, its value moved if it is the one."""
        if len(self.lines) == self.line:
            step.value = np.array(step.value)
            step.value[self.place] += self.amount
        return super().write(step)


class Reading:
    """One training step of a model on some rows, in double precision."""

    def __init__(self, model: Any, x: Any, y: Any, training: bool = False) -> None:
        if not model._computes:
            raise problem("explain-no-call", model.name or type(model).__name__)
        data = intake.with_targets(model, x, y)
        objective = Ready(model, data.rows(slice(None))).objective
        self.model, self.training = model, training
        given = _as_given(data.y, y)
        if not any(getattr(loss, "numbered", False) for loss in objective.losses):
            given = tree_map(lambda a: np.asarray(a, "float64"), given)  # no labels of classes
        self.batch = Batch(_as_given(data.x, x), given)
        self.problem = Problem(model, objective)
        arrays = {v.path: _wide(v.numpy()) for v in model.variables}
        moved = {v.path for v in model.trainable_weights}
        self.params = {p: a for p, a in arrays.items() if p in moved}
        self.buffers = {p: a for p, a in arrays.items() if p not in moved}
        self.root = random.key(0) if model._root is None else model._root
        self.series = _series(self.batch.x)
        self.one = all(len(a) == 1 for a in self.series.values())
        self.tape, self.turns = Tape(), Tape()
        self.total, self.inputs = self.record(
            self.tape, self.params, self.buffers, self.batch, turns=False
        )
        if not isinstance(self.total, Box):
            raise problem("explain-nothing", model.name or "")
        self.last = self.total
        if any(step and step.primitive.name in UNROLLED for step in self.tape.lines):
            self.last, _ = self.record(self.turns, self.params, self.buffers, self.batch)
        else:
            self.turns = self.tape
        self._check_finite()

    def record(
        self, tape: Tape, params: Any, buffers: Any, batch: Batch, turns: bool = True
    ) -> tuple[Any, dict[str, Box]]:
        """Run the step on a tape: the loss, and the parameters and inputs as they went in."""
        step = self.model.optimizer.iterations
        context = Context(self.training, self.root, np.asarray(step, np.int32))
        inputs = {path: tape.input(value) for path, value in params.items()}
        given = leaves(batch.x)
        boxes = [tape.input(a) if a.dtype.kind == "f" else a for a in given]
        x = _filled(batch.x, boxes)
        with unrolled() if turns else nullcontext():
            total, _ = self.problem.loss(inputs, buffers, Batch(x, batch.y), context)
        named = zip(self.series, boxes, strict=True)
        return total, inputs | {name: box for name, box in named if isinstance(box, Box)}

    def _check_finite(self) -> None:
        for step in self.turns.lines:
            values = () if step is None else leaves(step.value)
            for value in values:
                if np.asarray(value).dtype.kind == "f" and not np.isfinite(value).all():
                    place = tuple(int(i) for i in np.argwhere(~np.isfinite(value))[0])
                    assert step is not None
                    raise problem(
                        "explain-not-finite", str(step.scope or "loss"), row=step.primitive.name,
                        value=str(np.asarray(value)[place]), at=str(place),
                        shape=str(np.shape(value)),
                    )  # fmt: skip

    @cached_property
    def paths(self) -> set[str]:
        """The paths of the model's layers."""
        return layer_paths(self.model)

    @cached_property
    def marks(self) -> dict[int, Landmark]:
        """The lines worth a name."""
        return landmarks(self)

    def value(self, line: int) -> Any:
        """The value of a line."""
        return self.turns.lines[line].value  # type: ignore[union-attr]

    # ---------------------------------------------------------------------------- on numbers

    def gradient(self) -> dict[str, Any]:
        """The derivative of the loss in every parameter and input, from the backward pass."""
        return self._gradient

    @cached_property
    def _gradient(self) -> dict[str, Any]:
        grads = self.tape.backward({self.total.index: np.ones_like(self.total.value)})
        found = {path: grads.get(box.index) for path, box in self.inputs.items()}
        known = self.params | self.series
        return {p: np.zeros_like(known[p]) if g is None else g for p, g in found.items()}

    def loss(self, params: dict[str, Any], x: Any = None) -> float:
        """The loss at some parameters, and inputs."""
        batch = self.batch if x is None else self.batch._replace(x=_filled(self.batch.x, x))
        return float(self.record(Tape(), params, self.buffers, batch, turns=False)[0].value)

    def difference(self, path: str, at: Place, step: float = 1e-6) -> float:
        """The central difference of the loss in one entry of a parameter or input."""

        def moved(arrays: dict[str, Any], amount: float) -> dict[str, Any]:
            copy = arrays[path].copy()
            copy[at] += amount
            return {**arrays, path: copy}

        if path in self.params:
            sides = [self.loss(moved(self.params, s * step)) for s in (1, -1)]
        else:
            sides = [
                self.loss(self.params, list(moved(self.series, s * step).values())) for s in (1, -1)
            ]
        return (sides[0] - sides[1]) / (2 * step)

    def difference_at_line(self, line: int, at: Place, step: float = 1e-6) -> float:
        """The central difference of the loss in one entry of a line of the tape."""
        sides = [
            self.record(Nudged(line, at, s * step), self.params, self.buffers, self.batch)[0]
            for s in (1, -1)
        ]
        return (float(sides[0].value) - float(sides[1].value)) / (2 * step)

    def differences(self, most: int = 20) -> dict[str, float]:
        """How far backward pass and central differences are apart, by parameter, worst first."""
        gradient = {p: g for p, g in self.gradient().items() if p in self.params}
        scale = max([1e-12, *(float(np.abs(g).max()) for g in gradient.values())])
        worst = {}
        for path, g in gradient.items():
            chosen = np.unique(np.linspace(0, g.size - 1, min(most, g.size)).astype(int))
            places = [tuple(int(i) for i in np.unravel_index(n, g.shape)) for n in chosen]
            apart = [abs(float(g[at]) - self.difference(path, at)) for at in places]
            worst[path] = max(apart) / scale
        return dict(sorted(worst.items(), key=lambda item: -item[1]))

    # --------------------------------------------------------------------------- what is asked for

    def find(self, wrt: str) -> tuple[str, int]:
        """Find a parameter, an input or a layer's line by its path: its path and line.

        Raises:
            UserError: if there is none.
        """
        wrt = str(wrt)
        if wrt in self.inputs:
            return wrt, self.inputs[wrt].index
        if wrt in self.series:
            raise problem("explain-whole-numbers", name=wrt)
        layer, _, what = wrt.rpartition("/")
        outputs = ("output", "prediction", *NOTED)
        asked = [(wrt, outputs), (layer, (what,)), (layer, outputs if what == "sum" else ())]
        for path, roles in asked:
            for line, mark in reversed(self.marks.items()):
                if mark.where == path and mark.role in roles:
                    return wrt, line
        if wrt in self.buffers:
            raise problem("explain-not-trained", name=wrt, nearest=suggest(wrt, self.params))
        given = {m.where for m in self.marks.values() if m.role in outputs}
        given |= {f"{m.where}/{m.role}" for m in self.marks.values() if m.role in GATES}
        known = [*self.params, *self.series, *sorted(given)]
        raise problem("explain-unknown", name=wrt, nearest=suggest(wrt, known))

    def place(self, wrt: str, line: int, at: Place) -> Place:
        """Make sure that an entry exists; the row of a single one is put in.

        Raises:
            UserError: if it does not.
        """
        known = self.params | self.series
        shape = known[wrt].shape if wrt in known else self.value(line).shape
        if wrt not in self.params and self.one and len(at) == len(shape) - 1:
            at = (0, *at)
        if len(at) != len(shape) or any(not -n <= i < n for i, n in zip(at, shape, strict=True)):
            last = str(tuple(n - 1 for n in shape)) if shape and all(shape) else "()"
            raise problem("explain-no-entry", name=wrt, shape=str(shape), at=str(at), last=last)
        return tuple(i % n for i, n in zip(at, shape, strict=True))

    def checks(self, wrt: str, line: int, at: Place, derived: float) -> dict[str, float]:
        """Set a derivative beside what the backward pass and a central difference give."""
        gradient = self.gradient().get(wrt)
        if gradient is None:
            gradient = self._gradient_at(line)
            difference = self.difference_at_line(line, at)
        else:
            difference = self.difference(wrt, at)
        backward = float(gradient[at])
        return {"derived": derived, "backward": backward, "central difference": difference}

    def _gradient_at(self, line: int) -> Any:
        seeds = {self.last.index: np.ones_like(self.last.value)}
        return self.turns.backward(seeds, keep=True)[line]


def _as_given(data: Any, given: Any) -> Any:
    """Widen arrays; where they are rounded from what was given, take what was given."""
    if len(leaves(data)) != 1:
        return tree_map(_wide, data)
    try:
        exact = np.asarray(given, "float64").reshape(leaves(data)[0].shape)
    except (TypeError, ValueError):
        return tree_map(_wide, data)

    def wide(a: Any) -> Any:
        return exact if a.dtype.kind == "f" and (exact.astype(a.dtype) == a).all() else _wide(a)

    return tree_map(wide, data)


def _wide(a: Any) -> Any:
    return np.asarray(a, "float64") if np.asarray(a).dtype.kind == "f" else a


def _series(x: Any) -> dict[str, Any]:
    """Name the inputs."""
    if isinstance(x, dict):
        return dict(x)
    arrays = leaves(x)
    if len(arrays) == 1:
        return {"x": arrays[0]}
    return {f"x{i}": a for i, a in enumerate(arrays, 1)}


def _filled(tree: Any, values: list[Any]) -> Any:
    rest = iter(values)
    return tree_map(lambda _: next(rest), tree)
