"""Losses: against a peer, against differences, on both engines, far out, weighed in every way."""

import numpy as np
import pytest

from peer import gradient, keras_in
from trasluz import losses, ops, tape
from trasluz.autodiff import backend
from trasluz.errors import UserError
from trasluz.state import registry

CLASSES = {kind for kind in losses.registry.known.values() if isinstance(kind, type)}
OURS = {"SumOfSquaredResiduals", "HalfSquaredError", "PerceptronLoss"}
N, K = 8, 4


def real(rng, shape=(N, K)):
    return rng.normal(0, 2, shape), rng.normal(0, 2, shape)


def positive(rng, shape=(N, K)):
    return rng.gamma(2, 2, shape), rng.gamma(2, 2, shape)


def sides(rng, shape=(N, K)):
    return rng.choice([-1.0, 1.0], shape), rng.normal(0, 2, shape)


def bits(rng, shape=(N, K)):
    return rng.integers(0, 2, shape), rng.normal(0, 2, shape)


def shares(rng, shape=(N, K)):
    return tuple(rng.dirichlet(np.ones(shape[-1]), shape[:-1]) for _ in range(2))


def yes(rng, shape=(N, K)):
    return rng.integers(0, 2, shape), rng.uniform(0.01, 0.99, shape)


def one_hot(rng, shape=(N, K)):
    return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])], shares(rng, shape)[1]


def one_hot_logits(rng, shape=(N, K)):
    return one_hot(rng, shape)[0], rng.normal(0, 3, shape)


def numbered(rng, shape=(N, K)):
    return rng.integers(0, shape[-1], shape[:-1]), shares(rng, shape)[1]


def numbered_logits(rng, shape=(N, K)):
    return rng.integers(0, shape[-1], shape[:-1]), rng.normal(0, 3, shape)


# class: (sample, arguments) to try
CASES = {
    "MeanSquaredError": [(real, {})],
    "SumOfSquaredResiduals": [(real, {})],
    "HalfSquaredError": [(real, {})],
    "MeanAbsoluteError": [(real, {})],
    "MeanAbsolutePercentageError": [(real, {})],
    "MeanSquaredLogarithmicError": [(positive, {})],
    "Huber": [(real, {}), (real, {"delta": 0.3})],
    "LogCosh": [(real, {})],
    "CosineSimilarity": [(real, {}), (real, {"axis": 0})],
    "PerceptronLoss": [(sides, {}), (bits, {})],
    "Hinge": [(sides, {}), (bits, {})],
    "SquaredHinge": [(sides, {}), (bits, {})],
    "CategoricalHinge": [(one_hot_logits, {})],
    "BinaryCrossentropy": [
        (yes, {}),
        (bits, {"from_logits": True}),
        (bits, {"from_logits": True, "label_smoothing": 0.2}),
        (yes, {"label_smoothing": 0.1}),
        (yes, {"axis": 0}),
    ],
    "BinaryFocalCrossentropy": [
        (yes, {}),
        (bits, {"from_logits": True}),
        (yes, {"apply_class_balancing": True, "alpha": 0.4, "gamma": 1.5}),
        (yes, {"label_smoothing": 0.1, "gamma": 3.0}),
    ],
    "CategoricalCrossentropy": [
        (one_hot, {}),
        (shares, {}),
        (one_hot_logits, {"from_logits": True}),
        (one_hot_logits, {"from_logits": True, "label_smoothing": 0.2}),
        (one_hot, {"label_smoothing": 0.1}),
    ],
    "CategoricalFocalCrossentropy": [
        (one_hot, {}),
        (one_hot_logits, {"from_logits": True}),
        (one_hot, {"alpha": 0.5, "gamma": 1.0, "label_smoothing": 0.1}),
    ],
    "SparseCategoricalCrossentropy": [
        (numbered, {}),
        (numbered_logits, {"from_logits": True}),
        (numbered, {"ignore_class": 1}),
        (numbered_logits, {"from_logits": True, "ignore_class": 0}),
    ],
    "KLDivergence": [(shares, {})],
    "Poisson": [(positive, {})],
}
EVERY = [(name, *case) for name, cases in CASES.items() for case in cases]
PEERS = [case for case in EVERY if case[0] not in OURS]
WEIGHTS = {"none": None, "number": 0.5, "(n,)": (N,), "(n, 1)": (N, 1)}


