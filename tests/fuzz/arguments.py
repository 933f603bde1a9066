"""Attacks by arguments of Python: what constructors, methods, layers of one's own may get."""

from __future__ import annotations

import contextlib
import inspect
import random
import re
import reprlib
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from fuzz import mutate
from fuzz.guard import Found
from fuzz.world import World, answered, rows, small
from trasluz import (
    Input,
    Model,
    Sequential,
    callbacks,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    regularizers,
    utils,
)  # fmt: skip
from trasluz.errors import UserError

# What a constructor needs, and on what a layer is called.
LAYERS: dict[str, tuple[dict[str, Any], Any]] = {
    "Dense": ({"units": 2}, (4,)),
    "Embedding": ({"input_dim": 5, "output_dim": 2}, (3,)),
    "SimpleRNN": ({"units": 2}, (3, 4)),
    "Conv1D": ({"filters": 2, "kernel_size": 2}, (5, 2)),
    "Conv2D": ({"filters": 2, "kernel_size": 2}, (4, 4, 2)),
    "Conv2DTranspose": ({"filters": 2, "kernel_size": 2}, (3, 3, 1)),
    "DepthwiseConv2D": ({"kernel_size": 2}, (4, 4, 2)),
    "SeparableConv1D": ({"filters": 2, "kernel_size": 2}, (5, 2)),
    "MaxPooling2D": ({}, (4, 4, 1)),
    "AveragePooling1D": ({}, (4, 2)),
    "GlobalMaxPooling2D": ({}, (3, 3, 2)),
    "ZeroPadding2D": ({}, (2, 2, 1)),
    "Cropping1D": ({}, (5, 1)),
    "LSTM": ({"units": 2}, (3, 4)),
    "GRU": ({"units": 2}, (3, 4)),
    "RepeatVector": ({"n": 2}, (4,)),
    "Reshape": ({"target_shape": (2, 2)}, (4,)),
    "Permute": ({"dims": (2, 1)}, (3, 4)),
    "Activation": ({"activation": "relu"}, (4,)),
    "Dropout": ({"rate": 0.5}, (4,)),
    "GaussianDropout": ({"rate": 0.5}, (4,)),
    "GaussianNoise": ({"stddev": 0.5}, (4,)),
    "Rescaling": ({"scale": 2.0}, (4,)),
    "BatchNormalization": ({}, (4,)),
    "LayerNormalization": ({}, (4,)),
    "Normalization": ({"mean": 0.0, "variance": 1.0}, (4,)),
    "ELU": ({}, (4,)),
    "LeakyReLU": ({}, (4,)),
    "PReLU": ({}, (4,)),
    "ReLU": ({}, (4,)),
    "Softmax": ({}, (4,)),
    "Flatten": ({}, (2, 2)),
    "Identity": ({}, (4,)),
    "SharedBias": ({"units": 4}, (4,)),
    "Lambda": ({"function": abs}, (4,)),
    "RandomFlip": ({}, (3, 4, 1)),
    "RandomRotation": ({"factor": 0.1}, (3, 4, 1)),
    "RandomTranslation": ({"height_factor": 0.1, "width_factor": 0.1}, (3, 4, 1)),
    "RandomZoom": ({"height_factor": 0.1}, (3, 4, 1)),
    "RandomCrop": ({"height": 2, "width": 2}, (3, 4, 1)),
    "RandomContrast": ({"factor": 0.1}, (3, 4, 1)),
    "RandomBrightness": ({"factor": 0.1}, (3, 4, 1)),
}
MERGING = ["Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract"]
WRONG: list[Any] = [
    np.ones(0), np.ones((0, 4)), np.ones((3, 3)), np.ones((2, 2, 2)), np.array("x"), np.float64(1),
    np.array([[1, "a"]], object), [[1, 2], [3]], np.ones((4, 4), complex), np.full((4, 4), np.nan),
    object(), print, lambda: None, len, {1: 2}, {"x": np.ones(3)}, (), (1,), (None,), b"bytes",
    np.datetime64("2020-01-01"), range(3), iter([]), type, float, np.dtype("U5"), 10**10, -5,
]  # fmt: skip


def python(chance: random.Random, world: World) -> None:
    """Attack with arguments."""
    world.fresh()
    chance.choice([_layer, _layer, _merging, _part, _part, _method, _method, _own, _small])(chance)


def _wrong(chance: random.Random) -> Any:
    return chance.choice(WRONG) if chance.random() < 0.4 else mutate.value(chance)


