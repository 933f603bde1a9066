"""Objects for people, flat dicts for machines: the bridge between the two.

A `Holder` (a layer, a model, a metric) keeps arrays as plain attributes and holders in attributes,
lists or dicts. `read` gives all arrays as `{"dense/kernel": array}`, `bind` makes a twin of the
object with other arrays in it (boxes, tracers), `write` puts arrays back. A pure function of
arrays binds a twin, calls it and reads it: what happens to the twin leaves the object untouched.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np

from trasluz import config, random
from trasluz.errors import UserError, nearest


class Param:
    """Declares an array: `self.kernel = Param(shape, init)` in `build`, an array afterwards.

    Args:
        shape: its shape.
        init: an initializer `(shape, dtype, key) -> array`.
        trainable: whether the optimizer moves it; state that a layer moves itself is not.
        regularizer: adds `regularizer(array)` to the loss.
        constraint: replaces the array by `constraint(array)` after each update.
        dtype: the floating type, if not the holder's own.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        init: Any,
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        dtype: Any = None,
    ) -> None:
        self.shape = tuple(int(n) for n in shape)
        self.init, self.trainable, self.dtype = init, trainable, dtype
        self.regularizer, self.constraint = regularizer, constraint

    def draw(self, dtype: Any, key: Any) -> Any:
        """Make the array that was declared."""
        return self.init(self.shape, dtype=np.dtype(self.dtype or dtype), key=key)


def Buffer(shape: tuple[int, ...], init: Any, dtype: Any = None) -> Any:  # noqa: N802
    """Declare an array that the holder moves itself, such as a running mean."""
    return Param(shape, init, trainable=False, dtype=dtype)


class Context:
    """What layers know of the step they run in; `with` makes it the current one.

    Args:
        training: whether layers behave as in training (dropout, batch statistics).
        root: the key that all randomness of the run comes from; a fresh one if it is not given.
        step: the number of the training step.
    """

    __slots__ = ("_tokens", "calls", "losses", "root", "step", "training")

    def __init__(self, training: bool = False, root: Any = None, step: Any = 0) -> None:
        self.training, self.root, self.step = training, root, step
        self.losses: list[Any] = []
        self.calls: dict[str, int] = {}
        self._tokens: list[Any] = []  # layers enter the context of the layer that calls them

    def key_for(self, path: str, seed: int | None = None) -> Any:
        """Give a layer's key in this step, another one at each call of a shared layer.

        Args:
            path: the layer's path.
            seed: makes the key depend on seed, step and call alone.
        """
        call = self.calls[path] = self.calls.get(path, -1) + 1
        if seed is not None:
            return random.fold(random.key(seed), self.step, call)
        self.root = random.next_key() if self.root is None else self.root
        return random.fold(self.root, self.step, f"{path}#{call}")

    def again(self, training: bool) -> Context:
        """The same step with another training flag."""
        other = Context(training, self.root, self.step)
        other.losses, other.calls = self.losses, self.calls
        return other

    def __enter__(self) -> Context:
        self._tokens.append(_current.set(self))
        return self

    def __exit__(self, *_: object) -> None:
        _current.reset(self._tokens.pop())


_current: ContextVar[Context | None] = ContextVar("context", default=None)


def current() -> Context | None:
    """Give the context of the step that is running, if one is."""
    return _current.get()


