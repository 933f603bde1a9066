"""Models as files: all of a model written down, and made again."""

from __future__ import annotations

import dataclasses
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from trasluz.base.arguments import checks_arguments
from trasluz.base.files import write_atomically
from trasluz.base.version import __version__
from trasluz.errors import UserError, shown
from trasluz.layers.base import Layer, arguments_of, registry
from trasluz.optimizers.base import optimizers_in
from trasluz.saving.archive import flat, nested, pack, unpack
from trasluz.saving.kinds import require
from trasluz.saving.kinds import wrong as misplaced
from trasluz.state.binding import read, write
from trasluz.state.context import Context
from trasluz.state.limits import check_depth, weights_up_to
from trasluz.state.module import assign_paths, modules_in, weights_of
from trasluz.state.registry import known, named, overrides, plain, serialize
from trasluz.state.symbolic import placeholder, shapes_of


@checks_arguments()
def save_model(
    model: Any,
    filepath: str | os.PathLike[str],
    overwrite: bool = True,
    extras: dict[str, bytes] | None = None,
) -> None:
    """Write a model to one file.

    Args:
        model: a built model.
        filepath: where; the ending is free, `.trasluz` is usual.
        overwrite: whether a file that is there may be replaced.
        extras: more to keep in the file, as named bytes (a fitted preparation of tables).

    Raises:
        UserError: if the model cannot be written down, or the file cannot be written.
    """
    _check_new(filepath, overwrite)
    arrays, document = describe(model)
    _check_functions(document)
    for name, content in (extras or {}).items():
        arrays[f"extra|{name}"] = np.frombuffer(content, np.uint8)
    write_atomically(filepath, pack(arrays, document))


