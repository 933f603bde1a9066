"""Derivations as Markdown, their formulas in LaTeX between dollar signs."""

from __future__ import annotations

import functools
import re

from trasluz.base.messages import decimal_sign
from trasluz.explain import document as pages
from trasluz.explain.derivation import Derivation
from trasluz.pages import latex


def text(words: str) -> str:
    r"""Write words that stand for themselves.

    >>> print(text("layer dense_1 <b>"))
    layer dense\_1 \<b\>
    """
    return re.sub(r"([\\`*_{}\[\]<>#|$~&])", r"\\\1", words)


def page(derivation: Derivation) -> str:
    """Spell a derivation: its title, then its body."""
    math = functools.partial(latex.inline, decimal=decimal_sign())
    return f"# {pages.title(derivation, text, math)}\n\n{body(derivation)}"


def body(derivation: Derivation, level: str = "##") -> str:
    """Spell a derivation with a heading a section, and each step as a displayed formula."""
    decimal = decimal_sign()
    math = functools.partial(latex.inline, decimal=decimal)
    lines: list[str] = []
    for section in derivation.sections():
        lines += ["", f"{level} {pages.heading(section, text, math)}"]
        for step in section.steps:
            tag = rf" \tag{{{step.number}}}" if step.number else ""
            equation = latex.aligned(step, decimal)
            lines += [
                "",
                "$$",
                rf"\begin{{aligned}} {equation} \end{{aligned}}{tag}",
                "$$",
            ]
            if remark := pages.remark(step):
                lines += ["", text(remark)]
    if found := pages.checks(derivation):
        lines += ["", f"{level} {text(pages.checks_title())}", "", "| | |", "|---|---:|"]
        lines += [f"| {text(how)} | {math(value)} |" for how, value in found]
    return "\n".join(lines[1:])
