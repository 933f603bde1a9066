"""Nested dicts, lists and tuples of arrays, taken apart and put together again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def leaves(tree: Any) -> list[Any]:
    """List the leaves of a tree, left to right; `None` holds no leaf.

    >>> leaves({"w": 1, "rest": (2, [3, None])})
    [1, 2, 3]
    """
    if tree is None:
        return []
    if isinstance(tree, dict):
        return [leaf for key in tree for leaf in leaves(tree[key])]
    if isinstance(tree, (list, tuple)):
        return [leaf for branch in tree for leaf in leaves(branch)]
    return [tree]


def fill(tree: Any, values: list[Any]) -> Any:
    """Make a tree of the same shape with other leaves.

    >>> fill({"w": 1, "rest": (2, [3])}, ["a", "b", "c"])
    {'w': 'a', 'rest': ('b', ['c'])}
    """
    rest = iter(values)
    return tree_map(lambda _: next(rest), tree)


def tree_map(f: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """Apply `f` to the leaves of one tree, or to the matching leaves of several.

    >>> tree_map(lambda a, b: a + b, {"w": 1, "b": 2}, {"w": 10, "b": 20})
    {'w': 11, 'b': 22}
    """
    if tree is None:
        return None
    if isinstance(tree, dict):
        return {k: tree_map(f, branch, *(o[k] for o in others)) for k, branch in tree.items()}
    if isinstance(tree, (list, tuple)):
        made = [tree_map(f, *branches) for branches in zip(tree, *others, strict=True)]
        if hasattr(tree, "_fields"):
            return type(tree)(*made)
        return type(tree)(made)
    return f(tree, *others)


def leaves_like(tree: Any, other: Any) -> list[Any]:
    """List the leaves of `other` in the order of `tree` (a compiled call may reorder dicts).

    >>> leaves_like({"w": 0, "b": 0}, {"b": 1, "w": 2})
    [2, 1]
    """
    return leaves(tree_map(lambda _, leaf: leaf, tree, other))
