"""Printed pages: the source is Typst's, the wheel `typst` makes it a PDF."""

from __future__ import annotations

import datetime
import json
from itertools import chain
from types import ModuleType
from typing import Any

from trasluz.base.messages import DECIMALS, problem, speaking
from trasluz.pages import text as plain
from trasluz.pages.document import (
    Block,
    Code,
    Document,
    Drawing,
    Equation,
    Exercise,
    Form,
    Given,
    Heading,
    Inline,
    Paragraph,
    Picture,
    Section,
    Table,
    joined,
)
from trasluz.typeset import formula
from trasluz.typeset.formula import Node, parting

LONG = 72  # characters, from which on each member of an equation has its own line
_STYLES = {"roman": "upright", "text": "upright", "bold": "bold", "mono": "mono"}
_MARKS = {"hat": "hat", "bar": "macron", "tilde": "tilde", "vec": "arrow", "dot": "dot"}
_PLAIN = set("+-=<>≤≥≠≈→∈·×⊙∘±∑∏∂∞⊤ℓ∇⋯⋮⋱…|‖")


def text(words: str) -> str:
    r"""Write words that stand for themselves, whatever is in them.

    >>> text('#read("a") $')
    '#"#read(\\"a\\") $"'
    """
    return "#" + _quoted(words)


def _quoted(words: str) -> str:
    return json.dumps(words, ensure_ascii=False).replace("\\/", "/")


def write(node: Node | None, decimal: str = ".", small: bool = False) -> str:
    r"""Write a piece of a formula in Typst's mathematics; `small` ones are indices or powers.

    >>> print(write(formula.parse(r"\frac{x_{1,2}}{0.5}"), ","))
    frac(x_(1\,2),0class("normal",\,)5)
    """

    def inner(part: Node | None) -> str:
        return write(part, decimal, small)

    match node:
        case None:
            return '""'
        case formula.Number(digits):
            return digits if decimal == "." else digits.replace(".", r'class("normal",\,)')
        case formula.Name("′"):
            return "prime"
        case formula.Name(sign):
            return sign if sign.isalpha() or sign in _PLAIN else _quoted(sign)
        case formula.Word(letter, "symbol"):
            return f"bold({letter})"
        case formula.Word(words, style):
            return f"{_STYLES[style]}({_quoted(words)})"
        case formula.Function(name):
            return f"op({_quoted(name)})"
        case formula.Operator(sign):
            if node.kind == "comma":
                return rf"\{sign if small else parting(sign, decimal)}"
            return sign if sign in _PLAIN else rf"\{sign}" if len(sign) == 1 else _quoted(sign)
        case formula.Space(width):
            return "" if small else f"#h({width:.3g}em)"
        case formula.Row(row):
            return _joined(row, decimal, small)
        case formula.Fraction(above, below):
            return f"frac({inner(above)},{inner(below)})"
        case formula.Root(of):
            return f"sqrt({inner(of)})"
        case formula.Scripts():
            node = formula.unstacked(node)
            low = f"_({write(node.low, decimal, True)})" if node.low else ""
            high = f"^({write(node.high, decimal, True)})" if node.high else ""
            return f"{_base(node.base, decimal, small)}{low}{high}"
        case formula.Fenced(left, inside, right):
            spelled = f"{_fence(left)}{inner(inside)}{_fence(right)}"
            grows = left not in ("(", "[") or formula.tall(inside)
            return f"lr({spelled})" if grows else f"even({spelled})"
        case formula.Accent(mark, base):
            return f"accent({inner(base)},{_MARKS[mark]})"
        case formula.Boxed(of):
            return f"boxed({inner(of)})"
        case formula.Brace(of, below):
            return f"underbrace({inner(of)}" + (f",{inner(below)})" if below else ")")
        case formula.Matrix(rows):
            return f'mat(delim: "[",{_rows(rows, ",", decimal)})'
        case formula.Cases(rows):
            return f"cases({_rows(rows, ' & quad ', decimal, ',')})"
    raise TypeError(f"{node!r} is no piece of a formula")


def _joined(row: tuple[Node, ...], decimal: str, small: bool) -> str:
    """Join pieces; in an index nothing keeps them apart, elsewhere a space that is not printed."""
    parts = ['""' if part == formula.EMPTY else write(part, decimal, small) for part in row]
    return ("" if small and not any(map(_wordy, row)) else " ").join(parts)


def _wordy(node: Node) -> bool:
    return not isinstance(node, (formula.Number, formula.Operator, formula.Fenced))


def _fence(sign: str) -> str:
    return rf"\{sign}" if sign else ""


def _base(node: Node, decimal: str, small: bool) -> str:
    spelled = write(node, decimal, small)
    return (
        f"attached({spelled})"
        if isinstance(node, (formula.Row, formula.Scripts, formula.Number))
        else spelled
    )


def _rows(rows: tuple[tuple[Node, ...], ...], between: str, decimal: str, end: str = ";") -> str:
    return end.join(between.join(write(cell, decimal) for cell in row) for row in rows)


# ------------------------------------------------------------------------------------- the page

_LONG_AGO = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)


def page(*documents: Document) -> bytes:
    """Print documents of one kind and language, one after the other.

    Returns:
        The bytes of a PDF file; without stamps, the same ones each time.

    Raises:
        UserError: the extra `print` is not installed.
    """
    stamp = {} if documents[0].stamped else {"timestamp": _LONG_AGO}
    printed: bytes = _compiled(*documents, **stamp)
    return printed


