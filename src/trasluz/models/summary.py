"""A model at a glance: layers, shapes, parameters, memory."""

from __future__ import annotations

import math
from typing import Any

from trasluz.base.naming import snake
from trasluz.layers.base import Layer
from trasluz.state.module import modules_in, weights_of


def summary(model: Any, line_length: int | None = None, expand_nested: bool = False) -> str:
    """Write a model's layers as a table.

    Args:
        model: a model.
        line_length: how wide the table may get.
        expand_nested: whether models within the model are opened.

    >>> from trasluz import Sequential, layers
    >>> print(summary(Sequential([layers.Input((3,)), layers.Dense(2)], name="tiny")))
    Model: "tiny" (Sequential)
    ───────────────────────────────────────────────────────────
    Layer (type)                  Output shape       Parameters
    ───────────────────────────────────────────────────────────
    dense (Dense)                 (None, 2)                   8
    ───────────────────────────────────────────────────────────
    Total parameters: 8 (32 B)
    Trainable: 8 (32 B)
    Not trainable: 0 (0 B)
    """
    rows = list(_rows(model, expand_nested, ""))
    name = max([28, *(len(row[0]) for row in rows)])
    shape = max([17, *(len(row[1]) for row in rows)])
    if line_length is not None:
        name = max(12, min(name, line_length - shape - 14))
    width = name + shape + 14
    line = "─" * width
    title = model.name or snake(type(model).__name__)
    lines = [
        f'Model: "{title}" ({type(model).__name__})',
        line,
        f"{'Layer (type)':<{name}}  {'Output shape':<{shape}}  {'Parameters':>10}",
        line,
        *(f"{n[:name]:<{name}}  {s:<{shape}}  {c:>10}" for n, s, c in rows),
        line,
    ]
    variables = weights_of(model)
    for label, chosen in (
        ("Total parameters", variables),
        ("Trainable", [v for v in variables if v.trainable]),
        ("Not trainable", [v for v in variables if not v.trainable]),
    ):
        count = sum(math.prod(v.shape) for v in chosen)
        memory = sum(math.prod(v.shape) * v.dtype.itemsize for v in chosen)
        lines.append(f"{label}: {count:,} ({size(memory)})")
    if not model.built:
        lines.append("The input shape is not known yet: call the model on data, or build it.")
    return "\n".join(lines)


def _rows(model: Any, expand: bool, indent: str) -> Any:
    for layer in model.layers:
        own = [v for one in modules_in(layer) for v in one._specs]
        known = layer.built or not own
        count = f"{sum(math.prod(v.shape) for v in weights_of(layer)):,}" if known else "?"
        name = layer.name or snake(type(layer).__name__)
        yield f"{indent}{name} ({type(layer).__name__})", str(layer._output_shape or "?"), count
        if expand and any(isinstance(c, Layer) for c in layer.children()):
            yield from _rows(layer, expand, indent + "  ")


def size(memory: int) -> str:
    """Write a number of bytes for people.

    >>> size(2048)
    '2.0 KiB'
    """
    amount = float(memory)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"
