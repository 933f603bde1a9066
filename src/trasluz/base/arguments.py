"""What constructors and functions are given, compared with what their parameters are said to be."""

from __future__ import annotations

import functools
import inspect
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np

from trasluz.errors import UserError, shown, unknown

P = ParamSpec("P")
R = TypeVar("R")


class Kind(NamedTuple):
    """A kind of value: how it is told, and how it is called."""

    holds: Callable[[Any], bool]
    called: str


def _is_number(value: Any) -> bool:
    alone = hasattr(value, "__float__") and not len(getattr(value, "shape", ()))
    if isinstance(value, (type, str, bytes)) or not alone:
        return False
    try:
        return not math.isnan(float(value))
    except (TypeError, ValueError, OverflowError):
        return False


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) or (_is_number(value) and float(value).is_integer())


def _is_truth(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, np.bool_))


def _is_type(value: Any) -> bool:
    """Tell what may name a type of numbers; `number_type` says whether it does."""
    return (
        value is None
        or isinstance(value, (str, type, np.dtype))
        or (hasattr(value, "itemsize") and not hasattr(value, "ndim"))
    )


def _each(kind: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def holds(value: Any) -> bool:
        if isinstance(value, range):
            return True
        if hasattr(value, "tolist"):
            value = value.tolist()
        return isinstance(value, (list, tuple)) and all(map(kind, value))

    return holds


_WHOLE_NUMBERS = Kind(_each(_is_whole), "whole numbers in a list")
_DICT = Kind(lambda value: isinstance(value, Mapping), "a dict")
# By how annotations spell them. What is not among them is not looked at here.
KINDS: dict[str, Kind] = {
    "None": Kind(lambda value: value is None, "None"),
    "bool": Kind(_is_truth, "True or False"),
    "int": Kind(_is_whole, "a whole number"),
    "float": Kind(_is_number, "a number"),
    "str": Kind(lambda value: isinstance(value, str), "a text"),
    "os.PathLike[str]": Kind(lambda value: isinstance(value, os.PathLike), "a path"),
    "Sequence[int]": _WHOLE_NUMBERS,
    "tuple[int, ...]": _WHOLE_NUMBERS,
    "Sequence[float]": Kind(_each(_is_number), "numbers in a list"),
    "Callable": Kind(callable, "a function"),
    "Mapping": _DICT,
    "dict": _DICT,
}


@functools.cache
def _parameters(call: Any) -> tuple[dict[str, tuple[Kind, ...]], list[str], bool]:
    """Give the kinds of parameters by name, all names in order, and whether others may come."""
    kinds: dict[str, tuple[Kind, ...]] = {}
    names, open_ = [], False
    for name, parameter in inspect.signature(call).parameters.items():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            open_ = True
            continue
        if name != "self":
            names.append(name)
        said = parameter.annotation
        spelled = said.split(" | ") if isinstance(said, str) else [getattr(said, "__name__", "")]
        wide = [one if one in KINDS else one.partition("[")[0] for one in spelled]
        if name == "dtype":
            kinds[name] = (Kind(_is_type, "a type of numbers, such as 'float32',"),)
        elif all(one in KINDS for one in wide):
            kinds[name] = tuple(KINDS[one] for one in wide)
    return kinds, names, open_


def is_numeric(dtype: Any) -> bool:
    """Tell types of numbers: floating (bfloat16 and its kin too), complex, whole, truths."""
    kind = getattr(dtype, "kind", "?")
    small = kind == "V" and getattr(dtype, "name", "").startswith(("bfloat", "float"))
    return (kind in "fiubc" or small) and not getattr(dtype, "shape", ())


@functools.cache
def _is_method(call: Any) -> bool:
    return next(iter(inspect.signature(call).parameters), "") == "self"


def number_type(given: Any, where: str = "dtype") -> np.dtype[Any]:
    """Give NumPy's type of arrays of numbers: floating, whole or truths.

    Raises:
        UserError: it is another one, or none.

    >>> number_type("float32")
    dtype('float32')
    """
    try:
        dtype = np.dtype(getattr(given, "name", given))
    except (TypeError, ValueError, SyntaxError, MemoryError, RecursionError):  # it reads texts too
        dtype = np.dtype(object)
    if not is_numeric(dtype):
        what = f"{shown(given)} is no type of numbers"
        raise UserError(what, where, "give one such as 'float32', 'float64', 'int32' or 'bool'")
    return dtype


def check(
    call: Any, where: str, args: Sequence[Any], named: Mapping[str, Any], own: Sequence[str] = ()
) -> None:
    """Compare arguments with what the parameters of a class or function are said to be.

    Args:
        call: the class or function; its annotations say what is looked at (see `KINDS`).
        where: what to call it in errors.
        args: the arguments by place.
        named: the arguments by name.
        own: the parameters that it looks at itself.

    Raises:
        UserError: if there is no such parameter (the nearest is suggested), or the value is of
            another kind.

    >>> def wait(seconds: float, often: int | None = None): ...
    >>> check(wait, "wait", [2.5], {"often": 3})
    >>> check(wait, "wait", ["long"], {})
    Traceback (most recent call last):
    ...
    trasluz.errors.UserError: wait: seconds has to be a number, it is 'long'. \
To mend it: give a number.
    """
    kinds, names, open_ = _parameters(call)
    for name in named if not open_ else ():
        if name not in names:
            raise unknown(f"argument of {where}", name, names)
    args = args[1:] if inspect.isfunction(call) and _is_method(call) else args
    for name, value in (*zip(names, args, strict=False), *named.items()):
        if name in own or name not in kinds or any(kind.holds(value) for kind in kinds[name]):
            continue
        called = " or ".join(dict.fromkeys(kind.called for kind in kinds[name]))
        raise UserError(f"{name} has to be {called}, it is {shown(value)}", where, f"give {called}")


def checks_arguments(*own: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a decorator that compares arguments with a function's annotations at each call.

    Args:
        own: the parameters that the function looks at itself.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def asked(*args: P.args, **named: P.kwargs) -> R:
            check(function, function.__name__, args, named, own)
            return function(*args, **named)

        return asked

    return decorate


class Checked:
    """What is made by a constructor whose arguments are looked at before it takes them.

    Classes of users' own are not looked at: what their annotations say is their own matter.
    """

    def __new__(cls, *args: Any, **named: Any) -> Any:
        if cls.__module__.startswith("trasluz."):
            check(cls, cls.__name__, args, named)
        if super().__new__ is object.__new__:
            return super().__new__(cls)
        return super().__new__(cls, *args, **named)  # a class beside it wants to see them
