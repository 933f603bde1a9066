"""Formulas and pages in LaTeX, for `amsmath`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trasluz.base.messages import DECIMALS
from trasluz.pages.document import Block, Document, Equation, Inline, Section, Table, joined
from trasluz.typeset import formula
from trasluz.typeset.formula import Node, parting

WIDTH = 72
_COMMANDS = {sign: rf"\{name}" for name, sign in (formula.NAMES | formula.OPERATORS).items()}
_FENCES = {sign: word for word, sign in formula.FENCES.items()}
_STYLES = {"text": r"\text", "roman": r"\mathrm", "bold": r"\mathbf", "mono": r"\mathtt"}


text = formula.escaped


def write(node: Node, decimal: str = ".", small: bool = False) -> str:
    r"""Write a piece of a formula; `small` ones are indices or powers.

    >>> write(formula.parse("w^{(1)}^{2} + 0.5"), ",")
    '(w^{(1)})^{2} + 0{,}5'
    """

    def inner(part: Node) -> str:
        return write(part, decimal, small)

    match node:
        case formula.Number(digits):
            return digits.replace(".", decimal if decimal == "." else f"{{{decimal}}}")
        case formula.Name(sign):
            return _COMMANDS.get(sign, sign)
        case formula.Word(letter, "symbol"):
            return rf"\boldsymbol{{{_COMMANDS.get(letter, letter)}}}"
        case formula.Word(words, style):
            return rf"{_STYLES[style]}{{{text(words)}}}"
        case formula.Function(name):
            known = name in formula.FUNCTIONS
            return rf"\{name}" if known else rf"\operatorname{{{text(name)}}}"
        case formula.Operator(sign):
            if node.kind == "comma":
                return sign if small else parting(sign, decimal)
            return rf"\textstyle{_COMMANDS[sign]}" if node.kind == "big" else _known(sign)
        case formula.Space(width):
            return r"\quad" if width >= 1 else r"\,"
        case formula.Row(row):
            return _joined(row, map(inner, row), small)
        case formula.Fraction(above, below):
            return rf"\frac{{{inner(above)}}}{{{inner(below)}}}"
        case formula.Root(of):
            return rf"\sqrt{{{inner(of)}}}"
        case formula.Scripts():
            node = formula.unstacked(node)
            low = f"_{{{write(node.low, decimal, True)}}}" if node.low else ""
            high = f"^{{{write(node.high, decimal, True)}}}" if node.high else ""
            return f"{_base(node.base, decimal)}{high}{low}"
        case formula.Fenced(left, inside, right):
            if left in ("(", "[") and right and not formula.tall(inside):
                return f"{_fence(left)}{inner(inside)}{_fence(right)}"
            return rf"\left{_fence(left)}{inner(inside)}\right{_fence(right)}"
        case formula.Accent(mark, base):
            return rf"\{mark}{{{inner(base)}}}"
        case formula.Boxed(of):
            return rf"\boxed{{{inner(of)}}}"
        case formula.Brace(of, below):
            return rf"\underbrace{{{inner(of)}}}" + (f"_{{{inner(below)}}}" if below else "")
        case formula.Matrix(rows):
            return rf"\begin{{bmatrix}} {_rows(rows, decimal)} \end{{bmatrix}}"
        case formula.Cases(rows):
            return rf"\begin{{cases}} {_rows(rows, decimal)} \end{{cases}}"
    raise TypeError(f"{node!r} is no piece of a formula")


def _joined(row: tuple[Node, ...], parts: Iterable[str], small: bool) -> str:
    """Join pieces; a minus sign stands close to what it negates, a comma to what it ends."""
    text = ""
    for (item, prefix), part in zip(formula.prefixes(row), parts, strict=True):
        comma = isinstance(item, formula.Operator) and item.kind == "comma"
        close = prefix or (small and comma)
        text = (text.rstrip() if comma else text) + (part if close else part + " ")
    return text.strip()


def _known(sign: str) -> str:
    return _COMMANDS.get(sign) or (sign if sign in "<>" else formula.ESCAPES.get(sign, sign))


def _fence(sign: str) -> str:
    return sign if sign == "|" else _FENCES.get(sign, sign)


def _base(node: Node, decimal: str) -> str:
    spelled = write(node, decimal)
    return f"{{{spelled}}}" if isinstance(node, (formula.Row, formula.Scripts)) else spelled


def _rows(rows: tuple[tuple[Node, ...], ...], decimal: str) -> str:
    return r" \\ ".join(" & ".join(write(cell, decimal) for cell in row) for row in rows)


# ------------------------------------------------------------------------------------- the page


def clean(latex: str) -> str:
    r"""Write a formula of the typesetter as LaTeX that any reader takes: no script twice.

    >>> clean(r"w^{(1)}_{2}^{\prime}")
    'w^{(1) \\prime}_{2}'
    """
    return write(formula.parse(latex))


def page(document: Document) -> str:
    """Write a document as sections of aligned equations, to be put into one of LaTeX."""
    decimal = DECIMALS[document.lang]
    lines = [rf"\section*{{{inline(document.title, decimal)}}}"]
    for block in document.blocks:
        lines += _block(block, decimal)
    return "\n".join(lines)


def inline(line: Inline, decimal: str) -> str:
    """Write a line of words and formulas."""
    return joined(line, text, lambda node: f"${write(node, decimal)}$")


def _block(block: Block, decimal: str) -> list[str]:
    match block:
        case Section(heading, blocks):
            return [*_heading(heading, decimal), *_equations(blocks, decimal)]
        case Table(rows, title):
            lines = [" & ".join(inline(cell, decimal) for cell in row) + r" \\" for row in rows]
            begin = rf"\begin{{tabular}}{{{'l' * max(map(len, rows), default=0)}}}"
            return [*_heading(title, decimal), begin, *lines, r"\end{tabular}"]
    raise TypeError(f"{block!r} is not written in LaTeX")


def _heading(line: Inline, decimal: str) -> list[str]:
    return ["", rf"\subsection*{{{inline(line, decimal)}}}"]


def _equations(blocks: tuple[Block, ...], decimal: str) -> Iterator[str]:
    """Align the equations of a section under each other, up to each remark."""
    lines: list[str] = []
    equations = [one for one in blocks if isinstance(one, Equation)]  # pictures it cannot hold
    for one in equations:
        tag = rf" \tag{{{one.number}}}" if one.number else ""
        lines.append(aligned(one, decimal) + tag)
        if one.remark or one is equations[-1]:
            yield "\\begin{align*}\n" + " \\\\\n".join(lines) + "\n\\end{align*}"
            lines = []
        if one.remark:
            yield inline(one.remark, decimal) + r"\par"


def aligned(equation: Equation, decimal: str) -> str:
    """Write a step on one line if it fits, else a line a member; long sums are broken too."""
    first, *rest = equation.members
    if formula.width(first) + sum(map(formula.width, rest)) <= WIDTH:
        lines = [" ".join(write(member, decimal) for member in rest)]
    else:
        lines = [line for member in rest for line in _broken(member, decimal)]
    spelled = f"{write(first, decimal)} &" + " \\\\\n  &".join(lines)
    if equation.seen:
        spelled += rf" \quad \text{{[{inline(equation.seen, decimal)}]}}"
    return spelled


def _broken(member: Node, decimal: str) -> list[str]:
    """Break a long member before the signs between its terms."""
    first, *rest = formula.terms(member)
    lines, room = [write(first, decimal)], WIDTH - formula.width(first)
    for term in rest:
        room -= formula.width(term)
        if room > 0:
            lines[-1] += " " + write(term, decimal)
        else:
            lines.append(rf"\quad {{}} {write(term, decimal)}")  # {} keeps the sign's room
            room = WIDTH - formula.width(term)
    return lines
