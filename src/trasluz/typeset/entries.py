r"""The third reader, entry by entry: rows and rules run on arrays whose entries can be spelled.

Where `typeset` spells `A\,B`, this spells any entry of the product, from the same row:

>>> import numpy as np
>>> from trasluz import ops
>>> x, w = named("x", np.array([[0.1, 0.5]])), named("w", np.array([[0.1, 0.2], [0.3, 0.4]]))
>>> print(ops.matmul(x, w).at((0, 1)).latex)
x_{1,1}\,w_{1,2} + x_{1,2}\,w_{2,2}
>>> float(ops.matmul(x, w).value[0, 1].round(6))
0.22

A rule run on such arrays gives the derivative in each entry, as a sum of named factors:

>>> g = named("g", np.ones((1, 2)))
>>> print(ops.PRIMITIVES["matmul"].rules[0](g, None, x, w).at((0, 1)).latex)
g_{1,1}\,w_{2,1} + g_{1,2}\,w_{2,2}

Numbers are worked out at once, by the array; formulas only for the entries that are asked for.
So a step of any size can be read: what is spelled does not grow with the network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from trasluz import typeset
from trasluz.autodiff import ops, windows
from trasluz.autodiff.scan import unrolled
from trasluz.autodiff.tape import Primitive, Traced
from trasluz.typeset.symbols import Symbol, constant, named_by_value

Place = tuple[int, ...]
MOST_TERMS = 12  # longer sums are left out in the middle
HALF = 6  # on long pages, sums longer than this
FEW = 3  # on very long ones longer than this, and of their terms only the first and the last show
HEAD, TAIL = 3, 1
LEFT_OUT = r"\underbrace{\cdots}"


class Book:
    """What has been computed: so that the same row on the same arrays gives the same array."""

    def __init__(self, most: int = MOST_TERMS) -> None:
        self.most = most  # terms of a sum that are all spelled
        self.known: dict[Any, tuple[Entries, Any]] = {}
        self.notes: list[tuple[str, Entries]] = []


class Entries(Traced):
    """An array, and how each of its entries is spelled.

    Args:
        value: the numbers.
        spell: gives the symbol of the entry at a place.
        book: what has been computed beside it.
        made: the row that made it, and of what.
    """

    __slots__ = ("_known", "book", "focus", "made", "spell", "value")
    level = 0

    def __init__(
        self,
        value: Any,
        spell: Callable[[Place], Symbol],
        book: Book | None = None,
        made: tuple[Primitive, tuple[Any, ...]] | None = None,
    ) -> None:
        self.value, self.spell, self.made = np.asarray(value), spell, made
        self.book = Book() if book is None else book
        self.focus: Place | None = None  # an entry that no sum may leave out
        self._known: dict[Place, Symbol] = {}

    shape = property(lambda self: self.value.shape)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    dtype = property(lambda self: self.value.dtype)

    def at(self, place: Place) -> Symbol:
        """Spell the entry at a place, always by the same symbol."""
        if place not in self._known:
            self._known[place] = self.spell(place)
        return self._known[place]

    def known(self, place: Place) -> Symbol | None:
        """Give the symbol of an entry that has been spelled."""
        return self._known.get(place)

    def name(self, spell: Callable[[Place], Symbol]) -> None:
        """Spell the entries in another way from now on."""
        self.spell, self._known = spell, {}

    def record(
        self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]
    ) -> Entries:
        book = self.book
        key = (primitive.name, tuple(map(_key, args)), _key(params))
        if key not in book.known:
            book.known[key] = self._computed(primitive, args, params), (args, params)
        return book.known[key][0]

    def _computed(
        self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]
    ) -> Entries:
        if primitive.name == "subtract" and is_top(*args):
            return Entries(args[0].value, args[0].at, self.book)
        value = np.asarray(primitive.forward(*map(_value, args), **params))
        reading = READINGS.get(primitive.name, _each if primitive.kind == "elementwise" else _moved)
        spell = reading(primitive, args, params, value)
        return Entries(value, spell, self.book, (primitive, args))

    def noted(self, name: str) -> None:
        """Take down what the array is."""
        self.book.notes.append((name, self))

    def __str__(self) -> str:
        return "\n".join(self.at(place).latex for place in np.ndindex(self.shape))


def named(name: str, array: Any) -> Entries:
    """Name the entries of an array after it: `w_{1,2}`; a number is named as it is."""
    array = np.asarray(array)

    def spell(place: Place) -> Symbol:
        index = ",".join(str(i + 1) for i in place)
        return Symbol(f"{name}_{{{index}}}" if index else name, array[place])

    return Entries(array, spell)


def numbered(array: Any, digits: int = 4) -> Entries:
    """Name the entries of an array by their numbers."""
    array = np.asarray(array)
    return Entries(array, lambda place: named_by_value(array[place], digits))


def listed(symbols: Sequence[Symbol], shape: Place | None = None) -> Entries:
    """Make an array of symbols."""
    shape = (len(symbols),) if shape is None else shape
    value = np.array([float(s.value) for s in symbols]).reshape(shape)
    return Entries(value, lambda place: symbols[_flat(place, shape)])


def symbol(x: Any, place: Place) -> Symbol:
    """Spell the entry of an array that stands at a place of what it is broadcast to."""
    if isinstance(x, Symbol):
        return x
    shape = np.shape(x)
    own = tuple(
        0 if n == 1 else i for i, n in zip(place[len(place) - len(shape) :], shape, strict=True)
    )
    return x.at(own) if isinstance(x, Entries) else constant(np.asarray(x)[own])


def _value(x: Any) -> Any:
    return x.value if isinstance(x, Entries) else x


def _flat(place: Place, shape: Place) -> int:
    return int(np.ravel_multi_index(place, shape)) if shape else 0


def _place(flat: Any, shape: Place) -> Place:
    return tuple(int(i) for i in np.unravel_index(int(flat), shape)) if shape else ()


def _key(x: Any) -> Any:
    """Tell arguments apart: arrays by what they are, the rest by how it is written."""
    if isinstance(x, (Entries, np.ndarray)) or callable(x):
        return id(x)
    if isinstance(x, (tuple, list)):
        return tuple(map(_key, x))
    if isinstance(x, dict):
        return tuple((name, _key(value)) for name, value in sorted(x.items()))
    return type(x).__name__, repr(x)


def is_top(x: Any, top: Any) -> bool:
    """Tell whether what is taken off is the greatest entry, which only serves to keep digits."""
    return _made_by("max", _made_by("stop_gradient", top)) is x


def _made_by(name: str, x: Any) -> Any:
    """Give what a row of that name was applied to, if it made this."""
    made = getattr(x, "made", None)
    return made[1][0] if made and made[0].name == name else None


Spell = Callable[[Place], Symbol]
Reading = Callable[[Primitive, tuple[Any, ...], dict[str, Any], np.ndarray], Spell]


def _each(
    primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any], value: np.ndarray
) -> Spell:
    """Spell an elementwise row: each entry for itself."""
    return lambda place: primitive(*(symbol(a, place) for a in args), **params)


def _moved(
    primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any], value: np.ndarray
) -> Spell:
    """Spell a row that moves entries: run on their numbers, it tells where each comes from."""
    origins: list[np.ndarray] = []
    last = len(primitive.rules) - 1
    moving = [k for k in range(len(args)) if primitive.rules[min(k, last)] is not None]
    starts = np.cumsum([1, *(np.size(_value(args[k])) for k in moving)])

    def spell(place: Place) -> Symbol:
        if not origins:
            ids = [_value(a) for a in args]
            for k, start in zip(moving, starts, strict=False):
                shape = np.shape(ids[k])
                ids[k] = np.arange(start, start + math.prod(shape)).reshape(shape)
            origins.append(np.asarray(primitive.forward(*ids, **params)))
        number = int(origins[0][place])
        if number == 0:
            return constant(0)
        which = int(np.searchsorted(starts, number, side="right")) - 1
        source = args[moving[which]]
        return symbol(source, _place(number - starts[which], np.shape(source)))

    return spell


def _gathered(
    primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any], value: np.ndarray
) -> Spell:
    """Spell a row that adds up what it moves to one place: its rule tells what goes where."""
    x = args[0]
    destinations: list[np.ndarray] = []

    def spell(place: Place) -> Symbol:
        if not destinations:
            ids = np.arange(1, value.size + 1).reshape(value.shape)  # 0 is no place
            rule: Any = primitive.rules[0]
            destinations.append(np.asarray(rule(ids, None, *map(_value, args), **params)).ravel())
        return total(x, np.flatnonzero(destinations[0] == _flat(place, value.shape) + 1))

    return spell


def _summed(
    primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any], value: np.ndarray
) -> Spell:
    x, fold = args[0], _folding(args[0].shape, params)
    if _is_truth(x):
        return _fixed(primitive, args, params, value)  # how many there are is a number
    counts = _counting(x)
    return lambda place: total(x, (i for i in fold(place) if counts is None or counts[i]))


def _is_truth(x: Any) -> bool:
    """Tell whether entries are brackets of truth, which nothing passes through."""
    while isinstance(x, Entries) and x.made and x.made[0].name == "astype":
        x = x.made[1][0]
    return isinstance(x, Entries) and x.made is not None and x.value.dtype == bool


def _counting(x: Any) -> np.ndarray | None:
    """Tell which entries are more than a product with a plain zero, as of the wrong classes."""
    if not (isinstance(x, Entries) and x.made and x.made[0].name == "multiply"):
        return None
    plain = [a for a in x.made[1] if isinstance(a, np.ndarray) and a.shape == x.shape]
    return plain[0].ravel() != 0 if plain else None


def _running(
    primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any], value: np.ndarray
) -> Spell:
    x, axis = args[0], params["axis"] % args[0].ndim
    ids: Any = np.arange(x.size).reshape(x.shape)
    return lambda place: total(
        x, ids[(*place[:axis], slice(place[axis] + 1), *place[axis + 1 :])].ravel()
    )


def _folded(
    primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any], value: np.ndarray
) -> Spell:
    """Spell a maximum, or another function of all entries along some axes."""
    x, fold = args[0], _folding(args[0].shape, params)

    def spell(place: Place) -> Symbol:
        every = fold(place)
        reached = np.flatnonzero(x.value.ravel()[every] == value[place])[:1]  # by no logarithm
        shown = _shown(len(every), x.book.most, [int(i) for i in reached])
        parts = [x.at(_place(i, x.shape)) for i in every[shown]]
        if len(shown) < len(every):  # a fold of the rest stands for it
            rest = primitive.forward(np.delete(x.value.ravel()[every], shown))
            parts.insert(-TAIL, _left_out(len(every) - len(shown), rest))
        reading = _function_of_all(primitive, len(parts))
        return Symbol(
            typeset.spelled(reading, parts),
            value[place],
            reading.binds,
            (reading, parts),
        )

    return spell


def _function_of_all(primitive: Primitive, count: int) -> Primitive:
    """Make a row of as many arguments as entries are folded, its derivatives by the row's rule."""

    def slope(y: Symbol, *xs: Symbol, k: int) -> Symbol:
        rule: Any = primitive.rules[0]
        return rule(listed([constant(1)], ()), listed([y], ()), listed(xs)).at((k,))

    rules = tuple(lambda y, *xs, k=k: slope(y, *xs, k=k) for k in range(count))
    name = primitive.name
    return Primitive(name, lambda *xs: primitive.forward(np.array(xs)), FOLDS[name], rules,
               "elementwise", primitive.binds if primitive.name == "logsumexp" else 0)  # fmt: skip


