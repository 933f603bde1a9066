r"""How a derivation names things: as books do, as the course does, or by paths as Keras does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from trasluz.base.messages import problem
from trasluz.errors import unknown
from trasluz.typeset.formula import escaped, parse

Place = tuple[int, ...]


class Sign(NamedTuple):
    """How something is written: an entry of it, and all of it as a matrix, where it has a sign."""

    entry: str
    whole: str = ""


LETTERS = {
    "kernel": Sign("w", "W"),
    "bias": Sign("b", r"\mathbf{b}"),
    "recurrent": Sign("u"),
    "recurrent_kernel": Sign("u", "U"),
    "embeddings": Sign("e", "V"),
    "position_embeddings": Sign("p", "P"),
    "reverse_embeddings": Sign("w", "W"),
    "gamma": Sign(r"\gamma", r"\boldsymbol{\gamma}"),
    "beta": Sign(r"\beta", r"\boldsymbol{\beta}"),
    "alpha": Sign(r"\alpha"),
    "moving_mean": Sign("m"),
    "moving_variance": Sign("v"),
}
NOTED = {  # what layers note of the lines in them
    "input gate": Sign("i", "I"),
    "forget gate": Sign("f", "F"),
    "output gate": Sign("o", "O"),
    "candidate": Sign("g", "G"),
    "cell": Sign("c", "C"),
    "update gate": Sign("z", "Z"),
    "reset gate": Sign("r", "R"),
    "new state": Sign("n", "N"),
    "state": Sign("h", "H"),
    "queries": Sign("q", "Q"),
    "keys": Sign("k", "K"),
    "values": Sign("v", "V"),
    "scores": Sign("s", "S"),
    "shares": Sign(r"\alpha", r"\boldsymbol{\alpha}"),
    "taken": Sign("o", "O"),
    "mean": Sign(r"\mu", r"\boldsymbol{\mu}"),
    "variance": Sign(r"\sigma^{2}", r"\boldsymbol{\sigma}^{2}"),
    "normalised": Sign(r"\hat{x}", r"\hat{X}"),
}
GATES = ("input gate", "forget gate", "output gate", "candidate", "update gate", "reset gate",
         "new state")  # fmt: skip
THIN = (  # their axes of length one are not written: one head, what was averaged over
    "queries",
    "keys",
    "values",
    "scores",
    "shares",
    "taken",
    "logsumexp",
    "mean",
    "variance",
)
SIGNS = NOTED | {
    "sum": Sign("z", "Z"),
    "output": Sign("a", "A"),
    "prediction": Sign(r"\hat{y}", r"\hat{Y}"),
    "given": Sign(r"\bar{x}", r"\bar{X}"),
    "logsumexp": Sign(r"\ell"),
    "errors": Sign("E", r"\mathbf{e}"),
    "rows": Sign("E", r"\boldsymbol{\epsilon}"),
    "data": Sign("L", "L"),
    "penalty": Sign("R", "R"),
    "total": Sign("E", "E"),
    "line": Sign("v"),
}
BARE = ("prediction", "logsumexp", "errors", "rows", "data", "total")  # no layer's number above
GIVEN = {"output": "", "prediction": "", "sum": "/sum", "total": ""}  # path of a role


class Landmark(NamedTuple):
    """A line of the tape that is worth a name: what it is, of which layer, in which turn.

    A sum that goes into something noted says `of` what: it is written as that is, with a bar. Where
    entries were moved before they were noted, `laid` says where each then lies, and in what shape.
    """

    role: str
    where: str
    number: int = 0
    turn: str = ""
    series: int = 0
    of: str = ""
    laid: tuple[Any, Place] | None = None

    @property
    def sign(self) -> Sign:
        """How it is written, before any index."""
        if not self.of:
            return SIGNS[self.role]
        return Sign(*(rf"\bar{{{sign}}}" for sign in SIGNS[self.of]))

    def shown(self, place: Place, shape: Place, alone: bool) -> Place:
        """Give the numbers that an entry is written with.

        Args:
            place: where it lies in its line.
            shape: of the line.
            alone: whether it is the only row, which is not written then.
        """
        if self.laid is not None:
            where, new = self.laid
            flat = int(where.ravel()[np.ravel_multi_index(place, shape)])
            place, shape = tuple(int(i) for i in np.unravel_index(flat, new)), new
        if self.role in THIN:
            return tuple(i for i, n in zip(place, shape, strict=True) if n > 1)
        return place[1:] if alone and shape[0] == 1 else place


class Names:
    r"""Names as books write them: `w^{(1)}_{1,2}`, `z^{(1)}_{2}`, `\hat{y}_{1}`.

    Args:
        marks: the landmarks of a tape.
        shapes: the shapes of the parameters, by path, in the order of the layers.
        given: names of single entries, in LaTeX, by path and place; besides parameters, of what
            layers give ("dense"), of the sums in them ("dense/sum"), of "x", "y" and the "loss".
    """

    def __init__(
        self,
        marks: Iterable[Landmark],
        shapes: Mapping[str, Place],
        given: Mapping[tuple[str, Place], str] | None = None,
    ) -> None:
        marks = list(marks)
        self.numbers = {m.where: m.number for m in reversed(marks) if m.number}
        self.final = next((m.number for m in marks if m.role == "prediction"), 0)
        self.hidden = len({m.number for m in marks if m.role == "output"})
        self.logarithms = len({m.number for m in marks if m.role == "logsumexp" and m.number})
        self.shapes, self.given = dict(shapes), dict(given or {})

    def parameter(self, path: str, place: Place) -> str:
        """Name an entry of a parameter."""
        if (path, place) in self.given:
            return self.given[path, place]
        layer, _, attribute = path.rpartition("/")
        return lowered(f"{letter(attribute).entry}^{{({self.numbers.get(layer, 1)})}}", place)

    def unit(self, mark: Landmark, place: Place) -> str:
        """Name an entry of a line."""
        if (given := self._given(mark, place)) is not None:
            return given
        sign = mark.sign.entry
        if mark.role == "rows":
            series = f"({mark.series})" if mark.series else ""
            return f"{sign}^{{{series}[{','.join(str(i + 1) for i in place)}]}}"
        if mark.role == "logsumexp" and mark.number and self.logarithms > 1:
            sign = _raised(sign, f"({mark.number})")
        elif mark.role not in BARE:
            sign = _raised(sign, f"({mark.number})" + mark.turn)
        elif mark.series:
            sign = _raised(sign, f"({mark.series})")
        return lowered(sign, place)

    def series(self, sign: str, which: int, place: Place) -> str:
        """Name an entry of an input or target."""
        path = {"t": "y"}.get(sign, sign) + (str(which) if which else "")
        known = self.given.get((path, place))
        return known or lowered(_raised(sign, f"({which})") if which else sign, place)

    def _given(self, mark: Landmark, place: Place) -> str | None:
        path = mark.where + GIVEN[mark.role] if mark.role in GIVEN else ""
        return self.given.get((path, place))


class CourseNames(Names):
    r"""Names as the course writes them: `w_{5}`, `n_{1}`, `\mathrm{sum}_{n_{1}}`.

    Weights are counted through all layers: hidden ones input by input, those of the last layer
    output by output, as in the course's 2-2-2 network.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.before: dict[str, int] = {}
        counts = {"kernel": 0, "bias": 0}
        for path, shape in self.shapes.items():
            attribute = path.rpartition("/")[2]
            if attribute in counts:
                self.before[path] = counts[attribute]
                size = 1
                for n in shape:
                    size *= n
                counts[attribute] += size
        self.last = next((p for p in reversed(self.shapes) if p.endswith("kernel")), "")

    def parameter(self, path: str, place: Place) -> str:
        """Name an entry of a parameter."""
        if path not in self.before or (path, place) in self.given:
            return super().parameter(path, place)
        shape, number = self.shapes[path], 0
        axes = range(len(shape))
        for k in reversed(axes) if path == self.last else axes:
            number = number * shape[k] + place[k]
        letter = "w" if path.endswith("kernel") else "b"
        return f"{letter}_{{{self.before[path] + number + 1}}}"

    def unit(self, mark: Landmark, place: Place) -> str:
        """Name an entry of a line."""
        if mark.role == "output" and (mark.where, place) not in self.given:
            return lowered("n" if self.hidden == 1 else f"n^{{({mark.number})}}", place)
        if mark.role == "sum" and not mark.turn:
            role = "prediction" if mark.number == self.final else "output"
            return rf"\mathrm{{sum}}_{{{self.unit(mark._replace(role=role), place)}}}"
        return super().unit(mark, place)


