r"""How much of an early step is left: `\partial c_T / \partial c_1`, a product of forget gates.

A state that a recurrent layer carries on is spelled with the one before in it. The derivative of
each in the one before, read off its formula, is what is kept of it in that turn: the forget gate of
an LSTM, the update gate of a GRU. Ways through other names are not part of it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from trasluz.autodiff import ops
from trasluz.explain.chain import ByDeltasError, slope_in
from trasluz.explain.names import derivative_name
from trasluz.explain.remarks import Remark
from trasluz.explain.tidy import tidied
from trasluz.typeset.entries import HALF
from trasluz.typeset.symbols import Symbol, named_in

CARRIED = ("cell", "state")


def memory(script: Any) -> Iterator[Any]:
    """Define, for each state that is carried on, the derivative of the last in the first."""
    last: dict[str, dict[str, int]] = {}
    for line, mark in script.marks.items():
        if mark.role in CARRIED and mark.turn and _is_used(script, line):
            last.setdefault(mark.where, {})[mark.role] = line
    for where, lines in last.items():
        entries = script.entries[lines.get("cell", lines.get("state", 0))]
        for unit in _units(script, where, entries.shape[-1]):
            yield from _told(script, where, entries.at((0, unit)))


def _is_used(script: Any, line: int) -> bool:
    """Tell whether something comes back to a state: not to those of steps that do not count."""
    slope = script.slope_of.get(line)
    return slope is not None and bool(np.any(slope.value))


def _units(script: Any, where: str, count: int) -> range | tuple[int, ...]:
    """Choose the unit that the weight in question belongs to; else the first ones."""
    if script.wrt in script.params and script.wrt.rpartition("/")[0] == where:
        return (script.place[-1] % count,)
    return range(min(count, HALF))


def _told(script: Any, where: str, last: Symbol) -> Iterator[Any]:
    kept: list[Symbol] = []
    names = [last]
    while (one := _before(script, names[-1])) is not None:
        try:
            slope = slope_in(script.defined[id(names[-1])].formula, one)
        except ByDeltasError:
            return
        if slope is None:
            return
        kept.append(slope)
        names.append(one)
    if not kept:
        return
    product = tidied(functools.reduce(ops.multiply, kept))
    sign = derivative_name(last.latex, names[-1].latex)
    facts = {"first": names[-1], "last": last}
    end = max(line for line, mark in script.marks.items() if mark.where == where)
    leaf = script.define(
        Symbol(sign, product.value), lambda: product, "forward", where, end,
        remarks=lambda formula: [Remark("explain-memory", facts)],
    )  # fmt: skip
    yield script.defined[id(leaf)]


def _before(script: Any, name: Symbol) -> Symbol | None:
    """Give the state that a state's formula holds, if it is one alone."""
    own = script.defined[id(name)]
    held = {
        id(one): one
        for one in named_in(own.formula)
        if (known := script.defined.get(id(one))) and known.role == own.role
        and known.where == own.where
    }  # fmt: skip
    return next(iter(held.values())) if len(held) == 1 else None
