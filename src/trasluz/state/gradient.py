"""Gradients of what happens while a tape is open, in Keras's and TensorFlow's manner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from trasluz.autodiff.backend import namespace
from trasluz.autodiff.tape import Box, Held, Line, Tape, bare, held, released
from trasluz.base.tree import fill, leaves
from trasluz.errors import UserError, shown, unknown
from trasluz.state.context import _opened, current, opened
from trasluz.state.module import Module, Weight, weights_of


class Lines(Tape):
    """A tape that can be closed: what is computed from its boxes afterwards is plain again."""

    __slots__ = ("closed",)

    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    def write(self, line: Line) -> Any:
        """Add a line, as long as the tape is open."""
        return line.value if self.closed else super().write(line)


class GradientTape:
    """Takes down what is computed inside `with`; then gives derivatives.

    Trainable weights are watched by themselves: those of the model whose step is running, and
    those of layers that are called. What else derivatives are asked in is watched by `watch`.
    Tapes inside tapes give derivatives of derivatives.

    Args:
        persistent: whether `gradient` may be asked more than once.
        watch_accessed_variables: whether trainable weights are watched by themselves.

    Raises:
        UserError: if a tape is used twice, asked twice, or asked for what it cannot know.

    >>> import trasluz
    >>> x = trasluz.Variable(3.0)
    >>> with GradientTape() as outer:
    ...     with GradientTape() as inner:
    ...         y = x * x * x
    ...     slope = inner.gradient(y, x)
    >>> float(slope), float(outer.gradient(slope, x))
    (27.0, 18.0)
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self.persistent, self.watches = persistent, watch_accessed_variables
        self._tape: Lines | None = None
        self._weights: dict[tuple[int, str], tuple[dict[str, Any], Any, Box]] = {}
        self._values: dict[int, tuple[Any, Any, Box]] = {}
        self._put: dict[tuple[int, str], dict[str, Any]] = {}  # where arrays were replaced
        self._asked = False

    def __enter__(self) -> GradientTape:
        if self._tape is not None:
            raise UserError("the tape was used already", "GradientTape", "make another one")
        self._tape = Lines()
        self._token = _opened.set((*_opened.get(), self))
        context = current()
        if context is not None and context.acting is not None:
            if context.acting.tapes is not None:
                context.acting.tapes.append(self._tape)
            self.take_in(context.acting.model)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._tape is not None
        _opened.reset(self._token)
        self._tape.closed = True
        for places, before, box in self._weights.values():
            attribute = before[0]
            if places[attribute] is box:
                places[attribute] = before[1]
        for (_place, attribute), places in self._put.items():
            now = places.get(attribute)
            if isinstance(now, Box) and now.tape is self._tape:
                places[attribute] = now.value
        for value, before, box in self._values.values():
            if isinstance(value, Held) and value.value is box:
                value.value = before

    def take_in(self, module: Module) -> None:
        """Watch the trainable weights of a module that is about to compute."""
        if self.watches:  # else there is no need to walk it
            self.take_in_weights(weights_of(module))

    def take_in_weights(self, weights: Iterable[Weight]) -> None:
        """Watch those of some weights that are trainable."""
        if self.watches:
            self._watch(weight for weight in weights if weight.trainable)

    def _watch(self, weights: Iterable[Weight]) -> None:
        assert self._tape is not None
        for weight in weights:
            places, attribute = weight.module.__dict__, weight.attribute
            key = id(places), attribute
            if key not in self._weights and weight.dtype.kind in "fV":
                before = released(places[attribute])
                box = places[attribute] = self._tape.input(before)
                self._weights[key] = places, (attribute, before), box

    def put_at(self, places: dict[str, Any], attribute: str) -> None:
        """Take down where an array was replaced: what stays there after the tape is plain."""
        self._put[id(places), attribute] = places

    def watch(self, tensor: Any) -> Any:
        """Watch weights or values; gives them, watched.

        In a step of a model, values of the step are watched as they are. Elsewhere arrays are
        plain NumPy arrays, which cannot be watched unseen: go on with what is given back,
        `x = tape.watch(x)`.
        """
        tape = self._tape
        if tape is None or tape.closed:
            raise UserError("the tape is not open", "GradientTape", "watch inside `with`")
        return fill(tensor, [self._watched(x, tape) for x in leaves(tensor)])

    def _watched(self, x: Any, tape: Lines) -> Any:
        if isinstance(x, Weight):
            self._watch([x])
            return x
        if isinstance(x, Box) and x.tape is tape:
            return x
        if not isinstance(x, (Held, Box)) and not hasattr(x, "__array_namespace__"):
            raise UserError(
                f"a tape cannot watch {shown(x)}",
                "GradientTape",
                "watch weights or arrays: trasluz.ops.convert_to_tensor(x) makes one",
            )
        before = released(x)
        box = tape.input(before)
        if isinstance(x, Held):
            x.value = box
        self._values[id(x)] = x, before, box
        return x if isinstance(x, Held) else box

    @contextmanager
    def stop_recording(self) -> Iterator[None]:
        """Take nothing down for a while."""
        assert self._tape is not None
        self._tape.closed = True
        try:
            yield
        finally:
            self._tape.closed = False

    def gradient(
        self,
        target: Any,
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: str = "none",
    ) -> Any:
        """Give the derivative of the sum of all targets in each source.

        Args:
            target: what was computed inside `with`: a value, or lists or dicts of them.
            sources: weights, or values that are watched or were computed; nested likewise.
            output_gradients: the derivative to start from in each target; ones if not given.
            unconnected_gradients: what a source gets that targets do not depend on: "none" for
                `None`, "zero" for zeros.

        Returns:
            The derivatives, nested as the sources.

        Raises:
            UserError: if it is asked for a second time, or something is no value.
        """
        tape = self._tape
        if tape is None or (self._asked and not self.persistent):
            what = "used yet" if tape is None else "persistent, and was asked before"
            mend = "compute inside `with`; GradientTape(persistent=True) may be asked again"
            raise UserError(f"the tape is not {what}", "GradientTape", mend)
        if unconnected_gradients not in ("none", "zero"):
            raise unknown("way with unconnected gradients", unconnected_gradients, ["none", "zero"])
        targets, asked = leaves(target), leaves(sources)
        starts = leaves(output_gradients) or [None] * len(targets)
        places = [self._place(source, tape) for source in asked]
        self._asked = True
        connected = _connected(tape.lines, {place for place in places if place is not None})
        seeds: dict[int, Any] = {}
        for one, start in zip(targets, starts, strict=True):
            self._report(one)
            place = self._place(one, tape)
            if place is not None and connected[place]:
                ones = namespace(value := bare(one)).ones_like(value)
                seed = ones if start is None else released(start)
                seeds[place] = seeds[place] + seed if place in seeds else seed
        found: dict[int, Any] = {}
        wanted = set(places)

        def visit(index: int, g: Any) -> Any:
            if index in wanted:
                found[index] = g
            return g

        walked = Tape()
        walked.lines = _only(tape.lines, connected)
        found |= walked.backward(seeds, visit=visit) if seeds else {}
        gradients = [None if place is None else found.get(place) for place in places]
        if unconnected_gradients == "zero":
            pairs = zip(gradients, asked, strict=True)
            gradients = [_zeros(x) if g is None else g for g, x in pairs]
        context = current()
        if context is not None and context.acting is not None:
            gradients = [g if g is None else held(g) for g in gradients]
        return fill(sources, gradients)

    def _place(self, x: Any, tape: Lines) -> int | None:
        """Give the line of a value; `None` if the tape does not know it."""
        if isinstance(x, Weight):
            known = self._weights.get((id(x.module.__dict__), x.attribute))
            return known[-1].index if known else None
        if id(x) in self._values:
            index = self._values[id(x)][-1].index
            if not isinstance(x, Held) and not any(li and index in li.parents for li in tape.lines):
                raise UserError(
                    "nothing was computed from what watch gave back",
                    "GradientTape",
                    "an array cannot be watched unseen: write x = tape.watch(x), and go on with it",
                )
            return index
        if not isinstance(x, (Held, Box)) and not hasattr(x, "__array_namespace__"):
            raise UserError(
                f"{shown(x)} is no value that was computed",
                "GradientTape",
                "give what was computed inside `with`, and weights",
            )
        while isinstance(x, (Held, Box)):
            if isinstance(x, Box) and x.tape is tape:
                return x.index
            x = x.value
        return None

    def _report(self, target: Any) -> None:
        """Let the step that is running know what it makes smaller, to see whether it is finite."""
        context = current()
        inside = any(other is not self for other in opened())
        if context is not None and context.acting is not None and not inside:
            context.acting.targets.append(bare(target))


def _connected(lines: list[Line | None], sources: set[int]) -> list[bool]:
    """Tell which lines depend on some of them."""
    connected: list[bool] = []
    several: list[bool] = []  # what further results of the line above have to say
    for index, line in enumerate(lines):
        if line is None:
            connected.append(index in sources or (bool(several) and several.pop()))
            continue
        depends = any(parent >= 0 and connected[parent] for parent in line.parents)
        connected.append(depends or index in sources)
        several = [depends] * (len(line.value) - 1) if isinstance(line.value, tuple) else []
    return connected


def _only(lines: list[Line | None], connected: list[bool]) -> list[Line | None]:
    """Cut the ways back that lead to no source."""
    kept: list[Line | None] = []
    for line in lines:
        if line is not None and any(p >= 0 and not connected[p] for p in line.parents):
            parents = tuple(p if p >= 0 and connected[p] else -1 for p in line.parents)
            line = Line(line.primitive, line.args, line.params, parents, line.value)
        kept.append(line)
    return kept


def _zeros(x: Any) -> Any:
    value = bare(x.value if isinstance(x, Weight) else x)
    return namespace(value).zeros_like(value)
