"""The tape: a plain list of what was computed, read backwards for derivatives.

A *row* is a primitive with its derivative. Called on plain arrays it computes; called on something
*traced* it lets that decide: a `Box` writes a step on its tape and computes, a symbol of the
typesetter writes a formula. `vjp` reads the tape backwards. Derivative rules use operators and
rows only, so a tape of a tape gives second derivatives with nothing more to write.
"""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from trasluz.base.tree import BRANCHING, fill, leaves, leaves_like, tree_map
from trasluz.errors import UserError

# What the right side of an operator is asked where its left side is a plain array.
_TURNED = {
    np.add: "__radd__", np.subtract: "__rsub__", np.multiply: "__rmul__",
    np.divide: "__rtruediv__", np.power: "__rpow__", np.matmul: "__rmatmul__",
    np.less: "__gt__", np.less_equal: "__ge__", np.greater: "__lt__", np.greater_equal: "__le__",
    np.equal: "__eq__", np.not_equal: "__ne__",
    np.bitwise_and: "__rand__", np.bitwise_or: "__ror__",
}  # fmt: skip


class Traced:
    """What rows hand themselves over to; `ops` gives it the operators.

    `level` says who is asked when several meet: the newest tape.
    """

    __slots__ = ()
    level: int
    if TYPE_CHECKING:  # `ops` gives it these, and more

        def __add__(self, other: Any) -> Any: ...
        def __sub__(self, other: Any) -> Any: ...
        def __rsub__(self, other: Any) -> Any: ...
        def __mul__(self, other: Any) -> Any: ...
        def __truediv__(self, other: Any) -> Any: ...

    def record(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """Take note of one application of a row and give its traced result."""
        raise NotImplementedError

    def noted(self, name: str) -> None:
        """Take down what this value is."""

    def __array_ufunc__(
        self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any
    ) -> Any:
        """Answer for operators beside a plain array, as in `labels += noise`; nothing else goes."""
        turned = _TURNED.get(ufunc)
        if turned is None or method != "__call__" or options or inputs[1] is not self:
            raise UserError(
                f"a NumPy function was given a value that has no numbers yet ({ufunc.__name__})",
                where(),
                "use the function of the same name in trasluz.ops",
            )
        return getattr(self, turned)(inputs[0])


def note(x: Any, name: str) -> Any:
    """Say what a value is, for those who read along; gives the value.

    >>> note(0.5, "rate")
    0.5
    """
    if isinstance(x, Traced):
        x.noted(name)
    return x


class Scope:
    """One call of a layer or of a composite: a name within an outer scope."""

    __slots__ = ("name", "outer")

    def __init__(self, name: str, outer: Scope | None = None) -> None:
        self.name, self.outer = name, outer

    def __str__(self) -> str:
        return f"{self.outer}/{self.name}" if self.outer else self.name


_scope: ContextVar[Scope | None] = ContextVar("scope", default=None)


class scope:  # noqa: N801 (reads as a statement: `with scope("dense"):`)
    """Name where the steps inside happen.

    >>> with scope("dense"), scope("softmax"):
    ...     print(where())
    dense/softmax
    """

    __slots__ = ("name", "token")

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        self.token = _scope.set(Scope(self.name, _scope.get()))

    def __exit__(self, *_: object) -> None:
        _scope.reset(self.token)


def where() -> str:
    """Say which layer or composite is running, as a path."""
    here = _scope.get()
    return str(here) if here else "top level"


def outermost() -> Scope | None:
    """Give the outermost call that is running."""
    here = _scope.get()
    while here is not None and here.outer is not None:
        here = here.outer
    return here


class Primitive:
    """A primitive: how it computes, how it reads, and its derivative in each argument.

    Args:
        name: the primitive's name.
        forward: computes the value from plain arrays.
        reads: LaTeX template, `{0}` and `{1}` for the arguments (see `typeset`).
        rules: one per argument; the last serves all further arguments, and is told which
            `position` it is asked for. `None`: not differentiable.
        kind: "elementwise", a rule is the local derivative, a function of `(y, *args)`;
            "structural", it is the pullback, a function of `(g, y, *args)`;
            "joint", the one rule gives the pullbacks of all arguments at once, `None` for those
            through which none goes; of several results those that nothing came back to have `None`.
        binds: how loosely it binds where it is spelled (see `typeset`).
    """

    __slots__ = ("binds", "forward", "kind", "name", "reads", "rules")

    def __init__(
        self,
        name: str,
        forward: Callable[..., Any],
        reads: str | Callable[..., str],
        rules: tuple[Callable[..., Any] | None, ...],
        kind: str,
        binds: int = 0,
    ) -> None:
        self.name, self.forward, self.reads = name, forward, reads
        self.rules, self.kind, self.binds = rules, kind, binds

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __call__(self, *args: Any, **params: Any) -> Any:
        newest = None
        for a in args:
            if isinstance(a, Traced) and (newest is None or a.level > newest.level):
                newest = a
        if newest is None:
            return self.forward(*args, **params)
        return newest.record(self, args, params)

    def pullback(self, line: Line, g: Any) -> Iterator[tuple[int, Any]]:
        """Carry `g`, the derivative in the result, over to the lines the arguments came from."""
        if self.kind == "joint":
            every = self.rules[0](g, line.value, *line.args, **line.params)  # type: ignore[misc]
            pairs = zip(line.parents, every, strict=True)
            yield from ((p, d) for p, d in pairs if p >= 0 and d is not None)
            return
        last = len(self.rules) - 1
        for position, parent in enumerate(line.parents):
            rule = self.rules[min(position, last)]
            if parent < 0 or rule is None:
                continue
            if self.kind == "elementwise":
                d = rule(line.value, *line.args, **line.params)
                carried = g if isinstance(d, int) and d == 1 else g * d
            elif last < len(line.args) - 1:
                carried = rule(g, line.value, *line.args, **line.params, position=position)
            else:
                carried = rule(g, line.value, *line.args, **line.params)
            carried = unbroadcast(carried, line.args[position].shape)
            dtype = line.args[position].dtype
            yield parent, carried if carried.dtype == dtype else carried.astype(dtype)


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum over the axes along which an argument of this shape was repeated."""
    if g.shape == shape:
        return g
    new = g.ndim - len(shape)
    repeated = tuple(i for i in range(g.ndim) if i < new or shape[i - new] != g.shape[i])
    return g.sum(axis=repeated).reshape(shape)


class Line:
    """A line of a tape: which primitive, on what, from which earlier lines, giving what, where."""

    __slots__ = ("args", "notes", "params", "parents", "primitive", "scope", "value")

    def __init__(
        self,
        primitive: Primitive,
        args: tuple[Any, ...],
        params: dict[str, Any],
        parents: tuple[int, ...],
        value: Any,
    ) -> None:
        self.primitive, self.args, self.params, self.parents = primitive, args, params, parents
        self.value, self.scope = value, _scope.get()
        self.notes: tuple[str, ...] = ()


class Wrapped(Traced):
    """A value that computes like an array; rows called on it hand themselves over to it."""

    __slots__ = ()
    value: Any

    shape = property(lambda self: self.value.shape)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    dtype = property(lambda self: self.value.dtype)

    def __len__(self) -> int:
        return self.value.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))  # type: ignore[index]


class Box(Wrapped):
    """A value on a tape: computes like an array and writes down what happened to it."""

    __slots__ = ("__weakref__", "index", "made_by", "tape", "value")

    def __init__(self, value: Any, tape: Tape, index: int) -> None:
        self.value, self.tape, self.index = value, tape, index
        self.made_by: tuple[Any, Any] | None = None  # a composite and its argument

    @property
    def level(self) -> int:  # type: ignore[override]
        return self.tape.level

    def record(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        tape = self.tape
        values, parents = [], []
        for a in args:
            if type(a) is Box and a.tape is not tape:
                a = settled(a)  # else the line would keep a closed tape, and all tapes behind it
            mine = type(a) is Box and a.tape is tape
            values.append(a.value if mine else a)
            parents.append(a.index if mine else -1)
        value = primitive(*values, **params)
        return tape.write(Line(primitive, tuple(values), params, tuple(parents), value))

    def noted(self, name: str) -> None:
        """Take it down in the line of the tape."""
        line = self.tape.lines[self.index]
        if line is not None:
            line.notes += (name,)

    def __repr__(self) -> str:
        return f"<box {self.index} of {self.value!r}>"

    def __bool__(self) -> bool:
        if self.tape.closed:
            return bool(self.value)
        raise UserError(
            "a branch asks for the truth of a value that is being differentiated",
            where(),
            "use ops.where(condition, a, b) instead of if",
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if self.tape.closed:
            return np.asarray(self.value, dtype)
        raise UserError(
            "a NumPy function was given a value that is being differentiated",
            where(),
            "use the function of the same name in trasluz.ops",
        )

    def __float__(self) -> float:
        return float(self.__array__())

    def __int__(self) -> int:
        return int(self.__array__())

    __index__ = __int__


def settled(x: Any) -> Any:
    """Take a value out of boxes whose tapes are closed."""
    while type(x) is Box and x.tape.closed:
        x = x.value
    return x


class Held(Wrapped):
    """A value of a step that a user wrote: a tape may come to watch it after it was made.

    It has no number that Python may ask for, so that such a step says on NumPy too what could not
    be compiled.
    """

    __slots__ = ("value",)
    level = math.inf  # type: ignore[assignment] # asked before any tape: hands its value over

    def __init__(self, value: Any) -> None:
        self.value = value

    def record(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        return held(primitive(*map(released, args), **released(params)))

    def noted(self, name: str) -> None:
        note(self.value, name)

    def __repr__(self) -> str:
        return f"<value of a step, shape={tuple(self.shape)}, dtype={self.dtype}>"

    def __bool__(self) -> bool:
        raise UserError(
            "a branch asks for the truth of a value that the step computes",
            where(),
            "use ops.where(condition, a, b) instead of if",
        )

    def numpy(self, *_: Any, **__: Any) -> Any:
        """Say that there is no number yet."""
        raise UserError(
            "a step asks for the numbers of a value, which a compiled step does not have",
            where(),
            "use the function of the same name in trasluz.ops, and look at numbers in a callback",
        )

    __array__ = __float__ = __int__ = __index__ = numpy


def held(tree: Any) -> Any:
    """Hand the arrays of a tree to a step that a user wrote."""
    return tree_map(lambda x: Held(x) if hasattr(x, "shape") and type(x) is not Held else x, tree)


def released(tree: Any) -> Any:
    """Take back what `held` handed out.

    >>> released(held([np.array(2.0)]))
    [array(2.)]
    """
    if not isinstance(tree, BRANCHING):
        return tree.value if type(tree) is Held else tree
    return tree_map(lambda x: x.value if type(x) is Held else x, tree)


def bare(tree: Any) -> Any:
    """Take arrays out of whatever wraps them, boxes of all tapes too."""

    def value(x: Any) -> Any:
        while isinstance(x, Wrapped):
            x = x.value
        return x

    return tree_map(value, tree)


_levels = itertools.count(1)


class Tape:
    """The lines of one computation, in the order in which they happened."""

    __slots__ = ("level", "lines")
    closed = False  # whether nothing is taken down any more

    def __init__(self) -> None:
        self.level = next(_levels)
        self.lines: list[Line | None] = []  # None: an input, or a further result of the line above

    def input(self, value: Any) -> Box:
        """Start from a value: derivatives with respect to it can be asked for."""
        self.lines.append(None)
        return Box(value, self, len(self.lines) - 1)

    def write(self, line: Line) -> Any:
        """Add a line; its result comes back boxed (a tuple of results, each boxed)."""
        index = len(self.lines)
        self.lines.append(line)
        if not isinstance(line.value, tuple):
            return Box(line.value, self, index)
        self.lines.extend([None] * (len(line.value) - 1))
        return tuple(Box(v, self, index + i) for i, v in enumerate(line.value))

    def backward(
        self,
        seeds: dict[int, Any],
        keep: bool = False,
        visit: Callable[[int, Any], Any] = lambda index, g: g,
    ) -> dict[int, Any]:
        """Read the tape backwards: the derivatives in every line, from those in the results.

        Args:
            seeds: the derivative in each result, by line.
            keep: whether to keep also those in lines between the inputs and the results.
            visit: sees the derivative in each line once it is complete, and gives what stands for
                it from there on.
        """
        grads = dict(seeds)
        for index in range(len(self.lines) - 1, -1, -1):
            line = self.lines[index]
            if line is None:
                continue
            if isinstance(line.value, tuple):
                several = range(index, index + len(line.value))
                g: Any = tuple(grads.get(i) for i in several)
                if all(one is None for one in g):
                    continue
            else:
                g = grads.get(index)
                if g is None:
                    continue
                g = visit(index, g)
                if keep:
                    grads[index] = g
                else:
                    del grads[index]
            for parent, carried in line.primitive.pullback(line, g):
                known = grads.get(parent)
                grads[parent] = carried if known is None else known + carried
        return grads


def zeros_like(x: Any) -> Any:
    """Zeros of the shape and dtype of a value, whatever boxes it is in."""
    x = bare(x)
    return x.__array_namespace__().zeros_like(x) if hasattr(x, "__array_namespace__") else 0.0


def composite(f: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a function made of rows, so that explanations can fold it into one step."""

    @wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not any(isinstance(a, Traced) for a in args):
            return f(*args, **kwargs)
        if type(args[0]) is Held:
            return held(call(*map(released, args), **kwargs))
        with scope(f.__name__):
            result = f(*args, **kwargs)
        if (
            isinstance(result, Box)
            and len(args) == 1
            and all(v is usual[k] or (_is_plain(v) and v == usual[k]) for k, v in kwargs.items())
        ):
            result.made_by = (call, args[0])
        return result

    usual = {k: p.default for k, p in inspect.signature(f).parameters.items()}
    return call


def _is_plain(x: Any) -> bool:
    return isinstance(x, (int, float, str))


def made_by(x: Any, function: Any) -> Any:
    """Give the argument from which a row or composite made `x`, or `None` if it did not.

    Losses use it to see through a sigmoid or softmax to the logits under it.
    """
    x = released(x)
    if not isinstance(x, Box):
        return None
    if x.made_by is not None:
        return x.made_by[1] if x.made_by[0] is function else None
    line = x.tape.lines[x.index]
    if line is None or line.primitive is not function:
        return None
    value, parent = line.args[0], line.parents[0]
    return Box(value, x.tape, parent) if parent >= 0 else value


def unbox(tree: Any, tape: Tape) -> Any:
    """Take the values out of the boxes of one tape."""
    if type(tree) is Box:
        return tree.value if tree.tape is tape else tree
    return tree_map(lambda x: x.value if type(x) is Box and x.tape is tape else x, released(tree))


def vjp(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """Compute `f(*primals)` and the function that pulls a derivative in its result back.

    Args:
        f: a function of trees (dicts, tuples, lists) of arrays that uses operators and `ops`.
        primals: where to compute it.
        has_aux: whether `f` gives a pair of its result and anything else worth keeping.

    Returns:
        The value, and `pullback(g)`: one derivative for each primal, a tree of the same shape.
        With `has_aux` what was kept comes third.

    >>> value, pullback = vjp(lambda x: x * x, np.array([1.0, 3.0]))
    >>> pullback(np.array([1.0, 10.0]))[0]
    array([ 2., 60.])
    """
    tape = Tape()
    inputs = [np.asarray(x, float) if isinstance(x, (int, float)) else x for x in leaves(primals)]
    inputs = released(inputs)
    boxes = [tape.input(x) for x in inputs]
    result = f(*fill(primals, boxes))
    result, aux = result if has_aux else (result, None)
    result = released(result)
    results = leaves(result)

    def pullback(g: Any) -> tuple[Any, ...]:
        seeds: dict[int, Any] = {}
        for box, one in zip(results, leaves_like(result, g), strict=True):
            if type(box) is Box and box.tape is tape:
                seeds[box.index] = seeds[box.index] + one if box.index in seeds else one
        grads = tape.backward(seeds)
        gradients = [grads.get(box.index) for box in boxes]
        return fill(
            primals,
            [zeros_like(x) if g is None else g for g, x in zip(gradients, inputs, strict=True)],
        )

    value = unbox(result, tape)
    return (value, pullback, unbox(aux, tape)) if has_aux else (value, pullback)


def value_and_grad(f: Callable[..., Any], has_aux: bool = False) -> Callable[..., Any]:
    """Make the function that gives the value of `f` and its gradient in the first argument.

    Args:
        f: gives a scalar, or with `has_aux` a pair of a scalar and anything else worth keeping.
        has_aux: whether `f` gives such a pair.

    Raises:
        UserError: if the result is not a scalar.

    >>> value_and_grad(lambda x: (x * x).sum())(np.array([1.0, 3.0]))
    (np.float64(10.0), array([2., 6.]))
    """

    def both(x: Any, *rest: Any) -> tuple[Any, Any]:
        value, pullback, *aux = vjp(lambda x: f(x, *rest), x, has_aux=has_aux)
        if getattr(value, "shape", ()) != ():
            raise UserError(
                f"a gradient needs a scalar; the function gave shape {value.shape}",
                mend="sum or average the result first",
            )
        (gradient,) = pullback(zeros_like(value) + 1)
        return ((value, aux[0]) if has_aux else value), gradient

    return both


def grad(f: Callable[..., Any]) -> Callable[..., Any]:
    """Make the gradient of a scalar function in its first argument.

    >>> grad(grad(lambda x: x * x * x))(np.array(2.0))
    np.float64(12.0)
    """
    both = value_and_grad(f)
    return lambda *args: both(*args)[1]


def hvp(f: Callable[..., Any], x: Any, v: Any) -> Any:
    """Multiply the Hessian of a scalar function with a vector: `∇(∇f · v)`.

    >>> hvp(lambda x: (x * x * x).sum(), np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    array([ 6., 12.])
    """

    def slope(x: Any) -> Any:
        parts = leaves(tree_map(lambda g, w: (g * w).sum(), grad(f)(x), v))
        return sum(parts[1:], parts[0])

    return grad(slope)(x)
