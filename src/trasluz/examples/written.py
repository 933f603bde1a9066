"""Examples as pages: for a terminal, in Markdown, and in HTML."""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from trasluz.base.messages import decimal_sign, say
from trasluz.examples.page import DIGITS, Formula, Step, Word
from trasluz.pages import html as mathml
from trasluz.pages import latex
from trasluz.pages import markdown as marked
from trasluz.pages import text as plain
from trasluz.typeset.formula import Node, parse
from trasluz.typeset.symbols import matrix, number

if TYPE_CHECKING:
    from trasluz.examples.page import Example

MOST = 8  # rows and columns of a matrix


class Pen:
    """A way of writing cells.

    Args:
        words: how words are written.
        math: how a formula is written, with a decimal sign.
    """

    def __init__(self, words: Callable[[str], str], math: Callable[..., str]) -> None:
        self.words = words
        self.math: Callable[[Node], str] = functools.partial(math, decimal=decimal_sign())

    def cell(self, value: Any, digits: int = DIGITS) -> str:
        """Write a word, a name, a number, or several numbers.

        >>> pen = Pen(str, plain.write)
        >>> [pen.cell(value) for value in (0.1 + 0.2, [1.0, -0.5], [[1, 2], [3, 4]], None)]
        ['0.3', '(1, -0.5)', '[1  2; 3  4]', '']
        """
        if isinstance(value, Formula):
            return self.math(parse(value.latex))
        if isinstance(value, Word):
            return self.words(value.spelled())
        if isinstance(value, str) or value is None:
            return self.words(value or "")
        return self.math(parse(_numbers(value, digits)))

    def table(self, step: Step) -> list[list[str]]:
        """Write a step's table, its header first."""
        return [[self.cell(cell, step.digits) for cell in row] for row in (step.header, *step.rows)]


def _numbers(value: Any, digits: int) -> str:
    if np.ndim(value) == 2:
        return matrix(value, digits, MOST)
    if np.ndim(value) == 1 and np.size(value) > 1:
        return rf"\left({', '.join(number(float(v), digits) for v in value)}\right)"
    return number(np.asarray(value, float).item(), digits)


def _corrected(example: Example, pen: Pen) -> Iterator[tuple[str, str, str]]:
    """Give the errata: what each is about, what is printed and what is right, labelled."""
    for one in example.errata:
        printed, right = (pen.cell(value) for value in (one.printed, one.right))
        yield (
            pen.words(one.about),
            f"{pen.words(say('example-printed'))}: {printed}",
            f"{pen.words(say('example-right'))}: {right}",
        )


# ----------------------------------------------------------------------------------- a terminal


def text(example: Example) -> str:
    """Write an example for a terminal."""
    pen = Pen(str, plain.write)
    lines = [example.title, example.description]
    for count, step in enumerate(example.steps, 1):
        lines += ["", f"{count}. {step.title}"]
        if step.rows:
            lines += _aligned(pen.table(step))
        lines += [f"  {pen.math(parse(line)).strip()}" for line in step.lines]
        if step.derivation:
            lines += plain.body(step.derivation).splitlines()
    if example.errata:
        lines += ["", say("example-errata")]
    for about, *values in _corrected(example, pen):
        lines += [f"  · {about}", *(f"    {value}" for value in values)]
    return "\n".join(lines)


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        first, *rest = zip(row, widths, strict=True)
        cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
        yield "  " + "  ".join(cells).rstrip()


# ------------------------------------------------------------------------------------- Markdown


def markdown(example: Example) -> str:
    """Write an example as Markdown."""
    pen = Pen(marked.text, latex.inline)
    lines = [f"# {pen.words(example.title)}", "", pen.words(example.description)]
    for count, step in enumerate(example.steps, 1):
        lines += ["", f"## {count}. {pen.words(step.title)}"]
        if step.rows:
            header, *rows = pen.table(step)
            ruled = ["---", *("---:" for _ in header[1:])]
            lines += ["", *(f"| {' | '.join(row)} |" for row in (header, ruled, *rows))]
        for line in step.lines:
            lines += ["", f"${pen.math(parse(line))}$"]
        if step.derivation:
            lines += ["", marked.body(step.derivation, "###")]
    if example.errata:
        lines += ["", f"## {pen.words(say('example-errata'))}", ""]
    for about, *values in _corrected(example, pen):
        lines += [f"- {about}", *(f"  - {value}" for value in values)]
    return "\n".join(lines)


# ----------------------------------------------------------------------------------------- HTML


def html(example: Example) -> str:
    """Write an example as a page of HTML that stands alone."""
    return mathml.document(example.title, _article(example, "h1", "h2"), _style())


def fragment(example: Example) -> str:
    """Write an example as a piece of a page of HTML."""
    return f"<style>\n{_style()}</style>\n{_article(example, 'h2', 'h3')}"


def _article(example: Example, title: str, heading: str) -> str:
    pen = Pen(escape, mathml.mathml)
    parts = ['<article class="example derivation">']
    parts.append(f'<{title} class="title">{pen.words(example.title)}</{title}>')
    parts.append(f"<p>{pen.words(example.description)}</p>")
    for count, step in enumerate(example.steps, 1):
        parts.append(f"<{heading}>{count}. {pen.words(step.title)}</{heading}>")
        if step.rows:
            parts.append(_table(pen.table(step)))
        parts += [f'<p class="formula">{pen.math(parse(line))}</p>' for line in step.lines]
        if step.derivation:
            told = mathml.body(step.derivation, f"{example.name}-")
            parts.append(f'<div class="derivation">{told}\n</div>')
    if example.errata:
        parts.append(f"<{heading}>{pen.words(say('example-errata'))}</{heading}>\n<ul>")
        parts += [
            f"<li>{about}<br>{printed}<br>{right}</li>"
            for about, printed, right in _corrected(example, pen)
        ]
        parts.append("</ul>")
    if picture := example.picture():
        data = base64.b64encode(picture).decode()
        parts.append(f'<img alt="{escape(example.title)}" src="data:image/png;base64,{data}">')
    return "\n".join([*parts, "</article>\n"])


def _table(rows: Sequence[Sequence[str]]) -> str:
    header, *rest = rows
    head = "".join(f'<th scope="col">{cell}</th>' for cell in header)
    body = "\n".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rest)
    return (
        f'<div class="wide"><table class="cells">\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def _style() -> str:
    return mathml.style(resources.files(__package__) / "page.css")
