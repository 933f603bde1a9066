"""One turn of a fold, taken down: its tape without its numbers, to be filled in and read backwards.

The forward fold keeps of each turn what the derivative will need, and no more, so that nothing is
worked out again. A product with a constant, which is the same in all turns, leaves its derivative
to one product of all turns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from trasluz.autodiff import ops
from trasluz.autodiff.backend import namespace
from trasluz.autodiff.tape import Box, Line, Tape, unbox
from trasluz.base.tree import fill, leaves, leaves_like

Body = Callable[[Any, Any, Any], tuple[Any, Any]]
Number = int | tuple[int, int]


class Place:
    """Where an array stood on a tape.

    Args:
        number: the line that gave it; for an array from elsewhere, the line that uses it, and the
            how-manyth of what that line is given it is.
        value: an array of the same shape and type.

    Attributes:
        like: stands in for it where only its shape and type are asked.
    """

    __slots__ = ("like", "number")

    def __init__(self, number: Number, value: Any) -> None:
        self.number = number
        self.like = np.broadcast_to(np.ones((), value.dtype), value.shape)


class Product(NamedTuple):
    """A product of rows with a constant: which rows, which constant, and how."""

    rows: int
    constant: int
    params: dict[str, Any]


class Turn:
    """A body on flat lists, that learns in its first turn what its derivative needs.

    Args:
        body: see `scan`.
        trees: how carry, xs and constants are nested.

    Attributes:
        y: how what the body gives is nested.
        results: the lines of the next carry and of y; -1 where one is from elsewhere.
        kept: the numbers of the arrays that each turn gives back behind its own results.
        products: by line, the products of rows with a constant; `tape` leaves their derivatives in
            the constant out.
    """

    def __init__(self, body: Body, trees: tuple[Any, Any, Any]) -> None:
        self.body, self.trees = body, trees
        self.counts = tuple(len(leaves(tree)) for tree in trees)
        self.y: Any = None
        self.results: list[int] = []
        self.kept: list[Number] = []
        self.products: dict[int, Product] = {}
        self._lines: list[Line | None] = []

    def __call__(
        self, before: list[Any], x: list[Any], constants: list[Any]
    ) -> tuple[list[Any], list[Any]]:
        """Take a turn: the next carry; and to be stacked, `y`, the carry before, what is kept."""
        tape, given = Tape(), [*before, *x, *constants]
        boxes = [tape.input(value) for value in given]
        rest = iter(boxes)
        after, y = self.body(*(fill(t, [next(rest) for _ in leaves(t)]) for t in self.trees))
        results = [*leaves_like(self.trees[0], after), *leaves(y)]
        values = [unbox(result, tape) for result in results]
        if self.y is None:
            self.y = y
            self.results = [r.index if type(r) is Box else -1 for r in results]
            self._learn(tape, given)
        n, found = len(before), _arrays(tape)
        return values[:n], values[n:] + before + [found[number] for number in self.kept]

    def parts(self, flat: tuple[Any, ...]) -> tuple[list[Any], list[Any], list[Any]]:
        """Part a list into carry, xs and constants."""
        n, both = self.counts[0], self.counts[0] + self.counts[1]
        return list(flat[:n]), list(flat[n:both]), list(flat[both:])

    def holds(self, number: Number) -> bool:
        """Tell whether a derivative in this array can be pulled back."""
        return isinstance(number, int) and number >= 0

    def tape(self, arrays: dict[Number, Any]) -> Tape:
        """Fill the tape of a turn with arrays, by number."""
        tape = Tape()
        put = lambda v: arrays.get(v.number, v.like) if type(v) is Place else v  # noqa: E731
        tape.lines = [
            line and _line(line, line.parents, [put(v) for _, v in _held(0, line)])
            for line in self._lines
        ]
        return tape

    def _learn(self, tape: Tape, given: list[Any]) -> None:
        """Take down a tape: what NumPy holds in a turn that is compiled is the same in all."""
        fixed = (np.ndarray, np.generic) if namespace(*given) is not np else ()
        inputs = range(len(given))
        constants = inputs[self.counts[0] + self.counts[1] :]
        for index, line in enumerate(tape.lines):
            if line is None:
                self._lines.append(None)
                continue
            parents = line.parents
            if line.primitive is ops.matmul_row and parents[1] in constants:
                rows = parents[0]
                if rows not in (-1, *constants) and line.args[0].ndim == line.args[1].ndim == 2:
                    self.products[index] = Product(rows, parents[1], line.params)
                    parents = rows, -1
            held = [
                Place(number, value) if _is_array(value) and not isinstance(value, fixed) else value
                for number, value in _held(index, line)
            ]
            self._lines.append(_line(line, parents, held))
        arrays = _arrays(tape)
        needed = self._needed({**dict(enumerate(given)), **arrays})
        needed.update(product.rows for product in self.products.values())
        self.kept = [number for number in arrays if number in needed and number not in inputs]

    def _needed(self, arrays: dict[Number, Any]) -> set[Number]:
        """Read the tape backwards once, on ones, and see which of its arrays are asked for."""
        probe = Tape()
        boxes = {n: probe.input(Place(n, value).like) for n, value in arrays.items()}
        tape = self.tape(boxes)
        with np.errstate(all="ignore"):
            tape.backward({line: boxes[line].value for line in self.results if line >= 0})
        asked = {parent for line in probe.lines if line for parent in line.parents}
        return {number for number, box in boxes.items() if box.index in asked}


def _is_array(value: Any) -> bool:
    return hasattr(value, "__array_namespace__") and not isinstance(value, type)


def _held(index: int, line: Line) -> list[tuple[Number, Any]]:
    """List what a line holds, with its number: what it is given, and what it gives."""
    given = [*line.args, *leaves(line.params)]
    known = dict(enumerate(line.parents))
    numbers = [known[i] if known.get(i, -1) >= 0 else (index, i) for i in range(len(given))]
    gives = [(index + i, value) for i, value in enumerate(leaves(line.value))]
    return [*zip(numbers, given, strict=True), *gives]


def _line(line: Line, parents: tuple[int, ...], held: list[Any]) -> Line:
    """Make a line that holds other things."""
    n, m = len(line.args), len(held) - len(leaves(line.value))
    params, value = fill(line.params, held[n:m]), fill(line.value, held[m:])
    return Line(line.primitive, tuple(held[:n]), params, parents, value)


def _arrays(tape: Tape) -> dict[Number, Any]:
    """Give the arrays that the lines of a tape hold, by number."""
    return {
        number: value
        for index, line in enumerate(tape.lines)
        if line is not None
        for number, value in _held(index, line)
        if _is_array(value)
    }
