"""The floating type in which layers and data are made unless they say otherwise."""

from __future__ import annotations

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
