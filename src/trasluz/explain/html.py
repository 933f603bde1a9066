"""Derivations as pages of HTML, their formulas in MathML: no scripts, nothing from elsewhere."""

from __future__ import annotations

import functools
import zlib
from html import escape
from importlib import resources

from trasluz.explain import formula, pages, plain
from trasluz.explain.derivation import Derivation, Section
from trasluz.explain.formula import (
    Accent,
    Boxed,
    Brace,
    Cases,
    Fenced,
    Fraction,
    Function,
    Matrix,
    Name,
    Node,
    Number,
    Operator,
    Root,
    Row,
    Scripts,
    Space,
    Word,
)
from trasluz.messages import language

LONG = 84  # characters, from which on each member of an equation has its own line
_STYLES = {"roman": "", "bold": ' class="bold"', "mono": ' class="mono"'}
_MARKS = {"hat": "^", "bar": "¯", "tilde": "~", "vec": "→", "dot": "˙"}
_UPRIGHT = "⋯⋮⋱…′∞"


def mathml(node: Node, decimal: str = ".") -> str:
    """Write a formula as an element of MathML.

    >>> mathml(Scripts(Name("x"), None, Number("2")))
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
        case Number(text):
            return f"<mn>{text.replace('.', decimal)}</mn>"
        case Name(sign) if sign in _UPRIGHT:
            return f'<mi mathvariant="normal">{sign}</mi>'
        case Name("⊤"):
            return '<mi mathvariant="normal">⊤</mi>'
        case Name(sign):
            return f"<mi>{escape(sign)}</mi>"
        case Word(text, "text"):
            return f"<mtext>{escape(text)}</mtext>"
        case Word(text, style):
            return f'<mi mathvariant="normal"{_STYLES[style]}>{escape(text)}</mi>'
        case Function(name):
            return f"<mi{_normal(name)}>{escape(name)}</mi>"
        case Operator():
            return _operator(node, decimal, small)
        case Space(width):
            return "" if small else f'<mspace width="{width:.3g}em"></mspace>'
        case Row(row):
            return _row(row, decimal, small)
        case Fraction(above, below):
            return f"<mfrac>{one(above)}{one(below)}</mfrac>"
        case Root(of):
            return f"<msqrt>{inner(of)}</msqrt>"
        case Scripts():
            return _scripts(formula.unstacked(node), decimal, small)
        case Fenced(left, inside, right):
            opening = _fence(left, "prefix", inside)
            return f"<mrow>{opening}{inner(inside)}{_fence(right, 'postfix', inside)}</mrow>"
        case Accent(mark, base):
            sign = f'<mo stretchy="false">{_MARKS[mark]}</mo>'
            return f'<mover accent="true">{one(base)}{sign}</mover>'
        case Boxed(of):
            return f'<mrow class="box">{inner(of)}</mrow>'
        case Brace(of, below):
            brace = f'<munder>{one(of)}<mo stretchy="true">⏟</mo></munder>'
            label = _one(below, decimal, True)
            return f"<munder>{brace}{label}</munder>" if below else brace
        case Matrix(rows):
            return f"<mrow><mo>[</mo>{_table(rows, decimal)}<mo>]</mo></mrow>"
        case Cases(rows):
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
    return spelled if isinstance(node, (Number, Name, Row)) else f"<mrow>{spelled}</mrow>"


def _operator(
    node: Operator, decimal: str, small: bool, prefix: bool = False, first: bool = False
) -> str:
    sign = node.sign if small else pages.parting(node.sign, decimal)
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
        if isinstance(before, Function):
            close = isinstance(item, Fenced) or isinstance(getattr(item, "base", None), Fenced)
            spelled += "<mo>&#x2061;</mo>" if close else '<mspace width="0.17em"></mspace>'
        if isinstance(item, Operator):
            spelled += _operator(
                item, decimal, small, prefix, first and before in (None, formula.EMPTY)
            )
        else:
            spelled += write(item, decimal, small)
        before = item
    return f"<mrow>{spelled}</mrow>"


def _scripts(node: Scripts, decimal: str, small: bool) -> str:
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


def page(derivation: Derivation) -> str:
    """Spell a derivation as a page that stands alone."""
    name = escape(pages.title(derivation, str, plain.write))
    return (
        f'<!DOCTYPE html>\n<html lang="{language()}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}</title>\n<style>\n{_style()}</style>\n</head>\n"
        f'<body class="page">\n{_main(derivation, "h1", "")}</body>\n</html>\n'
    )


def fragment(derivation: Derivation) -> str:
    """Spell a derivation as a piece of a page; its anchors differ from those of other pieces."""
    own = f"d{zlib.crc32(derivation.json().encode()):08x}-"
    return f"<style>\n{_style()}</style>\n{_main(derivation, 'h2', own)}"


def _style() -> str:
    return resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")


def _main(derivation: Derivation, heading: str, own: str) -> str:
    decimal = pages.decimal()
    math = functools.partial(mathml, decimal=decimal)
    title = pages.title(derivation, escape, math)
    lines = [f'<div class="derivation">\n<{heading} class="title">{title}</{heading}>']
    lines += [_section(section, own, decimal) for section in derivation.sections()]
    if found := pages.checks(derivation):
        rows = "\n".join(
            f'<tr><th scope="row">{escape(how)}</th><td>{math(value)}</td></tr>'
            for how, value in found
        )
        caption = f"<caption>{escape(pages.checks_title())}</caption>"
        lines.append(f'<table class="checks">{caption}\n<tbody>\n{rows}\n</tbody></table>')
    return "\n".join(lines) + "\n</div>\n"


def _section(section: Section, own: str, decimal: str) -> str:
    steps = "\n".join(_step(step, own, decimal) for step in section.steps)
    heading = pages.heading(section, escape, functools.partial(mathml, decimal=decimal))
    title = f'<summary><span class="heading">{heading}</span></summary>'
    return (
        f'<section class="{escape(section.stage)}"><details open>{title}\n{steps}\n'
        "</details></section>"
    )


def _step(step: Derivation, own: str, decimal: str) -> str:
    name, *rest = pages.members(step)
    anchor = f' id="{own}step-{step.number}"' if step.number else ""
    number = (
        f'<a class="number" href="#{own}step-{step.number}">({step.number})</a>'
        if step.number
        else ""
    )
    long = sum(map(formula.width, [name, *rest])) > LONG
    spelled = [_flowing(part, decimal) for part in rest]
    spelled[-1:] = [part + _seen(step, own) for part in spelled[-1:]]
    members = "\n".join(f'<span class="member">{part}</span>' for part in spelled)
    return (
        f'<div class="step {escape(step.kind)}"{anchor}>{number}\n'
        f'<div class="equation{" long" if long else ""}">'
        f'<span class="name">{mathml(name, decimal)}</span>\n'
        f'<span class="members">{members}</span></div>\n'
        f"{_remark(step)}</div>"
    )


def _flowing(member: Node, decimal: str) -> str:
    """Part a member into formulas, so that a line may end before each."""
    spelled = [
        _row(formula.items(term), decimal, False, first=True) for term in formula.terms(member)
    ]
    return " ".join(f'<math displaystyle="true">{term}</math>' for term in spelled)


def _seen(step: Derivation, own: str) -> str:
    if not (numbers := pages.seen(step)):
        return ""
    links = ", ".join(f'<a href="#{own}step-{n}">({n})</a>' for n in numbers)
    return f' <span class="seen">{pages.seeing(links, escape)}</span>'


def _remark(step: Derivation) -> str:
    text = pages.remark(step)
    return f'<p class="remark">{escape(text)}</p>\n' if text else ""