def describe(model: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Write down all of a model: arrays by name, and a document."""
    if not model.built:
        raise UserError(
            "the model has no weights yet", model.name or "save", "build it or fit it first"
        )
    _check_config(model)
    arrays = _weights_of(model)
    document = {
        "version": __version__,
        "model": serialize(model),
        "inputs": _input_shapes(model),
        "fixed": [v.path for v in weights_of(model) if not v.spec.trainable],
    }
    if model.compiled:
        how = {**model._compiled_with, "optimizer": model.optimizer}
        document["compile"] = {"engine": model._engine, **{k: plain(v) for k, v in how.items()}}
        document["decays_not"] = _spared_from_decay(model)
        document["iterations"] = int(model.optimizer.iterations)
        document["rates"] = {
            name: float(rule.learning_rate)
            for name, rule in optimizers_in(model).items()
            if rule is not model.optimizer and not callable(rule._learning_rate)
        }
        if model._slots is not None:
            arrays |= flat(model._slots, "slots")
    if model._root is not None:
        arrays["root"] = np.asarray(model._root)
    return arrays, document


def _spared_from_decay(model: Any) -> dict[str, list[str]]:
    """Write down which weights `exclude_from_weight_decay` meant, each by its path.

    No pattern is kept: one that comes in a file could take for ever to be looked for.
    """
    optimizer = model.optimizer
    pattern = optimizer._decays_not_pattern
    meant = {v.path for v in weights_of(model) if pattern and pattern.search(v.path)}
    return {"paths": sorted(optimizer._decays_not | meant), "names": []}


def _input_shapes(model: Any) -> Any:
    """Write down what a model was drawn on: a tensor, or a list or dict of them, or nothing."""
    if model._input_symbols is None:
        return None
    described = lambda t: {"shape": list(t.shape), "dtype": str(t.dtype)}  # noqa: E731
    return shapes_of(model._input_symbols, described)


def _drawn_again(inputs: Any) -> Any:
    """Make the tensors that `_input_shapes` wrote down."""
    if isinstance(inputs, list):
        return [_drawn_again(one) for one in inputs]
    if isinstance(inputs.get("shape"), list):
        return placeholder(tuple(inputs["shape"]), inputs["dtype"])
    return {name: _drawn_again(one) for name, one in inputs.items()}


def _check_functions(document: Any, where: str = "") -> None:
    """Find functions without a name, which nothing could find again, before anything is written."""
    if document == "<lambda>":
        raise UserError(
            "a lambda cannot be saved: its name does not say which one it is",
            where,
            "write it as a function (def) and make it known: @trasluz.saving.register",
        )
    if isinstance(document, (dict, list)):
        parts = document.items() if isinstance(document, dict) else enumerate(document)
        for name, part in parts:
            at = where if name in ("config", "class_name", "model") else f"{where} {name}".strip()
            _check_functions(part, at)


def _check_config(model: Any) -> None:
    """Find constructors that the config would not satisfy, before anything is written."""
    for layer in modules_in(model):
        if not isinstance(layer, Layer) or type(layer).__module__.startswith("trasluz."):
            continue
        config = layer.get_config()
        given_up = {f.name for f in dataclasses.fields(Layer)}
        missing = [n for n in arguments_of(type(layer)) if n not in config and n not in given_up]
        if missing:
            raise UserError(
                f"its config lacks arguments of its constructor: {missing}",
                type(layer).__name__,
                "keep them in attributes of these names, or write get_config() that adds them",
            )


@checks_arguments()
def load_model(
    filepath: str | os.PathLike[str],
    custom_objects: dict[str, Any] | None = None,
    compile: bool = True,
) -> Any:  # noqa: A002
    """Read a model that `save_model` wrote, ready to predict and to go on training.

    Args:
        filepath: the file.
        custom_objects: classes and functions of your own that the model uses, by name.
        compile: whether to compile it as it was.

    Raises:
        UserError: if the file is not whole, was altered, is of a newer version, or uses a class
            that is not known.
    """
    arrays, document = unpack(filepath)
    return restore(arrays, document, custom_objects, compile, str(filepath))


def restore(
    arrays: dict[str, np.ndarray],
    document: dict[str, Any],
    custom_objects: dict[str, Any] | None = None,
    compile: bool = True,  # noqa: A002
    where: str = "",
) -> Any:
    """Make a model from what `describe` gave.

    Raises:
        UserError: if the document does not describe a model that these arrays fit.
    """
    if "model" not in document:
        raise UserError(
            "it holds weights alone, and no model",
            where,
            "make the model, and read them into it: model.load_weights(...)",
        )
    check_depth(document["model"], where)
    most = 2**20 + 2 * sum(a.size for a in arrays.values())  # some are declared twice
    with known(custom_objects), read_carefully(where), weights_up_to(most):
        model = _restored(arrays, document, compile, where)
    if "root" in arrays:
        model._root = arrays["root"]
    return model


@contextmanager
def read_carefully(where: str) -> Iterator[None]:
    """Turn what a document that makes no sense leads to into an error about the file."""
    try:
        yield
    except UserError as error:
        if error.what.startswith("unknown layer"):
            own = "a class of your own goes into custom_objects={'Name': Name}, or is made known "
            raise UserError(error.what, where, f"{own}by saving.register; {error.mend}") from error
        raise
    except (
        ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, RecursionError,
        TypeError, ValueError, re.error,
    ) as error:  # fmt: skip
        raise UserError(
            f"the file does not hold what it should ({type(error).__name__}: {error})",
            where,
            "use an intact copy, and give the classes of your own in custom_objects",
        ) from error


def _restored(
    arrays: dict[str, np.ndarray], document: dict[str, Any], compile: bool, where: str
) -> Any:
    model = registry.get(document["model"])
    if not model.built and document["inputs"] is None:
        model._require_parts()
    elif not model.built:
        with Context():
            model._build_on(_drawn_again(document["inputs"]))
    write_weights(model, nested(arrays, "weights"), where)
    weights = weights_of(model)
    for weight in weights:
        weight.trainable = weight.path not in document["fixed"]
    if compile and "compile" in document and overrides(model, "compile"):
        warnings.warn(
            f"{type(model).__name__} has a compile of its own: call it, the file does not say how",
            stacklevel=2,
        )
    elif compile and "compile" in document:
        model.compile(**named(document["compile"]))
        spared = document["decays_not"]
        names = [_as_text(name, where) for name in spared["names"]]
        model.optimizer.exclude_from_weight_decay(
            [v for v in weights if v.path in spared["paths"]], names
        )
        steps = {"iterations": document["iterations"]}
        model.optimizer.iterations = require({"iterations": "count of steps"}, steps, where)[
            "iterations"
        ]
        model._require_objective()
        model._slots = nested(arrays, "slots") or None
    return model


def _as_text(pattern: str, where: str) -> str:
    """Give a pattern that version 0.1 wrote, if it is looked for in no time.

    It may repeat twice, and no group: what repeats what repeats can take for ever.

    Raises:
        UserError: if it is another one: looking for it could take for ever.
    """
    plain = isinstance(pattern, str) and re.fullmatch(r"(\\[dwsSWD.]|[^\\{}])*", pattern)
    repeats = plain and (len(re.findall(r"[*+?]", pattern)) > 2 or re.search(r"\)[*+?]", pattern))
    if not plain or repeats:
        raise UserError(
            f"the file holds the pattern {shown(pattern)} for weights that do not decay",
            where,
            "load it with compile=False, compile it, and call exclude_from_weight_decay",
        )
    return pattern


def _weights_of(model: Any) -> dict[str, np.ndarray]:
    assign_paths(model)  # layers may have been put into another model since
    return flat(read(model), "weights")


def write_weights(model: Any, weights: dict[str, np.ndarray], where: str) -> None:
    """Put the weights that a file holds into a model; `where` names the file in errors."""
    check_weights(model, weights, where)
    write(model, weights)


def check_weights(model: Any, weights: dict[str, np.ndarray], where: str) -> None:
    """Make sure that the weights of a file are those of a model, by path and shape."""
    assign_paths(model)
    own = read(model)
    parted = [path for path, array in weights.items() if isinstance(array, dict)]
    if parted:
        raise misplaced(f"the file holds more than an array for {', '.join(parted)}", where)
    wrong = [
        f"{p}: {weights[p].shape} in the file, {own[p].shape} in the model"
        for p in own
        if p in weights and weights[p].shape != own[p].shape
    ]
    missing = sorted(set(own) ^ set(weights))
    if wrong or missing:
        raise UserError(
            "the weights do not fit the model: " + "; ".join(wrong + missing),
            where,
            "load them into a model of the same architecture",
        )


def load_extras(filepath: str | os.PathLike[str]) -> dict[str, bytes]:
    """Read the extras that were saved with a model."""
    arrays, _ = unpack(filepath)
    prefix = "extra|"
    return {
        name.removeprefix(prefix): a.tobytes()
        for name, a in arrays.items()
        if name.startswith(prefix)
    }


@checks_arguments()
def save_weights(model: Any, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Write a model's weights alone."""
    _check_new(filepath, overwrite)
    write_atomically(filepath, pack(_weights_of(model), {"holds": "weights"}))


@checks_arguments()
def load_weights(model: Any, filepath: str | os.PathLike[str]) -> None:
    """Read weights into a model of the same architecture.

    Raises:
        UserError: if paths or shapes differ; each is said.
    """
    arrays, _ = unpack(filepath)
    with read_carefully(str(filepath)):
        write_weights(model, nested(arrays, "weights"), str(filepath))


def _check_new(filepath: str | os.PathLike[str], overwrite: bool) -> None:
    if not overwrite and os.path.exists(filepath):
        raise UserError("the file exists", str(filepath), "give another name, or overwrite=True")
