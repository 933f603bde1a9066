"""What an example is made of: steps with tables and derivations, errata, and a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from trasluz.messages import say, speaking

DIGITS = 9


class Word(str):
    """A word of a table that each language spells in its own way.

    >>> str(Word("step")), Word("step").spelled()
    ('step', 'step')
    """

    def spelled(self) -> str:
        """Spell it in the language of messages."""
        return say(f"example-word-{self}")


def written(value: Any, digits: int = DIGITS) -> str:
    """Write a cell: a word, a name, a number, or several numbers.

    >>> written(0.1 + 0.2), written([1.0, -0.5]), written([[1, 2], [3, 4]]), written(None)
    ('0.3', '1, -0.5', '1, 2; 3, 4', '')
    """
    if isinstance(value, Word):
        return value.spelled()
    if isinstance(value, str) or value is None:
        return value or ""
    if np.ndim(value):
        return ("; " if np.ndim(value) > 1 else ", ").join(written(v, digits) for v in value)
    return f"{float(value):.{digits}g}" if float(value) else "0"


@dataclass(frozen=True)
class Step:
    """One step of an example: a table, lines of a derivation, or both.

    Args:
        name: which step; its title is the message `example-step-NAME`.
        header: the names of the columns.
        rows: the cells, exact.
        lines: a derivation, one formula a line.
        digits: significant digits in print.
    """

    name: str
    header: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    lines: Sequence[str] = ()
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

    def cells(self) -> list[list[str]]:
        """Write the table, its header first."""
        return [[written(cell, self.digits) for cell in row] for row in (self.header, *self.rows)]


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
        draw: gives the panels of its picture.
    """

    name: str
    x: Any
    y: Any
    work: Callable[[], Parts] = field(repr=False)
    model: Any = field(default=None, repr=False)
    draw: Callable[[], Sequence[Any]] | None = field(default=None, repr=False)

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
        with speaking(lang):
            return "\n".join(_page(self))

    def as_dict(self) -> dict[str, Any]:
        """Give the page as plain data: exact numbers, words in the language of messages."""
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "x": self.x,
            "y": self.y,
            "steps": [
                {
                    "name": step.name,
                    "title": step.title,
                    "header": [written(cell) for cell in step.header],
                    "rows": [[_exact(cell) for cell in row] for row in step.rows],
                    "lines": list(step.lines),
                }
                for step in self.steps
            ],
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
        from trasluz.plots import drawn

        if self.draw is None:
            return None
        with speaking(lang):
            return drawn(*self.draw(), title=self.title)

    def __str__(self) -> str:
        return self.text()


def _exact(cell: Any) -> Any:
    return written(cell) if isinstance(cell, str) or cell is None else np.asarray(cell).tolist()


def _page(example: Example) -> Iterator[str]:
    yield from (example.title, example.description)
    for number, step in enumerate(example.steps, 1):
        yield from ("", f"{number}. {step.title}")
        if step.rows:
            yield from _aligned(step.cells())
        yield from (f"  {line}" for line in step.lines)
    if example.errata:
        yield from ("", say("example-errata"))
    for erratum in example.errata:
        yield f"  · {erratum.about}"
        yield f"    {say('example-printed')}: {written(erratum.printed)}"
        yield f"    {say('example-right')}: {written(erratum.right)}"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        first, *rest = zip(row, widths, strict=True)
        cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
        yield "  " + "  ".join(cells).rstrip()
