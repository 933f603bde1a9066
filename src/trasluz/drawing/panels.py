"""Panels of the worked examples: tangents, weighted sums, decision lines, descents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from trasluz.base.messages import say
from trasluz.drawing.figure import BLUE, GREEN, ORANGE, as_png, label_text, new_figure, number_text

Panel = Callable[[Any], None]


def drawn(*panels: Panel, title: str = "") -> bytes:
    """Draw panels side by side.

    Args:
        panels: what `tangent`, `summed`, `parted` and `descent` give.
        title: what stands above.

    >>> drawn(summed([0, 1], {"a": [1, 2]}, [1, 2], ([0], [1])))[1:4]
    b'PNG'
    """
    from matplotlib.ticker import FuncFormatter

    figure, (row,) = new_figure(len(panels))
    for axes, panel in zip(row, panels, strict=True):
        panel(axes)
        axes.grid(alpha=0.3)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: number_text(value, 4)))
    return as_png(figure, title, formulas=True)


def tangent(
    x: Any, y: Any, touched: Sequence[tuple[float, float, float]], bottom: float, labels: Any
) -> Panel:
    """Make the panel of a curve with tangents, and where it is lowest.

    Args:
        x: places.
        y: the curve there.
        touched: place, value and slope of each tangent.
        bottom: where the curve is lowest.
        labels: the names of the axes.
    """

    def panel(axes: Any) -> None:
        axes.plot(x, y, color=BLUE)
        reach = (max(x) - min(x)) / 8
        for (place, value, slope), colour in zip(touched, (ORANGE, GREEN), strict=False):
            ends = np.array([place - reach, place + reach])
            label = f"{say('curve-slope')} {number_text(slope, 4)}"
            axes.plot(ends, value + slope * (ends - place), "--", color=colour, label=label)
            axes.plot(place, value, "o", color=colour)
        x_label, y_label = map(label_text, labels)
        lowest = f"{x_label} = {number_text(bottom, 6)}"
        axes.axvline(bottom, color="grey", linestyle=":", label=lowest)
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.set_ylim(min(y) - 0.1 * (max(y) - min(y)), max(y) * 1.05)
        axes.legend(loc="upper center")

    return panel


def summed(x: Any, parts: Mapping[str, Any], total: Any, rows: Any, shift: float = 0.0) -> Panel:
    """Make the panel of curves that add up to a prediction, over the rows that were observed.

    Args:
        x: places.
        parts: the curves by name.
        total: their sum, and the shift's.
        rows: places and values of what was observed.
        shift: what is added to the curves.
    """

    def panel(axes: Any) -> None:
        for (name, part), colour in zip(parts.items(), (BLUE, ORANGE), strict=False):
            axes.plot(x, part, "--", color=colour, label=label_text(name))
        if shift:
            axes.axhline(
                shift, color="grey", linestyle=":", label=f"$b_{{3}}$ = {number_text(shift, 4)}"
            )
        axes.plot(x, total, color=GREEN, linewidth=2.5, label=say("curve-sum"))
        axes.plot(*rows, "o", color="black", label=say("curve-observed"))
        axes.set(xlabel=say("curve-dose"), ylabel=say("curve-effect"))
        low, high = axes.get_ylim()
        axes.set_ylim(low, high + 0.35 * (high - low))
        axes.legend(loc="upper center", ncols=2)

    return panel


def parted(
    x: Any, y: Any, lines: Sequence[tuple[Any, float, str]], predict: Any, title: str = ""
) -> Panel:
    """Make the panel of two classes in the plane, how it is parted, and the lines that part it.

    Args:
        x: the rows, two columns.
        y: their labels, −1 or 1.
        lines: weights, bias and name of each line `w·x + w0 = 0`.
        predict: gives the label of rows.
        title: what stands above the panel.
    """

    def panel(axes: Any) -> None:
        side = np.linspace(-2, 2, 161)
        grid = np.stack(np.meshgrid(side, side), axis=-1)
        said = np.asarray(predict(grid.reshape(-1, 2)), float).reshape(grid.shape[:2])
        axes.contourf(side, side, said, levels=[-2, 0, 2], colors=["#fbe3d6", "#d6e8f5"])
        for (w, w0, name), style in zip(lines, ("-", "--"), strict=False):
            if np.any(w):
                foot, along = -w0 * w / (w @ w), np.array([-w[1], w[0]])
                axes.plot(*np.stack([foot - 9 * along, foot + 9 * along], 1), "k" + style,
                          label=name or say("curve-line"))  # fmt: skip
        for label, mark, colour in ((1, "o", BLUE), (-1, "X", ORANGE)):
            rows = x[np.asarray(y) == label]
            axes.plot(
                *rows.T, mark, color=colour, markersize=11, label=f"y = {number_text(label, 1)}"
            )
        axes.set(xlim=(-2, 2), ylim=(-2, 2), xlabel="x₁", ylabel="x₂", title=title, aspect="equal")
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))

    return panel


def descent(f: Callable[[Any], Any], places: Sequence[Any], title: str) -> Panel:
    """Make the panel of a descent on a curve, or on a surface seen from above.

    Args:
        f: the function that is descended.
        places: the places passed: numbers, or pairs.
        title: what stands above the panel.
    """

    def panel(axes: Any) -> None:
        path = np.array(places)
        if path.ndim == 1:
            reach = np.abs(path - 2).max() + 0.5
            w = np.linspace(2 - reach, 2 + reach, 201)
            axes.plot(w, [f(one) for one in w], color=BLUE)
            axes.plot(path, [f(one) for one in path], "o-", color=ORANGE, alpha=0.8, markersize=4)
            axes.set(xlabel="w", ylabel="f(w)", title=title)
            return
        reach = 1.2 * np.abs(path).max(axis=0) + 0.3
        w1, w2 = (np.linspace(-one, one, 101) for one in reach)
        heights = f(np.stack(np.meshgrid(w1, w2)))
        axes.contour(w1, w2, heights, levels=15, cmap="viridis", alpha=0.7)
        axes.plot(*path.T, "o-", color=ORANGE, alpha=0.8, markersize=4)
        axes.set(xlabel="w₁", ylabel="w₂", title=title)

    return panel
