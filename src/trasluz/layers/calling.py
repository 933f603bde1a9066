"""What a call of a layer is handed, and what goes with its outputs: arguments by name, masks."""

from __future__ import annotations

import functools
import inspect
import warnings
from typing import Any

from trasluz.base.naming import snake
from trasluz.base.tree import leaves
from trasluz.errors import UserError
from trasluz.state.masks import mask_of, set_mask


@functools.cache
def parameters_of(kind: Any) -> tuple[str, ...]:
    """Name what the call of a class of layers takes."""
    return tuple(inspect.signature(kind.call).parameters)[1:]


def first_of(layer: Any, options: dict[str, Any]) -> Any:
    """Take the first argument of a call out of those that were given by name.

    Raises:
        UserError: if it is not among them.
    """
    first = parameters_of(layer.__class__)[0]
    if first not in options:
        raise UserError("it was called on nothing", _name(layer), f"give {first}")
    return options.pop(first)


def take_masks(layer: Any, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Give a call the masks that it asks for and nobody gave: that of the first input.

    As in Keras, `mask` is that of the only array; of several, `query_mask` is that of `query`.
    """
    names = parameters_of(layer.__class__)
    given = {**dict(zip(names, inputs, strict=False)), **options}
    arrays = [name for name, value in given.items() if _is_arrays(value)]
    several = len(arrays) > 1
    for name in arrays:
        wanted = f"{name}_mask" if several or "mask" not in names else "mask"
        if wanted in names and given.get(wanted) is None:
            options[wanted] = _masks_in(given[name])
    if options.get("mask") is not None:
        return options["mask"]
    mask = _masks_in(inputs[0])
    if mask is not None and several and "mask" in names and len(inputs) == 1:
        _warn(
            layer,
            f"it has a mask that is not used: {', '.join(arrays[1:])} came with {arrays[0]}; "
            "give mask= too",
        )
    return mask


def hand_on(layer: Any, first: Any, outputs: Any, mask: Any) -> None:
    """Let masks go with the outputs that have none yet.

    Args:
        layer: the layer that gave them.
        first: its first input.
        outputs: what it gave.
        mask: that of the first input.
    """
    flat = leaves(outputs)
    if all(mask_of(y) is not None for y in flat):
        return
    if not layer.supports_masking:
        if mask is not None and "mask" not in parameters_of(layer.__class__):
            _warn(layer, "it does not hand its mask on, layers behind it see none")
        return
    masks = layer.compute_mask(first, mask)
    masks = masks if isinstance(masks, (list, tuple)) else [masks]
    for y, own in zip(flat, masks, strict=False):
        if own is not None and mask_of(y) is None:
            set_mask(y, own)


def _warn(layer: Any, what: str) -> None:
    warnings.warn(f"{_name(layer)}: {what}", stacklevel=3)


def _name(layer: Any) -> str:
    return layer.name or snake(type(layer).__name__)


def _is_arrays(value: Any) -> bool:
    """Tell an array, or a tree of nothing but arrays, from other arguments."""
    parts = leaves(value)
    return bool(parts) and all(hasattr(part, "shape") for part in parts)


def _masks_in(inputs: Any) -> Any:
    """Give the masks of a tree of arrays, a list for a list; `None` where there is none."""
    if isinstance(inputs, (list, tuple)):
        masks = [_masks_in(one) for one in inputs]
        return None if all(one is None for one in masks) else masks
    return None if isinstance(inputs, dict) else mask_of(inputs)
