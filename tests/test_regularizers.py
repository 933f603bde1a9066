"""Penalties and constraints: against Keras, and what passes through them."""

from __future__ import annotations

import numpy as np
import pytest

from trasluz import constraints, regularizers
from trasluz.autodiff import backend
from trasluz.errors import UserError
from trasluz.tape import grad

PENALTIES: dict[str, list[dict]] = {
    "L1": [{}, {"l1": 0.5}],
    "L2": [{}, {"l2": 0.5}],
    "L1L2": [{}, {"l1": 0.5, "l2": 0.2}],
    "OrthogonalRegularizer": [{}, {"factor": 0.5, "mode": "columns"}],
}
LIMITS: dict[str, list[dict]] = {
    "MaxNorm": [{}, {"max_value": 0.5, "axis": 1}, {"max_value": 0.5, "axis": [0, 1]}],
    "NonNeg": [{}],
    "UnitNorm": [{}, {"axis": 1}],
    "MinMaxNorm": [{}, {"min_value": 1.0, "max_value": 2.0, "rate": 0.3, "axis": 1}],
}
CASES = [(regularizers, n, k) for n, several in PENALTIES.items() for k in several]
CASES += [(constraints, n, k) for n, several in LIMITS.items() for k in several]
IDS = [f"{n}-{'-'.join(k)}" for _, n, k in CASES]
each = pytest.mark.parametrize(("module", "name", "kwargs"), CASES, ids=IDS)


def weights(dtype=np.float64):
    return np.random.default_rng(0).normal(size=(5, 4)).astype(dtype)


def test_every_one_has_a_sample():
    for module, samples in ((regularizers, PENALTIES), (constraints, LIMITS)):
        known = module.registry.known.values()
        assert {c.__name__ for c in known if isinstance(c, type)} == set(samples)


@pytest.mark.interop
@each
def test_keras_agrees(module, name, kwargs):
    keras = pytest.importorskip("keras")
    theirs = getattr(getattr(keras, module.__name__.rpartition(".")[2]), name)(**kwargs)
    ours = getattr(module, name)(**kwargs)
    for key, value in theirs.get_config().items():
        assert ours.get_config()[key] == (pytest.approx(value) if key != "axis" else value)
    w = weights(np.float32)
    # as a tensor: Keras normalises the columns of a NumPy array along the wrong axis
    other = np.asarray(theirs(keras.ops.convert_to_tensor(w)))
    np.testing.assert_allclose(ours(w), other, rtol=1e-5, atol=1e-7)


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numpy_and_xla_agree_and_keep_the_dtype(module, name, kwargs, dtype):
    jax = pytest.importorskip("jax")
    f, w = getattr(module, name)(**kwargs), weights(dtype)
    with jax.numpy_dtype_promotion("strict"):
        compiled = backend.compiled(lambda w: f(w), "xla")(w)
    assert np.asarray(f(w)).dtype == compiled.dtype == dtype
    np.testing.assert_allclose(f(w), compiled, rtol=2e-6 if dtype == np.float32 else 1e-13)


@each
def test_derivatives(module, name, kwargs):
    f = getattr(module, name)(**kwargs)
    w, direction = weights(), np.random.default_rng(1).normal(size=(5, 4))
    slope = (grad(lambda w: f(w).sum())(w) * direction).sum()
    h = 1e-6
    central = (np.sum(f(w + h * direction)) - np.sum(f(w - h * direction))) / (2 * h)
    assert slope == pytest.approx(central, rel=1e-6, abs=1e-8)


@each
def test_zeros_give_finite_numbers(module, name, kwargs):
    f = getattr(module, name)(**kwargs)
    w = np.zeros((5, 4))
    assert np.isfinite(f(w)).all()
    assert np.isfinite(grad(lambda w: f(w).sum())(w)).all()


@each
def test_round_trip_of_the_config(module, name, kwargs):
    thing = getattr(module, name)(**kwargs)
    assert module.deserialize(module.serialize(thing)) == thing


def test_names():
    assert regularizers.get("l1") == regularizers.L1(0.01)
    assert regularizers.get("l1_l2") == regularizers.L1L2(0.01, 0.01)
    assert regularizers.get("orthogonal") == regularizers.OrthogonalRegularizer()
    assert regularizers.get(None) is None
    assert regularizers.get(abs) is abs
    assert constraints.get("non_neg") == constraints.NonNeg()
    with pytest.raises(UserError, match="did you mean 'l1"):
        regularizers.get("l11")
    with pytest.raises(UserError, match="did you mean 'unit_norm'"):
        constraints.get("unitnorm")


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), "much"])
def test_factors_are_checked(value):
    for make in (regularizers.L1, regularizers.L2, lambda v: regularizers.L1L2(l2=v)):
        with pytest.raises(UserError, match="number"):
            make(value)


def test_orthogonality_is_for_matrices():
    with pytest.raises(UserError, match="not a matrix"):
        regularizers.OrthogonalRegularizer()(np.ones(3))
    with pytest.raises(UserError, match="did you mean 'rows'"):
        regularizers.OrthogonalRegularizer(mode="row")
