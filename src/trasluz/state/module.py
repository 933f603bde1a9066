"""Objects that keep arrays as plain attributes."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import numpy as np

from trasluz import config
from trasluz.autodiff import ops, random
from trasluz.autodiff.tape import Primitive, Traced, released, settled
from trasluz.base.arguments import number_type
from trasluz.base.naming import snake, unique
from trasluz.base.tree import BRANCHING, leaves
from trasluz.errors import MISFITS, UserError, is_misfit, misfit, shown
from trasluz.state.context import current, opened
from trasluz.state.limits import check_weight


class Param:
    """Declares an array: `self.kernel = Param(shape, init)` in `build`, an array afterwards.

    Args:
        shape: its shape.
        init: an initializer `(shape, dtype, key) -> array`.
        trainable: whether the optimizer moves it; state that a layer moves itself is not.
        regularizer: adds `regularizer(array)` to the loss.
        constraint: replaces the array by `constraint(array)` after each update.
        dtype: the floating type, if not the module's own.
        carried: whether it moves outside of training too, from batch to batch, as the states of
            recurrent layers do.

    Attributes:
        origin: once it is drawn, `(root, path)`: the key that its own follows from, and where it
            was then; without a path, the root is its own key.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        init: Any,
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        dtype: Any = None,
        carried: bool = False,
    ) -> None:
        try:
            self.shape = tuple(int(n) for n in shape)
        except (TypeError, ValueError):
            raise UserError(
                f"the shape of a weight is {shown(shape)}", mend="give whole numbers, e.g. (4, 3)"
            ) from None
        check_weight(self.shape)
        self.init, self.trainable, self.dtype = init, trainable, dtype
        self.regularizer, self.constraint = regularizer, constraint
        self.carried = carried
        self.origin: Any = None

    def draw(self, dtype: Any, key: Any) -> Any:
        """Make the array that was declared."""
        return self.init(self.shape, dtype=number_type(self.dtype or dtype), key=key)

    def drawn(self, dtype: Any, key: Any) -> Any:
        """Make the array that was declared, and see that it is one.

        Raises:
            UserError: if what is to draw it gives something else.
        """
        try:
            array = self.draw(dtype, key)
        except MISFITS as error:
            if not is_misfit(error):
                raise
            what = f"a weight of shape {self.shape} cannot be drawn"
            raise misfit(error, what, shown(self.init), "see what the initializer takes") from error
        if np.shape(array) != self.shape or np.asarray(array).dtype.kind not in "fiub":
            raise UserError(
                f"it gave {shown(array)} for a weight of shape {self.shape}",
                shown(self.init),
                "let the initializer give an array of numbers of the shape that it is called with",
            )
        return array


def Buffer(  # noqa: N802
    shape: tuple[int, ...], init: Any, dtype: Any = None, carried: bool = False
) -> Any:
    """Declare an array that the module moves itself, such as a running mean."""
    return Param(shape, init, trainable=False, dtype=dtype, carried=carried)


