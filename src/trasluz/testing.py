"""What every layer and optimizer must pass: those of the library and those of your own.

>>> from trasluz.layers import Dense
>>> check_layer(Dense(3, activation="tanh"), np.linspace(-1, 1, 8).reshape(2, 4))
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from trasluz.autodiff import backend, ops, random, tape
from trasluz.base.tree import fill, leaves, leaves_like, tree_map
from trasluz.layers.base import twin_of
from trasluz.models.functional import Functional
from trasluz.saving.models import load_model
from trasluz.state.binding import bind, read
from trasluz.state.context import Context
from trasluz.state.module import own_things, weights_of
from trasluz.state.symbolic import Input, rows_of, shapes_of

STEP = 1e-6


def check_layer(
    layer: Any, inputs: Any, tolerance: float = 1e-6, second_order: bool = True
) -> None:
    """Check a layer's config, shapes, rows, files, derivatives, engines and cleanliness.

    Args:
        layer: a layer; it is built on the inputs.
        inputs: an array, or a list of arrays, on which the layer is smooth.
        tolerance: greatest relative difference from central differences.
        second_order: whether second derivatives are checked too.

    Raises:
        AssertionError: saying what differs.
    """
    inputs = tree_map(np.asarray, inputs)
    output = layer(inputs)
    _check_config(layer)
    _check_shape(layer, inputs, output)
    _check_rows(layer, inputs)
    _check_file(layer, inputs)
    for training in (False, True):
        _check_derivatives(layer, inputs, training, tolerance, second_order)
        if backend.has_xla():
            _check_engines(layer, inputs, training)
    _check_clean(layer, inputs)


def _check_config(layer: Any) -> None:
    config = layer.get_config()
    again = type(layer).from_config(json.loads(json.dumps(config)))
    assert again.get_config() == config, f"config changes on the way: {config}"


def _check_shape(layer: Any, inputs: Any, output: Any) -> None:
    shapes = shapes_of(inputs, rows_of)
    told = layer.compute_output_shape(shapes)
    several = told if isinstance(output, (tuple, list)) else [told]
    for one, y in zip(several, leaves(output), strict=True):
        assert tuple(one[1:]) == y.shape[1:], f"shape {one} was told, {y.shape} came"


def _check_rows(layer: Any, inputs: Any) -> None:
    """See that outside of training what a layer gives for a row does not depend on the others."""
    if any(weight.spec.carried for weight in weights_of(layer)):
        return  # its states are of so many rows
    rows, key = len(leaves(inputs)[0]), random.key(5)
    with Context(False, key):
        together = leaves(layer(inputs))
    for row in range(rows):
        with Context(False, key):
            alone = leaves(layer(tree_map(lambda a, row=row: a[row : row + 1], inputs)))
        for one, all_of_them in zip(alone, together, strict=True):
            np.testing.assert_allclose(
                one[0], all_of_them[row], rtol=1e-4, atol=1e-6, err_msg=f"row {row} alone"
            )


def model_of(layer: Any, inputs: Any) -> Any:
    """Draw a model that is a layer alone."""
    several = isinstance(inputs, list)
    symbols = [Input(a.shape[1:], dtype=str(a.dtype)) for a in leaves(inputs)]
    outputs = layer(symbols if several else symbols[0])
    return Functional(symbols if several else symbols[0], outputs)


def _check_file(layer: Any, inputs: Any) -> None:
    """See that a model with the layer in it is the same after it was written and read."""
    if any(weight.spec.carried for weight in weights_of(layer)):
        return
    twin = twin_of(layer)
    model = model_of(twin, inputs)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.trasluz"
        model.save(file)
        again = load_model(file, own_things(model))
    for a, b in zip(leaves(model.predict(inputs)), leaves(again.predict(inputs)), strict=True):
        np.testing.assert_array_equal(b, a, err_msg="a file changes what the layer gives")


def scalar_of(layer: Any, training: bool) -> Any:
    """Make a smooth scalar function of a layer's arrays and inputs: weighted sums of outputs."""

    def f(point: Any) -> Any:
        arrays, inputs = point
        twin = bind(layer, arrays)
        with Context(training, random.key(5), 3):
            outputs = leaves(twin(inputs))
        total: Any = 0.0
        for y in outputs:
            weights = np.cos(np.arange(np.prod(y.shape)) + 1.0).reshape(y.shape).astype(y.dtype)
            total = total + ops.sum(y * weights)
        return total

    return f


def _point(layer: Any, inputs: Any, dtype: str) -> Any:
    """The layer's trainable arrays, and the inputs, in a floating type."""
    cast = lambda a: np.asarray(a, dtype) if np.asarray(a).dtype.kind == "f" else a  # noqa: E731
    moved = {v.path for v in weights_of(layer) if v.trainable}
    return {p: cast(a) for p, a in read(layer).items() if p in moved}, tree_map(cast, inputs)


def _shifted(point: Any, direction: Any, amount: float) -> Any:
    move = lambda a, d: a + amount * d if np.asarray(a).dtype.kind == "f" else a  # noqa: E731
    return tree_map(move, point, direction)