def _kept(
    primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any], value: np.ndarray
) -> Spell:
    """Spell a row that changes no number: a bracket of truth becomes its one or zero."""
    return lambda place: symbol(args[0], place)


def _fixed(
    primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any], value: np.ndarray
) -> Spell:
    """Spell what no derivative passes through: a number like any other."""
    return lambda place: constant(value[place])


def _chosen(
    primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any], value: np.ndarray
) -> Spell:
    """Spell what a condition chooses."""
    condition = np.broadcast_to(_value(args[0]), value.shape)
    return lambda place: symbol(args[1] if condition[place] else args[2], place)


def _product(
    primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any], value: np.ndarray
) -> Spell:
    a, b = args

    def spell(place: Place) -> Symbol:
        *stack, i, j = place
        left = [(*stack, i, k) for k in range(a.shape[-1])]
        right = [(*stack, k, j) for k in range(a.shape[-1])]
        numbers = _row(_value(a), stack)[i] * _row(_value(b), stack)[:, j]
        wanted = [k for k, place in enumerate(right) if place == getattr(b, "focus", None)]
        wanted += [k for k, place in enumerate(left) if place == getattr(a, "focus", None)]
        return elided(
            numbers,
            lambda k: ops.multiply(symbol(a, left[k]), symbol(b, right[k])),
            _most(a, b),
            wanted,
        )

    return spell


