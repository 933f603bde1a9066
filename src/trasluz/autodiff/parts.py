"""Cutting into parts as one row, whose derivative is one concatenation.

A slice each would do, but then the derivatives come back as arrays of the whole size, mostly zeros,
that are added up.
"""

from __future__ import annotations

from typing import Any

from trasluz.autodiff import ops
from trasluz.autodiff.scan import is_unrolled
from trasluz.autodiff.tape import Primitive, Traced, zeros_like


def split(x: Any, count: int) -> tuple[Any, ...]:
    """Cut the last axis into so many equal parts.

    >>> import numpy as np
    >>> split(np.arange(6.0), 3)
    (array([0., 1.]), array([2., 3.]), array([4., 5.]))
    """
    if isinstance(x, Traced) and not is_unrolled():
        return split_row(x, count=count)  # type: ignore[no-any-return]
    return _forward(x, count)


def _forward(x: Any, count: int) -> tuple[Any, ...]:
    n = x.shape[-1] // count
    return tuple(x[..., i * n : (i + 1) * n] for i in range(count))


def _pullback(g: Any, parts: Any, x: Any, count: int) -> list[Any]:
    whole = [zeros_like(part) if one is None else one for one, part in zip(g, parts, strict=True)]
    return [ops.concatenate(whole, axis=-1)]


split_row = Primitive(
    "split", _forward, r"\operatorname{{split}}\left({0}\right)", (_pullback,), "joint"
)
