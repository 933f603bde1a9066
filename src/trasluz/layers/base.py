"""The base of all layers: fields are hyper-parameters, `build` declares arrays, `call` computes."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, dataclass_transform

import numpy as np

from trasluz import config, constraints, initializers, regularizers
from trasluz.autodiff import random
from trasluz.autodiff.tape import Box, Held, Traced, held, note, released, scope, where
from trasluz.base.naming import snake
from trasluz.base.tree import leaves, tree_map
from trasluz.errors import MISFITS, UserError, is_misfit, misfit, shown, unknown
from trasluz.layers.added import check_may_build, keep_losses, losses_of
from trasluz.layers.calling import first_of, hand_on, take_masks
from trasluz.state.binding import read, write
from trasluz.state.context import Context, current, opened
from trasluz.state.masks import are_masks, keep_masks, mask_of, set_mask
from trasluz.state.module import (
    Module,
    Param,
    Variable,
    assign_paths,
    own_things,
)
from trasluz.state.registry import (
    Configurable,
    Registry,
    custom_object_scope,
    plain,
    take_fields,
)
from trasluz.state.symbolic import (
    apply,
    drawing,
    example,
    is_symbolic,
    placeholder,
    rows_of,
    shapes_of,
)

registry = Registry("layer", "trasluz.layers", "trasluz.models")


@dataclass_transform(eq_default=False, field_specifiers=(field,))
@dataclass(eq=False, repr=False)
class Layer(Module, Configurable):
    """A piece of a network.

    A subclass lists its hyper-parameters as fields, declares arrays in `build(input_shape)` and
    computes in `call(inputs)` with operators and `trasluz.ops`:

        class Scale(Layer):
            start: float = 1.0

            def build(self, input_shape):
                self.factor = Param((input_shape[-1],), initializers.Constant(self.start))

            def call(self, x):
                return x * self.factor

    Args:
        name: unique among its siblings; given by the model if it is not given here.
        trainable: whether training moves the arrays.
        dtype: "float32", "float64" or "mixed_bfloat16"; `config.dtype_policy()` if it is not given.
        input_shape: the shape of one input, without the batch axis (first layer of a Sequential).
        activity_regularizer: adds a penalty on the layer's output to the loss.
    """

    name: str | None = field(default=None, kw_only=True)
    trainable: bool = field(default=True, kw_only=True)
    dtype: str | None = field(default_factory=config.given_policy, kw_only=True)
    input_shape: Any = field(default=None, kw_only=True)
    activity_regularizer: Any = field(default=None, kw_only=True)

    # Whether masks of inputs go with outputs; a layer that has a `compute_mask` says so by it.
    supports_masking = False

    built: bool = field(default=False, init=False)
    _output_shape: Any = field(default=None, init=False)
    _drawn: Any = field(default=None, init=False)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if "build" in cls.__dict__:
            cls.build = _drawing(cls.build)  # type: ignore[method-assign]
        if "compute_mask" in cls.__dict__ and "supports_masking" not in cls.__dict__:
            cls.supports_masking = True
        super().__init_subclass__(**kwargs)
        take_fields(cls, Layer, spelled=False)
        if cls.__module__.startswith("trasluz."):
            registry.add(cls, *([cls.__name__] if cls.__name__[0] != "_" else []))

    def build(self, input_shape: Any) -> None:
        """Declare the layer's arrays for inputs of this shape (batch axis first, `None`)."""

    def call(self, inputs: Any) -> Any:
        """Compute the layer; `training` and `mask` are handed in if they are in the signature.

        A mask is that of the inputs; where there are several inputs, `query_mask` is that of
        `query`. What is given is left as it is.
        """
        raise UserError(
            f"{type(self).__name__} has no call method",
            where(),
            "write call(self, inputs); a model with a train_step of its own needs one, or a "
            "test_step, to evaluate and to validate, and one, or a predict_step, to predict",
        )

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Say which steps of the output count, from the mask of the first input: the same ones.

        Args:
            inputs: the first input.
            previous_mask: its mask, `(batch, time)`; a list for a list of inputs, `None` for none.
        """
        return previous_mask

    def __call__(self, *inputs: Any, training: bool | None = None, **options: Any) -> Any:
        if not inputs:
            inputs = (first_of(self, options),)
        if not isinstance(inputs[0], _NUMBERS):
            if is_symbolic((inputs, options)):
                return self._draw_call(inputs, training, options)
            if Held in map(type, leaves((inputs, options))):
                return held(self(*released(inputs), training=training, **released(options)))
        context = current()
        if context is None:
            usual = _usual_training(type(self))  # type: ignore[arg-type]
            context = Context(bool(usual if training is None else training))
            return self._run_alone(context, inputs, options)
        if training is not None and bool(training) != context.training:
            context = context.again(bool(training))
        else:
            return self._run(context, inputs, options)
        with context:
            outputs = self._run(context, inputs, options)
        keep_masks(outputs, context)
        return outputs

    def _run_alone(self, context: Context, inputs: Any, options: dict[str, Any]) -> Any:
        """Compute outside of any step: tapes that are open watch, added losses stay to be read."""
        if not self.built:
            assign_paths(self, self._path)
        for tape in opened():
            tape.take_in(self)
        with context:
            outputs = self._run(
                context, tree_map(functools.partial(_as_array, self.compute_dtype), inputs), options
            )
        keep_losses(self, context)
        keep_masks(outputs, context)
        return outputs

    def _run(self, context: Context, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
        with scope(self.name or snake(type(self).__name__)):
            if not self.built:
                self._build_for(inputs)
            if _usual_training(type(self)) is not None:  # type: ignore[arg-type]
                options["training"] = context.training
            mask = options.get("mask")
            if are_masks(context):
                mask = take_masks(self, inputs, options)
            try:
                outputs = self.call(*inputs, **options)
            except RecursionError:
                raise UserError(
                    "the layer calls itself without end, or layers lie in layers too deep",
                    self.name or snake(type(self).__name__),
                    "let no layer call itself, or one that calls it",
                ) from None
            except MISFITS as error:
                if not is_misfit(error) or self._of_ones_own("call", error, inputs):
                    raise
                raise self._misfit(error, "call", inputs) from error
            for output in outputs if isinstance(outputs, (tuple, list)) else (outputs,):
                note(output, "output")
            if self.activity_regularizer is not None:
                self._penalise(outputs, context)
            if mask is not None or type(self).compute_mask is not Layer.compute_mask:
                hand_on(self, inputs[0], outputs, mask)
            return outputs

    def _of_ones_own(self, method: str, error: Exception, inputs: Any) -> bool:
        """Tell a layer of the user's own, whose errors pass as they are, with a note on where."""
        if type(self).__module__.startswith("trasluz."):
            return False
        error.add_note(f"in the {method} of the layer {self._told(inputs)}")
        return True

    def _misfit(self, error: Exception, method: str, inputs: Any) -> Exception:
        """Say which layer does not take its inputs, and what they are."""
        return misfit(
            error,
            f"its {method} does not go with {self._told(inputs).partition(', ')[2]}",
            self.name or snake(type(self).__name__),
            f"look what {type(self).__name__} takes, and what comes from the layers before",
        )

    def _told(self, inputs: Any) -> str:
        shapes = shapes_of(inputs, lambda x: getattr(x, "shape", type(x).__name__))
        shapes = shapes[0] if isinstance(shapes, list) and len(shapes) == 1 else shapes
        name = self.name or snake(type(self).__name__)
        return f"{name!r}, inputs of shape {shown(shapes)}"

    def _draw_call(self, inputs: Any, training: bool | None, options: dict[str, Any]) -> Any:
        if training is not None:
            options = {**options, "training": training}
        if not self.built:
            assign_paths(self, self._path)
        before = read(self)
        if not self.built:
            quiet = {k: v for k, v in options.items() if k != "training"}
            with drawing():
                self(*example(inputs, 0), **example(quiet, 0))
            after = read(self)  # what is built may have taken up another place
            before = {**after, **{path: a for path, a in before.items() if path in after}}
        outputs = apply(self, inputs, options)
        write(self, before)  # examples are not data: what they moved goes back
        if self._drawn is None:
            self._drawn = (inputs[0] if len(inputs) == 1 else list(inputs), outputs)
        self._output_shape = shapes_of(outputs)
        for tensor in leaves(outputs):
            tensor.name = tensor.name or self.name
        return outputs

    def _build_for(self, inputs: tuple[Any, ...]) -> None:
        check_may_build(self.name or snake(type(self).__name__))
        try:
            shapes = shapes_of(inputs, rows_of)
            self.build(shapes[0] if len(inputs) == 1 else shapes)
            for tape in opened():
                tape.take_in(self)
        except MISFITS as error:
            if not is_misfit(error) or self._of_ones_own("build", error, inputs):
                raise
            raise self._misfit(error, "build", inputs) from error
        self.built = True

    def _penalise(self, outputs: Any, context: Context) -> None:
        penalty = regularizers.get(self.activity_regularizer)
        for y in leaves(outputs):
            try:
                context.add(self, penalty(y) / y.shape[0])
            except MISFITS as error:
                if not is_misfit(error):
                    raise
                raise self._misfit(error, "activity_regularizer", outputs) from error

    @property
    def compute_dtype(self) -> str:
        """The floating type the layer's arrays are made in.

        Raises:
            UserError: the dtype that was given is not a floating type.
        """
        if "dtype" not in self.__dict__:
            raise UserError(
                "its __init__ has not called super().__init__()",
                type(self).__name__,
                "let __init__ begin with super().__init__(**kwargs)",
            )
        dtype = self.dtype or config.floatx()
        name = getattr(dtype, "__name__", str(dtype))
        if name not in config.POLICIES:
            raise unknown("floating type", name, config.POLICIES)
        return config.POLICIES[name]

    @property
    def precision(self) -> str | None:
        """What the layer's matrix products round their factors to; `None` for not at all."""
        return "bfloat16" if self.dtype == "mixed_bfloat16" else None

    def key(self, seed: int | None = None) -> Any:
        """Give the random key of this layer in the step that is running."""
        context = current()
        if context is None:
            context = Context()
        return context.key_for(self.path, seed)

    def param(self, name: str, shape: tuple[int, ...]) -> Any:
        """Declare an array that training moves, as the layer's own fields say.

        The fields `<name>_initializer`, `<name>_regularizer` and `<name>_constraint` are looked up:
        `self.kernel = self.param("kernel", (d, self.units))`.
        """
        return Param(
            shape,
            initializers.get(getattr(self, f"{name}_initializer")),
            regularizer=regularizers.get(getattr(self, f"{name}_regularizer")),
            constraint=constraints.get(getattr(self, f"{name}_constraint")),
        )

    def add_weight(
        self,
        shape: tuple[int, ...] | None = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Make an array, Keras's way: `self.w = self.add_weight(shape=(3, 2))`.

        In computations it stands for its array; `self.w.assign(...)` replaces that.
        """
        return Variable(
            initializers.get(initializer or "glorot_uniform"),
            shape or (),
            dtype or self.compute_dtype,
            trainable,
            name,
            regularizers.get(regularizer),
            constraints.get(constraint),
        )

    def add_loss(self, loss: Any) -> None:
        """Add a term, or several, to the loss of the step that is running."""
        context = current()
        if context is not None:
            for term in leaves(loss):
                context.add(self, term)

    def index_limits(self, *inputs: Any, **options: Any) -> tuple[int | None, ...]:
        """Tell how many numbers, from 0 on, each input of a call chooses from; () if it is any."""
        return ()

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Tell the shape of the output by running zeros through the layer.

        >>> from trasluz.layers import Dense
        >>> Dense(5).compute_output_shape((None, 3))
        (None, 5)
        """
        twin = twin_of(self)
        several = isinstance(input_shape, list)
        inputs = (
            [placeholder(tuple(s)) for s in input_shape]
            if several
            else placeholder(tuple(input_shape))
        )
        return shapes_of(twin(inputs))

    @property
    def losses(self) -> list[Any]:
        """What is added to the loss: by the last call, and by the arrays' regularizers now."""
        return losses_of(self)

    @property
    def input(self) -> Any:
        """The symbolic tensors that the layer was first called on."""
        return self._first_call()[0]

    @property
    def output(self) -> Any:
        """What the layer gave when it was first called on symbolic tensors."""
        return self._first_call()[1]

    def _first_call(self) -> Any:
        if self._drawn is None:
            raise UserError(
                "the layer has not been called on symbolic tensors",
                self.name or snake(type(self).__name__),
                "put it into a model that begins with Input(shape)",
            )
        return self._drawn

    @property
    def output_shape(self) -> Any:
        """The shape of the output, once the layer has been called on a symbolic tensor."""
        return self._output_shape

    def count_params(self) -> int:
        """How many numbers the arrays hold.

        Raises:
            UserError: if the layer has not seen an input yet.
        """
        if not self.built:
            raise UserError(
                "the layer has no arrays yet, its input shape is not known",
                self.name or snake(type(self).__name__),
                "call it on data, or build(input_shape)",
            )
        return super().count_params()

    def get_config(self) -> dict[str, Any]:
        """List the constructor's arguments as plain data.

        A constructor of your own is taken to keep its arguments in attributes of their names.
        """
        full = super().get_config()
        optional = {f.name for f in dataclasses.fields(Layer)} - {"name", "trainable"}
        config = {k: v for k, v in full.items() if not (k in optional and v is None)}
        parameters = inspect.signature(type(self)).parameters
        for name in arguments_of(type(self)):
            if name not in full and hasattr(self, name):
                config[name] = plain(getattr(self, name))
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return config
        return {k: v for k, v in config.items() if k in parameters}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make a layer from what `get_config` gave; layers within it too."""
        return super().from_config({name: _again(value) for name, value in config.items()})

    def __repr__(self) -> str:
        shown = [
            f"{f.name}={getattr(self, f.name)!r}"
            for f in dataclasses.fields(self)
            if f.init and not _same(getattr(self, f.name), _usual(f))
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


def twin_of(layer: Any, **changes: Any) -> Any:
    """Make a layer of the same kind that is not built yet, with some arguments changed."""
    with custom_object_scope(own_things(layer)):
        return type(layer).from_config({**layer.get_config(), **changes})


def _usual(f: dataclasses.Field[Any]) -> Any:
    """Give what a field is if nobody says otherwise: None where a policy says it."""
    return f.default if f.default_factory is dataclasses.MISSING else None


_NUMBERS = (Box, np.ndarray)  # what a running step hands over: no need to look any further


def _again(value: Any) -> Any:
    """Make the layers that are written down in a value."""
    if isinstance(value, list):
        return [_again(one) for one in value]
    written = isinstance(value, dict) and value.keys() == {"class_name", "config"}
    return registry.get(value) if written and value["class_name"] in registry.known else value


def _drawing(build: Callable[..., None]) -> Callable[..., None]:
    """Make a `build` that turns what it declares into arrays when it ends."""

    @functools.wraps(build)
    def whole(self: Layer, *shapes: Any, **named: Any) -> None:
        context = current()
        if context is None:
            with Context():
                assign_paths(self, self._path)
                return whole(self, *shapes, **named)
        build(self, *(shapes if shapes or named else (None,)), **named)
        root = random.next_key() if context.root is None else context.root
        context.root = root
        assign_paths(self, self._path)
        self._draw(root, self.compute_dtype)
        self.built = True
        return None

    return whole


def arguments_of(kind: Any) -> list[str]:
    """Name the arguments of a class's constructor."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [p.name for p in inspect.signature(kind).parameters.values() if p.kind in named]


def _same(value: Any, default: Any) -> bool:
    return value is default or (not hasattr(value, "shape") and value == default)


def _as_array(dtype: str, x: Any) -> Any:
    """Take in what a person hands over: lists become arrays, floats the layer's dtype."""
    if isinstance(x, Traced) or (hasattr(x, "__array_namespace__") and not _is_numpy(x)):
        return x
    x = np.asarray(x)
    if x.dtype.kind != "f" or x.dtype == dtype:
        return x
    y = x.astype(dtype)
    set_mask(y, mask_of(x))
    return y


def _is_numpy(x: Any) -> bool:
    return isinstance(x, (np.ndarray, np.generic))


@functools.cache
def _usual_training(kind: Any) -> bool | None:
    """Say whether a layer called by itself is training, or `None` if its call does not ask."""
    asked = inspect.signature(kind.call).parameters.get("training")
    return None if asked is None else asked.default is True