def _slid(
    primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any], value: np.ndarray
) -> Spell:
    """Spell a convolution: windows, laid side by side, and a product."""
    with unrolled():
        return windows.convolve(*args, **params).at  # type: ignore[no-any-return]


def _row(x: np.ndarray, stack: list[int]) -> np.ndarray:
    """Give the matrix of a stack that stands at a place of what the stack is broadcast to."""
    for i in stack[len(stack) - (x.ndim - 2) :] if x.ndim > 2 else ():
        x = x[i if len(x) > 1 else 0]
    return x


def _folding(shape: Place, params: dict[str, Any]) -> Callable[[Place], np.ndarray]:
    """Tell which entries, by their numbers, a reduction folds into one."""
    axis, keepdims = params.get("axis"), params.get("keepdims", False)
    folded = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = {a % len(shape) for a in folded} if shape else set()
    ids = np.arange(math.prod(shape)).reshape(shape)

    def fold(place: Place) -> np.ndarray:
        rest = iter(place)
        index: list[Any] = []
        for k in range(len(shape)):
            if k in axes:
                index.append(slice(None))
                if keepdims:
                    next(rest)
            else:
                index.append(next(rest))
        return np.asarray(ids[tuple(index)]).ravel()

    return fold


def total(x: Any, which: Iterable[int]) -> Symbol:
    """Add up entries, given by their numbers."""
    chosen = list(which)
    numbers = np.asarray(_value(x)).ravel()[chosen]
    return elided(numbers, lambda k: symbol(x, _place(chosen[k], np.shape(x))), _most(x))


