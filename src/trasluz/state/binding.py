"""Arrays read out of a holder, bound into a twin of it, and written back."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from trasluz.base.tree import BRANCHING, leaves, tree_map
from trasluz.errors import UserError, nearest
from trasluz.state.holder import Holder, assign_paths, handles, holders, join_path


def read(holder: Holder) -> dict[str, Any]:
    """Give all arrays of a holder by path.

    >>> from trasluz.layers import Dense
    >>> layer = Dense(2)
    >>> layer.build((None, 3))
    >>> {path: array.shape for path, array in read(layer).items()}
    {'kernel': (3, 2), 'bias': (2,)}
    """
    return {
        join_path(one._path, attribute): one.__dict__[attribute]
        for one in holders(holder)
        for attribute in one._specs
    }


def write(holder: Holder, arrays: dict[str, Any]) -> None:
    """Put arrays into a holder, by path.

    Raises:
        UserError: if the holder has no such path.
    """
    places = {
        join_path(one._path, attribute): (one, attribute)
        for one in holders(holder)
        for attribute in one._specs
    }
    for path, array in arrays.items():
        if path not in places:
            raise UserError(f"there is no weight {path!r}", mend=nearest(path, places))
        one, attribute = places[path]
        one.__dict__[attribute] = array


class Walk:
    """What is found in walking a holder, good as long as nothing is put in or taken out.

    Args:
        holder: a model, built.
    """

    def __init__(self, holder: Holder) -> None:
        assign_paths(holder)
        self.parts, self.weights = list(holders(holder)), handles(holder)
        self.changes = Holder._changes
        apart = {"_declared"}  # what is declared is drawn at once, and then the layer is built
        kept = [v for p in self.parts for k, v in vars(p).items() if k not in apart.union(p._apart)]
        self.containers = [(inner, _ids(inner)) for value in kept for inner in _containers(value)]
        self.recordings: dict[Any, Any] = {}  # what computes it, by the shape of the input

    @functools.cached_property
    def binding(self) -> Binding:
        """What makes twins of the holder."""
        return Binding(self.parts[0])

    def holds(self) -> bool:
        """Tell whether the holder would be found the same again."""
        return self.changes == Holder._changes and all(
            _ids(container) == ids for container, ids in self.containers
        )


def _ids(container: Any) -> list[int]:
    return [*map(id, container.values() if isinstance(container, dict) else container)]


def _containers(value: Any) -> Iterator[Any]:
    """List the lists and dicts in a value, which can change in place."""
    if isinstance(value, BRANCHING):
        if not isinstance(value, tuple):
            yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _containers(inner)


class Binding:
    """A holder's structure, walked once: makes twins with other arrays in them, and reads them.

    Training binds at every step, so what does not change between steps is looked up beforehand.

    Args:
        holder: a layer, a model or a metric, built.
    """

    def __init__(self, holder: Holder) -> None:
        self.parts: list[tuple[Holder, list[tuple[str, str]], list[tuple[str, Any]]]] = []
        numbers = {id(one): i for i, one in enumerate(holders(holder))}
        for one in holders(holder):
            arrays = [(attribute, join_path(one._path, attribute)) for attribute in one._specs]
            inside = [
                (attribute, _numbered(value, numbers))
                for attribute, value in dict(one.__dict__).items()
                if attribute not in one._apart and _holds(value)
            ]
            self.parts.append((one, arrays, inside))

    def twins(self, arrays: dict[str, Any]) -> list[Any]:
        """Make a twin of each part, the whole first; arrays that are missing are shared."""
        twins = []
        for one, own, _ in self.parts:
            twin = object.__new__(type(one))
            twin.__dict__.update(one.__dict__)
            for attribute, path in own:
                if path in arrays:
                    twin.__dict__[attribute] = arrays[path]
            twins.append(twin)
        for twin, (_, _, inside) in zip(twins, self.parts, strict=True):
            for attribute, places in inside:
                twin.__dict__[attribute] = _filled(places, twins)
        return twins

    def read(self, twins: list[Any]) -> dict[str, Any]:
        """Give the arrays of twins by path."""
        return {
            path: twin.__dict__[attribute]
            for twin, (_, own, _) in zip(twins, self.parts, strict=True)
            for attribute, path in own
        }


class _Place(int):
    """The number of a part, standing where the part stands."""


def _holds(value: Any) -> bool:
    if isinstance(value, BRANCHING):
        return any(isinstance(held, Holder) for held in leaves(value))
    return isinstance(value, Holder)


def _numbered(value: Any, numbers: dict[int, int]) -> Any:
    number = lambda v: _Place(numbers[id(v)]) if isinstance(v, Holder) else v  # noqa: E731
    return tree_map(number, value)


def _filled(value: Any, twins: list[Any]) -> Any:
    return tree_map(lambda v: twins[v] if type(v) is _Place else v, value)


def bind(holder: Any, arrays: dict[str, Any]) -> Any:
    """Make a twin of a holder with other arrays in it; the holder stays as it is.

    Args:
        holder: a layer, a model or a metric.
        arrays: by path; what is missing is shared with the holder.
    """
    return Binding(holder).twins(arrays)[0]
