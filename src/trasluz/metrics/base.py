"""What all metrics share: arrays that gather, updated and read inside a compiled step."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, dataclass_transform

import numpy as np

from trasluz import config, initializers, losses
from trasluz.autodiff import ops
from trasluz.base.arguments import number_type
from trasluz.base.naming import snake
from trasluz.errors import MISFITS, is_misfit, misfit, unknown
from trasluz.losses.base import aligned, as_float, ratio, weights_like
from trasluz.state.masks import mask_of
from trasluz.state.module import Buffer, Module, Param, Variable
from trasluz.state.registry import Configurable, Registry, serialize, take_fields

registry = Registry("metric")


@dataclass_transform()
class Metric(Module, Configurable):
    """A number gathered over batches.

    A subclass declares arrays with `self.total = self.add_variable(())`, adds to them in
    `update_state(y_true, y_pred, sample_weight=None)` with operators and `trasluz.ops`, and reads
    them in `result()`.

    Args:
        dtype: the floating type of the arrays; `floatx()` if it is not given.
        name: what logs call it.
    """

    name: str
    dtype: str | None
    built: bool = True
    _aside: ClassVar[bool] = True

    def __init__(self, dtype: str | None = None, name: str | None = None) -> None:
        self.name, self.dtype = name or snake(type(self).__name__), dtype
        self.__post_init__()

    def __init_subclass__(cls, abstract: bool = False, **kwargs: Any) -> None:
        """Make a dataclass of a subclass: its own fields, then name and dtype.

        One that is abstract, or whose name begins with an underscore, leaves that to its own.
        """
        super().__init_subclass__(**kwargs)
        if "update_state" in cls.__dict__:
            cls.update_state = _guided(cls.update_state)  # type: ignore[method-assign]
        if abstract or cls.__name__.startswith("_"):
            return
        if cls.__module__.startswith("trasluz.metrics."):
            registry.add(cls)
        last = {"name": ("str", snake(cls.__name__)), "dtype": ("str | None", None)}
        take_fields(cls, Metric, last)

    def __post_init__(self) -> None:
        self.name = self.name or snake(type(self).__name__)
        dtype = number_type(self.dtype or config.floatx(), self.name)
        if dtype.kind != "f":
            raise unknown("floating type", self.dtype, config.FLOATS)
        self.dtype = str(dtype)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Param):
            self._specs[name] = value
            value = value.draw(self.dtype, None)
        super().__setattr__(name, value)

    def add_variable(
        self,
        shape: Sequence[int] = (),
        initializer: Any = "zeros",
        dtype: str | None = None,
        name: str | None = None,
    ) -> Variable:
        """Make an array that batches are added to with `assign`, or by setting the attribute."""
        init = initializers.get(initializer)
        return Variable(init, tuple(shape), dtype or self.dtype, trainable=False, name=name)

    add_weight = add_variable

    def _add(self, shape: Sequence[int] = ()) -> Any:
        """Declare an array of zeros; the attribute it is assigned to names it."""
        return Buffer(tuple(shape), initializers.get("zeros"))

    def build(self, y_true_shape: Sequence[int], y_pred_shape: Sequence[int]) -> None:
        """Declare arrays whose shape depends on that of the predictions; before compiling."""

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Add a batch."""
        raise NotImplementedError(f"{type(self).__name__} has no update_state method")

    def result(self) -> Any:
        """Read the number."""
        raise NotImplementedError(f"{type(self).__name__} has no result method")

    def reset_state(self) -> None:
        """Forget all batches."""
        for attribute, spec in self._specs.items():
            setattr(self, attribute, spec.draw(self.dtype, None))
        for child in self.children():
            if isinstance(child, Variable):
                child.assign(np.zeros(child.shape, child.dtype))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Add a batch and read the number."""
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """List the constructor's arguments as plain data."""
        if dataclasses.is_dataclass(type(self)):
            return super().get_config()
        return {"name": self.name, "dtype": self.dtype}

    def _as_float(self, x: Any) -> Any:
        return as_float(x, self.dtype)

    def _build_for(self, y_true: Any, y_pred: Any) -> None:
        if not self.built:
            self.build(tuple(y_true.shape), tuple(y_pred.shape))


def _guided(update: Callable[..., None]) -> Callable[..., None]:
    """Say which metric does not take what it is given, and what that is."""

    @functools.wraps(update)
    def told(self: Metric, *args: Any, **kwargs: Any) -> None:
        try:
            update(self, *args, **kwargs)
        except MISFITS as error:
            if not is_misfit(error):
                raise
            shapes = [getattr(a, "shape", type(a).__name__) for a in args]
            raise misfit(
                error,
                f"it does not go with {' and '.join(map(str, shapes)) or 'that'}",
                str(self.name),
                "choose a metric for targets and predictions of these shapes",
            ) from error

    return told


