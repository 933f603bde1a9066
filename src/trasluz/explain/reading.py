"""Reading a training step aloud: the same tape, with symbols in the places of numbers.

The model runs twice. On numbers, to know what happened and where its landmarks are: what each
layer gives, and what goes into its activation. On symbols, where each landmark gets a name, so
that formulas stay short. The backward walk is the one that trains; its derivatives at landmarks
are named too. Nothing here knows any derivative.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from trasluz import random
from trasluz.data import Batch
from trasluz.entries import Entries, values
from trasluz.errors import UserError, nearest
from trasluz.explain.derivation import Derivation
from trasluz.layer import Layer
from trasluz.loop import Run
from trasluz.state import Context, holders
from trasluz.tape import Box, Scope, Step, Tape
from trasluz.training import Bound
from trasluz.tree import leaves, tree_map
from trasluz.typeset import Symbol, named_by_value

LETTERS = {
    "kernel": "w", "bias": "b", "recurrent_kernel": "u", "embeddings": "e", "gamma": r"\gamma",
    "beta": r"\beta", "alpha": r"\alpha", "moving_mean": "m", "moving_variance": "v",
}  # fmt: skip
SLOTS = {"momentum": "m", "velocity": "v", "accumulator": "s", "average": r"\bar{w}"}
MOST_ENTRIES = 20_000


def explain(
    model: Any,
    x: Any,
    y: Any,
    wrt: str,
    at: tuple[int, ...] | int,
    digits: int = 5,
    training: bool = False,
    update: bool = False,
) -> Derivation:
    """Derive the derivative of the loss in one entry of a parameter, step by step.

    Args:
        model: a compiled model.
        x: the inputs of some rows.
        y: their targets.
        wrt: the path of a parameter, such as "dense/kernel".
        at: which entry of it.
        digits: significant digits in print.
        training: whether layers behave as in training.
        update: whether to go on to the entry's new value, as the optimizer works it out.

    Returns:
        The tree of steps; its root carries the same number from the backward pass and from a
        central difference.

    Raises:
        UserError: for a path or an entry that does not exist, or a step too large to be spelled.
    """
    reading = Reading(model, x, y, training)
    return reading.derive(wrt, (at,) if isinstance(at, int) else tuple(at), digits, update)


class Reading:
    """One training step of a model on some rows, on numbers and on symbols, in double precision."""

    def __init__(self, model: Any, x: Any, y: Any, training: bool = False) -> None:
        run = Run(model, "numpy")
        data = model._arrays(x, y)
        run._prepare(data.rows(slice(None)))
        self.model, self.target, self.training = model, run.target, training
        self.batch = tree_map(_wide, Batch(data.x, data.y))
        self.bound = Bound(model, run.target)
        arrays = {v.path: _wide(v.numpy()) for v in model.weights}
        moved = {v.path for v in model.trainable_weights}
        self.params = {p: a for p, a in arrays.items() if p in moved}
        self.fixed = {p: a for p, a in arrays.items() if p not in moved}
        self.root = random.key(0) if model._root is None else model._root
        self.tape = Tape()
        self.total, self.inputs = self.record(self.tape, self.params, self.fixed, self.batch)

    def record(
        self, tape: Tape, params: Any, fixed: Any, batch: Batch
    ) -> tuple[Any, dict[str, Box]]:
        """Run the step on a tape: the loss, and the parameters as they went in."""
        step = self.model.optimizer.iterations
        context = Context(self.training, self.root, np.asarray(step, np.int32))
        inputs = {path: tape.input(value) for path, value in params.items()}
        total, _ = self.bound.objective(inputs, fixed, batch, context)
        return total, inputs

    # ---------------------------------------------------------------------------- on numbers

    def gradient(self) -> dict[str, Any]:
        """The derivative of the loss in every parameter, from the backward pass."""
        grads = self.tape.backward({self.total.index: np.ones_like(self.total.value)})
        found = {path: grads.get(box.index) for path, box in self.inputs.items()}
        return {p: np.zeros_like(self.params[p]) if g is None else g for p, g in found.items()}

    def loss(self, params: dict[str, Any]) -> float:
        """The loss at some parameters."""
        return float(self.record(Tape(), params, self.fixed, self.batch)[0].value)

    def difference(self, path: str, at: tuple[int, ...], step: float = 1e-6) -> float:
        """The central difference of the loss in one entry."""
        sides = []
        for sign in (1, -1):
            moved = self.params[path].copy()
            moved[at] += sign * step
            sides.append(self.loss({**self.params, path: moved}))
        return (sides[0] - sides[1]) / (2 * step)

    def differences(self, most: int = 20) -> dict[str, float]:
        """How far backward pass and central differences are apart, by parameter, worst first."""
        gradient = self.gradient()
        scale = max([1e-12, *(float(np.abs(g).max()) for g in gradient.values())])
        worst = {}
        for path, g in gradient.items():
            chosen = np.unique(np.linspace(0, g.size - 1, min(most, g.size)).astype(int))
            places = [tuple(int(i) for i in np.unravel_index(n, g.shape)) for n in chosen]
            apart = [abs(float(g[at]) - self.difference(path, at)) for at in places]
            worst[path] = max(apart) / scale
        return dict(sorted(worst.items(), key=lambda item: -item[1]))

    # ---------------------------------------------------------------------------- on symbols

    def derive(
        self, path: str, at: tuple[int, ...], digits: int, update: bool = False
    ) -> Derivation:
        """Spell the derivative in one entry, and all it rests on; or the entry's new value."""
        self._check(path, at)
        script = Script(self)
        place = at if self.params[path].ndim else ()
        entry = script.params[path].array[place]
        checks = {
            "derived": float(script.gradient[path].array[place].value),
            "backward": float(self.gradient()[path][place]),
            "central difference": self.difference(path, place),
        }
        if update:
            name, spelled = entry.latex + r"^{\prime}", script.update(path, place)
        else:
            name, spelled = _slope(entry.latex), script.gradient[path].array[place]
        root = script.tree(Symbol(name, spelled.value), spelled, "backward", path, digits)
        root.checks = checks
        return root

    def _check(self, path: str, at: tuple[int, ...]) -> None:
        if path not in self.params:
            raise UserError(f"there is no parameter {path!r}", "wrt", nearest(path, self.params))
        shape = self.params[path].shape
        if len(at) != len(shape) or any(not -n <= i < n for i, n in zip(at, shape, strict=True)):
            raise UserError(f"{path} of shape {shape} has no entry {at}", "at")
        size = sum(np.size(v) for s in self.tape.steps if s for v in leaves(s.value))
        products = sum(
            math.prod(s.args[0].shape) * s.args[1].shape[-1]
            for s in self.tape.steps
            if s and s.row.name == "matmul"
        )
        if size + products > MOST_ENTRIES:
            raise UserError(
                f"the step has {size + products:,} terms, {MOST_ENTRIES:,} can be spelled",
                "explain",
                "give fewer rows, or explain a smaller network",
            )
        if any(s and s.row.kind == "joint" for s in self.tape.steps):
            raise UserError("recurrent layers cannot be spelled yet", "explain")


