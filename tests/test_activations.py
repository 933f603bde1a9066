"""Activations: against a peer, against differences, on both engines, far out and in both widths."""

import numpy as np
import pytest

from peer import gradient, keras_in
from trasluz import activations, ops, tape
from trasluz.autodiff import backend
from trasluz.errors import UserError

# name: keyword arguments to try
CASES = {
    "linear": [{}],
    "sign": [{}],
    "sigmoid": [{}],
    "hard_sigmoid": [{}],
    "tanh": [{}],
    "relu": [
        {},
        {"negative_slope": 0.1},
        {"max_value": 1.5},
        {"threshold": 0.7},
        {"negative_slope": 0.2, "max_value": 2.0, "threshold": 1.0},
        {"negative_slope": 0.2, "threshold": -0.5},
    ],
    "relu6": [{}],
    "leaky_relu": [{}, {"negative_slope": 0.05}],
    "elu": [{}, {"alpha": 0.5}],
    "selu": [{}],
    "gelu": [{}, {"approximate": True}],
    "silu": [{}],
    "softplus": [{}],
    "softsign": [{}],
    "mish": [{}],
    "exponential": [{}],
    "softmax": [{}, {"axis": 0}],
    "log_softmax": [{}, {"axis": 0}],
}
EVERY = [(name, options) for name, many in CASES.items() for options in many]
GROWS = {"exponential"}  # has no finite value far out


def numbers(dtype="float64", shape=(7, 5)):
    return np.random.default_rng(3).normal(0, 2.5, shape).astype(dtype)


def test_every_registered_activation_has_a_case():
    known = {"silu" if name == "swish" else name for name in activations.registry.known}
    assert known == set(CASES)


@pytest.mark.parametrize(("name", "options"), EVERY)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_and_engines(name, options, dtype):
    f = activations.get(name)
    x = numbers(dtype)
    y = f(x, **options)
    assert y.dtype == dtype
    assert y.shape == x.shape
    compiled = backend.compiled(lambda x: f(x, **options), "xla")(x)
    assert compiled.dtype == dtype
    tolerance = 3e-6 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(compiled, y, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "options"), EVERY)
def test_gradient_is_that_of_central_differences(name, options):
    f = activations.get(name)
    rng = np.random.default_rng(5)
    x, weight, v = (rng.normal(0, 2.0, (6, 4)) for _ in range(3))

    def scalar(x):
        return ops.sum(f(x, **options) * weight)

    slope = np.sum(tape.grad(scalar)(x) * v)
    h = 1e-6
    assert slope == pytest.approx((scalar(x + h * v) - scalar(x - h * v)) / (2 * h), abs=1e-7)


@pytest.mark.parametrize(("name", "options"), EVERY)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("engine", ["numpy", "xla"])
def test_safe_far_out_and_at_kinks(name, options, dtype, engine):
    if name in GROWS:
        x = np.array([-1e3, -50, -0.0, 0, 50], dtype)
    else:
        x = np.array([-1e3, -89, -6, -3, -0.5, -0.0, 0, 0.7, 1, 1.5, 2, 3, 6, 89, 1e3], dtype)
    f = activations.get(name)

    def both(x):
        y, pullback = tape.vjp(lambda x: f(x, **options), x)
        return y, pullback(ops.softplus(x * 0))[0]

    y, gradient = backend.compiled(both, engine)(x)
    assert np.isfinite(y).all()
    assert np.isfinite(gradient).all()
    assert gradient.dtype == dtype


def test_kinks_have_the_written_derivative():
    slope = tape.grad(lambda x: ops.sum(activations.relu(x)))
    assert slope(np.array([0.0])) == 0
    at_six = tape.grad(lambda x: ops.sum(activations.relu6(x)))
    assert at_six(np.array([6.0])) == 0.5
    leaky = tape.grad(lambda x: ops.sum(activations.leaky_relu(x)))
    assert leaky(np.array([0.0])) == 0.2
    assert tape.grad(lambda x: ops.sum(activations.elu(x)))(np.array([0.0])) == 1


@pytest.mark.parametrize("name", [n for n in CASES if "softmax" not in n])
def test_python_numbers(name):
    f = activations.get(name)
    assert float(f(0.5)) == pytest.approx(float(f(np.array(0.5))))


def test_the_functions_that_losses_see_through():
    x = np.array([[0.3, -0.2]])
    seen = []

    def f(x):
        seen.append(tape.made_by(activations.sigmoid(x), ops.sigmoid))
        seen.append(tape.made_by(activations.softmax(x), ops.softmax))
        return ops.sum(x)

    tape.grad(f)(x)
    assert all(logits is not None for logits in seen)


def test_finding_and_writing_down():
    assert activations.get(None) is activations.linear
    assert activations.get("swish") is activations.silu
    assert activations.get(np.tanh) is np.tanh
    for name in CASES:
        f = activations.get(name)
        written = activations.serialize(f)
        assert written == name
        assert activations.deserialize(written) is f
    with pytest.raises(UserError, match="did you mean 'relu'"):
        activations.get("rleu")


@pytest.mark.interop
@pytest.mark.parametrize(("name", "options"), [e for e in EVERY if e[0] != "sign"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_against_keras(name, options, dtype):
    x = np.concatenate([numbers(dtype), np.array([[-80, -1e-3, 0, 1e-3, 80]], dtype)])
    with keras_in(dtype) as keras:
        theirs = np.asarray(keras.activations.get(name)(x, **options))
    tolerance = 2e-6 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(
        activations.get(name)(x, **options), theirs, rtol=tolerance, atol=tolerance
    )


@pytest.mark.interop
@pytest.mark.parametrize(("name", "options"), [e for e in EVERY if e[0] != "sign"])
def test_gradient_against_keras(name, options):
    x = numbers()
    with keras_in("float64") as keras:
        function = keras.activations.get(name)
        if name == "hard_sigmoid":  # whose derivative takes a sixth in float32, on PyTorch
            function = lambda x: keras.ops.relu6(x + 3) / 6  # noqa: E731
        theirs = gradient(lambda x: (function(x, **options) * x).sum(), x)
    ours = tape.grad(lambda x: ops.sum(activations.get(name)(x, **options) * x))(x)
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)
