"""Curves of losses: of one training, and of many side by side."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from trasluz.base.messages import say
from trasluz.drawing.figure import (
    BLUE,
    GREEN,
    ORANGE,
    as_png,
    axis_of_losses,
    new_figure,
    number_text,
    write_note,
)


def learning_curve(history: Mapping[str, Sequence[float]], *, title: str = "") -> bytes:
    """Draw how each logged value went over the epochs, training against validation.

    Args:
        history: the values of each epoch by name; ``val_`` marks those of the validation part.
        title: what stands above.

    >>> learning_curve({"loss": [1.0, 0.5], "val_loss": [1.1, 0.7]})[1:4]
    b'PNG'
    """
    from matplotlib.ticker import MaxNLocator

    names = [name for name in history if not name.startswith("val_") and name != "learning_rate"]
    figure, (row,) = new_figure(len(names))
    for axes, name in zip(row, names, strict=True):
        epochs = range(1, len(history[name]) + 1)
        axes.plot(epochs, history[name], label=say("part-train"), color=BLUE)
        if validation := history.get(f"val_{name}"):
            label = say("part-validation")
            axes.plot(epochs, validation, label=label, color=ORANGE, linestyle="--")
        axes.set(xlabel=say("curve-epoch"), ylabel=name)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    return as_png(figure, title)


class Curves(NamedTuple):
    """Trainings with the same settings, from several seeds.

    Attributes:
        loss: the loss on the training part, trainings × epochs; NaN where there is none.
        val_loss: that on the validation part, or nothing.
        diverged: the step at which each ended without finite numbers, or None.
    """

    loss: np.ndarray
    val_loss: np.ndarray | None
    diverged: Sequence[int | None]

    def parts(self) -> Iterator[tuple[np.ndarray, str, str]]:
        """Give the curves of each part with colour and style."""
        yield self.loss, BLUE, "-"
        if self.val_loss is not None:
            yield self.val_loss, ORANGE, "--"


def side_by_side(
    panels: Sequence[Sequence[Curves]],
    rows: Sequence[str],
    columns: Sequence[str],
    best: tuple[int, int] | None = None,
    title: str = "",
) -> bytes:
    """Draw a table of learning curves with axes in common: mean and deviation over the seeds.

    Args:
        panels: the curves, row by row.
        rows: what the rows are called.
        columns: what the columns are called.
        best: row and column of the panel to mark.
        title: what stands above.

    >>> curves = Curves(np.array([[1.0, 0.5], [1.1, 0.7]]), None, [None, None])
    >>> side_by_side([[curves]], ["batch size 8"], ["learning rate 0.1"])[1:4]
    b'PNG'
    """
    figure, grid = new_figure(len(columns), len(rows), (2.6, 2.05), sharex=True, sharey=True)
    top = _common_axes(grid[0][0], [curves for cells in panels for curves in cells])
    for line, cells, row in zip(grid, panels, rows, strict=True):
        for axes, curves in zip(line, cells, strict=True):
            _draw_curves(axes, curves, top)
        line[0].set_ylabel(say("curve-loss"), fontsize=9)
        line[-1].annotate(
            row, (1.03, 0.5), xycoords="axes fraction", rotation=270, va="center",
            ma="center", fontsize=9,
        )  # fmt: skip
    for axes, column in zip(grid[0], columns, strict=True):
        axes.set_title(column, fontsize=9)
    for axes in grid[-1]:
        axes.set_xlabel(say("curve-epoch"), fontsize=9)
    if best is not None:
        for spine in grid[best[0]][best[1]].spines.values():
            spine.set(color=GREEN, linewidth=2.2)
    _explain(figure, panels)
    return as_png(figure, title)


def _draw_curves(axes: Any, curves: Curves, top: float) -> None:
    """Draw the mean of each part with a band, and where trainings ended without finite numbers."""
    epochs = np.arange(1, curves.loss.shape[1] + 1)
    fine = np.array([step is None for step in curves.diverged])
    axes.grid(alpha=0.25)
    axes.tick_params(labelsize=8)
    for values, colour, style in curves.parts():
        for ended in values[~fine]:
            axes.plot(epochs, ended, style, color=colour, linewidth=0.8, alpha=0.6)
            if (reached := np.flatnonzero(np.isfinite(ended))).size:
                last = min(ended[reached[-1]], top)
                axes.plot(epochs[reached[-1]], last, "x", color="black", zorder=3)
        mean, low, high = _spread(values[fine])
        axes.fill_between(epochs, low, high, color=colour, alpha=0.22, linewidth=0)
        axes.plot(epochs, mean, style, color=colour, linewidth=1.4)
    if fine.any():
        ends = [values[fine] for values, *_ in curves.parts()][-1]
        write_note(axes, _ended(ends), 0.95, "top", color="0.25")
    else:
        axes.set_facecolor("0.94")
    if not fine.all():
        lost = say("curve-diverged", lost=int((~fine).sum()), all=len(fine))
        write_note(axes, lost, 0.05, "bottom", weight="bold")


def _spread(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give mean and mean ± deviation of each epoch, the lower end not below the least value."""
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, values, 0).sum(axis=0) / count
    square = np.where(known, (values - mean) ** 2, 0).sum(axis=0)
    deviation = np.sqrt(square / np.maximum(count - 1, 1))
    least = np.where(known, values, np.inf).min(axis=0, initial=np.inf)
    some = np.where(known.any(axis=0), 1.0, np.nan)
    return mean * some, np.maximum(mean - deviation, least) * some, (mean + deviation) * some


def _ended(values: np.ndarray) -> str:
    """Write what trainings reached in the end."""
    last = [own[np.isfinite(own)][-1] for own in values if np.isfinite(own).any()]
    if len(last) < 2:
        return number_text(last[0], 3) if last else ""
    return f"{number_text(np.mean(last), 3)} ± {number_text(np.std(last, ddof=1), 2)}"


def _common_axes(axes: Any, panels: Sequence[Curves]) -> float:
    """Choose the axes of all panels, logarithmic where losses differ much; give the upper end.

    Losses that explode would leave no room for the others, so they may go out of the picture: the
    upper end is not above four times what is usual after the first epoch.
    """
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    curves = np.concatenate([values for curves in panels for values, *_ in curves.parts()])
    seen, first = curves[np.isfinite(curves)], curves[np.isfinite(curves[:, 0]), 0]
    if not seen.size:
        return math.inf
    return axis_of_losses(axes, seen.min(), min(seen.max(), 4 * np.median(first)))


def _explain(figure: Any, panels: Sequence[Sequence[Curves]]) -> None:
    """Say below what lines, bands, crosses and the frame are."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    several = [curves for cells in panels for curves in cells]
    signs: list[Any] = [Line2D([], [], color=BLUE, label=say("part-train"))]
    if any(curves.val_loss is not None for curves in several):
        signs.append(Line2D([], [], color=ORANGE, ls="--", label=say("part-validation")))
    seeds = max(len(curves.diverged) for curves in several)
    if seeds > 1:
        signs.append(Patch(color="0.8", label=say("curve-band", seeds=seeds)))
    if any(step is not None for curves in several for step in curves.diverged):
        mark = say("curve-cross")
        signs.append(Line2D([], [], color="black", marker="x", linestyle="", label=mark))
    signs.append(Patch(facecolor="white", edgecolor=GREEN, linewidth=2, label=say("curve-best")))
    figure.legend(
        handles=signs, loc="outside lower center", ncols=len(signs), fontsize=9, frameon=False
    )
