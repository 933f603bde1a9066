"""What goes for a whole program: the floating type, and where compiled programs are kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from trasluz.errors import unknown

FLOATS = ("float32", "float64")


class _Config:
    floatx = "float32"


def floatx() -> str:
    """Name the default floating type.

    >>> floatx()
    'float32'
    """
    return _Config.floatx


def set_floatx(value: str) -> None:
    """Choose the default floating type: "float32" for speed, "float64" for explaining.

    Raises:
        UserError: if it is neither.
    """
    if value not in FLOATS:
        raise unknown("floating type", value, FLOATS)
    _Config.floatx = value


def cache_folder() -> Path | None:
    """Give the folder for what may be lost: `TRASLUZ_CACHE`, else the user's cache folder.

    `None` if `TRASLUZ_CACHE` is set and empty.
    """
    given = os.environ.get("TRASLUZ_CACHE")
    if given is not None:
        return Path(given).expanduser() if given else None
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "trasluz"