class Script(Tape):
    """A tape of symbols: its landmarks are named as they are written."""

    __slots__ = ("defined", "gradient", "marks", "one", "params", "reading", "signs")

    def __init__(self, reading: Reading) -> None:
        super().__init__()
        self.reading = reading
        self.defined: dict[int, tuple[Symbol, Symbol, str, str]] = {}
        self.marks = landmarks(reading)
        self.signs: dict[int, str] = {}
        numbers = {mark.where: mark.number for mark in reversed(list(self.marks.values()))}
        batch = reading.batch
        self.one = all(len(a) == 1 for a in leaves(batch.x))
        self.params = {p: _parameter(p, a, numbers) for p, a in reading.params.items()}
        fixed = {p: _parameter(p, a, numbers) for p, a in reading.fixed.items()}
        x, y = _series("x", batch.x, self.one), _series("t", batch.y, self.one)
        total, inputs = reading.record(self, self.params, fixed, Batch(x, y))
        self._define(total.index, r"E", total, "loss", "loss")
        grads = self.backward({total.index: Entries(named_by_value(1))}, visit=self._visit)
        zero = lambda box: Entries(_mapped(lambda s: named_by_value(0), box.value.array))  # noqa: E731
        self.gradient = {p: grads.get(b.index, zero(b)) for p, b in inputs.items()}

    def write(self, step: Step) -> Any:
        """Write a step; name its value if it is a landmark."""
        index = len(self.steps)
        result = super().write(step)
        if index in self.marks and isinstance(result, Box):
            mark = self.marks[index]
            self._define(index, mark.sign, result, "forward", mark.where)
            step.value = result.value
        return result

    def _define(self, index: int, sign: str, box: Any, kind: str, where: str) -> None:
        self.signs[index] = sign
        box.value = self._named(sign, box.value, kind, where)

    def _named(
        self, sign: str, spelled: Entries, kind: str, where: str, rows: bool = True
    ) -> Entries:
        one = rows and spelled.ndim > 0 and self.one
        names = _names(sign, spelled.shape, one)
        found = values(spelled)
        for place, name in np.ndenumerate(names):
            leaf = Symbol(_slope(name) if kind == "backward" else name, found[place])
            formula: Any = spelled.array[place]
            self.defined[id(leaf)] = (leaf, formula, kind, where)
            names[place] = leaf
        return Entries(names)

    def _visit(self, index: int, g: Entries) -> Entries:
        """Name the derivative in a landmark."""
        if index not in self.marks:
            return g
        return self._named(self.signs[index], g, "backward", self.marks[index].where)

    def update(self, path: str, place: tuple[int, ...]) -> Symbol:
        """Spell the new value of an entry: the optimizer's own update, run on symbols."""
        model, reading = self.reading.model, self.reading
        slots = model._slots or model.optimizer.init(reading.params)
        named = {
            p: self._named(_sign(self.params[p]), g, "backward", p, rows=False)
            for p, g in self.gradient.items()
        }
        state = {
            p: {slot: _symbols(SLOTS.get(slot, rf"\mathrm{{{slot}}}"), _wide(a), False)
                for slot, a in own.items()}
            for p, own in slots.items()
        }  # fmt: skip
        step = np.asarray(model.optimizer.iterations, np.int32)
        new, _ = model.optimizer.update(named, state, self.params, step)
        return new[path].array[place]

    def tree(self, leaf: Symbol, spelled: Symbol, kind: str, where: str, digits: int) -> Derivation:
        """Grow the tree of steps under a formula; what was worked out before is only named."""
        seen: set[int] = set()

        def grow(leaf: Symbol, spelled: Symbol, kind: str, where: str) -> Derivation:
            step = Derivation(leaf.latex, spelled, kind, where, digits=digits)
            for name in _leaves(spelled):
                if id(name) not in self.defined:
                    continue
                if id(name) in seen:
                    step.reused.append(name.latex)
                    continue
                seen.add(id(name))
                step.children.append(grow(*self.defined[id(name)]))
            return step

        return grow(leaf, spelled, kind, where)


