"""What all losses share: shapes that fit, weights of samples, reductions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, dataclass_transform

import numpy as np

from trasluz import config
from trasluz.autodiff import ops
from trasluz.autodiff.tape import Box, note
from trasluz.base.arguments import number_type
from trasluz.base.naming import snake
from trasluz.errors import MISFITS, UserError, is_misfit, misfit, shown, unknown
from trasluz.state.masks import mask_of
from trasluz.state.registry import Configurable, Registry, serialize, take_fields
from trasluz.state.symbolic import is_numeric

EPSILON = 1e-7
REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)

registry = Registry("loss")


def as_float(x: Any, dtype: Any = None) -> Any:
    """Make an array of floats: of the dtype that is given, else its own, else `floatx()`.

    >>> as_float([1, 2])
    array([1., 2.], dtype=float32)
    """
    if isinstance(x, (Box, np.ndarray)) and x.dtype.kind == "f" and dtype in (None, x.dtype):
        return x
    listed = not hasattr(x, "dtype")
    x = ops.convert_to_tensor(x)
    keeps = dtype is None and not listed and np.dtype(x.dtype).kind not in "biuO"
    dtype = x.dtype if keeps else np.dtype(dtype or config.floatx())
    return x if x.dtype == dtype else ops.astype(x, dtype=dtype)


def aligned(a: Any, b: Any) -> tuple[Any, Any]:
    """Make ranks equal where one array has a last axis of length one more than the other.

    >>> a, b = aligned(np.ones(3), np.ones((3, 1)))
    >>> a.shape, b.shape
    ((3, 1), (3, 1))
    """
    if len(a.shape) == len(b.shape) + 1:
        b, a = aligned(b, a)
    elif len(b.shape) == len(a.shape) + 1 and b.shape[-1] == 1:
        if len(a.shape) == 1:
            return ops.expand_dims(a, -1), b
        return a, ops.squeeze(b, -1)
    return a, b


def pair(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Bring targets and predictions to one shape and to the dtype of the predictions.

    Raises:
        UserError: if the shapes differ.
    """
    y_pred = as_float(y_pred)
    y_true, y_pred = aligned(as_float(y_true, y_pred.dtype), y_pred)
    if tuple(y_true.shape) != tuple(y_pred.shape):
        raise UserError(
            f"targets of shape {tuple(y_true.shape)} do not fit "
            f"predictions of shape {tuple(y_pred.shape)}",
            mend="give both the same shape",
        )
    return y_true, y_pred


def ratio(a: Any, b: Any) -> Any:
    """Divide, with 0 where the denominator is 0.

    >>> ratio(np.array([1.0, 2.0]), np.array([2.0, 0.0]))
    array([0.5, 0. ])
    """
    empty = b == 0
    return ops.where(empty, ops.zero(b), a / ops.where(empty, 1, b))


def reduced(values: Any, sample_weight: Any, mask: Any, reduction: str | None) -> Any:
    """Weigh one value a sample and reduce them.

    Args:
        values: `(n,)` or `(n, t)`.
        sample_weight: a number, `(n,)`, `(n, 1)` or `(n, t)`.
        mask: true where a value counts; a mean is then over those.
        reduction: one of `REDUCTIONS`.
    """
    if sample_weight is not None:
        sample_weight = as_float(sample_weight, values.dtype)
    if mask is not None:
        counts = as_float(mask, values.dtype)
        if reduction in ("sum_over_batch_size", "mean"):
            counts = counts * ratio(as_float(ops.count(counts), values.dtype), ops.sum(counts))
        if sample_weight is not None:
            counts, sample_weight = weights_like(counts, sample_weight)
            counts = counts * sample_weight
        sample_weight = counts
    if sample_weight is not None:
        values, sample_weight = weights_like(values, sample_weight)
        values = values * sample_weight
    if reduction in ("none", None) or len(values.shape) == 0:
        return values
    total = ops.sum(values)
    if reduction == "sum":
        return total
    if reduction == "mean_with_sample_weight" and sample_weight is not None:
        return ratio(total, ops.sum(sample_weight))
    return total / max(ops.count(values), 1)


def weights_like(values: Any, weights: Any) -> tuple[Any, Any]:
    """Align weights with values: axes that they lack are those that come last."""
    values, weights = aligned(values, weights)
    missing = len(values.shape) - len(weights.shape)
    if missing > 0 and len(weights.shape) > 0:
        weights = ops.reshape(weights, shape=(*weights.shape, *[1] * missing))
    return values, weights


