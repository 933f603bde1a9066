"""A derivation: a tree of steps, each a symbol, its formula, the formula with numbers, a value."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from trasluz.explain.plain import plain
from trasluz.typeset import Symbol, number


@dataclass
class Derivation:
    """One step, and the steps that its formula rests on.

    Args:
        symbol: what is worked out, in LaTeX.
        spelled: the formula, which knows its numbers and its value.
        kind: "forward", "loss", "backward", or "given" for what is not worked out.
        where: the layer it belongs to.
        children: the steps of the names in the formula, each once in the whole tree.
        reused: names in the formula that were worked out before.
        checks: the same number found in other ways, at the root.
        digits: significant digits in print.
    """

    symbol: str
    spelled: Symbol
    kind: str
    where: str
    children: list[Derivation] = field(default_factory=list)
    reused: list[str] = field(default_factory=list)
    checks: dict[str, float] = field(default_factory=dict)
    digits: int = 5

    @property
    def formula(self) -> str:
        """The formula in LaTeX, with names."""
        return self.spelled.latex

    @property
    def numbers(self) -> str:
        """The formula in LaTeX, with numbers."""
        return self.spelled.numbers(self.digits)

    @property
    def value(self) -> float:
        """What it comes to."""
        return float(self.spelled.value)

    def steps(self) -> Iterator[Derivation]:
        """List the steps in the order of reading: what is needed first comes first."""
        for child in self.children:
            yield from child.steps()
        yield self

    def line(self, step: Derivation) -> str:
        """Spell one step: symbol = formula = numbers = value."""
        value = number(step.value, self.digits)
        parts = [step.symbol, step.formula, step.spelled.numbers(self.digits), value]
        kept = [p for i, p in enumerate(parts) if i == 0 or p != parts[i - 1]]
        return " = ".join(kept)

    def latex(self) -> str:
        """Spell the whole derivation as an aligned block of LaTeX."""
        lines = [self.line(step).replace(" = ", " &= ", 1) for step in self.steps()]
        return "\\begin{align*}\n" + " \\\\\n".join(lines) + "\n\\end{align*}"

    def markdown(self) -> str:
        """Spell the whole derivation as Markdown with formulas, layer by layer."""
        return self._by_layer("\n**{}**\n", lambda line: f"$${line}$$") + f"\n\n{self._checked()}"

    def text(self) -> str:
        """Spell the whole derivation for a terminal."""
        return self._by_layer("[{}]", lambda line: f"  {plain(line)}") + f"\n{self._checked()}"

    def _by_layer(self, heading: str, write: Callable[[str], str]) -> str:
        """Write the steps a line each, with a heading wherever another layer begins."""
        text, where = [], None
        for step in self.steps():
            if step.where != where:
                where = step.where
                text.append(heading.format(where))
            text.append(write(self.line(step)))
        return "\n".join(text)

    def _checked(self) -> str:
        return ", ".join(f"{name}: {value:.12g}" for name, value in self.checks.items())

    def json(self, **how: Any) -> str:
        """Write the tree as JSON: exact values, formulas in LaTeX."""
        return json.dumps(self.as_dict(), **how)

    def as_dict(self) -> dict[str, Any]:
        """Give the tree as plain data."""
        return {
            "symbol": self.symbol,
            "formula": self.formula,
            "numbers": self.numbers,
            "value": self.value,
            "kind": self.kind,
            "where": self.where,
            "children": [child.as_dict() for child in self.children],
            "reused": self.reused,
            **({"checks": self.checks} if self.checks else {}),
        }

    def __str__(self) -> str:
        return self.text()

    def _repr_markdown_(self) -> str:
        return self.markdown()
