"""Keeping a training so that it goes on bit for bit, and keeping others out of its folder."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trasluz.base.files import make_folder
from trasluz.base.messages import problem
from trasluz.callbacks.keeping import BackupAndRestore
from trasluz.callbacks.watching import EarlyStopping
from trasluz.saving.archive import unpack
from trasluz.saving.checkpoints import POSITION
from trasluz.saving.kinds import require_all

_SECONDS_BETWEEN = 1.0


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Make a folder and keep other trainings out of it, where the system has locks of folders.

    Raises:
        UserError: another training is in it, or it cannot be made.
    """
    make_folder(folder)
    if os.name != "posix":
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise problem("folder-busy", str(folder)) from None
        except OSError:
            pass  # a file system without locks
        yield
    finally:
        os.close(handle)


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
        super().keep(run, when)
        self.written = time.monotonic()
