"""Keeping a training so that it goes on bit for bit where it was interrupted."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from trasluz.callbacks import BackupAndRestore, EarlyStopping
from trasluz.saving import unpack

_SECONDS_BETWEEN = 1.0


class Checkpoint(BackupAndRestore):
    """Writes what a run is once a second at most, and stays so that more epochs can be asked for.

    Args:
        path: the file.
        stopping: the early stopping of the run: one that has stopped it stops it again.
    """

    def __init__(self, path: Path, stopping: EarlyStopping | None) -> None:
        super().__init__(path, delete_checkpoint=False)
        self.path, self.stopping, self.written = path, stopping, 0.0

    def begun(self) -> int:
        """Give the number of whole epochs that the file has behind it.

        Raises:
            UserError: the file is not whole.
        """
        return int(unpack(self.path)[1]["position"]["epoch"])

    def resume(self, run: Any) -> bool:
        """Put a run where the file left it, if there is one."""
        found = super().resume(run)
        if found and self.stopping is not None and self.stopping.wait >= self.stopping.patience:
            run.model.stop_training = True
        return found

    def keep(self, run: Any, when: str) -> None:
        """Write the file when it is time."""
        if when == "epoch" and time.monotonic() - self.written < _SECONDS_BETWEEN:
            return
        super().keep(run, when)
        self.written = time.monotonic()
