"""The rows: every primitive with its derivative, written once and read three ways.

NumPy evaluates a rule, XLA compiles it, the typesetter spells it. Rules use operators and other
rows only. Everything that can be made of rows is a composite below the table and has no rule.

Ties and kinks are written in the table: `relu'(0) = 0`, `abs'(0) = 0`, maxima share equally.
"""

from __future__ import annotations

import math
import operator
import re
from builtins import max as builtin_max
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from trasluz.autodiff import backend
from trasluz.autodiff.backend import namespace
from trasluz.autodiff.tape import Primitive, Traced, composite
from trasluz.errors import UserError

Rule = Callable[..., Any] | None
PRIMITIVES: dict[str, Primitive] = {}

# How loosely a spelled row binds: arguments that bind more loosely get parentheses.
ATOM, POWER, PRODUCT, SUM = 0, 1, 2, 3


def _row(name: str, reads: Any, rules: tuple[Rule, ...], kind: str, how: Any) -> Any:
    forward = how.pop("forward", None) or backend.function(name)
    PRIMITIVES[name] = Primitive(name, forward, reads, rules, kind, how.pop("binds", ATOM))
    return PRIMITIVES[name]


def elementwise(name: str, reads: Any, *derivatives: Rule, **how: Any) -> Any:
    """Declare a row that acts on each entry, with its local derivative in each argument."""
    return _row(name, reads, derivatives, "elementwise", how)


def structural(name: str, reads: Any, *pullbacks: Rule, **how: Any) -> Any:
    """Declare a row that moves or sums entries, with its pullback for each argument."""
    return _row(name, reads, pullbacks, "structural", how)


def function(name: str) -> str:
    """Spell a function of one argument."""
    return rf"{name}\left({{0}}\right)"


def row_of(xs: Sequence[Any]) -> str:
    """Spell things side by side."""
    return rf"\left[{', '.join(format(x) for x in xs)}\right]"


def relation(sign: str) -> str:
    """Spell a comparison: a bracket that is one where it holds, else zero."""
    return rf"\left[{{0}} {sign} {{1}}\right]"


# fmt: off
# Arithmetic.
# name, reads as, derivative in each argument (y is the value)
add      = elementwise("add", lambda a, b: plus(a, b), lambda y, a, b: 1, lambda y, a, b: 1,
                       forward=operator.add, binds=SUM)
subtract = elementwise("subtract", "{0:3} - {1:2}", lambda y, a, b: 1, lambda y, a, b: -1,
                       forward=operator.sub, binds=SUM)
multiply = elementwise("multiply", lambda a, b: times(a, b), lambda y, a, b: b, lambda y, a, b: a,
                       forward=operator.mul, binds=PRODUCT)
divide   = elementwise("divide", lambda a, b: over(a, b), lambda y, a, b: 1 / b,
                       lambda y, a, b: -y / b, forward=operator.truediv)
negative = elementwise("negative", "-{0:2}", lambda y, x: -1, forward=operator.neg, binds=SUM)
power    = elementwise("power", lambda x, n: raised(x, n), lambda y, x, n: slope_of_power(x, n),
                       lambda y, x, n: y * log(x), forward=operator.pow, binds=POWER)
absolute = elementwise("absolute", r"\left|{0}\right|", lambda y, x: sign(x))
sign     = elementwise("sign", function(r"\operatorname{{sign}}"), None)
floor    = elementwise("floor", r"\left\lfloor {0} \right\rfloor", None)

# Smooth functions.
exp      = elementwise("exp", "e^{{{0}}}", lambda y, x: y, binds=POWER)
expm1    = elementwise("expm1", "e^{{{0}}} - 1", lambda y, x: y + 1, binds=SUM)
log      = elementwise("log", function(r"\ln"), lambda y, x: 1 / x)
log1p    = elementwise("log1p", r"\ln\left(1 + {0:3}\right)", lambda y, x: 1 / (1 + x))
sqrt     = elementwise("sqrt", r"\sqrt{{{0}}}", lambda y, x: 0.5 / y)
sin      = elementwise("sin", function(r"\sin"), lambda y, x: cos(x))
cos      = elementwise("cos", function(r"\cos"), lambda y, x: -sin(x))
tanh     = elementwise("tanh", function(r"\tanh"), lambda y, x: 1 - y**2)
sigmoid  = elementwise("sigmoid", function(r"\sigma"), lambda y, x: y * (1 - y),
                       forward=lambda x: _sigmoid(x))
