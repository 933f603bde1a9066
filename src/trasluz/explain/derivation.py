"""A derivation: a tree of steps, each a symbol, its formula, the formula with numbers, a value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trasluz.base.messages import language, say, speaking
from trasluz.explain.steps import STAGES, Section
from trasluz.typeset.symbols import Symbol, matrix, number

FORMAT = 1


@dataclass(eq=False, repr=False)
class Derivation:
    """One step, and the steps that its formula rests on; the last step holds the whole.

    Args:
        symbol: what is worked out, in LaTeX.
        spelled: the formula, which knows its numbers and its value.
        kind: "data", "forward", "loss", "factor", "chain", "backward" or "update".
        where: the layer it belongs to, or "data", "loss", "optimizer".
        children: the steps of the names in the formula, each once in the whole tree.
        reused: the steps of names in the formula that were worked out before.
        number: which step it is, from 1, in the order of reading.
        note: a remark, the id of a message.
        checks: the same number found in other ways, at the root.
        digits: significant digits in print.
        lang: the language of its pages; that of messages unless given.
    """

    symbol: str
    spelled: Symbol
    kind: str
    where: str
    children: list[Derivation] = field(default_factory=list)
    reused: list[Derivation] = field(default_factory=list)
    number: int = 0
    note: str = ""
    checks: dict[str, float] = field(default_factory=dict)
    digits: int = 5
    lang: str | None = None

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

    def steps(self) -> Iterator[Derivation]:
        """List the steps in the order of reading: forward, loss, backward, update."""
        found, rest = [], [self]
        while rest:
            found.append(rest.pop())
            rest += found[-1].children
        yield from sorted(found, key=lambda step: step.number)

    def sections(self) -> Iterator[Section]:
        """Part the steps, in the order of reading, wherever another layer or stage begins."""
        section: Section | None = None
        for step in self.steps():
            stage = STAGES[step.kind]
            if section is None or (section.stage, section.where) != (stage, step.where):
                if section is not None:
                    yield section
                section = Section(stage, step.where, [], self.lang)
            section.steps.append(step)
        if section is not None:
            yield section

    def evaluated(self, known: Mapping[str, Any]) -> Any:
        """Work the step's formula out once more, with other values for some of its names.

        Args:
            known: values by name, in LaTeX as the formula has them.
        """
        return self.spelled.at(known)

    # ----------------------------------------------------------------------------------- written

    def text(self) -> str:
        """Spell the derivation for a terminal."""
        from trasluz.pages.text import page

        with speaking(self.lang):
            return page(self)

    def latex(self) -> str:
        """Spell the derivation as aligned equations, a block a section, in LaTeX."""
        from trasluz.pages.latex import page

        with speaking(self.lang):
            return page(self)

    def markdown(self) -> str:
        """Spell the derivation as Markdown with formulas, a heading a section."""
        from trasluz.pages.markdown import page

        with speaking(self.lang):
            return page(self)

    def html(self) -> str:
        """Spell the derivation as a page of HTML, its formulas in MathML."""
        from trasluz.pages.html import page

        with speaking(self.lang):
            return page(self)

    def pdf(self) -> bytes:
        """Print the derivation: the bytes of a PDF file.

        Raises:
            UserError: if the extra `print` is not installed.
        """
        from trasluz.pages.typst import page

        with speaking(self.lang):
            return page(self)

    def json(self, **how: Any) -> str:
        """Write the steps as JSON: exact values, formulas in LaTeX. See docs/explain.md."""
        return json.dumps(self.as_dict(), **how)

    def as_dict(self) -> dict[str, Any]:
        """Give the steps as plain data, in the order of reading."""
        from trasluz.pages.latex import clean

        with speaking(self.lang):
            return {
                "format": FORMAT,
                "lang": language(),
                "symbol": clean(self.symbol),
                "value": np.asarray(self.value).tolist(),
                "checks": self.checks,
                "steps": [step._as_dict() for step in self.steps()],
            }

    def _as_dict(self) -> dict[str, Any]:
        from trasluz.pages.latex import clean

        return {
            "number": self.number,
            "symbol": clean(self.symbol),
            "formula": clean(self.formula),
            "numbers": clean(self.numbers),
            "value": np.asarray(self.value).tolist(),
            "kind": self.kind,
            "where": self.where,
            "note": say(self.note) if self.note else "",
            "children": [step.number for step in self.children],
            "reused": [step.number for step in self.reused],
        }

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<step {self.number}: {self.symbol} = {self.result}>"

    def _repr_html_(self) -> str:
        from trasluz.pages.html import fragment

        with speaking(self.lang):
            return fragment(self)

    def _repr_markdown_(self) -> str:
        return self.markdown()
