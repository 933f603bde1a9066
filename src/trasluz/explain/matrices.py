r"""The matrix view: `\partial E / \partial W = A^{\top} \delta`, with shapes and blocks of numbers.

The same tape once more, with whole arrays for symbols: a row spells itself as matrices do.
"""

from __future__ import annotations

import functools
import itertools
from functools import partial
from typing import Any

import numpy as np

from trasluz.autodiff import ops
from trasluz.autodiff.tape import Box, Line, Primitive, Tape
from trasluz.base.tree import leaves, tree_map
from trasluz.data.arrays import Batch
from trasluz.explain.definitions import LAST, Definition, grown
from trasluz.explain.derivation import Derivation
from trasluz.explain.landmarks import cut, given_to_turns
from trasluz.explain.names import BARE, SIGNS, Landmark, derivative_name, letter
from trasluz.explain.reading import Reading
from trasluz.explain.rows import of_rows
from trasluz.explain.tidy import tidied
from trasluz.typeset.entries import LEFT_OUT, is_top
from trasluz.typeset.formula import parse, width
from trasluz.typeset.symbols import Symbol, constant, matrix, named_by_value, spelled

NONE = Landmark("", "")
MOVES = ("reshape", "broadcast_to", "astype", "stop_gradient")  # not written
DELTAS = [role for role in SIGNS if role not in (*BARE, "penalty", "line")] + ["prediction"]
TURNED = "turned"  # a transposition of matrices, as it is known by
LONGEST = 240  # a formula that is longer, and wider than this, is left out
WIDEST = 320
MOST_TERMS = 6  # longer sums are left out in the middle


