"""Where weights start: what a key determines, and distributions against theory and Keras."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trasluz import initializers, random
from trasluz.errors import UserError

KERNEL = (60, 50)
# class -> samples of (arguments, mean, standard deviation, greatest absolute value) of a kernel
GLOROT, HE, LECUN = 2 / 110, 2 / 60, 1 / 60
CUT = 2 / 0.87962566103423978
DRAWN = {
    "RandomNormal": [({}, 0.0, 0.05, math.inf), ({"mean": 1.0, "stddev": 2.0}, 1.0, 2.0, math.inf)],
    "RandomUniform": [
        ({}, 0.0, 0.05 / math.sqrt(3), 0.05),
        ({"minval": 0.0, "maxval": 2.0}, 1.0, 1 / math.sqrt(3), 2.0),
    ],
    "TruncatedNormal": [({}, 0.0, 0.05 * 0.8796, 0.1)],
    "VarianceScaling": [
        ({}, 0.0, math.sqrt(LECUN), CUT * math.sqrt(LECUN)),
        (
            {"scale": 3.0, "mode": "fan_out", "distribution": "uniform"},
            0.0,
            math.sqrt(3 / 50),
            3 / math.sqrt(50),
        ),
        (
            {"mode": "fan_avg", "distribution": "untruncated_normal"},
            0.0,
            math.sqrt(1 / 55),
            math.inf,
        ),
        (
            {"input_axes": [0, 1], "output_axes": [1]},
            0.0,
            math.sqrt(1 / 3000),
            CUT * math.sqrt(1 / 3000),
        ),
    ],
    "GlorotUniform": [({}, 0.0, math.sqrt(GLOROT), math.sqrt(3 * GLOROT))],
    "GlorotNormal": [({}, 0.0, math.sqrt(GLOROT), CUT * math.sqrt(GLOROT))],
    "HeUniform": [({}, 0.0, math.sqrt(HE), math.sqrt(3 * HE))],
    "HeNormal": [({}, 0.0, math.sqrt(HE), CUT * math.sqrt(HE))],
    "LecunUniform": [({}, 0.0, math.sqrt(LECUN), math.sqrt(3 * LECUN))],
    "LecunNormal": [({}, 0.0, math.sqrt(LECUN), CUT * math.sqrt(LECUN))],
    "Orthogonal": [({"gain": 2.0}, 0.0, 2 / math.sqrt(60), 2.0)],
}
FIXED = {
    "Zeros": [{}],
    "Ones": [{}],
    "Constant": [{}, {"value": 3.0}],
    "Identity": [{}, {"gain": 2.0}],
}
CASES = [(n, k) for n, several in DRAWN.items() for k, *_ in several]
CASES += [(n, k) for n, several in FIXED.items() for k in several]
STATISTICS = [(n, *sample) for n, several in DRAWN.items() for sample in several]


def test_every_initializer_has_a_sample():
    known = {c.__name__ for c in initializers.registry.known.values()}
    assert known == set(DRAWN) | set(FIXED)
    assert known <= set(initializers.__all__)


@pytest.mark.parametrize(("name", "kwargs", "mean", "stddev", "limit"), STATISTICS)
def test_statistics_are_those_of_theory(name, kwargs, mean, stddev, limit):
    n = math.prod(KERNEL)
    x = getattr(initializers, name)(**kwargs)(KERNEL, "float64", random.key(3))
    assert abs(x.mean() - mean) < 4 * stddev / math.sqrt(n)
    assert abs(x.std() / stddev - 1) < 4 * math.sqrt(0.5 / n) + 1e-3
    assert abs(x).max() <= limit * (1 + 1e-6)
    if name != "Orthogonal" and limit < math.inf:
        assert abs(x).max() > 0.97 * limit


@pytest.mark.interop
@pytest.mark.parametrize(("name", "kwargs"), CASES)
@pytest.mark.parametrize("shape", [KERNEL, (3, 3, 16, 32)])
def test_statistics_are_those_of_keras(name, kwargs, shape):
    keras = pytest.importorskip("keras")
    shape = KERNEL if name == "Identity" else shape
    ours, theirs = (getattr(m, name)(**kwargs) for m in (initializers, keras.initializers))
    if name != "Identity":  # Keras forgets its gain
        assert ours.get_config() == theirs.get_config()
    a, b = ours(shape, key=random.key(1)), np.asarray(theirs(shape))
    assert (a.shape, a.dtype) == (b.shape, b.dtype)
    if name in FIXED:
        assert (a == b).all()
        return
    n, spread = math.prod(shape), b.std()
    assert abs(a.mean() - b.mean()) < 6 * spread / math.sqrt(n)
    assert abs(a.std() / spread - 1) < 6 * math.sqrt(0.5 / n)
    for q in (0.1, 0.25, 0.75, 0.9):
        assert abs(np.quantile(a, q) - np.quantile(b, q)) < 10 * spread / math.sqrt(n)


@pytest.mark.parametrize(("name", "kwargs"), CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_key_determines_the_array_and_its_dtype(name, kwargs, dtype):
    initializer = getattr(initializers, name)(**kwargs)
    a, b = (initializer((6, 5), dtype, random.key(7)) for _ in range(2))
    assert type(a) is np.ndarray
    assert (a.shape, a.dtype) == ((6, 5), np.dtype(dtype))
    assert (a == b).all()
    a[0, 0] = 9  # what was drawn is the caller's
    assert name in FIXED or (initializer((6, 5), dtype, random.key(8)) != b).any()


@pytest.mark.parametrize("name", DRAWN)
def test_a_seed_goes_before_a_key(name):
    cls = getattr(initializers, name)
    a = cls(seed=1)((6, 5), key=random.key(7))
    assert (a == cls(seed=1)((6, 5), key=random.key(8))).all()
    assert (a == cls(seed=1)((6, 5))).all()
    assert (a != cls(seed=2)((6, 5))).any()


def test_without_seed_or_key_the_programs_seed_decides():
    draw = initializers.GlorotUniform()
    random.set_seed(3)
    a, b = draw((4, 4)), draw((4, 4))
    random.set_seed(3)
    assert (a == draw((4, 4))).all()
    assert (a != b).any()


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (2, 3, 4)])
def test_orthogonal_is_orthonormal(shape):
    q = initializers.Orthogonal()(shape, "float64", random.key(1)).reshape(-1, shape[-1])
    few = q.T @ q if q.shape[0] >= q.shape[1] else q @ q.T
    np.testing.assert_allclose(few, np.eye(len(few)), atol=1e-12)


def test_scalars_and_vectors():
    for name in ("glorot_uniform", "he_normal", "zeros", "random_normal"):
        initializer = initializers.get(name)
        for shape in ((), (3,)):
            x = initializer(shape, key=random.key(1))
            assert type(x) is np.ndarray
            assert x.shape == shape


@pytest.mark.parametrize(("name", "kwargs"), CASES)
def test_round_trip_of_the_config(name, kwargs):
    initializer = getattr(initializers, name)(**kwargs)
    again = initializers.deserialize(initializers.serialize(initializer))
    assert again == initializer


def test_get():
    assert initializers.get(None) is None
    assert initializers.get("GlorotUniform") == initializers.get("glorot_uniform")
    assert initializers.get("uniform") == initializers.RandomUniform()
    assert initializers.get(initializers.Ones) == initializers.Ones()
    with pytest.raises(UserError, match="did you mean 'he_normal'"):
        initializers.get("he_norml")
    values = np.arange(6.0).reshape(2, 3)
    given = initializers.get(values)
    assert (given((2, 3), "float64", random.key(1)) == values).all()
    with pytest.raises(UserError, match=r"shape \(2, 3\), the weight has \(3, 2\)"):
        given((3, 2))
    plain = initializers.get(lambda shape, dtype=None: np.full(shape, 2.0, dtype))
    assert (plain((2,), dtype=np.dtype("float32"), key=random.key(1)) == 2).all()


def test_what_cannot_be():
    with pytest.raises(UserError, match="scale is 0"):
        initializers.VarianceScaling(0.0)
    with pytest.raises(UserError, match="did you mean 'fan_in'"):
        initializers.VarianceScaling(mode="fanin")
    with pytest.raises(UserError, match="distribution"):
        initializers.VarianceScaling(distribution="cauchy")
    for name in ("identity", "orthogonal"):
        with pytest.raises(UserError, match="not a matrix"):
            initializers.get(name)((3,))
