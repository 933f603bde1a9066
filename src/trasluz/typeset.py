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

from typing import Any

import numpy as np

from trasluz.ops import ATOM, PRODUCT, SUM
from trasluz.tape import Row, Traced


class Symbol(Traced):
    """A name with a value.

    In a template `{0}` writes it as it is and `{0:2}` in parentheses if it binds more loosely
    than level 2 (a product).

    Args:
        latex: how it is written.
        value: the array or number it stands for.
        binds: how loosely it binds; a name is an atom.
        made: the row that made it, and of what; a name was not made.
    """

    level = 0

    def __init__(
        self,
        latex: str,
        value: Any,
        binds: int = ATOM,
        made: tuple[Row, list[Symbol]] | None = None,
    ) -> None:
        self.latex, self.value, self.binds, self.made = latex, np.asarray(value), binds, made

    def numbers(self, digits: int = 4) -> str:
        """Spell the same formula with the numbers of its names."""
        return self._numbered(digits).latex

    def _numbered(self, digits: int) -> Symbol:
        if self.made is None:
            return named_by_value(self.value, digits)
        row, parts = self.made
        return Symbol(
            spelled(row, [part._numbered(digits) for part in parts]), self.value, row.level
        )

    shape = property(lambda self: self.value.shape)
    ndim = property(lambda self: self.value.ndim)
    dtype = property(lambda self: self.value.dtype)

    def record(self, row: Row, args: tuple[Any, ...], params: dict[str, Any]) -> Symbol:
        symbols = [a if isinstance(a, Symbol) else named_by_value(a) for a in args]
        value = row.forward(*(a.value if isinstance(a, Symbol) else a for a in args), **params)
        return Symbol(spelled(row, symbols), value, row.level, (row, symbols))

    def __format__(self, level: str) -> str:
        if level and self.binds > int(level):
            return rf"\left({self.latex}\right)"
        return self.latex

    def __repr__(self) -> str:
        return f"<symbol {self.latex} = {self.value}>"


def spelled(row: Row, symbols: list[Symbol]) -> str:
    """Spell a row on symbols, as its `reads` says."""
    return row.reads.format(*symbols) if isinstance(row.reads, str) else row.reads(*symbols)


def named_by_value(value: Any, digits: int = 4) -> Symbol:
    """Make a symbol whose name is its number.

    Args:
        value: a number; an array is named by its shape.
        digits: significant digits.
    """
    array = np.asarray(value)
    if array.ndim:
        shape = r" \times ".join(map(str, array.shape))
        return Symbol(rf"\left[{shape}\right]", array)
    text = number(array.item(), digits)
    loose = SUM if text.startswith("-") else PRODUCT if r"\times" in text else ATOM
    return Symbol(text, array, loose)


def number(value: Any, digits: int = 4) -> str:
    r"""Write a number with so many significant digits, powers of ten as LaTeX.

    >>> number(0.635149), number(2), number(-1.5e-7)
    ('0.6351', '2', '-1.5 \\times 10^{-7}')
    """
    if isinstance(value, (bool, int, np.bool_, np.integer)):
        return str(int(value))
    text = f"{value:.{digits}g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        return rf"{mantissa} \times 10^{{{int(exponent)}}}"
    return text.replace("inf", r"\infty")


def derivative(row: Row, position: int, y: Symbol, *args: Any, **params: Any) -> Symbol | None:
    """Spell and compute the derivative of an elementwise row in one argument.

    Returns:
        The symbol, or `None` where the row is not differentiable.
    """
    rule = row.rules[min(position, len(row.rules) - 1)]
    if rule is None:
        return None
    d = rule(y, *args, **params)
    return d if isinstance(d, Symbol) else named_by_value(d)


def pullback(
    row: Row, position: int, g: Symbol, y: Symbol, *args: Any, **params: Any
) -> Symbol | None:
    """Spell and compute the pullback of a structural row for one argument."""
    rule = row.rules[min(position, len(row.rules) - 1)]
    if rule is None:
        return None
    extra = {"position": position} if len(row.rules) < len(args) else {}
    return rule(g, y, *args, **params, **extra)
