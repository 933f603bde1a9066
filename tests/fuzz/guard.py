"""What no case may do: run on and on, fill the memory, touch files that are not its own."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS = 10  # of a processor
BYTES = 2 * 2**30

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_MOVES = {
    "os.remove": 1, "os.rmdir": 1, "os.mkdir": 1, "os.rename": 2, "os.link": 2, "os.symlink": 2,
    "os.truncate": 1, "os.chmod": 1, "os.chown": 1, "shutil.rmtree": 1, "shutil.move": 2,
    "shutil.copyfile": 2,
}  # fmt: skip
_NEVER = {
    "os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "pickle.find_class",
    "socket.connect",
}  # fmt: skip


class Found(Exception):
    """A case did what none may do."""


class Guard:
    """Watches what this process does while a case runs.

    Args:
        allowed: the folders in which files may be written.
        precious: a folder that has to stay as it is, byte for byte.
    """

    def __init__(self, allowed: list[Path], precious: Path) -> None:
        self.allowed = [os.path.realpath(folder) for folder in allowed]
        self.precious, self.there = precious, _tree(precious)
        self.on, self.seen, self.seconds = False, [], float(SECONDS)
        sys.addaudithook(self._hear)
        signal.signal(signal.SIGPROF, self._too_long)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Run a case.

        Raises:
            Found: it did what none may do.
        """
        self.seen.clear()
        Path("/proc/self/clear_refs").write_text("5")  # what was the most so far is forgotten
        signal.setitimer(signal.ITIMER_PROF, self.seconds)
        self.on = True
        try:
            yield
        finally:
            self.on = False
            signal.setitimer(signal.ITIMER_PROF, 0)
        if self.seen:
            raise Found("; ".join(self.seen))
        if (most := _peak()) > BYTES:
            raise Found(f"memory: {most / 2**30:.1f} GiB")
        if _tree(self.precious) != self.there:
            raise Found("the user's files are not what they were")

    def _too_long(self, *_: object) -> None:
        if self.on:
            raise Found(f"over {self.seconds:g} s")

    def _hear(self, event: str, about: tuple[object, ...]) -> None:
        if not self.on:
            return
        if event == "pickle.find_class" and str(about[0]).startswith("babel."):
            return  # its own tables of languages, which it comes with
        if event in _NEVER:
            self.seen.append(f"{event}{about!r:.200}")
        elif event == "open":
            path, _, flags = about
            if isinstance(flags, int) and flags & _WRITES:
                self._check(event, path)
        elif event in _MOVES:
            for path in about[: _MOVES[event]]:
                self._check(event, path)

    def _check(self, event: str, path: object) -> None:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return  # a number of an open file
        whole = os.path.realpath(os.fsdecode(path))
        if whole == os.devnull or any(
            whole == own or whole.startswith(own + os.sep) for own in self.allowed
        ):
            return
        self.seen.append(f"{event} {whole} ({threading.current_thread().name})")


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def _peak() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