class Block(Symbol):
    """A whole array with a name."""

    def record(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Block:
        blocks = [a if isinstance(a, Symbol) else _number(a) for a in args]
        if primitive.name == "subtract" and is_top(*blocks):
            return Block(blocks[0].latex, blocks[0].value, blocks[0].binds, blocks[0].made)
        values = [a.value if isinstance(a, Symbol) else a for a in args]
        value = primitive.forward(*values, **params)
        if all(b.literal for b in blocks):
            return _number(value)
        forward = functools.partial(primitive.forward, **params)
        turned = _turned(primitive, params)
        if turned and blocks[0].made and blocks[0].made[0].name == TURNED:
            inner = blocks[0].made[1][0]
            return Block(inner.latex, value, inner.binds, inner.made)
        reads = _reads(primitive, blocks, params)
        name = TURNED if turned else primitive.name
        moved = primitive.name in MOVES or (primitive is ops.transpose_row and not turned)
        level = blocks[0].binds if moved else primitive.binds
        reading = Primitive(name, forward, reads, primitive.rules, primitive.kind, level)
        return Block(spelled(reading, blocks), value, level, (reading, blocks))

    def _numbered(self, digits: int) -> Symbol:
        if self.made is None and not self.literal and self.ndim:
            return Block(matrix(self.value, digits), self.value, literal=True)
        return super()._numbered(digits)

    def shapes(self) -> str:
        """Spell the formula with the shapes of its names."""
        return _shaped(self).latex


def _number(value: Any) -> Block:
    """Write a number, or an array: one that holds one number everywhere, as that number."""
    array = np.asarray(value)
    if array.size and (array == array.flat[0]).all():
        number = constant(array.flat[0])
        return Block(number.latex, array, number.binds, literal=True)
    return Block(matrix(array), array, literal=True)


def _shaped(symbol: Symbol) -> Symbol:
    if symbol.made is None:
        return symbol if symbol.literal or symbol.ndim == 0 else named_by_value(symbol.value)
    primitive, parts = symbol.made
    return Symbol(spelled(primitive, [_shaped(part) for part in parts]), symbol.value, symbol.binds)


def _reads(primitive: Primitive, blocks: list[Symbol], params: dict[str, Any]) -> Any:
    """Tell how a row reads on arrays: entry by entry is ⊙, what only moves axes is not written."""
    if primitive.name == "multiply" and all(b.ndim and not b.literal for b in blocks):
        return r"{0:2} \odot {1:2}"
    if primitive.name in ("getitem", "place"):
        index = params["index"] if isinstance(params["index"], tuple) else (params["index"],)
        places = ",".join(_slice(i) for i in index)
        if primitive.name == "place":
            return lambda x: rf"\operatorname{{place}}_{{\left[{places}\right]}}\left({x}\right)"
        return lambda x: rf"{x:0}_{{\left[{places}\right]}}"
    if primitive.name == "where" and blocks[0].literal and all(b.literal for b in blocks[2:]):
        return lambda counts, x, other: rf"\operatorname{{mask}}\left({x}\right)"
    axes = primitive is ops.transpose_row and not _turned(primitive, params)
    return (lambda x, *_: f"{x}") if primitive.name in MOVES or axes else primitive.reads


def _turned(primitive: Primitive, params: dict[str, Any]) -> bool:
    """Tell whether a row transposes matrices; to put places or heads elsewhere is not written."""
    if primitive is not ops.transpose_row:
        return False
    *rest, row, column = params["axes"]
    size = len(params["axes"])
    return rest == list(range(size - 2)) and (row, column) == (size - 1, size - 2)


def _slice(index: Any) -> str:
    """Write which part of an axis is taken, counted from 1."""
    if index is Ellipsis:
        return ":"
    if isinstance(index, slice):
        start = "" if index.start is None else str(index.start + 1)
        return f"{start}:{'' if index.stop is None else index.stop}"
    return str(index + 1) if isinstance(index, (int, np.integer)) else r"\cdot"


class Blocks(Tape):
    """A tape of whole arrays: its landmarks are named as they are written."""

    __slots__ = ("boxes", "formulas", "inputs", "marks", "names", "reading", "said", "slopes")

    def __init__(self, reading: Reading) -> None:
        super().__init__()
        self.reading, self.marks = reading, reading.marks | given_to_turns(reading)
        self.said: set[str] = set()
        self.formulas: dict[int, Symbol] = {}
        self.names: dict[int, Block] = {}
        self.boxes: dict[int, Box] = {}
        self.slopes: dict[int, tuple[Block, Symbol]] = {}
        numbers = {m.where: m.number for m in reversed(list(self.marks.values())) if m.number}
        params = {p: _parameter(p, a, numbers) for p, a in reading.params.items()}
        buffers = {p: _parameter(p, a, numbers) for p, a in reading.buffers.items()}
        batch = reading.batch
        named = Batch(_series("X", batch.x), _series("T", batch.y))
        _, self.inputs = reading.record(self, params, buffers, named)

    def write(self, step: Line) -> Any:
        """Write a step; name its value if it is a landmark."""
        index = len(self.lines)
        result = super().write(step)
        mark = self.marks.get(index)
        if isinstance(result, Box):
            self.boxes[index] = result
            if mark is not None and mark.role != "logsumexp":
                self.formulas[index] = step.value
                self.names[index] = Block(_name(mark), step.value.value)
                result.value = step.value = self.names[index]
        return result

    def visit(self, index: int, g: Any) -> Any:
        """Name the derivative in what goes into an activation, and in what layers give."""
        mark = self.marks.get(index)
        if mark is None or mark.role not in DELTAS:
            return g
        name = Block(derivative_name("E", self.names[index].latex), g.value)
        self.slopes[index] = (name, g)
        return name


def derive(reading: Reading, wrt: str, digits: int, lang: str | None) -> Derivation:
    """Spell the derivative in a whole parameter, input or layer's output, as matrices."""
    wrt, line = reading.find(wrt)
    blocks = Blocks(reading)
    if wrt in blocks.inputs:
        line = blocks.inputs[wrt].index
    seeds = {reading.last.index: _number(np.ones_like(reading.last.value))}
    slopes = blocks.backward(seeds, keep=True, visit=blocks.visit)
    if line not in slopes:
        raise cut(blocks, line, wrt)
    defined = _defined(blocks)
    g = slopes[line]
    if line in blocks.slopes:
        root = defined[id(blocks.slopes[line][0])]
    else:
        leaf = Block(derivative_name("E", _target(blocks, wrt, line).latex), g.value)
        where = wrt.rpartition("/")[0] or wrt
        root = Definition(
            leaf, lambda: _short(blocks, line, g), "backward", where, LAST,
            remarks=partial(of_rows, said=blocks.said),
        )  # fmt: skip
    total = defined[id(blocks.names[reading.last.index])]
    whole = grown(root, [total], defined, digits, lang)
    value = np.asarray(g.value)
    greatest = tuple(int(i) for i in np.unravel_index(int(np.abs(value).argmax()), value.shape))
    whole.checks = reading.checks(wrt, line, greatest, float(value[greatest]))
    return whole


def _defined(blocks: Blocks) -> dict[int, Definition]:
    """Say what the names of lines, and of derivatives in them, stand for."""
    marks, defined = blocks.marks, {}
    for i, formula in blocks.formulas.items():
        spell = lambda i=i, f=formula: _composite(blocks, i) or _readable(f)  # noqa: E731
        kind, leaf = _kind(marks[i]), blocks.names[i]
        defined[id(leaf)] = Definition(
            leaf, spell, kind, marks[i].where, i, remarks=partial(of_rows, said=blocks.said)
        )
    for i, (leaf, g) in blocks.slopes.items():
        spell = lambda i=i, g=g: _short(blocks, i, g)  # noqa: E731
        defined[id(leaf)] = Definition(
            leaf, spell, "backward", marks[i].where, LAST - i,
            remarks=partial(of_rows, said=blocks.said),
        )  # fmt: skip
    return defined


def _readable(formula: Symbol) -> Symbol:
    """Give a formula, or only what it comes to where nobody would read it."""
    formula = _elided(tidied(formula))
    long = len(formula.latex) > LONGEST and width(parse(formula.latex)) > WIDEST
    unread = long or "cases" in formula.latex
    return Block(matrix(formula.value), formula.value, literal=True) if unread else formula


def _elided(formula: Symbol) -> Symbol:
    """Leave terms out in the middle of long sums: a product over many turns has one of each."""
    if formula.made is None:
        return formula
    row, parts = formula.made
    if row.name == "add":
        terms = _terms(formula)
        if len(terms) <= MOST_TERMS:
            return formula
        left = functools.reduce(np.add, (one.value for one in terms[2:-1]))
        count = rf"{LEFT_OUT}_{{{len(terms) - 3}}}"
        return functools.reduce(ops.add, (*terms[:2], Block(count, left), terms[-1]))
    new = [_elided(part) for part in parts]
    if all(a is b for a, b in zip(new, parts, strict=True)):
        return formula
    return Block(spelled(row, new), formula.value, formula.binds, (row, new))


def _terms(formula: Symbol) -> list[Symbol]:
    """List what a sum adds up."""
    if formula.made is None or formula.made[0].name != "add":
        return [formula]
    return [term for part in formula.made[1] for term in _terms(part)]


def _series(sign: str, tree: Any) -> Any:
    """Name inputs or targets; whole numbers stay numbers."""
    several, count = len(leaves(tree)) > 1, itertools.count(1)

    def named(a: Any) -> Any:
        name = f"{sign}^{{({next(count)})}}" if several else sign
        return Block(name, a) if a.dtype.kind == "f" else a

    return tree_map(named, tree)


def _kind(mark: Landmark) -> str:
    return "loss" if mark.where == "loss" else "forward"


def _composite(blocks: Blocks, index: int) -> Symbol | None:
    """Spell a landmark that a composite such as softmax made as that function of its argument."""
    composite = blocks.boxes[index].made_by
    if composite is None or not isinstance(composite[1], Box):
        return None
    name, argument = composite[0].__name__, composite[1].value
    reads = rf"\operatorname{{{{{name}}}}}\left({{0}}\right)".replace("_", r"\_")
    value = blocks.names[index].value
    primitive = Primitive(name, lambda x: value, reads, (None,), "structural")
    return Block(spelled(primitive, [argument]), value, 0, (primitive, [argument]))


def _short(blocks: Blocks, index: int, g: Symbol) -> Symbol:
    """Spell the delta of a cross-entropy's logits the short way, where that is what it is."""
    if blocks.marks.get(index, NONE).role == "scores":
        return _softmax_back(blocks, index, g)
    outputs = [i for i, mark in blocks.marks.items() if mark.role == "prediction"]
    under = [i for i in blocks.names if outputs and i < outputs[-1]]
    if not under or index != under[-1] or "e^" not in g.latex:
        return _readable(g)
    output, target = blocks.names[outputs[-1]], np.asarray(leaves(blocks.reading.batch.y)[0])
    if target.dtype.kind != "f" and output.value.ndim == 2 and target.size == len(output.value):
        target = np.eye(output.value.shape[1])[target.ravel()]
    if target.shape == output.value.shape == g.shape:
        less = output - Block("T", target)
        short = less / float(len(target)) if len(target) > 1 else less
        if np.allclose(short.value, g.value, rtol=1e-9, atol=1e-12):
            return short
    return _readable(g)


def _softmax_back(blocks: Blocks, index: int, g: Symbol) -> Symbol:
    """Spell the derivative in scores as books do: `A ⊙ (∂A − Σ ∂A ⊙ A)`, where that is it."""
    later = (line for line, mark in blocks.marks.items() if line > index)
    shares = next((n for n in later if blocks.marks[n].role == "shares"), None)
    if shares is None or shares not in blocks.slopes:
        return _readable(g)
    a, back = blocks.names[shares], blocks.slopes[shares][0]
    spelled = a * (back - ops.sum(back * a, axis=-1, keepdims=True))
    same = np.allclose(spelled.value, g.value, rtol=1e-9, atol=1e-12)
    return spelled if same else _readable(g)


def _target(blocks: Blocks, wrt: str, line: int) -> Symbol:
    inputs: dict[str, Any] = blocks.inputs
    target: Symbol = inputs[wrt].value if wrt in inputs else blocks.names[line]
    return target


def _parameter(path: str, array: Any, numbers: dict[str, int]) -> Block:
    layer, _, attribute = path.rpartition("/")
    return Block(f"{letter(attribute).whole}^{{({numbers.get(layer, 1)})}}", array)


def _name(mark: Landmark) -> str:
    sign = mark.sign.whole
    if mark.role not in BARE:
        return f"{sign}^{{({mark.number}){mark.turn}}}"
    return f"{sign}^{{({mark.series})}}" if mark.series else sign
