"""The table, spelled: run on symbols, a rule gives its own formula in LaTeX."""

from trasluz.typeset.symbols import (
    BOX,
    Symbol,
    block,
    constant,
    derivative,
    matrix,
    named_by_value,
    number,
    pullback,
    spelled,
)

__all__ = [
    "BOX",
    "Symbol",
    "block",
    "constant",
    "derivative",
    "matrix",
    "named_by_value",
    "number",
    "pullback",
    "spelled",
]
