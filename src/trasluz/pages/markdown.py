"""Pages in Markdown, their formulas in LaTeX between dollar signs."""

from __future__ import annotations

import re
from itertools import chain

from trasluz.base.messages import DECIMALS
from trasluz.pages import latex
from trasluz.pages.document import (
    Block,
    Code,
    Display,
    Document,
    Drawing,
    Equation,
    Excerpt,
    Exercise,
    Form,
    Given,
    Heading,
    Inline,
    Paragraph,
    Picture,
    Points,
    Section,
    Table,
    Verbatim,
    joined,
)


def text(words: str) -> str:
    r"""Write words that stand for themselves.

    >>> print(text("layer dense_1 <b>"))
    layer dense\_1 \<b\>
    """
    return re.sub(r"([\\`*_{}\[\]<>#|$~&])", r"\\\1", words)


def page(document: Document) -> str:
    """Write a document: its title, what is to be filled in, its blocks."""
    decimal = DECIMALS[document.lang]
    lines = [f"# {inline(document.title, decimal)}"]
    if document.form:
        lines += _form(document.form)
    for block in document.blocks:
        lines += written(block, decimal)
    return "\n".join(lines)


def inline(line: Inline, decimal: str) -> str:
    """Write a line of words and formulas."""

    def words(piece: str) -> str:
        return f"`{piece}`" if isinstance(piece, Verbatim) else text(piece)

    return joined(line, words, lambda node: f"${latex.write(node, decimal)}$")


def written(block: Block, decimal: str, level: int = 2) -> list[str]:
    """Write a block as lines, the first of them empty.

    Args:
        block: the block.
        decimal: the sign between whole and decimals.
        level: of its heading, from 1.
    """
    match block:
        case Heading(line):
            return ["", f"{'#' * level} {inline(line, decimal)}"]
        case Section(heading, blocks):
            below = (written(one, decimal, level + 1) for one in blocks)
            return [*written(Heading(heading), decimal, level), *chain.from_iterable(below)]
        case Excerpt(blocks):
            return [line for one in blocks for line in written(one, decimal, level + 1)]
        case Paragraph(line):
            return ["", inline(line, decimal)]
        case Points(points):
            spelled = [
                ("  - " if under else "- ") + inline(line, decimal)
                for lines in points
                for under, line in enumerate(lines)
            ]
            return ["", *spelled]
        case Table():
            title = written(Heading(block.title), decimal, level) if block.title else []
            return [*title, "", *_table(block, decimal)]
        case Display(node):
            return ["", f"$${latex.write(node, decimal)}$$"]
        case Equation(number):
            tag = rf" \tag{{{number}}}" if number else ""
            equation = rf"\begin{{aligned}} {latex.aligned(block, decimal)} \end{{aligned}}{tag}"
            remark = ["", inline(block.remark, decimal)] if block.remark else []
            return ["", "$$", equation, "$$", *remark]
        case Exercise():
            blank = ["", f"{block.blank} = "] if block.blank else []
            return [*exercise(block, decimal), *blank]
        case Given(title, equations, facts):
            listed = ", ".join(inline((one,), decimal) for one in equations)
            return ["", f"**{text(title)}**: {listed}", "", text(" · ".join(facts))]
        case Drawing():
            return ["", f"![{text(block.title)}]({block.file})"]
        case Picture() | Code():
            return []
    raise TypeError(f"{block!r} is not written in Markdown")


def exercise(block: Exercise, decimal: str) -> list[str]:
    """Write an exercise without the line for the answer."""
    members = " ".join(latex.write(node, decimal) for node in block.members)
    equation = rf"$\displaystyle {members}{' = ' if block.blank else ''}$"
    remark = ["", f"*{text(block.remark)}*"] if block.remark else []
    return ["", f"({block.number}) {equation}", *remark]


def _table(table: Table, decimal: str) -> list[str]:
    """Write a table; it needs a header, which is empty where there is none."""
    rows = [f"| {' | '.join(inline(cell, decimal) for cell in row)} |" for row in table.rows]
    if not table.header:
        columns = max(map(len, table.rows), default=0)
        return ["| " * columns + "|", "|---" * (columns - 1) + "|---:|", *rows]
    header = " | ".join(inline(cell, decimal) for cell in table.header)
    rule = " | ".join(["---", *["---:"] * (len(table.header) - 1)])
    return [f"| {header} |", f"| {rule} |", *rows]


def _form(form: Form) -> list[str]:
    """Write by which sheet answers are known again, and lines to be filled in."""
    fields = {form.name: 22, form.date: 14, form.points: 6}
    lines = " ".join(f"{text(what)}: {'_' * room}" for what, room in fields.items())
    return ["", f"<!-- sheet: {form.sheet} -->", "", f"{lines} / {form.most}"]
