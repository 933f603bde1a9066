r"""A filter's weight, place by place: what it met there, and what comes back.

A weight that is used at many places has the derivative `\sum S \odot \Delta`: S is what it was
multiplied with at each place, Δ the derivative in the sum there. A sum is linear in its weight, so
S is by how much the sums grow if the weight grows by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trasluz.autodiff.tape import Tape
from trasluz.base.messages import language, say, speaking
from trasluz.base.numbers import in_language
from trasluz.drawing.planes import planes
from trasluz.explain.remarks import Remark
from trasluz.pages.document import Block, Equation, Picture, Section
from trasluz.typeset.entries import LEFT_OUT
from trasluz.typeset.formula import parse
from trasluz.typeset.symbols import Symbol, matrix, named_in, number

MOST_ROWS = 3  # of a batch that are shown
MET, BACK = r"\mathbf{S}", r"\boldsymbol{\Delta}"


@dataclass(frozen=True)
class Places:
    """What a weight met at each place, and the derivative in the sum there, row by row.

    Args:
        name: the derivative in the weight, in LaTeX.
        met: `(rows, *places)`.
        back: of the same shape.
    """

    name: str
    met: np.ndarray
    back: np.ndarray

    @property
    def totals(self) -> np.ndarray:
        """What each row adds to the derivative."""
        return np.asarray((self.met * self.back).sum(axis=tuple(range(1, self.met.ndim))))

    def remarks(self, formula: Symbol) -> list[Remark]:
        """Say over how many places a sum goes, and what those come to that are left out of it."""
        left = [one for one in named_in(formula) if one.latex.startswith(LEFT_OUT)]
        if len(left) != 1:
            return []
        count = int(left[0].latex.removeprefix(LEFT_OUT)[2:-1])
        facts = {"all": self.met.size, "count": count, "rest": float(left[0].value)}
        return [Remark("explain-places-left", facts)]

    def section(self, digits: int) -> Section:
        """Show the planes: as matrices, and as a picture on pages that can show one."""
        rows = range(min(len(self.met), MOST_ROWS))
        blocks: list[Block] = [self._row(row, digits) for row in rows]
        if len(self.met) > 1:
            blocks.append(self._sum(digits))
        return Section((say("explain-places"),), (*blocks, self._picture()), "backward")

    def _mark(self, row: int) -> str:
        return rf"^{{[{row + 1}]}}" if len(self.met) > 1 else ""

    def _row(self, row: int, digits: int) -> Equation:
        """Multiply the planes of a row, place by place, and add up."""
        met, back, mark = _flat(self.met[row]), _flat(self.back[row]), self._mark(row)
        first, second, product = (matrix(one, 3, 6) for one in (met, back, met * back))
        name = rf"\textstyle\sum {MET}{mark} \odot {BACK}{mark}"
        members = [rf"\textstyle\sum {first} \odot {second}", rf"\textstyle\sum {product}"]
        members.append(number(self.totals[row], digits))
        if len(self.met) == 1:
            members.insert(0, name)
            name = self.name
        remark = Remark("explain-places-met", {"met": parse(MET), "back": parse(BACK)})
        return _equation(name, members, remark.said(digits) if row == 0 else ())

    def _sum(self, digits: int) -> Equation:
        """Add up the rows."""
        count = len(self.met)
        shown = min(count, MOST_ROWS)
        terms = [rf"\textstyle\sum {MET}{m} \odot {BACK}{m}" for m in map(self._mark, range(shown))]
        numbers = [number(total, digits) for total in self.totals[:shown]]
        if count > shown:
            terms.append(rf"\underbrace{{\cdots}}_{{{count - shown}}}")
            numbers.append(number(self.totals[shown:].sum(), digits))
        signed = [rf"\left({one}\right)" if one.startswith("-") else one for one in numbers[1:]]
        members = [" + ".join(terms), " + ".join([numbers[0], *signed])]
        return _equation(self.name, [*members, number(self.totals.sum(), digits)], ())

    def _picture(self) -> Picture:
        rows = range(min(len(self.met), MOST_ROWS))
        pairs = [(_flat(self.met[row]), _flat(self.back[row])) for row in rows]
        several = len(self.met) > 1
        sums = [in_language(f"{total:.4g}") for total in self.totals[: len(pairs)]]
        sides = [f"{say('explain-places-row', row=str(row + 1))}: {sums[row]}" for row in rows]
        titles = [
            say("explain-places-title-met"), say("explain-places-title-back"),
            say("explain-places-title-product", total=in_language(f"{self.totals.sum():.4g}")),
        ]  # fmt: skip
        lines = [(met, back, met * back) for met, back in pairs]
        lang = language()

        def draw() -> bytes:
            with speaking(lang):
                return planes(lines, titles, sides if several else ())

        return Picture(draw, say("explain-places"))


def places(script: Any) -> Places | None:
    """Find what a filter's weight met at each place; None of what is no such weight."""
    reading, wrt = script.reading, script.wrt
    if wrt not in reading.params or reading.params[wrt].ndim < 3:
        return None
    layer, rank = wrt.rpartition("/")[0], reading.params[wrt].ndim
    lines = [
        line
        for line, mark in script.marks.items()
        if mark.where == layer and mark.role in ("sum", "output", "prediction")
    ]
    if not lines or reading.value(lines[0]).ndim != rank or lines[0] not in script.slope_of:
        return None
    moved = reading.params[wrt].copy()
    moved[script.place] += 1.0
    tape = Tape()
    reading.record(tape, {**reading.params, wrt: moved}, reading.buffers, reading.batch)
    met = tape.lines[lines[0]].value - reading.value(lines[0])  # type: ignore[union-attr]
    met = np.where(np.abs(met) < 1e-12, 0.0, met)
    back = script.slope_of[lines[0]].value
    if not np.isclose((met * back).sum(), float(script.slope.value), rtol=1e-9, atol=1e-12):
        return None  # there are other ways to the loss
    for axis in (rank - 1, 1):  # channels last, or first
        others = tuple(k for k in range(rank) if k != axis)
        channels = np.flatnonzero(np.abs(met).max(axis=others))
        if len(channels) == 1:
            planes_of = (np.take(one, channels[0], axis) for one in (met, back))
            name = script.slope_sign(script.target_leaf.latex)
            return Places(name, *planes_of)
    return None


def _flat(plane: np.ndarray) -> np.ndarray:
    """Give a plane two axes: a series becomes a row."""
    return plane.reshape(-1, plane.shape[-1])


def _equation(name: str, members: list[str], remark: Any) -> Equation:
    parts = [parse(name), *(parse(f"= {member}") for member in members)]
    return Equation(0, tuple(parts), "backward", (), remark)
