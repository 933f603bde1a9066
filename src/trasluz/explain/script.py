"""A tape that is written in symbols, and the tree of steps that is grown from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from typing import Any

import numpy as np

from trasluz.autodiff.tape import Box, Line, Tape
from trasluz.base.tree import leaves, tree_map
from trasluz.data.arrays import Batch
from trasluz.explain.chain import MOST_ENTRIES, Chain
from trasluz.explain.definitions import LAST, Definition, grown
from trasluz.explain.derivation import Derivation
from trasluz.explain.landmarks import cut, layer_of
from trasluz.explain.memory import memory
from trasluz.explain.names import Landmark, Names, derivative_name, lowered, scheme
from trasluz.explain.normalised import collapsed, normalises, of_paths
from trasluz.explain.passed import passed
from trasluz.explain.places import Places, places
from trasluz.explain.reading import Reading
from trasluz.explain.remarks import Remark, of_slope
from trasluz.explain.rows import of_line, of_table
from trasluz.typeset.entries import FEW, HALF, MOST_TERMS, Book, Entries, Place
from trasluz.typeset.formula import escaped
from trasluz.typeset.symbols import Symbol, constant

SLOTS = {"momentum": "m", "velocity": "v", "accumulator": "s", "average": r"\bar{w}"}
NOTES = {
    "count": "k", "rate": r"\eta_{k}", "clipped": r"\tilde{g}", "decayed": r"\tilde{w}",
    "corrected rate": r"\alpha_{k}", "corrected momentum": r"\hat{m}",
    "corrected velocity": r"\hat{v}",
}  # fmt: skip
VERY_MANY = 5000  # entries with a name, from which on a page is very long
LONGEST = 100  # names in the formula of a line that has no name of its own
Said = Callable[[Symbol], Iterable[Remark]]
SAID_ONCE = {"scores": "explain-softmax-back"}  # of the derivatives in a line, by its role
PASSAGES = ("total", "data", "penalty", "rows", "errors", "logsumexp")  # no delta of their own


@dataclass(frozen=True)
class Question:
    """Which derivative is asked for, and how it is told: see `explain`."""

    wrt: str
    at: Place
    digits: int = 5
    update: bool = False
    depth: str = "layer"
    names: Any = "math"
    lang: str | None = None
    cells: Mapping[int, Symbol] | None = None


class Script(Tape):
    """A tape of entries: its landmarks are named as they are written.

    Args:
        reading: the step on numbers.
        question: what is asked for.
        line: its line.
        place: its entry, counted from the front.
    """

    def __init__(self, reading: Reading, question: Question, line: int, place: Place) -> None:
        super().__init__()
        self.reading, self.question = reading, question
        self.wrt, self.target, self.place = question.wrt, line, place
        self.defined: dict[int, Definition] = {}
        self.named: set[int] = set()
        self.weights: dict[int, int] = {}
        self.said: set[int] = set()
        self.marks: dict[int, Landmark] = dict(reading.marks)
        if question.depth == "op":
            self._mark_every_line()
        shapes = {v.path: tuple(v.shape) for v in reading.model.variables}
        self.names: Names = scheme(question.names)(self.marks.values(), shapes)
        self.book = Book(
            MOST_TERMS if self.size <= MOST_ENTRIES else HALF if self.size <= VERY_MANY else FEW
        )
        self.entries: dict[int, Entries] = {}
        self.params = {p: self._parameter(p, a) for p, a in reading.params.items()}
        buffers = {p: self._parameter(p, a) for p, a in reading.buffers.items()}
        x = self._series("x", reading.batch.x, question.cells)
        self.series = dict(zip(reading.series, leaves(x), strict=True))
        named = Batch(x, self._series("t", reading.batch.y))
        several = leaves(named.y)
        self.targets = several[0] if len(several) == 1 else None
        for path, entries in (self.params | self.series).items():
            if path == self.wrt:
                entries.focus = place
        total, inputs = reading.record(self, self.params, buffers, named)
        self.entries[total.index] = total.value
        seeds = {total.index: Entries(1.0, lambda _: constant(1), self.book)}
        self.slope_of: dict[int, Entries] = {}
        grads = self.backward(seeds, visit=self._visit)
        if self.wrt in inputs:
            line = inputs[self.wrt].index
        self.asked = self.slope_of[line] if line in self.slope_of else grads.get(line)
        if self.asked is None:
            raise cut(self, line, self.wrt)
        self.target = line

    @property
    def size(self) -> int:
        """How many entries the lines with a name have."""
        return sum(self.reading.value(line).size for line in self.marks)

    def _mark_every_line(self) -> None:
        for line, step in enumerate(self.reading.turns.lines):
            if step is not None and line not in self.marks and line < self.reading.last.index:
                self.marks[line] = Landmark("line", layer_of(self.reading, step), line)

    # ------------------------------------------------------------------------------------ naming

    def write(self, step: Line) -> Any:
        """Write a step; name its value if it is a landmark."""
        index = len(self.lines)
        result = super().write(step)
        if isinstance(result, Box):
            self._weigh(index, step)
            if index in self.marks:
                result.value = step.value = self._landmark(index, result.value)
            self.entries[index] = result.value
        return result

    def _weigh(self, index: int, step: Line) -> None:
        """Make a landmark of a line whose formula has grown long."""
        first, name = step.args[0], step.primitive.name
        terms = first.shape[-1] if name == "matmul" else 1
        terms = first.size // max(step.value.size, 1) if name == "sum" else terms
        below = sum(self.weights.get(parent, 1) for parent in step.parents)
        self.weights[index] = min(terms, HALF) * max(below, 1)
        if index not in self.marks and self.weights[index] > LONGEST:
            self.marks[index] = Landmark("line", layer_of(self.reading, step), index)
        if index in self.marks:
            self.weights[index] = 1

    def _landmark(self, index: int, entries: Entries) -> Entries:
        if id(entries) in self.named:  # computed before, e.g. by the softmax that the loss sees
            return entries
        mark = self.marks[index]
        kind = "loss" if mark.where == "loss" else "forward"
        name = self._namer(mark, entries)
        formula = entries.spell
        known: dict[Place, Symbol] = {}

        def spelled(place: Place) -> Symbol:
            if place not in known:
                known[place] = formula(place)
            return known[place]

        said = partial(of_line, self, index)
        self.name(entries, name, spelled, kind, mark.where, index, mark.role, said)
        return entries

    def _namer(self, mark: Landmark, entries: Entries) -> Callable[[Place], str]:
        alone, shape = self.reading.one and entries.ndim > 1, entries.shape
        return lambda place: self.names.unit(mark, mark.shown(place, shape, alone))

    def name(
        self,
        entries: Entries,
        name: Callable[[Place], str],
        formula: Callable[[Place], Symbol],
        kind: str,
        where: str,
        order: int,
        role: str = "",
        said: Callable[[Place, Symbol], list[Remark]] = lambda place, formula: [],
    ) -> None:
        """Name entries; what they stand for is spelled when the tree asks."""

        def leaf(place: Place) -> Symbol:
            symbol = Symbol(name(place), entries.value[place])
            self.define(
                symbol, lambda: formula(place), kind, where, order, role=role,
                remarks=lambda spelled: said(place, spelled),
            )  # fmt: skip
            return symbol

        entries.name(leaf)
        self.named.add(id(entries))

    def _slope_said(self, index: int, place: Place, formula: Symbol) -> list[Remark]:
        """Say of the first derivative in a line how its formula is to be read."""
        role = self.marks[index].role
        if role not in SAID_ONCE or index in self.said or formula.literal:
            return [*of_slope(formula), *of_paths(formula, self.defined)]
        self.said.add(index)
        return [Remark(SAID_ONCE[role])]

    def define(
        self, leaf: Symbol, spell: Callable[[], Symbol], kind: str, where: str, order: int = 0,
        symbol: str = "", note: str = "", role: str = "", remarks: Said = lambda formula: (),
    ) -> Symbol:  # fmt: skip
        """Say what a name stands for."""
        self.defined[id(leaf)] = Definition(
            leaf, spell, kind, where, order, symbol, note, role, remarks
        )
        return leaf

    def _visit(self, index: int, g: Entries) -> Entries:
        """Name the derivative in a landmark."""
        self.slope_of[index] = g
        if index not in self.marks or self.entries.get(index) is None:
            return g
        mark, entries = self.marks[index], self.entries[index]
        if mark.role in PASSAGES:
            return g
        name = self._namer(mark, entries)
        new = Entries(g.value, g.at, self.book)
        self.name(
            new, lambda p: self.slope_sign(name(p)), g.at, "backward", mark.where, LAST - index,
            f"back to {mark.role}", partial(self._slope_said, index),
        )  # fmt: skip
        self.slope_of[index] = new
        return new

    def _parameter(self, path: str, array: Any) -> Entries:
        name = self.names.parameter
        return Entries(array, lambda place: Symbol(name(path, place), array[place]), self.book)

    def _series(self, sign: str, tree: Any, cells: Mapping[int, Symbol] | None = None) -> Any:
        """Name inputs or targets; whole numbers, such as labels, stay numbers."""
        several, count = len(leaves(tree)) > 1, iter(range(1, 1 << 20))

        def spell(a: Any) -> Any:
            which = next(count) if several else 0
            if a.dtype.kind != "f":
                return a
            alone = self.reading.one and len(a) == 1

            def leaf(place: Place) -> Symbol:
                shown = place[1:] if alone else place
                found = Symbol(self.names.series(sign, which, shown), a[place])
                source = cells.get(shown[-1]) if cells and shown else None
                if source is not None:
                    self.define(found, lambda: source, "data", "data", shown[-1])
                return found

            return Entries(a, leaf, self.book)

        return tree_map(spell, tree)

    def recognised(self, spelled: Symbol) -> Symbol:
        """Give the name of a formula that is a prediction's: the softmax in its derivative."""
        line = max(i for i, mark in self.marks.items() if mark.role == "prediction")
        entries = self.entries[line]
        for place in np.ndindex(entries.shape):
            leaf = entries.at(place)
            if self.defined[id(leaf)].formula.latex == spelled.latex:
                return leaf
        return spelled

    def slope_sign(self, name: str) -> str:
        """Name the derivative of the loss in a name."""
        total = self.names.unit(self.marks[self.reading.last.index], ())
        return derivative_name(total, name)

    # ---------------------------------------------------------------------------------- the tree

    @property
    def slope(self) -> Symbol:
        """The derivative that is asked for."""
        assert self.asked is not None
        return self.asked.at(self.place)

    @property
    def target_leaf(self) -> Symbol:
        """The name of the entry that is asked for."""
        known = self.params | self.series
        entries = known.get(self.wrt, self.entries.get(self.target))
        assert entries is not None
        return entries.at(self.place)

    @cached_property
    def used(self) -> Places | None:
        """What a filter's weight met at each place."""
        return places(self)

    @cached_property
    def derivative(self) -> Definition:
        """The derivative: path by path where the network is small, else by deltas."""
        target, slope = self.target_leaf, self.slope
        together = self.used is not None or normalises(self)  # sums that deltas tell
        if self.question.depth == "layer" and not together:
            total = self.entries[self.reading.last.index].at(())
            by_paths = Chain(self, target).whole(total)
            if by_paths is not None:
                return by_paths
        if id(slope) in self.defined:
            return self.defined[id(slope)]
        layer = self.wrt.rpartition("/")[0] if self.wrt in self.params else self.wrt
        leaf = Symbol(self.slope_sign(target.latex), slope.value)
        return Definition(leaf, lambda: slope, "backward", layer, LAST)

    def tree(self) -> Derivation:
        """Grow the tree of steps of the derivative, or of the new value."""
        question = self.question
        root = self._updated() if question.update else self.derivative
        total = self.entries[self.reading.last.index].at(())
        beside: Iterable[Definition] = [self.defined[id(total)]]
        if question.depth == "layer":  # asked once the rest is told
            beside = chain(beside, memory(self), passed(self), collapsed(self))
        if self.wrt in self.params or self.wrt in self.series:
            self.derivative.remarks = self._derivative_said
        whole = grown(root, beside, self.defined, question.digits, question.lang)
        whole.places = self.used
        return whole

    def _derivative_said(self, formula: Symbol) -> list[Remark]:
        """Say where what is asked for was used, and on what paths it goes to the loss."""
        used = self.used.remarks(formula) if self.used else []
        return [*used, *of_paths(formula, self.defined), *of_table(self)]

    # -------------------------------------------------------------------------------- the update

    def _updated(self) -> Definition:
        """Define the new value: the optimizer's own update, run on entries."""
        model, reading = self.reading.model, self.reading
        optimizer, place = model.optimizer, self.place
        derivative = self.derivative
        self.defined[id(derivative.leaf)] = derivative
        slots = model._slots or optimizer.init(reading.params)
        known = self._all_gradients(derivative.leaf)
        state = {p: {s: self._slot(s, a) for s, a in own.items()} for p, own in slots.items()}
        rate = optimizer.rate(np.float64(optimizer.iterations))
        eta: Any = None
        step: Any = np.float64(optimizer.iterations)
        if not (optimizer.gradient_accumulation_steps or optimizer.ema_overwrite_frequency):
            step = Entries(step, lambda _: Symbol("n", optimizer.iterations), self.book)
        if not optimizer.scheduled:
            eta = Entries(rate, lambda _: Symbol(r"\eta", rate), self.book)
        self.book.notes.clear()
        new, after = optimizer.update(known, state, self.params, step, learning_rate=eta)
        for constrained, constraint in reading.problem.constrained:
            new = {**new, constrained: constraint(new[constrained])}
        for sign, entries in self._worth_a_name(after[self.wrt], optimizer.scheduled):
            if id(entries) not in {id(e) for e in known.values()}:
                self._name_in_update(sign, entries)
        target = self.target_leaf
        leaf = Symbol(target.latex + r"^{\prime}", new[self.wrt].value[place])
        return Definition(leaf, lambda: new[self.wrt].at(place), "update", optimizer.name, LAST * 2)

    def _worth_a_name(
        self, slots: Mapping[str, Entries], scheduled: bool
    ) -> Iterator[tuple[str, Entries]]:
        """List what the optimizer works out on the way to the new value."""
        for name, entries in {id(noted[1]): noted for noted in self.book.notes}.values():
            if name != "rate" or scheduled:
                yield NOTES[name], entries
        for slot, entries in slots.items():
            if isinstance(entries, Entries):
                yield _sign(slot) + r"^{\prime}", entries

    def _name_in_update(self, sign: str, entries: Entries) -> None:
        if entries.made is None:
            return
        formula = entries.spell
        name = self._beside(sign, entries.shape)
        self.name(entries, name, formula, "update", self.reading.model.optimizer.name, 0)

    def _beside(self, sign: str, shape: Place) -> Callable[[Place], str]:
        """Name what an optimizer keeps: by the sign alone where it is the asked entry's own."""
        whole = self.params[self.wrt].shape == shape
        return lambda place: sign if whole and place == self.place else lowered(sign, place)

    def _all_gradients(self, leaf: Symbol) -> dict[str, Entries]:
        """Name the derivative in every entry of every parameter; the one asked for has its name."""
        numbers = self.reading.gradient()

        def named(path: str) -> Entries:
            def spell(place: Place) -> Symbol:
                if path == self.wrt and place == self.place:
                    return leaf
                return Symbol(
                    self.slope_sign(self.params[path].at(place).latex), numbers[path][place]
                )

            return Entries(numbers[path], spell, self.book)

        return {path: named(path) for path in self.params}

    def _slot(self, name: str, array: Any) -> Entries:
        wide = np.asarray(array, "float64") if np.asarray(array).dtype.kind == "f" else array
        sign = self._beside(_sign(name), wide.shape)
        return Entries(wide, lambda place: Symbol(sign(place), wide[place]), self.book)


def _sign(slot: str) -> str:
    return SLOTS.get(slot, rf"\mathrm{{{escaped(slot)}}}")