def elided(
    numbers: Any, term: Callable[[int], Symbol], most: int, wanted: Sequence[int] = ()
) -> Symbol:
    """Add up terms; of many only some are spelled, the others are counted and summed."""
    count = len(numbers)
    if count == 0:
        return constant(0)
    shown = _shown(count, most, wanted)
    if len(shown) < count and 0 < len(some := np.flatnonzero(numbers)) < count:
        chosen = _shown(len(some), most)  # those that are zero are left out first
        shown = sorted({*(int(some[k]) for k in chosen), *wanted})
    parts = [term(k) for k in shown]
    if len(shown) < count:
        rest = np.delete(numbers, shown).sum()
        parts.insert(-TAIL, _left_out(count - len(shown), rest))
    result = parts[0]
    for part in parts[1:]:
        result = ops.add(result, part)
    return result


def _shown(count: int, most: int, wanted: Sequence[int] = ()) -> list[int]:
    """Choose which of so many terms are spelled."""
    if count <= most:
        return list(range(count))
    return sorted({*range(HEAD if most > FEW else 1), *wanted, *range(count - TAIL, count)})


def _left_out(count: int, value: Any) -> Symbol:
    """Stand for terms that are not spelled."""
    return Symbol(rf"{LEFT_OUT}_{{{count}}}", value)


def _most(*arrays: Any) -> int:
    return next((a.book.most for a in arrays if isinstance(a, Entries)), MOST_TERMS)


def _inside(*entries: Any) -> str:
    return ", ".join(format(e) for e in entries)


FOLDS: dict[str, Any] = {
    "max": lambda *xs: rf"\max\left({_inside(*xs)}\right)",
    "min": lambda *xs: rf"\min\left({_inside(*xs)}\right)",
    "logsumexp": lambda *xs: r"\ln\left(" + " + ".join(f"e^{{{x}}}" for x in xs) + r"\right)",
}
READINGS: dict[str, Reading] = {
    "astype": _kept,
    "convolve": _slid,
    "cumsum": _running,
    "fold": _gathered,
    "logsumexp": _folded,
    "matmul": _product,
    "max": _folded,
    "min": _folded,
    "place": _gathered,
    "scatter_add": _gathered,
    "stop_gradient": _fixed,
    "sum": _summed,
    "where": _chosen,
}
