r"""Formulas as one would write them by hand: numbers multiplied out, no factor 1, no sum with 0.

A rule run on symbols spells all it does: `0.5 \cdot 2 \cdot (t - y)\,(-1)`. Tidied, that is
`-(t - y)`. Only what holds for all numbers is done, and the rows do the arithmetic:

>>> from trasluz.typeset import Symbol
>>> t, y = Symbol("t", 0.05), Symbol("y", 0.73)
>>> print(tidied(0.5 * (2 * (t - y)) * -1).latex)
-\left(t - y\right)
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np

from trasluz.autodiff import ops
from trasluz.typeset.symbols import BOX, Symbol, constant, spelled

MOVES = ("reshape", "broadcast_to", "astype", "stop_gradient")  # which numbers do not see
Pieces = list[Symbol]
Rule = tuple[tuple[str, ...], Callable[..., Any]]


def tidied(formula: Symbol) -> Symbol:
    """Write a formula more simply; names stay names."""
    known: dict[int, Symbol] = {}

    def tidy(s: Symbol) -> Symbol:
        if s.made is None:
            return s
        if id(s) not in known:
            row, parts = s.made
            new = [tidy(part) for part in parts]
            if row.name in MOVES and new[0].literal:
                return type(s)(new[0].latex, s.value, new[0].binds, literal=True)
            done = rewritten(row.name, *new)
            if done is None:
                same = all(a is b for a, b in zip(new, parts, strict=True))
                done = s if same else type(s)(spelled(row, new), s.value, s.binds, (row, new))
            known[id(s)] = done
        return known[id(s)]

    return tidy(formula)


def rewritten(row: str, *parts: Symbol) -> Symbol | None:
    """Write what a row makes of its parts by the first of its rules that fits.

    Args:
        row: the name of the row.
        parts: what it is given, tidied.

    Returns:
        The formula; None if no rule fits.
    """
    if row not in RULES:
        return None
    if row == "multiply":
        parts = _number_first(*parts)
    looks = [_looks(part) for part in parts]
    first, last = looks[0], looks[-1]
    for forms, write in RULES[row]:
        if forms[0] in first and forms[-1] in last:  # the same one where there is one part
            pieces = (look[form] for look, form in zip(looks, forms, strict=True))
            if (formula := write(*chain.from_iterable(pieces))) is not None:
                return formula
    return None


def _applied(row: Any, *parts: Symbol) -> Symbol:
    """Apply a row, simply."""
    return rewritten(row.name, *parts) or row(*parts)


# ------------------------------------------------------------------------------------- the forms


def _number(s: Symbol) -> float | None:
    """Give the number that stands there as a number, or as a quotient of two."""
    if s.literal and (s.ndim == 0 or _is_even(s)):
        return float(s.value.flat[0])
    parts = _parts(s, "divide")
    if parts and all(part.literal and part.ndim == 0 for part in parts) and parts[1].value:
        return float(parts[0].value) / float(parts[1].value)
    return None


def _is_even(s: Symbol) -> bool:
    """Tell whether an array holds one number everywhere."""
    return bool(s.value.size and (s.value == s.value.flat[0]).all())


def _parts(s: Symbol, row: str) -> Pieces | None:
    """Give what a formula was made of, if that row made it."""
    return s.made[1] if s.made is not None and s.made[0].name == row else None


def _looks(s: Symbol) -> dict[str, Pieces]:
    """List all that a formula looks like, with the pieces that it is then taken to."""
    looks = {"x": [s], "number" if s.literal else "formula": [s]}
    row, parts = (s.made[0].name, s.made[1]) if s.made else ("", [])
    if row == "negative":
        looks["-x"] = parts
    elif row == "subtract":
        looks["x - y"] = parts
    elif row == "multiply" and parts[0].literal:
        looks["number x"] = parts
    elif row == "divide" and _number(parts[0]) == 1:
        looks["1/x"] = parts[1:]
    if s.literal or row == "divide":
        number = _number(s)
        if number in (0, 1, -1):
            looks[f"{int(number)}"] = [s]
        if s.literal and number is not None and number < 0:
            looks["-number"] = [s]
    return looks


# ------------------------------------------------------------------------------------- the rules


def _number_first(a: Symbol, b: Symbol) -> tuple[Symbol, Symbol]:
    """Put a factor that is a number, or a quotient of two, before the other."""
    stands_second = b.literal or _number(b) is not None
    return (b, a) if stands_second and not (a.literal and b.literal) else (a, b)


def _constant(value: np.ndarray, like: Symbol) -> Symbol:
    """Write a number, or an array of one number everywhere."""
    if np.ndim(value) == 0 or not (value == value.flat[0]).all():
        return constant(value)
    number = constant(value.flat[0])
    return type(like)(number.latex, value, number.binds, literal=True)


def _negative(x: Symbol) -> Symbol:
    return _applied(ops.negative, x)


def _times(a: Symbol, b: Symbol) -> Symbol:
    return _applied(ops.multiply, a, b)


def _starts_negative(x: Symbol) -> bool:
    parts = _parts(x, "subtract")
    return bool(_parts(x, "negative")) or bool(parts and _starts_negative(parts[0]))


def _other(product: Symbol, factor: Symbol) -> Symbol:
    """Give the factor of a product that is not this one."""
    first, second = _parts(product, "multiply") or (product, product)
    return second if first is factor else first


def _shared(row: Any) -> Callable[[Symbol, Symbol], Symbol | None]:
    """Take out a factor that both terms have: a x - y a is a (x - y)."""

    def write(a: Symbol, b: Symbol) -> Symbol | None:
        for one in _parts(a, "multiply") or ():
            for other in _parts(b, "multiply") or ():
                if one is other and not one.latex.startswith(BOX):
                    x, y = (_other(term, one) for term in (a, b))
                    return _times(one, _applied(row, x, y))
        return None

    return write


def _cancelled(above: Symbol, x: Symbol, below: Symbol) -> Symbol | None:
    """Divide a multiple by a number that its own is a multiple of: 2x/2 is x."""
    number, divisor = _number(above), _number(below)
    if number is None or not divisor:
        return None
    share = number / divisor
    return _times(constant(np.float64(share)), x) if share == round(share, 6) else None


# For each row how its parts may look, and what is written of their pieces: the first that fits.
RULES: dict[str, tuple[Rule, ...]] = {
    "add": (
        (("0", "x"), lambda _, x: x),
        (("x", "0"), lambda x, _: x),
        (("number", "number"), lambda m, n: constant(m.value + n.value)),
        (("x", "-x"), ops.subtract),
        (("-x", "x"), lambda x, y: ops.subtract(y, x)),
        (("-number", "x"), lambda n, x: ops.subtract(x, constant(-n.value))),
        (("x", "-number"), lambda x, n: ops.subtract(x, constant(-n.value))),
        (
            ("formula", "x - y"),
            lambda x, y, z: ops.subtract(x, _negative(y - z)) if _starts_negative(y) else None,
        ),
        (("formula", "formula"), _shared(ops.add)),
    ),
    "subtract": (
        (("x", "0"), lambda x, _: x),
        (("0", "x"), lambda _, x: _negative(x)),
        (("number", "number"), lambda m, n: constant(m.value - n.value)),
        (("x", "-x"), ops.add),
        (("formula", "formula"), _shared(ops.subtract)),
    ),
    "negative": (
        (("number",), lambda n: _constant(-n.value, n)),
        (("-x",), lambda x: x),
        (
            ("x - y",),
            lambda x, y: _applied(ops.add, _negative(x), y) if _starts_negative(x) else None,
        ),
        (("x",), ops.negative),
    ),
    "multiply": (
        (("number", "number"), lambda m, n: _constant(m.value * n.value, m)),
        (("0", "x"), lambda zero, x: _constant(zero.value * x.value, zero)),
        (("-x", "x"), lambda x, y: _negative(_times(x, y))),
        (("number", "-x"), lambda n, x: _times(_negative(n), x)),
        (("x", "-x"), lambda x, y: _negative(_times(x, y))),
        (("1", "x"), lambda _, x: x),
        (("-1", "x"), lambda _, x: _negative(x)),
        (("number", "number x"), lambda m, n, x: _times(_times(n, m), x)),
        (("x", "number x"), lambda x, n, y: _times(n, _times(x, y))),
        (("number x", "x"), lambda n, x, y: _times(n, _times(x, y))),
        (("formula", "1/x"), ops.divide),
        (("1/x", "formula"), lambda x, y: ops.divide(y, x)),
        (("x", "x"), ops.multiply),
    ),
    "matmul": (
        (("0", "x"), lambda zero, x: _constant(zero.value @ x.value, zero)),
        (("x", "0"), lambda x, zero: _constant(x.value @ zero.value, zero)),
    ),
    "turned": ((("0",), lambda zero: _constant(np.swapaxes(zero.value, -1, -2), zero)),),
    "divide": (
        (("x", "1"), lambda x, _: x),
        (("0", "x"), lambda x, _: x),
        (("-x", "x"), lambda x, y: _negative(_applied(ops.divide, x, y))),
        (("number x", "number"), _cancelled),
    ),
    "power": (
        (("x", "1"), lambda x, _: x),
        (("x", "0"), lambda _x, _n: constant(1)),
    ),
}