def picture(document: Document, dots: float = 110) -> list[bytes]:
    """Draw the pages, each as the bytes of a PNG file.

    Args:
        document: what is printed.
        dots: how many an inch has.
    """
    drawn = _compiled(document, format="png", ppi=dots)
    return drawn if isinstance(drawn, list) else [drawn]


def _compiled(*documents: Document, **how: Any) -> Any:
    """Let Typst work, with its own fonts, so that pages are the same on every machine."""
    with speaking(documents[0].lang):
        compiler = typst()
    return compiler.compile(source(*documents).encode(), ignore_system_fonts=True, **how)


def typst() -> ModuleType:
    """Give the package that prints.

    Raises:
        UserError: if it is not installed.
    """
    try:
        import typst
    except ImportError:
        raise problem("explain-print-missing") from None
    return typst


def source(*documents: Document) -> str:
    """Write documents in Typst."""
    first = documents[0]
    title = f"#set document(title: {_quoted(plain.inline(first.title))})"
    lines = [title] if first.stamped else []
    lines.append(f"#set text(lang: {_quoted(first.lang)})")
    lines += first.styles(".typ")
    return "\n".join([*lines, "\n#pagebreak()\n".join(map(_written, documents))]) + "\n"


def _written(document: Document) -> str:
    decimal, form = DECIMALS[document.lang], document.form
    lines = ["#counter(page).update(1)", _fields(form)] if form else []
    lines.append(f"= {inline(document.title, decimal)}")
    if document.columns:
        keys = [_key(block, decimal) for block in document.blocks if isinstance(block, Table)]
        return "\n".join([*lines, "#columns(2)[", *keys, "]"])
    for block in document.blocks:
        lines += _block(block, decimal)
    return "\n".join(lines)


def inline(line: Inline, decimal: str) -> str:
    """Write a line of words, formulas and links."""

    def math(node: Node) -> str:
        return f"${write(node, decimal)}$"

    return joined(line, text, math, lambda n: f"#link(<step-{n}>)[({n})]")


def _block(block: Block, decimal: str) -> list[str]:
    match block:
        case Heading(line):
            return ["", f"== {inline(line, decimal)}", ""]
        case Section(heading, blocks):
            below = (_block(one, decimal) for one in blocks)
            return [*_block(Heading(heading), decimal), *chain.from_iterable(below)]
        case Paragraph(line, small):
            spelled = inline(line, decimal)
            return [f"#about[{spelled}]" if small else spelled]
        case Table(rows, title):
            cells = [", ".join(f"[{inline(cell, decimal)}]" for cell in row) for row in rows]
            table = ["#checks(", *(f"  {row}," for row in cells), ")"]
            return [*_block(Heading(title), decimal), *table]
        case Equation():
            return [_equation(block, decimal)]
        case Exercise():
            return [_exercise(block, decimal)]
        case Given(title, equations, facts):
            listed = ", ".join(f"[{inline((one,), decimal)}]" for one in equations)
            said = " #h(1em) ".join(map(text, facts))
            return [f"#given([{text(title)}], ({listed},), [{said}])"]
        case Drawing(svg):
            return [f"#drawing({_quoted(svg)})"]
        case Picture(draw):
            return [f"#picture(({','.join(map(str, draw()))}))"]
        case Code():
            return []
    raise TypeError(f"{block!r} is not printed")


def _equation(equation: Equation, decimal: str) -> str:
    (name, *rest), number = equation.members, equation.number
    members = "".join(f"    [{_flowing(part, decimal)}],\n" for part in rest)
    return (
        f"#step([{f'({number})' if number else ''}], [{_term(name, decimal)}], (\n{members}  ),"
        f" long: {_is_long(equation.members)}, seen: [{inline(equation.seen, decimal)}],"
        f" remark: [{inline(equation.remark, decimal)}]){f' <step-{number}>' if number else ''}"
    )


def _exercise(exercise: Exercise, decimal: str) -> str:
    name, *members = [_term(part, decimal) for part in exercise.members]
    if exercise.blank:
        members.append(f"$=$ #blank[{text(exercise.blank)}]")
    remark = text(exercise.remark) if exercise.remark else ""
    return (
        f"#step([({exercise.number})], [{name}], ({', '.join(f'[{one}]' for one in members)},),"
        f" long: {_is_long(exercise.members)}, remark: [{remark}])"
    )


def _key(table: Table, decimal: str) -> str:
    cells = ", ".join(f"[{inline(cell, decimal)}]" for row in table.rows for cell in row)
    return f"#key([{inline(table.title, decimal)}], {cells})"


def _fields(form: Form) -> str:
    words = ", ".join(f"[{text(word)}]" for word in (form.name, form.date, form.points))
    return f"#lines({words}, {form.most})"


def _term(node: Node, decimal: str) -> str:
    """Write a formula as high as it is."""
    return f"#term[$display({write(node, decimal)})$]"


def _is_long(members: tuple[Node, ...]) -> str:
    return str(sum(map(formula.width, members)) > LONG).lower()


def _flowing(member: Node, decimal: str) -> str:
    """Part a member into formulas, so that a line may end before each."""
    return "#sym.zws".join(
        _term(term, decimal) if formula.width(term) < LONG else f"$display({write(term, decimal)})$"
        for term in formula.terms(member)
    )