softplus = elementwise("softplus", r"\ln\left(1 + e^{{{0}}}\right)", lambda y, x: sigmoid(x),
                       forward=lambda x: namespace(x).logaddexp(x, zero(x)))
erf      = elementwise("erf", function(r"\operatorname{{erf}}"),
                       lambda y, x: 2 / math.sqrt(math.pi) * exp(-(x**2)), forward=backend.erf)

# Kinks and choices.
relu     = elementwise("relu", function(r"\operatorname{{relu}}"),
                       lambda y, x: astype(x > 0, dtype=x.dtype),
                       forward=lambda x: namespace(x).maximum(x, zero(x)))
maximum  = elementwise("maximum", r"\max\left({0}, {1}\right)",
                       lambda y, a, b: share(a > b, a == b, y),
                       lambda y, a, b: share(b > a, a == b, y))
minimum  = elementwise("minimum", r"\min\left({0}, {1}\right)",
                       lambda y, a, b: share(a < b, a == b, y),
                       lambda y, a, b: share(b < a, a == b, y))
where    = structural("where", r"\begin{{cases}}{1} & {0}\\ {2} & \text{{else}}\end{{cases}}", None,
                      lambda g, y, c, a, b: where(c, g, zero(g)),
                      lambda g, y, c, a, b: where(c, zero(g), g))
equal         = elementwise("equal", relation("="), None, forward=operator.eq)
not_equal     = elementwise("not_equal", relation(r"\neq"), None, forward=operator.ne)
less          = elementwise("less", relation("<"), None, forward=operator.lt)
less_equal    = elementwise("less_equal", relation(r"\leq"), None, forward=operator.le)
greater       = elementwise("greater", relation(">"), None, forward=operator.gt)
greater_equal = elementwise("greater_equal", relation(r"\geq"), None, forward=operator.ge)

# Sums, maxima.
# name, reads as, pullback of g to each argument
matmul_row = structural("matmul", r"{0:2}\,{1:2}", lambda g, y, a, b, **k: matmul_row(g, b.mT, **k),
                        lambda g, y, a, b, **k: matmul_row(a.mT, g, **k), forward=backend.product,
                        binds=PRODUCT)
sum = structural("sum", r"\textstyle\sum {0:2}",  # noqa: A001
                 lambda g, y, x, **k: broadcast_to(kept(g, x, **k), x.shape),
                 forward=lambda x, **k: x.sum(**k), binds=PRODUCT)
cumsum = structural("cumsum", function(r"\operatorname{{cumsum}}"),
                    lambda g, y, x, axis: flip(cumsum(flip(g, axis), axis=axis), axis))
max = structural("max", r"\max {0:2}",  # noqa: A001
                 lambda g, y, x, **k: among(x == kept(y, x, **k), kept(g, x, **k), **k),
                 binds=PRODUCT)
min = structural("min", r"\min {0:2}",  # noqa: A001
                 lambda g, y, x, **k: among(x == kept(y, x, **k), kept(g, x, **k), **k),
                 binds=PRODUCT)
logsumexp = structural("logsumexp", r"\ln \textstyle\sum e^{{{0}}}",
                       lambda g, y, x, **k: kept(g, x, **k) * exp(x - kept(y, x, **k)),
                       forward=lambda x, **k: _logsumexp(x, **k), binds=PRODUCT)
argmax = structural("argmax", function(r"\operatorname{{argmax}}"), None)
argsort = structural("argsort", function(r"\operatorname{{argsort}}"), None)

# Moving entries.
reshape_row = structural("reshape", function(r"\operatorname{{reshape}}"),
                         lambda g, y, x, shape: reshape(g, shape=x.shape))
transpose_row = structural("transpose", lambda x: transposed(x),
                           lambda g, y, x, axes: transpose(g, axes=inverse(axes)), binds=POWER)
broadcast_to_row = structural("broadcast_to", function(r"\operatorname{{repeat}}"),
                              lambda g, y, x, shape: g)  # undone in the walk, as all broadcasting
concatenate_row = structural("concatenate", lambda *xs: row_of(xs),
                             lambda g, y, *xs, axis, position=0: portion(g, xs, axis, position),
                             forward=lambda *xs, axis: namespace(*xs).concatenate(xs, axis=axis))
