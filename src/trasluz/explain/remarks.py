"""Remarks: what is said in words beside a step, with formulas and numbers in between."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trasluz.base.messages import say
from trasluz.pages.document import Inline
from trasluz.typeset.formula import Node, parse
from trasluz.typeset.symbols import Symbol, number

FAR = -1e8  # no score that counts is as small
_GAP = re.compile(r"\n(\w+)\n")


@dataclass(frozen=True)
class Remark:
    """A message, and what is put into it.

    Args:
        message: its id.
        facts: by the names in the message: whole numbers and words are said as they are; symbols,
            formulas and other numbers stand between the words; of several, each.
    """

    message: str
    facts: dict[str, Any] = field(default_factory=dict)

    def said(self, digits: int) -> Inline:
        """Say it, in the language of messages.

        Args:
            digits: significant digits of numbers.
        """
        gaps = {k: v if isinstance(v, (int, str)) else f"\n{k}\n" for k, v in self.facts.items()}
        words = _GAP.split(say(self.message, **gaps))
        pieces: list[Any] = []
        for position, word in enumerate(words):
            pieces += _formulas(self.facts[word], digits) if position % 2 else [word]
        return tuple(piece for piece in pieces if piece != "")


def _formulas(fact: Any, digits: int) -> list[str | Node]:
    several = fact if isinstance(fact, Sequence) else [fact]
    pieces: list[str | Node] = []
    for one in several:
        pieces += [", "] if pieces else []
        if not isinstance(one, Node):
            known = isinstance(one, Symbol)
            one = parse(one.name if known else number(np.asarray(one).item(), digits))
        pieces.append(one)
    return pieces


def of_value(formula: Symbol) -> list[Remark]:
    """Say what a value's formula does not: who is the greatest, what does not count."""
    row, parts = formula.made or (None, [])
    if row is None:
        return []
    if row.name in ("max", "min") and len(parts) > 1:
        best = [part for part in parts if float(part.value) == float(formula.value)]
        message = "explain-greatest" if row.name == "max" else "explain-least"
        return [Remark(message, {"which": best, "count": len(best)})]
    if row.name == "logsumexp" and (masked := sum(map(_is_far, parts))):
        return [Remark("explain-masked-among", {"count": masked})]
    if row.name == "exp" and any(map(_is_far, parts[0].made[1] if parts[0].made else ())):
        return [Remark("explain-masked")]
    return []


def of_slope(formula: Symbol) -> list[Remark]:
    """Say why a derivative is zero that has no formula."""
    return [Remark("explain-unused")] if formula.literal and float(formula.value) == 0 else []


def _is_far(part: Symbol) -> bool:
    """Tell whether a number stands for a score that does not count."""
    return part.literal and part.ndim == 0 and float(part.value) <= FAR
