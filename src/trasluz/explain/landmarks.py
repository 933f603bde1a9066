"""Landmarks: the lines of a tape that are worth a name."""

from __future__ import annotations

from typing import Any

import numpy as np

from trasluz.autodiff import ops
from trasluz.autodiff.tape import Line, Scope, Tape
from trasluz.base.messages import problem
from trasluz.errors import UserError
from trasluz.explain.names import GATES, NOTED, Landmark
from trasluz.layers.base import Layer
from trasluz.state.module import modules_in

MOVES = ("reshape", "transpose", "swapaxes", "where")  # through which a note is looked
AVERAGES = {"mean": "mean", "var": "variance"}


def landmarks(reading: Any) -> dict[int, Landmark]:
    """Find what layers give and note, the sums that go into activations, averages, the errors."""
    steps: list[Line | None] = reading.turns.lines
    paths: set[str] = reading.paths
    calls: dict[int, _Call] = {}
    owners: dict[int, _Call] = {}
    marks: dict[int, Landmark] = {}
    for index, step in enumerate(steps):
        if step is None:
            continue
        layer, turn, composite = _around(step.scope, paths)
        if layer is None:
            if step.primitive.name == "logsumexp":
                marks[index] = Landmark("logsumexp", "loss")
            continue
        path = str(layer).split("/", 1)[1]
        call = calls.setdefault(id(layer), _Call(path, index, layer))
        call.lines.append((index, turn))
        owners[index] = call
        if "output" in step.notes:
            call.given = index, turn
        if names := [name for name in step.notes if name in NOTED]:
            call.noted.append((index, turn, names[0]))
        elif step.primitive.name == "logsumexp":
            call.logarithms.append(index)
        elif composite in AVERAGES:
            call.averages[composite, turn] = index
        elif composite is None and step.primitive.name in ("add", "matmul"):
            call.sums.setdefault(turn, []).append(index)
            call.weighted |= step.primitive.name == "matmul"
    _number(calls)
    final = max(calls.values(), key=lambda call: call.lines[-1][0], default=None)
    renamed: set[int] = set()
    for call in calls.values():
        renamed |= call.mark_noted(steps, marks, owners)
    for call in calls.values():
        call.mark(marks, renamed, last=call is final)
    loss_begins = max((call.lines[-1][0] for call in calls.values()), default=-1) + 1
    _mark_loss(reading, marks, loss_begins)
    return dict(sorted(marks.items()))


def given_to_turns(reading: Any) -> dict[int, Landmark]:
    """Find what each turn of a loop gets from outside it: its part of the inputs' sums."""
    steps, found = reading.turns.lines, {}
    numbers = {mark.where: mark.number for mark in reading.marks.values() if mark.turn}
    for index, step in enumerate(steps):
        if step is None or step.primitive is not ops.getitem or step.parents[0] < 0:
            continue
        layer, turn, _ = _around(step.scope, reading.paths)
        source = steps[step.parents[0]]
        outside = source is not None and not _around(source.scope, reading.paths)[1]
        path = "" if layer is None else str(layer).split("/", 1)[1]
        if turn and outside and path in numbers and index not in reading.marks:
            found[index] = Landmark("given", path, numbers[path], turn)
    return found


def layer_of(reading: Any, step: Line) -> str:
    """Name the layer that a line belongs to, or "loss"."""
    layer = _around(step.scope, reading.paths)[0]
    return "loss" if layer is None else str(layer).split("/", 1)[1]


def layer_paths(model: Any) -> set[str]:
    """List the paths of a model's layers."""
    return {h._path for h in modules_in(model) if isinstance(h, Layer) and h._path}


def _number(calls: dict[int, _Call]) -> None:
    """Count layers in the order in which they are called: one before those within it."""
    depths = {}
    for key, call in calls.items():
        outer, depths[key] = call.scope.outer, 0
        while outer is not None:
            if id(outer) in calls:
                calls[id(outer)].first = min(calls[id(outer)].first, call.first)
                depths[key] += 1
            outer = outer.outer
    for number, key in enumerate(sorted(calls, key=lambda k: (calls[k].first, depths[k])), 1):
        calls[key].number = number


class _Call:
    """The lines of one call of a layer."""

    def __init__(self, path: str, first: int, scope: Scope) -> None:
        self.path, self.first, self.scope = path, first, scope
        self.number = 0
        self.logarithms: list[int] = []
        self.lines: list[tuple[int, str]] = []
        self.sums: dict[str, list[int]] = {}
        self.averages: dict[tuple[str, str], int] = {}
        self.noted: list[tuple[int, str, str]] = []
        self.gated: set[str] = set()
        self.weighted = False
        self.given: tuple[int, str] | None = None

    def mark(self, marks: dict[int, Landmark], renamed: set[int], last: bool) -> None:
        """Name the sum before the activation and the result, in each turn and at the end."""
        for line in self.logarithms:
            marks[line] = Landmark("logsumexp", self.path, self.number)
        known = {(note, turn) for _, turn, note in self.noted}
        for (name, turn), line in self.averages.items():
            if (AVERAGES[name], turn) in known:
                continue  # a layer that notes its mean names it so
            marks[line] = Landmark(AVERAGES[name], self.path, self.number, turn)
        end, final_turn = self.given or self.lines[-1]
        ends = {turn: line for line, turn in self.lines}
        ends |= {turn: line for line, turn, note in self.noted if note == "state"}
        turns = [turn for turn in ends if turn]
        for turn, line in ends.items():
            if turns and not turn:
                continue
            sums = [] if turn in self.gated else self.sums.get(turn, [])
            if sums and sums[-1] != line and self.weighted:  # else the sum is what the layer gives
                marks[sums[-1]] = Landmark("sum", self.path, self.number, turn)
            if turn:
                marks[line] = Landmark("state", self.path, self.number, turn)
        if last:
            marks[end] = Landmark("prediction", self.path, self.number)
        elif not final_turn and end not in renamed:
            marks[end] = Landmark("output", self.path, self.number)

    def mark_noted(
        self, steps: list[Line | None], marks: dict[int, Landmark], owners: dict[int, _Call]
    ) -> set[int]:
        """Name what the layer notes, where it was before it was moved, and what goes into gates."""
        renamed = {index for index, *_ in self.noted}
        for index, turn, note in self.noted:
            source, laid = _source(steps, index)
            if source not in owners or note == "state":  # a state is what a mask leaves of it
                source, laid = index, None
            renamed.add(source)
            owner = owners[source]
            marks[source] = Landmark(note, owner.path, owner.number, turn, laid=laid)
        for index, turn, note in self.noted:
            under = _under(steps, index) if note in GATES else None
            if under is not None and under not in marks and (under, turn) in self.lines:
                marks[under] = Landmark("sum", self.path, self.number, turn, of=note)
                self.gated.add(turn)
        return renamed