class Holder:
    """What keeps arrays: layers, models, metrics."""

    name: str | None
    trainable: bool = True
    _path: str = ""

    @property
    def _specs(self) -> dict[str, Param]:
        return self.__dict__.setdefault("_declared", {})

    def children(self) -> Iterator[Holder]:
        """List the holders kept in attributes, in lists and in dicts."""
        for value in list(self.__dict__.values()):
            if isinstance(value, Holder):
                yield value
            elif isinstance(value, (list, tuple, dict)):
                for item in value.values() if isinstance(value, dict) else value:
                    if isinstance(item, Holder):
                        yield item

    @property
    def path(self) -> str:
        """The names from the model down to here, joined by slashes; the model's own is left out."""
        return self._path

    def _draw(self, key: Any, dtype: Any) -> None:
        """Turn what was declared since the last call into arrays, each from a key of its own."""
        for attribute, value in list(self.__dict__.items()):
            if isinstance(value, Param):
                self._specs[attribute] = value
                path = f"{self.path}/{attribute}" if self.path else attribute
                self.__dict__[attribute] = value.draw(dtype, random.fold(key, path))

    # ------------------------------------------------------------------------ Keras's view of it

    @property
    def weights(self) -> list[Variable]:
        """Handles on all arrays, trainable ones first."""
        return self.trainable_weights + self.non_trainable_weights

    @property
    def trainable_weights(self) -> list[Variable]:
        """Handles on the arrays that training moves."""
        return [v for v in handles(self) if v.trainable]

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """Handles on the arrays that training leaves alone."""
        return [v for v in handles(self) if not v.trainable]

    variables = weights
    trainable_variables = trainable_weights
    non_trainable_variables = non_trainable_weights

    def get_weights(self) -> list[np.ndarray]:
        """Copy all arrays, in the order of `weights`."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights: Any) -> None:
        """Replace all arrays, in the order of `weights`.

        Raises:
            UserError: if number or shapes do not fit.
        """
        own, weights = self.weights, list(weights)
        if len(own) != len(weights):
            raise UserError(
                f"{len(weights)} arrays were given, the weights are {len(own)}",
                self.path or type(self).__name__,
                "give as many as get_weights() returns: "
                + ", ".join(f"{v.path} {v.shape}" for v in own),
            )
        for variable, value in zip(own, weights, strict=True):
            variable.check(value)
        for variable, value in zip(own, weights, strict=True):
            variable.assign(value)

    def count_params(self) -> int:
        """How many numbers the arrays hold."""
        return sum(math.prod(v.shape) for v in self.weights)


class Variable:
    """A handle on one array: of a holder, or standing alone.

    >>> v = Variable([1.0, 2.0])
    >>> v.assign([3.0, 4.0])
    >>> v.numpy()
    array([3., 4.], dtype=float32)
    """

    def __init__(
        self,
        initializer: Any,
        trainable: bool = True,
        dtype: Any = None,
        name: str = "variable",
        holder: Holder | None = None,
    ) -> None:
        if holder is None:
            holder = Holder()
            holder.__dict__[name] = np.asarray(initializer, dtype or config.floatx())
            holder._specs[name] = Param(holder.__dict__[name].shape, None, trainable)
        self.name, self.holder = name, holder

    @property
    def path(self) -> str:
        """Where the array is in its model."""
        return f"{self.holder.path}/{self.name}" if self.holder.path else self.name

    @property
    def spec(self) -> Param:
        """How the array was declared."""
        return self.holder._specs[self.name]

    @property
    def trainable(self) -> bool:
        """Whether training moves the array."""
        return self.spec.trainable and self.holder.trainable

    @property
    def value(self) -> Any:
        """The array itself."""
        return self.holder.__dict__[self.name]

    shape = property(lambda self: tuple(self.value.shape))
    ndim = property(lambda self: len(self.shape))
    dtype = property(lambda self: self.value.dtype)
    regularizer = property(lambda self: self.spec.regularizer)
    constraint = property(lambda self: self.spec.constraint)

    def numpy(self) -> np.ndarray:
        """Copy the array."""
        return np.array(self.value)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.value, dtype=dtype)

    def check(self, value: Any) -> None:
        """Raise if a value does not have the array's shape."""
        if np.shape(value) != self.shape:
            raise UserError(
                f"a value of shape {np.shape(value)} was given, the weight has {self.shape}",
                self.path,
                "reshape or transpose the value",
            )

    def assign(self, value: Any) -> None:
        """Replace the array."""
        self.check(value)
        self.holder.__dict__[self.name] = np.array(value, dtype=self.dtype)

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}>"


# ---------------------------------------------------------------------------------- the bridge


