"""What a model's layers compute, taken down once and done again without them.

A tape says which row was run on which lines. Run in that order on other numbers of the same shape,
they give what the layers give: the same functions on the same arrays, without the layers, scopes
and contexts around them. For one row of a small network that is most of the time.
"""

from __future__ import annotations

import functools
import operator
from typing import Any

import numpy as np

from trasluz.autodiff.tape import Box, Line, Tape
from trasluz.base.tree import tree_map
from trasluz.errors import UserError
from trasluz.state.binding import Structure
from trasluz.state.context import Context
from trasluz.state.module import Module
from trasluz.state.registry import overrides
from trasluz.state.symbolic import SymbolicTensor
from trasluz.training.step import NO_KEY

_SHAPES_KNOWN = 64  # of batches to predict


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
    >>> recording = recorded(Structure(model), x)
    >>> [function.__name__ for function, _ in recording.steps]
    ['product', 'add', 'tanh']
    >>> (recording(2 * x) == model.predict(2 * x)).all()
    np.True_
    """

    def __init__(self, structure: Structure, steps: list[Line | None], out: int) -> None:
        self.weights = [(w.module.__dict__, w.attribute) for w in structure.weights]
        taken = [step for step in steps if step is not None]
        given = [pair for step in taken for pair in zip(step.args, step.parents, strict=True)]
        self.constants = [value for value, line in given if line < 0]
        first = len(steps) - len(taken)  # behind the weights and the input come the constants
        moved = lambda line: line + len(self.constants) * (line >= first)  # noqa: E731
        places = iter(range(first, len(steps) + len(self.constants)))
        self.steps = []
        for step in taken:
            lines = [next(places) if line < 0 else moved(line) for line in step.parents]
            forward = step.primitive.forward
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


def is_plain(model: Any, x: Any, size: Any) -> bool:
    """Tell whether inputs are as NumPy takes them: there is nothing to prepare then."""
    return (
        model._engine != "xla"
        and model.built
        and not overrides(model, "predict_step")
        and type(x) is np.ndarray
        and x.ndim > 0
        and isinstance(model._input_symbols, SymbolicTensor)
        and (x.dtype == (own := model._input_symbols.dtype) or x.dtype.kind == own.kind == "f")
        and (size is None or (type(size) is int and size > 0))
        and len(x) > 0
    )


def predicted(model: Any, x: np.ndarray, size: int | None) -> Any:
    """Compute the outputs for plain inputs, batch by batch; `None` if states are carried on."""
    structure = model._structure()
    if structure.carries:
        return None
    if size is None or len(x) <= size:
        return _of_batch(model, structure, x)
    begins = range(0, len(x), size)
    parts = [_of_batch(model, structure, x[begin : begin + size]) for begin in begins]
    return tree_map(lambda *parts: np.concatenate(parts), *parts)


def _of_batch(model: Any, structure: Structure, x: np.ndarray) -> Any:
    """Compute the outputs for a batch; a shape that comes again is taken down."""
    known, x = structure.recordings, x.astype(model._input_symbols.dtype, copy=False)
    compute = known.get(x.shape)
    if compute is None:
        model._check_shape(x)
        compute = model._by_layers
        if x.shape in known:
            known[x.shape] = recorded(structure, x) or compute
        else:
            if len(known) == _SHAPES_KNOWN:
                known.clear()
            known[x.shape] = None
    with np.errstate(all="ignore"):
        return compute(x)


def recorded(structure: Structure, x: np.ndarray) -> Recording | None:
    """Take down what a model makes of an input.

    Returns:
        `None` where that could not be done again: code from outside of the package may do something
        else each time it runs, and what branches on numbers goes another way for others. Models of
        several outputs are not taken down either.
    """
    if not all(map(_is_our_own, structure.parts)):
        return None
    book = Tape()
    arrays = {weight.path: book.input(weight.value) for weight in structure.weights}
    given = book.input(x)
    try:
        with Context(False, NO_KEY):
            out = structure.binding.twins(arrays)[0](given)
    except UserError:
        return None
    single = not any(step and isinstance(step.value, tuple) for step in book.lines)
    if not (isinstance(out, Box) and out.tape is book and single):
        return None
    return Recording(structure, book.lines, out.index)


def _is_our_own(part: Module) -> bool:
    """Tell whether a layer, and all functions that it was given, are the package's own."""
    called = [type(part), *(value for value in vars(part).values() if callable(value))]
    return all(str(thing.__module__).startswith("trasluz.") for thing in called)


__all__ = ["Recording", "recorded"]
