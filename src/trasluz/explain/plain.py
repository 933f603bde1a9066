r"""LaTeX formulas as a line of text, for a terminal."""

from __future__ import annotations

import re

_WORDS = {
    r"\left": "", r"\right": "", r"\,": " ", r"\cdot": "·", r"\times": "×", r"\partial": "∂",
    r"\sigma": "σ", r"\gamma": "γ", r"\beta": "β", r"\alpha": "α", r"\tanh": "tanh", r"\ln": "ln",
    r"\sin": "sin", r"\cos": "cos", r"\max": "max", r"\min": "min", r"\sum": "Σ", r"\top": "T",
    r"\leq": "≤", r"\geq": "≥", r"\neq": "≠", r"\infty": "∞", r"\textstyle": "",
    r"\prime": "′", r"\ell": "ℓ", r"\mu": "μ",
}  # fmt: skip
_LOW = str.maketrans("0123456789+-,()", "₀₁₂₃₄₅₆₇₈₉₊₋,₍₎")
_HIGH = str.maketrans("0123456789+-()Tn", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ᵀⁿ")


def plain(latex: str) -> str:
    r"""Write a formula without LaTeX, as well as one line of Unicode can.

    >>> plain(r"\frac{\partial E}{\partial w^{(1)}_{1,2}} = x\,\left(1 - y^{2}\right)")
    '∂E/∂w⁽¹⁾₁,₂ = x (1 - y²)'
    """
    text = latex.replace(r"\hat{y}", "ŷ")
    while (fraction := _next(text)) is not None:
        text = fraction
    for word, sign in _WORDS.items():
        text = re.sub(re.escape(word) + (r"(?![a-zA-Z])" if word[-1].isalpha() else ""), sign, text)
    text = text.replace("∂ ", "∂")
    text = re.sub(r"\\(?:operatorname|mathrm|text|hat|mathtt)\{([^{}]*)\}", r"\1", text)
    text = _scripts(text, "_", _LOW, "₀₁₂₃₄₅₆₇₈₉₊₋,₍₎")
    text = _scripts(text, "^", _HIGH, "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ᵀⁿ′")
    return re.sub(r" {2,}", " ", text).strip()


def _scripts(text: str, mark: str, table: dict[int, int], known: str) -> str:
    def small(match: re.Match[str]) -> str:
        inner = match.group(1)
        lifted = inner.translate(table)
        return lifted if all(c in known for c in lifted) else f"{mark}({inner})"

    return re.sub(re.escape(mark) + r"\{([^{}]*)\}", small, text)


def _next(text: str) -> str | None:
    """Turn the last fraction (an innermost one) into a quotient on a line."""
    at = text.rfind(r"\frac{")
    if at < 0:
        root = text.rfind(r"\sqrt{")
        if root < 0:
            return None
        end = _closing(text, root + 5)
        return f"{text[:root]}√({text[root + 6 : end]}){text[end + 1 :]}"
    middle = _closing(text, at + 5)
    end = _closing(text, middle + 1)
    above, below = text[at + 6 : middle], text[middle + 2 : end]
    return f"{text[:at]}{_held(above)}/{_held(below)}{text[end + 1 :]}"


def _held(part: str) -> str:
    loose = re.search(r" [+\-] |\\,|\\cdot|/", part)
    return rf"\left({part}\right)" if loose else part


def _closing(text: str, opening: int) -> int:
    depth = 0
    for i in range(opening, len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if depth == 0:
            return i
    raise ValueError(f"a brace is not closed in {text!r}")
