r"""Back through a normalisation: the paths through `\hat{x}`, variance and mean, and all in one.

Wherever a layer notes what it has normalised, the derivative in its input is a sum over three
paths. Worked out together they are `(d - \overline{d} - \hat{x}\,\overline{d \hat{x}}) / \sigma`
with `d = \partial E / \partial \hat{x}`, the means over what is normalised together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from trasluz.autodiff import ops
from trasluz.explain.remarks import Remark
from trasluz.typeset.symbols import Symbol, named_in

BACK = "back to "
ROW = ops.reshape_row  # groups are laid apart before they are normalised


def normalises(script: Any) -> bool:
    """Tell whether a derivative goes through a variance: it is told by deltas then."""
    lines = (line for line, mark in script.marks.items() if mark.role == "variance")
    return any(line in script.slope_of for line in lines)


def of_paths(formula: Symbol, defined: Mapping[int, Any]) -> list[Remark]:
    """Say what each path adds to a derivative through mean and variance.

    Args:
        formula: the derivative; it is linear in those it is made of.
        defined: what names stand for, by their identity.
    """
    roles: dict[str, str] = {}
    for one in named_in(formula):
        known = defined.get(id(one))
        if known is not None and known.role.startswith(BACK):
            roles[one.name] = known.role.removeprefix(BACK)
    if not {"mean", "variance", "normalised"} <= {*roles.values()}:
        return []
    parts = {
        role: float(formula.at({name: 0.0 for name, other in roles.items() if other != role}))
        for role in ("normalised", "variance", "mean")
    }
    return [Remark("explain-paths", parts)]


def collapsed(script: Any) -> Iterator[Any]:
    """Define the derivative in one entry that was normalised in one formula, once a normalisation.

    The entry is the first whose derivative has been told.
    """
    for line, mark in script.marks.items():
        step = script.lines[line]
        if mark.role != "normalised" or line not in script.slope_of or step is None:
            continue
        deviation = step.args[1]
        source = script.lines[step.parents[0]].parents[0]
        while source >= 0 and script.lines[source] and script.lines[source].primitive is ROW:
            source = script.lines[source].parents[0]
        told = script.slope_of.get(source)
        if told is None or step.primitive is not ops.divide or not hasattr(deviation, "made"):
            continue
        here, back = script.entries[line], script.slope_of[line]
        axes = tuple(k for k, n in enumerate(here.shape) if n > 1 and deviation.shape[k] == 1)
        mean = lambda x, axes=axes: ops.mean(x, axis=axes, keepdims=True)  # noqa: E731
        whole = (back - mean(back) - here * mean(back * here)) / deviation
        whole = ops.reshape(whole, told.shape)
        if not np.allclose(whole.value, told.value, rtol=1e-9, atol=1e-12):
            continue  # something else leads to the input
        for place in np.ndindex(told.shape):
            leaf = told.known(place)
            known = script.defined.get(id(leaf))
            if known is not None and known.is_told:
                yield _defined(script, known, leaf, whole, place)
                break


def _defined(script: Any, known: Any, leaf: Symbol, whole: Any, place: tuple[int, ...]) -> Any:
    new = Symbol(leaf.latex, leaf.value)
    script.define(
        new, lambda: whole.at(place), known.kind, known.where, known.order,
        note="explain-paths-together",
    )  # fmt: skip
    return script.defined[id(new)]