def made(name, **options):
    return losses.registry.find(name)(**options)


def drawn(sample, dtype="float64", seed=0, shape=(N, K)):
    y, p = sample(np.random.default_rng(seed), shape)
    return (y.astype(dtype) if y.dtype.kind == "f" else y), p.astype(dtype)


def weights(shape, seed=1):
    if shape is None or isinstance(shape, float):
        return shape
    return np.random.default_rng(seed).uniform(0, 2, shape)


def test_every_loss_has_a_case():
    known = {kind.__name__ for kind in CLASSES}
    assert known <= set(CASES), f"add to CASES in tests/test_losses.py: {known - set(CASES)}"
    assert set(CASES) <= known, f"CASES names what is no loss: {set(CASES) - known}"


# ------------------------------------------------------------------------------------- on its own


@pytest.mark.parametrize(("name", "sample", "options"), EVERY)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_and_engines(name, sample, options, dtype):
    loss = made(name, **options)
    y, p = drawn(sample, dtype)
    value = loss(y, p)
    assert value.dtype == dtype
    assert value.shape == ()
    compiled = backend.compiled(lambda y, p: loss(y, p), "xla")(y, p)
    assert compiled.dtype == dtype
    tolerance = 5e-6 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(compiled, value, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "sample", "options"), EVERY)