class KerasNames(Names):
    r"""Names as a program has them: `\mathtt{dense\_1/kernel[0, 1]}`."""

    def parameter(self, path: str, place: Place) -> str:
        """Name an entry of a parameter."""
        return self.given.get((path, place)) or _path(path, place)

    def unit(self, mark: Landmark, place: Place) -> str:
        """Name an entry of a line."""
        if mark.where == "loss" or mark.role in ("logsumexp", "line"):
            return super().unit(mark, place)
        parts = [mark.where, mark.turn, mark.of]
        parts += [] if mark.role in ("output", "prediction", "state") else [mark.role]
        return _path("/".join(filter(None, parts)).replace(" ", "_"), place)

    def series(self, sign: str, which: int, place: Place) -> str:
        """Name an entry of an input or target."""
        return _path({"t": "y"}.get(sign, sign) + (str(which) if which else ""), place)


SCHEMES: dict[str, type[Names]] = {"math": Names, "course": CourseNames, "keras": KerasNames}


def scheme(names: Any) -> Any:
    """Find a way of naming; a mapping names single entries and leaves the rest as in books.

    Raises:
        UserError: if there is no such way.
    """
    if isinstance(names, Mapping):
        for key, name in names.items():
            try:
                parse(name)
            except (TypeError, ValueError) as error:
                raise problem("explain-name-wrong", name=str(name), reason=str(error)) from None
            if not (isinstance(key, tuple) and len(key) == 2):
                raise problem("explain-name-key", key=str(key))
        return lambda marks, shapes: Names(marks, shapes, names)
    if names not in SCHEMES:
        raise unknown("way of naming", names, list(SCHEMES))
    return SCHEMES[names]


def letter(attribute: str) -> Sign:
    """Give the signs of a parameter: its own name where there is none."""
    entry, whole = LETTERS.get(attribute, Sign(""))
    own = rf"\mathrm{{{escaped(attribute)}}}"
    return Sign(entry or own, whole or own)


def derivative_name(upper: str, lower: str) -> str:
    r"""Name the derivative of one thing in another.

    >>> derivative_name("E", "w_{1}")
    '\\frac{\\partial E}{\\partial w_{1}}'
    """
    return rf"\frac{{\partial {upper}}}{{\partial {lower}}}"


def lowered(sign: str, place: Place) -> str:
    """Write the numbers of a place, from 1, as an index."""
    index = ",".join(str(i + 1) for i in place)
    return f"{sign}_{{{index}}}" if index else sign


def _raised(sign: str, mark: str) -> str:
    """Write a layer's number above a sign."""
    return f"{sign[:-1]}{mark}}}" if "^" in sign else f"{sign}^{{{mark}}}"


def _path(path: str, place: Place) -> str:
    index = f"[{', '.join(map(str, place))}]" if place else ""
    return rf"\mathtt{{{escaped(path + index)}}}"
