r"""Working formulas of numbers out, so that what is printed can be checked.

>>> evaluate(r"0.5 \cdot \left(1 - 0.5^{2}\right) + \left[2 > 1\right]")
1.375
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from trasluz.typeset import formula as f
from trasluz.typeset.formula import Node, parse

_CONSTANTS = {"e": math.e, "π": math.pi, "∞": math.inf, "nan": math.nan, "inf": math.inf}
_APPLIED: dict[str, Callable[..., Any]] = {
    "arccos": np.arccos, "arcsin": np.arcsin, "arctan": np.arctan, "cos": np.cos,
    "cosh": np.cosh, "erf": math.erf, "exp": np.exp, "ln": np.log, "log": np.log,
    "max": lambda *xs: np.max(xs), "min": lambda *xs: np.min(xs),
    "relu": lambda x: np.maximum(x, 0), "sign": np.sign, "sin": np.sin, "sinh": np.sinh,
    "tan": np.tan, "tanh": np.tanh, "σ": lambda x: 1 / (1 + np.exp(-x)),
}  # fmt: skip
_COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq, "≠": operator.ne, "<": operator.lt, "≤": operator.le, ">": operator.gt,
    "≥": operator.ge,
}  # fmt: skip
_FENCED: dict[str, Callable[[Any], Any]] = {
    "|": np.abs, "⌊": np.floor, "⌈": np.ceil, "(": float, "[": float, "{": float, "": float,
}  # fmt: skip


def evaluate(latex: str | Node) -> Any:
    r"""Work a formula of numbers out: a number, or an array for a matrix.

    A comparison is 1 where it holds, else 0; a piece over a brace counts once, since what is
    written there is its sum.

    Args:
        latex: in LaTeX, or already read.

    Raises:
        ValueError: for a name that stands for no number.

    >>> evaluate(r"-2^{2} + \max\left(1, 3\right) \cdot 1.5 \times 10^{-1}")
    -3.55
    """
    with np.errstate(all="ignore"):
        found = _value(parse(latex) if isinstance(latex, str) else latex)
        return float(found) if np.ndim(found) == 0 else found


def _value(node: Node) -> Any:
    match node:
        case f.Number(text):
            return np.float64(text)
        case f.Row(row):
            return _Reckoner(row).whole()
        case f.Fraction(above, below):
            return _value(above) / _value(below)
        case f.Root(of):
            return np.sqrt(_value(of))
        case f.Scripts(base, None, high) if high is not None:
            return _value(base) ** _value(high)
        case f.Fenced(left, inside, _) if left in _FENCED:
            return np.float64(_FENCED[left](_value(inside)))
        case f.Boxed(of) | f.Brace(of):
            return _value(of)
        case f.Matrix(rows):
            return np.array([[_value(cell) for cell in row] for row in rows])
        case f.Cases(rows):
            for value, condition in rows:
                if isinstance(condition, f.Word) or _value(condition):
                    return _value(value)
        case f.Name(sign) | f.Word(sign) if sign in _CONSTANTS:
            return np.float64(_CONSTANTS[sign])
    raise ValueError(f"{node} stands for no number")


class _Reckoner:
    """A walk over the pieces of a row: comparisons of sums of products of factors."""

    def __init__(self, row: tuple[Node, ...]) -> None:
        self.left = [item for item in row if not isinstance(item, f.Space)][::-1]

    def sign(self, *known: str) -> str:
        """Take the next piece if it is one of some signs."""
        found = self.left[-1] if self.left else None
        if isinstance(found, f.Operator) and found.sign in known:
            self.left.pop()
            return found.sign
        return ""

    def whole(self) -> Any:
        first, holds = self.total(), None
        while sign := self.sign(*_COMPARED):
            second = self.total()
            holds = np.float64((holds is None or holds) and _COMPARED[sign](first, second))
            first = second
        if self.left:
            raise ValueError(f"{self.left[-1]} stands for no number")
        return first if holds is None else holds

    def total(self) -> Any:
        value = self.product()
        while sign := self.sign("+", "-"):
            value = value + self.product() if sign == "+" else value - self.product()
        return value

    def product(self) -> Any:
        value = self.factor()
        while self.left:
            if sign := self.sign("·", "×", "⊙", "/"):
                value = value / self.factor() if sign == "/" else value * self.factor()
            elif isinstance(self.left[-1], f.Operator):
                break
            else:
                value = value * self.factor()
        return value

    def factor(self) -> Any:
        if sign := self.sign("+", "-"):
            value = self.product()
            return value if sign == "+" else -value
        if not self.left:
            raise ValueError("a factor is missing")
        item = self.left.pop()
        match item:
            case f.Function(name) | f.Name("σ" as name) if name in _APPLIED:
                return self.applied(_APPLIED[name])
        return _value(item)

    def applied(self, function: Callable[..., Any]) -> Any:
        """Apply a function to what stands after it: parentheses, or one factor."""
        match self.left[-1] if self.left else None:
            case f.Fenced("(", inside, _):
                self.left.pop()
                return function(*map(_value, listed(inside)))
            case f.Scripts(f.Fenced("(", inside, _), None, high) if high is not None:
                self.left.pop()
                return function(*map(_value, listed(inside))) ** _value(high)
        return function(self.factor())


def listed(node: Node) -> list[Node]:
    """Part pieces at their commas."""
    parts: list[list[Node]] = [[]]
    for item in f.items(node):
        if isinstance(item, f.Operator) and item.kind == "comma":
            parts.append([])
        else:
            parts[-1].append(item)
    return [f.Row(tuple(part)) for part in parts]