getitem = structural("getitem", r"{0:0}_{{\left[\cdot\right]}}",
                     lambda g, y, x, index: place(g, index=index, shape=x.shape),
                     forward=lambda x, index: x[index], binds=POWER)
place = structural("place", function(r"\operatorname{{place}}"),
                   lambda g, y, x, index, shape: getitem(g, index=index),
                   forward=lambda x, index, shape: _place(x, index, shape))
take = structural("take", r"{0:0}_{{[{1}]}}",
                  lambda g, y, x, i, axis, table="": scatter_add(g, i, axis=axis % x.ndim,
                                                                 size=x.shape[axis]), None,
                  forward=backend.take, binds=POWER)
scatter_add = structural("scatter_add", r"\operatorname{{scatter}}_{{{1}}}\left({0}\right)",
                         lambda g, y, x, i, axis, size: take(g, i, axis=axis), None,
                         forward=lambda x, i, axis, size: _scatter_add(x, i, axis, size))
astype = structural("astype", "{0:0}", lambda g, y, x, dtype: cast_back(g, x.dtype, dtype),
                    forward=lambda x, dtype: x.astype(dtype))
stop_gradient = structural("stop_gradient", "{0:0}", None, forward=lambda x: x)
# fmt: on


def times(a: Any, b: Any) -> str:
    """Spell a product: juxtaposed names, a dot where numbers would run together, no factor 1."""
    left, right = f"{a:2}", f"{b:2}"
    if "1" in (left, right):
        return right if left == "1" else left
    begins = re.match(r"(\\frac\{)*\d", right)  # a quotient of numbers begins with one too
    digits = begins or left[-1:].isdigit() or left.endswith("{}")
    signed = left.endswith(r"\right)") and right.startswith(r"\left(-")
    dot = r" \cdot " if digits or signed else r"\,"
    return left + dot + right


def plus(a: Any, b: Any) -> str:
    """Spell a sum; a negative number that is added stands in parentheses."""
    right = f"{b:3}"
    return f"{a:3} + " + (rf"\left({right}\right)" if right.startswith("-") else right)


def over(a: Any, b: Any) -> str:
    """Spell a quotient; what is divided by 1 stays itself."""
    return f"{a:0}" if f"{b}" == "1" else rf"\frac{{{a}}}{{{b}}}"


def raised(x: Any, n: Any) -> str:
    """Spell a power; the first one is the base itself."""
    return f"{x:0}" if f"{n}" == "1" else f"{x:0}^{{{n}}}"


def transposed(x: Any) -> str:
    """Spell a transposed matrix."""
    spelled = f"{x:0}"
    raised = spelled.endswith(")}") and "^{(" in spelled  # W^{(1)} has a place for it
    return spelled[:-1] + r"\top}" if raised else spelled + r"^{\top}"


def _follow(number: float, x: Any) -> Any:
    """Give a constant the dtype of an array."""
    return number if not hasattr(x, "dtype") else x.dtype.type(number)


def zero(x: Any) -> Any:
    """The number zero in the dtype of an array."""
    return _follow(0, x)


def _sigmoid(x: Any) -> Any:
    xp = namespace(x)
    e = xp.exp(-xp.abs(x))  # never overflows, and keeps its digits far out
    return xp.where(x >= 0, _follow(1, e), e) / (1 + e)


def _logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    xp = namespace(x)
    top = xp.max(x, axis=axis, keepdims=True)
    top = xp.where(xp.isfinite(top), top, _follow(0, top))
    y = xp.log(xp.sum(xp.exp(x - top), axis=axis, keepdims=True)) + top
    return y if keepdims else xp.squeeze(y, axis=axis)


def _place(x: Any, index: Any, shape: tuple[int, ...]) -> Any:
    parts = index if isinstance(index, tuple) else (index,)
    basic = all(p is None or p is Ellipsis or isinstance(p, (int, slice)) for p in parts)
    return (backend.place_slice if basic else backend.place)(x, index, shape)


def _scatter_add(x: Any, i: Any, axis: int, size: int) -> Any:
    before = x.shape[:axis]
    shape = (*before, size, *x.shape[axis + i.ndim :])
    return backend.place(x, (*[slice(None)] * axis, i), shape)


def share(wins: Any, ties: Any, y: Any) -> Any:
    """Derivative of a maximum in one argument: 1 where it wins, ½ where both are equal."""
    return astype(wins, dtype=y.dtype) + 0.5 * astype(ties, dtype=y.dtype)


