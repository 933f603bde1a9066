"""Models: layers put together, and Keras's face for training them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import field
from typing import Any, ClassVar

import numpy as np

from trasluz import optimizers
from trasluz.autodiff import backend, random
from trasluz.base.tree import leaves, tree_map
from trasluz.data.arrays import Arrays
from trasluz.data.streams import Stream, is_stream
from trasluz.errors import UserError, unknown
from trasluz.layers.base import Layer
from trasluz.models.recording import recorded
from trasluz.state.binding import Walk
from trasluz.state.context import Context
from trasluz.state.holder import assign_paths, handles
from trasluz.state.symbolic import SymbolicTensor, rows_of, shapes_of, symbol
from trasluz.training.objective import Objective, State
from trasluz.training.step import NO_KEY

ENGINES = ("auto", *backend.ENGINES)
_SHAPES_KNOWN = 64  # of batches to predict


class Model(Layer):
    """Layers put together, trainable on data.

    Three ways to make one: `Sequential([...])`; `Model(inputs, outputs)` from symbolic tensors
    that layers were called on; a subclass that keeps layers in attributes and writes `call`.
    """

    _apart: ClassVar[tuple[str, ...]] = (
        "_compiled_with", "_programs", "_slots", "_walk", "_single", "history", "stop_training",
    )  # fmt: skip

    _functional: ClassVar[type[Model]]  # of models that are drawn; it says so itself

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
    _walk: Walk | None = field(default=None, init=False)
    _single: Any = field(default=None, init=False)

    def __new__(cls, *args: Any, **kwargs: Any) -> Model:
        if cls is Model and (args or "inputs" in kwargs):
            return object.__new__(cls._functional)
        return object.__new__(cls)

    def __getstate__(self) -> dict[str, Any]:
        """Leave compiled steps out of copies: they are made again when they are needed."""
        return {**self.__dict__, "_programs": {}, "_walk": None, "_single": None}

    def _walked(self) -> Walk:
        """Give what is found in walking the model; it walks again where something changed."""
        if self._walk is None or not self._walk.holds():
            self.__dict__["_walk"] = Walk(self)
        return self.__dict__["_walk"]

    # ---------------------------------------------------------------------------------- building

    def build(self, input_shape: Any) -> None:
        """Make all arrays, by running symbolic tensors of this shape through the layers."""
        shapes = input_shape if isinstance(input_shape, list) else [input_shape]
        tensors = [symbol(tuple(shape), self.compute_dtype) for shape in shapes]
        self._build_on(tensors if isinstance(input_shape, list) else tensors[0])

    def _build_on(self, tensors: Any) -> None:
        self._input_symbols = tensors
        assign_paths(self, self._path)
        outputs = self.call(tensors)
        self._drawn = (tensors, outputs)
        self._output_shape = shapes_of(outputs)
        assign_paths(self, self._path)
        self.built = True

    def _require_built(self, x: Any) -> None:
        """Build for data whose shapes are seen now for the first time."""
        if not self.built:
            shapes = shapes_of(x, rows_of)
            if isinstance(shapes, dict):
                with Context():
                    self._build_on({k: symbol(s, self.compute_dtype) for k, s in shapes.items()})
            else:
                self.build(shapes)

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

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Give a layer by name or index.

        Raises:
            UserError: if there is none.
        """
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise UserError(f"there is no layer {index}, the model has {len(layers)}")
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
        if cls is not Model:
            return super().from_config(config)
        return cls._functional.from_config(config)

    # --------------------------------------------------------------------------------- compiling

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
        if engine not in ENGINES:
            raise unknown("engine", engine, ENGINES)
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
        else:  # names are checked now, even if the outputs are not known yet
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
    def metrics(self) -> list[Any]:
        """The metrics that are reported, the loss first, once they are known."""
        trackers = self._objective.trackers if self._objective else None
        return list(trackers.tracked) if trackers else []

    @property
    def metrics_names(self) -> list[str]:
        """The names of the metrics."""
        return [m.name for m in self.metrics]

    # ---------------------------------------------------------------------------------- training

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

        _check_counts(0, epochs=epochs, initial_epoch=initial_epoch)
        _check_counts(1, validation_freq=validation_freq)
        _check_steps(steps_per_epoch=steps_per_epoch, validation_steps=validation_steps)
        run = Run(self, engine, devices)
        if is_stream(x, y):
            if sample_weight is not None or validation_split:
                raise UserError(
                    "sample_weight and validation_split are for arrays, not for an iterable",
                    "fit",
                    "yield (x, y, weights), and give validation_data",
                )
            data: Any = self._stream(x, steps_per_epoch, class_weight)
        else:
            self._check_given(x, y)
            data = self._arrays(x, y, sample_weight)
            if validation_split and validation_data is None:
                data, validation_data = data.split(validation_split)
            if class_weight is not None:
                data.weigh(class_weight, self._dtype())
        held_out = self._held_out(validation_data, validation_steps)
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

    def _check_given(self, x: Any, y: Any) -> None:
        if x is None:
            raise UserError("fit was given no data", mend="fit(x, y, ...)")
        if y is None:
            raise UserError("fit was given inputs without targets", mend="fit(x, y, ...)")

    def _arrays(self, x: Any, y: Any, weights: Any = None) -> Arrays:
        data = Arrays(x, y, weights, self._dtype(), self._input_dtypes())
        self._require_built(data.x)
        self._check_shape(data.x)
        return data

    def _stream(self, source: Any, steps: int | None, classes: Any = None) -> Stream:
        return Stream(source, self._dtype(), steps, self._input_dtypes(), classes)

    def _input_dtypes(self) -> list[Any] | None:
        """The types that the inputs are declared to have."""
        return [t.dtype for t in leaves(self._input_symbols)] if self.built else None

    def _held_out(self, given: Any, steps: int | None) -> Any:
        if given is None or isinstance(given, Arrays):
            return given
        if isinstance(given, list) and all(hasattr(part, "__array__") for part in given):
            given = tuple(given)
        if isinstance(given, tuple) or hasattr(given, "__array__"):
            if not isinstance(given, tuple) or not 2 <= len(given) <= 3:
                raise UserError(
                    "validation_data needs inputs and targets",
                    mend="give (x, y) or (x, y, weights)",
                )
            return self._arrays(*given)
        return self._stream(given, steps)

    def _dtype(self) -> str:
        """The floating type of the model's arrays."""
        if self.built:
            for v in handles(self):
                if v.dtype.kind == "f":
                    return str(v.dtype)
        return self.compute_dtype

    def _check_shape(self, x: Any) -> None:
        """Say both shapes when data does not fit."""
        if self._input_symbols is None:
            return
        want, have = leaves(self._input_symbols), leaves(x)
        if len(want) != len(have):
            raise UserError(
                f"the model has {len(want)} inputs, {len(have)} were given", self.name or "model"
            )
        for tensor, array in zip(want, have, strict=True):
            shape = tensor.shape
            fits = len(shape) == array.ndim and all(
                n is None or i == 0 or n == m
                for i, (n, m) in enumerate(zip(shape, array.shape, strict=True))
            )
            if not fits:
                raise UserError(
                    f"data of shape {array.shape} was given, the model takes {shape}",
                    tensor.name or self.name or "input",
                    "None stands for any number of rows; check columns, or add the batch axis "
                    "with x[None]",
                )

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Make one training step on a batch: the loss and metrics of it."""
        self._check_given(x, y)
        data = self._arrays(x, y, sample_weight)
        if class_weight is not None:
            data.weigh(class_weight, self._dtype())
        logs = self._single_steps().train(data)
        return logs if return_dict else _unpacked(logs)

    def _single_steps(self) -> Any:
        """Give what takes steps on single batches: the same one as long as the structure stays."""
        from trasluz.training.single import SingleSteps  # here for a light start

        walk = self._walked()
        if self._single is None or self._single[0] is not walk:
            self.__dict__["_single"] = (walk, SingleSteps(self))
        return self._single[1]

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

        _check_steps(steps=steps)
        data = (
            self._stream(x, steps)
            if is_stream(x, y)
            else self._arrays(x, y, sample_weight).first(steps, batch_size)
        )
        logs = evaluate(self, data, batch_size, callbacks, verbose, devices)
        return logs if return_dict else _unpacked(logs)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Measure loss and metrics on one batch."""
        logs = self._single_steps().measure(self._arrays(x, y, sample_weight))
        return logs if return_dict else _unpacked(logs)

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
        _check_steps(steps=steps)
        if not (verbose or steps or callbacks or devices) and self._is_plain(x, batch_size):
            if batch_size is None or len(x) <= batch_size:
                return self._predicted(x)
            begins = range(0, len(x), batch_size)
            parts = [self._predicted(x[begin : begin + batch_size]) for begin in begins]
            return tree_map(lambda *parts: np.concatenate(parts), *parts)
        from trasluz.training.measure import predict  # here for a light start

        if is_stream(x, None):
            if getattr(x, "shuffle", False) is True:
                raise UserError(
                    "the batches come shuffled, so predictions would not belong to rows",
                    "predict",
                    "give a stream with shuffle=False",
                )
            data: Any = self._stream(x, steps)
        else:
            data = self._arrays(x, None).first(steps, batch_size)
        return predict(self, data, batch_size, callbacks, verbose, devices)

    def _is_plain(self, x: Any, size: Any) -> bool:
        """Tell whether `x` is as NumPy takes it: there is nothing to prepare then."""
        return (
            self._engine != "xla"
            and self.built
            and type(x) is np.ndarray
            and x.ndim > 0
            and isinstance(self._input_symbols, SymbolicTensor)
            and (x.dtype == (own := self._input_symbols.dtype) or x.dtype.kind == own.kind == "f")
            and (size is None or (type(size) is int and size > 0))
            and len(x) > 0
        )

    def _predicted(self, x: Any) -> Any:
        """Compute the outputs for a batch; a shape that comes again is taken down."""
        known, x = self._walked().recordings, x.astype(self._input_symbols.dtype, copy=False)
        compute = known.get(x.shape)
        if compute is None:
            self._check_shape(x)
            compute = self._by_layers
            if x.shape in known:
                known[x.shape] = recorded(self._walked(), x) or compute
            else:
                if len(known) == _SHAPES_KNOWN:
                    known.clear()
                known[x.shape] = None
        with np.errstate(all="ignore"):
            return compute(x)

    def _by_layers(self, x: Any) -> Any:
        """Compute the outputs for a batch by twins of the layers: nothing of the model moves."""
        with Context(False, NO_KEY):
            return tree_map(np.array, self._walked().binding.twins({})[0](x))

    def reset_metrics(self) -> None:
        """Do nothing: every call of fit, evaluate and train_on_batch begins with empty metrics."""

    def predict_on_batch(self, x: Any) -> Any:
        """Compute the outputs for one batch."""
        return self.predict(x, None)

    # ----------------------------------------------------------------------------------- looking

    def summary(
        self,
        line_length: int | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
    ) -> None:
        """Print layers, output shapes, parameters and memory."""
        from trasluz.models.summary import summary

        (print_fn or print)(summary(self, line_length, expand_nested))

    def explain(
        self,
        x: Any,
        y: Any,
        wrt: str,
        at: Any = None,
        digits: int = 5,
        training: bool = False,
        update: bool = False,
        **how: Any,
    ) -> Any:
        """Derive the derivative of the loss in one entry of anything, step by step.

        The steps are read off the rules that compute it, in double precision; the last lines
        compare with the backward pass and with a central difference. Networks may be of any size:
        long sums are left out in the middle.

        Args:
            x: the inputs of one or more rows.
            y: their targets.
            wrt: the path of a parameter, such as "dense/kernel"; of a layer, such as "dense", for
                what it gives, or "dense/sum" for what goes into its activation; or "x".
            at: which entry of it, such as `(0, 1)`; None for the matrix form.
            digits: significant digits in print.
            training: whether layers behave as in training (dropout, batch statistics).
            update: whether to go on to the entry's new value, as the optimizer works it out.
            how: `depth="op"` for every row's result, `names="course"` or `"keras"`, `lang="es"`;
                see `trasluz.explain.explain`.

        Returns:
            A `Derivation`: shows itself, and gives `.text() .latex() .html() .markdown() .json()
            .pdf()`.

        Raises:
            UserError: for a path or an entry that does not exist or has no derivative, or where a
                number is not finite.
        """
        from trasluz.explain.asking import explain

        return explain(self, x, y, wrt, at, digits, training, update, **how)

    def check_gradients(
        self, x: Any, y: Any, training: bool = False, print_fn: Callable[[str], Any] | None = None
    ) -> dict[str, float]:
        """Compare the backward pass with central differences, in double precision.

        Says which parameter is the worst.

        Args:
            x: the inputs of a few rows.
            y: their targets.
            training: whether layers behave as in training.
            print_fn: says it; `print` unless given.

        Returns:
            For each parameter, the greatest difference over its entries (at most 20 of them,
            evenly spread), relative to the greatest derivative; the worst first.
        """
        from trasluz.explain.reading import Reading

        found = Reading(self, x, y, training).differences()
        if found:
            path, apart = next(iter(found.items()))
            (print_fn or print)(f"{path} is the worst of {len(found)}: apart by {apart:.1e}")
        return found

    # ------------------------------------------------------------------------------------- files

    def save(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the model to one file: weights, config, how it was compiled, optimizer state."""
        from trasluz.saving.models import save_model

        save_model(self, filepath, overwrite=overwrite)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the weights alone."""
        from trasluz.saving.models import save_weights

        save_weights(self, filepath, overwrite=overwrite)

    def load_weights(self, filepath: Any) -> None:
        """Read weights that `save_weights` or `save` wrote."""
        from trasluz.saving.models import load_weights

        load_weights(self, filepath)

    def to_json(self, **how: Any) -> str:
        """Write the architecture as JSON."""
        from trasluz.state.registry import serialize

        return json.dumps(serialize(self), **how)


def _check_counts(least: int, **counts: Any) -> None:
    """Say which of some counts is not a whole number, or too low."""
    for what, number in counts.items():
        if not isinstance(number, (int, np.integer)) or number < least:
            raise UserError(f"{what} has to be a whole number from {least}, it is {number!r}")


def _check_steps(**steps: Any) -> None:
    """Say which of some numbers of batches cannot be one; `None` leaves it open."""
    _check_counts(1, **{what: number for what, number in steps.items() if number is not None})


def _names_in(loss: Any) -> list[str]:
    """Guess outputs' names before the outputs are known, to check what was given."""
    if isinstance(loss, dict) and "class_name" not in loss:
        return list(loss)
    if isinstance(loss, (list, tuple)):
        return [f"output_{i + 1}" for i in range(len(loss))]
    return ["output"]


def _unpacked(logs: dict[str, Any]) -> Any:
    values = list(logs.values())
    return values[0] if len(values) == 1 else values
