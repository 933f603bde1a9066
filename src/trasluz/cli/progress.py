"""A bar that says how far a training is, how fast it goes and how long it will take."""

from __future__ import annotations

from typing import Any

import rich.progress

from trasluz.callbacks import Callback
from trasluz.cli.face import Face
from trasluz.messages import say


class Progress(Callback):
    """Shows a line that moves with the epochs, with the last losses.

    Args:
        face: where to show it.
        begun: how many epochs were done before.
        epochs: how many are asked for.
    """

    def __init__(self, face: Face, begun: int, epochs: int) -> None:
        self.begun, self.epochs = begun, epochs
        self.bar = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(bar_width=20),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TextColumn("{task.fields[rate]}"),
            rich.progress.TimeRemainingColumn(compact=True),
            rich.progress.TextColumn("{task.fields[logs]}"),
            console=face.console,
            disable=face.quiet,
        )
        self.task: rich.progress.TaskID | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Draw the empty bar."""
        self.bar.start()
        description = say("progress-epochs")
        self.task = self.bar.add_task(
            description, completed=self.begun, total=self.epochs, rate="", logs=""
        )

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Move the bar."""
        if self.task is None:
            return
        shown = [name for name in ("loss", "val_loss") if name in (logs or {})]
        losses = "  ".join(f"{name} {logs[name]:.4f}" for name in shown)
        speed = self.bar.tasks[self.task].speed
        rate = say("progress-rate", rate=f"{speed:.0f}") if speed else ""
        self.bar.update(self.task, completed=epoch + 1, rate=rate, logs=losses)

    def on_train_end(self, logs: Any = None) -> None:
        """Leave the bar as it stands."""
        self.stop()

    def stop(self) -> None:
        """Give the terminal back, however the training ended."""
        self.bar.stop()
