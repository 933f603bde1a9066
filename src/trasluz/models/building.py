"""Ways of building models that are not drawn layer by layer."""

from __future__ import annotations

from typing import Any

from trasluz.errors import UserError
from trasluz.state.binding import read, write
from trasluz.state.module import assign_paths
from trasluz.state.symbolic import apply


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
