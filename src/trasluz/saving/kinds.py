"""What may stand in a file: its reader declares the kind of each value, and takes nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trasluz.errors import UserError

_MOST = 2**53  # a count above it is none that a run ever reached
_MOST_STEPS = 2**31 - 1  # steps are counted in 32 bits


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < _MOST


def _is_measure(value: Any) -> bool:
    """Tell what a metric gives: a number, or a list of them for a table."""
    return all(map(_is_measure, value)) if isinstance(value, list) else type(value) in (int, float)


def _are_measures(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(name, str) and isinstance(values, list) and _is_measure(values)
        for name, values in value.items()
    )


# A "?" behind a kind allows None, and that it is missing. "arrays" are a list of arrays, which
# come by themselves.
KINDS: dict[str, Callable[[Any], bool]] = {
    "count": _is_count,
    "count of steps": lambda value: _is_count(value) and value < _MOST_STEPS,
    "number": lambda value: type(value) in (int, float),
    "counts": lambda value: isinstance(value, list) and all(map(_is_count, value)),
    "measures": _are_measures,
    "names": lambda value: isinstance(value, dict) and all(isinstance(n, str) for n in value),
    "arrays": lambda value: value == [],
    "plain": lambda value: True,
}


def require(kinds: Mapping[str, str], data: Any, where: str) -> dict[str, Any]:
    """Give the values of a dict from a file, if they are what was declared.

    Args:
        kinds: the kind of each value, by name: a key of `KINDS`, with "?" where it may be None.
        data: what the file holds.
        where: what the dict belongs to, for the error.

    Raises:
        UserError: if a name is not declared, or a value is of another kind.

    >>> require({"wait": "count"}, {"wait": 3}, "EarlyStopping")
    {'wait': 3}
    >>> require({"wait": "count"}, {"file": "/etc/passwd"}, "EarlyStopping")
    Traceback (most recent call last):
    ...
    trasluz.errors.UserError: EarlyStopping: the file holds 'file', which does not belong there. \
To mend it: use an intact copy of the file.
    """
    if not isinstance(data, dict):
        raise wrong("the file holds no values by name", where)
    for name, value in data.items():
        if name not in kinds:
            raise wrong(f"the file holds {name!r}, which does not belong there", where)
        kind = kinds[name].removesuffix("?")
        if not (KINDS[kind](value) or (value is None and kinds[name].endswith("?"))):
            raise wrong(f"{name!r} is no {kind} in the file: {value!r:.60}", where)
    return data


def require_all(kinds: Mapping[str, str], data: Any, where: str) -> dict[str, Any]:
    """Give the values of a dict as `require` does; those without "?" may not be missing.

    Raises:
        UserError: if one is missing too.
    """
    there = require(kinds, data, where)
    missing = [name for name, kind in kinds.items() if name not in there and kind[-1] != "?"]
    if missing:
        raise wrong(f"the file lacks {', '.join(missing)}", where)
    return there


def wrong(what: str, where: str) -> UserError:
    """Make the error for what a run never writes."""
    return UserError(what, where, "use an intact copy of the file")
