"""What the pages of a derivation have in common, whatever they are written in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from trasluz.base.messages import say
from trasluz.explain.derivation import Derivation
from trasluz.explain.steps import STAGES, Section
from trasluz.typeset.formula import Node, Operator, Row, items, parse, terms
from trasluz.typeset.symbols import named_in, number

_GAP = "\n"

T = TypeVar("T")
Write = Callable[[T], str]


def title(derivation: Derivation, words: Write[str], math: Write[Node]) -> str:
    """Say what is derived.

    Args:
        derivation: the whole.
        words: how words are written.
        math: how a formula is written among words.
    """
    return _filled(say("explain-title", name=_GAP), math(parse(derivation.symbol)), words)


def heading(section: Section, words: Write[str], math: Write[Node]) -> str:
    """Say what a section is about; the chain rule is about a name, which is a formula."""
    if section.stage != "chain":
        return words(section.title)
    return _filled(say("explain-stage-chain", part=_GAP), math(parse(section.where)), words)


def seeing(links: str, words: Write[str]) -> str:
    """Say which steps to go back to.

    Args:
        links: their numbers, as they are to be written.
        words: how words are written.
    """
    return _filled(say("explain-reused", numbers=_GAP), links, words)


def _filled(message: str, inside: str, words: Write[str]) -> str:
    before, _, after = message.partition(_GAP)
    return (words(before) if before else "") + inside + (words(after) if after else "")


def seen(step: Derivation) -> list[int]:
    """List the numbers of earlier steps that a derivative leans on, but those just before it."""
    if step.kind not in ("factor", "chain", "backward"):
        return []
    named = {leaf.name for leaf in named_in(step.spelled)}
    below = [one for one in step.children if one.symbol in named]
    told = [one for one in below if STAGES[one.kind] != STAGES[step.kind]]
    return sorted({one.number for one in [*step.reused, *told] if 0 < one.number < step.number})


def members(step: Derivation) -> list[Node]:
    """Read a step as the members of its equation; all but the first begin with their sign."""
    read = [part for latex in step.parts() for part in terms(parse(latex), "=")]
    return [read[0], *(_equal(part) for part in read[1:])]


def _equal(part: Node) -> Node:
    """Put an equals sign before a member that has none."""
    row = items(part)
    starts = isinstance(row[0], Operator) and row[0].kind == "relation"
    return part if starts else Row((Operator("="), *row))


def checks(derivation: Derivation) -> list[tuple[str, Node]]:
    """List the ways in which the same number was found, and the number, with 12 digits."""
    told = {
        "derived": say("explain-check-derived"),
        "backward": say("explain-check-backward"),
        "central difference": say("explain-check-difference"),
    }
    found = derivation.checks.items()
    return [(told.get(name, name), parse(number(value, 12))) for name, value in found]


def checks_title() -> str:
    """Say what the checks show."""
    return say("explain-checks")


def remark(step: Derivation) -> str:
    """Say the note of a step; nothing if it has none."""
    return say(step.note) if step.note else ""