def _source(steps: list[Line | None], index: int) -> tuple[int, Any]:
    """Find where the entries of a line were before they were moved, and how they lie now."""
    moves: list[Line] = []
    while (step := steps[index]) is not None and step.primitive.name in MOVES:
        sources = [p for p in step.parents if p >= 0]
        before = steps[sources[0]] if len(sources) == 1 else None
        if before is None or before.value.size != step.value.size:
            break
        moves.insert(0, step)
        index = sources[0]
    if step is None or all(move.primitive.name == "where" for move in moves):
        return index, None
    numbers = np.arange(step.value.size).reshape(step.value.shape)
    for move in moves:
        if move.primitive.name != "where":
            numbers = move.primitive.forward(numbers, *move.args[1:], **move.params)
    return index, (np.argsort(numbers, axis=None), numbers.shape)


def _under(steps: list[Line | None], index: int) -> int | None:
    """Find what goes into the function that a line is the value of, if it is one's."""
    step = steps[index]
    if step is None or len(step.parents) != 1 or step.primitive.kind != "elementwise":
        return None
    return step.parents[0]


def _mark_loss(reading: Any, marks: dict[int, Landmark], start: int) -> None:
    """Name the loss, and of what it is made: data and penalties, rows, the outputs' errors."""
    steps = reading.turns.lines
    noted = [(i, s) for i, s in enumerate(steps) if s and s.notes]
    data = next((i for i, s in noted if "data" in s.notes), None)
    if data is not None:
        marks[data] = Landmark("data", "loss")
    penalties = [i for i, s in noted if "penalty" in s.notes]
    for number, line in enumerate(penalties, 1):
        marks[line] = Landmark("penalty", "loss", number)
    outputs = [(i, s) for i, s in noted if "rows" in s.notes]
    for number, (line, step) in enumerate(outputs, 1):
        series = number if len(outputs) > 1 else 0
        if step.value.ndim and not reading.one and step.value.size > 1:
            marks[line] = Landmark("rows", "loss", series=series)
        errors = _errors(steps, line, start) if step.value.ndim else None
        if errors is not None:
            marks[errors] = Landmark("errors", "loss", series=series)
    marks[reading.last.index] = Landmark("total", "loss")


def _errors(steps: list[Line | None], rows: int, start: int) -> int | None:
    """Find the error of each output: what is summed for a row, where each has its own."""
    line = rows
    while line >= start and (step := steps[line]) is not None:
        if step.primitive.name == "sum":
            source = step.parents[0]
            several = source >= start and step.args[0].ndim > 1 and step.args[0].shape[-1] > 1
            return source if several and _apart(steps, source, start) else None
        line = max((p for p in step.parents if p >= start), default=-1)
    return None


def _apart(steps: list[Line | None], line: int, start: int) -> bool:
    """Tell whether no line of the loss up to this one mixes outputs."""
    step = steps[line]
    if line < start or step is None:
        return True
    plain = step.primitive.kind == "elementwise" or step.primitive.name == "astype"
    return plain and all(_apart(steps, p, start) for p in step.parents)


def _around(scope: Scope | None, paths: set[str]) -> tuple[Scope | None, str, str | None]:
    """Find the layer of the model around a step, the turn of its loop, and a composite's name."""
    turn, composite = "", None
    while scope is not None:
        parts = str(scope).split("/", 1)
        if len(parts) == 2 and parts[1] in paths:
            return scope, turn, composite
        if scope.name.startswith("t="):
            turn = scope.name
        else:
            composite = scope.name  # the outermost one
        scope = scope.outer
    return None, "", None


def cut(tape: Tape, line: int, wrt: str) -> UserError:
    """Say why there is no derivative: what cuts the way to the loss, or that there is none."""
    reached, cuts = {line}, []
    for index, step in enumerate(tape.lines):
        if step is None:
            continue
        for position, parent in enumerate(step.parents):
            if parent in reached:
                rules = step.primitive.rules
                if rules[min(position, len(rules) - 1)] is None:
                    cuts.append((step.primitive.name, str(step.scope or "the loss")))
                else:
                    reached.add(index)
    if cuts:
        row, where = cuts[0]
        return problem("explain-cut", where, name=wrt, row=row)
    return problem("explain-apart", name=wrt)
