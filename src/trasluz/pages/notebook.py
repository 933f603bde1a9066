"""Pages as notebooks: text in Markdown, and a cell of code for each answer."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from itertools import takewhile
from typing import Any

from trasluz.base.messages import DECIMALS
from trasluz.pages import markdown
from trasluz.pages import text as plain
from trasluz.pages.document import Block, Code, Document, Drawing, Exercise, Heading, Section

_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def page(document: Document) -> str:
    """Write a document as the text of a notebook's file."""
    decimal = DECIMALS[document.lang]
    above = tuple(takewhile(lambda block: not isinstance(block, (Code, Section)), document.blocks))
    cells = [_above(replace(document, blocks=above))]
    for block in document.blocks[len(above) :]:
        match block:
            case Code(source, about):
                if about:
                    cells.append(_cell("markdown", markdown.inline(about, decimal)))
                cells.append(_cell("code", source))
            case Section():
                cells += _section(block, decimal)
            case _:
                cells.append(_cell("markdown", "\n".join(markdown.written(block, decimal)[1:])))
    for n, cell in enumerate(cells):
        cell["id"] = f"cell-{n}"
    book = {
        "cells": cells,
        "metadata": {"kernelspec": _KERNEL, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(book, ensure_ascii=False, indent=1)


def _above(document: Document) -> dict[str, Any]:
    """Write what comes before the first code in one cell, with its drawings in it."""
    files: dict[str, Any] = {}

    def attached(block: Block) -> Block:
        if not isinstance(block, Drawing):
            return block
        files[block.file] = {"image/svg+xml": base64.b64encode(block.svg.encode()).decode()}
        return replace(block, file=f"attachment:{block.file}")

    blocks = tuple(map(attached, document.blocks))
    cell = _cell("markdown", markdown.page(replace(document, blocks=blocks)))
    return cell | ({"attachments": files} if files else {})


def _section(section: Section, decimal: str) -> list[dict[str, Any]]:
    """Write a section up to each blank in a cell, and a cell of code for its answer."""
    cells: list[dict[str, Any]] = []
    lines = markdown.written(Heading(section.heading), decimal)[1:]
    for block in section.blocks:
        if not (isinstance(block, Exercise) and block.blank):
            lines += markdown.written(block, decimal)
            continue
        cells.append(_cell("markdown", "\n".join([*lines, *markdown.exercise(block, decimal)])))
        name = plain.write(block.members[0]).strip()
        cells.append(_cell("code", f"{block.blank} = None  # {name}"))
        lines = []
    return [*cells, _cell("markdown", "\n".join(lines).strip())] if lines else cells


def _cell(kind: str, source: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "metadata": {}, "source": source}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})
