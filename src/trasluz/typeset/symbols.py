r"""The third reader of the rules: run on symbols, a rule gives its own formula in LaTeX.

A symbol carries a name and a value. Rows called on symbols spell themselves by their `reads`
template and compute the value as well, so one run of a rule gives formula, numbers and result:

>>> import numpy as np
>>> from trasluz import ops
>>> x = Symbol("x", np.array(0.75))
>>> d = derivative(ops.tanh, 0, Symbol("y", np.tanh(x.value)), x)
>>> print(d.latex, "=", d.numbers(), "=", number(d.value, 6))
1 - y^{2} = 1 - 0.6351^{2} = 0.596586
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from trasluz.autodiff.ops import ATOM, PRODUCT, SUM
from trasluz.autodiff.tape import Primitive, Traced

BOX = r"\boxed{"
_ONE = "1{}"  # the value of a name: a factor that stands there even where it is 1


class Symbol(Traced):
    """A name with a value.

    In a template `{0}` writes it as it is and `{0:2}` in parentheses if it binds more loosely
    than level 2 (a product).

    Args:
        latex: how it is written.
        value: the array or number it stands for.
        binds: how loosely it binds; a name is an atom.
        made: the row that made it, and of what; a name was not made.
        literal: whether it is a number rather than the name of one.
    """

    level = 0

    def __init__(
        self,
        latex: str,
        value: Any,
        binds: int = ATOM,
        made: tuple[Primitive, list[Symbol]] | None = None,
        literal: bool = False,
    ) -> None:
        self.latex, self.value, self.binds, self.made = latex, np.asarray(value), binds, made
        self.literal = literal

    @property
    def has_names(self) -> bool:
        """Whether there is more in it than numbers."""
        if self.made is None:
            return not self.literal
        return any(part.has_names for part in self.made[1])

    def numbers(self, digits: int = 4) -> str:
        """Spell the same formula with the numbers of its names."""
        return self._numbered(digits).latex.replace(_ONE, "1")

    def _numbered(self, digits: int) -> Symbol:
        if self.made is None:
            if self.literal:
                return self if self.ndim else constant(self.value, digits)
            value = named_by_value(self.value, digits)
            if value.latex == "1":
                value.latex = _ONE
            return value
        primitive, parts = self.made
        return Symbol(
            spelled(primitive, [part._numbered(digits) for part in parts]),
            self.value,
            primitive.binds,
        )

    @property
    def name(self) -> str:
        """How it is written, out of its box if it stands in one."""
        boxed = self.latex.startswith(BOX)
        return self.latex.removeprefix(BOX)[:-1] if boxed else self.latex

    def at(self, known: Mapping[str, Any]) -> Any:
        """Work the formula out again, with other values for some of its names."""
        if self.name in known:
            return known[self.name]
        if self.made is None:
            return self.value
        primitive, parts = self.made
        return primitive.forward(*(part.at(known) for part in parts))

    shape = property(lambda self: self.value.shape)
    ndim = property(lambda self: self.value.ndim)
    dtype = property(lambda self: self.value.dtype)

    def record(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Symbol:
        symbols = [a if isinstance(a, Symbol) else constant(a) for a in args]
        value = primitive.forward(
            *(a.value if isinstance(a, Symbol) else a for a in args), **params
        )
        return Symbol(
            spelled(primitive, symbols),
            value,
            primitive.binds,
            (_bound(primitive, params), symbols),
        )

    def __format__(self, level: str) -> str:
        if level and self.binds > int(level):
            return rf"\left({self.latex}\right)"
        return self.latex

    def __repr__(self) -> str:
        return f"<symbol {self.latex} = {self.value}>"


def _bound(primitive: Primitive, params: dict[str, Any]) -> Primitive:
    """Make a row that needs no parameters any more."""
    if not params:
        return primitive
    forward = functools.partial(primitive.forward, **params)
    return Primitive(
        primitive.name, forward, primitive.reads, primitive.rules, primitive.kind, primitive.binds
    )


def spelled(primitive: Primitive, symbols: list[Symbol]) -> str:
    """Spell a row on symbols, as its `reads` says."""
    return (
        primitive.reads.format(*symbols)
        if isinstance(primitive.reads, str)
        else primitive.reads(*symbols)
    )


def named_by_value(value: Any, digits: int = 4) -> Symbol:
    """Make a symbol whose name is its number.

    Args:
        value: a number; an array is named by its shape.
        digits: significant digits.
    """
    array = np.asarray(value)
    if array.ndim:
        shape = r" \times ".join(map(str, array.shape))
        return Symbol(rf"\left[{shape}\right]", array, literal=True)
    text = number(array.item(), digits)
    loose = SUM if text.startswith("-") else PRODUCT if r"\times" in text else ATOM
    return Symbol(text, array, loose, literal=True)


def constant(value: Any, digits: int = 4) -> Symbol:
    r"""Make a symbol of a number that belongs to a formula: a simple fraction is written as one.

    >>> constant(1 / 3).latex, constant(0.5).latex, constant(0.3333).latex
    ('\\frac{1}{3}', '0.5', '0.3333')
    >>> constant(1 / np.sqrt(8)).latex
    '\\frac{1}{\\sqrt{8}}'
    """
    array = np.asarray(value)
    if array.ndim == 0 and array.dtype.kind == "f" and np.isfinite(array):
        sign, size = ("-" if array < 0 else ""), abs(float(array))
        if size < 100 and float(f"{size:.{digits}g}") != size:
            for below in range(3, 65):
                above = round(size * below)
                if 0 < above < 100 and above / below == size:
                    text = rf"{sign}\frac{{{above}}}{{{below}}}"
                    return Symbol(text, array, SUM if sign else ATOM, literal=True)
            below = round(1 / size**2) if 0.01 < size < 1 else 0
            if below > 1 and 1 / math.sqrt(below) == size:
                text = rf"{sign}\frac{{1}}{{\sqrt{{{below}}}}}"
                return Symbol(text, array, SUM if sign else ATOM, literal=True)
    return named_by_value(value, digits)


def number(value: Any, digits: int = 4) -> str:
    r"""Write a number with so many significant digits, powers of ten as LaTeX.

    >>> number(0.635149), number(2), number(-1.5e-7)
    ('0.6351', '2', '-1.5 \\times 10^{-7}')
    """
    if isinstance(value, (bool, int, np.bool_, np.integer)):
        return str(int(value))
    text = f"{value:.{digits}g}" if value else "0"
    if "e" in text:
        mantissa, exponent = text.split("e")
        return rf"{mantissa} \times 10^{{{int(exponent)}}}"
    return text.replace("inf", r"\infty")


def matrix(value: Any, digits: int = 4, most: int = 4) -> str:
    r"""Write an array as a block of numbers; what is more than `most` a side is left out.

    >>> matrix(np.eye(2))
    '\\begin{bmatrix} 1 & 0 \\\\ 0 & 1 \\end{bmatrix}'
    """
    array = np.atleast_2d(value)
    array = array.reshape(-1, array.shape[-1])

    def ends(n: int) -> list[int | None]:
        return [*range(n)] if n <= most else [*range(most - 2), None, n - 1]

    columns = ends(array.shape[1])
    return block([[_cell(array, i, j, digits) for j in columns] for i in ends(array.shape[0])])


def block(rows: Iterable[Iterable[Any]]) -> str:
    r"""Write rows of formulas as a matrix.

    >>> block([["a", "b"]])
    '\\begin{bmatrix} a & b \\end{bmatrix}'
    """
    lines = (" & ".join(map(str, row)) for row in rows)
    return r"\begin{bmatrix} " + r" \\ ".join(lines) + r" \end{bmatrix}"


def _cell(array: np.ndarray, i: int | None, j: int | None, digits: int) -> str:
    if i is None:
        return r"\vdots" if j is not None else r"\ddots"
    return r"\cdots" if j is None else number(array[i, j], digits)


def named_in(spelled: Symbol) -> Iterator[Symbol]:
    """List the names in a formula, from left to right."""
    if spelled.made is None:
        if not spelled.literal:
            yield spelled
        return
    for part in spelled.made[1]:
        yield from named_in(part)


def derivative(
    primitive: Primitive, position: int, y: Symbol, *args: Any, **params: Any
) -> Symbol | None:
    """Spell and compute the derivative of an elementwise row in one argument.

    Returns:
        The symbol, or `None` where the row is not differentiable.
    """
    rule = primitive.rules[min(position, len(primitive.rules) - 1)]
    if rule is None:
        return None
    d = rule(y, *args, **params)
    return d if isinstance(d, Symbol) else constant(d)


def pullback(
    primitive: Primitive, position: int, g: Symbol, y: Symbol, *args: Any, **params: Any
) -> Symbol | None:
    """Spell and compute the pullback of a structural row for one argument."""
    rule = primitive.rules[min(position, len(primitive.rules) - 1)]
    if rule is None:
        return None
    extra = {"position": position} if len(primitive.rules) < len(args) else {}
    return rule(g, y, *args, **params, **extra)