def _dot(a: Any, b: Any) -> float:
    pairs = zip(leaves(a), leaves(b), strict=True)
    return float(sum(np.sum(x * y) for x, y in pairs if np.asarray(x).dtype.kind == "f"))


def _check_derivatives(
    layer: Any, inputs: Any, training: bool, tolerance: float, second_order: bool
) -> None:
    f = scalar_of(layer, training)
    point = _point(layer, inputs, "float64")
    generator = np.random.default_rng(0)
    direction = tree_map(lambda a: generator.normal(size=a.shape), point)
    slope = lambda p: _only_floats(tape.grad(f)(p), p)  # noqa: E731
    ahead, behind = (f(_shifted(point, direction, s)) for s in (STEP, -STEP))
    expected = (ahead - behind) / (2 * STEP)
    derivative = _dot(slope(point), direction)
    scale = max(1.0, abs(float(expected)))
    assert abs(derivative - expected) <= tolerance * scale * 10, (
        f"derivative {derivative} differs from central difference {expected} (training={training})"
    )
    if not second_order:
        return
    once = lambda p: _dot(slope(p), direction)  # noqa: E731
    bend = (once(_shifted(point, direction, STEP)) - once(_shifted(point, direction, -STEP))) / (
        2 * STEP
    )
    floats = [i for i, a in enumerate(leaves(point)) if a.dtype.kind == "f"]
    chosen = [leaves(point)[i] for i in floats]

    def of_floats(values: list[Any]) -> Any:
        full = list(leaves(point))
        for i, value in zip(floats, values, strict=True):
            full[i] = value
        return f(fill(point, full))

    v = [leaves(direction)[i] for i in floats]
    second = _dot(tape.hvp(of_floats, chosen, v), v)
    assert abs(second - bend) <= 1e-4 * max(1.0, abs(bend)), (
        f"second derivative {second} differs from central difference {bend} (training={training})"
    )


def _only_floats(gradient: Any, point: Any) -> Any:
    return tree_map(
        lambda g, a: g if np.asarray(a).dtype.kind == "f" else np.zeros(np.shape(a)),
        gradient,
        point,
    )


def _check_engines(layer: Any, inputs: Any, training: bool) -> None:
    f = tape.value_and_grad(scalar_of(layer, training))
    point = _point(layer, inputs, "float64")
    here = f(point)
    there = backend.compiled(f, "xla")(point)
    for a, b in zip(leaves(here), leaves_like(here, there), strict=True):
        np.testing.assert_allclose(
            np.asarray(b), a, rtol=1e-6, atol=1e-8, err_msg=f"engines differ (training={training})"
        )


def _check_clean(layer: Any, inputs: Any) -> None:
    before = read(layer)

    def fails(point: Any) -> Any:
        scalar_of(layer, True)(point)
        raise RuntimeError("on purpose")

    with contextlib.suppress(RuntimeError):
        tape.grad(fails)(_point(layer, inputs, "float32"))
    after = read(layer)
    assert all(after[p] is before[p] for p in before), "an exception left something in the layer"


def check_optimizer(make: Any, steps: int = 10) -> None:
    """Check an optimizer's config, descent, dtypes and engines on a small quadratic.

    Args:
        make: makes a fresh optimizer; its learning rate should suit a bowl of radius one.
        steps: how many updates to compare between the engines.

    Raises:
        AssertionError: saying what differs.

    >>> from trasluz.optimizers import SGD
    >>> check_optimizer(lambda: SGD(0.1, momentum=0.5))
    """
    optimizer = make()
    config = optimizer.get_config()
    again = type(optimizer).from_config(json.loads(json.dumps(config)))
    assert again.get_config() == config, f"config changes on the way: {config}"
    start = {"a": np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3), "b": np.ones(3, "float32")}
    bowl = tape.value_and_grad(
        lambda p: ops.sum(ops.square(p["a"] - 0.5)) + ops.sum(ops.square(p["b"]))
    )

    def step(params: Any, state: Any, t: Any) -> tuple[Any, Any]:
        return optimizer.update(bowl(params)[1], state, params, t)

    runs = {}
    for engine in backend.ENGINES if backend.has_xla() else ("numpy",):
        program = backend.compiled(step, engine)
        params, state = start, optimizer.init(start)
        for t in range(steps):
            params, state = program(params, state, np.asarray(t, np.int32))
        runs[engine] = backend.to_numpy(params)
        dtypes = {str(a.dtype) for a in leaves((params, state))}
        assert dtypes == {"float32"}, f"floating types on {engine}: {dtypes}"
    first = runs["numpy"]
    for engine, params in runs.items():
        for name in start:
            np.testing.assert_allclose(
                params[name], first[name], rtol=2e-4, atol=2e-6, err_msg=f"{engine}, {name}"
            )
    before, after = float(bowl(start)[0]), float(bowl(first)[0])
    assert after < before, f"{steps} steps lead from {before} up to {after}"
