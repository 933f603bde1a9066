"""Symbolic tensors: what layers are called on to draw a model before there are numbers.

A symbolic tensor carries two small examples, with different sizes along the axes that are not
known. Whatever is done to it is done to both by the real code: shapes are never computed twice,
and an axis is unknown in the result where the two examples differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from trasluz import config
from trasluz.autodiff.tape import Primitive, Traced
from trasluz.base.arguments import is_numeric as is_number_type
from trasluz.base.arguments import number_type
from trasluz.base.tree import leaves, tree_map
from trasluz.errors import UserError, shown
from trasluz.state.limits import check_input, check_row

Shape = tuple[int | None, ...]

# How long the two examples of a tensor are where it is not known: the batch axis, and others. These
# go through windows and through halving five times without becoming nothing, or alike.
_SIZES = (2, 32), (3, 64)

_drawing: ContextVar[bool] = ContextVar("drawing", default=False)


def is_drawing() -> bool:
    """Tell whether a model is being drawn: axes that are not known may be longer than data are."""
    return _drawing.get()


@contextmanager
def drawing() -> Iterator[None]:
    """Run layers on examples: what they give is looked at for its shape alone."""
    token = _drawing.set(True)
    try:
        with np.errstate(all="ignore"):  # examples are zeros: 0/0 is nobody's mistake here
            yield
    finally:
        _drawing.reset(token)


class SymbolicTensor(Traced):
    """A tensor without numbers: a shape, a dtype, and the call that will give it its value."""

    level = 0

    def __init__(
        self, examples: tuple[Any, Any], node: Node | None = None, name: str | None = None
    ) -> None:
        self.examples, self.node, self.name = examples, node, name

    @property
    def shape(self) -> Shape:
        """The shape, `None` where it is not known."""
        a, b = self.examples
        return tuple(n if n == m else None for n, m in zip(a.shape, b.shape, strict=True))

    ndim = property(lambda self: self.examples[0].ndim)
    dtype = property(lambda self: self.examples[0].dtype)

    def record(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        return apply(primitive, args, params)

    def __bool__(self) -> bool:
        raise UserError(
            "a branch asks for the truth of a tensor that has no numbers yet",
            mend="use ops.where, or put the branch into a layer's call",
        )

    def __repr__(self) -> str:
        return f"<SymbolicTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"


class Node:
    """One call in the drawing of a model: a layer or a row, its arguments, its results."""

    __slots__ = ("args", "kwargs", "operation", "outputs")

    def __init__(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.operation, self.args, self.kwargs = operation, args, kwargs
        self.outputs: Any = None


def limits_of(inputs: Any, outputs: Any) -> tuple[int | None, ...]:
    """Tell from how many numbers each input of a drawing chooses, where layers look it up as it is.

    Args:
        inputs: the tensors that it begins with.
        outputs: those that it leads to.
    """
    found: dict[int, int | None] = {id(tensor): None for tensor in leaves(inputs)}
    done: set[int] = set()
    waiting = leaves(outputs)
    while waiting:
        tensor = waiting.pop()
        node = tensor.node
        if node is None or id(node) in done or id(tensor) in found:
            continue
        done.add(id(node))
        waiting += [t for t in leaves((node.args, node.kwargs)) if isinstance(t, SymbolicTensor)]
        if isinstance(node.operation, Primitive):
            continue
        limits = node.operation.index_limits(*node.args, **node.kwargs)
        for given, limit in zip(leaves(node.args), limits, strict=False):
            if id(given) in found and limit is not None:
                known = found[id(given)]
                found[id(given)] = limit if known is None else min(limit, known)
    return tuple(found[id(tensor)] for tensor in leaves(inputs))


def example(tree: Any, which: int) -> Any:
    """Replace the symbolic tensors of a tree by one of their examples."""
    return tree_map(lambda x: x.examples[which] if isinstance(x, SymbolicTensor) else x, tree)


def is_symbolic(tree: Any) -> bool:
    """Tell whether a tree holds a symbolic tensor."""
    return any(isinstance(x, SymbolicTensor) for x in leaves(tree))


def is_drawn(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Tell whether a constructor is given inputs and outputs that were drawn."""
    given = [*args[:2], *(kwargs[name] for name in ("inputs", "outputs") if name in kwargs)]
    return len(given) > 1 and all(is_symbolic(one) for one in given[:2])


