"""Models: layers put together, and Keras's face for training them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import field
from typing import Any, ClassVar

import numpy as np

from trasluz import optimizers
from trasluz.autodiff import backend, random
from trasluz.base.arguments import Checked, checks_arguments
from trasluz.base.tree import leaves, tree_map
from trasluz.data.arrays import Arrays
from trasluz.data.streams import is_stream
from trasluz.errors import MISFITS, UserError, is_misfit, shown, unknown, visible
from trasluz.layers.base import Layer
from trasluz.models import intake
from trasluz.models.building import drawn_on_examples, redrawn, require_parts
from trasluz.models.faces import Face
from trasluz.models.recording import is_plain, predicted
from trasluz.models.summary import summary
from trasluz.saving.models import load_weights, save_model, save_weights
from trasluz.state.binding import Structure
from trasluz.state.context import Context
from trasluz.state.module import assign_paths, set_aside
from trasluz.state.registry import overrides, serialize
from trasluz.state.symbolic import (
    SymbolicTensor,
    is_drawn,
    limits_of,
    placeholder,
    rows_of,
    shapes_of,
)  # fmt: skip
from trasluz.training.objective import Objective, State
from trasluz.training.step import NO_KEY

ENGINES = backend.CHOICES  # by a name that programs of the first version know


class Model(Layer):
    """Layers put together, trainable on data.

    Three ways to make one: `Sequential([...])`; `Model(inputs, outputs)` from symbolic tensors
    that layers were called on; a subclass that keeps layers in attributes and writes `call`.
    """

    # Longer than a class should be: it is Keras's face, a method for each that programs know, with
    # Keras's arguments and what they mean. What the methods do stands elsewhere.

    _apart: ClassVar[tuple[str, ...]] = (
        "_compiled_with", "_programs", "_slots", "_known_structure", "_single", "history",
        "stop_training", "_tracked",
    )  # fmt: skip

    _functional: ClassVar[Any]  # of models that are drawn; it says so itself

    optimizer: Any = field(default=None, init=False)
    stop_training: bool = field(default=False, init=False)
    history: Any = field(default=None, init=False)
    _objective: Objective | None = field(default=None, init=False)
    _compiled_with: dict[str, Any] = field(default_factory=dict, init=False)
    _programs: dict[Any, Callable[..., Any]] = field(default_factory=dict, init=False)
    _engine: str = field(default="auto", init=False)
    _slots: State | None = field(default=None, init=False)
    _root: Any = field(default=None, init=False)
    _input_symbols: Any = field(default=None, init=False)
    _limits: tuple[int | None, ...] = field(default=(), init=False)
    _known_structure: Structure | None = field(default=None, init=False)
    _single: Any = field(default=None, init=False)
    _tracked: Any = field(default=None, init=False)  # in a step: its metrics of compile

    def __new__(cls, *args: Any, **kwargs: Any) -> Model:
        if cls is Model and (args or "inputs" in kwargs):
            return object.__new__(cls._functional)
        if not issubclass(cls, cls._functional) and is_drawn(args, kwargs):
            return object.__new__(cls._functional.taken_as_base_of(cls))
        return Checked.__new__(cls, *args, **kwargs)  # type: ignore[no-any-return]

    def __getstate__(self) -> dict[str, Any]:
        """Leave compiled steps out of copies: they are made again when they are needed."""
        return {**self.__dict__, "_programs": {}, "_known_structure": None, "_single": None}

    def _structure(self) -> Structure:
        """Give what is found in walking the model; it walks again where something changed."""
        if self._known_structure is None or not self._known_structure.holds():
            self.__dict__["_known_structure"] = Structure(self)
        return self.__dict__["_known_structure"]

    # ---------------------------------------------------------------------------------- building

    def build(self, input_shape: Any) -> None:
        """Make all arrays, by running symbolic tensors of this shape through the layers."""
        shapes = input_shape if isinstance(input_shape, list) else [input_shape]
        tensors = [placeholder(tuple(shape), self.compute_dtype) for shape in shapes]
        self._build_on(tensors if isinstance(input_shape, list) else tensors[0])

    def _build_on(self, tensors: Any) -> None:
        self._input_symbols = tensors
        assign_paths(self, self._path)
        try:
            outputs = self.call(tensors)
        except MISFITS as error:  # what asks how many rows there are needs some
            if not is_misfit(error):
                raise
            outputs = drawn_on_examples(self, tensors)
        if not leaves(outputs) or not all(isinstance(t, SymbolicTensor) for t in leaves(outputs)):
            raise UserError(
                f"its call gives {shown(outputs)}",
                self.name or type(self).__name__,
                "let it return what the layers compute from the inputs",
            )
        self._drawn = (tensors, outputs)
        self._limits = limits_of(tensors, outputs)
        self._output_shape = shapes_of(outputs)
        assign_paths(self, self._path)
        self.built = True

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Leave it to the layers: outputs have the masks that they gave them."""
        return None

    def _require_built(self, x: Any) -> None:
        """Build for data whose shapes are seen now for the first time."""
        if not (self.built or self._computes) and overrides(self, "train_step"):
            self._require_parts()
        elif not self.built:
            shapes = shapes_of(x, rows_of)
            if isinstance(shapes, dict):
                with Context():
                    self._build_on(
                        {k: placeholder(s, self.compute_dtype) for k, s in shapes.items()}
                    )
            else:
                self.build(shapes)

    def _require_parts(self) -> None:
        require_parts(self)

    def index_limits(self, *inputs: Any, **options: Any) -> tuple[int | None, ...]:
        return self._limits

    @property
    def inputs(self) -> list[SymbolicTensor]:
        """The symbolic tensors it starts from, as a list."""
        return leaves(self.input)

    @property
    def outputs(self) -> list[SymbolicTensor]:
        """The symbolic tensors it leads to, as a list."""
        return leaves(self.output)

    @property
    def layers(self) -> list[Layer]:
        """The layers directly below, in order."""
        seen: dict[int, Layer] = {}
        for child in self.children():
            if isinstance(child, Layer):
                seen.setdefault(id(child), child)
        return list(seen.values())

    @checks_arguments()
    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Give a layer by name or index.

        Raises:
            UserError: if there is none.
        """
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise UserError(
                    f"there is no layer {index}, the model has {len(layers)}",
                    self.name or "get_layer",
                    "count from 0, or from the end with -1",
                )
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise unknown("layer", name, [layer.name or "" for layer in layers])

    @property  # type: ignore[misc]
    def input_shape(self) -> Any:  # type: ignore[override]
        """The shape of the input, batch axis first, once it is known."""
        if self._input_symbols is None:
            return None
        return shapes_of(self._input_symbols)

    @input_shape.setter
    def input_shape(self, value: Any) -> None:
        if value is not None:
            raise UserError("a model takes its input shape from its first layer", mend="use Input")

    @property
    def output_names(self) -> list[str]:
        """One name an output."""
        shapes = self._output_shape
        n = len(shapes) if isinstance(shapes, list) else 1
        if isinstance(shapes, dict):
            return list(shapes)
        return ["output"] if n == 1 else [f"output_{i + 1}" for i in range(n)]

    def get_config(self) -> dict[str, Any]:
        """List what the constructor was given, as plain data."""
        full = super().get_config()
        full.pop("input_shape", None)
        return full

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make a model from what `get_config` gave; `Model` itself reads those of drawn models."""
        return (
            super().from_config(config) if cls is not Model else cls._functional.from_config(config)
        )

    # --------------------------------------------------------------------------------- compiling

    @checks_arguments()
    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        jit_compile: bool | str = "auto",
        engine: str = "auto",
    ) -> None:
        """Say how to train: optimizer, loss and what to report.

        Args:
            optimizer: name or object.
            loss: name, object or function `(y_true, y_pred)`; for several outputs a list, or a
                dict by output name.
            loss_weights: how much each output's loss counts.
            metrics: names or objects; for several outputs lists, or dicts.
            weighted_metrics: likewise; these see the sample weights.
            run_eagerly: the same as `engine="numpy"`.
            jit_compile: `True` is the same as `engine="xla"`.
            engine: "numpy", "xla", or "auto": NumPy at once; where there is much to do and jax is
                installed, XLA takes over once it is compiled, always before the same step.

        Raises:
            UserError: for a name that is not known; the nearest is suggested.
        """
        if engine not in backend.CHOICES:
            raise unknown("engine", engine, backend.CHOICES)
        self._compiled_with = {
            "optimizer": optimizer,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
        }
        self.optimizer = optimizers.get(optimizer)
        self._engine = "numpy" if run_eagerly else "xla" if jit_compile is True else engine
        self._slots, self._objective = None, None
        self._programs = {}
        self._root = random.next_key() if self._root is None else self._root
        if self.built:
            self._require_objective()
        else:  # names are checks_arguments now, even if the outputs are not known yet
            Objective(_names_in(loss), loss, loss_weights, metrics, weighted_metrics)

    @property
    def compiled(self) -> bool:
        """Whether compile was called."""
        return self.optimizer is not None

    def _require_objective(self) -> Objective:
        """Give what it is compiled for, once its outputs are known."""
        if self.optimizer is None:
            raise UserError(
                "the model has no optimizer and loss yet", mend="call model.compile(...) first"
            )
        if self._objective is None:
            how = {k: v for k, v in self._compiled_with.items() if k != "optimizer"}
            self._objective = Objective(
                self.output_names,
                how["loss"],
                how["loss_weights"],
                how["metrics"],
                how["weighted_metrics"],
            )
        return self._objective

    @property
    def _computes(self) -> bool:
        """Whether there is a call: a model whose steps its user wrote can do without."""
        return type(self).call is not Layer.call

    @property
    def metrics(self) -> list[Any]:
        """The metrics that are reported, the loss first, once they are known.

        In a step of your own they are those of the step. A subclass may list its own: those are
        reset when an epoch begins.
        """
        trackers = self._objective.trackers if self._objective else None
        tracked = self._tracked or (trackers.tracked if trackers else [])
        return [*tracked, *(m for m in set_aside(self) if all(m is not t for t in tracked))]

    @property
    def metrics_names(self) -> list[str]:
        """The names of the metrics."""
        return [m.name for m in self.metrics]

    # ---------------------------------------------------------------------------------- training

    @checks_arguments(
        "class_weight", "epochs", "initial_epoch", "steps_per_epoch", "validation_freq",
        "validation_split", "validation_steps",
    )  # fmt: skip
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = 32,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
        engine: str | None = None,
        devices: Any = None,
    ) -> Any:
        """Train for a number of epochs.

        Args:
            x: inputs (array, frame, list or dict of them), or an iterable of batches.
            y: targets.
            batch_size: rows a step; `None` takes all rows at once (gradient descent), 1 is pure
                stochastic gradient descent. Keras reads `None` as 32.
            epochs: where to stop counting epochs.
            verbose: 0 silent, 1 a bar, 2 a line an epoch; "auto" is 1.
            callbacks: what happens between steps.
            validation_split: the part at the end of the rows to measure on.
            validation_data: `(x, y)` or `(x, y, weights)` to measure on, or an iterable of batches.
            shuffle: whether each epoch takes the rows in another order.
            class_weight: weight of each class in the loss.
            sample_weight: weight of each row in the loss.
            initial_epoch: where to start counting epochs.
            steps_per_epoch: batches an epoch, for an iterable that does not end.
            validation_steps: likewise.
            validation_batch_size: rows a step in measuring.
            validation_freq: how many epochs lie between two measurements.
            engine: overrides that of compile.
            devices: "all", how many, or a list of numbers: splits each batch among several
                devices, and those of several processes (`trasluz.distribution`).

        Returns:
            The `History` callback: `history.history["loss"]` and so on.

        Raises:
            UserError: if data, shapes or names do not fit.
            NonFiniteError: if a loss or weight stops being finite; the last good weights are kept.
            LostProcess: if one of several processes that train together is gone.
        """
        from trasluz.training.run import Run  # here for a light start

        intake.check_counts(0, epochs=epochs, initial_epoch=initial_epoch)
        intake.check_counts(1, validation_freq=validation_freq)
        intake.check_steps(steps_per_epoch=steps_per_epoch, validation_steps=validation_steps)
        run = Run(self, engine, devices)
        split = 0.0 if validation_data is not None and not is_stream(x, y) else validation_split
        data, aside = intake.to_train_on(
            self, x, y, sample_weight, class_weight, steps_per_epoch, split
        )
        held_out = intake.to_measure_on(self, aside or validation_data, validation_steps)
        if isinstance(held_out, Arrays):
            held_out = held_out.first(validation_steps, validation_batch_size or batch_size)
        return run.fit(
            data,
            held_out,
            batch_size=batch_size,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            shuffle=shuffle,
            initial_epoch=initial_epoch,
            validation_batch_size=validation_batch_size,
            validation_freq=validation_freq,
            steps_per_epoch=steps_per_epoch,
        )

    def _dtype(self) -> str:
        return intake.floating_type(self)

    def _check_shape(self, x: Any) -> None:
        if self._input_symbols is not None and not redrawn(self, x):
            intake.check_shape(self._input_symbols, x, self.name or "")

    def _check_choices(self, x: Any) -> None:
        """Raise if numbers that choose from a table, as words do, choose what is not there."""
        for symbol, limit, numbers in zip(
            leaves(self._input_symbols), self._limits, leaves(x), strict=False
        ):
            if limit is not None and isinstance(numbers, np.ndarray):
                backend.check_indices(numbers, limit, symbol.name or self.name or "input")

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Make one training step on a batch: the loss and metrics of it."""
        _check_wish(return_dict)
        data = intake.with_targets(self, x, y, sample_weight)
        if class_weight is not None:
            data.weigh(class_weight, intake.floating_type(self))
        logs = self._single_steps().train(data)
        return _given(logs, return_dict)

    def _single_steps(self) -> Any:
        """Give what takes steps on single batches: the same one as long as the structure stays."""
        from trasluz.training.single import SingleSteps  # here for a light start

        structure = self._structure()
        if self._single is None or self._single[0] is not structure:
            self.__dict__["_single"] = (structure, SingleSteps(self))
        return self._single[1]

    @checks_arguments("steps")
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = 32,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        devices: Any = None,
    ) -> Any:
        """Measure loss and metrics on data; `devices` as in `fit`.

        Returns:
            A list of numbers in the order of `metrics_names` (the loss alone, if it is alone), or
            a dict with `return_dict`.
        """
        from trasluz.training.measure import evaluate  # here for a light start

        intake.check_steps(steps=steps)
        data = (
            intake.stream(self, x, steps)
            if is_stream(x, y)
            else intake.with_targets(self, x, y, sample_weight).first(steps, batch_size)
        )
        logs = evaluate(self, data, batch_size, callbacks, verbose, devices)
        return _given(logs, return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Measure loss and metrics on one batch."""
        _check_wish(return_dict)
        logs = self._single_steps().measure(intake.with_targets(self, x, y, sample_weight))
        return _given(logs, return_dict)

    def predict(
        self,
        x: Any,
        batch_size: int | None = 32,
        verbose: Any = 0,
        steps: int | None = None,
        callbacks: Any = None,
        devices: Any = None,
    ) -> Any:
        """Compute the outputs for data, batch by batch.

        Args:
            x: inputs, or an iterable of batches.
            batch_size: rows a step; `None` takes all at once.
            verbose: 1 shows progress; unlike Keras's, it is silent unless asked.
            steps: how many batches an endless iterable gives.
            callbacks: what happens between steps.
            devices: splits each batch among several devices, as in `fit`.

        Raises:
            UserError: if the data's shape does not fit; both shapes are said.
        """
        intake.check_steps(steps=steps)
        silent = isinstance(verbose, (int, np.integer)) and not verbose
        none = callbacks is None or (isinstance(callbacks, (list, tuple)) and not callbacks)
        if silent and none and steps is devices is None and is_plain(self, x, batch_size):
            outputs = predicted(self, x, batch_size)
            if outputs is not None:
                return outputs
        from trasluz.training.measure import predict  # here for a light start

        if is_stream(x, None):
            if getattr(x, "shuffle", False) is True:
                raise UserError(
                    "the batches come shuffled, so predictions would not belong to rows",
                    "predict",
                    "give a stream with shuffle=False",
                )
            data: Any = intake.stream(self, x, steps)
        else:
            data = intake.arrays(self, x, None).first(steps, batch_size)
        return predict(self, data, batch_size, callbacks, verbose, devices)

    def _by_layers(self, x: Any) -> Any:
        """Compute the outputs for a batch by twins of the layers: nothing of the model moves."""
        with Context(False, NO_KEY):
            return tree_map(np.array, self._structure().binding.twins({})[0](x))

    def predict_on_batch(self, x: Any) -> Any:
        """Compute the outputs for one batch."""
        return self.predict(x, None)

    # What steps are made of, for a subclass to write in its own way; see docs/own-steps.md.
    train_step = Face("trasluz.training.pieces:train_step")
    test_step = Face("trasluz.training.pieces:test_step")
    predict_step = Face("trasluz.training.pieces:predict_step")
    compute_loss = Face("trasluz.training.pieces:compute_loss")
    compute_metrics = Face("trasluz.training.pieces:compute_metrics")
    get_metrics_result = Face("trasluz.training.pieces:get_metrics_result")
    reset_metrics = Face("trasluz.training.pieces:reset_metrics")

    stateless_call = Face("trasluz.training.pieces:stateless_call")

    # ----------------------------------------------------------------------------------- looking

    @checks_arguments()
    def summary(
        self,
        line_length: int | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
    ) -> None:
        """Print layers, output shapes, parameters and memory."""
        (print_fn or print)(visible(summary(self, line_length, expand_nested)))

    explain = Face("trasluz.explain.asking:explain")
    check_gradients = Face("trasluz.explain.asking:check_gradients")

    # ------------------------------------------------------------------------------------- files

    def save(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the model to one file: weights, config, how it was compiled, optimizer state."""
        save_model(self, filepath, overwrite=overwrite)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the weights alone."""
        save_weights(self, filepath, overwrite=overwrite)

    def load_weights(self, filepath: Any) -> None:
        """Read weights that `save_weights` or `save` wrote."""
        load_weights(self, filepath)

    def to_json(self, **how: Any) -> str:
        """Write the architecture as JSON."""
        return json.dumps(serialize(self), **how)


def _names_in(loss: Any) -> list[str]:
    """Guess outputs' names before the outputs are known, to check what was given."""
    if isinstance(loss, dict) and "class_name" not in loss:
        return list(loss)
    if isinstance(loss, (list, tuple)):
        return [f"output_{i + 1}" for i in range(len(loss))]
    return ["output"]


def _check_wish(as_dict: Any) -> None:
    """Make sure that it is said whether logs are wanted by name, before anything is done."""
    if not isinstance(as_dict, (bool, int, np.bool_)):
        raise UserError(f"return_dict is {shown(as_dict)}", mend="give True or False")


def _given(logs: dict[str, Any], as_dict: bool) -> Any:
    """Give logs as programs expect them: the numbers, the one number, or all by name."""
    if as_dict:
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values
