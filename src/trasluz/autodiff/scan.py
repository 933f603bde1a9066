"""Recurrence as a row: a fold over time whose derivative is a fold the other way.

A loop on NumPy, one `lax.scan` on XLA. Each turn writes a tape, and the fold the other way reads
those tapes backwards, with rows only: so a scan can stand in a scan, and be differentiated as often
as one likes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from trasluz.autodiff import backend, ops
from trasluz.autodiff.tape import Primitive, Traced, scope, where, zeros_like
from trasluz.autodiff.turns import Body, Turn
from trasluz.base.tree import fill, leaves, tree_map
from trasluz.errors import UserError


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
    flat = leaves((carry, xs, constants))
    if not any(isinstance(x, Traced) for x in flat):
        return backend.scan(_alone(body), carry, xs, constants, reverse)
    turn = Turn(body, (carry, xs, constants))
    results = scan_row(*flat, turn=turn, reverse=reverse)
    n = turn.counts[0]
    return fill(carry, list(results[:n])), fill(turn.y, list(results[n : len(turn.results)]))


UNROLLED = ("scan", "convolve", "split", "normalise")  # rows taken apart where they are read
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


def _forward(*flat: Any, turn: Turn, reverse: bool) -> tuple[Any, ...]:
    """Take the turns: the last carry, and the stacks of all that they give."""
    last, stacks = backend.scan(_alone(turn), *turn.parts(flat), reverse)
    return (*last, *stacks)


def _pullback(g: Any, value: Any, *flat: Any, turn: Turn, reverse: bool) -> list[Any]:
    """Fold the other way: each turn pulls the derivative in its carry back over its own tape."""
    carry, xs, constants = turn.parts(flat)
    n, both, ended = len(carry), len(carry) + len(xs), len(turn.results)
    stacks = dict(zip([*range(n), *turn.kept], value[ended:], strict=True))
    stacks |= dict(enumerate(xs, n))
    numbers, lines = list(stacks), [*turn.results, *range(n), *turn.kept]
    asked = [i for i in range(n, len(lines)) if g[i] is not None and turn.holds(lines[i])]
    ends = [*turn.results[:n], *(lines[i] for i in asked)]
    places: list[int] = []  # where, among what is stacked, the derivatives in xs and products are
    multiplied: list[int] = []  # the products with constants that the derivative goes through

    def backwards(late: Any, now: Any, constants: list[Any]) -> tuple[Any, Any]:
        (g_after, g_constants), (arrays, g_now) = late, now
        known = dict(zip(numbers, arrays, strict=True)) | dict(enumerate(constants, both))
        seeds: dict[int, Any] = {}
        for line, one in zip(ends, [*g_after, *g_now], strict=True):
            if turn.holds(line):
                seeds[line] = seeds[line] + one if line in seeds else one
        products: dict[int, Any] = {}

        def visit(line: int, one: Any) -> Any:
            if line in turn.products:
                products[line] = one
            return one

        grads = turn.tape(known).backward(seeds, visit=visit)
        slopes = [grads[i] if i in grads else zeros_like(known[i]) for i in range(both)]
        added = [grads.get(i) for i in range(both, len(flat))]
        g_constants = [a if b is None else a + b for a, b in zip(g_constants, added, strict=True)]
        stacked = [*slopes[n:], *products.values()]
        different = {id(one): one for one in stacked}  # most often they are the same
        order = list(different)
        multiplied[:], places[:] = products, [order.index(id(one)) for one in stacked]
        return (slopes[:n], g_constants), list(different.values())

    g_last = [zeros_like(v) if one is None else one for one, v in zip(g, value[:n], strict=False)]
    (g_first, g_constants), different = scan(
        backwards,
        (g_last, [zeros_like(k) for k in constants]),
        (list(stacks.values()), [g[i] for i in asked]),
        constants,
        reverse=not reverse,
    )
    stacked = [different[place] for place in places]
    g_xs, g_products = stacked[: len(xs)], stacked[len(xs) :]
    for line, one in zip(multiplied, g_products, strict=True):
        rows, constant, params = turn.products[line]
        i, slope = constant - both, ops.matmul_row.rules[1]
        more = slope(_flat(one), None, _flat(stacks[rows]), constants[i], **params)
        g_constants[i] = g_constants[i] + more
    return [*g_first, *g_xs, *g_constants]


def _flat(x: Any) -> Any:
    """Lay the rows of all turns below each other."""
    return ops.reshape(x, shape=(-1, x.shape[-1]))


scan_row = Primitive(
    "scan", _forward, r"\operatorname{{scan}}\left({0}\right)", (_pullback,), "joint"
)
