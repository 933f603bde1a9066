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