def apply(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a layer or row on symbolic tensors: on both examples for real, noted as a node."""
    node, name = Node(operation, args, kwargs), getattr(operation, "name", None)
    name = name or type(operation).__name__
    if isinstance(operation, Primitive):
        check_row(_broadcast(args, kwargs)[1:], name)
    try:
        with drawing():
            both = [operation(*example(args, i), **example(kwargs, i)) for i in (0, 1)]
    except MemoryError:
        raise UserError("it would give more than memory holds", name, "make it smaller") from None
    _check_arrays(operation, both[0])
    for array in leaves(both[0]) if not isinstance(operation, Primitive) else ():
        check_row(array.shape[1:], name)
    node.outputs = tree_map(lambda a, b: SymbolicTensor((a, b), node), *both)
    return node.outputs


def _broadcast(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[int, ...]:
    """Tell how large what a row gives can become, before it is worked out."""
    asked = kwargs.get("shape")
    if isinstance(asked, tuple) and all(isinstance(n, int) for n in asked):
        return asked
    shapes = [np.shape(x) for x in leaves(example(args, 0))]
    if kwargs or len(shapes) < 2:
        return ()
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:  # a product of matrices, or a mistake that is told by who computes
        return (*shapes[0][:-1], *shapes[-1][-1:])


def is_numeric(value: Any) -> bool:
    """Tell an array of numbers from all else."""
    dtype = None if isinstance(value, (type, np.dtype)) else getattr(value, "dtype", None)
    return hasattr(value, "shape") and is_number_type(dtype)


def _check_arrays(operation: Any, given: Any) -> None:
    """Make sure that what a layer or row gives are arrays of numbers.

    Raises:
        UserError: if something else is among them, or nothing is.
    """
    parts = leaves(given)
    for part in parts or [given]:
        if not is_numeric(part):
            raise UserError(
                f"it gives {shown(part)} where an array of numbers belongs",
                getattr(operation, "name", None) or type(operation).__name__,
                "let its call return what it computes with operators and trasluz.ops",
            )


def shapes_of(tree: Any, shape: Callable[[Any], Any] = lambda x: tuple(x.shape)) -> Any:
    """Give the shapes of a tree of tensors: lists for lists, dicts for dicts.

    >>> shapes_of([np.ones(2), {"a": np.ones((1, 3))}])
    [(2,), {'a': (1, 3)}]
    """
    if isinstance(tree, dict):
        return {name: shapes_of(branch, shape) for name, branch in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [shapes_of(branch, shape) for branch in tree]
    return shape(tree)


def rows_of(x: Any) -> Shape:
    """Give the shape of an array with any number of rows."""
    return (None, *x.shape[1:])


def placeholder(shape: Shape, dtype: Any = "float32", name: str | None = None) -> SymbolicTensor:
    """Make a symbolic tensor of a full shape, the batch axis included.

    Raises:
        UserError: a size is not a positive whole number, or one row holds too many numbers.
    """
    sizes = [n for n in shape if n is not None]
    if not all(isinstance(n, (int, np.integer)) and n >= 0 for n in sizes) or len(shape) > 32:
        raise UserError(f"{shown(shape)} is not a shape", mend="e.g. Input((28, 28))")
    check_input(shape)
    if not isinstance(name, str | None):
        raise UserError(f"the name of an input is {shown(name)}", "Input", "give a text")
    dtype = number_type(dtype)
    examples = []
    for rows, others in _SIZES:
        sizes = [(others if i else rows) if n is None else n for i, n in enumerate(shape)]
        examples.append(np.zeros(sizes, dtype))
    return SymbolicTensor((examples[0], examples[1]), name=name)


def shape_of(given: Any) -> Shape:
    """Read the shape of one input: whole numbers, or one alone.

    Raises:
        UserError: if it is something else.
    """
    if isinstance(given, (int, np.integer)):
        return (int(given),)
    given = given.tolist() if isinstance(given, np.ndarray) and given.ndim else given
    if not isinstance(given, (list, tuple)):
        raise UserError(f"{shown(given)} is not a shape", mend="e.g. (4,) for rows of 4 numbers")
    return tuple(given)


def Input(  # noqa: N802 (Keras's name)
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    name: str | None = None,
    batch_shape: Shape | None = None,
) -> SymbolicTensor:
    """Start a model: a tensor of a shape (without the batch axis) still to be given.

    >>> Input((28, 28)).shape
    (None, 28, 28)
    """
    if batch_shape is None:
        if shape is None:
            raise UserError("Input needs a shape", mend="e.g. Input((4,)) for rows of 4 numbers")
        batch_shape = (batch_size, *shape_of(shape))
    elif not isinstance(batch_shape, (list, tuple)):
        raise UserError(f"{shown(batch_shape)} is not a shape", mend="e.g. batch_shape=(None, 4)")
    dtype = config.floatx() if dtype is None else dtype
    return placeholder(tuple(batch_shape), dtype, name)
