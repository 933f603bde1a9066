r"""The matrix view: `\partial E / \partial W = A^{\top} \delta`, with shapes and blocks of numbers.

The same tape once more, with whole arrays for symbols: a row spells itself as matrices do.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from trasluz.data import Batch
from trasluz.explain.derivation import STAGES, Derivation
from trasluz.explain.landmarks import cut
from trasluz.explain.names import Landmark
from trasluz.explain.tidy import tidied
from trasluz.tape import Box, Row, Step, Tape
from trasluz.tree import leaves, tree_map
from trasluz.typeset import Symbol, constant, matrix, named_by_value, spelled

MOVES = ("reshape", "broadcast_to", "astype", "stop_gradient")  # not written
LONGEST = 240  # a formula of the loss that is longer is left out
SIGNS = {
    "kernel": "W", "bias": r"\mathbf{b}", "recurrent_kernel": "U", "embeddings": "V",
    "gamma": r"\boldsymbol{\gamma}", "beta": r"\boldsymbol{\beta}",
}  # fmt: skip
LANDMARKS = {
    "sum": "Z", "output": "A", "prediction": r"\hat{Y}", "state": "H", "mean": r"\boldsymbol{\mu}",
    "variance": r"\boldsymbol{\sigma}^{2}", "errors": r"\mathbf{e}", "rows": r"\mathbf{e}",
    "data": "L",
    "penalty": "R", "total": "E", "logsumexp": r"\boldsymbol{\ell}",
}  # fmt: skip


class Block(Symbol):
    """A whole array with a name."""

    def record(self, row: Row, args: tuple[Any, ...], params: dict[str, Any]) -> Block:
        blocks = [a if isinstance(a, Symbol) else constant(a) for a in args]
        if row.name == "subtract" and _is_top(*blocks):
            return Block(blocks[0].latex, blocks[0].value, blocks[0].binds, blocks[0].made)
        values = [a.value if isinstance(a, Symbol) else a for a in args]
        value = row.forward(*values, **params)
        if row.name in MOVES and blocks[0].literal:
            return Block(blocks[0].latex, value, blocks[0].binds, literal=True)
        forward = functools.partial(row.forward, **params)
        reading = Row(row.name, forward, _reads(row, blocks), row.rules, row.kind, row.level)
        return Block(spelled(reading, blocks), value, _level(row, blocks), (reading, blocks))

    def _numbered(self, digits: int) -> Symbol:
        if self.made is None:
            if self.ndim == 0:
                return super()._numbered(digits)
            return Symbol(matrix(self.value, digits), self.value, literal=True)
        return super()._numbered(digits)

    def shapes(self) -> str:
        """Spell the formula with the shapes of its names."""
        return _shaped(self).latex


def _is_top(x: Symbol, top: Symbol) -> bool:
    """Tell whether what is taken off is the greatest entry, which only serves to keep digits."""
    inner = top.made[1][0] if top.made and top.made[0].name == "stop_gradient" else None
    return bool(inner and inner.made and inner.made[0].name == "max" and inner.made[1][0] is x)


def _shaped(symbol: Symbol) -> Symbol:
    if symbol.made is None:
        return symbol if symbol.literal or symbol.ndim == 0 else named_by_value(symbol.value)
    row, parts = symbol.made
    return Symbol(spelled(row, [_shaped(part) for part in parts]), symbol.value, symbol.binds)


def _reads(row: Row, blocks: list[Symbol]) -> Any:
    """Tell how a row reads on arrays: entry by entry is ⊙, what only moves axes is not written."""
    if row.name == "multiply" and all(b.ndim and not b.literal for b in blocks):
        return r"{0:2} \odot {1:2}"
    if row.name in MOVES:
        return lambda x, *_: f"{x}"
    return row.reads


def _level(row: Row, blocks: list[Symbol]) -> int:
    if row.name in MOVES:
        return blocks[0].binds
    return row.level


class Blocks(Tape):
    """A tape of whole arrays: its landmarks are named as they are written."""

    __slots__ = ("boxes", "formulas", "inputs", "names", "reading", "slopes")

    def __init__(self, reading: Any) -> None:
        super().__init__()
        self.reading = reading
        self.formulas: dict[int, Symbol] = {}
        self.names: dict[int, Block] = {}
        self.boxes: dict[int, Box] = {}
        self.slopes: dict[int, tuple[Block, Symbol]] = {}
        numbers = {m.where: m.number for m in reversed(list(reading.marks.values())) if m.number}
        params = {p: _parameter(p, a, numbers) for p, a in reading.params.items()}
        fixed = {p: _parameter(p, a, numbers) for p, a in reading.fixed.items()}
        batch = reading.batch
        given = Batch(
            tree_map(lambda a: Block("X", a) if a.dtype.kind == "f" else a, batch.x),
            tree_map(lambda a: Block("T", a) if a.dtype.kind == "f" else a, batch.y),
        )
        _, self.inputs = reading.record(self, params, fixed, given)

    def write(self, step: Step) -> Any:
        """Write a step; name its value if it is a landmark."""
        index = len(self.steps)
        result = super().write(step)
        mark = self.reading.marks.get(index)
        if isinstance(result, Box):
            self.boxes[index] = result
            if mark is not None and mark.role != "logsumexp":
                self.formulas[index] = step.value
                self.names[index] = Block(_name(mark), step.value.value)
                result.value = step.value = self.names[index]
        return result

    def visit(self, index: int, g: Any) -> Any:
        """Name the derivative in what goes into an activation, and in what layers give."""
        mark = self.reading.marks.get(index)
        if mark is None or mark.role not in ("sum", "output", "prediction", "state"):
            return g
        name = Block(_slope(self.names[index].latex), g.value)
        self.slopes[index] = (name, g)
        return name


def derive(reading: Any, wrt: str, digits: int, lang: str | None) -> Derivation:
    """Spell the derivative in a whole parameter, input or layer's output, as matrices."""
    wrt, line = reading.find(wrt)
    blocks = Blocks(reading)
    if wrt in blocks.inputs:
        line = blocks.inputs[wrt].index
    seeds = {reading.last.index: Block("1", np.ones_like(reading.last.value), literal=True)}
    found = blocks.backward(seeds, keep=True, visit=blocks.visit)
    if line not in found:
        raise cut(blocks, line, wrt)
    if line in blocks.slopes:
        name, g = blocks.slopes.pop(line)
    else:
        g = found[line]
        name = Block(_slope(_target(blocks, wrt, line).latex), g.value)
    steps = _steps(blocks, line)
    root = Derivation(
        name.latex, _short(blocks, line, g), "backward", _where(reading, wrt, line), digits=digits
    )
    root.children = steps
    for number, step in enumerate([*steps, root], 1):
        step.number, step.digits, step.lang = number, digits, lang
    root.checks = _checks(reading, wrt, line, np.asarray(g.value))
    return root


