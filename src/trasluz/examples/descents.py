"""Gradient descent on a curve and on a surface, with rates too small, right and too large."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from trasluz.base.messages import decimal_sign
from trasluz.drawing.panels import descent
from trasluz.examples.course_network import Point, descend
from trasluz.examples.page import Example, Formula, Parts, Step, Word
from trasluz.pages.text import plain

RATES = (Word("too-small"), Word("right"), Word("too-large"))


def _compared(
    name: str,
    loss: Callable[[Any], Any],
    start: np.ndarray,
    rates: Sequence[float],
    most: int,
    more: Callable[[], Sequence[Step]] = lambda: (),
) -> Example:
    """Make the example of a function and three rates, from the same start."""
    named = dict(zip(RATES, rates, strict=True))

    def paths() -> dict[Word, list[Point]]:
        along = lambda p: loss(p["w"])  # noqa: E731
        return {word: descend(along, {"w": start}, rate, most) for word, rate in named.items()}

    def work() -> Parts:
        descents = paths()
        shown = [n for n in (0, 1, 2, 3, 5, 10, most) if n <= most]
        places = [
            (n, *(path[n].params["w"] for path in descents.values()), *(
                path[n].loss for path in descents.values())) for n in shown
        ]  # fmt: skip
        rated = [(word, rate, descents[word][-1].loss) for word, rate in named.items()]
        return [
            Step("rates", (Word("which"), Word("rate"), Word("last-loss")), rated, digits=5),
            Step(
                "paths",
                (Word("step"), *(
                    Formula(rf"{sign}\ \left(\eta = {rate:g}\right)")
                    for sign in ("w", r"f\left(w\right)") for rate in rates)),
                places,
                digits=5,
            ),
            *more(),
        ], []  # fmt: skip

    def draw() -> Sequence[Any]:
        def title(word: Word) -> str:
            return f"{word.spelled()}: " + plain(rf"\eta = {named[word]:g}", decimal_sign())

        return [
            descent(loss, [p.params["w"] for p in path], title(word))
            for word, path in paths().items()
        ]

    return Example(name, start, None, work, draw=draw)


def parabola(w: Any) -> Any:
    """One valley: `(w − 2)²`."""
    return ((w - 2) ** 2).sum()


def two_valleys(w: Any) -> Any:
    """Two valleys, one deeper than the other: `w⁴ − 3w² + w`."""
    return (w**4 - 3 * w**2 + w).sum()


def bowl(w: Any) -> Any:
    """A bowl that is ten times as steep in one direction: `½(w₁² + 10·w₂²)`."""
    return 0.5 * (w[0] ** 2 + 10 * w[1] ** 2)


def descent_1d() -> Example:
    """Make the descents on `(w − 2)²`, and two on a curve with a local minimum."""

    def local() -> list[Step]:
        ends = []
        for start in (-2.0, 2.0):
            path = descend(lambda p: two_valleys(p["w"]), {"w": np.array(start)}, 0.02, 500, 1e-12)
            ends.append((start, float(path[-1].params["w"]), path[-1].loss))
        return [
            Step(
                "local-minima",
                (Word("start"), Word("end"), Formula(r"w^{4} - 3 \, w^{2} + w")),
                ends,
                digits=6,
            )
        ]

    return _compared("descent-1d", parabola, np.array(-1.0), (0.02, 0.4, 1.05), 20, local)


def descent_2d() -> Example:
    """Make the descents on `½(w₁² + 10·w₂²)`."""
    return _compared("descent-2d", bowl, np.array([-4.0, 1.0]), (0.01, 0.15, 0.205), 30)
