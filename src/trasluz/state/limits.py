"""How large things may be: asked before memory is, and more strictly of what a file describes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from trasluz import config
from trasluz.base.numbers import about
from trasluz.errors import UserError, shown

_INPUT = 2**27  # numbers a row of inputs, whatever else is allowed
_PARTS = 5_000  # layers, and calls, of what is read from a file
_READ = 2**26  # numbers a row, of all layers together, in what is read from a file
_HOW = "trasluz.config.set_most_numbers, or the environment's TRASLUZ_MOST_NUMBERS"

# How many numbers the weights of what is read from a file may still have, and rows of its layers.
_left: ContextVar[dict[str, int] | None] = ContextVar("left", default=None)


@contextmanager
def weights_up_to(numbers: int) -> Iterator[None]:
    """Read a model from a file: all its weights together have at most that many numbers.

    What its layers give for a row is counted together too. A bound that was chosen by
    `config.set_most_numbers`, or in the environment, goes for each instead.
    """
    token = _left.set(None if config.chose_most_numbers() else {"weights": numbers, "rows": _READ})
    try:
        yield
    finally:
        _left.reset(token)


def check_weight(shape: tuple[int, ...]) -> None:
    """Make sure that a weight is not too large, before it is made.

    Raises:
        UserError: if it is.
    """
    numbers, left = math.prod(shape), _left.get()
    most = config.most_numbers() if left is None else left["weights"]
    if numbers > most:
        raise UserError(
            f"a weight of shape {shown(shape)} would hold {about(numbers)} numbers",
            mend=f"give fewer units ({most:,} numbers are the most), or raise the bound: {_HOW}",
        )
    if left is not None:
        left["weights"] -= numbers


def check_row(shape: Sequence[int], where: str) -> None:
    """Make sure that what a layer gives for a row is not too large, before it is worked out.

    Raises:
        UserError: if it is.
    """
    numbers, left = math.prod(shape), _left.get()
    most = config.most_numbers() if left is None else left["rows"]
    if numbers > most:
        raise UserError(
            f"it would give {about(numbers)} numbers a row, of shape {shown(tuple(shape))}",
            where,
            f"make its output smaller ({most:,} numbers are the most), or raise the bound: {_HOW}",
        )
    if left is not None:
        left["rows"] -= numbers


def check_input(shape: Sequence[int | None]) -> None:
    """Make sure that a row of inputs is not too large.

    Raises:
        UserError: if it is.
    """
    numbers = math.prod(max(1, n) for n in shape if n is not None)
    most = max(_INPUT, config.most_numbers()) if config.chose_most_numbers() else _INPUT
    if numbers > most:
        raise UserError(
            f"an input of shape {shown(tuple(shape))} holds {about(numbers)} numbers a row",
            mend=f"give smaller rows ({most:,} numbers are the most), or raise the bound: {_HOW}",
        )


def check_depth(description: object, where: str) -> None:
    """Make sure that a file does not describe more layers and calls than are made in seconds.

    Args:
        description: the plain data that a model is to be made from.
        where: what they come from.

    Raises:
        UserError: if it does.
    """
    parts, waiting = 0, [description]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            lists = [one[name] for name in ("layers", "plan") if isinstance(one.get(name), list)]
            parts += sum(map(len, lists))
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(part for part in one if isinstance(part, (dict, list)))
    if parts > _PARTS and not config.chose_most_numbers():
        raise UserError(
            f"the file describes a model of {parts:,} layers and calls",
            where,
            f"more than {_PARTS:,} take long: make the model from code and read its weights, or "
            f"choose a bound of your own: {_HOW}",
        )