def samplewise(
    values: Any, sample_weight: Any, reduce: Callable[..., Any], dtype: Any
) -> tuple[Any, Any]:
    """Weigh values and reduce all their axes but the first; weights likewise."""
    values = as_float(values, dtype)
    if sample_weight is not None:
        values, weight = aligned(values, as_float(sample_weight, dtype))
        rank = len(weight.shape)
        values = _reduce_from(rank, values, reduce)
        weight = ops.broadcast_to(weight, values.shape)
        values = values * weight
        sample_weight = _reduce_from(1, weight, reduce)
    return _reduce_from(1, values, reduce), sample_weight


def _reduce_from(first: int, x: Any, reduce: Callable[..., Any]) -> Any:
    rank = len(x.shape)
    return reduce(x, axis=tuple(range(first, rank))) if rank > first else x


def masked(sample_weight: Any, y_pred: Any, dtype: Any) -> Any:
    """Give the weights of a batch, zero where the mask of its predictions says so."""
    mask = mask_of(y_pred)
    if mask is None:
        return sample_weight
    counts = as_float(mask, dtype)
    if sample_weight is None:
        return counts
    counts, weight = weights_like(counts, as_float(sample_weight, dtype))
    return counts * weight


class Sum(Metric):
    """Sum of values.

    >>> float(Sum()([1.0, 3.0], sample_weight=[1, 0]))
    1.0
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.total = self._add()

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add values."""
        values, _ = samplewise(values, sample_weight, ops.sum, self.dtype)
        self.total = self.total + ops.sum(values)

    def result(self) -> Any:
        """Read the sum."""
        return self.total


class Averaged(Metric, abstract=True):
    """The mean of one value a sample, which the class's `function` gives from its own fields."""

    function: ClassVar[Callable[..., Any]]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.total = self._add()
        self.count = self._add()

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Give the values of a batch."""
        options = {
            f.name: getattr(self, f.name)
            for f in dataclasses.fields(self)  # type: ignore[arg-type]
            if f.name not in ("name", "dtype")
        }
        return type(self).function(y_true, y_pred, **options)

    def add(self, values: Any, sample_weight: Any) -> None:
        """Add values to the mean."""
        values, weight = samplewise(values, sample_weight, ops.mean, self.dtype)
        self.total = self.total + ops.sum(values)
        if weight is not None:
            self.count = self.count + ops.sum(weight)
        else:
            self.count = self.count + (values.shape[0] if len(values.shape) else 1)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch; steps that the mask of the predictions leaves out do not count."""
        self.add(self.values(y_true, y_pred), masked(sample_weight, y_pred, self.dtype))

    def result(self) -> Any:
        """Read the mean: 0 before anything was added."""
        return ratio(self.total, self.count)


class Mean(Averaged):
    """Mean of values.

    >>> float(Mean()([1.0, 4.0], sample_weight=[2, 1]))
    2.0
    """

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add values."""
        self.add(values, sample_weight)


class MeanMetricWrapper(Averaged):
    """Mean of what any function of `(y_true, y_pred)` gives.

    Args:
        fn: gives one value a sample.
        name: what logs call it; the function's name if it is not given.
        dtype: see `Metric`.
        kwargs: further arguments of the function.

    >>> float(MeanMetricWrapper(losses.hinge)([[1.0]], [[0.5]]))
    0.5
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        name: str | None = None,
        dtype: str | None = None,
        **kwargs: Any,
    ) -> None:
        name = name or getattr(fn, "__name__", None) or snake(type(fn).__name__)
        super().__init__(name=name, dtype=dtype)
        self.fn, self.kwargs = fn, kwargs

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """Give the values of a batch."""
        return self.fn(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred), **self.kwargs)

    def get_config(self) -> dict[str, Any]:
        """List the constructor's arguments as plain data."""
        return {"name": self.name, "dtype": self.dtype, "fn": serialize(self.fn), **self.kwargs}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> MeanMetricWrapper:
        """Make an instance from what `get_config` gave."""
        return cls(**{**config, "fn": losses.get(config["fn"])})


def spread_weights(sample_weight: Any, y: Any) -> Any:
    """Give every entry of `y` its sample's weight."""
    weight = as_float(1 if sample_weight is None else sample_weight, y.dtype)
    _, weight = losses.weights_like(y, weight)
    return ops.broadcast_to(weight, y.shape)


def share(part: Any, rest: Any) -> Any:
    """Say how much a part is of the whole: `part / (part + rest)`, 0 of nothing."""
    return ratio(part, part + rest)