@dataclass_transform()
class Loss(Configurable):
    """A loss: one value a sample (`call`), weighed and reduced (`__call__`).

    A subclass gives `call(y_true, y_pred)`, or names the `function` that its own fields go to.

    Args:
        reduction: "sum_over_batch_size" and "mean" divide the sum by how many values there are,
            "mean_with_sample_weight" by the sum of the weights, "sum" does not; None or "none"
            gives the values.
        name: a name.
        dtype: the floating type to compute in; that of the predictions if it is not given.

    Raises:
        UserError: if the reduction is not known, if shapes do not fit.
    """

    function: ClassVar[Callable[..., Any]]
    numbered: ClassVar[bool] = False  # whether targets number classes, and so stay as they are

    def __init__(
        self,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: str | None = None,
    ) -> None:
        self.name, self.reduction, self.dtype = name or snake(type(self).__name__), reduction, dtype
        self.__post_init__()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Make a dataclass of a subclass: its own fields, then those that all losses have."""
        super().__init_subclass__(**kwargs)
        last = {
            "reduction": ("str | None", "sum_over_batch_size"),
            "name": ("str", snake(cls.__name__)),
            "dtype": ("str | None", None),
        }
        take_fields(cls, Loss, last)

    def __post_init__(self) -> None:
        if self.reduction not in REDUCTIONS:
            raise unknown("reduction", self.reduction, [str(r) for r in REDUCTIONS])
        if self.dtype is not None and number_type(self.dtype, self.name).kind != "f":
            raise unknown("floating type", self.dtype, config.FLOATS)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Give one value a sample: `(n,)`, or `(n, t)` where predictions are `(n, t, outputs)`."""
        options = {k: v for k, v in vars(self).items() if k not in ("reduction", "name", "dtype")}
        return type(self).function(*aligned(y_true, y_pred), **options)

    def mask(self, y_true: Any, y_pred: Any) -> Any:
        """Tell which samples count; `None` says all."""
        return None

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Give the loss, reduced; steps that the mask of the predictions leaves out do not count.

        Args:
            y_true: the targets.
            y_pred: the predictions.
            sample_weight: a number, `(n,)`, `(n, 1)` or `(n, t)`.
        """
        kept = mask_of(y_pred)
        try:
            y_pred = as_float(y_pred, self.dtype)
            keep = ops.convert_to_tensor
            y_true = keep(y_true) if self.numbered else as_float(y_true, y_pred.dtype)
            values, mask = note(self.call(y_true, y_pred), "rows"), self.mask(y_true, y_pred)
            if not is_numeric(values):
                raise TypeError(f"it gave {shown(values)}")
            if kept is not None:
                mask = kept if mask is None else ops.logical_and(kept, mask)
            return reduced(values, sample_weight, mask, self.reduction)
        except MISFITS as error:
            if not is_misfit(error):
                raise
            shapes = f"{np.shape(y_true)} and predictions of shape {np.shape(y_pred)}"
            raise misfit(
                error,
                f"it does not go with targets of shape {shapes}",
                self.name,
                "let the loss give an array, one number a row, from both",
            ) from error

    def get_config(self) -> dict[str, Any]:
        """List the constructor's arguments as plain data."""
        if dataclasses.is_dataclass(type(self)):
            return super().get_config()
        return {"name": self.name, "reduction": self.reduction}


class LossFunctionWrapper(Loss):
    """A loss made of any function of `(y_true, y_pred)`.

    Args:
        fn: gives one value a sample.
        reduction: see `Loss`.
        name: a name.
        dtype: see `Loss`.
        kwargs: further arguments of the function.

    >>> from trasluz.losses import squared_hinge
    >>> float(LossFunctionWrapper(squared_hinge)([[1.0]], [[0.5]]))
    0.25
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
        **kwargs: Any,
    ) -> None:
        name = name or getattr(fn, "__name__", None) or snake(type(fn).__name__)
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.fn, self.kwargs = fn, kwargs

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Give one value a sample."""
        return self.fn(*aligned(y_true, y_pred), **self.kwargs)

    def get_config(self) -> dict[str, Any]:
        """List the constructor's arguments as plain data."""
        return {"fn": serialize(self.fn), **super().get_config(), **self.kwargs}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LossFunctionWrapper:
        """Make an instance from what `get_config` gave."""
        return cls(**{**config, "fn": registry.get(config["fn"])})
