"""Things that can be named by a string or written into a file as a class and its fields."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Self

import numpy as np

from trasluz.autodiff.tape import Primitive
from trasluz.base.arguments import Checked
from trasluz.base.naming import snake
from trasluz.errors import UserError, shown, unknown


class Configurable(Checked):
    """A dataclass that can be written down: `get_config` lists its fields, `from_config` reads.

    Fields hold what the constructor was given (a string stays a string).
    """

    def get_config(self) -> dict[str, Any]:
        """List the constructor's arguments as plain data, ready for JSON."""
        if not dataclasses.is_dataclass(self):
            raise UserError(
                "the class does not say what its constructor was given",
                type(self).__name__,
                "make it a dataclass or give it get_config()",
            )
        fields = dataclasses.fields(self)  # type: ignore[unreachable]
        return {f.name: plain(getattr(self, f.name)) for f in fields if f.init}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make an instance from what `get_config` gave.

        Raises:
            UserError: if a field is not known.
        """
        parameters = inspect.signature(cls).parameters
        if all(p.kind is not p.VAR_KEYWORD for p in parameters.values()):
            for name in config:
                if name not in parameters:
                    raise unknown(f"argument of {cls.__name__}", name, parameters)
        return cls(**config)


def take_fields(
    kind: type, base: type, last: Mapping[str, tuple[str, Any]] = {}, spelled: bool = True
) -> None:
    """Make a dataclass of a class of hyper-parameters, unless it or a base has its own constructor.

    Args:
        kind: the class; its annotations are the fields.
        base: the class that all of the sort come from.
        last: type and default of the fields that come behind its own.
        spelled: whether the dataclass gives it a `repr`.
    """
    maker = next(c for c in kind.__mro__ if "__init__" in c.__dict__)
    if maker is not base and "__dataclass_fields__" not in maker.__dict__:
        return
    types = {name: type_ for name, (type_, _) in last.items()}
    kind.__annotations__ = {**inspect.get_annotations(kind), **types}
    for name, (_, default) in last.items():
        if name not in kind.__dict__:
            setattr(kind, name, default)
    dataclasses.dataclass(eq=False, repr=spelled)(kind)


def overrides(model: Any, name: str) -> bool:
    """Tell whether a model has a method or property of its own in place of the package's."""
    if name in vars(model):
        return True
    maker = next(kind for kind in type(model).__mro__ if name in vars(kind))
    return not maker.__module__.startswith("trasluz.")


def plain(value: Any) -> Any:
    """Turn a field's value into plain data: numbers, strings, lists, dicts."""
    if isinstance(value, Configurable):
        return serialize(value)
    if isinstance(value, types.FunctionType):
        return value.__name__
    if isinstance(value, Primitive):
        return value.name
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (type, np.dtype)):
        return np.dtype(value).name
    return value


def serialize(thing: Any) -> Any:
    """Write a thing down as its class and fields; a function as its name."""
    if isinstance(thing, Configurable):
        return {"class_name": type(thing).__name__, "config": thing.get_config()}
    return plain(thing)


custom: ContextVar[dict[str, Any]] = ContextVar("custom", default={})  # noqa: B039 (not changed)


def named(tree: Any) -> Any:
    """Replace, in what was read from a file, names of functions of your own by the functions."""
    known = custom.get()
    if isinstance(tree, dict):
        return {k: v if k == "name" else named(v) for k, v in tree.items()}
    if isinstance(tree, list):
        return [named(v) for v in tree]
    own = known.get(tree) if isinstance(tree, str) else None
    return own if isinstance(own, types.FunctionType) else tree


