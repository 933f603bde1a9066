"""Nested dicts, lists and tuples of arrays, taken apart and put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from trasluz.errors import UserError

BRANCHING = (dict, list, tuple)


def leaves(tree: Any) -> list[Any]:
    """List the leaves of a tree, left to right; `None` holds no leaf.

    >>> leaves({"w": 1, "rest": (2, [3, None])})
    [1, 2, 3]
    """
    if not isinstance(tree, BRANCHING):
        return [] if tree is None else [tree]
    branches = tree.values() if isinstance(tree, dict) else tree
    gathered = []
    try:
        for branch in branches:
            if isinstance(branch, BRANCHING):
                gathered += leaves(branch)
            elif branch is not None:
                gathered.append(branch)
    except RecursionError:
        raise UserError(
            "lists lie in lists without end, or too deep", mend="give an array, or a list of them"
        ) from None
    return gathered


def fill(tree: Any, values: list[Any]) -> Any:
    """Make a tree of the same shape with other leaves.

    >>> fill({"w": 1, "rest": (2, [3])}, ["a", "b", "c"])
    {'w': 'a', 'rest': ('b', ['c'])}
    """
    return _filled(tree, iter(values))


def _filled(tree: Any, rest: Iterator[Any]) -> Any:
    if not isinstance(tree, BRANCHING):
        return None if tree is None else next(rest)
    if isinstance(tree, dict):
        return {k: _filled(branch, rest) for k, branch in tree.items()}
    branches = [_filled(branch, rest) for branch in tree]
    return type(tree)(*branches) if hasattr(tree, "_fields") else type(tree)(branches)


def tree_map(f: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """Apply `f` to the leaves of one tree, or to the matching leaves of several.

    >>> tree_map(lambda a, b: a + b, {"w": 1, "b": 2}, {"w": 10, "b": 20})
    {'w': 11, 'b': 22}
    """
    if not isinstance(tree, BRANCHING):
        return None if tree is None else f(tree, *others)
    if isinstance(tree, dict):
        return {k: tree_map(f, branch, *(o[k] for o in others)) for k, branch in tree.items()}
    mapped = [tree_map(f, *branches) for branches in zip(tree, *others, strict=True)]
    return type(tree)(*mapped) if hasattr(tree, "_fields") else type(tree)(mapped)


def leaves_like(tree: Any, other: Any) -> list[Any]:
    """List the leaves of `other` in the order of `tree` (a compiled call may reorder dicts).

    >>> leaves_like({"w": 0, "b": 0}, {"b": 1, "w": 2})
    [2, 1]
    """
    return leaves(tree_map(lambda _, leaf: leaf, tree, other))