class Module:
    """What keeps arrays: layers, models, metrics."""

    name: str | None
    trainable: bool = True
    _path: str = ""
    _apart: ClassVar[tuple[str, ...]] = ()  # attributes that hold nothing of the module's own
    _aside: ClassVar[bool] = False  # whether its arrays are no weights of what it lies in
    _changes: ClassVar[int] = 0  # how often an attribute of any module became another thing

    @property
    def _specs(self) -> dict[str, Param]:
        return self.__dict__.setdefault("_declared", {})

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; an array set where a variable is goes into the variable."""
        if name == "trainable":
            for below in modules_in(self):
                if isinstance(below, Variable):
                    continue
                below.__dict__["trainable"] = bool(value)  # as in Keras, it goes for all below
        held = self.__dict__.get(name)
        if type(held) is not Variable or type(value) is Variable or not hasattr(value, "shape"):
            object.__setattr__(self, name, value)
            drawn = hasattr(value, "shape") and name in self._specs
            if drawn:
                _tell_tapes(self, name)
            elif name not in self._apart:
                Module._changes += 1
        else:
            held.assign(value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        Module._changes += 1

    def children(self) -> Iterator[Module]:
        """List the modules kept in attributes, in lists and dicts too; variables come first."""
        inside: list[Module] = []
        for name, value in dict(self.__dict__).items():  # a copy: XLA reads while NumPy trains
            if isinstance(value, Module):
                inside += [value] if name not in self._apart else []
            elif isinstance(value, BRANCHING) and value and name not in self._apart:
                inside += [held for held in leaves(value) if isinstance(held, Module)]
        yield from sorted(inside, key=_turn) if len(inside) > 1 else inside

    @property
    def path(self) -> str:
        """The names from the model down to here, joined by slashes; the model's own is left out."""
        return self._path

    def _draw(self, root: Any, dtype: Any) -> None:
        """Turn what was declared since the last call into arrays, each from a key of its own."""
        key = random.fold(root, "weights")
        for attribute, value in list(self.__dict__.items()):
            if isinstance(value, Param):
                self._specs[attribute] = value
                path = join_path(self.path, attribute)
                value.origin = root, path
                self.__dict__[attribute] = value.drawn(dtype, random.fold(key, path))

    @property
    def weights(self) -> list[Weight]:
        """Handles on the arrays, module by module, in each those that training moves first.

        The states that recurrent layers carry from batch to batch are among `variables` alone.
        """
        return [v for v in weights_of(self) if not v.spec.carried]

    @property
    def trainable_weights(self) -> list[Weight]:
        """Handles on the arrays that training moves."""
        return [v for v in weights_of(self) if v.trainable]

    @property
    def non_trainable_weights(self) -> list[Weight]:
        """Handles on the arrays that training leaves alone."""
        return [v for v in self.weights if not v.trainable]

    @property
    def variables(self) -> list[Weight]:
        """Handles on all arrays, states that are carried on from batch to batch too."""
        return weights_of(self)

    trainable_variables = trainable_weights

    @property
    def non_trainable_variables(self) -> list[Weight]:
        """Handles on all arrays that training leaves alone, states too."""
        return [v for v in weights_of(self) if not v.trainable]

    def get_weights(self) -> list[np.ndarray]:
        """Copy all arrays, in the order of `weights`."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights: Any) -> None:
        """Replace all arrays, in the order of `weights`.

        Raises:
            UserError: if number or shapes do not fit.
        """
        listed = isinstance(weights, Iterable) and getattr(weights, "shape", True) != ()
        if not listed or isinstance(weights, (str, bytes, dict)):
            raise UserError(
                f"the weights are {shown(weights)}",
                self.path or type(self).__name__,
                "give a list of arrays, as get_weights() returns",
            )
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


def _turn(child: Module) -> int:
    """Put what is below a module into Keras's order: trainable variables, others, layers."""
    return 2 - child.spec.trainable if isinstance(child, Variable) else 3


class Weight(Traced):
    """A handle on one array of a module: knows its place, and can replace it.

    In computations it stands for its array.

    Args:
        module: what keeps the array.
        attribute: under which name.
        frozen: whether the module lies in one that was set not trainable.
    """

    level = math.inf  # type: ignore[assignment] # asked before any tape: hands its array over

    def __init__(self, module: Module, attribute: str, frozen: bool = False) -> None:
        self.module, self.attribute, self.frozen = module, attribute, frozen
        self.name: str | None = attribute or module.name or "variable"

    def record(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        for tape in opened():
            tape.take_in_weights(a for a in args if isinstance(a, Weight))
        return primitive(*(a.value if isinstance(a, Weight) else a for a in args), **params)

    @property
    def path(self) -> str:
        """Where the array is in its model."""
        return join_path(self.module._path, self.attribute) or self.name or "variable"

    @property
    def spec(self) -> Param:
        """How the array was declared."""
        return self.module._specs[self.attribute]

    @property
    def trainable(self) -> bool:
        """Whether training moves the array."""
        return self.spec.trainable and not self.frozen

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self.spec.trainable = bool(value)
        Module._changes += 1

    @property
    def value(self) -> Any:
        """The array itself."""
        return self.module.__dict__[self.attribute]

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

    def __float__(self) -> float:
        return float(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)

    def check(self, value: Any) -> None:
        """Raise if a value does not have the array's shape."""
        if np.shape(value) != self.shape:
            raise UserError(
                f"a value of shape {np.shape(value)} was given, the weight has {self.shape}",
                self.path,
                "reshape or transpose the value",
            )

    def assign(self, value: Any) -> Any:
        """Replace the array; in a step that is differentiated or compiled too."""
        value = settled(released(value.value if isinstance(value, Weight) else value))
        if not (isinstance(value, Traced) or hasattr(value, "__array_namespace__")):
            value = np.asarray(value, self.dtype)
        self.check(value)
        if value.dtype != self.dtype:
            value = ops.astype(value, dtype=self.dtype)
        self.module.__dict__[self.attribute] = (
            value.copy() if isinstance(value, np.ndarray) else value
        )
        _tell_tapes(self.module, self.attribute)
        return self.value

    def assign_add(self, value: Any) -> Any:
        """Add to the array."""
        return self.assign(self.value + _plain(value, self.dtype))

    def assign_sub(self, value: Any) -> Any:
        """Take away from the array."""
        return self.assign(self.value - _plain(value, self.dtype))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} path={self.path}, shape={self.shape}, dtype={self.dtype}>"


def _tell_tapes(module: Module, attribute: str) -> None:
    """Let open tapes know where an array was put that they may have boxed."""
    for tape in opened():
        tape.put_at(module.__dict__, attribute)


def _plain(value: Any, dtype: Any) -> Any:
    """Take in lists and numbers; what is an array, or stands for one, stays."""
    return value if hasattr(value, "dtype") else np.asarray(value, dtype)


