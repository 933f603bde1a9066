"""The checkpoint of a training on a table: written now and then, so that it goes on bit for bit."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trasluz.callbacks.keeping import BackupAndRestore
from trasluz.callbacks.watching import EarlyStopping
from trasluz.saving.archive import unpack
from trasluz.saving.checkpoints import POSITION
from trasluz.saving.kinds import require_all

_SECONDS_BETWEEN = 1.0


class Checkpoint(BackupAndRestore):
    """Writes what a run is once a second at most, and stays so that more epochs can be asked for.

    Args:
        path: the file.
        stopping: the early stopping of the run: one that has stopped it stops it again.
        check: makes sure, before each writing, that it still may be written.
    """

    def __init__(
        self,
        path: Path,
        stopping: EarlyStopping | None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(path, delete_checkpoint=False)
        self.path, self.stopping, self.check, self.written = path, stopping, check, 0.0

    def begun(self) -> int:
        """Give the number of whole epochs that the file has behind it.

        Raises:
            UserError: the file is not whole.
        """
        position = unpack(self.path)[1].get("position")
        return int(require_all(POSITION, position, str(self.path))["epoch"])

    def resume(self, run: Any) -> bool:
        """Put a run where the file left it, if there is one."""
        resumed = super().resume(run)
        if resumed and self.stopping is not None and self.stopping.wait >= self.stopping.patience:
            run.model.stop_training = True
        return resumed

    def keep(self, run: Any, when: str) -> None:
        """Write the file when it is time: not after batches, which would put off the epochs."""
        soon = time.monotonic() - self.written < _SECONDS_BETWEEN
        if when == "batch" or (when == "epoch" and soon):
            return
        self.check()
        super().keep(run, when)
        self.written = time.monotonic()
