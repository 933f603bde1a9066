"""Pictures side by side: what a network is given, and what augmentation makes of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trasluz.base.arguments import checks_arguments
from trasluz.drawing.figure import as_png, new_figure
from trasluz.errors import UserError, shown

MOST = 400


@checks_arguments()
def pictures(
    images: Any,
    columns: int | None = None,
    labels: Sequence[Any] | None = None,
    title: str = "",
    value_range: Sequence[float] | None = None,
) -> bytes:
    """Draw pictures in rows and columns, for looking at them.

    Args:
        images: `(n, height, width, channels)` with 1 channel (grey), 3 or 4, or without them.
        columns: how many stand in a row; as many as make a square unless given.
        labels: what is written above each.
        title: what is written above all.
        value_range: which numbers are black and white; (0, 255) unless given, or (0, 1) if no
            number is above 1.

    Returns:
        The bytes of a PNG file.

    Raises:
        UserError: if these are no pictures, or there are too many.

    >>> pictures(np.eye(4).reshape(1, 4, 4, 1), title="a line")[1:4]
    b'PNG'
    """
    x = np.asarray(images)
    x = x[..., None] if x.ndim == 3 else x
    if x.ndim != 4 or x.shape[-1] not in (1, 3, 4) or x.dtype.kind not in "fiub":
        raise UserError(
            f"pictures of shape {np.shape(images)}",
            "pictures",
            "give (n, height, width, channels), channels 1, 3 or 4, and last",
        )
    if not 0 < len(x) <= MOST:
        raise UserError(f"{len(x)} pictures", "pictures", f"choose from 1 to {MOST}: images[:25]")
    if labels is not None and len(labels) != len(x):
        raise UserError(
            f"{len(labels)} labels for {len(x)} pictures", "pictures", "give one for each"
        )
    low, high = (0, 255 if x.max() > 1 else 1) if value_range is None else value_range
    if not low < high:
        raise UserError(
            f"value_range is {shown(value_range)}", "pictures", "give the less before the greater"
        )
    light = np.clip((x.astype(float) - low) / (high - low), 0, 1)
    across = columns or math.ceil(math.sqrt(len(x)))
    figure, panels = new_figure(
        across, math.ceil(len(x) / across), (1.3, 1.3 if labels is None else 1.5)
    )
    for axes in panels.flat:
        axes.set_axis_off()
    for k, (axes, one) in enumerate(zip(panels.flat, light, strict=False)):
        axes.imshow(one[..., 0] if one.shape[-1] == 1 else one, cmap="gray", vmin=0, vmax=1)
        if labels is not None:
            axes.set_title(str(labels[k]), fontsize=9)
    return as_png(figure, title)
