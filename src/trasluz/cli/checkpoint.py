"""Keeping a training so that it goes on bit for bit, and keeping others out of its folder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from trasluz.base.files import make_folder, write_atomically
from trasluz.base.messages import problem
from trasluz.callbacks.keeping import BackupAndRestore
from trasluz.callbacks.watching import EarlyStopping
from trasluz.saving.archive import unpack
from trasluz.saving.checkpoints import POSITION
from trasluz.saving.kinds import require_all

_SECONDS_BETWEEN = 1.0
NEXT = "next"  # in a folder with a run: where another one is, until it is whole
_WHOLE = "whole"  # in there: all of it is, and takes the place of what was before


@contextmanager
def alone_in(folder: Path) -> Iterator[Callable[[], None]]:
    """Make a folder and keep other trainings out of it, where the system has locks of folders.

    Gives what makes sure that the folder is still the same: another may have been put in its place.

    Raises:
        UserError: another training is in it, it cannot be made, or it is gone when that is asked.
    """
    make_folder(folder)
    if os.name != "posix":
        yield lambda: None
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
        for part in (*folder.glob(".*.part"), *folder.glob(f"{NEXT}/.*.part")):
            part.unlink(missing_ok=True)  # of a process that was killed
        yield lambda: _check_there(folder, handle)
    finally:
        os.close(handle)


def _check_there(folder: Path, handle: int) -> None:
    """Make sure that a folder is the one that was opened.

    Raises:
        UserError: it was removed, or another stands in its place.
    """
    try:
        there = folder.stat()
    except OSError:
        there = None
    if there is None or not os.path.samestat(there, os.fstat(handle)):
        raise problem("folder-gone", str(folder))


def workplace(folder: Path, resume: bool, names: Sequence[str]) -> Path:
    """Say where a run keeps its files while it is on: what an earlier one left stays meanwhile.

    Args:
        folder: of the run.
        resume: whether it goes on with one that was interrupted, wherever that is.
        names: of the files that a run leaves, its checkpoint first.
    """
    settle(folder)
    place = folder / NEXT
    if resume:
        return place if (place / names[0]).exists() else folder
    return place if any((folder / name).exists() for name in names) else folder


def take_over(place: Path, folder: Path) -> None:
    """Put a run that is whole where the one before was."""
    if place != folder:
        write_atomically(place / _WHOLE, b"")
        settle(folder)


def settle(folder: Path) -> None:
    """Move what is whole to its place; a process that was killed at it is taken over from."""
    place = folder / NEXT
    if not (place / _WHOLE).exists():
        return
    for file in place.iterdir():
        if file.name != _WHOLE:
            with suppress(FileNotFoundError):  # another process moves too
                file.replace(folder / file.name)
    (place / _WHOLE).unlink(missing_ok=True)
    with suppress(OSError):
        place.rmdir()


def clear(place: Path) -> None:
    """Remove what a run that was given up left in its own folder."""
    if place.name == NEXT and place.is_dir():
        for file in place.iterdir():
            file.unlink()


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
