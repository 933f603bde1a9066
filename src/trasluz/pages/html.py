"""Pages of HTML, their formulas in MathML: nothing from elsewhere, and scripts in forms alone."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape

from trasluz.base.messages import DECIMALS
from trasluz.pages import text as plain
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
    joined,
)
from trasluz.typeset import formula
from trasluz.typeset.formula import Node, parting

LONG = 84  # characters, from which on each member of an equation has its own line
_STYLES = {"roman": "", "bold": ' class="bold"', "mono": ' class="mono"'}
_MARKS = {"hat": "^", "bar": "¯", "tilde": "~", "vec": "→", "dot": "˙"}
_UPRIGHT = "⋯⋮⋱…′∞"


def mathml(node: Node, decimal: str = ".") -> str:
    """Write a formula as an element of MathML.

    >>> mathml(formula.Scripts(formula.Name("x"), None, formula.Number("2")))
    '<math displaystyle="true"><msup><mi>x</mi><mn>2</mn></msup></math>'
    """
    return f'<math displaystyle="true">{write(node, decimal)}</math>'


def write(node: Node | None, decimal: str = ".", small: bool = False) -> str:
    """Write a piece of a formula in MathML; `small` ones are indices or powers."""

    def inner(part: Node | None) -> str:
        return write(part, decimal, small)

    def one(part: Node | None) -> str:
        return _one(part, decimal, small)

    match node:
        case None:
            return "<mrow></mrow>"
        case formula.Number(text):
            return f"<mn>{text.replace('.', decimal)}</mn>"
        case formula.Name(sign) if sign in _UPRIGHT:
            return f'<mi mathvariant="normal">{sign}</mi>'
        case formula.Name("⊤"):
            return '<mi mathvariant="normal">⊤</mi>'
        case formula.Name(sign):
            return f"<mi>{escape(sign)}</mi>"
        case formula.Word(letter, "symbol"):
            return f'<mi class="bold">{escape(letter)}</mi>'
        case formula.Word(text, "text"):
            return f"<mtext>{escape(text)}</mtext>"
        case formula.Word(text, style):
            return f'<mi mathvariant="normal"{_STYLES[style]}>{escape(text)}</mi>'
        case formula.Function(name):
            return f"<mi{_normal(name)}>{escape(name)}</mi>"
        case formula.Operator():
            return _operator(node, decimal, small)
        case formula.Space(width):
            return "" if small else f'<mspace width="{width:.3g}em"></mspace>'
        case formula.Row(row):
            return _row(row, decimal, small)
        case formula.Fraction(above, below):
            return f"<mfrac>{one(above)}{one(below)}</mfrac>"
        case formula.Root(of):
            return f"<msqrt>{inner(of)}</msqrt>"
        case formula.Scripts():
            return _scripts(formula.unstacked(node), decimal, small)
        case formula.Fenced(left, inside, right):
            opening = _fence(left, "prefix", inside)
            return f"<mrow>{opening}{inner(inside)}{_fence(right, 'postfix', inside)}</mrow>"
        case formula.Accent(mark, base):
            sign = f'<mo stretchy="false">{_MARKS[mark]}</mo>'
            return f'<mover accent="true">{one(base)}{sign}</mover>'
        case formula.Boxed(of):
            return f'<mrow class="box">{inner(of)}</mrow>'
        case formula.Brace(of, below):
            brace = f'<munder>{one(of)}<mo stretchy="true">⏟</mo></munder>'
            label = _one(below, decimal, True)
            return f"<munder>{brace}{label}</munder>" if below else brace
        case formula.Matrix(rows):
            return f"<mrow><mo>[</mo>{_table(rows, decimal)}<mo>]</mo></mrow>"
        case formula.Cases(rows):
            return f"<mrow><mo>{{</mo>{_table(rows, decimal, ' class=cases')}</mrow>"
    raise TypeError(f"{node!r} is no piece of a formula")


def _normal(name: str) -> str:
    return ' mathvariant="normal"' if len(name) == 1 else ""


def _fence(sign: str, form: str, inside: Node) -> str:
    stretchy = "" if formula.tall(inside) else ' stretchy="false"'
    return f'<mo form="{form}"{stretchy}>{sign}</mo>' if sign else ""


def _one(node: Node | None, decimal: str, small: bool) -> str:
    """Write a piece as one element."""
    spelled = write(node, decimal, small)
    whole = isinstance(node, (formula.Number, formula.Name, formula.Row))
    return spelled if whole else f"<mrow>{spelled}</mrow>"


def _operator(
    node: formula.Operator, decimal: str, small: bool, prefix: bool = False, first: bool = False
) -> str:
    sign = node.sign if small else parting(node.sign, decimal)
    if node.kind == "big":
        return f'<mo largeop="false" movablelimits="false">{sign}</mo>'
    how = ' form="prefix"' if prefix else ""
    if first:
        how = ' form="infix" lspace="0"'  # the space between formulas is room enough
    if small and node.kind == "comma":
        how = ' lspace="0" rspace="0"'
    return f"<mo{how}>{escape(sign.replace('-', '−'))}</mo>"


def _row(row: tuple[Node, ...], decimal: str, small: bool, first: bool = False) -> str:
    spelled = ""
    before: Node | None = None
    for item, prefix in formula.prefixes(row):
        if isinstance(before, formula.Function):
            held = item.base if isinstance(item, formula.Scripts) else item
            close = isinstance(held, formula.Fenced)
            spelled += "<mo>&#x2061;</mo>" if close else '<mspace width="0.17em"></mspace>'
        if isinstance(item, formula.Operator):
            spelled += _operator(
                item, decimal, small, prefix, first and before in (None, formula.EMPTY)
            )
        else:
            spelled += write(item, decimal, small)
        before = item
    return f"<mrow>{spelled}</mrow>"


def _scripts(node: formula.Scripts, decimal: str, small: bool) -> str:
    base = _one(node.base, decimal, small)
    low, high = (_one(part, decimal, True) for part in (node.low, node.high))
    if node.low and node.high:
        return f"<msubsup>{base}{low}{high}</msubsup>"
    return f"<msub>{base}{low}</msub>" if node.low else f"<msup>{base}{high}</msup>"


def _table(rows: tuple[tuple[Node, ...], ...], decimal: str, how: str = "") -> str:
    spelled = "".join(
        f"<mtr>{''.join(f'<mtd>{write(cell, decimal)}</mtd>' for cell in row)}</mtr>"
        for row in rows
    )
    return f"<mtable{how}>{spelled}</mtable>"


# ------------------------------------------------------------------------------------- the page


def page(document: Document) -> str:
    """Write a document as a page that stands alone."""
    form = document.form
    data = f' data-sheet="{form.sheet}" data-name="{form.file}"' if form else ""
    return (
        f'<!DOCTYPE html>\n<html lang="{document.lang}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(plain.inline(document.title))}</title>\n"
        f"<style>\n{''.join(document.styles('.css'))}</style>\n</head>\n"
        f'<body class="page"{data}>\n{_Writer(document, 1).whole()}</body>\n</html>\n'
    )


def fragment(document: Document) -> str:
    """Write a document as a piece of a page."""
    styles = "".join(document.styles(".css"))
    return f"<style>\n{styles}</style>\n{_Writer(document, 2).whole()}"


class _Writer:
    """Writes one document.

    Args:
        document: the document.
        level: of the heading that its title is.
    """

    def __init__(self, document: Document, level: int) -> None:
        self.document, self.level = document, level
        self.decimal = DECIMALS[document.lang]

    def whole(self) -> str:
        """Write its title and all its blocks."""
        document, level = self.document, self.level
        blocks = self.blocks(document.blocks)
        if document.form:
            blocks = [_fields(document.form), *blocks, _hand_in(document.form)]
        body = "\n".join(blocks) + "\n"
        if document.columns:
            body = f'<div class="keys">{"".join(blocks)}</div>'
        element = "article" if document.prose else "div"
        title = f'<h{level} class="title">{self.inline(document.title)}</h{level}>'
        return f'<{element} class="{document.kind}">\n{title}\n{body}</{element}>\n'

    def math(self, node: Node) -> str:
        """Write a formula."""
        return mathml(node, self.decimal)

    def inline(self, line: Inline) -> str:
        """Write a line of words, formulas and links."""
        own = self.document.anchor
        return joined(line, escape, self.math, lambda n: f'<a href="#{own}step-{n}">({n})</a>')

    def block(self, block: Block) -> str:
        """Write a block."""
        match block:
            case Heading(line):
                return f"<h{self.level + 1}>{self.inline(line)}</h{self.level + 1}>"
            case Section():
                return self.section(block)
            case Excerpt(blocks):
                below = "\n".join(self.blocks(blocks))
                return f'<div class="derivation">{below}\n</div>'
            case Paragraph(line, small):
                kind = ' class="about"' if small else ""
                return f"<p{kind}>{self.inline(line)}</p>"
            case Points(points):
                listed = (f"<li>{'<br>'.join(map(self.inline, lines))}</li>" for lines in points)
                return "\n".join(["<ul>", *listed, "</ul>"])
            case Table():
                return self.table(block) if block.header else self.titled(block)
            case Display(node):
                return f'<p class="formula">{self.math(node)}</p>'
            case Equation():
                return self.equation(block)
            case Exercise():
                return self.exercise(block)
            case Given(_, equations, facts):
                told = (*map(self.math, equations), *map(escape, facts))
                return f'<ul class="given">{"".join(f"<li>{one}</li>" for one in told)}</ul>'
            case Picture(draw, title):
                data = base64.b64encode(draw()).decode()
                return f'<img alt="{escape(title)}" src="data:image/png;base64,{data}">'
            case Drawing(svg):
                return f"<figure>{svg}</figure>"
        raise TypeError(f"{block!r} is not written in HTML")

    def blocks(self, blocks: tuple[Block, ...]) -> list[str]:
        """Write blocks, without those that only other pages show."""
        return [self.block(one) for one in blocks if not isinstance(one, Code)]

    def section(self, section: Section) -> str:
        """Write a section; one of a kind can be folded."""
        below = "\n".join(self.blocks(section.blocks))
        if not section.kind:
            return f"<section>{self.block(Heading(section.heading))}\n{below}</section>"
        heading = f'<span class="heading">{self.inline(section.heading)}</span>'
        return (
            f'<section class="{escape(section.kind)}"><details open>'
            f"<summary>{heading}</summary>\n{below}\n</details></section>"
        )

    def table(self, table: Table) -> str:
        """Write a table under the names of its columns."""
        head = "".join(f'<th scope="col">{self.inline(cell)}</th>' for cell in table.header)
        rows = "\n".join(f"<tr>{self.cells(row)}</tr>" for row in table.rows)
        return (
            f'<div class="wide"><table class="cells">\n<thead><tr>{head}</tr></thead>\n'
            f"<tbody>\n{rows}\n</tbody></table></div>"
        )

    def titled(self, table: Table) -> str:
        """Write a table under its title; its first cells name the rows."""
        kind, end = ("key", "") if self.document.columns else ("checks", "\n")
        rows = end.join(
            f'<tr><th scope="row">{self.inline(first)}</th>{self.cells(rest)}</tr>'
            for first, *rest in table.rows
        )
        caption = f"<caption>{self.inline(table.title)}</caption>"
        return f'<table class="{kind}">{caption}{end}<tbody>{end}{rows}{end}</tbody></table>'

    def cells(self, row: Iterable[Inline]) -> str:
        """Write the cells of a row."""
        return "".join(f"<td>{self.inline(cell)}</td>" for cell in row)

    def equation(self, equation: Equation) -> str:
        """Write a step of a derivation, to which others can link."""
        (name, *rest), number = equation.members, equation.number
        target = f"{self.document.anchor}step-{number}"
        anchor = f' id="{target}"' if number else ""
        link = f'<a class="number" href="#{target}">({number})</a>' if number else ""
        long = " long" if sum(map(formula.width, equation.members)) > LONG else ""
        spelled = [self.flowing(part) for part in rest]
        if rest and equation.seen:
            spelled[-1] += f' <span class="seen">{self.inline(equation.seen)}</span>'
        members = "\n".join(f'<span class="member">{part}</span>' for part in spelled)
        remark = f"{_remark(self.inline(equation.remark))}\n" if equation.remark else ""
        return (
            f'<div class="step {escape(equation.kind)}"{anchor}>{link}\n'
            f'<div class="equation{long}"><span class="name">{self.math(name)}</span>\n'
            f'<span class="members">{members}</span></div>\n{remark}</div>'
        )

    def flowing(self, member: Node) -> str:
        """Part a member into formulas, so that a line may end before each."""
        terms = map(formula.items, formula.terms(member))
        spelled = [_row(term, self.decimal, False, first=True) for term in terms]
        return " ".join(f'<math displaystyle="true">{term}</math>' for term in spelled)

    def exercise(self, exercise: Exercise) -> str:
        """Write an exercise, with a field for the answer."""
        first, *rest = map(self.math, exercise.members)
        if blank := exercise.blank:
            label = escape(f"{blank}: {plain.inline(exercise.members[:1]).strip()}")
            rest.append(
                f'<label class="blank">= <span>{blank}</span><input name="{blank}" '
                f'inputmode="decimal" autocomplete="off" aria-label="{label}"></label>'
            )
        members = "".join(f'<span class="member">{part}</span>' for part in rest)
        return (
            f'<div class="step"><span class="number">({exercise.number})</span>'
            f'<div class="equation"><span class="name">{first}</span>'
            f'<span class="members">{members}</span></div>{_remark(escape(exercise.remark))}</div>'
        )


def _remark(spelled: str) -> str:
    return f'<p class="remark">{spelled}</p>' if spelled else ""


# ---------------------------------------------------------------------------- what is filled in

_SAVE = """
document.getElementById("download").addEventListener("click", () => {
  const answers = Object.fromEntries(
    [...document.querySelectorAll("input[name^=q]")].map((field) => [field.name, field.value]));
  const name = document.getElementById("student-name").value;
  const text = JSON.stringify({sheet: document.body.dataset.sheet, name, answers}, null, 1);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], {type: "application/json"}));
  link.download = document.body.dataset.name + "-answers.json";
  link.click();
  URL.revokeObjectURL(link.href);
});
"""


def _fields(form: Form) -> str:
    fields = "".join(
        f'<label>{escape(words)} <input id="student-{what}"></label>\n'
        for what, words in (("name", form.name), ("date", form.date))
    )
    points = f'<span class="points">{escape(form.points)} <span></span> / {form.most}</span>'
    return f'<div class="lines">{fields}{points}</div>'


def _hand_in(form: Form) -> str:
    button = f'<button id="download">{escape(form.download)}</button>'
    return f'<p class="hand-in">{button}</p>\n<script>{_SAVE}</script>'