class Landmark(NamedTuple):
    """A line of the tape that is worth a name: the name, where it is, and the layer's number."""

    sign: str
    where: str
    number: int


# Lines of the loss that get a name, by row: they keep the formulas of cross-entropies short.
OF_THE_LOSS = {"logsumexp": r"\ell", "stop_gradient": r"\mu"}


def landmarks(reading: Reading) -> dict[int, Landmark]:
    """Find the lines worth a name: what layers give, and the sums that go into activations."""
    paths = {h._path for h in holders(reading.model) if isinstance(h, Layer) and h._path}
    calls: dict[int, tuple[str, list[int], list[int]]] = {}
    found: dict[int, Landmark] = {}
    for index, step in enumerate(reading.tape.steps):
        if step is None:
            continue
        scope = _layer_scope(step.scope, paths)
        if scope is None:
            if step.row.name in OF_THE_LOSS:
                found[index] = Landmark(OF_THE_LOSS[step.row.name], "loss", 0)
            continue
        path = str(scope).split("/", 1)[1]
        _, lines, sums = calls.setdefault(id(scope), (path, [], []))
        lines.append(index)
        if step.scope is scope and step.row.name in ("add", "matmul"):
            sums.append(index)
    for number, (path, lines, sums) in enumerate(calls.values(), 1):
        before = [i for i in sums if i != lines[-1]]
        if before:
            found[before[-1]] = Landmark(f"z^{{({number})}}", path, number)
        output = r"\hat{y}" if number == len(calls) else f"a^{{({number})}}"
        found[lines[-1]] = Landmark(output, path, number)
    return found


def _layer_scope(scope: Scope | None, paths: set[str]) -> Scope | None:
    """Find the innermost scope around a step that is a layer of the model."""
    while scope is not None:
        parts = str(scope).split("/", 1)
        if len(parts) == 2 and parts[1] in paths:
            return scope
        scope = scope.outer
    return None


# ------------------------------------------------------------------------------------- naming


def _wide(a: Any) -> Any:
    return np.asarray(a, "float64") if np.asarray(a).dtype.kind == "f" else a


def _slope(name: str) -> str:
    return rf"\frac{{\partial E}}{{\partial {name}}}"


def _sign(entries: Entries) -> str:
    """Give back the name of an array from that of its first entry."""
    first: Symbol = entries.array.ravel()[0]
    return first.latex.rsplit("_{", 1)[0]


def _names(sign: str, shape: tuple[int, ...], one: bool) -> np.ndarray:
    """Name entries by their places; a single row's number is left out."""
    names = np.empty(shape, object)
    for place in np.ndindex(shape):
        index = place[1:] if one else place
        low = ",".join(str(i + 1) for i in index)
        names[place] = f"{sign}_{{{low}}}" if low else sign
    return names


def _symbols(sign: str, array: Any, one: bool) -> Entries:
    names = _names(sign, array.shape, one)
    for place, name in np.ndenumerate(names):
        names[place] = Symbol(name, array[place])
    return Entries(names)


def _parameter(path: str, array: Any, numbers: dict[str, int]) -> Entries:
    layer, _, attribute = path.rpartition("/")
    letter = LETTERS.get(attribute, rf"\mathrm{{{attribute}}}")
    return _symbols(f"{letter}^{{({numbers.get(layer, 1)})}}", array, False)


def _series(sign: str, tree: Any, one: bool) -> Any:
    """Name inputs or targets; whole numbers, such as labels, stay numbers."""
    spell = lambda a: _symbols(sign, a, one) if a.dtype.kind == "f" else a  # noqa: E731
    return tree_map(spell, tree)


def _mapped(f: Any, array: np.ndarray) -> np.ndarray:
    return np.asarray(np.frompyfunc(f, 1, 1)(array), object)


def _leaves(spelled: Symbol) -> Iterator[Symbol]:
    """List the names in a formula."""
    if spelled.made is None:
        yield spelled
        return
    for part in spelled.made[1]:
        yield from _leaves(part)


__all__ = ["Reading", "explain"]
