"""Sheets as files: one student's, or a whole class's, never over what somebody filled in."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path

from trasluz.base.files import read_regular, write_atomically
from trasluz.errors import UserError
from trasluz.worksheets.answers import MOST_BYTES, Answers, is_empty
from trasluz.worksheets.document import student, teacher, together
from trasluz.worksheets.sheet import FORMATS, Sheet, dump

_SHEET = re.compile(r"sheet-\d{2,}")


def write(sheet: Sheet, folder: str | Path, form: str = "html") -> list[Path]:
    """Write a sheet into a folder: see `Sheet.write`."""
    files = {f"{sheet.name}.json": dump(sheet.as_dict()), **student(sheet, form)}
    return [write_atomically(Path(folder) / name, content) for name, content in files.items()]


def write_class(sheets: Sequence[Sheet], folder: str | Path, form: str) -> list[Path]:
    """Write the sheets of a class into a folder, and the answers into its folder `teacher`.

    What an earlier class left there is removed: sheets that this one has not, pages in another
    format, the key to them. A page that a student has filled stays.

    Args:
        sheets: all of them.
        folder: where to.
        form: one of `FORMATS`.

    Returns:
        The files.

    Raises:
        UserError: the format is not known, its extra is not installed, or a file cannot be
            written.
    """
    left = _earlier(Path(folder))
    written = [path for sheet in sheets for path in write(sheet, folder, form)]
    files = {f"teacher/{name}": content for name, content in teacher(sheets, form).items()}
    files |= together(sheets, form)
    written += [write_atomically(Path(folder) / name, content) for name, content in files.items()]
    for path in set(left) - set(written):
        with contextlib.suppress(OSError):
            path.unlink()
    return written


def _earlier(folder: Path) -> list[Path]:
    """List what was written into a folder by an earlier call, and by nobody since."""
    names = [f.stem for f in folder.glob("sheet-*.json") if _SHEET.fullmatch(f.stem) and _own(f)]
    files = [folder / f"{name}.{end}" for name in names for end in ("json", "svg", *FORMATS)]
    files += [folder / "all.pdf"] if names else []
    if names and (folder / "teacher" / "key.json").is_file():
        files += [folder / "teacher" / f"key.{end}" for end in ("html", "md", "pdf")]
    return [file for file in files if file.is_file() and not _is_filled(file)]


def _own(path: Path) -> bool:
    """Tell whether a file holds the problem of a sheet."""
    try:
        return b'"arrays"' in read_regular(path, MOST_BYTES)
    except (OSError, UserError):
        return False


def _is_filled(path: Path) -> bool:
    """Tell whether there are answers in a page."""
    if path.suffix not in (".md", ".ipynb") or path.stem == "key":
        return False
    try:
        return not all(map(is_empty, Answers.load(path).texts.values()))
    except UserError:
        return True  # whatever it is
