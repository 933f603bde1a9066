"""Recurrence as a row: a fold over time whose derivative is a fold the other way.

A loop on NumPy, one `lax.scan` on XLA. The backward fold runs `vjp` on the same body, so a scan
can stand in a scan, and be differentiated as often as one likes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from trasluz.autodiff import backend, ops
from trasluz.autodiff.tape import Primitive, Traced, scope, vjp, where, zeros_like
from trasluz.base.tree import fill, leaves, leaves_like, tree_map
from trasluz.errors import UserError

Body = Callable[[Any, Any, Any], tuple[Any, Any]]


def scan(
    body: Body, carry: Any, xs: Any, constants: Any = (), reverse: bool = False
) -> tuple[Any, Any]:
    """Fold a body over the leading axis of `xs`.

    Args:
        body: `body(carry, x, constants) -> (carry, y)`. Whatever it uses and is differentiated
            has to come in through its arguments.
        carry: tree of arrays to start from; the body gives back the same shapes.
        xs: tree of arrays with the same leading axis.
        constants: tree of arrays that every turn sees.
        reverse: whether to start from the last entry.

    Returns:
        The last carry and the stacked `y`.

    Raises:
        UserError: if the body uses a differentiated value that is not an argument.

    >>> import numpy as np
    >>> scan(lambda c, x, k: (c * k + x, c), np.array(0.0), np.array([1.0, 2.0]), np.array(10.0))
    (np.float64(12.0), array([0., 1.]))
    """
    if _unrolled.get():
        return _turn_by_turn(body, carry, xs, constants, reverse)
    if not any(isinstance(x, Traced) for x in leaves((carry, xs, constants))):
        return backend.scan(_alone(body), carry, xs, constants, reverse)
    seen: list[Any] = []

    def remembering(before: list[Any], x: list[Any], k: list[Any]) -> tuple[list[Any], list[Any]]:
        after, y = body(fill(carry, before), fill(xs, x), fill(constants, k))
        seen[:] = [y]
        return leaves_like(carry, after), leaves(y) + before

    counts = tuple(len(leaves(part)) for part in (carry, xs, constants))
    flat = leaves((carry, xs, constants))
    results = scan_row(*flat, body=remembering, counts=counts, reverse=reverse)
    last, ys = results[: counts[0]], results[counts[0] : len(results) - counts[0]]
    return fill(carry, list(last)), fill(seen[0], list(ys))


UNROLLED = ("scan", "convolve", "normalise")  # rows that are taken apart where they are read
_unrolled: ContextVar[bool] = ContextVar("unrolled", default=False)


def is_unrolled() -> bool:
    """Tell whether what is computed is to be read, and so is taken apart."""
    return _unrolled.get()


@contextmanager
def unrolled() -> Iterator[None]:
    """Run scans turn by turn for a while, each on a line of its own, so that they can be read."""
    token = _unrolled.set(True)
    try:
        yield
    finally:
        _unrolled.reset(token)


def _turn_by_turn(
    body: Body, carry: Any, xs: Any, constants: Any, reverse: bool
) -> tuple[Any, Any]:
    turns = range(leaves(xs)[0].shape[0])
    outputs: dict[int, Any] = {}
    for t in reversed(turns) if reverse else turns:
        with scope(f"t={t + 1}"):
            carry, outputs[t] = body(carry, tree_map(lambda x, t=t: x[t], xs), constants)
    return carry, tree_map(lambda *ys: ops.stack(ys), *(outputs[t] for t in turns))


def _alone(body: Body) -> Body:
    """Make sure that a body gives plain arrays for plain arrays: that it captures no box."""

    def checked(carry: Any, x: Any, constants: Any) -> tuple[Any, Any]:
        result = body(carry, x, constants)
        if any(isinstance(value, Traced) for value in leaves(result)):
            raise UserError(
                "the body of a scan uses a value from outside that is being differentiated",
                where(),
                "hand it to the body through `constants`",
            )
        return result

    return checked


def _split(
    flat: tuple[Any, ...], counts: tuple[int, ...]
) -> tuple[list[Any], list[Any], list[Any]]:
    a, b = counts[0], counts[0] + counts[1]
    return list(flat[:a]), list(flat[a:b]), list(flat[b:])


def _forward(*flat: Any, body: Body, counts: tuple[int, ...], reverse: bool) -> tuple[Any, ...]:
    """Run a body on flat lists that gives back, behind its own `y`, the carry it started from."""
    last, ys = scan(body, *_split(flat, counts), reverse=reverse)
    return (*last, *ys)


def _pullback(
    g: Any, value: Any, *flat: Any, body: Body, counts: tuple[int, ...], reverse: bool
) -> list[Any]:
    """Fold the other way: each turn pulls the derivative in its carry back through the body."""
    carry, xs, constants = _split(flat, counts)
    n = len(carry)
    carries = list(value[len(value) - n :])

    def backwards(late: Any, turn: Any, k: list[Any]) -> tuple[Any, list[Any]]:
        (g_after, g_constants), (before, x, g_y) = late, turn
        _, pull = vjp(body, before, x, k)
        g_before, g_x, g_more = pull((g_after, g_y))
        return (g_before, [a + b for a, b in zip(g_constants, g_more, strict=True)]), g_x

    late = (list(g[:n]), [zeros_like(k) for k in constants])
    turns = (carries, xs, list(g[n:]))
    (g_first, g_constants), g_xs = scan(backwards, late, turns, constants, reverse=not reverse)
    return [*g_first, *g_xs, *g_constants]


scan_row = Primitive(
    "scan", _forward, r"\operatorname{{scan}}\left({0}\right)", (_pullback,), "joint"
)
