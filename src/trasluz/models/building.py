"""Ways of building models that are not drawn layer by layer."""

from __future__ import annotations

from typing import Any

from trasluz.base.tree import fill, leaves
from trasluz.errors import MISFITS, UserError
from trasluz.state.binding import read, write
from trasluz.state.context import Context
from trasluz.state.module import assign_paths
from trasluz.state.registry import overrides
from trasluz.state.symbolic import apply, placeholder, rows_of

# What a model keeps of having been drawn.
DRAWING = ("_input_symbols", "_drawn", "_limits", "_output_shape")


class _Call:
    """The call of a model, as one operation of a drawing."""

    def __init__(self, model: Any) -> None:
        self.model, self.name = model, model.name

    def __call__(self, *args: Any) -> Any:
        return self.model.call(*args)

    def index_limits(self, *args: Any) -> tuple[int | None, ...]:
        """Tell nothing of the numbers that inputs choose from."""
        return ()


def drawn_on_examples(model: Any, tensors: Any) -> Any:
    """Draw a model as one call, which is made on examples: its call asks how many rows there are.

    Returns:
        Symbolic tensors of its outputs.
    """
    call = _Call(model)
    apply(call, (tensors,), {})
    before = read(model)
    outputs = apply(call, (tensors,), {})
    write(model, before)  # examples are not data: what they moved goes back
    return outputs


def redrawn(model: Any, x: Any) -> bool:
    """Draw a model whose `call` was written by hand again, for data of other sizes, where it goes.

    Returns:
        Whether data of these shapes fit now that did not fit the drawing that there was.
    """
    want, have = leaves(model._input_symbols), leaves(x)
    if not overrides(model, "call") or [len(t.shape) for t in want] != [a.ndim for a in have]:
        return False
    shapes = [rows_of(a) for a in have]
    if all(t.shape[1:] == shape[1:] for t, shape in zip(want, shapes, strict=True)):
        return False
    old = {name: model.__dict__.get(name) for name in DRAWING}
    new = [placeholder(s, t.dtype, t.name) for s, t in zip(shapes, want, strict=True)]
    try:
        with Context():
            model._build_on(fill(model._input_symbols, new))
    except (*MISFITS, UserError):
        model.__dict__.update(old)
        return False
    return True


def require_parts(model: Any) -> None:
    """See that the layers of a model are built that has no call to build them by.

    Raises:
        UserError: if one of them is not.
    """
    for layer in model.layers:
        if not layer.built:
            raise UserError(
                "the layer has no weights yet, and the model has no call that would show it its "
                "inputs",
                layer.name or type(layer).__name__,
                "let it begin with Input(shape), or call it on data once before fit",
            )
    assign_paths(model, model._path)
    model.built = True
