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

import numpy as np

from trasluz.autodiff import ops
from trasluz.typeset.symbols import Symbol, constant, spelled


def tidied(formula: Symbol) -> Symbol:
    """Write a formula more simply; names stay names."""
    known: dict[int, Symbol] = {}

    def tidy(s: Symbol) -> Symbol:
        if s.made is None:
            return s
        if id(s) not in known:
            row, parts = s.made
            simpler = SIMPLER.get(row.name)
            new = [tidy(part) for part in parts]
            if row.name in ("reshape", "broadcast_to") and new[0].literal:
                return type(s)(new[0].latex, s.value, new[0].binds, literal=True)
            done = simpler(*new) if simpler else None
            if done is None:
                same = all(a is b for a, b in zip(new, parts, strict=True))
                done = s if same else _made(s, new)
            known[id(s)] = done
        return known[id(s)]

    return tidy(formula)


def _made(s: Symbol, parts: list[Symbol]) -> Symbol:
    row = s.made[0]  # type: ignore[index]
    return type(s)(spelled(row, parts), s.value, s.binds, (row, parts))


def times(a: Symbol, b: Symbol) -> Symbol:
    """Multiply, simply."""
    if a.literal and b.literal:
        return _constant(a.value * b.value, a)
    if b.literal or (_is(b, "divide") and _number(b) is not None):
        a, b = b, a
    inner = _parts(b, "multiply")
    number = _number(a)
    if _parts(a, "negative"):
        return _negative(times(_parts(a, "negative")[0], b))
    if _parts(b, "negative"):
        opposite = _negative(a) if a.literal else None
        return times(opposite, _parts(b, "negative")[0]) if opposite else _negative(
            times(a, _parts(b, "negative")[0])
        )  # fmt: skip
    if number == 1:
        return b
    if number == -1:
        return _negative(b)
    if a.literal and inner and inner[0].literal:
        return times(times(inner[0], a), inner[1])
    if not a.literal and inner and inner[0].literal:
        return times(inner[0], times(a, inner[1]))
    if not b.literal and (inner := _parts(a, "multiply")) and inner[0].literal:
        return times(inner[0], times(inner[1], b))
    for one, other in ((a, b), (b, a)):
        quotient = _parts(other, "divide")
        if quotient and _number(quotient[0]) == 1 and not one.literal:
            return ops.divide(one, quotient[1])
    return ops.multiply(a, b)


def plus(a: Symbol, b: Symbol) -> Symbol | None:
    """Simplify a sum."""
    if _number(a) == 0:
        return b
    if _number(b) == 0:
        return a
    if a.literal and b.literal:
        return constant(a.value + b.value)
    if opposite := _parts(b, "negative"):
        return ops.subtract(a, opposite[0])
    if opposite := _parts(a, "negative"):
        return ops.subtract(b, opposite[0])
    first, number = _number(a), _number(b)
    if a.literal and first is not None and first < 0:
        return ops.subtract(b, constant(-a.value))
    if b.literal and number is not None and number < 0:
        return ops.subtract(a, constant(-b.value))
    return None


def minus(a: Symbol, b: Symbol) -> Symbol | None:
    """Simplify a difference."""
    if _number(b) == 0:
        return a
    if _number(a) == 0:
        return _negative(b)
    if a.literal and b.literal:
        return constant(a.value - b.value)
    if opposite := _parts(b, "negative"):
        return ops.add(a, opposite[0])
    return None


def over(a: Symbol, b: Symbol) -> Symbol | None:
    """Simplify a quotient."""
    if _number(b) == 1 or _number(a) == 0:
        return a
    if opposite := _parts(a, "negative"):
        return _negative(over(opposite[0], b) or ops.divide(opposite[0], b))
    inner = _parts(a, "multiply")
    number, divisor = _number(inner[0]) if inner else None, _number(b)
    if inner and number is not None and divisor and b.literal and inner[0].literal:
        share = number / divisor
        if share == round(share, 6):  # 2x/2 is x
            return times(constant(np.float64(share)), inner[1])
    return None


def raised(x: Symbol, n: Symbol) -> Symbol | None:
    """Simplify a power."""
    return x if _number(n) == 1 else constant(1) if _number(n) == 0 else None


def _negative(x: Symbol) -> Symbol:
    if x.literal:
        return _constant(-x.value, x)
    if opposite := _parts(x, "negative"):
        return opposite[0]
    if (parts := _parts(x, "subtract")) and _starts_negative(parts[0]):
        left, rest = _negative(parts[0]), parts[1]
        return plus(left, rest) or ops.add(left, rest)
    return ops.negative(x)


def _starts_negative(x: Symbol) -> bool:
    parts = _parts(x, "subtract")
    return bool(_parts(x, "negative")) or bool(parts and _starts_negative(parts[0]))


def _number(s: Symbol) -> float | None:
    """Give the number that stands there as a number, or as a quotient of two."""
    if s.literal and (s.ndim == 0 or _is_even(s)):
        return float(s.value.flat[0])
    parts = _parts(s, "divide")
    if parts and parts[0].literal and parts[1].literal:
        return float(parts[0].value) / float(parts[1].value)
    return None


def _is_even(s: Symbol) -> bool:
    """Tell whether an array holds one number everywhere."""
    return bool(s.value.size and (s.value == s.value.flat[0]).all())


def _constant(value: np.ndarray, like: Symbol) -> Symbol:
    """Write a number, or an array of one number everywhere."""
    if np.ndim(value) == 0 or not (value == value.flat[0]).all():
        return constant(value)
    number = constant(value.flat[0])
    return type(like)(number.latex, value, number.binds, literal=True)


def _is(s: Symbol, name: str) -> bool:
    return s.made is not None and s.made[0].name == name


def _parts(s: Symbol, name: str) -> list[Symbol]:
    """Give what a formula was made of, if that row made it."""
    return s.made[1] if s.made is not None and s.made[0].name == name else []


SIMPLER: dict[str, Callable[..., Symbol | None]] = {
    "add": plus,
    "divide": over,
    "multiply": times,
    "negative": _negative,
    "power": raised,
    "subtract": minus,
}
