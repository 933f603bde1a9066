"""What is said of single rows: steps that do not count, units that are off, words of a table."""

from __future__ import annotations

from typing import Any

import numpy as np

from trasluz.autodiff import ops
from trasluz.explain.remarks import Remark, of_value
from trasluz.typeset.entries import HALF, Entries, Place
from trasluz.typeset.symbols import Symbol

SAID_OF_ROWS = {
    "windows": "explain-row-windows", "place": "explain-row-place", "where": "explain-row-mask",
    "scatter_add": "explain-row-scatter",
}  # fmt: skip


def of_line(script: Any, index: int, place: Place, formula: Symbol) -> list[Remark]:
    """Say what happened to an entry of a line that has a name.

    Args:
        script: the tape of entries.
        index: the line.
        place: the entry.
        formula: what it stands for.
    """
    step, mark = script.lines[index], script.marks[index]
    if mark.turn and step.primitive.name == "where" and not isinstance(step.args[0], Entries):
        counts = np.broadcast_to(np.asarray(step.args[0]), script.entries[index].shape)
        if not counts[place]:
            return [Remark("explain-step-masked")]
    if formula.literal and float(formula.value) == 0 and step.primitive is ops.multiply:
        return [Remark("explain-off")]
    return of_value(formula)


def of_rows(formula: Symbol, said: set[str]) -> list[Remark]:
    """Say what some rows do to whole arrays, where each comes first.

    Args:
        formula: of whole arrays.
        said: what has been said; it is added to.
    """
    rest, found = [formula], []
    while rest:
        one = rest.pop()
        row, parts = one.made or (None, [])
        name = row.name if row is not None else ""
        if name in SAID_OF_ROWS and name not in said:
            said.add(name)
            found.append(Remark(SAID_OF_ROWS[name]))
        rest += parts
    return found


def of_table(script: Any) -> list[Remark]:
    """Say where a row of a table was looked up: what comes back to those places adds up."""
    found, used = [], False
    if script.wrt not in script.params:
        return []
    for index, step in enumerate(script.lines):
        if step is None or step.primitive is not ops.take or script.target not in step.parents:
            continue
        used = True
        axis = step.params["axis"] % script.reading.params[script.wrt].ndim
        if axis:
            return []
        words = np.asarray(step.args[1])
        for where in np.argwhere(words == script.place[0]):
            at = (*(int(i) for i in where), *script.place[1:])
            found.append(script.entries[index].at(at))
    if not used:
        return []
    if not found:
        return [Remark("explain-row-unused")]
    shown = [one for one in found if id(one) in script.defined][:HALF]
    if len(shown) < min(len(found), HALF):
        return []
    facts = {"count": len(found), "which": shown, "more": len(found) - len(shown)}
    return [Remark("explain-row-used", facts)]
