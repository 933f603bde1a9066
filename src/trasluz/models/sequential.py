"""Models that are layers one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trasluz.errors import UserError, shown
from trasluz.layers.base import Layer, registry
from trasluz.layers.core import InputLayer
from trasluz.models.model import Model
from trasluz.state.masks import set_mask
from trasluz.state.module import modules_in
from trasluz.state.registry import serialize
from trasluz.state.symbolic import SymbolicTensor, placeholder, shape_of


class Sequential(Model):
    """Layers one after the other.

    Args:
        layers: the layers; the first may be `Input(shape)` or have an `input_shape`.

    >>> from trasluz.layers import Dense, Input
    >>> model = Sequential([Input((3,)), Dense(2)])
    >>> model.output_shape
    (None, 2)
    """

    def __init__(
        self, layers: Any = None, trainable: bool = True, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self._layers: list[Layer] = []
        self._start: tuple[Any, str, str | None] | None = None
        if layers is not None and (
            getattr(layers, "shape", True) == ()
            or not isinstance(layers, Iterable)
            or isinstance(layers, str | Layer)
        ):
            raise UserError(
                f"the layers are {shown(layers)}",
                self.name or "sequential",
                "give them in a list: Sequential([Input(shape), Dense(8), ...])",
            )
        for layer in layers if layers is not None else []:
            self.add(layer, rebuild=False)
        self._maybe_build()

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Put a layer at the end.

        Raises:
            UserError: if it is not a layer.
        """
        if isinstance(layer, InputLayer):
            layer = layer.output
        if isinstance(layer, SymbolicTensor):
            if self._layers:
                raise UserError(
                    "Input has to come first",
                    self.name or "sequential",
                    "put it before the layers: Sequential([Input(shape), ...])",
                )
            self._start = (layer.shape, str(layer.dtype), layer.name)
        elif isinstance(layer, Layer):
            if any(self is inner for inner in modules_in(layer)):
                raise UserError(
                    "a model cannot be a layer of itself",
                    self.name or "sequential",
                    "add another one: models.clone_model(model)",
                )
            if any(layer is other for other in self._layers):
                raise UserError(
                    "the same layer stands in a Sequential twice",
                    repr(layer),
                    "make a second one, or share it with Model(inputs, outputs)",
                )
            begins = not isinstance(layer, Model) and not self._layers
            if begins and layer.input_shape is not None:
                self._start = ((None, *shape_of(layer.input_shape)), layer.compute_dtype, None)
            self._layers.append(layer)
        else:
            raise UserError(f"{shown(layer)} is not a layer", mend="add a layer such as Dense(8)")
        if rebuild:
            self._maybe_build()

    def pop(self) -> None:
        """Take the last layer away."""
        if not self._layers:
            raise UserError(
                "there is no layer to take away", self.name or "sequential", "add one first"
            )
        self._layers.pop()
        self._maybe_build()

    def _maybe_build(self) -> None:
        for layer in self._layers:
            layer._drawn = None  # the drawing begins anew
        if self._start is not None and self._layers:
            self.build(self._start[0])

    def build(self, input_shape: Any = None) -> None:
        """Make all arrays for inputs of this shape (batch axis first)."""
        if not self._layers:
            raise UserError("a Sequential without layers", self.name or "sequential", "add some")
        if input_shape is None:
            if self._start is None:
                raise UserError("the input shape is not known", mend="begin with Input(shape)")
            input_shape = self._start[0]
        dtype, name = self._start[1:] if self._start else (self.compute_dtype, None)
        self._build_on(placeholder(tuple(input_shape), dtype, name))

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is not None:
            set_mask(inputs, mask)
        for layer in self._layers:
            inputs = layer(inputs)
        return inputs

    def _check_shape(self, x: Any) -> None:
        if isinstance(x, (dict, list, tuple)):
            raise UserError(
                f"the model has one input, a {type(x).__name__} of inputs was given",
                self.name or "sequential",
                "give the array itself, or draw the model with Model(inputs, outputs)",
            )
        super()._check_shape(x)

    @property
    def output_names(self) -> list[str]:
        """The name of the last layer."""
        return [self._layers[-1].name or "output"] if self._layers else ["output"]

    def get_config(self) -> dict[str, Any]:
        """List the layers as plain data."""
        start = self._start or (
            None if self._input_symbols is None
            else (self._input_symbols.shape, str(self._input_symbols.dtype), None)
        )  # fmt: skip
        return {
            "name": self.name,
            "trainable": self.trainable,
            "input": None if start is None else [list(start[0]), start[1], start[2]],
            "layers": [serialize(layer) for layer in self._layers],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Sequential:
        """Make a model from what `get_config` gave."""
        model = cls(name=config.get("name"), trainable=config.get("trainable", True))
        if config.get("input"):
            shape, dtype, name = config["input"]
            model._start = (tuple(shape), dtype, name)
        for layer in config["layers"]:
            model.add(registry.get(layer), rebuild=False)
        model._maybe_build()
        return model