def slope_of_power(x: Any, n: Any) -> Any:
    """Derivative of a power in its base; of a constant power 0 it is 0, at the origin too."""
    return 0 if isinstance(n, (int, float)) and n == 0 else n * x ** (n - 1)


def cast_back(g: Any, source: Any, dtype: Any) -> Any:
    """Pull a derivative back through a cast: through whole numbers and truths none passes."""
    smooth = np.dtype(source).kind not in "iub" and np.dtype(dtype).kind not in "iub"
    return astype(g if smooth else zero(g) * g, dtype=source)


def among(ties: Any, g: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Share a derivative equally among the entries that reach the extreme."""
    ties = astype(ties, dtype=g.dtype)
    return g / sum(ties, axis=axis, keepdims=True) * ties


def kept(g: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Give a reduced array its reduced axes back, with length one."""
    return g if keepdims else reshape(g, shape=kept_shape(x.shape, axis))


def kept_shape(shape: Sequence[int], axis: Any) -> tuple[int, ...]:
    """Shape of a reduction with `keepdims=True`."""
    if axis is None:
        return (1,) * len(shape)
    axes = {a % len(shape) for a in (axis if isinstance(axis, tuple) else (axis,))}
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


def inverse(axes: Sequence[int]) -> tuple[int, ...]:
    """Invert a permutation of axes."""
    return tuple(sorted(range(len(axes)), key=lambda i: axes[i]))


def portion(g: Any, xs: Sequence[Any], axis: int, position: int) -> Any:
    """Cut out of `g` what belongs to one of the arrays that were joined."""
    axis = axis % len(g.shape)
    start = 0
    for x in xs[:position]:
        start += x.shape[axis]
    stop = start + xs[position].shape[axis]
    return getitem(g, index=(*[slice(None)] * axis, slice(start, stop)))


def transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    """Put axes into another order: the reverse one unless it is given."""
    return transpose_row(x, axes=tuple(range(len(x.shape))[::-1] if axes is None else axes))


def reshape(x: Any, shape: Sequence[int]) -> Any:
    """Arrange the same entries in another shape; one length may be −1."""
    return reshape_row(x, shape=tuple(-1 if n is None else n for n in shape))


def swapaxes(x: Any, a: int, b: int) -> Any:
    """Exchange two axes."""
    axes = list(range(len(x.shape)))
    axes[a], axes[b] = axes[b], axes[a]
    return transpose(x, axes=tuple(axes))


def matmul(a: Any, b: Any, precision: str | None = None) -> Any:
    """Matrix product; vectors and stacks of matrices as in NumPy.

    Args:
        a: the left factor.
        b: the right factor.
        precision: "bfloat16" rounds float32 factors to it, here and in the derivatives; products
            are added up in float32. Factors in float64 stay as they are.

    >>> matmul(np.eye(2), np.array([1.0, 2.0]))
    array([1., 2.])
    """
    if not (isinstance(a, Traced) or isinstance(b, Traced)):
        return backend.product(a, b, precision)
    if len(a.shape) == 0 or len(b.shape) == 0 or a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise UserError(
            f"a product of shapes {tuple(a.shape)} and {tuple(b.shape)} does not exist",
            mend="the last axis of the first has to be as long as the last but one of the second",
        )
    left = a if a.ndim > 1 else expand_dims(a, 0)
    right = b if b.ndim > 1 else expand_dims(b, -1)
    y = matmul_row(left, right, **({} if precision is None else {"precision": precision}))
    y = y if b.ndim > 1 else squeeze(y, -1)
    return y if a.ndim > 1 else squeeze(y, -1 if b.ndim == 1 else -2)


def dot_last(x: Any, kernel: Any, precision: str | None = None) -> Any:
    """Multiply the last axis of `x` with a kernel: one 2-D product, whatever axes lead.

    That makes the kernel's gradient one product too: (B·T, d)ᵀ (B·T, u).

    >>> dot_last(np.ones((2, 3, 4)), np.ones((4, 5))).shape
    (2, 3, 5)
    """
    if len(x.shape) <= 2:
        return matmul(x, kernel, precision)
    y = matmul(reshape(x, shape=(-1, x.shape[-1])), kernel, precision)
    return reshape(y, shape=(*x.shape[:-1], kernel.shape[-1]))


def broadcast_to(x: Any, shape: Sequence[int]) -> Any:
    """Repeat along axes of length one, and along new leading ones."""
    return x if tuple(x.shape) == tuple(shape) else broadcast_to_row(x, shape=tuple(shape))


def concatenate(arrays: Sequence[Any], axis: int = 0) -> Any:
    """Join arrays along an axis."""
    return concatenate_row(*arrays, axis=axis)


def stack(arrays: Sequence[Any], axis: int = 0) -> Any:
    """Join arrays along a new axis."""
    return concatenate([expand_dims(a, axis) for a in arrays], axis)


def expand_dims(x: Any, axis: int) -> Any:
    """Insert an axis of length one."""
    shape = list(x.shape)
    shape.insert(axis if axis >= 0 else len(shape) + 1 + axis, 1)
    return reshape(x, shape=tuple(shape))


def squeeze(x: Any, axis: int | None = None) -> Any:
    """Remove an axis of length one, or all of them."""
    if axis is None:
        return reshape(x, shape=tuple(n for n in x.shape if n != 1))
    axis = axis % len(x.shape)
    return reshape(x, shape=tuple(x.shape[:axis]) + tuple(x.shape[axis + 1 :]))


def flip(x: Any, axis: int) -> Any:
    """Reverse the order along an axis."""
    axis = axis % len(x.shape)
    return getitem(x, index=(*[slice(None)] * axis, slice(None, None, -1)))


def pad(x: Any, widths: Sequence[tuple[int, int]]) -> Any:
    """Surround with zeros: `widths` gives how many before and after along each axis.

    >>> pad(np.ones(2), [(1, 2)])
    array([0., 1., 1., 0., 0.])
    """
    shape = tuple(n + before + after for n, (before, after) in zip(x.shape, widths, strict=True))
    index = tuple(slice(before, before + n) for n, (before, _) in zip(x.shape, widths, strict=True))
    return place(x, index=index, shape=shape)


def count(x: Any, axis: Any = None) -> int:
    """How many entries a reduction over `axis` adds up."""
    if axis is None:
        return math.prod(x.shape)
    return math.prod(x.shape[a] for a in (axis if isinstance(axis, tuple) else (axis,)))


@composite
def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Average: `Σx / n`."""
    return sum(x, axis=axis, keepdims=keepdims) / builtin_max(count(x, axis), 1)


@composite
def var(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Population variance: `Σ(x − mean)² / n`."""
    return mean(square(x - mean(x, axis=axis, keepdims=True)), axis=axis, keepdims=keepdims)


@composite
def std(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Population standard deviation: `√var`."""
    return sqrt(var(x, axis=axis, keepdims=keepdims))


@composite
def prod(x: Any, axis: int = -1) -> Any:
    """Product along an axis; its gradient is right when factors are zero."""
    axis = axis % len(x.shape)
    before: tuple[slice, ...] = (slice(None),) * axis
    y = getitem(x, index=(*before, 0))
    for i in range(1, x.shape[axis]):
        y = y * getitem(x, index=(*before, i))
    return y


def square(x: Any) -> Any:
    """`x²`."""
    return x**2


def clip(x: Any, low: float, high: float) -> Any:
    """Keep within bounds; at a bound half of the derivative passes."""
    return minimum(maximum(x, _follow(low, x)), _follow(high, x))


def top(x: Any, axis: int) -> Any:
    """The largest entries along an axis, as constants: taking them off keeps digits."""
    return stop_gradient(max(x, axis=axis, keepdims=True))


@composite
def softmax(x: Any, axis: int = -1) -> Any:
    """Exponentials that add up to one along an axis: `exp(x − logsumexp(x))`."""
    x = x - top(x, axis)
    return exp(x - logsumexp(x, axis=axis, keepdims=True))


@composite
def log_softmax(x: Any, axis: int = -1) -> Any:
    """Logarithm of softmax, without ever leaving the safe range: `x − logsumexp(x)`."""
    x = x - top(x, axis)
    return x - logsumexp(x, axis=axis, keepdims=True)


@composite
def log_sigmoid(x: Any) -> Any:
    """Logarithm of the sigmoid: `−softplus(−x)`."""
    return -softplus(-x)


@composite
def norm(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Euclidean length `√Σx²`, with derivative 0 at the origin."""
    squares = sum(square(x), axis=axis, keepdims=keepdims)
    positive = squares > 0
    one = _follow(1, squares)
    return where(positive, sqrt(where(positive, squares, one)), zero(squares))


def one_hot(indices: Any, size: int, dtype: Any = np.float32) -> Any:
    """Rows of zeros with a one at each index; an index out of range gives a row of zeros.

    >>> one_hot(np.array([2, 0]), 3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    places = np.arange(size, dtype=indices.dtype).reshape((1,) * len(indices.shape) + (size,))
    return astype(expand_dims(indices, -1) == places, dtype=np.dtype(dtype))


abs = absolute  # noqa: A001


def cast(x: Any, dtype: Any) -> Any:
    """Give entries another type: "float32", "bool" and so on."""
    return astype(convert_to_tensor(x), dtype=np.dtype(dtype))


def logical_and(a: Any, b: Any) -> Any:
    """Whether both hold."""
    return cast(a, bool) * cast(b, bool)


def logical_or(a: Any, b: Any) -> Any:
    """Whether one of them holds, or both."""
    return maximum(cast(a, bool), cast(b, bool))


def logical_not(x: Any) -> Any:
    """Whether it does not hold."""
    return equal(x, 0)


def shape(x: Any) -> tuple[int, ...]:
    """Give the lengths of the axes."""
    return tuple(x.shape)


def zeros(shape: Sequence[int], dtype: Any = np.float32) -> Any:
    """An array of zeros."""
    return np.zeros(shape, dtype)


def ones(shape: Sequence[int], dtype: Any = np.float32) -> Any:
    """An array of ones."""
    return np.ones(shape, dtype)


def zeros_like(x: Any, dtype: Any = None) -> Any:
    """Zeros in the shape, and the type, of an array."""
    return np.zeros(x.shape, dtype or x.dtype)


def ones_like(x: Any, dtype: Any = None) -> Any:
    """Ones in the shape, and the type, of an array."""
    return np.ones(x.shape, dtype or x.dtype)


def convert_to_tensor(x: Any, dtype: Any = None) -> Any:
    """Take in lists and numbers as arrays, of a type if one is given.

    >>> convert_to_tensor([1.0, 2.0], "float32")
    array([1., 2.], dtype=float32)
    """
    if not (isinstance(x, Traced) or hasattr(x, "__array_namespace__")):
        x = np.asarray(x)
    return x if dtype is None else astype(x, dtype=np.dtype(dtype))


def convert_to_numpy(x: Any) -> np.ndarray:
    """Give a NumPy array."""
    return np.asarray(x)


OPERATORS = {
    "add": add,
    "sub": subtract,
    "mul": multiply,
    "truediv": divide,
    "pow": power,
    "matmul": matmul,
}


def _reduction(row: Any) -> Callable[..., Any]:
    """Make a row a method; NumPy's function of that name calls it with more, and is told."""

    def method(self: Any, axis: Any = None, keepdims: bool = False, **more: Any) -> Any:
        if more:
            np.asarray(self)
        return row(self, axis=axis, keepdims=keepdims)

    return method


def _equip() -> None:
    """Give traced values the operators and methods of arrays, all of them rows."""
    relations = {
        "eq": equal, "ne": not_equal,
        "lt": less, "le": less_equal,
        "gt": greater, "ge": greater_equal,
    }  # fmt: skip
    for name, row in (OPERATORS | relations).items():
        setattr(Traced, f"__{name}__", lambda self, other, row=row: row(self, other))
    for name, row in OPERATORS.items():
        setattr(Traced, f"__r{name}__", lambda self, other, row=row: row(other, self))
    reductions = {"sum": sum, "mean": mean, "max": max, "min": min}
    methods: dict[str, Any] = {
        "__neg__": lambda self: negative(self),
        "__abs__": lambda self: absolute(self),
        "__getitem__": lambda self, index: getitem(self, index=index),
        "__hash__": object.__hash__,
        **{name: _reduction(row) for name, row in reductions.items()},
        "reshape": lambda self, *shape: reshape(
            self, shape=shape[0] if shape and isinstance(shape[0], (tuple, list)) else shape
        ),
        "astype": lambda self, dtype: astype(self, dtype=np.dtype(dtype)),
        "mT": property(lambda self: swapaxes(self, -1, -2)),
        "T": property(lambda self: transpose(self, axes=tuple(reversed(range(self.ndim))))),
    }
    for name, method in methods.items():
        setattr(Traced, name, method)


_equip()
