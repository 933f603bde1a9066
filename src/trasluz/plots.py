"""Pictures, drawn without a screen and given as the bytes of a PNG file."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from trasluz.explain.pages import decimal
from trasluz.messages import say

BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"


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
    figure, (row,) = _figure(len(names))
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
    return _png(figure, title)


# -------------------------------------------------------------------------------- many trainings


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
    figure, grid = _figure(len(columns), len(rows), (2.6, 2.05), sharex=True, sharey=True)
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
    return _png(figure, title)


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
    figure, grid = _figure(columns, rows, (3.6, 2.8), sharey=True)
    values = np.array([np.nan if value is None else value for value in reached], float)
    fine = np.isfinite(values)
    _axis_of_losses(grid.flat[0], *_ends(values[fine], greater))
    top = int((np.nanargmax if greater else np.nanargmin)(values)) if fine.any() else None
    turns = Slice(say("curve-trial"), range(len(values)))
    for axes, one in zip(grid.flat, [turns, *slices], strict=False):
        x = _placed(axes, one)
        axes.plot(x[fine], values[fine], "o", color=BLUE, markersize=4.5, alpha=0.75)
        floor = axes.get_xaxis_transform()
        axes.plot(x[~fine], np.full((~fine).sum(), 0.03), "|", color="0.4", transform=floor)
        if top is not None:
            axes.plot(x[top], values[top], "o", ms=10, mfc="none", mec=GREEN, mew=2)
        share = "" if one.share is None else f" ({_number(100 * one.share, 2)} %)"
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
    return _png(figure, title)


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
        axes.set_xticks(range(len(one.choices)), one.choices)
        axes.set_xlim(-0.5, len(one.choices) - 0.5)
        return x + np.random.default_rng(0).uniform(-0.15, 0.15, len(x))  # so that all are seen
    if one.log:
        axes.set_xscale("log")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=isinstance(one.values, range)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _number(value, 4)))
    return x


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
        _note(axes, _ended(ends), 0.95, "top", color="0.25")
    else:
        axes.set_facecolor("0.94")
    if not fine.all():
        lost = say("curve-diverged", lost=int((~fine).sum()), all=len(fine))
        _note(axes, lost, 0.05, "bottom", weight="bold")


def _note(axes: Any, text: str, height: float, va: str, **how: Any) -> None:
    """Write at the right of a panel, over its curves."""
    paper = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.5}
    axes.text(
        0.97, height, text, transform=axes.transAxes, ha="right", va=va, fontsize=8, zorder=5,
        bbox=paper, **how,
    )  # fmt: skip


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
        return _number(last[0], 3) if last else ""
    return f"{_number(np.mean(last), 3)} ± {_number(np.std(last, ddof=1), 2)}"


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
    return _axis_of_losses(axes, seen.min(), min(seen.max(), 4 * np.median(first)))


def _axis_of_losses(axes: Any, low: float, high: float) -> float:
    """Give an axis its ends, some room, and powers where the ends are far apart; give the upper."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if low >= 0 and high > 12 * low:
        low, high = max(low / 1.25, high / 1e5), high * 1.6
        axes.set_yscale("log")
        subs = (1.0,) if high > 1e3 * low else (1.0, 2.0, 5.0)
        axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=12))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        room = 0.1 * (high - low) or 1.0
        low, high = min(low - room, 0.0) if 0 <= low < 2 * room else low - room, high + 2 * room
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _number(value, 3)))
    axes.set_ylim(low, high)
    return float(high)


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


def _figure(
    columns: int, rows: int = 1, size: tuple[float, float] = (5.5, 4), **shared: Any
) -> tuple[Any, Any]:
    """Make a figure of panels, each of a size in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(size[0] * columns, size[1] * rows), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, **shared)


def _png(figure: Any, title: str) -> bytes:
    figure.suptitle(title)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120)
    return file.getvalue()


# ------------------------------------------------------------------- the pictures of the examples

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

    figure, (row,) = _figure(len(panels))
    for axes, panel in zip(row, panels, strict=True):
        panel(axes)
        axes.grid(alpha=0.3)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: _number(value, 4)))
    return _png(figure, title)


def _number(value: float, digits: int) -> str:
    """Write a number as the language of messages does."""
    text = f"{value:.{digits}g}" if abs(value) > 1e-12 else "0"
    return text.replace("-", "−").replace(".", decimal())


def _label(name: str) -> str:
    """Write a name, as a formula if it is one."""
    latex = getattr(name, "latex", "")
    return f"${latex}$" if latex else name


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
            label = f"{say('curve-slope')} {_number(slope, 4)}"
            axes.plot(ends, value + slope * (ends - place), "--", color=colour, label=label)
            axes.plot(place, value, "o", color=colour)
        x_label, y_label = map(_label, labels)
        lowest = f"{x_label} = {_number(bottom, 6)}"
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
            axes.plot(x, part, "--", color=colour, label=_label(name))
        if shift:
            axes.axhline(
                shift, color="grey", linestyle=":", label=f"$b_{{3}}$ = {_number(shift, 4)}"
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
            axes.plot(*rows.T, mark, color=colour, markersize=11, label=f"y = {_number(label, 1)}")
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
