"""Pictures, drawn without a screen and given as the bytes of a PNG file."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from trasluz.messages import say


def learning_curve(history: Mapping[str, Sequence[float]], *, title: str = "") -> bytes:
    """Draw how each logged value went over the epochs, training against validation.

    Args:
        history: the values of each epoch by name; ``val_`` marks those of the validation part.
        title: what stands above.

    >>> learning_curve({"loss": [1.0, 0.5], "val_loss": [1.1, 0.7]})[1:4]
    b'PNG'
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    names = [name for name in history if not name.startswith("val_") and name != "learning_rate"]
    figure = Figure(figsize=(5.5 * len(names), 4), layout="constrained")
    FigureCanvasAgg(figure)
    row = figure.subplots(1, len(names), squeeze=False)[0]
    for axes, name in zip(row, names, strict=True):
        epochs = range(1, len(history[name]) + 1)
        axes.plot(epochs, history[name], label=say("part-train"), color="#0072b2")
        if validation := history.get(f"val_{name}"):
            label = say("part-validation")
            axes.plot(epochs, validation, label=label, color="#d55e00", linestyle="--")
        axes.set(xlabel=say("curve-epoch"), ylabel=name)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    figure.suptitle(title)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120)
    return file.getvalue()
