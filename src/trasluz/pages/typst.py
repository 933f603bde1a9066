"""Derivations as printed pages: the source is Typst's, the wheel `typst` makes it a PDF."""

from __future__ import annotations

import functools
import json
from importlib import resources
from types import ModuleType

from trasluz.base.messages import decimal_sign, language, problem, speaking
from trasluz.explain import document as pages
from trasluz.explain.derivation import Derivation
from trasluz.pages import text as plain
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


def page(derivation: Derivation) -> bytes:
    """Print a derivation.

    Returns:
        The bytes of a PDF file.

    Raises:
        UserError: the extra `print` is not installed.
    """
    found: bytes = typst().compile(source(derivation).encode(), ignore_system_fonts=True)
    return found


def picture(derivation: Derivation, dots: float = 110) -> list[bytes]:
    """Draw the pages, each as the bytes of a PNG file.

    Args:
        derivation: what is printed.
        dots: how many an inch has.
    """
    how = {"format": "png", "ppi": dots, "ignore_system_fonts": True}
    with speaking(derivation.lang):
        found = typst().compile(source(derivation).encode(), **how)
    return found if isinstance(found, list) else [found]


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


def source(derivation: Derivation) -> str:
    """Write the page in Typst."""
    decimal = decimal_sign()
    math = functools.partial(inline, decimal=decimal)
    head = resources.files(__package__).joinpath("page.typ").read_text(encoding="utf-8")
    lines = [
        f"#set document(title: {_quoted(pages.title(derivation, str, plain.write))})",
        f"#set text(lang: {_quoted(language())})",
        head,
        f"= {pages.title(derivation, text, math)}",
    ]
    for section in derivation.sections():
        lines += ["", f"== {pages.heading(section, text, math)}", ""]
        lines += [_step(step, decimal) for step in section.steps]
    if found := pages.checks(derivation):
        lines += ["", f"== {text(pages.checks_title())}", "", "#checks("]
        lines += [f"  [{text(how)}], [{math(value)}]," for how, value in found]
        lines.append(")")
    return "\n".join(lines) + "\n"


def inline(node: Node, decimal: str) -> str:
    """Write a formula that stands among words."""
    return f"${write(node, decimal)}$"


def _step(step: Derivation, decimal: str) -> str:
    name, *rest = pages.members(step)
    long = sum(map(formula.width, [name, *rest])) > LONG
    number, label = (f"({step.number})", f" <step-{step.number}>") if step.number else ("", "")
    members = [f"    [{_flowing(part, decimal)}],\n" for part in rest]
    remark = pages.remark(step)
    return (
        f"#step([{number}], [#term[$display({write(name, decimal)})$]], (\n{''.join(members)}  ),"
        f" long: {str(long).lower()}, seen: [{_seen(step)}],"
        f" remark: [{text(remark) if remark else ''}]){label}"
    )


def _flowing(member: Node, decimal: str) -> str:
    """Part a member into formulas, so that a line may end before each."""
    return "#sym.zws".join(
        f"#term[$display({write(term, decimal)})$]"
        if formula.width(term) < LONG
        else f"$display({write(term, decimal)})$"
        for term in formula.terms(member)
    )


def _seen(step: Derivation) -> str:
    if not (numbers := pages.seen(step)):
        return ""
    links = ", ".join(f"#link(<step-{n}>)[({n})]" for n in numbers)
    return pages.seeing(links, text)
