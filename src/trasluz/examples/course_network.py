"""A small network whose every entry has a name of its own, run by the training step."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from trasluz.autodiff import tape
from trasluz.data.arrays import Batch
from trasluz.examples.page import Formula, Step, Word
from trasluz.explain.asking import derive
from trasluz.explain.derivation import Derivation
from trasluz.explain.names import Names, Place
from trasluz.explain.reading import Reading
from trasluz.explain.script import Question
from trasluz.layers.base import Layer
from trasluz.models.sequential import Sequential
from trasluz.optimizers.rules import SGD
from trasluz.state.context import Context

Params = dict[str, np.ndarray]


class Point(NamedTuple):
    """Where a descent stands: the parameters, the loss there, and its gradient."""

    params: Params
    loss: float
    gradient: Params


def descend(
    loss: Callable[[Params], Any],
    start: Params,
    rate: float,
    most: int,
    tolerance: float = 0.0,
    moves: Params | None = None,
) -> list[Point]:
    """Go down a function by gradient descent: `θ ← θ − ηg`.

    Args:
        loss: the function, made of operators and `ops`.
        start: where to begin.
        rate: η.
        most: how many steps at most.
        tolerance: stop once no entry moves by more.
        moves: ones for the entries that move and zeros for the rest; all move unless given.

    Returns:
        The points passed, the first included.

    >>> path = descend(lambda p: p["w"] ** 2, {"w": np.array(1.0)}, rate=0.25, most=2)
    >>> [float(point.params["w"]) for point in path]
    [1.0, 0.5, 0.25]
    """
    both, sgd = tape.value_and_grad(loss), SGD(rate)
    points = [Point(start, *both(start))]
    while len(points) <= most:
        params, _, g = points[-1]
        g = {path: g[path] * moves[path] for path in g} if moves else g
        new, _ = sgd.update(g, sgd.init(params), params, len(points) - 1)
        points.append(Point(new, *both(new)))
        if max(float(np.abs(new[path] - params[path]).max()) for path in new) <= tolerance:
            break
    return points


def milestones(points: Sequence[Any]) -> list[int]:
    """Choose the steps to print: the first ones, powers of ten, the last.

    >>> milestones(range(236))
    [0, 1, 2, 3, 4, 5, 10, 100, 235]
    """
    last = len(points) - 1
    chosen = {0, 1, 2, 3, 4, 5, *(10**k for k in range(1, 9)), last}
    return sorted(n for n in chosen if n <= last)


@dataclass(frozen=True)
class Network:
    """A network in double precision, its data, and the names that a course gives its parameters.

    Args:
        layers: makes the layers.
        params: the parameters by path.
        loss: the name of the loss.
        x: the inputs.
        y: the targets.
        rate: the learning rate.
        names: path and place of each named parameter.
        letters: the other names of the course, in LaTeX, by path and place.
    """

    layers: Callable[[], Sequence[Layer]]
    params: Params
    loss: str
    x: np.ndarray
    y: np.ndarray
    rate: float
    names: dict[str, tuple[str, Place]]
    letters: dict[tuple[str, Place], str] = field(default_factory=dict)

    @cached_property
    def model(self) -> Sequential:
        """The compiled model."""
        model = Sequential([*self.layers()], dtype="float64")
        model.build((None, self.x.shape[1]))
        model.set_weights([self.params[v.path] for v in model.weights])
        model.compile(SGD(self.rate), self.loss)
        return model

    @cached_property
    def reading(self) -> Reading:
        """One training step of it."""
        return Reading(self.model, self.x, self.y)

    def objective(self, params: Params) -> Any:
        """The loss as a function of the parameters."""
        batch = Batch(self.x, self.y)
        return self.reading.problem.loss(params, {}, batch, Context(False, self.reading.root))[0]

    def pick(self, params: Params, name: str) -> float:
        """Give the entry of that name."""
        path, at = self.names[name]
        return float(params[path][at])

    def at(self, **entries: float) -> Network:
        """Give the network with some named entries changed."""
        params = {path: array.copy() for path, array in self.params.items()}
        for name, value in entries.items():
            path, at = self.names[name]
            params[path][at] = value
        return replace(self, params=params)

    def moving(self, names: Iterable[str]) -> Params:
        """Give ones where the named entries are, and zeros elsewhere."""
        masks = {path: np.zeros_like(array) for path, array in self.params.items()}
        for path, at in (self.names[name] for name in names):
            masks[path][at] = 1
        return masks

    def descend(self, names: Iterable[str], most: int, tolerance: float = 0) -> list[Point]:
        """Train the named entries alone, all rows in each step."""
        moves = self.moving(names)
        return descend(self.objective, self.params, self.rate, most, tolerance, moves)

    @property
    def total(self) -> float:
        """The loss."""
        return self.reading.loss(self.params)

    def gradient(self) -> dict[str, float]:
        """The derivative of the loss in each named entry, from the backward pass."""
        gradient = self.reading.gradient()
        return {name: self.pick(gradient, name) for name in self.names}

    def forward(self) -> dict[str, np.ndarray]:
        """Give what layers give, and the "/sum" in each, by path: rows by units."""
        return {
            mark.where + "/sum" * (mark.role == "sum"): self.reading.value(line)
            for line, mark in self.reading.marks.items()
            if mark.number
        }

    @cached_property
    def naming(self) -> dict[tuple[str, Place], str]:
        """The course's names, as explanations take them."""
        return {entry: lowered(name) for name, entry in self.names.items()} | self.letters

    def units(self) -> list[tuple[Formula, float]]:
        """List every sum, activation and prediction of a single row, by name."""
        names = Names(self.reading.marks.values(), {}, self.naming)
        return [
            (Formula(names.unit(mark, (k,))), float(value))
            for line, mark in self.reading.marks.items() if mark.number
            for k, value in enumerate(self.reading.value(line)[0])
        ]  # fmt: skip

    def one_output(self, k: int) -> Network:
        """Give the network with the error of one output alone: the others are on target."""
        only = np.arange(self.y.shape[1]) == k
        return replace(self, y=np.where(only, self.y, self.forward()["output"]))

    def rows(self) -> list[Network]:
        """Give the network on each row alone."""
        return [replace(self, x=self.x[i : i + 1], y=self.y[i : i + 1]) for i in range(len(self.x))]

    def derive(self, name: str, update: bool = False) -> Derivation:
        """Derive the derivative in a named entry, or its new value."""
        path, at = self.names[name]
        return derive(self.reading, Question(path, at, 6, update, names=self.naming))

    def checks(self) -> Step:
        """Compare the derivatives in all named entries: derived, backward, central difference."""
        checks = {name: self.derive(name).checks.values() for name in self.names}
        header = [Word("name"), Word("derived"), Word("backward"), Word("difference")]
        return Step("checks", header, [(shown(name), *three) for name, three in checks.items()])


def lowered(name: str) -> str:
    """Write the number in a name as an index, in LaTeX.

    >>> lowered("w10")
    'w_{10}'
    """
    return re.sub(r"(\d+)$", r"_{\1}", name)


def shown(name: str) -> Formula:
    """Write a name as it stands in a derivation.

    >>> shown("w10")
    'w₁₀'
    """
    return Formula(lowered(name))
