"""Arrays read out of a module, bound into a twin of it, and written back."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from trasluz.base.tree import BRANCHING, leaves, tree_map
from trasluz.errors import UserError, nearest
from trasluz.state.module import (
    Module,
    assign_paths,
    join_path,
    modules_in,
    own_modules,
    weights_of,
)


def read(module: Module) -> dict[str, Any]:
    """Give all arrays of a module by path, but for those of metrics that lie in it.

    >>> from trasluz.layers import Dense
    >>> layer = Dense(2)
    >>> layer.build((None, 3))
    >>> {path: array.shape for path, array in read(layer).items()}
    {'kernel': (3, 2), 'bias': (2,)}
    """
    return {
        join_path(one._path, attribute): one.__dict__[attribute]
        for one in own_modules(module)
        for attribute in one._specs
    }


def write(module: Module, arrays: dict[str, Any]) -> None:
    """Put arrays into a module, by path.

    Raises:
        UserError: if the module has no such path.
    """
    places = {
        join_path(one._path, attribute): (one, attribute)
        for one in modules_in(module)
        for attribute in one._specs
    }
    for path, array in arrays.items():
        if path not in places:
            raise UserError(f"there is no weight {path!r}", mend=nearest(path, places))
        one, attribute = places[path]
        one.__dict__[attribute] = array


class Structure:
    """What is found in walking a module, good as long as nothing is put in or taken out.

    Args:
        module: a model, built.
    """

    def __init__(self, module: Module) -> None:
        assign_paths(module)
        self.parts, self.weights = list(modules_in(module)), weights_of(module)
        self.carries = any(weight.spec.carried for weight in self.weights)
        self.changes = Module._changes
        apart = {"_declared"}  # what is declared is drawn at once, and then the layer is built
        kept = [v for p in self.parts for k, v in vars(p).items() if k not in apart.union(p._apart)]
        self.containers = [(inner, _ids(inner)) for value in kept for inner in _containers(value)]
        self.recordings: dict[Any, Any] = {}  # what computes it, by the shape of the input
        self.given: dict[Any, list[Any]] = {}  # what it gave for a few rows, by their shapes

    @functools.cached_property
    def binding(self) -> Binding:
        """What makes twins of the module."""
        return Binding(self.parts[0])

    def holds(self) -> bool:
        """Tell whether the module would be found the same again."""
        return self.changes == Module._changes and all(
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
    """A module's structure, walked once: makes twins with other arrays in them, and reads them.

    Training binds at every step, so what does not change between steps is looked up beforehand.

    Args:
        module: a layer, a model or a metric, built.
    """

    def __init__(self, module: Module) -> None:
        self.parts: list[tuple[Module, list[tuple[str, str]], list[tuple[str, Any]]]] = []
        numbers = {id(one): i for i, one in enumerate(modules_in(module))}
        for one in modules_in(module):
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
        return any(isinstance(held, Module) for held in leaves(value))
    return isinstance(value, Module)


def _numbered(value: Any, numbers: dict[int, int]) -> Any:
    number = lambda v: _Place(numbers[id(v)]) if isinstance(v, Module) else v  # noqa: E731
    return tree_map(number, value)


def _filled(value: Any, twins: list[Any]) -> Any:
    return tree_map(lambda v: twins[v] if type(v) is _Place else v, value)


def bind(module: Any, arrays: dict[str, Any]) -> Any:
    """Make a twin of a module with other arrays in it; the module stays as it is.

    Args:
        module: a layer, a model or a metric.
        arrays: by path; what is missing is shared with the module.
    """
    return Binding(module).twins(arrays)[0]
