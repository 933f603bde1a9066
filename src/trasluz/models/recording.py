"""What a model's layers compute, taken down once and done again without them.

A tape says which row was run on which lines. Run in that order on other numbers of the same shape,
they give what the layers give: the same functions on the same arrays, without the layers, scopes
and contexts around them. For one row of a small network that is most of the time.
"""

from __future__ import annotations

import functools
import operator

import numpy as np

from trasluz.autodiff.tape import Box, Step, Tape
from trasluz.errors import UserError
from trasluz.state.binding import Walk
from trasluz.state.context import Context
from trasluz.state.holder import Holder
from trasluz.training.step import NO_KEY


class Recording:
    """The steps of a tape, to be taken again on NumPy.

    Args:
        walk: the model; the weights are those that it has whenever the steps are taken.
        steps: what happened to them and to the input, which is the line after them.
        out: the line with the output.

    >>> from trasluz.layers import Dense, Input
    >>> from trasluz.models import Sequential
    >>> model = Sequential([Input((3,)), Dense(2, "tanh")])
    >>> x = np.ones((1, 3), "float32")
    >>> recording = recorded(Walk(model), x)
    >>> [function.__name__ for function, _ in recording.steps]
    ['product', 'add', 'tanh']
    >>> (recording(2 * x) == model.predict(2 * x)).all()
    np.True_
    """

    def __init__(self, walk: Walk, steps: list[Step | None], out: int) -> None:
        self.weights = [(w.holder.__dict__, w.attribute) for w in walk.weights]
        taken = [step for step in steps if step is not None]
        given = [pair for step in taken for pair in zip(step.args, step.parents, strict=True)]
        self.constants = [value for value, line in given if line < 0]
        first = len(steps) - len(taken)  # behind the weights and the input come the constants
        moved = lambda line: line + len(self.constants) * (line >= first)  # noqa: E731
        places = iter(range(first, len(steps) + len(self.constants)))
        self.steps = []
        for step in taken:
            lines = [next(places) if line < 0 else moved(line) for line in step.parents]
            forward = step.row.forward
            function = getattr(forward, "__wrapped__", forward)  # NumPy's own, if it is one
            function = functools.partial(function, **step.params) if step.params else function
            wanted = lines if len(lines) > 1 else [slice(lines[0], lines[0] + 1)]
            self.steps.append((function, operator.itemgetter(*wanted)))
        self.out = moved(out)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Take the steps on an input of the shape that they were taken down for."""
        lines = [holder[attribute] for holder, attribute in self.weights]
        lines.append(x)
        lines += self.constants
        for function, arguments in self.steps:
            lines.append(function(*arguments(lines)))
        return np.array(lines[self.out])


def recorded(walk: Walk, x: np.ndarray) -> Recording | None:
    """Take down what a model makes of an input.

    Returns:
        `None` where that could not be done again: code from outside of the package may do something
        else each time it runs, and what branches on numbers goes another way for others. Models of
        several outputs are not taken down either.
    """
    if not all(map(_is_our_own, walk.parts)):
        return None
    book = Tape()
    arrays = {weight.path: book.input(weight.value) for weight in walk.weights}
    given = book.input(x)
    try:
        with Context(False, NO_KEY):
            out = walk.binding.twins(arrays)[0](given)
    except UserError:
        return None
    single = not any(step and isinstance(step.value, tuple) for step in book.steps)
    if not (isinstance(out, Box) and out.tape is book and single):
        return None
    return Recording(walk, book.steps, out.index)


def _is_our_own(part: Holder) -> bool:
    """Tell whether a layer, and all functions that it was given, are the package's own."""
    called = [type(part), *(value for value in vars(part).values() if callable(value))]
    return all(str(thing.__module__).startswith("trasluz.") for thing in called)


__all__ = ["Recording", "recorded"]
