"""`trasluz explain`: the derivative of the loss in one weight, on one row of a table."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import Any

from trasluz.cli.face import Face
from trasluz.cli.using import open_model
from trasluz.messages import problem, say
from trasluz.tables import Table
from trasluz.typeset import number

FORMATS = ("text", "latex", "markdown", "json")


def explain_row(
    place: str, table: Table, row: int, wrt: str, form: str, update: bool, face: Face
) -> None:
    """Derive what one row of a table asks of one weight.

    Args:
        place: the model.
        table: the rows, with their targets.
        row: which one, counted from 1.
        wrt: a path and an entry, such as `dense/kernel[0, 3]`.
        form: one of `FORMATS`.
        update: whether to go on to the weight's new value.
        face: where it is shown.

    Raises:
        UserError: there is no such row, path or entry.
    """
    path, at = _entry(wrt)
    if not 1 <= row <= table.frame.height:
        raise problem("row-unknown", table.source, row=row, rows=table.frame.height)
    model, preparation = open_model(place)
    face.note([*table.notes, *preparation.unreadable(table)])
    one, _ = preparation.labelled(replace(table, frame=table.frame[row - 1 : row]))
    x, y = preparation.transform(one), preparation.transform_targets(one)
    derivation = model.explain(x, y, path, at, update=update)
    if face.json:
        face.document(derivation.as_dict())
        return
    if form == "text":
        _show_inputs(preparation, x[0], face)
    made: dict[str, Any] = {
        "text": derivation.text,
        "latex": derivation.latex,
        "markdown": derivation.markdown,
        "json": derivation.json,
    }
    sys.stdout.write(made[form]() + "\n")


def _entry(wrt: str) -> tuple[str, tuple[int, ...]]:
    """Read `dense/kernel[0, 3]` as a path and an entry."""
    found = re.fullmatch(r"([^\[\]]+)\[\s*(-?\d+(?:\s*,\s*-?\d+)*)\s*\]", wrt.strip())
    if found is None:
        raise problem("entry-wrong", wrt=wrt)
    return found[1].strip(), tuple(int(n) for n in found[2].split(","))


def _show_inputs(preparation: Any, values: Any, face: Face) -> None:
    """Show what the cells of the row have become: the inputs by their names in formulas."""
    rows = [
        [f"x{i}", str(feature), number(float(value), 5)]
        for i, (feature, value) in enumerate(zip(preparation.features, values, strict=True), 1)
    ]
    face.table(say("inputs-title"), ["", say("inputs-feature"), say("inputs-value")], rows)