class Registry:
    """The known things of one kind, by class name, snake case and other names.

    Args:
        kind: what error messages call them.
        homes: modules that define some, by name; imported when a name is not known.

    >>> colours = Registry("colour")
    >>> colours.add(str.upper, "upper")
    >>> colours.get("uper")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    trasluz.errors.UserError: unknown colour 'uper'. To mend it: did you mean 'upper'? ...
    """

    def __init__(self, kind: str, *homes: str) -> None:
        self.kind, self.homes = kind, homes
        self.known: dict[str, Any] = {}
        self.shown: set[str] = set()

    def add(self, thing: Any, *names: str) -> None:
        """Add a class (under its name, snake case too) or a function, and other names for it."""
        own = [thing.__name__, snake(thing.__name__)] if isinstance(thing, type) else []
        for name in (*own, *names):
            self.known[name] = thing
        self.shown.update(names or own[1:])

    def register(self, *names: str) -> Callable[[Any], Any]:
        """Decorate a class or function so that its names are known."""

        def keep(thing: Any) -> Any:
            self.add(thing, *(names or ([] if isinstance(thing, type) else [thing.__name__])))
            return thing

        return keep

    def find(self, name: Any) -> Any:
        """Give what a name stands for.

        Raises:
            UserError: if it is not known; the nearest name is suggested.
        """
        if not isinstance(name, str):
            raise UserError(f"{shown(name)} does not name a {self.kind}", mend="give a text")
        if name not in self.known:
            for home in self.homes:
                importlib.import_module(home)
        if name not in self.known:
            raise unknown(self.kind, name, self.shown)
        return self.known[name]

    def get(self, identifier: Any) -> Any:
        """Give a thing from a name, a `{"class_name", "config"}` dict, a class, or itself."""
        if isinstance(identifier, str):
            thing = self.find(identifier)
            return thing() if isinstance(thing, type) else thing
        if isinstance(identifier, dict) and "class_name" in identifier:
            kind, config = self.find(identifier["class_name"]), named(identifier.get("config", {}))
            fields = {k: self._activation(v) if _activates(k) else v for k, v in config.items()}
            return kind.from_config(fields)
        if isinstance(identifier, type) and _can_stand_for_itself(identifier):
            return identifier()
        known = identifier is None or callable(identifier) or isinstance(identifier, Configurable)
        if known and not isinstance(identifier, type):
            return identifier
        raise UserError(
            f"{shown(identifier)} does not name a {self.kind}",
            mend=f"give a name, an object or a function; known: {', '.join(sorted(self.shown))}",
        )

    def _activation(self, value: Any) -> Any:
        """Make the layer that stands in the place of an activation; what is none stays."""
        known = isinstance(value, dict) and value.get("class_name") in self.known
        return self.get(value) if known else value

    def names(self) -> Iterable[str]:
        """List the known names, each thing once."""
        return sorted(self.shown)


def _can_stand_for_itself(kind: type) -> bool:
    """Tell classes whose instances compute something, made without arguments."""
    calls = any("__call__" in vars(base) for base in kind.__mro__)
    return issubclass(kind, Configurable) or (calls and not issubclass(kind, type))


def _activates(field: str) -> bool:
    """Tell the fields that hold an activation: a function, or a layer with fields of its own."""
    return field.endswith("activation")


# The modules whose registries take things of one's own. By name: they stand above this one.
OPEN = (
    "trasluz.activations", "trasluz.initializers", "trasluz.layers.base", "trasluz.losses.base",
    "trasluz.metrics.base", "trasluz.regularizers",
)  # fmt: skip


def register(thing: Any) -> Any:
    """Make a class or function of your own known to `load_model` (a decorator)."""
    for registry in _open_registries():
        registry.add(thing, thing.__name__)
    return thing


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Any:
    """Decorate as with `register`, Keras's way; files know a class by its own name alone.

    Args:
        package: has no effect.
        name: has no effect.
    """
    return register


@contextmanager
def known(custom_objects: dict[str, Any] | None) -> Iterator[None]:
    """Know more names for a while; what is registered in the meantime stays known."""
    more = custom_objects or {}
    registries = _open_registries()
    before = [{name: r.known[name] for name in more if name in r.known} for r in registries]
    for registry in registries:
        registry.known.update(more)
    token = custom.set({**custom.get(), **more})
    try:
        yield
    finally:
        custom.reset(token)
        for registry, old in zip(registries, before, strict=True):
            for name, thing in more.items():
                if registry.known.get(name) is thing:
                    del registry.known[name]
            registry.known.update(old)


custom_object_scope = known


def _open_registries() -> list[Registry]:
    return [importlib.import_module(name).registry for name in OPEN]
