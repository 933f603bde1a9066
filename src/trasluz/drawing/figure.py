"""What all figures share: colours, sizes, numbers, the file."""

from __future__ import annotations

import io
from typing import Any

from trasluz.base.numbers import in_language
from trasluz.errors import spelled

BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"


def write_note(axes: Any, text: str, height: float, va: str, **how: Any) -> None:
    """Write at the right of a panel, over its curves."""
    paper = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.5}
    axes.text(
        0.97, height, text, transform=axes.transAxes, ha="right", va=va, fontsize=8, zorder=5,
        bbox=paper, **how,
    )  # fmt: skip


def axis_of_losses(axes: Any, low: float, high: float) -> float:
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
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number_text(value, 3)))
    axes.set_ylim(low, high)
    return float(high)


def new_figure(
    columns: int, rows: int = 1, size: tuple[float, float] = (5.5, 4), **shared: Any
) -> tuple[Any, Any]:
    """Make a figure of panels, each of a size in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(size[0] * columns, size[1] * rows), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, **shared)


def as_png(figure: Any, title: str, formulas: bool = False) -> bytes:
    """Give a figure under its title as the bytes of a PNG file.

    Args:
        figure: what was drawn.
        title: what is written above it.
        formulas: whether dollar signs enclose formulas: where no word comes from the user.
    """
    from matplotlib.text import Text

    figure.suptitle(title)
    ticks = {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for label in axis.get_ticklabels(which="both")  # numbers: some are formulas
    }
    for text in () if formulas else set(figure.findobj(Text)) - ticks:
        text.set_parse_math(False)
        text.set_text(spelled(text.get_text()))  # the font lacks their pictures
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120)
    return file.getvalue()


def number_text(value: float, digits: int) -> str:
    """Write a number as the language of messages does."""
    text = f"{value:.{digits}g}" if abs(value) > 1e-12 else "0"
    return in_language(text)


def tick_text(name: object) -> str:
    """Write a word of the user's at a tick, where dollar signs would enclose formulas."""
    return spelled(str(name)).replace("$", r"\$")


def label_text(name: str) -> str:
    """Write a name, as a formula if it is one."""
    latex = getattr(name, "latex", "")
    return f"${latex}$" if latex else name
