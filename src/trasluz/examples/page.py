"""What an example is made of: steps with tables and derivations, errata, a picture; its page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from trasluz.base.messages import language, say, speaking
from trasluz.drawing.panels import drawn
from trasluz.explain.derivation import Derivation
from trasluz.explain.document import body
from trasluz.pages import html, markdown, text
from trasluz.pages.document import (
    Block,
    Display,
    Document,
    Excerpt,
    Heading,
    Inline,
    Paragraph,
    Picture,
    Points,
    Table,
)
from trasluz.typeset.formula import parse
from trasluz.typeset.symbols import matrix, number

DIGITS = 9
MOST = 8  # rows and columns of a matrix


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
        formula = super().__new__(cls, text.plain(latex))
        formula.latex = latex
        return formula


def cell(value: Any, digits: int = DIGITS) -> Inline:
    """Say what a word, a name, a number or several numbers look like on a page.

    >>> [text.inline(cell(value)) for value in (0.1 + 0.2, [1.0, -0.5], [[1, 2], [3, 4]], None)]
    ['0.3', '(1, -0.5)', '[1  2; 3  4]', '']
    """
    if isinstance(value, Formula):
        return (parse(value.latex),)
    if isinstance(value, Word):
        return (value.spelled(),)
    if isinstance(value, str) or value is None:
        return (value or "",)
    return (parse(_numbers(value, digits)),)


def _numbers(value: Any, digits: int) -> str:
    if np.ndim(value) == 2:
        return matrix(value, digits, MOST)
    if np.ndim(value) == 1 and np.size(value) > 1:
        return rf"\left({', '.join(number(float(v), digits) for v in value)}\right)"
    return number(np.asarray(value, float).item(), digits)


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

    def blocks(self) -> Iterator[Block]:
        """List what stands on the page below the title."""
        if self.rows:
            header, *rows = (
                tuple(cell(one, self.digits) for one in row) for row in (self.header, *self.rows)
            )
            yield Table(tuple(rows), header=header)
        yield from (Display(parse(line)) for line in self.lines)
        if self.derivation:
            yield Excerpt(body(self.derivation))

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

    def lines(self) -> tuple[Inline, ...]:
        """Say what it is about, what is printed and what is right."""
        return (
            (self.about,),
            (f"{say('example-printed')}: ", *cell(self.printed)),
            (f"{say('example-right')}: ", *cell(self.right)),
        )


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

    def document(self, lang: str | None = None) -> Document:
        """Say what is on the page.

        Args:
            lang: "en" or "es"; the language of messages unless given.
        """
        with speaking(lang):
            spoken = language()
            blocks: list[Block] = [Paragraph((self.description,))]
            for count, step in enumerate(self.steps, 1):
                blocks += [Heading((f"{count}. {step.title}",)), *step.blocks()]
            if self.errata:
                listed = tuple(one.lines() for one in self.errata)
                blocks += [Heading((say("example-errata"),)), Points(listed)]
            if draw := self.draw:
                blocks.append(Picture(lambda: self._drawn(draw, spoken), self.title))
            return Document(
                (self.title,), tuple(blocks), spoken, kind="example derivation",
                style="examples/page", anchor=f"{self.name}-", prose=True,
            )  # fmt: skip

    def text(self, lang: str | None = None) -> str:
        """Write the page for a terminal.

        Args:
            lang: "en" or "es"; the language of messages unless given.
        """
        return text.page(self.document(lang))

    def markdown(self, lang: str | None = None) -> str:
        """Write the page as Markdown, its formulas in LaTeX.

        Args:
            lang: "en" or "es"; the language of messages unless given.
        """
        return markdown.page(self.document(lang))

    def html(self, lang: str | None = None) -> str:
        """Write the page as HTML that stands alone, its formulas in MathML.

        Args:
            lang: "en" or "es"; the language of messages unless given.
        """
        return html.page(self.document(lang))

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
        return self._drawn(self.draw, lang) if self.draw else None

    def _drawn(self, draw: Callable[[], Sequence[Any]], lang: str | None) -> bytes:
        with speaking(lang):
            return drawn(*draw(), title=self.title)

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return html.fragment(self.document())


def _exact(cell: Any) -> Any:
    if isinstance(cell, Word):
        return cell.spelled()
    return str(cell or "") if isinstance(cell, str | None) else np.asarray(cell).tolist()
