"""Derivations as pages of HTML, their formulas in MathML: no scripts, nothing from elsewhere."""

from __future__ import annotations

import functools
import zlib
from html import escape
from importlib import resources
from importlib.resources.abc import Traversable

from trasluz.base.messages import decimal_sign, language
from trasluz.explain import document as pages
from trasluz.explain.derivation import Derivation
from trasluz.explain.steps import Section
from trasluz.pages import text as plain
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


def document(title: str, body: str, style: str, about: str = "") -> str:
    """Write a page that stands alone.

    Args:
        title: the title of its window.
        body: what is on it, in HTML.
        style: its rules of CSS.
        about: attributes of the body.
    """
    return (
        f'<!DOCTYPE html>\n<html lang="{language()}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n"
        f'<body class="page"{about}>\n{body}</body>\n</html>\n'
    )


def style(*more: Traversable) -> str:
    """Give the rules of CSS that all pages have, and those of a file of one's own."""
    files = (resources.files(__package__) / "page.css", *more)
    return "".join(file.read_text(encoding="utf-8") for file in files)


def page(derivation: Derivation) -> str:
    """Spell a derivation as a page that stands alone."""
    title = pages.title(derivation, str, plain.write)
    return document(title, _main(derivation, "h1", ""), style())


def fragment(derivation: Derivation) -> str:
    """Spell a derivation as a piece of a page; its anchors differ from those of other pieces."""
    own = f"d{zlib.crc32(derivation.json().encode()):08x}-"
    return f"<style>\n{style()}</style>\n{_main(derivation, 'h2', own)}"


def _main(derivation: Derivation, heading: str, own: str) -> str:
    title = pages.title(derivation, escape, functools.partial(mathml, decimal=decimal_sign()))
    return (
        f'<div class="derivation">\n<{heading} class="title">{title}</{heading}>\n'
        f"{body(derivation, own)}\n</div>\n"
    )


def body(derivation: Derivation, own: str = "") -> str:
    """Spell the sections of a derivation, then the checks.

    Args:
        derivation: the whole.
        own: what its anchors begin with, to differ from those of others on the page.
    """
    decimal = decimal_sign()
    math = functools.partial(mathml, decimal=decimal)
    lines = [_section(section, own, decimal) for section in derivation.sections()]
    if found := pages.checks(derivation):
        rows = "\n".join(
            f'<tr><th scope="row">{escape(how)}</th><td>{math(value)}</td></tr>'
            for how, value in found
        )
        caption = f"<caption>{escape(pages.checks_title())}</caption>"
        lines.append(f'<table class="checks">{caption}\n<tbody>\n{rows}\n</tbody></table>')
    return "\n".join(lines)


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
