"""Planes of numbers as heat maps side by side: what a filter's weight met, and what came back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trasluz.drawing.figure import as_png, new_figure, number_text

MOST_NUMBERS = 10  # places along a side, up to which each cell says its number


def planes(
    rows: Sequence[Sequence[Any]], titles: Sequence[str], sides: Sequence[str] = ()
) -> bytes:
    """Draw rows of planes, one colour for positive numbers and one for negative ones.

    Args:
        rows: the planes of each row, each two-dimensional.
        titles: what stands above the columns, in LaTeX between dollar signs or in words.
        sides: what stands beside the rows.

    Returns:
        The bytes of a PNG file.

    >>> planes([[np.eye(2), -np.eye(2)]], ["a", "b"])[1:4]
    b'PNG'
    """
    high, wide = np.shape(rows[0][0])
    size = min(3.2, 0.9 + 0.5 * wide), min(3.2, 0.8 + 0.5 * high)
    figure, grid = new_figure(len(titles), len(rows), size)
    for column, title in enumerate(titles):
        most = max(float(np.abs(row[column]).max(initial=0)) for row in rows) or 1.0
        for place, row in enumerate(rows):
            axes = grid[place][column]
            _heat(axes, np.asarray(row[column], float), most)
            if place == 0:
                axes.set_title(title, fontsize=10)
            if column == 0 and sides:
                axes.set_ylabel(sides[place], fontsize=9)
    return as_png(figure, "", formulas=True)


def _heat(axes: Any, plane: np.ndarray, most: float) -> None:
    """Colour the cells of a plane; where there are few, write their numbers too."""
    axes.imshow(plane, cmap="RdBu_r", vmin=-most, vmax=most, aspect="equal")
    high, wide = plane.shape
    axes.set_xticks(_places(wide), [str(i + 1) for i in _places(wide)], fontsize=7)
    axes.set_yticks(_places(high), [str(i + 1) for i in _places(high)], fontsize=7)
    axes.tick_params(length=0)
    if max(high, wide) > MOST_NUMBERS:
        return
    for (i, j), value in np.ndenumerate(plane):
        colour = "white" if abs(value) > 0.6 * most else "black"
        axes.text(j, i, number_text(value, 2), ha="center", va="center", color=colour, fontsize=6.5)


def _places(count: int) -> range:
    """Choose which places are numbered."""
    return range(0, count, 1 if count <= MOST_NUMBERS else -(-count // 6))