class Variable(Weight, Module):
    """An array that is kept, and moved by `assign`: alone, or in an attribute of a layer.

    Args:
        initializer: its value, or what draws it from a shape.
        shape: its shape, if it is to be drawn.
        dtype: its type; `floatx()` if it is not given.
        trainable: whether training moves it.
        name: a name; that of the attribute it stands in if it is not given.
        regularizer, constraint: as for `Param`.

    >>> v = Variable([1.0, 2.0])
    >>> v.assign_add([2.0, 2.0])
    array([3., 4.], dtype=float32)
    >>> v * 2
    array([6., 8.], dtype=float32)
    """

    attribute = ""
    frozen = False

    def __init__(
        self,
        initializer: Any,
        shape: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        name: str | None = None,
        regularizer: Any = None,
        constraint: Any = None,
    ) -> None:
        dtype = number_type(dtype or config.floatx(), name or "Variable")
        drawn = callable(initializer)
        shape = tuple(shape or ()) if drawn else np.shape(initializer)
        spec = Param(shape, initializer, trainable, regularizer, constraint, dtype)
        self.name = name
        self._specs[""] = spec
        if drawn:
            key = random.next_key()
            spec.origin = key, None
            self.__dict__[""] = spec.drawn(dtype, key)
        else:
            self.__dict__[""] = np.array(initializer, dtype)

    @property
    def module(self) -> Module:  # type: ignore[override]
        """Itself: a variable keeps its own array."""
        return self


def join_path(path: str, name: str) -> str:
    """Go on from a path; either may be empty."""
    return f"{path}/{name}" if path and name else path or name


def assign_paths(module: Module, path: str = "", seen: set[int] | None = None) -> None:
    """Give everything below a module its path: names of siblings are made unique."""
    seen = set() if seen is None else seen
    seen.add(id(module))
    if module._path != path:
        module._path = path
    fresh = []
    for child in module.children():
        if id(child) not in seen:
            seen.add(id(child))
            fresh.append(child)
    for attribute, value in dict(module.__dict__).items():
        if isinstance(value, Variable):
            value.name = value.name or attribute
    taken = {child.name for child in fresh if child.name}
    steps: set[str] = set()  # two may have been given the same name
    for child in fresh:
        if not child.name:
            child.name = unique(snake(type(child).__name__), taken)
        assign_paths(child, join_path(path, unique(child.name, steps)), seen)


def modules_in(module: Module, seen: set[int] | None = None) -> Iterator[Module]:
    """Walk a module and all below it, each once, in order."""
    seen = set() if seen is None else seen
    if id(module) in seen:
        return
    seen.add(id(module))
    yield module
    for child in module.children():
        yield from modules_in(child, seen)


def own_things(module: Module, mend: str = "give one of them another name") -> dict[str, Any]:
    """Name the classes and functions of its user's own that a module is made of.

    Raises:
        UserError: if two of them have one name.
    """
    own: dict[str, Any] = {}
    for part in modules_in(module):
        things: list[Any] = [type(part), *filter(inspect.isfunction, vars(part).values())]
        for thing in things:
            theirs = thing.__module__.split(".")[0] != "trasluz"
            if theirs and own.setdefault(thing.__name__, thing) is not thing:
                raise UserError(
                    f"two different things in it are called {thing.__name__!r}",
                    module.name or type(module).__name__,
                    mend,
                )
    return own


def set_aside(module: Module) -> list[Module]:
    """List what lies in a module without being of it: metrics."""
    return _parted(module)[1]


def own_modules(module: Module) -> list[Module]:
    """List a module and all below it that is of it."""
    return _parted(module)[0]


def _parted(module: Module) -> tuple[list[Module], list[Module]]:
    """Walk a module: what is of it, and the metrics in it; in a step, as the step knows it."""
    context = current()
    known = None if context is None or context.acting is None else context.acting.parted(module)
    if known is not None:
        return known
    own: list[Module] = []
    aside: list[Module] = []
    below: set[int] = set()
    for one in modules_in(module):
        if one._aside and not module._aside:
            if id(one) not in below:
                aside.append(one)
                below.update(id(inner) for inner in modules_in(one))
        elif id(one) not in below:
            own.append(one)
    return own, aside


def weights_of(module: Module) -> list[Weight]:
    """List handles on all arrays of a module; those of metrics that lie in it are none of them."""
    frozen: set[int] = set()
    weights = []
    for one in own_modules(module):
        if not one.trainable or id(one) in frozen:
            frozen.update(id(h) for h in modules_in(one))
        own = sorted(one._specs, key=lambda attribute: not one._specs[attribute].trainable)
        weights += [Weight(one, attribute, id(one) in frozen) for attribute in own]
    return weights


def carried_in(module: Module) -> list[str]:
    """List the paths of the arrays that move outside of training too, from batch to batch."""
    return [weight.path for weight in weights_of(module) if weight.spec.carried]