def _steps(blocks: Blocks, line: int) -> list[Derivation]:
    marks = blocks.reading.marks
    forward = [
        Derivation(blocks.names[i].latex, formula, _kind(marks[i]), marks[i].where)
        for i, f in blocks.formulas.items()
        if len((formula := _composite(blocks, i) or f).latex) <= LONGEST
    ]
    backward = [
        Derivation(name.latex, _short(blocks, i, g), "backward", marks[i].where)
        for i, (name, g) in blocks.slopes.items()
        if i > line
    ]
    ranks = list(STAGES.values())
    return sorted([*forward, *backward], key=lambda step: ranks.index(STAGES[step.kind]))


def _kind(mark: Landmark) -> str:
    return "loss" if mark.where == "loss" else "forward"


def _composite(blocks: Blocks, index: int) -> Symbol | None:
    """Spell a landmark that a composite such as softmax made as that function of its argument."""
    made = blocks.boxes[index].made_by
    if made is None or not isinstance(made[1], Box):
        return None
    name, argument = made[0].__name__, made[1].value
    reads = rf"\operatorname{{{{{name}}}}}\left({{0}}\right)".replace("_", r"\_")
    value = blocks.names[index].value
    row = Row(name, lambda x: value, reads, (None,), "structural")
    return Block(spelled(row, [argument]), value, 0, (row, [argument]))


def _short(blocks: Blocks, index: int, g: Symbol) -> Symbol:
    """Spell the delta of a cross-entropy's logits the short way, where that is what it is."""
    reading = blocks.reading
    outputs = [i for i, mark in reading.marks.items() if mark.role == "prediction"]
    plain = len(g.latex) <= LONGEST and "e^" not in g.latex
    if plain or not outputs or index > outputs[-1]:
        return tidied(g)
    output, target = blocks.names[outputs[-1]], leaves(reading.batch.y)[0]
    rows = output.value.shape[0]
    if target.dtype.kind != "f" or target.shape != output.value.shape:
        return Symbol(g.latex if len(g.latex) <= LONGEST else r"\cdots", g.value)
    less = output - Block("T", target)
    short = less if rows == 1 else less / float(rows)
    same = short.shape == g.shape and np.allclose(short.value, g.value)
    return short if same else tidied(g)


def _checks(reading: Any, wrt: str, line: int, g: np.ndarray) -> dict[str, float]:
    """Compare the greatest entry with the backward pass and a central difference."""
    place = tuple(int(i) for i in np.unravel_index(int(np.abs(g).argmax()), g.shape))
    known = reading.gradient()
    if wrt in known:
        backward, difference = known[wrt][place], reading.difference(wrt, place)
    else:
        backward = reading._gradient_at(line)[place]
        difference = reading.difference_at_line(line, place)
    return {
        "derived": float(g[place]), "backward": float(backward), "central difference": difference,
    }  # fmt: skip


def _target(blocks: Blocks, wrt: str, line: int) -> Symbol:
    inputs: dict[str, Any] = blocks.inputs
    found: Symbol = inputs[wrt].value if wrt in inputs else blocks.names[line]
    return found


def _where(reading: Any, wrt: str, line: int) -> str:
    mark = reading.marks.get(line)
    return mark.where if mark else wrt.rpartition("/")[0] or wrt


def _parameter(path: str, array: Any, numbers: dict[str, int]) -> Block:
    layer, _, attribute = path.rpartition("/")
    sign = SIGNS.get(attribute, rf"\mathrm{{{attribute}}}".replace("_", r"\_"))
    return Block(f"{sign}^{{({numbers.get(layer, 1)})}}", array)


def _name(mark: Landmark) -> str:
    sign = LANDMARKS[mark.role]
    if mark.role in ("sum", "output", "state", "mean", "variance", "penalty"):
        return f"{sign}^{{({mark.number}){mark.turn}}}"
    return sign


def _slope(name: str) -> str:
    return rf"\frac{{\partial E}}{{\partial {name}}}"
