r"""Formulas as a line of Unicode, and pages for a terminal."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Callable
from itertools import chain
from typing import Any

from trasluz.base.messages import DECIMALS
from trasluz.errors import visible
from trasluz.pages.document import (
    Block,
    Display,
    Document,
    Equation,
    Excerpt,
    Heading,
    Inline,
    Paragraph,
    Picture,
    Points,
    Section,
    Table,
    joined,
)
from trasluz.typeset import formula
from trasluz.typeset.formula import Node, parting

WIDTH = 96
_LOW = dict(zip("0123456789+-,()", "₀₁₂₃₄₅₆₇₈₉₊₋,₍₎", strict=True))
_HIGH = dict(zip("0123456789+-()=Tnt⊤′", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾⁼ᵀⁿᵗᵀ′", strict=True))


def plain(latex: str, decimal: str = ".") -> str:
    r"""Write a formula without LaTeX, as well as one line of Unicode can.

    Args:
        latex: the formula.
        decimal: the sign between whole and decimals.

    >>> plain(r"\frac{\partial E}{\partial w^{(1)}_{1,2}} = x\,\left(1 - y^{2}\right)")
    '∂E/∂w⁽¹⁾₁,₂ = x (1 - y²)'
    """
    return write(formula.parse(latex), decimal).strip()


def write(node: Node | None, decimal: str = ".", small: bool = False) -> str:
    """Write a piece of a formula; `small` ones are indices or powers.

    >>> write(formula.Fraction(formula.Number("0.5"), formula.Name("x")), ",")
    '0,5/x'
    """
    if node is None:
        return ""
    if (leaf := _LEAVES.get(type(node))) is not None:
        return leaf(node, decimal, small)

    def inner(part: Node | None) -> str:
        return write(part, decimal, small)

    match node:
        case formula.Row(row):
            return _row(row, decimal, small)
        case formula.Fraction(above, below):
            return f"{_held(above, decimal)}/{_held(below, decimal)}"
        case formula.Root(of):
            return f"√({inner(of)})"
        case formula.Scripts():
            return _scripts(node, decimal, small)
        case formula.Fenced(left, inside, right):
            return f"{left}{inner(inside)}{right}"
        case formula.Accent(mark, base):
            text = inner(base)
            return formula.accented(mark, text) or f"{mark}({text})"
        case formula.Boxed(of):
            return f"({inner(of)})"
        case formula.Brace(of, below):
            return f"⟨{inner(below)}: {inner(of)}⟩" if below else inner(of)
        case formula.Matrix(rows):
            return f"[{'; '.join('  '.join(map(inner, row)) for row in rows)}]"
        case formula.Cases(rows):
            return f"{{{'; '.join('  '.join(map(inner, row)) for row in rows)}}}"
    raise TypeError(f"{node!r} is no piece of a formula")


# Most of a formula: what has no pieces, written by a table.
_LEAVES: dict[type, Callable[[Any, str, bool], str]] = {
    formula.Number: lambda node, decimal, small: node.text.replace(".", decimal),
    formula.Name: lambda node, decimal, small: node.sign,
    formula.Word: lambda node, decimal, small: node.text,
    formula.Function: lambda node, decimal, small: node.name,
    formula.Operator: lambda node, decimal, small: "Σ" if node.sign == "∑" else node.sign,
    formula.Space: lambda node, decimal, small: "" if small else " " if node.width < 1 else "  ",
}


def _row(row: tuple[Node, ...], decimal: str, small: bool) -> str:
    text = ""
    before: Node | None = None
    for item, prefix in formula.prefixes(row):
        part = write(item, decimal, small)
        if (
            isinstance(item, formula.Operator)
            and item.kind in ("binary", "relation")
            and not prefix
        ):
            part = f" {part} "
        elif isinstance(item, formula.Operator) and item.kind == "comma":
            part = part if small else parting(part, decimal) + " "
        elif _apart(before, item):
            part = " " + part
        text = text.rstrip() + part if part.startswith(" ") else text + part
        before = item
    return text


def _apart(before: Node | None, item: Node) -> bool:
    """Say whether two names would run together."""
    if isinstance(before, formula.Function):
        return _base(item) is not formula.Fenced
    if isinstance(before, formula.Operator) and before.kind == "big":
        return True
    named = (formula.Name, formula.Word, formula.Scripts, formula.Fraction, formula.Accent)
    both = isinstance(before, named) and isinstance(
        item, (*named, formula.Number, formula.Function)
    )
    return both and not (isinstance(before, formula.Name) and before.sign in "∂Δσ")


def _base(item: Node) -> type:
    return type(item.base) if isinstance(item, formula.Scripts) else type(item)


def _scripts(node: formula.Scripts, decimal: str, small: bool) -> str:
    """Write an index and a power; the number of a layer, in parentheses, goes before an index."""
    base = write(node.base, decimal, small)
    if isinstance(node.base, formula.Fraction):
        base = f"({base})"
    low = _lifted("_", _LOW, node.low, decimal)
    high = _lifted("^", _HIGH, node.high, decimal)
    of_layer = node.high is not None and isinstance(formula.items(node.high)[0], formula.Fenced)
    return base + (high + low if of_layer else low + high)


def _lifted(mark: str, table: dict[str, str], node: Node | None, decimal: str) -> str:
    text = write(node, decimal, small=True)
    close = text.replace(" ", "")
    if all(c in table for c in close) and not (
        decimal in text and isinstance(node, formula.Number)
    ):
        return "".join(table[c] for c in close)
    return f"_{text}" if mark == "_" and len(text) == 1 else f"{mark}({text})"


def _held(node: Node, decimal: str) -> str:
    """Write a side of a quotient, in parentheses if it would fall apart without."""
    text = write(node, decimal)
    row = [item for item, prefix in formula.prefixes(formula.items(node)) if not prefix]
    loose = any(
        isinstance(item, (formula.Space, formula.Fraction))
        or (isinstance(item, formula.Operator) and item.kind in ("binary", "relation"))
        for item in row
    )
    return f"({text})" if loose else text


# ------------------------------------------------------------------------------------- the page


def page(document: Document) -> str:
    """Write a document for a terminal."""
    decimal = DECIMALS[document.lang]
    lines = [inline(document.title, decimal), *_written(document.blocks, decimal)]
    return visible("\n".join(lines))


def inline(line: Inline, decimal: str = ".") -> str:
    """Write a line of words and formulas.

    >>> inline(("derivative in ", formula.parse("w_{1}")))
    'derivative in w₁'
    """
    return joined(line, str, lambda node: write(node, decimal))


def _written(blocks: tuple[Block, ...], decimal: str) -> list[str]:
    """Write blocks as lines; the numbers of their equations take the same room."""
    sections = [block for block in blocks if isinstance(block, Section)]
    numbers = [one.number for part in sections for one in part.blocks if isinstance(one, Equation)]
    digits = len(str(max(numbers))) if any(numbers) else 0
    lines: list[str] = []
    for block in blocks:
        lines += _block(block, decimal, digits)
    return lines


def _block(block: Block, decimal: str, digits: int) -> list[str]:
    match block:
        case Heading(line):
            return ["", inline(line, decimal)]
        case Section(heading, blocks):
            below = (_block(one, decimal, digits) for one in blocks)
            return ["", inline(heading, decimal), *chain.from_iterable(below)]
        case Excerpt(blocks):
            return _written(blocks, decimal)[1:]
        case Paragraph(line):
            return [inline(line, decimal)]
        case Points(points):
            return [
                ("    " if under else "  · ") + inline(line, decimal)
                for lines in points
                for under, line in enumerate(lines)
            ]
        case Table():
            return _table(block, decimal)
        case Display(node):
            return [f"  {write(node, decimal).strip()}"]
        case Equation():
            return _equation(block, decimal, digits)
        case Picture():
            return []
    raise TypeError(f"{block!r} is not written for a terminal")


def _table(table: Table, decimal: str) -> list[str]:
    """Align columns: the first to the left, under a header all others to the right."""
    rows = [[inline(cell, decimal) for cell in row] for row in (table.header, *table.rows) if row]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["", inline(table.title, decimal)] if table.title else []
    for first, *rest in rows:
        if table.header:
            rest = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        lines.append("  " + "  ".join([first.ljust(widths[0]), *rest]).rstrip())
    return lines


def _equation(equation: Equation, decimal: str, digits: int) -> list[str]:
    """Write a step: on one line if it fits, else a line a member, their signs under each other."""
    label = f"({equation.number})" if equation.number else ""
    margin = f"  {label:>{digits + 2}} " if digits else "  "
    first, *rest = equation.members
    start = f"{margin}{write(first, decimal)} "
    mark = f"   [{inline(equation.seen, decimal)}]" if equation.seen else ""
    whole = start + " ".join(write(member, decimal).strip() for member in rest) + mark
    aside = " " * len(margin)
    remark = textwrap.wrap(
        inline(equation.remark, decimal), WIDTH, initial_indent=aside, subsequent_indent=aside
    )
    if len(whole) <= WIDTH and not any(_matrices(member) for member in rest):
        return [whole, *remark]
    indent = " " * min(len(start), WIDTH // 3)
    lines = [line for member in rest for line in _broken(member, decimal, indent)]
    if len(start) == len(indent):
        level = next(i for i, line in enumerate(lines) if line[len(indent) :][:1].strip())
        lines[level] = start + lines[level][len(indent) :]
    else:
        lines.insert(0, start.rstrip())
    if len(lines[-1] + mark) <= WIDTH:
        lines[-1] += mark
    else:
        lines.append(indent + mark.strip())
    return [*lines, *remark]


def _broken(member: Node, decimal: str, indent: str) -> list[str]:
    """Break a long member before the signs between its terms; a long term wherever it may be."""
    if _matrices(member):
        return _drawn(member, decimal, indent)
    lines, room = [indent], WIDTH - len(indent)
    for term in formula.terms(member):
        text = write(term, decimal).strip()
        short = len(text) <= room - 2
        for piece in [text] if short else re.split(r" (?=[-+·×] )", text):
            if len(lines[-1]) + len(piece) >= WIDTH and lines[-1] != indent:
                lines.append(f"{indent}  {piece}")
            else:
                lines[-1] += piece if lines[-1] == indent else f" {piece}"
    return lines


# ------------------------------------------------------------------------- matrices on lines

_PLACE = 0xE000  # from here on, characters that stand for nothing: each holds a matrix's place


def _matrices(node: Node) -> list[formula.Matrix]:
    """List the matrices in a formula that are higher than a line."""
    matrices: list[formula.Matrix] = []
    _emptied(node, matrices)
    return matrices


def _emptied(node: Any, taken: list[formula.Matrix]) -> Any:
    """Put a name in the place of each matrix, and list what was taken out."""
    if isinstance(node, formula.Matrix) and len(node.rows) > 1:
        taken.append(node)
        return formula.Name(chr(_PLACE + len(taken) - 1))
    if isinstance(node, tuple):
        return tuple(_emptied(part, taken) for part in node)
    if not isinstance(node, Node):
        return node
    parts = {f.name: _emptied(getattr(node, f.name), taken) for f in dataclasses.fields(node)}
    return dataclasses.replace(node, **parts)


def _drawn(member: Node, decimal: str, indent: str) -> list[str]:
    """Draw a formula over as many lines as its matrices need; what is too wide goes below."""
    matrices: list[formula.Matrix] = []
    text = write(_emptied(member, matrices), decimal)
    pieces = re.split(f"[{chr(_PLACE)}-\uf8ff]", text.strip())
    blocks = _parted(pieces[0], indent)
    for table, piece in zip(matrices, pieces[1:], strict=True):
        blocks += [_bracketed(table, decimal), *_parted(piece, indent)]
    rows: list[list[str]] = [[]]
    for block in blocks:
        beside = _beside(rows[-1], block)
        if rows[-1] and len(indent) + max(map(len, beside)) > WIDTH:
            rows.append(["  " + line for line in block if line.strip()])
        else:
            rows[-1] = beside
    return [(indent + line).rstrip() for row in rows for line in row]


def _parted(piece: str, indent: str) -> list[list[str]]:
    """Part what stands between matrices before its signs, if it is wider than a line."""
    long = len(indent) + len(piece) > WIDTH
    return [[part] for part in re.split(r"(?= [-+·⊙] )", piece)] if long else [[piece]]


def _bracketed(table: formula.Matrix, decimal: str) -> list[str]:
    """Draw a matrix between brackets, its columns to the right."""
    cells = [[write(cell, decimal) for cell in row] for row in table.rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(map(str.rjust, row, widths)) for row in cells]
    sides = [("⎡", "⎤"), *[("⎢", "⎥")] * (len(lines) - 2), ("⎣", "⎦")]
    return [f"{left}{line}{right}" for (left, right), line in zip(sides, lines, strict=True)]


def _beside(one: list[str], two: list[str]) -> list[str]:
    """Put two blocks beside each other, their middle lines level."""
    if not one:
        return two
    above = max((len(one) - 1) // 2, (len(two) - 1) // 2)
    below = max(len(one) // 2, len(two) // 2)

    def level(block: list[str]) -> list[str]:
        width = max(map(len, block))
        top = [""] * (above - (len(block) - 1) // 2)
        bottom = [""] * (below - len(block) // 2)
        return [line.ljust(width) for line in (*top, *block, *bottom)]

    return [left + right for left, right in zip(level(one), level(two), strict=True)]
