"""Models drawn by calling layers on symbolic tensors: any graph without cycles."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from trasluz.autodiff import ops
from trasluz.autodiff.tape import Primitive
from trasluz.base.arguments import number_type
from trasluz.base.naming import unique
from trasluz.base.tree import leaves, tree_map
from trasluz.errors import UserError
from trasluz.layers.base import Layer, registry
from trasluz.models.model import Model
from trasluz.state.masks import set_mask
from trasluz.state.module import assign_paths
from trasluz.state.registry import serialize
from trasluz.state.symbolic import Input, Node, SymbolicTensor, is_drawn, limits_of, shapes_of


class Ref:
    """Stands for a tensor in a plan: the number of a value."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number


class Functional(Model):
    """A model from its inputs to its outputs, made by `Model(inputs, outputs)`.

    The drawing is kept as a plan: calls in an order that works, of layers (by number) and rows,
    on numbered values. A plan is plain data, so it can be written into a file.

    >>> from trasluz.layers import Dense, Input
    >>> x = Input((3,))
    >>> model = Model(x, Dense(1)(Dense(4, activation="relu")(x)))
    >>> model.count_params()
    21
    """

    def __init__(
        self,
        inputs: Any = None,
        outputs: Any = None,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__(name=name, trainable=trainable)
        if isinstance(outputs, (list, tuple)) and len(outputs) == 1:
            outputs = outputs[0]  # one output is given bare
        if not leaves(inputs) or not leaves(outputs):
            raise UserError(
                "inputs or outputs are missing",
                name or "Model",
                "inputs come from Input(shape), outputs from layers called on them",
            )
        for tensor in leaves((inputs, outputs)):
            if not isinstance(tensor, SymbolicTensor):
                raise UserError(
                    f"{tensor!r} is not a symbolic tensor",
                    name or "Model",
                    "inputs come from Input(shape), outputs from layers called on them",
                )
        self._layers: list[Layer] = []
        self._plan: list[tuple[Any, Any, Any, Any]] = []
        self._draw_plan(inputs, outputs)
        self._finish_plan(inputs, outputs)

    @classmethod
    def taken_as_base_of(cls, kind: Any) -> Any:
        """Let a subclass of `Model` whose models turn out to be drawn derive from this class."""
        if kind is Model:
            return cls
        if issubclass(kind, Model) and not issubclass(kind, cls):
            if "__dataclass_fields__" in vars(kind):  # its constructor was made for it
                del kind.__init__
            kind.__bases__ = tuple(map(cls.taken_as_base_of, kind.__bases__))
        return kind

    def _draw_plan(self, inputs: Any, outputs: Any) -> None:
        numbers: dict[int, int] = {}

        def number(tensor: SymbolicTensor) -> Ref:
            return Ref(numbers.setdefault(id(tensor), len(numbers)))

        self._inputs = tree_map(number, inputs)
        known = {id(t) for t in leaves(inputs)}
        for node in _in_order(leaves(outputs), known):
            operation = node.operation
            if isinstance(operation, Layer):
                if all(operation is not layer for layer in self._layers):
                    self._layers.append(operation)
                operation = next(i for i, la in enumerate(self._layers) if la is operation)
            refer = lambda x: number(x) if isinstance(x, SymbolicTensor) else x  # noqa: E731
            args = tree_map(refer, node.args)
            kwargs = tree_map(refer, node.kwargs)
            self._plan.append((operation, args, kwargs, tree_map(number, node.outputs)))
        self._outputs = tree_map(number, outputs)

    def _finish_plan(self, inputs: Any, outputs: Any) -> None:
        taken = {t.name for t in leaves(inputs) if t.name}
        for tensor in leaves(inputs):
            tensor.name = tensor.name or unique("input_layer", taken)
        self._input_symbols = inputs
        self._drawn = (inputs, outputs)
        self._limits = limits_of(inputs, outputs)
        self._output_shape = shapes_of(outputs)
        for layer in self._layers:
            layer._path = ""
        assign_paths(self, self._path)
        names = [
            t.node.operation.name or "output"
            if t.node is not None and isinstance(t.node.operation, Layer)
            else t.name or "output"
            for t in leaves(outputs)
        ]
        again: set[str] = set()
        self._output_names = [unique(n, again) for n in names]
        self.built = True

    def build(self, input_shape: Any = None) -> None:
        """Nothing is left to build: layers were built when they were called."""

    @property
    def input_names(self) -> list[str]:
        """Their names."""
        return [t.name or "" for t in self.inputs]

    @property
    def output_names(self) -> list[str]:
        """One name an output: of the layer that makes it, or the key of a dict."""
        if isinstance(self._output_shape, dict):
            return list(self._output_shape)
        return self._output_names

    def call(self, inputs: Any, mask: Any = None) -> Any:
        values: dict[int, Any] = {}
        given = self._in_line(inputs)
        for ref, value in zip(leaves(self._inputs), given, strict=True):
            values[ref.number] = value
        masks = mask if isinstance(mask, (list, tuple)) else [mask]
        for value, own in zip(given, masks, strict=False):
            if own is not None:
                set_mask(value, own)
        fetch = lambda x: values[x.number] if isinstance(x, Ref) else x  # noqa: E731
        for operation, args, kwargs, outputs in self._plan:
            run = self._layers[operation] if isinstance(operation, int) else operation
            result = run(*tree_map(fetch, args), **tree_map(fetch, kwargs))
            for ref, value in zip(leaves(outputs), leaves(result), strict=True):
                values[ref.number] = value
        return tree_map(fetch, self._outputs)

    def _in_line(self, inputs: Any) -> list[Any]:
        """Put inputs in the model's order: a dict goes by name."""
        if isinstance(inputs, dict):
            own = self._inputs
            names = list(own) if isinstance(own, dict) else self.input_names
            missing = [n for n in names if n not in inputs]
            if missing:
                raise UserError(f"inputs are missing: {missing}", mend=f"give {names}")
            return [inputs[n] for n in names]
        given = leaves(inputs)
        if len(given) != len(leaves(self._inputs)):
            raise UserError(
                f"{len(given)} inputs were given, the model has {len(leaves(self._inputs))}",
                mend=f"give {self.input_names}",
            )
        return given

    def _check_shape(self, x: Any) -> None:
        super()._check_shape(self._in_line(x))

    def _check_choices(self, x: Any) -> None:
        super()._check_choices(self._in_line(x))

    # ------------------------------------------------------------------------------------- files

    def get_config(self) -> dict[str, Any]:
        """List layers and plan as plain data."""
        return {
            "name": self.name,
            "trainable": self.trainable,
            "layers": [serialize(layer) for layer in self._layers],
            "inputs": _encode(self._inputs),
            "input_tensors": [[list(t.shape), str(t.dtype), t.name] for t in self.inputs],
            "plan": [
                [op.name if isinstance(op, Primitive) else op, *map(_encode, rest)]
                for op, *rest in self._plan
            ],
            "outputs": _encode(self._outputs),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Functional:
        """Make a model from what `get_config` gave: the plan is played on symbolic tensors."""
        layers = [registry.get(layer) for layer in config["layers"]]
        inputs = _decode(config["inputs"])
        values: dict[int, Any] = {}
        tensors = [
            Input(batch_shape=tuple(s), dtype=d, name=n) for s, d, n in config["input_tensors"]
        ]
        for ref, tensor in zip(leaves(inputs), tensors, strict=True):
            values[ref.number] = tensor
        fetch = lambda x: values[x.number] if isinstance(x, Ref) else x  # noqa: E731
        for operation, args, kwargs, outputs in config["plan"]:
            run = layers[operation] if isinstance(operation, int) else ops.PRIMITIVES[operation]
            given, named = _decode(args), _decode(kwargs)
            result = run(*tree_map(fetch, given), **tree_map(fetch, named))
            for ref, value in zip(leaves(_decode(outputs)), leaves(result), strict=True):
                values[ref.number] = value
        outputs = tree_map(fetch, _decode(config["outputs"]))
        return cls(
            tree_map(fetch, inputs), outputs, config.get("name"), config.get("trainable", True)
        )


def _init(self: Model, *args: Any, **kwargs: Any) -> None:
    """Take what is drawn in a constructor of a subclass: `super().__init__(inputs, outputs)`."""
    if not is_drawn(args, kwargs):
        return _plain_init(self, *args, **kwargs)
    Functional.taken_as_base_of(type(self))
    Functional.__init__(self, *args, **kwargs)  # type: ignore[arg-type]
    return None


# Set here because both classes have to be there.
Model._functional = Functional  # what `Model(inputs, outputs)` makes
_plain_init, Model.__init__ = Model.__init__, functools.wraps(Model.__init__)(_init)  # type: ignore[assignment,method-assign]


def _in_order(outputs: list[SymbolicTensor], known: set[int]) -> list[Node]:
    """List the calls that lead to the outputs, each after those it needs."""
    order: list[Node] = []
    done: set[int] = set()
    stack: list[tuple[Any, bool]] = [(t, False) for t in reversed(outputs)]
    while stack:
        tensor, ready = stack.pop()
        if id(tensor) in known:
            continue
        node = tensor.node
        if node is None:
            raise UserError(
                f"an output depends on {tensor!r}, which is not among the inputs",
                "Model",
                "list every Input that is used in Model(inputs=…)",
            )
        if id(node) in done:
            continue
        if ready:
            done.add(id(node))
            order.append(node)
            continue
        stack.append((tensor, True))
        needed = [t for t in leaves((node.args, node.kwargs)) if isinstance(t, SymbolicTensor)]
        stack.extend((t, False) for t in reversed(needed))
    return order


def _encode(value: Any) -> Any:
    """Write a plan's arguments as plain data."""
    if isinstance(value, Ref):
        return {"ref": value.number}
    if isinstance(value, slice):
        return {"slice": [value.start, value.stop, value.step]}
    if isinstance(value, tuple):
        return {"tuple": [_encode(v) for v in value]}
    if isinstance(value, list):
        return [_encode(v) for v in value]
    if isinstance(value, dict):
        return {"dict": {k: _encode(v) for k, v in value.items()}}
    if value is Ellipsis:
        return {"ellipsis": True}
    if isinstance(value, np.dtype):
        return {"dtype": value.name}
    if isinstance(value, (np.ndarray, np.generic)):
        return {"array": value.tolist(), "dtype": value.dtype.name}
    return value


def _decode(value: Any) -> Any:
    """Read back what `_encode` wrote."""
    if isinstance(value, list):
        return [_decode(v) for v in value]
    if not isinstance(value, dict):
        return value
    if "ref" in value:
        return Ref(value["ref"])
    if "slice" in value:
        return slice(*value["slice"])
    if "tuple" in value:
        return tuple(_decode(v) for v in value["tuple"])
    if "dict" in value:
        return {k: _decode(v) for k, v in value["dict"].items()}
    if "array" in value:
        return np.asarray(value["array"], number_type(value["dtype"]))
    return number_type(value["dtype"]) if "dtype" in value else Ellipsis


__all__ = ["Functional"]