def _arguments(kind: Any, needed: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Give what a constructor takes, one or two of it wrong."""
    named = inspect.signature(kind).parameters.values()
    names = [p.name for p in named if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    given = dict(needed)
    for name in chance.sample(names, min(len(names), chance.choice([1, 1, 2]))):
        given[name] = _wrong(chance)
    return given


def _layer(chance: random.Random) -> None:
    name = chance.choice(sorted(LAYERS))
    needed, shape = LAYERS[name]
    kind = getattr(layers, name)
    given = _arguments(kind, needed, chance)
    dtype = "int32" if name == "Embedding" else "float32"

    def use() -> None:
        model = Sequential([Input(shape, dtype=dtype), kind(**given)])
        model.predict(np.ones((2, *shape), dtype), verbose=0)
        model(np.ones((2, *shape), dtype), training=True)

    _try(f"{name}({reprlib.repr(given)})", use)


def _merging(chance: random.Random) -> None:
    kind = getattr(layers, chance.choice(MERGING))
    shapes = [
        chance.choice([(4,), (3,), (2, 4), (1,), ()]) for _ in range(chance.choice([0, 1, 2, 3]))
    ]
    needed: dict[str, Any] = {"axes": -1} if kind is layers.Dot else {}
    given = _arguments(kind, needed, chance) if chance.random() < 0.5 else needed
    arrays: Any = [np.ones((2, *shape), np.float32) for shape in shapes]
    if chance.random() < 0.3:
        arrays = _wrong(chance)

    def use() -> None:
        if chance.random() < 0.5 and isinstance(arrays, list):
            inputs = [Input(shape) for shape in shapes]
            Model(inputs, kind(**given)(inputs))
        else:
            kind(**given)(arrays)

    _try(f"{kind.__name__}({reprlib.repr(given)})({reprlib.repr(arrays)})", use)


def _part(chance: random.Random) -> None:
    """Attack a loss, a metric, an optimizer, a callback, an initializer, …"""
    home, use = chance.choice(PARTS)
    kinds = [k for k in vars(home).values() if isinstance(k, type) and _is_public(k, home)]
    kind = chance.choice(sorted(kinds, key=lambda k: k.__name__))
    given = _arguments(kind, NEEDED.get(kind.__name__, {}), chance)
    _try(f"{kind.__name__}({reprlib.repr(given)})", lambda: use(kind(**given)))


def _is_public(kind: type, home: Any) -> bool:
    skipped = {"Callback", "CallbackList", "Monitor", "PruneTrial", "Metric", "Loss", "Optimizer",
               "Initializer", "Regularizer", "Constraint", "LearningRateSchedule", "ParquetStream",
               "LossFunctionWrapper", "MeanMetricWrapper", "TensorBoard"}  # fmt: skip
    if kind.__name__ in skipped or not kind.__module__.startswith(home.__name__):
        return False
    return kind.__name__ in getattr(home, "__all__", [kind.__name__])


def _use_loss(loss: Any) -> None:
    loss(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]))


def _use_metric(metric: Any) -> None:
    metric.update_state(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.9, 0.1], [0.2, 0.8]]))
    metric.result()


def _use_optimizer(optimizer: Any) -> None:
    small_of = small()
    small_of.compile(optimizer, "mse", engine="numpy")
    small_of.fit(*rows(), epochs=1, verbose=0)


def _use_schedule(schedule: Any) -> None:
    float(schedule(3))


def _use_callback(callback: Any) -> None:
    small().fit(*rows(), epochs=1, verbose=0, callbacks=[callback])


def _use_initializer(initializer: Any) -> None:
    Sequential([Input((3,)), layers.Dense(3, kernel_initializer=initializer)])


def _use_regularizer(regularizer: Any) -> None:
    model = Sequential([Input((3,)), layers.Dense(3, kernel_regularizer=regularizer)])
    float(sum(model.losses))


def _use_constraint(constraint: Any) -> None:
    model = Sequential([Input((4,)), layers.Dense(1, kernel_constraint=constraint)])
    model.compile("sgd", "mse", engine="numpy")
    model.fit(*rows(), epochs=1, verbose=0)


PARTS: list[tuple[Any, Callable[[Any], None]]] = [
    (losses, _use_loss), (metrics, _use_metric), (optimizers, _use_optimizer),
    (optimizers.schedules, _use_schedule), (callbacks, _use_callback),
    (initializers, _use_initializer), (regularizers, _use_regularizer),
    (constraints, _use_constraint),
]  # fmt: skip
NEEDED: dict[str, dict[str, Any]] = {
    "CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 10},
    "CosineDecayRestarts": {"initial_learning_rate": 0.1, "first_decay_steps": 10},
    "ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.9},
    "InverseTimeDecay": {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.9},
    "PolynomialDecay": {"initial_learning_rate": 0.1, "decay_steps": 10},
    "PiecewiseConstantDecay": {"boundaries": [1], "values": [0.1, 0.2]},
    "ModelCheckpoint": {"filepath": "kept"},
    "BackupAndRestore": {"backup_dir": "kept"},
    "CSVLogger": {"filename": "log.csv"},
    "LearningRateScheduler": {"schedule": lambda epoch: 0.1},
    "PrecisionAtRecall": {"recall": 0.5},
    "RecallAtPrecision": {"precision": 0.5},
    "SensitivityAtSpecificity": {"specificity": 0.5},
    "SpecificityAtSensitivity": {"sensitivity": 0.5},
    "IoU": {"num_classes": 2, "target_class_ids": [0]},
    "MeanIoU": {"num_classes": 2},
    "OneHotIoU": {"num_classes": 2, "target_class_ids": [0]},
    "OneHotMeanIoU": {"num_classes": 2},
    "BinaryIoU": {},
    "ConfusionMatrix": {"num_classes": 2},
    "Constant": {"value": 1.0},
}


def _method(chance: random.Random) -> None:
    """Attack a method of a model."""
    x, y = rows()
    model = small()
    given: dict[str, dict[str, Any]] = {
        "compile": {"optimizer": "sgd", "loss": "mse"},
        "fit": {"x": x, "y": y, "verbose": 0},
        "evaluate": {"x": x, "y": y, "verbose": 0},
        "predict": {"x": x, "verbose": 0},
        "train_on_batch": {"x": x, "y": y},
        "test_on_batch": {"x": x, "y": y},
        "predict_on_batch": {"x": x},
        "set_weights": {"weights": model.get_weights()},
        "get_layer": {"name": "dense"},
        "explain": {"x": x[:1], "y": y[:1], "wrt": "dense/kernel", "at": (0, 0)},
        "summary": {"line_length": 70},
    }
    name = chance.choice(sorted(given))
    how = dict(given[name])
    parameters = [
        p
        for p in inspect.signature(getattr(model, name)).parameters
        if p not in ("kwargs", "print_fn")
    ]
    for one in chance.sample(parameters, min(len(parameters), chance.choice([1, 1, 2]))):
        how[one] = _wrong(chance)
    if _is_long(how):
        return
    _try(f"{name}({reprlib.repr(how)})", lambda: getattr(model, name)(**how))
    if name == "compile":
        with contextlib.suppress(UserError):
            model.compile("sgd", "mse", engine="numpy")


def _is_long(how: dict[str, Any]) -> bool:
    """Tell what a user may ask for, and has to wait for then."""
    epochs = how.get("epochs", 1)
    engine = how.get("engine")
    return (isinstance(engine, str) and engine == "xla") or (
        isinstance(epochs, (int, float)) and epochs > 5
    )


def _own(chance: random.Random) -> None:
    """Attack with layers, losses, activations and callbacks of one's own that are wrong."""
    result = _wrong(chance)
    x, y = rows()

    class Own(layers.Layer):
        def build(self, input_shape: Any) -> None:
            if chance.random() < 0.2:
                self.w = self.add_weight(shape=chance.choice([(4,), "x", (-1,), (2.5,), None]))

        def call(self, inputs: Any) -> Any:
            return result

    where = chance.randrange(5)

    def use() -> None:
        parts: list[Any] = [Input((4,)), layers.Dense(2)]
        loss: Any = "mse"
        how: dict[str, Any] = {}
        if where == 0:
            parts.insert(1, Own())
        elif where == 1:
            parts[1] = layers.Dense(2, activation=lambda z: result)
        elif where == 2:
            loss = lambda t, p: result  # noqa: E731
        elif where == 3:
            how["metrics"] = [lambda t, p: result]
        else:
            parts[1] = layers.Dense(2, kernel_initializer=lambda shape, dtype=None: result)
        model = Sequential(parts)
        model.compile("sgd", loss, engine="numpy", **how)
        model.fit(x, np.concatenate([y, y], 1), epochs=1, verbose=0)

    _try(f"own {where} that gives {reprlib.repr(result)}", use)


def _small(chance: random.Random) -> None:
    """Attack the small functions."""
    calls: list[Callable[[Any], Any]] = [
        utils.set_random_seed, utils.to_categorical, utils.normalize, optimizers.get, losses.get,
        metrics.get, initializers.get, regularizers.get, constraints.get, Sequential, Input,
        lambda v: utils.to_categorical([0, 1], v), lambda v: utils.normalize([1.0], axis=v),
        lambda v: Sequential([Input((4,)), v]), lambda v: Model(v, v), layers.deserialize,
        lambda v: Input(v, dtype="float32"), lambda v: Input((3,), dtype=v),
        lambda v: layers.Dense(2)(v), lambda v: small().save(v) if not _is_path(v) else None,
    ]  # fmt: skip
    call, value = chance.choice(calls), _wrong(chance)
    _try(f"small {calls.index(call)}: {reprlib.repr(value)}", lambda: call(value))
    utils.set_random_seed(0)


def _is_path(value: Any) -> bool:
    return isinstance(value, (str, bytes)) and b"/" in (
        value if isinstance(value, bytes) else value.encode("utf-8", "replace")
    )


def _try(what: str, use: Callable[[], Any]) -> None:
    try:
        answered(use)
    except Found as one:
        raise Found(f"{one} <- {what}") from one
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        if re.search(r"missing \d+ required|unhashable", said):  # Python's own words are enough
            return
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise Found(f"{what}\n-> {said:.200} [{place.filename[-30:]}:{place.lineno}]") from error


KINDS = {"python": python}
