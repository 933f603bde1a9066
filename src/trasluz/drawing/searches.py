"""The picture of a search: what each setting gave."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from trasluz.base.messages import say
from trasluz.drawing.figure import (
    BLUE,
    GREEN,
    as_png,
    axis_of_losses,
    new_figure,
    number_text,
    tick_text,
)


class Slice(NamedTuple):
    """The values of one setting in all trials of a search.

    Attributes:
        name: what the setting is called.
        values: that of each trial: a number, or the place of one in `choices`.
        choices: what it was chosen from, if not from a range.
        log: whether the range is logarithmic.
        share: the part that the setting has in how good trials are, if it is known.
    """

    name: str
    values: Sequence[float]
    choices: Sequence[str] = ()
    log: bool = False
    share: float | None = None


def searched(
    reached: Sequence[float | None],
    slices: Sequence[Slice],
    measure: str,
    greater: bool = False,
    title: str = "",
) -> bytes:
    """Draw how a search went: what its trials reached in turn, and by the values of settings.

    Args:
        reached: what each trial measured; None where it was given up.
        slices: the settings, the most important first.
        measure: what is measured.
        greater: whether more is better.
        title: what stands above.

    >>> searched([1.0, None, 0.5], [Slice("l2", [0.1, 0.2, 0.3])], "loss")[1:4]
    b'PNG'
    """
    columns = min(len(slices) + 1, 3)
    rows = math.ceil((len(slices) + 1) / columns)
    figure, grid = new_figure(columns, rows, (3.6, 2.8), sharey=True)
    values = np.array([np.nan if value is None else value for value in reached], float)
    fine = np.isfinite(values)
    axis_of_losses(grid.flat[0], *_ends(values[fine], greater))
    top = int((np.nanargmax if greater else np.nanargmin)(values)) if fine.any() else None
    turns = Slice(say("curve-trial"), range(len(values)))
    for axes, one in zip(grid.flat, [turns, *slices], strict=False):
        x = _placed(axes, one)
        axes.plot(x[fine], values[fine], "o", color=BLUE, markersize=4.5, alpha=0.75)
        floor = axes.get_xaxis_transform()
        axes.plot(x[~fine], np.full((~fine).sum(), 0.03), "|", color="0.4", transform=floor)
        if top is not None:
            axes.plot(x[top], values[top], "o", ms=10, mfc="none", mec=GREEN, mew=2)
        share = "" if one.share is None else f" ({number_text(100 * one.share, 2)} %)"
        axes.set_xlabel(one.name + share, fontsize=9)
        axes.grid(alpha=0.25)
        axes.tick_params(labelsize=8)
    best = (np.fmax if greater else np.fmin).accumulate(values)
    grid.flat[0].step(range(len(values)), best, where="post", color=GREEN, linewidth=1.6)
    for axes in grid.flat[len(slices) + 1 :]:
        axes.set_visible(False)
    for line in grid:
        line[0].set_ylabel(measure, fontsize=9)
    _explain_search(figure, int((~fine).sum()), any(one.share is not None for one in slices))
    return as_png(figure, title)


def _explain_search(figure: Any, given_up: int, shares: bool) -> None:
    """Say below what points, ticks, the circle and the line are."""
    from matplotlib.lines import Line2D

    signs = [
        Line2D([], [], color=BLUE, marker="o", markersize=4.5, ls="", label=say("curve-trial")),
        Line2D([], [], color=GREEN, label=say("curve-best-so-far")),
        Line2D(
            [], [], marker="o", ls="", ms=9, mfc="none", mec=GREEN, mew=2, label=say("curve-best")
        ),
    ]
    if given_up:
        label = say("curve-given-up", trials=given_up)
        signs.append(Line2D([], [], color="0.4", marker="|", linestyle="", label=label))
    if shares:
        signs.append(Line2D([], [], linestyle="", label=say("curve-share")))
    figure.legend(
        handles=signs, loc="outside lower center", ncols=len(signs), fontsize=8, frameon=False
    )


def _ends(values: np.ndarray, greater: bool) -> tuple[float, float]:
    """Choose the ends of an axis: a few values much worse than most may go out of the picture."""
    if not values.size:
        return 0.0, 1.0
    near, middle, far = np.quantile(values, [0, 0.5, 1] if not greater else [1, 0.5, 0])
    far = (max if greater else min)(far, middle + 5 * (middle - near))
    return min(near, far), max(near, far)


def _placed(axes: Any, one: Slice) -> np.ndarray:
    """Prepare an axis for the values of a setting, and say where they lie on it."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    x = np.array(one.values, float)
    if one.choices:
        axes.set_xticks(range(len(one.choices)), [tick_text(c) for c in one.choices])
        axes.set_xlim(-0.5, len(one.choices) - 0.5)
        return x + np.random.default_rng(0).uniform(-0.15, 0.15, len(x))  # so that all are seen
    if one.log:
        axes.set_xscale("log")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=isinstance(one.values, range)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number_text(value, 4)))
    return x
