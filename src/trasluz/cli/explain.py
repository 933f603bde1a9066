"""`trasluz explain`: the derivative of the loss in one number, on rows of a table."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from trasluz.base.files import write_atomically
from trasluz.base.messages import problem, say
from trasluz.cli.output import Output
from trasluz.cli.use import open_model
from trasluz.tables.preparation import Preparation
from trasluz.tables.reading import Table
from trasluz.typeset.formula import escaped
from trasluz.typeset.symbols import Symbol, constant

FORMATS = {
    "text": ".txt", "latex": ".tex", "markdown": ".md", "html": ".html", "pdf": ".pdf",
    "json": ".json",
}  # fmt: skip


@dataclass(frozen=True)
class ExplainRequest:
    """What is to be explained, and how.

    Args:
        rows: which rows of the table, counted from 1.
        wrt: a path and an entry, such as `dense/kernel[0, 3]`; a path alone is all of it.
        form: one of `FORMATS`; None for that of the file's name, or text.
        out: the file that is written; None for standard output.
        how: further arguments of `Model.explain`.
    """

    rows: Sequence[int]
    wrt: str
    form: str | None
    out: str | None
    how: dict[str, Any]


def explain_rows(place: str, table: Table, request: ExplainRequest, output: Output) -> None:
    """Derive what rows of a table ask of one number.

    Args:
        place: the model.
        table: the rows, with their targets.
        request: what is to be explained, and how.
        output: where it is shown.

    Raises:
        UserError: there is no such row, path or entry.
    """
    path, at = _entry(request.wrt)
    form = request.form or _form_of(request.out)
    for row in request.rows:
        if not 1 <= row <= table.frame.height:
            raise problem("row-unknown", table.source, row=row, rows=table.frame.height)
    if form == "pdf" and not request.out and sys.stdout.isatty():
        raise problem("pdf-to-terminal")
    model, preparation = open_model(place)
    output.note([*table.notes, *preparation.unreadable(table)])
    chosen = replace(table, frame=table.frame[[row - 1 for row in request.rows]])
    for k, row in enumerate(request.rows):
        if any(chosen.frame[k, name] is None for name in preparation.targets):
            raise problem("row-unlabelled", table.source, row=row)
    some, _ = preparation.labelled(chosen, request.rows)
    x, y = preparation.transform(some), preparation.transform_targets(some)
    digits = request.how["digits"]
    cells = _cells(preparation, some, digits) if len(request.rows) == 1 else None
    derivation = model.explain(x, y, path, at, cells=cells, **request.how)
    if output.json and not request.out:
        output.document(derivation.as_dict())
        return
    page = getattr(derivation, form)()
    content = page if isinstance(page, bytes) else (page.rstrip("\n") + "\n").encode()
    if request.out:
        write_atomically(request.out, content)
        output.tell(say("explained-to", file=request.out))
        output.document(derivation.as_dict())
    elif form != "text" and (binary := getattr(sys.stdout, "buffer", None)):
        sys.stdout.flush()
        binary.write(content)  # pages say that they are in UTF-8
    else:
        sys.stdout.write(content.decode())


def _form_of(out: str | None) -> str:
    """Tell from a file's name how it is written."""
    if out is None:
        return "text"
    ending = Path(out).suffix.lower()
    forms = [form for form, known in FORMATS.items() if known == ending]
    if not forms:
        raise problem("format-unknown", out, endings=", ".join(FORMATS.values()))
    return forms[0]


def _entry(wrt: str) -> tuple[str, tuple[int, ...] | None]:
    """Read `dense/kernel[0, 3]` as a path and an entry."""
    match = re.fullmatch(
        r"([^\[\]]+)(?:\[\s*(-?\d{1,18}(?:\s*,\s*-?\d{1,18})*)\s*\])?", wrt.strip()
    )
    if match is None or not match[1].strip():
        raise problem("entry-wrong", wrt=wrt)
    return match[1].strip(), tuple(int(n) for n in match[2].split(",")) if match[2] else None


def _cells(preparation: Preparation, table: Table, digits: int) -> dict[int, Symbol]:
    """Spell how the cells of a row become the network's inputs, from the fitted steps."""
    spelled: list[Symbol] = []
    raw = preparation.cells(table)
    if preparation.numbers:
        numbers = preparation.steps["numbers"]
        for k, name in enumerate(preparation.numbers):
            cell = _cell(name, raw[name], numbers.fill[k], "median")
            mean, scale = (
                constant(s[k], digits) for s in (numbers.scale.mean, numbers.scale.scale)
            )
            spelled.append((cell - mean) / scale)
    for k, name in enumerate(preparation.booleans):
        usual = preparation.steps["booleans"].fill[k]
        spelled.append(_cell(name, raw[name], usual, "mode"))
    rest = preparation.transform(table)[0][len(spelled) :]
    for (column, category), value in zip(preparation.categories, rest, strict=True):
        spelled.append(
            Symbol(rf"\left[{_words(column)} = {_words(category)}\right]", np.float64(value))
        )
    return dict(enumerate(spelled))


def _cell(name: str, value: float, usual: float, function: str) -> Symbol:
    """Name a cell; an empty one is what stands for it."""
    if np.isnan(value):
        return Symbol(rf"\operatorname{{{function}}}\left({_words(name)}\right)", usual)
    return Symbol(_words(name), value)


def _words(text: str) -> str:
    """Write words in LaTeX."""
    return rf"\text{{{escaped(text)}}}"


__all__ = ["FORMATS", "ExplainRequest", "explain_rows"]
