"""What is on the page of a derivation: its sections of steps, and the checks."""

from __future__ import annotations

from trasluz.base.messages import language, say, speaking
from trasluz.explain import steps
from trasluz.explain.steps import STAGES, Step
from trasluz.pages.document import Block, Document, Equation, Inline, Reference, Section, Table
from trasluz.typeset.formula import Node, Operator, Row, items, parse, terms
from trasluz.typeset.symbols import named_in, number

_GAP = "\n"


def document(derivation: Step, anchor: str = "") -> Document:
    """Make the page of a derivation.

    Args:
        derivation: the whole.
        anchor: what its references begin with, to differ from those of others on the page.
    """
    with speaking(derivation.lang):
        title = _filled(say("explain-title", name=_GAP), parse(derivation.symbol))
        return Document(title, body(derivation), language(), anchor=anchor)


def body(derivation: Step) -> tuple[Block, ...]:
    """List what stands below the title, in the language of messages."""
    sections = [
        Section(heading(section), tuple(map(equation, section.steps)), section.stage)
        for section in derivation.sections()
    ]
    if derivation.places is not None:
        sections.append(derivation.places.section(derivation.digits))
    return (*sections, *([_checks(derivation)] if derivation.checks else []))


def heading(section: steps.Section) -> Inline:
    """Say what a section is about; the chain rule is about a name, which is a formula."""
    if section.stage != "chain":
        return (section.title,)
    return _filled(say("explain-stage-chain", part=_GAP), parse(section.where))


def equation(step: Step) -> Equation:
    """Make a step an equation, which says what it leans on."""
    marks: list[str | Reference] = []
    for n in seen(step):
        marks += [", ", Reference(n)]
    line = _filled(say("explain-reused", numbers=_GAP), *marks[1:]) if marks else ()
    return Equation(step.number, members(step), step.kind, line, step.said)


def seen(step: Step) -> list[int]:
    """List the numbers of earlier steps that a derivative leans on, but those just before it."""
    if step.kind not in ("factor", "chain", "backward"):
        return []
    named = {leaf.name for leaf in named_in(step.spelled)}
    below = [one for one in step.children if one.symbol in named]
    told = [one for one in below if STAGES[one.kind] != STAGES[step.kind]]
    return sorted({one.number for one in [*step.reused, *told] if 0 < one.number < step.number})


def members(step: Step) -> tuple[Node, ...]:
    """Read a step as the members of its equation; all but the first begin with their sign."""
    first, *rest = (part for latex in step.parts() for part in terms(parse(latex), "="))
    return (first, *map(equal, rest))


def equal(part: Node) -> Node:
    """Put an equals sign before a member that has none."""
    row = items(part)
    starts = isinstance(row[0], Operator) and row[0].kind == "relation"
    return part if starts else Row((Operator("="), *row))


def _checks(derivation: Step) -> Table:
    """List the ways in which the same number was found, and the number, with 12 digits."""
    told = {
        "derived": say("explain-check-derived"),
        "backward": say("explain-check-backward"),
        "central difference": say("explain-check-difference"),
    }
    rows = (
        ((told.get(name, name),), (parse(number(value, 12)),))
        for name, value in derivation.checks.items()
    )
    return Table(tuple(rows), (say("explain-checks"),))


def _filled(message: str, *inside: str | Node | Reference) -> Inline:
    """Put something into the gap of a message."""
    before, _, after = message.partition(_GAP)
    return tuple(piece for piece in (before, *inside, after) if piece != "")
