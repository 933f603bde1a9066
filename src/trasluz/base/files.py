"""Writing files so that a reader meets the old one or the new one, never half of one."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from trasluz.base.messages import problem
from trasluz.errors import UserError


def write_atomically(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write `content` to `path` whole or not at all, and make the missing folders above it.

    The bytes go to a temporary file of the same folder, reach the disk, and take the name in one
    step; whatever interrupts the writing leaves what stood there before.

    Args:
        path: where the file goes.
        content: all of its bytes.

    Returns:
        The path written.

    Raises:
        UserError: the folder cannot be made or written, or the disk is full.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_atomically(folder / "made" / "a.txt", b"abc").read_bytes()
    b'abc'
    """
    path = Path(path)
    _check_name(path)
    make_folder(path.parent)
    try:
        if path.exists() and not path.is_file():  # a device or a pipe is not to be replaced
            path.write_bytes(content)
        else:
            _replace(Path(os.path.realpath(path)), content)
    except OSError as error:
        raise unwritten(path, error) from error
    return path


def _check_name(path: Path) -> None:
    """Make sure that the system can have a file of that name.

    Raises:
        UserError: if it cannot.
    """
    try:
        named = b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        named = False
    if not named:
        raise UserError("no file can be called so", str(path), "give a name of ordinary signs")


def read_regular(path: str | os.PathLike[str], most: int | None = None) -> bytes:
    """Read a file; what never ends, or waits for somebody to write, is none.

    Args:
        path: the file; a pipe is one only below `/dev` and `/proc`, where shells put theirs.
        most: how many bytes it may have.

    Raises:
        UserError: it is a pipe or a device, or too large.
        OSError: it cannot be read.
    """
    path = Path(path)
    there = path.stat()
    piped = stat.S_ISFIFO(there.st_mode) and path.is_absolute() and path.parts[1] in ("dev", "proc")
    if not stat.S_ISREG(there.st_mode) and not stat.S_ISDIR(there.st_mode) and not piped:
        raise problem("file-odd", str(path))
    if most is not None and there.st_size > most:
        raise problem("file-large", str(path), size=there.st_size >> 20, most=most >> 20)
    return path.read_bytes()


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, unless they are there.

    Raises:
        UserError: the system does not let it be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritten(folder, error) from error


def unwritten(path: Path, error: OSError) -> UserError:
    """Make the error that says that the system does not let something be written."""
    return UserError(
        f"cannot be written ({error.strerror or error})",
        str(path),
        "choose a folder that exists, with free space and the right to write",
    )


def _replace(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _permissions(path))
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _permissions(path: Path) -> int:
    """Give the permissions that a plain `open` would: mkstemp makes files private."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _sync_folder(folder: Path) -> None:
    """Make the new name itself durable, where the system lets a folder be opened (not Windows)."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
