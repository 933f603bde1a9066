r"""What a loss passes by: the softmax or sigmoid under a cross-entropy, with its own derivative.

The training step sees through them to the logits. Here the same derivative is told the long way,
by the derivative of the cross-entropy in each probability and the Jacobian of the softmax, and the
short way, `\hat{y} - t`. Both have to give the number of the training step, or nothing is told.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from trasluz.autodiff import ops
from trasluz.autodiff.tape import Primitive
from trasluz.explain.chain import ByDeltasError, Chain, slope_in
from trasluz.explain.names import SIGNS, derivative_name
from trasluz.explain.tidy import tidied
from trasluz.typeset.symbols import Symbol, block, constant, named_in

MOST_CLASSES = 6


def passed(script: Any) -> Iterator[Any]:
    """Define the derivative of a cross-entropy in a logit, the long way and the short way."""
    reading = script.reading
    line = max((i for i, mark in script.marks.items() if mark.role == "prediction"), default=-1)
    step = script.lines[line] if line >= 0 else None
    if step is None or not reading.one or script.entries[line].ndim != 2:
        return
    classes = script.entries[line].shape[1]
    soft = step.primitive is ops.exp and str(step.scope).endswith("/softmax")
    soft = soft and 1 < classes <= MOST_CLASSES
    if not soft and not (step.primitive.name == "sigmoid" and classes == 1):
        return
    name = "softmax" if soft else "sigmoid"
    under = _line_under(script, line) if soft else step.parents[0]
    logits = script.entries.get(under)
    outputs = [script.entries[line].at((0, k)) for k in range(classes)]
    targets = _targets(script, classes)
    loss = next((i for i, m in script.marks.items() if m.role == "data"), reading.last.index)
    whole = script.entries[loss].at(())
    if targets is None or logits is None:
        return
    with np.errstate(all="ignore"):
        entropy = _entropy(targets, outputs)
    if not np.isclose(float(entropy.value), float(whole.value), rtol=1e-9):
        return
    named = [logits.at((0, j)) for j in range(classes)]
    k = next((j for j, one in enumerate(named) if _holds(script, one)), 0)
    number = float(script.slope_of[under].value[0, k])
    try:
        yield from _told(script, name, whole, entropy, targets, outputs, named, k, number)
    except ByDeltasError:
        return


def _jacobian(script: Any, outputs: list[Symbol], logits: list[Symbol], where: str) -> Any:
    """Define the whole Jacobian of the softmax: a row an output, a column a logit."""
    count = len(outputs)
    chains = [Chain(script, logit) for logit in logits]
    cells = [c.slope_inside(o, z) for o in outputs for c, z in zip(chains, logits, strict=True)]

    def reads(*parts: Any) -> str:
        spelled = [f"{part}" for part in parts]
        return block(spelled[i : i + count] for i in range(0, len(spelled), count))

    def gathered(*values: Any) -> np.ndarray:
        return np.array(values, float).reshape(count, count)

    primitive = Primitive("matrix", gathered, reads, (None,), "structural")
    value = gathered(*(float(cell.value) for cell in cells))
    matrix = Symbol(reads(*cells), value, made=(primitive, cells))
    sign = derivative_name(SIGNS["prediction"].whole, SIGNS["sum"].whole)
    leaf = script.define(
        Symbol(sign, value), lambda: matrix, "factor", where, 0, "", "explain-note-jacobian"
    )
    return script.defined[id(leaf)]


def _told(
    script: Any, name: str, whole: Symbol, entropy: Symbol, targets: list[Symbol],
    outputs: list[Symbol], logits: list[Symbol], k: int, number: float,
) -> Iterator[Any]:  # fmt: skip
    logit, soft = logits[k], name == "softmax"
    where, chain = rf"\operatorname{{{name}}}", Chain(script, logit)
    sign = derivative_name(whole.latex, logit.latex)

    def factor(upper: str, lower: Symbol, formula: Symbol, note: str = "") -> Symbol:
        fraction = derivative_name(upper, lower.latex)
        leaf = Symbol(rf"\boxed{{{fraction}}}", formula.value)
        named: Symbol = script.define(leaf, lambda: formula, "factor", where, 0, fraction, note)
        return named

    leaf = Symbol(whole.latex, entropy.value)
    script.define(leaf, lambda: entropy, "factor", where, 0, "", "explain-note-entropy")
    yield script.defined[id(leaf)]
    if soft:
        yield _jacobian(script, outputs, logits, where)
    products = []
    for output in outputs:
        outer = slope_in(entropy, output)
        if outer is None:  # a class that is not the label's
            continue
        inner = chain.slope_inside(output, logit)
        products.append(
            factor(whole.latex, output, outer) * factor(output.latex, logit, inner)
        )  # fmt: skip
    for note, formula in (
        ("explain-note-long-way", functools.reduce(ops.add, products)),
        ("explain-note-short-way", tidied(ops.subtract(outputs[k], targets[k]))),
    ):
        if np.isclose(float(formula.value), number, rtol=1e-9, atol=1e-12):
            leaf = Symbol(sign, formula.value)
            script.define(leaf, lambda f=formula: f, "chain", where, 0, "", note)
            yield script.defined[id(leaf)]


def _line_under(script: Any, line: int) -> int:
    """Find the line that the softmax was taken of: its greatest entry was taken off first."""
    while (step := script.lines[line]) is not None and step.primitive.name != "subtract":
        line = step.parents[0]
    inner = script.lines[step.parents[0]] if step is not None else None
    is_shift = inner is not None and inner.primitive.name == "subtract"
    shifted = inner.parents[0] if is_shift else step.parents[0]  # type: ignore[union-attr]
    return int(shifted)


def _targets(script: Any, classes: int) -> list[Symbol] | None:
    """Name the targets; of a label, the ones and zeros that it stands for."""
    target = script.targets
    if target is None:
        return None
    if hasattr(target, "at") and target.shape == (1, classes):
        return [target.at((0, k)) for k in range(classes)]
    label = np.asarray(getattr(target, "value", target)).ravel()
    if classes < 2 or label.size != 1:
        return None
    return [constant(int(k == int(label[0]))) for k in range(classes)]


def _entropy(targets: list[Symbol], outputs: list[Symbol]) -> Symbol:
    """Spell the cross-entropy of targets and probabilities."""
    if len(outputs) == 1:
        (t,), (p,) = targets, outputs
        return tidied(-(t * ops.log(p) + (1 - t) * ops.log(1 - p)))
    terms = [
        ops.log(p) if t.literal else t * ops.log(p)
        for t, p in zip(targets, outputs, strict=True)
        if not (t.literal and float(t.value) == 0)
    ]
    return tidied(-functools.reduce(ops.add, terms))


def _holds(script: Any, logit: Symbol) -> bool:
    """Tell whether a logit's formula holds what is asked for."""
    known = script.defined.get(id(logit))
    return known is not None and any(n is script.target_leaf for n in named_in(known.formula))
