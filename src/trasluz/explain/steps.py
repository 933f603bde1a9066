"""The parts of a derivation: steps, and sections of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple, Self

import numpy as np

from trasluz.base.messages import DECIMALS, language, say, speaking
from trasluz.explain.places import Places
from trasluz.explain.remarks import Remark
from trasluz.pages.document import Inline
from trasluz.pages.text import inline, plain
from trasluz.typeset.symbols import Symbol, matrix, number

STAGES = {
    "data": "data",
    "forward": "forward",
    "loss": "loss",
    "factor": "chain",
    "chain": "chain",
    "backward": "backward",
    "update": "update",
}


@dataclass(eq=False, repr=False)
class Step:
    """One step, and the steps that its formula rests on; the last step holds the whole.

    Args:
        symbol: what is worked out, in LaTeX.
        spelled: the formula, which knows its numbers and its value.
        kind: "data", "forward", "loss", "factor", "chain", "backward" or "update".
        where: the layer it belongs to, or "data", "loss", "optimizer".
        children: the steps of the names in the formula, each once in the whole tree.
        reused: the steps of names in the formula that were worked out before.
        number: which step it is, from 1, in the order of reading.
        note: what other way to its value it is, the id of a message.
        remarks: what else is said beside it.
        places: what a filter's weight met at each place, at the root.
        checks: the same number found in other ways, at the root.
        digits: significant digits in print.
        lang: the language of its pages; that of messages unless given.
    """

    symbol: str
    spelled: Symbol
    kind: str
    where: str
    children: list[Self] = field(default_factory=list)
    reused: list[Self] = field(default_factory=list)
    number: int = 0
    note: str = ""
    checks: dict[str, float] = field(default_factory=dict)
    digits: int = 5
    lang: str | None = None
    remarks: tuple[Remark, ...] = ()
    places: Places | None = None

    @property
    def formula(self) -> str:
        """The formula in LaTeX, with names."""
        return self.spelled.latex

    @property
    def numbers(self) -> str:
        """The formula in LaTeX, with numbers."""
        return self.spelled.numbers(self.digits)

    @property
    def value(self) -> Any:
        """What it comes to: a number, or an array in the matrix form."""
        value = self.spelled.value
        return float(value) if np.ndim(value) == 0 else np.asarray(value)

    @property
    def result(self) -> str:
        """What it comes to, in LaTeX."""
        value = self.value
        return number(value, self.digits) if np.ndim(value) == 0 else matrix(value, self.digits)

    def parts(self) -> list[str]:
        """Spell the step as the members of an equation, in LaTeX: name, formula, numbers, value.

        A member that says the same as the one before it is left out.
        """
        if isinstance(self.value, np.ndarray) and not self.spelled.has_names:
            return [self.symbol, self.result]
        parts = [self.symbol, self.formula, self.numbers, self.result]
        if isinstance(self.value, np.ndarray) and (shapes := getattr(self.spelled, "shapes", None)):
            parts.insert(2, shapes())
        if not self.spelled.has_names:
            del parts[1]
        return [p for i, p in enumerate(parts) if i == 0 or p != parts[i - 1]]

    def line(self) -> str:
        """Spell the step as an equation, in LaTeX."""
        return " = ".join(self.parts())

    @property
    def said(self) -> Inline:
        """The remarks, in the language of messages."""
        remarks = ([Remark(self.note)] if self.note else []) + list(self.remarks)
        lines = [("; ", *remark.said(self.digits)) for remark in remarks]
        return tuple(piece for line in lines for piece in line)[1:]

    @property
    def remark(self) -> str:
        """The remarks in one line of text."""
        return inline(self.said, DECIMALS[language()])

    def evaluated(self, known: Mapping[str, Any]) -> Any:
        """Work the step's formula out once more, with other values for some of its names.

        Args:
            known: values by name, in LaTeX as the formula has them.
        """
        return self.spelled.at(known)

    def steps(self) -> Iterator[Self]:
        """List the steps in the order of reading: forward, loss, backward, update."""
        listed, rest = [], [self]
        while rest:
            listed.append(rest.pop())
            rest += listed[-1].children
        yield from sorted(listed, key=lambda step: step.number)

    def sections(self) -> Iterator[Section]:
        """Part the steps, in the order of reading, wherever another layer or stage begins."""
        parted = groupby(self.steps(), lambda step: (STAGES[step.kind], step.where))
        for (stage, where), steps in parted:
            yield Section(stage, where, list(steps), self.lang)


class Section(NamedTuple):
    """Steps that follow each other in one stage and one layer."""

    stage: str
    where: str
    steps: list[Step]
    lang: str | None = None

    @property
    def title(self) -> str:
        """What is done here, in the language of messages."""
        where = plain(self.where) if self.stage == "chain" else self.where
        with speaking(self.lang):
            return say(f"explain-stage-{self.stage}", part=where)