@functools.cache
def snake(name: str) -> str:
    """Write a class name as Keras writes the name of its first instance.

    >>> snake("BatchNormalization"), snake("PReLU"), snake("SimpleRNN")
    ('batch_normalization', 'p_re_lu', 'simple_rnn')
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def unique(name: str, taken: set[str]) -> str:
    """Add to a name the lowest number that makes it new."""
    new, n = name, 0
    while new in taken:
        n += 1
        new = f"{name}_{n}"
    taken.add(new)
    return new


def assign_paths(holder: Holder, path: str = "", seen: set[int] | None = None) -> None:
    """Give everything below a holder its path: names of siblings are made unique."""
    seen = set() if seen is None else seen
    seen.add(id(holder))
    holder._path = path
    fresh = []
    for child in holder.children():
        if id(child) not in seen:
            seen.add(id(child))
            fresh.append(child)
    taken = {child.name for child in fresh if child.name}
    for child in fresh:
        if not child.name:
            child.name = unique(snake(type(child).__name__), taken)
        assign_paths(child, f"{path}/{child.name}" if path else child.name, seen)


def holders(holder: Holder, seen: set[int] | None = None) -> Iterator[Holder]:
    """Walk a holder and all below it, each once, in order."""
    seen = set() if seen is None else seen
    if id(holder) in seen:
        return
    seen.add(id(holder))
    yield holder
    for child in holder.children():
        yield from holders(child, seen)


def handles(holder: Holder) -> list[Variable]:
    """List handles on all arrays of a holder."""
    frozen: set[int] = set()
    found = []
    for one in holders(holder):
        if not one.trainable or id(one) in frozen:
            frozen.update(id(h) for h in holders(one))
        for attribute in one._specs:
            variable = Variable(None, name=attribute, holder=one)
            found.append((variable, id(one) in frozen))
    return [_Frozen(None, name=v.name, holder=v.holder) if f else v for v, f in found]


class _Frozen(Variable):
    """A handle on an array of a layer that was set not trainable, or lies in one."""

    trainable = False  # type: ignore[assignment]


def read(holder: Holder) -> dict[str, Any]:
    """Give all arrays of a holder by path.

    >>> from trasluz.layers import Dense
    >>> layer = Dense(2)
    >>> layer.build((None, 3))
    >>> {path: array.shape for path, array in read(layer).items()}
    {'kernel': (3, 2), 'bias': (2,)}
    """
    return {
        f"{one._path}/{attribute}" if one._path else attribute: one.__dict__[attribute]
        for one in holders(holder)
        for attribute in one._specs
    }


def write(holder: Holder, arrays: dict[str, Any]) -> None:
    """Put arrays into a holder, by path.

    Raises:
        UserError: if the holder has no such path.
    """
    places = {
        f"{one._path}/{attribute}" if one._path else attribute: (one, attribute)
        for one in holders(holder)
        for attribute in one._specs
    }
    for path, array in arrays.items():
        if path not in places:
            raise UserError(f"there is no weight {path!r}", mend=nearest(path, places))
        one, attribute = places[path]
        one.__dict__[attribute] = array


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
            prefix = f"{one._path}/" if one._path else ""
            arrays = [(attribute, prefix + attribute) for attribute in one._specs]
            inside = [
                (attribute, _numbered(value, numbers))
                for attribute, value in one.__dict__.items()
                if _holds(value)
            ]
            self.parts.append((one, arrays, inside))

    def twins(self, arrays: dict[str, Any]) -> list[Any]:
        """Make a twin of each part, the whole first; arrays that are missing are shared."""
        made = []
        for one, own, _ in self.parts:
            twin = object.__new__(type(one))
            twin.__dict__.update(one.__dict__)
            for attribute, path in own:
                if path in arrays:
                    twin.__dict__[attribute] = arrays[path]
            made.append(twin)
        for twin, (_, _, inside) in zip(made, self.parts, strict=True):
            for attribute, places in inside:
                twin.__dict__[attribute] = _filled(places, made)
        return made

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
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return any(isinstance(v, Holder) for v in value)
    return isinstance(value, Holder)


def _numbered(value: Any, numbers: dict[int, int]) -> Any:
    if isinstance(value, Holder):
        return _Place(numbers[id(value)])
    if isinstance(value, dict):
        return {k: _numbered(v, numbers) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_numbered(v, numbers) for v in value]
    return value


def _filled(value: Any, made: list[Any]) -> Any:
    if type(value) is _Place:
        return made[value]
    if isinstance(value, dict):
        return {k: _filled(v, made) for k, v in value.items()}
    if isinstance(value, list):
        return [_filled(v, made) for v in value]
    return value


def bind(holder: Any, arrays: dict[str, Any]) -> Any:
    """Make a twin of a holder with other arrays in it; the holder stays as it is.

    Args:
        holder: a layer, a model or a metric.
        arrays: by path; what is missing is shared with the holder.
    """
    return Binding(holder).twins(arrays)[0]
