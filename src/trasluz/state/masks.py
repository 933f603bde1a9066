"""Masks: which steps of a sequence count, kept beside the arrays that they belong to.

A layer that knows gives its output a mask, a truth for each step; layers behind it find it there
and hand it on. Within a step it is kept by the context of the step, and goes with it; an array that
is computed outside keeps its mask as long as it lives.
"""

from __future__ import annotations

import weakref
from typing import Any

from trasluz.autodiff.tape import released
from trasluz.base.tree import leaves
from trasluz.state.context import Context, current

_kept: dict[int, tuple[weakref.ref[Any], Any]] = {}  # outside of steps, by the array's identity


def are_masks(context: Context | None) -> bool:
    """Tell whether there is any mask to look for."""
    return bool(_kept) or (context is not None and bool(context.masks))


def mask_of(x: Any) -> Any:
    """Give the mask that goes with an array: `None` if all of it counts.

    >>> import numpy as np
    >>> from trasluz.layers import Embedding
    >>> y = Embedding(9, 2, mask_zero=True)(np.array([[4, 7, 0]]))
    >>> mask_of(y)
    array([[ True,  True, False]])
    """
    context, x = current(), released(x)
    if context is not None and id(x) in context.masks:
        return context.masks[id(x)][1]
    return _kept[id(x)][1] if id(x) in _kept else None


def set_mask(x: Any, mask: Any) -> None:
    """Let a mask go with an array; `None` takes it away."""
    x = released(x)
    context, place = current(), id(x)
    if mask is None and mask_of(x) is None:
        return
    if context is not None:
        context.masks[place] = x, mask  # the array is held: its identity stays its own
    elif mask is None:
        _kept.pop(place, None)
    else:
        _kept[place] = weakref.ref(x, lambda _: _kept.pop(place, None)), mask


def keep_masks(outputs: Any, context: Context) -> None:
    """Let masks that arrays got in a context go with them after it."""
    for x in leaves(outputs) if context.masks else ():
        _, mask = context.masks.get(id(x), (x, None))
        if mask is not None:
            set_mask(x, mask)