@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
def test_gradient_is_that_of_central_differences(name, sample, options, weight):
    loss, weight = made(name, **options), weights(weight)
    if options.get("axis") == 0 and isinstance(weight, np.ndarray):
        weight = None  # values are one an output then
    for seed in range(3):
        y, p = drawn(sample, seed=seed)
        v = np.random.default_rng(seed + 10).normal(size=p.shape)
        h = 1e-6
        slope = np.sum(tape.grad(lambda p: loss(y, p, weight))(p) * v)  # noqa: B023
        difference = (loss(y, p + h * v, weight) - loss(y, p - h * v, weight)) / (2 * h)
        assert slope == pytest.approx(difference, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize(("name", "sample", "options"), EVERY)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("engine", ["numpy", "xla"])
def test_finite_far_out_and_at_kinks(name, sample, options, dtype, engine):
    loss = made(name, **options)
    y, _ = drawn(sample, dtype)
    far = np.array([0, -0.0, 1, -1, 1e3, -1e3, 0.5, 1e-9], dtype)
    if sample in (positive, shares, one_hot, numbered, yes):
        far = np.array([0, 0, 1, 1, 0.5, 1, 0, 1e-9], dtype)
    both = backend.compiled(lambda y, p: tape.value_and_grad(lambda p: loss(y, p))(p), engine)
    for shift in range(4):
        p = np.stack([np.roll(far, shift + i * 3) for i in range(K)], axis=1)
        value, gradient = both(y, p)
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()
        if y.dtype.kind == "f" and sample in (real, positive, shares):
            assert np.isfinite(both(y, y)[1]).all()


@pytest.mark.parametrize("reduction", losses.REDUCTIONS)
@pytest.mark.parametrize("shape", [None, 2.0, (N,), (N, 1), (N, 3)])
def test_reductions(reduction, shape):
    y, p = drawn(real, shape=(N, 3, K))
    weight = weights(shape)
    values = np.mean((y - p) ** 2, axis=-1)  # (N, 3)
    w = 1.0 if weight is None else np.asarray(weight)
    spread = w[:, None] if np.ndim(w) == 1 else w
    expected = {
        "sum_over_batch_size": np.mean(values * spread),
        "mean": np.mean(values * spread),
        "sum": np.sum(values * spread),
        "mean_with_sample_weight": np.sum(values * spread) / np.sum(w)
        if weight is not None
        else np.mean(values),
        "none": values * spread,
        None: values * spread,
    }[reduction]
    result = losses.MeanSquaredError(reduction=reduction)(y, p, sample_weight=weight)
    np.testing.assert_allclose(result, expected, rtol=1e-13)


def test_ignored_targets_do_not_count():
    y, p = drawn(numbered)
    y[:3] = -1
    loss = losses.SparseCategoricalCrossentropy(ignore_class=-1)
    assert loss(y, p) == pytest.approx(losses.SparseCategoricalCrossentropy()(y[3:], p[3:]))
    assert loss(np.full(N, -1), p) == 0
    assert (tape.grad(lambda p: loss(y, p))(p)[:3] == 0).all()


def test_ours_are_what_they_say():
    y, p = np.array([[0.05, 0.95]]), np.array([[0.73492861, 0.77955388]])
    assert losses.HalfSquaredError()(y, p) == pytest.approx(0.24908954, abs=1e-8)
    twice = np.vstack([y, y]), np.vstack([p, p])
    assert losses.HalfSquaredError()(*twice) == pytest.approx(0.24908954, abs=1e-8)
    assert losses.SumOfSquaredResiduals()(*twice) == pytest.approx(4 * 0.24908954, abs=1e-7)
    y, p = np.array([[1.0], [-1.0], [1.0]]), np.array([[2.0], [3.0], [-1.0]])
    assert losses.PerceptronLoss()(y, p) == pytest.approx(4 / 3)
    assert losses.PerceptronLoss()((y + 1) / 2, p) == pytest.approx(4 / 3)


def test_conventions_of_label_smoothing():
    y = np.array([0.0, 0, 1, 0, 0])
    course = losses.smooth_labels(y, 0.01, 5, "course")
    np.testing.assert_allclose(course, [0.0025, 0.0025, 0.99, 0.0025, 0.0025])
    np.testing.assert_allclose(
        losses.smooth_labels(y, 0.01, 5), [0.002] * 2 + [0.992] + [0.002] * 2
    )
    assert losses.smooth_labels(y, 0, 5) is y
    target, p = drawn(one_hot)
    smoothed = losses.smooth_labels(target, 0.1, K, "course")
    assert losses.CategoricalCrossentropy(label_smoothing=0.1, label_smoothing_convention="course")(
        target, p
    ) == pytest.approx(losses.CategoricalCrossentropy()(smoothed, p))
    with pytest.raises(UserError, match="course"):
        losses.smooth_labels(y, 0.1, 5, "curse")


# ------------------------------------------------------------------------- seeing through to logits

FUSED = [
    ("BinaryCrossentropy", bits, ops.sigmoid),
    ("BinaryFocalCrossentropy", bits, ops.sigmoid),
    ("CategoricalCrossentropy", one_hot_logits, ops.softmax),
    ("CategoricalFocalCrossentropy", one_hot_logits, ops.softmax),
    ("SparseCategoricalCrossentropy", numbered_logits, ops.softmax),
]


@pytest.mark.parametrize(("name", "sample", "activation"), FUSED)
@pytest.mark.parametrize("engine", ["numpy", "xla"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activation_fuses_with_its_cross_entropy(name, sample, activation, engine, dtype):
    y, z = drawn(sample, dtype)
    z = z * np.array([1, 100, 300, 0.1], dtype)
    hidden, open_ = made(name), made(name, from_logits=True)
    run = backend.compiled(
        lambda y, z: tape.value_and_grad(lambda z: hidden(y, activation(z)))(z), engine
    )
    direct = backend.compiled(lambda y, z: tape.value_and_grad(lambda z: open_(y, z))(z), engine)
    for fused, expected in zip(run(y, z), direct(y, z), strict=True):
        np.testing.assert_array_equal(fused, expected)
        assert np.isfinite(fused).all()


def test_gradient_of_a_hopeless_case_is_not_lost():
    z = np.array([[1e3, -1e3]])
    several, single = losses.CategoricalCrossentropy(), losses.BinaryCrossentropy()
    gradient = tape.grad(lambda z: several([[0.0, 1.0]], ops.softmax(z)))(z)
    np.testing.assert_allclose(gradient, [[1.0, -1.0]])
    gradient = tape.grad(lambda z: single([[0.0, 1.0]], ops.sigmoid(z)))(z)
    np.testing.assert_allclose(gradient, [[0.5, -0.5]])


def test_fused_and_clipped_agree_where_nothing_is_clipped():
    y, z = drawn(one_hot_logits)
    plain = losses.CategoricalCrossentropy()(y, ops.softmax(z))
    fused = tape.value_and_grad(lambda z: losses.CategoricalCrossentropy()(y, ops.softmax(z)))(z)[0]
    assert plain == pytest.approx(fused, rel=1e-12)


def test_another_column_of_predictions_still_fuses():
    z = np.array([[1e3], [-1e3]])  # targets without the last axis
    gradient = tape.grad(lambda z: losses.BinaryCrossentropy()([0, 1], ops.sigmoid(z)))(z)
    np.testing.assert_allclose(gradient, [[0.5], [-0.5]])


# ---------------------------------------------------------------------------- what may be handed in


def test_lists_whole_numbers_and_ranks():
    assert losses.MeanSquaredError()([0, 1], [[0.0], [3.0]]) == 2
    assert losses.mean_squared_error([[0], [1]], [0.0, 3.0]).tolist() == [0, 4]
    assert losses.mean_absolute_error([1, 2], [2, 4]).dtype == np.float32
    y = np.array([0, 1], np.int64)
    p = np.array([[0.25], [0.75]], np.float32)
    assert losses.BinaryCrossentropy()(y, p).dtype == np.float32
    assert losses.MeanSquaredError(dtype="float64")(y, p).dtype == np.float64


@pytest.mark.parametrize("name", CASES)
def test_wrong_shapes_are_said(name):
    with pytest.raises(UserError, match=r"\(5, 3\).*\(8, 4\)"):
        made(name)(np.zeros((5, 3)), np.ones((8, 4)))


def test_other_wrong_arguments():
    with pytest.raises(UserError, match="did you mean 'mean'"):
        losses.MeanSquaredError(reduction="meen")
    with pytest.raises(UserError, match="binary_crossentropy"):
        losses.CategoricalCrossentropy()([[1.0]], [[0.5]])
    with pytest.raises(UserError, match="did you mean 'mean_squared_error'"):
        losses.get("mean_square_error")


def test_ties_have_a_derivative_in_between():
    at = {
        losses.hinge: ([1.0], [1.0], -0.5),
        losses.perceptron: ([1.0], [0.0], -0.5),
        losses.mean_absolute_error: ([1.0], [1.0], 0.0),
        losses.huber: ([0.0], [1.0], 1.0),
    }
    for f, (y, p, slope) in at.items():
        assert tape.grad(lambda p: ops.sum(f(y, p)))(np.array(p)) == [slope], f  # noqa: B023


# -------------------------------------------------------------------------------- names and configs


@pytest.mark.parametrize("name", CASES)
def test_names_and_configs(name):
    kind = losses.registry.find(name)
    loss = kind(reduction="sum", name="mine")
    again = losses.deserialize(losses.serialize(loss))
    assert type(again) is kind
    assert again.get_config() == loss.get_config()
    assert losses.get(kind.function.__name__) is kind.function
    assert type(losses.resolve(kind.function.__name__)) is kind
    assert losses.resolve(loss) is loss


def test_shorthands():
    for short in ("mse", "MSE", "mae", "MAE", "mape", "MAPE", "msle", "MSLE", "bce", "kld", "ssr"):
        assert isinstance(losses.resolve(short), losses.Loss)
    assert losses.resolve(None) is None
    assert losses.resolve("ssr")([[0.0], [0.0]], [[1.0], [2.0]]) == 5
    kinds = {((8,), (8, 3)): "sparse_categorical", ((8, 3), (8, 3)): "categorical"}
    kinds[((8,), (8, 1))] = "binary"
    for shapes, kind in kinds.items():
        assert losses.resolve("crossentropy", *shapes).name == f"{kind}_crossentropy"


def test_own_losses():
    class Cubic(losses.Loss):
        def call(self, y_true, y_pred):
            return ops.mean(ops.absolute(y_true - y_pred) ** 3, axis=-1)

    class Scaled(losses.Loss):
        def __init__(self, factor=2.0, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, y_true, y_pred):
            return self.factor * ops.mean(ops.square(y_true - y_pred), axis=-1)

    class Shifted(Scaled):
        def call(self, y_true, y_pred):
            return super().call(y_true, y_pred) + 1

    assert Cubic()([[0]], [[2.0]]) == 8
    assert Cubic(reduction="sum").reduction == "sum"
    assert Scaled(3.0, name="s")([[0]], [[2.0]]) == 12
    assert Shifted(factor=1.0, reduction="sum")([[0], [0]], [[2.0], [0.0]]) == 6
    wrapped = losses.resolve(lambda y, p: ops.sum(y - p, axis=-1))
    assert wrapped([[1.0]], [[0.0]]) == 1
    huber = losses.LossFunctionWrapper(losses.huber, delta=0.5)
    again = losses.LossFunctionWrapper.from_config(huber.get_config())
    assert again([[0.0]], [[2.0]]) == losses.Huber(0.5)([[0.0]], [[2.0]])
    assert registry.plain(losses.huber) == "huber"


# ----------------------------------------------------------------------------------------- a peer


def theirs(name, options, y, p, weight=None):
    if "ignore_class" in options and np.ndim(weight) in (0, y.ndim) and weight is not None:
        weight = np.broadcast_to(weight, y.shape).copy()  # Keras multiplies it in its place
    with keras_in(str(p.dtype)) as keras:
        return np.asarray(getattr(keras.losses, name)(**options)(y, p, sample_weight=weight))


@pytest.mark.interop
@pytest.mark.parametrize(("name", "sample", "options"), PEERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_against_keras(name, sample, options, dtype):
    tolerance = {"float32": 5e-6, "float64": 1e-11}[dtype]
    for seed in range(2):
        y, p = drawn(sample, dtype, seed)
        for reduction in losses.REDUCTIONS:
            for shape in WEIGHTS.values():
                weight = weights(shape, seed)
                if options.get("axis") == 0 and isinstance(shape, tuple):
                    continue
                both = options | {"reduction": reduction}
                ours, peer = made(name, **both)(y, p, weight), theirs(name, both, y, p, weight)
                assert ours.shape == peer.shape
                np.testing.assert_allclose(ours, peer, rtol=tolerance, atol=tolerance)


@pytest.mark.interop
@pytest.mark.parametrize(
    ("name", "sample", "options"), [case for case in PEERS if "axis" not in case[2]]
)
def test_sequences_against_keras(name, sample, options):
    y, p = drawn(sample, "float64", 2, (N, 3, K))
    for reduction in losses.REDUCTIONS:
        for shape in (None, 2.0, (N, 1), (N, 3)):
            weight = weights(shape)
            both = options | {"reduction": reduction}
            ours, peer = made(name, **both)(y, p, weight), theirs(name, both, y, p, weight)
            np.testing.assert_allclose(ours, peer, rtol=1e-11, atol=1e-11)


@pytest.mark.interop
@pytest.mark.parametrize("name", ["BinaryCrossentropy", "CategoricalCrossentropy"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_extreme_logits_against_keras(name, dtype):
    y = np.eye(4, dtype=dtype)
    p = np.array([[1e3, -1e3, 0, 50], [-50, 1e3, 1e3, 0], [30, 0, -30, 88], [-1e3] * 4], dtype)
    options = {"from_logits": True, "reduction": None}
    np.testing.assert_allclose(
        made(name, **options)(y, p), theirs(name, options, y, p), rtol=2e-6, atol=1e-12
    )


@pytest.mark.interop
@pytest.mark.parametrize(("name", "sample", "options"), PEERS)
def test_gradient_against_keras(name, sample, options):
    y, p = drawn(sample, seed=5)
    with keras_in("float64") as keras:
        peer = gradient(lambda p: getattr(keras.losses, name)(**options)(y, p), p)
    ours = tape.grad(lambda p: made(name, **options)(y, p))(p)
    np.testing.assert_allclose(ours, peer, rtol=1e-9, atol=1e-11)


@pytest.mark.interop
@pytest.mark.parametrize(("name", "sample", "options"), PEERS)
def test_functions_against_keras(name, sample, options):
    y, p = drawn(sample, seed=6)
    function = losses.registry.find(name).function
    with keras_in("float64") as keras:
        peer = getattr(keras.losses, function.__name__)(y, p, **options)
    np.testing.assert_allclose(function(y, p, **options), peer, rtol=1e-11, atol=1e-11)
