"""The third reader of the rules: formulas spelled from them, with names or with numbers."""

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
