"""A bar that says how far a training is, how fast it goes and how long it will take."""

from __future__ import annotations

from typing import Any

import rich.progress

from trasluz.base.messages import say
from trasluz.callbacks.base import Callback
from trasluz.cli.output import Output
from trasluz.errors import visible


class Bar:
    """A line that moves.

    Args:
        output: where to show it.
        description: what is counted.
        total: how many there are.
        begun: how many were done before.
    """

    def __init__(self, output: Output, description: str, total: int, begun: int = 0) -> None:
        self.bar = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(bar_width=20),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TextColumn("{task.fields[rate]}"),
            rich.progress.TimeRemainingColumn(compact=True),
            rich.progress.TextColumn("{task.fields[news]}", markup=False),
            console=output.console,
            disable=output.quiet,
        )
        self.task = self.bar.add_task(
            description, start=False, completed=begun, total=total, rate="", news=""
        )

    def start(self) -> None:
        """Draw it."""
        self.bar.start()
        self.bar.start_task(self.task)

    def stop(self) -> None:
        """Leave it as it stands, and give the terminal back."""
        self.bar.stop()

    def move(self, done: float, news: str = "") -> None:
        """Say how many are done, and what is new."""
        speed = self.bar.tasks[self.task].speed
        rate = say("progress-rate", rate=f"{speed:.0f}") if speed and speed >= 1 else ""
        self.bar.update(self.task, completed=done, rate=rate, news=visible(news, lines=False))


class Progress(Callback):
    """Shows a line that moves with the epochs, with the last losses.

    Args:
        output: where to show it.
        begun: how many epochs were done before.
        epochs: how many are asked for.
    """

    def __init__(self, output: Output, begun: int, epochs: int) -> None:
        self.bar = Bar(output, say("progress-epochs"), epochs, begun)

    def on_train_begin(self, logs: Any = None) -> None:
        """Draw the empty bar."""
        self.bar.start()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Move the bar."""
        shown = [name for name in ("loss", "val_loss") if name in (logs or {})]
        self.bar.move(epoch + 1, "  ".join(f"{name} {logs[name]:.4f}" for name in shown))

    def on_train_end(self, logs: Any = None) -> None:
        """Leave the bar as it stands."""
        self.stop()

    def stop(self) -> None:
        """Give the terminal back, however the training ended."""
        self.bar.stop()
