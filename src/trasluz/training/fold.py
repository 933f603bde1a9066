"""Many steps in one compiled call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from trasluz.autodiff import backend
from trasluz.base.tree import leaves, tree_map
from trasluz.data.arrays import Batch
from trasluz.training.finite import checked, finite_sums
from trasluz.training.objective import State


def folded(step: Callable[..., Any], size: int) -> Callable[..., Any]:
    """Make many steps one call, fit to be compiled.

    How many steps, is an argument: one program takes one or a thousand, so the numbers do not
    depend on how an epoch is cut into calls. A last batch of fewer rows has a loop of its own
    behind the others', since nobody knows what rows that only fill it up would change.

    Args:
        step: `step(state, batch, given) -> (state, whether to go on)`.
        size: how many rows a batch has.

    Returns:
        `fold(state, rows, order, begin, end, given) -> (state, whether it came to the end)`: takes
        the steps from `begin` to before `end` of an epoch, whose batches are cut from `rows`, all
        of the training set, in an order or (`None`) as they stand.
    """

    def fold(
        state: State, rows: Batch, order: Any, begin: Any, end: Any, given: Any
    ) -> tuple[State, Any]:
        whole, rest = divmod(len(leaves(rows.x)[0]), size)

        def turns(carry: tuple[Any, State, Any], last: Any, count: int) -> tuple[Any, State, Any]:
            def body(carry: tuple[Any, State, Any]) -> tuple[Any, State, Any]:
                number, before, _ = carry
                batch = backend.rows(rows, order, number * size, count)
                after, fine = step(before, batch, given)
                return number + 1, _typed_like(after, before), fine

            return backend.loop(lambda carry: carry[2] & (carry[0] < last), body, carry)

        carry = (begin, state, np.True_)
        if whole:
            carry = turns(carry, backend.namespace(end).minimum(end, whole), size)
        if rest:
            carry = turns(carry, end, rest)
        return carry[1:]

    return fold


def _typed_like(tree: Any, other: Any) -> Any:
    """Give arrays the types of others: what is carried from step to step keeps its own."""
    cast = lambda new, old: new if new.dtype == old.dtype else new.astype(old.dtype)  # noqa: E731
    return tree_map(cast, tree, other)


def train_fold(step: Callable[..., Any], size: int) -> Callable[..., Any]:
    """Fold training steps until a loss is not finite; parameters are looked at in the end only.

    What has stopped being a finite number stays so. Which step it was, `find_fold` tells.
    """

    def quick(state: State, batch: Batch, rate: Any) -> tuple[State, Any]:
        after, loss = step(state, batch, rate)
        return after, backend.namespace(loss).isfinite(loss)

    fold = folded(quick, size)

    def run(*args: Any) -> tuple[State, Any]:
        after, fine = fold(*args)
        return after, fine & finite_sums(after["params"])

    return run


def test_fold(step: Callable[..., Any], size: int) -> Callable[..., Any]:
    """Fold evaluation steps, to the end whatever they give."""

    def always(tracked: State, batch: Batch, given: Any) -> tuple[State, Any]:
        return step(tracked, batch, given)[0], np.True_

    return folded(always, size)


def find_fold(step: Callable[..., Any], size: int) -> Callable[..., Any]:
    """Fold training steps up to before the first whose loss or parameters are not finite."""

    def careful(state: State, batch: Batch, rate: Any) -> tuple[State, Any]:
        after, fine = checked(step)(state, batch, rate)
        where = backend.namespace(fine).where
        return tree_map(lambda new, old: where(fine, new, old), after, state), fine

    return folded(careful, size)
