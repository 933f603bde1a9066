"""Asking for a derivation: `explain`, and how its arguments read."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from trasluz.base.arguments import check
from trasluz.base.messages import problem, speaking
from trasluz.errors import shown
from trasluz.explain import matrices
from trasluz.explain.derivation import Derivation
from trasluz.explain.reading import Place, Reading
from trasluz.explain.script import Question, Script
from trasluz.typeset.symbols import Symbol

DEPTHS = ("layer", "op")


def explain(
    model: Any,
    x: Any,
    y: Any,
    wrt: str,
    at: Place | int | None = None,
    digits: int = 5,
    training: bool = False,
    update: bool = False,
    *,
    depth: str = "layer",
    names: Any = "math",
    lang: str | None = None,
    cells: Mapping[int, Symbol] | None = None,
) -> Derivation:
    """Derive the derivative of the loss in one entry of anything, step by step.

    Args:
        model: a compiled model.
        x: the inputs of some rows.
        y: their targets.
        wrt: the path of a parameter, such as "dense/kernel"; of a layer, such as "dense", for what
            it gives, or "dense/sum" for what goes into its activation; or "x" for the input.
        at: which entry of it; the row may be left out where there is one only. None for the
            matrix form.
        digits: significant digits in print.
        training: whether layers behave as in training.
        update: whether to go on to the entry's new value, as the optimizer works it out.
        depth: "layer" names what layers give; "op" every row's result.
        names: "math", "course", "keras", or names in LaTeX by path and place.
        lang: the language of its pages; that of messages unless given.
        cells: where the inputs of a single row come from: formulas by column.

    Returns:
        The tree of steps; its root carries the same number from the backward pass and from a
        central difference.

    Raises:
        UserError: for a path or an entry that does not exist or has no derivative, or where a
            number is not finite.
    """
    with speaking(None if lang is None else str(lang)):
        check(explain, "explain", (), {"training": training, "update": update, "depth": depth})
        if depth not in DEPTHS:
            raise problem("explain-depth", depth=str(depth))
        if not (isinstance(digits, int) and 1 <= digits <= 17):
            raise problem("explain-digits", digits=str(digits))
        if cells is not None and not isinstance(cells, Mapping):
            raise problem("explain-cells", cells=shown(cells))
        reading = Reading(model, x, y, training)
        if at is None:
            if update or depth != "layer" or names is None or str(names) != "math":
                raise problem("explain-needs-entry")
            return matrices.derive(reading, wrt, digits, lang)
        place = _indices(at)
        return derive(reading, Question(str(wrt), place, digits, update, depth, names, lang, cells))


def derive(reading: Reading, question: Question) -> Derivation:
    """Spell the derivative in one entry, and all it rests on; or the entry's new value.

    Args:
        reading: a training step.
        question: which entry, and how it is told.

    Raises:
        UserError: there is no such entry, or it has no derivative.
    """
    wrt, line = reading.find(question.wrt)
    if question.update and wrt not in reading.params:
        raise problem("explain-not-moved", name=wrt)
    place = reading.place(wrt, line, question.at)
    script = Script(reading, question, line, place)
    derived = float(script.derivative.formula.at({}))
    checks = reading.checks(wrt, line, place, derived)
    root = script.tree()
    root.checks = checks
    return root


def check_gradients(
    model: Any,
    x: Any,
    y: Any,
    training: bool = False,
    print_fn: Callable[[str], Any] | None = None,
) -> dict[str, float]:
    """Compare the backward pass with central differences, in double precision.

    Says which parameter is the worst.

    Args:
        model: a compiled model.
        x: the inputs of a few rows.
        y: their targets.
        training: whether layers behave as in training.
        print_fn: says it; `print` unless given.

    Returns:
        For each parameter, the greatest difference over its entries (at most 20 of them,
        evenly spread), relative to the greatest derivative; the worst first.
    """
    apart = Reading(model, x, y, training).differences()
    if apart:
        path, worst = next(iter(apart.items()))
        (print_fn or print)(f"{path} is the worst of {len(apart)}: apart by {worst:.1e}")
    return apart


def _indices(at: Any) -> Place:
    """Read which entry is asked for.

    Raises:
        UserError: if that is no whole number and none of several.
    """
    listed = at if isinstance(at, (tuple, list, np.ndarray)) else (at,)
    try:
        return tuple(operator.index(i) for i in listed)
    except TypeError:
        raise problem("explain-at", at=str(at)) from None
