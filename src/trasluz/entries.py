r"""The third reader, entry by entry: rows and rules run on arrays of symbols.

Where `typeset` spells `A\,B`, this spells each entry of the product, from the same row:

>>> import numpy as np
>>> from trasluz import ops
>>> x, w = named("x", np.array([[0.1, 0.5]])), named("w", np.array([[0.1, 0.2], [0.3, 0.4]]))
>>> print(ops.matmul(x, w)[0, 1])
x_{1,1}\,w_{1,2} + x_{1,2}\,w_{2,2}
>>> float(values(ops.matmul(x, w))[0, 1].round(6))
0.22

A rule run on such arrays gives the derivative in each entry, as a sum of named factors:

>>> g = named("g", np.ones((1, 2)))
>>> print(ops.ROWS["matmul"].rules[0](g, None, x, w)[0, 1])
g_{1,1}\,w_{2,1} + g_{1,2}\,w_{2,2}
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from trasluz import ops, typeset
from trasluz.tape import Row, Traced
from trasluz.typeset import Symbol, named_by_value


class Entries(Traced):
    """An array of symbols, one an entry.

    Elementwise rows are spelled by each entry for itself. Structural rows move and add entries,
    which NumPy does with symbols as with numbers; those that choose or fold are in `FOLDS`.
    """

    __slots__ = ("array",)
    level = 0

    def __init__(self, array: Any) -> None:
        self.array = _boxed(array)

    shape = property(lambda self: self.array.shape)
    ndim = property(lambda self: self.array.ndim)
    size = property(lambda self: self.array.size)
    dtype = np.dtype("float64")

    def record(self, row: Row, args: tuple[Any, ...], params: dict[str, Any]) -> Entries:
        if row.kind == "elementwise":
            arrays = [symbols(a) for a in args]
            return Entries(_each(lambda *entry: row(*entry), *arrays))
        if row.name in FOLDS:
            return Entries(FOLDS[row.name](*(symbols(a) for a in args), **params))
        plain = [symbols(a) if isinstance(a, Entries) else a for a in args]
        return Entries(_each(_symbol, _boxed(row.forward(*plain, **params))))

    def __str__(self) -> str:
        return "\n".join(entry.latex for entry in self.array.ravel())


def named(name: str, array: Any) -> Entries:
    """Name the entries of an array after it: `w_{1,2}`; a number is named as it is."""
    array = np.asarray(array)
    spelled = np.empty(array.shape, object)
    for place in np.ndindex(array.shape):
        index = ",".join(str(i + 1) for i in place)
        spelled[place] = Symbol(f"{name}_{{{index}}}" if index else name, array[place])
    return Entries(spelled)


def numbered(array: Any, digits: int = 4) -> Entries:
    """Name the entries of an array by their numbers."""
    return Entries(_each(lambda v: named_by_value(v, digits), np.asarray(array)))


def symbols(x: Any) -> np.ndarray:
    """Give the symbols of entries, or of an array of numbers."""
    return x.array if isinstance(x, Entries) else _each(_symbol, np.asarray(x))


def values(x: Entries) -> np.ndarray:
    """Give the numbers that the entries stand for."""
    return _each(lambda s: s.value.item(), x.array).astype(float)


def _symbol(entry: Any) -> Symbol:
    return entry if isinstance(entry, Symbol) else named_by_value(entry)


def _boxed(x: Any) -> np.ndarray:
    """Keep a lone symbol in an array without axes."""
    if isinstance(x, np.ndarray):
        return x
    array = np.empty((), object)
    array[()] = x
    return array


def _each(f: Callable[..., Any], *arrays: Any) -> np.ndarray:
    return _boxed(np.frompyfunc(f, len(arrays), 1)(*arrays))


# ------------------------------------------------------------------- rows that fold or choose


def _extreme(row: Row) -> Callable[..., np.ndarray]:
    """Spell a maximum as a function of all the entries it is taken of."""

    def fold(x: np.ndarray, axis: Any = None, keepdims: bool = False) -> np.ndarray:
        found = np.asarray(row.forward(values(Entries(x)), axis=axis, keepdims=True))
        spelled = np.empty(found.shape, object)
        for place in np.ndindex(found.shape):
            whole = tuple(
                slice(i, i + x.shape[k] - found.shape[k] + 1) for k, i in enumerate(place)
            )
            several = list(_boxed(x[whole]).ravel())
            reading = Row(row.name, row.forward, _listed(row.name), (None,), "structural")
            spelled[place] = Symbol(
                typeset.spelled(reading, several), found[place], made=(reading, several)
            )
        return spelled if keepdims else spelled.reshape(np.zeros(x.shape).sum(axis=axis).shape)

    return fold


def _listed(name: str) -> Callable[..., str]:
    return lambda *entries: rf"\{name}\left({', '.join(format(e) for e in entries)}\right)"


def _logsumexp(x: np.ndarray, **how: Any) -> np.ndarray:
    return _each(ops.log, _boxed(_each(ops.exp, x).sum(**how)))


def _where(condition: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return _each(lambda c, one, other: one if bool(c.value) else other, condition, a, b)


FOLDS: dict[str, Callable[..., np.ndarray]] = {
    "astype": lambda x, dtype: x,
    "logsumexp": _logsumexp,
    "max": _extreme(ops.max),
    "min": _extreme(ops.min),
    "stop_gradient": lambda x: x,
    "where": _where,
}
