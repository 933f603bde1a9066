"""What an example is made of: steps with tables and derivations, errata, and a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from trasluz.base.messages import say, speaking
from trasluz.explain.derivation import Derivation
from trasluz.pages.text import plain

DIGITS = 9


class Word(str):
    """A word of a table that each language spells in its own way.

    >>> str(Word("step")), Word("step").spelled()
    ('step', 'step')
    """

    def spelled(self) -> str:
        """Spell it in the language of messages."""
        return say(f"example-word-{self}")


class Formula(str):
    r"""A formula in a table: as a string it is its line of text, `.latex` has it in LaTeX.

    >>> Formula(r"\frac{\partial E}{\partial w_{1}}"), Formula("w_{1}").latex
    ('∂E/∂w₁', 'w_{1}')
    """

    latex: str

    def __new__(cls, latex: str) -> Formula:
        """Make it from LaTeX."""
        made = super().__new__(cls, plain(latex))
        made.latex = latex
        return made


@dataclass(frozen=True)
class Step:
    """One step of an example: a table, formulas, a derivation.

    Args:
        name: which step; its title is the message `example-step-NAME`.
        header: the names of the columns.
        rows: the cells, exact.
        lines: formulas in LaTeX, each on a line of its own.
        derivation: steps that an explanation gives.
        digits: significant digits in print, of tables.
    """

    name: str
    header: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    lines: Sequence[str] = ()
    derivation: Derivation | None = None
    digits: int = DIGITS

    @property
    def title(self) -> str:
        """The title, in the language of messages."""
        return say(f"example-step-{self.name}")

    def column(self, name: str) -> list[Any]:
        """Give the cells of a column, exact.

        >>> Step("forward", ("name", "value"), [("n₁", 0.6), ("n₂", 0.7)]).column("value")
        [0.6, 0.7]
        """
        return [row[list(self.header).index(name)] for row in self.rows]

    def as_dict(self) -> dict[str, Any]:
        """Give the step as plain data: exact numbers, formulas in LaTeX."""
        told = self.derivation.steps() if self.derivation else ()
        return {
            "name": self.name,
            "title": self.title,
            "header": list(map(_exact, self.header)),
            "rows": [list(map(_exact, row)) for row in self.rows],
            "lines": list(self.lines),
            "derivation": [
                {
                    "number": step.number,
                    "symbol": step.symbol,
                    "formula": step.formula,
                    "numbers": step.numbers,
                    "value": np.asarray(step.value).tolist(),
                    "reused": [one.number for one in step.reused],
                }
                for step in told
            ],
        }


class Story:
    """Derivations on one page: what was worked out before is referred to, not worked out again."""

    def __init__(self) -> None:
        self.told: dict[tuple[str, ...], Derivation] = {}

    def tell(self, *derivations: Derivation) -> Derivation:
        """Join derivations, and number their steps on from those told before."""
        new: list[Derivation] = []
        for one in derivations:
            before = set(self.told)

            def earlier(step: Derivation, before: set[Any] = before) -> bool:
                told = tuple(step.parts()) in before
                return step.kind == "forward" or (told and step.kind != "loss")

            for step in one.steps():
                key = tuple(step.parts())
                if key in self.told:
                    continue
                again = [*step.reused, *filter(earlier, step.children)]
                reused = [self.told[tuple(known.parts())] for known in again]
                number = len(self.told) + 1
                self.told[key] = replace(step, children=[], reused=reused, number=number)
                new.append(self.told[key])
        return replace(new[-1], children=new[:-1], checks={})


@dataclass(frozen=True)
class Erratum:
    """Where the notes are wrong: what is printed, reproduced from its mistake, and what is right.

    Args:
        name: which one; what it is about is the message `example-erratum-NAME`.
        printed: what the mistake comes to.
        right: what it should be.
    """

    name: str
    printed: Any
    right: Any

    @property
    def about(self) -> str:
        """Where it stands and what the mistake is, in the language of messages."""
        return say(f"example-erratum-{self.name}")


Parts = tuple[Sequence[Step], Sequence[Erratum]]


@dataclass
class Example:
    """A worked example: data that the library runs, step by step.

    Args:
        name: its name.
        x: the inputs, if it has any.
        y: their targets.
        work: runs it: gives its steps and errata.
        model: a compiled model, for the examples that are a network.
        names: what its explanations call things: `example.model.explain(…, names=example.names)`.
        draw: gives the panels of its picture.
    """

    name: str
    x: Any
    y: Any
    work: Callable[[], Parts] = field(repr=False)
    model: Any = field(default=None, repr=False)
    draw: Callable[[], Sequence[Any]] | None = field(default=None, repr=False)
    names: Any = field(default="math", repr=False)

    @cached_property
    def _parts(self) -> Parts:
        return self.work()

    @property
    def title(self) -> str:
        """The title, in the language of messages."""
        return say(f"example-{self.name}")

    @property
    def description(self) -> str:
        """What it is about, in the language of messages."""
        return say(f"example-{self.name}-about")

    @property
    def steps(self) -> Sequence[Step]:
        """The steps, worked out when they are first asked for."""
        return self._parts[0]

    @property
    def errata(self) -> Sequence[Erratum]:
        """Where the notes are wrong."""
        return self._parts[1]

    def step(self, name: str) -> Step:
        """Give a step by its name."""
        return next(step for step in self.steps if step.name == name)

    def text(self, lang: str | None = None) -> str:
        """Write the page for a terminal.

        Args:
            lang: "en" or "es"; the language of messages unless given.
        """
        from trasluz.examples.written import text

        with speaking(lang):
            return text(self)

    def markdown(self, lang: str | None = None) -> str:
        """Write the page as Markdown, its formulas in LaTeX.

        Args:
            lang: "en" or "es"; the language of messages unless given.
        """
        from trasluz.examples.written import markdown

        with speaking(lang):
            return markdown(self)

    def html(self, lang: str | None = None) -> str:
        """Write the page as HTML that stands alone, its formulas in MathML.

        Args:
            lang: "en" or "es"; the language of messages unless given.
        """
        from trasluz.examples.written import html

        with speaking(lang):
            return html(self)

    def as_dict(self) -> dict[str, Any]:
        """Give the page as plain data: exact numbers, words in the language of messages."""
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "x": self.x,
            "y": self.y,
            "steps": [step.as_dict() for step in self.steps],
            "errata": [
                {"about": e.about, "printed": _exact(e.printed), "right": _exact(e.right)}
                for e in self.errata
            ],
        }

    def picture(self, lang: str | None = None) -> bytes | None:
        """Draw its picture as the bytes of a PNG file; None for an example without one.

        Args:
            lang: "en" or "es"; the language of messages unless given.
        """
        from trasluz.drawing.panels import drawn

        if self.draw is None:
            return None
        with speaking(lang):
            return drawn(*self.draw(), title=self.title)

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        from trasluz.examples.written import fragment

        return fragment(self)


def _exact(cell: Any) -> Any:
    if isinstance(cell, Word):
        return cell.spelled()
    return str(cell or "") if isinstance(cell, str | None) else np.asarray(cell).tolist()
