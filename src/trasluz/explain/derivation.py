"""A derivation: a tree of steps, each a symbol, its formula, the formula with numbers, a value."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from trasluz.base.messages import language, speaking
from trasluz.explain.document import document
from trasluz.explain.steps import STAGES, Section, Step
from trasluz.pages import html, latex, markdown, text, typst

FORMAT = 1


@dataclass(eq=False, repr=False)
class Derivation(Step):
    """A derivation: its last step, which holds all others, and the pages that it is written on.

    Its fields, and what each step in it gives, are those of `Step`.
    """

    def text(self) -> str:
        """Spell the derivation for a terminal."""
        return text.page(document(self))

    def latex(self) -> str:
        """Spell the derivation as aligned equations, a block a section, in LaTeX."""
        return latex.page(document(self))

    def markdown(self) -> str:
        """Spell the derivation as Markdown with formulas, a heading a section."""
        return markdown.page(document(self))

    def html(self) -> str:
        """Spell the derivation as a page of HTML, its formulas in MathML."""
        return html.page(document(self))

    def pdf(self) -> bytes:
        """Print the derivation: the bytes of a PDF file.

        Raises:
            UserError: if the extra `print` is not installed.
        """
        return typst.page(document(self))

    def json(self, **how: Any) -> str:
        """Write the steps as JSON: exact values, formulas in LaTeX. See docs/explain.md."""
        return json.dumps(self.as_dict(), **how)

    def as_dict(self) -> dict[str, Any]:
        """Give the steps as plain data, in the order of reading."""
        with speaking(self.lang):
            return {
                "format": FORMAT,
                "lang": language(),
                "symbol": latex.clean(self.symbol),
                "value": np.asarray(self.value).tolist(),
                "checks": self.checks,
                "steps": [_as_dict(step) for step in self.steps()],
            }

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<step {self.number}: {self.symbol} = {self.result}>"

    def _repr_html_(self) -> str:
        anchor = f"d{zlib.crc32(self.json().encode()):08x}-"  # no other in a notebook has it
        return html.fragment(document(self, anchor))

    def _repr_markdown_(self) -> str:
        return self.markdown()


def _as_dict(step: Step) -> dict[str, Any]:
    return {
        "number": step.number,
        "symbol": latex.clean(step.symbol),
        "formula": latex.clean(step.formula),
        "numbers": latex.clean(step.numbers),
        "value": np.asarray(step.value).tolist(),
        "kind": step.kind,
        "where": step.where,
        "note": step.remark,
        "children": [one.number for one in step.children],
        "reused": [one.number for one in step.reused],
    }


__all__ = ["FORMAT", "STAGES", "Derivation", "Section"]
