"""The folder of a run: its files change together when all are whole, and nobody else is in it.

What a run writes lies in a folder of its own within, until all of it is there. Then a file that
says so is written, and from then on the files are moved to their places, by whichever process comes
by: a kill in between leaves nothing half old and half new. Files of others are never touched: all
that is moved or removed has one of the names in `KINDS`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from trasluz.base.files import make_folder, write_atomically
from trasluz.base.messages import problem

MODEL, REPORT = "model.trasluz", "report.json"
CHECKPOINT, SETTINGS = "checkpoint.trasluz", "settings.json"
BROKEN = "last-finite.trasluz"  # the model before the step at which numbers broke
HISTORY, CURVE = "history.csv", "learning_curve.png"
RESULTS, CURVES, FIGURE, TRIALS = "results.csv", "curves.csv", "sweep.png", "trials.csv"

# The files of each kind of run; what a report has says of which kind it is.
KINDS: dict[str, tuple[str, ...]] = {
    "train": (CHECKPOINT, SETTINGS, MODEL, REPORT, HISTORY, CURVE, BROKEN),
    "sweep": (MODEL, REPORT, RESULTS, CURVES, FIGURE),
    "search": (MODEL, REPORT, TRIALS, FIGURE),
}
_OWN = frozenset(name for names in KINDS.values() for name in names)
_NEXT, _WHOLE = ".trasluz-next", "whole.json"


class RunFolder:
    """A folder that a run is in.

    Args:
        folder: where.
        kind: of `KINDS`.
        handle: an open folder, to tell whether it is still there; None where that is not possible.
    """

    def __init__(self, folder: Path, kind: str, handle: int | None = None) -> None:
        self.folder, self.kind, self.handle = folder, kind, handle
        alone = kind != "search"  # several processes search together
        self.next = folder / (_NEXT if alone else f"{_NEXT}-{os.getpid()}")
        self.place = folder

    def check_there(self) -> None:
        """Make sure that the folder is the one that was entered.

        Raises:
            UserError: it was removed, or another stands in its place.
        """
        if self.handle is None:
            return
        try:
            there = self.folder.stat()
        except OSError:
            there = None
        if there is None or not os.path.samestat(there, os.fstat(self.handle)):
            raise problem("folder-gone", str(self.folder))

    def take_over(self) -> None:
        """Put what lies in `next`, which is whole, in the place of the run that was here."""
        self.check_there()
        names = [file.name for file in self.next.iterdir() if file.name in _OWN]
        before = set(KINDS.get(_kind_in(self.folder), ())) - set(KINDS[self.kind])
        told = {"moved": names, "removed": sorted(before)}
        write_atomically(self.next / _WHOLE, json.dumps(told).encode())
        settle(self.folder)


@contextmanager
def entered(folder: Path, kind: str, resume: bool = False) -> Iterator[RunFolder]:
    """Make a folder and keep other runs out of it, where the system has locks of folders.

    Args:
        folder: where.
        kind: of `KINDS`; searches may be several.
        resume: whether the run goes on with one that was interrupted.

    Raises:
        UserError: another run is in it, or it cannot be made.
    """
    make_folder(folder)
    handle = _locked(folder, shared=kind == "search") if os.name == "posix" else None
    try:
        settle(folder)
        run = RunFolder(folder, kind, handle)
        run.place = workplace(folder, kind, resume)
        if kind != "search":
            for left in folder.glob(f"{_NEXT}*"):  # of runs that were given up or killed
                if left != run.place or not resume:
                    shutil.rmtree(left, ignore_errors=True)
            for place in {folder, run.place}:
                for part in place.glob(".*.part"):
                    if any(part.name.startswith(f".{name}.") for name in _OWN):
                        part.unlink(missing_ok=True)
        yield run
    finally:
        if handle is not None:
            os.close(handle)


def workplace(folder: Path, kind: str, resume: bool) -> Path:
    """Say where a run keeps what it needs to go on: aside, where there is an earlier one.

    Args:
        folder: of the run.
        kind: of `KINDS`.
        resume: whether it goes on with one that was interrupted, wherever that is.
    """
    aside = folder / _NEXT
    if resume:
        return aside if (aside / CHECKPOINT).exists() else folder
    return aside if any((folder / name).exists() for name in KINDS[kind]) else folder


def settle(folder: Path) -> None:
    """Move what is whole to its place; a process that was killed at it is taken over from."""
    for whole in folder.glob(f"{_NEXT}*/{_WHOLE}"):
        told = _told(whole)
        for name in told["removed"]:
            (folder / name).unlink(missing_ok=True)
        for name in told["moved"]:
            with suppress(FileNotFoundError):  # another process moves too
                (whole.parent / name).replace(folder / name)
        whole.unlink(missing_ok=True)
        with suppress(OSError):
            whole.parent.rmdir()


def _told(whole: Path) -> dict[str, list[str]]:
    """Read which files are to be moved and removed; names that are not a run's are left alone."""
    told: Any = None
    with suppress(OSError, ValueError, RecursionError):
        told = json.loads(whole.read_bytes())
    told = told if isinstance(told, dict) else {}
    names = {what: told.get(what) for what in ("moved", "removed")}
    return {
        what: [n for n in some if isinstance(n, str) and n in _OWN]
        if isinstance(some, list)
        else []
        for what, some in names.items()
    }


def _kind_in(folder: Path) -> str:
    """Tell the kind of the run that lies in a folder by its report; nothing if there is none."""
    try:
        report = json.loads((folder / REPORT).read_bytes())
        if not {"settings", "task", "parts"} <= {*report}:
            return ""
        return "search" if "trials" in report else "sweep" if "axes" in report else "train"
    except (OSError, ValueError, TypeError, RecursionError):
        return ""


def _locked(folder: Path, shared: bool) -> int:
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise problem("folder-busy", str(folder)) from None
    except OSError:
        pass  # a file system without locks
    return handle


def finished(run: RunFolder, files: Sequence[tuple[str, bytes]]) -> None:
    """Write the last files of a run, and put all of it in its place."""
    for name, content in files:
        write_atomically(run.next / name, content)
    run.take_over()
