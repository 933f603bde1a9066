"""Layers around layers: both directions of a sequence, the same for every step."""

from __future__ import annotations

from typing import Any, ClassVar

from trasluz.autodiff import ops
from trasluz.autodiff.tape import where
from trasluz.errors import UserError, shown
from trasluz.layers.base import Layer, registry
from trasluz.state.masks import set_mask

MODES = ("concat", "sum", "mul", "ave", None)


def _layer(given: Any, what: str) -> Any:
    """Take in a layer, or what one was written down as.

    Raises:
        UserError: if it is none.
    """
    layer = registry.get(given) if isinstance(given, dict) else given
    if not isinstance(layer, Layer):
        raise UserError(f"{shown(given)} is not a layer", what, "e.g. LSTM(8)")
    return layer


class Bidirectional(Layer):
    """A recurrent layer that reads a sequence from both ends.

    Steps that do not count give zeros where sequences are given back, as in Keras.

    Args:
        layer: the recurrent layer; a twin of it reads from the end.
        merge_mode: how the two are put together: "concat", "sum", "mul", "ave", or `None` for both
            in a list.
        backward_layer: another layer to read from the end.

    Raises:
        UserError: if it is no recurrent layer, or the mode is not known.

    Source: Schuster, Paliwal, Bidirectional recurrent neural networks (1997).

    >>> import numpy as np
    >>> from trasluz.layers import GRU
    >>> Bidirectional(GRU(3))(np.zeros((2, 5, 4))).shape
    (2, 6)
    """

    layer: Any
    merge_mode: str | None = "concat"
    backward_layer: Any = None

    _apart: ClassVar[tuple[str, ...]] = ("layer", "backward_layer")

    def build(self, input_shape: Any) -> None:
        layer = _layer(self.layer, where())
        if not hasattr(layer, "go_backwards"):
            raise UserError(f"{layer!r} has no direction", where(), "give an LSTM, GRU, SimpleRNN")
        if self.merge_mode not in MODES:
            raise UserError(
                f"merge_mode is {shown(self.merge_mode)}", where(), f"give one of {MODES}"
            )
        name = layer.name or type(layer).__name__.lower()
        other = layer if self.backward_layer is None else _layer(self.backward_layer, where())
        turned = layer is other and not layer.go_backwards
        self.forward = _twin(layer, f"forward_{name}", bool(layer.go_backwards))
        self.backward = _twin(other, f"backward_{name}", turned or bool(other.go_backwards))

    def call(
        self: Any, inputs: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        begin: tuple[Any, Any] = (None, None)
        if initial_state is not None:
            half = len(initial_state) // 2
            begin = (initial_state[:half], initial_state[half:])
        outputs = [
            one(inputs, initial_state=state, mask=mask)
            for one, state in zip((self.forward, self.backward), begin, strict=True)
        ]
        states = []
        if self.forward.return_state:
            states = [s for y in outputs for s in y[1:]]
            outputs = [y[0] for y in outputs]
        y, z = outputs
        if self.forward.return_sequences:
            z = ops.flip(z, 1)
        merged = self._merged(y, z)
        return (*(merged if isinstance(merged, list) else [merged]), *states) if states else merged

    def compute_mask(self: Any, inputs: Any, mask: Any = None) -> Any:
        """Tell which steps of the outputs count; the states count as a whole."""
        mask = mask if self.forward.return_sequences else None
        return [mask, mask] if self.merge_mode is None else [mask]

    def reset_state(self) -> None:
        """Let the next batch start from zeros again, in both directions."""
        self.forward.reset_state()
        self.backward.reset_state()

    reset_states = reset_state

    def _merged(self, y: Any, z: Any) -> Any:
        if self.merge_mode is None:
            return [y, z]
        if self.merge_mode == "concat":
            return ops.concatenate([y, z], axis=-1)
        if self.merge_mode == "mul":
            return y * z
        return y + z if self.merge_mode == "sum" else (y + z) / 2


def _twin(layer: Any, name: str, backwards: bool) -> Any:
    """Make a layer of the same kind, with a name and a direction."""
    config = {**layer.get_config(), "name": name, "go_backwards": backwards}
    if "zero_output_for_mask" in config:  # else places that do not count would be told apart
        config["zero_output_for_mask"] = layer.return_sequences
    return type(layer).from_config(config)


class TimeDistributed(Layer):
    """The same layer for every step of a sequence: `y_t = layer(x_t)`.

    Shapes: `(n, time, …) → (n, time, …)`.

    Args:
        layer: the layer.

    >>> import numpy as np
    >>> from trasluz.layers import Dense
    >>> TimeDistributed(Dense(3))(np.zeros((2, 5, 4))).shape
    (2, 5, 3)
    """

    layer: Any

    supports_masking = True

    def build(self, input_shape: Any) -> None:
        if len(input_shape) < 3:
            raise UserError(
                f"it reads (batch, time, …), the shape is {input_shape}",
                where(),
                "add a time axis, e.g. with Reshape",
            )
        self.layer = _layer(self.layer, where())

    def call(self, inputs: Any, mask: Any = None) -> Any:
        n, time = inputs.shape[:2]
        steps = ops.reshape(inputs, (n * time, *inputs.shape[2:]))
        if mask is not None and tuple(mask.shape[:2]) != (n, time):
            raise UserError(
                f"a mask of shape {tuple(mask.shape)} came for inputs of shape "
                f"{tuple(inputs.shape)}",
                where(),
                "give a truth for each step: (batch, time)",
            )
        if mask is not None and len(mask.shape) > 2:  # of the steps within a step
            set_mask(steps, ops.reshape(mask, (n * time, *mask.shape[2:])))
        y = self.layer(steps)
        return ops.reshape(y, (n, time, *y.shape[1:]))
