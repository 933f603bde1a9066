"""Metrics: against a peer over several batches, bound and compiled, weighed in every way."""

import numpy as np
import pytest

from peer import keras_in
from trasluz import losses, metrics, ops, state
from trasluz.autodiff import backend
from trasluz.callbacks import EarlyStopping
from trasluz.errors import UserError

CLASSES = set(metrics.registry.known.values())
OURS = {"ConfusionMatrix"}
NEITHER = {"confusion_matrix", "mean", "mean_metric_wrapper", "sum"}  # no way is the better one
N, K = 12, 4


def real(rng, n=N):
    return rng.normal(0, 2, (n, K)), rng.normal(0, 2, (n, K))


def column(rng, n=N):
    y = rng.normal(3, 2, (n, 1))
    return y, y + rng.normal(0, 1, (n, 1))


def positive(rng, n=N):
    return rng.gamma(2, 2, (n, K)), rng.gamma(2, 2, (n, K))


def few(rng, n=N):
    return rng.integers(0, 3, (n, K)), rng.integers(0, 3, (n, K))


def sides(rng, n=N):
    return rng.choice([-1.0, 1.0], (n, K)), rng.normal(0, 2, (n, K))


def shares(rng, n=N):
    return rng.dirichlet(np.ones(K), n), rng.dirichlet(np.ones(K), n)


def yes(rng, n=N):
    return rng.integers(0, 2, (n, K)), rng.uniform(0, 1, (n, K))


def yes_logits(rng, n=N):
    return rng.integers(0, 2, (n, K)), rng.normal(0, 3, (n, K))


def one_yes(rng, n=N):
    return rng.integers(0, 2, (n, 1)), rng.uniform(0, 1, (n, 1))


def flat_yes(rng, n=N):
    return rng.integers(0, 2, n), rng.uniform(0, 1, n)


def one_hot(rng, n=N):
    return np.eye(K)[rng.integers(0, K, n)], shares(rng, n)[1]


def one_hot_logits(rng, n=N):
    return one_hot(rng, n)[0], rng.normal(0, 3, (n, K))


def numbered(rng, n=N):
    return rng.integers(0, K, n), shares(rng, n)[1]


def numbered_column(rng, n=N):
    return rng.integers(0, K, (n, 1)), shares(rng, n)[1]


def numbers(rng, n=N):
    return rng.integers(0, K, n), rng.integers(0, K, n)


def values(rng, n=N):
    return (rng.normal(0, 2, (n, K)),)


def sorted_ids(rng, n=N):
    ids = np.argsort(rng.uniform(size=(n, K)), axis=1)
    return rng.integers(0, K, n), ids.astype(float)


# class: (sample, arguments) to try
CASES = {
    "Mean": [(values, {})],
    "Sum": [(values, {})],
    "MeanSquaredError": [(real, {}), (column, {})],
    "RootMeanSquaredError": [(real, {}), (column, {})],
    "MeanAbsoluteError": [(real, {})],
    "MeanAbsolutePercentageError": [(real, {})],
    "MeanSquaredLogarithmicError": [(positive, {})],
    "LogCoshError": [(real, {})],
    "CosineSimilarity": [(real, {})],
    "R2Score": [
        (column, {}),
        (real, {}),
        (real, {"class_aggregation": None}),
        (real, {"class_aggregation": "variance_weighted_average"}),
        (column, {"num_regressors": 3}),
        (column, {"num_regressors": 100}),
    ],
    "Hinge": [(sides, {})],
    "SquaredHinge": [(sides, {})],
    "CategoricalHinge": [(one_hot_logits, {})],
    "KLDivergence": [(shares, {})],
    "Poisson": [(positive, {})],
    "BinaryCrossentropy": [
        (yes, {}),
        (yes_logits, {"from_logits": True}),
        (yes, {"label_smoothing": 0.1}),
    ],
    "CategoricalCrossentropy": [
        (one_hot, {}),
        (one_hot_logits, {"from_logits": True, "label_smoothing": 0.1}),
    ],
    "SparseCategoricalCrossentropy": [(numbered, {}), (numbered, {"ignore_class": 2})],
    "Accuracy": [(few, {}), (numbers, {})],
    "BinaryAccuracy": [(yes, {}), (one_yes, {"threshold": 0.3}), (flat_yes, {})],
    "CategoricalAccuracy": [(one_hot, {})],
    "SparseCategoricalAccuracy": [(numbered, {}), (numbered_column, {})],
    "TopKCategoricalAccuracy": [(one_hot, {}), (one_hot, {"k": 2})],
    "SparseTopKCategoricalAccuracy": [
        (numbered, {"k": 2}),
        (sorted_ids, {"k": 2, "from_sorted_ids": True}),
    ],
    "TruePositives": [(flat_yes, {}), (yes, {"thresholds": [0.2, 0.7]})],
    "FalsePositives": [(flat_yes, {}), (yes, {"thresholds": [0.2, 0.7]})],
    "TrueNegatives": [(flat_yes, {}), (yes, {"thresholds": [0.2, 0.7]})],
    "FalseNegatives": [(flat_yes, {}), (yes, {"thresholds": [0.0, 0.5, 1.0]})],
    "Precision": [
        (flat_yes, {}),
        (one_yes, {"thresholds": 0.3}),
        (yes, {"thresholds": [0.2, 0.5, 0.9]}),
        (yes, {"top_k": 2}),
        (yes, {"class_id": 1}),
        (yes, {"class_id": 2, "top_k": 2}),
    ],
    "Recall": [
        (flat_yes, {}),
        (yes, {"thresholds": [0.2, 0.9]}),
        (yes, {"top_k": 3}),
        (yes, {"class_id": 0}),
    ],
    "SensitivityAtSpecificity": [
        (flat_yes, {"specificity": 0.4}),
        (yes, {"specificity": 0.6, "num_thresholds": 11}),
        (flat_yes, {"specificity": 0.6, "num_thresholds": 1}),
        (yes, {"specificity": 0.5, "class_id": 1}),
    ],
    "SpecificityAtSensitivity": [(flat_yes, {"sensitivity": 0.4})],
    "PrecisionAtRecall": [(flat_yes, {"recall": 0.4})],
    "RecallAtPrecision": [(flat_yes, {"precision": 0.6})],
    "AUC": [
        *((flat_yes, {"curve": c, "summation_method": m})
          for c in ("ROC", "PR", "PRGAIN") for m in ("interpolation", "minoring", "majoring")),
        (one_yes, {"num_thresholds": 7}),
        (flat_yes, {"thresholds": [0.9, 0.1, 0.4]}),
        (yes, {"label_weights": [0.1, 0.2, 0.3, 0.4]}),
        (yes, {"multi_label": True}),
        (yes, {"multi_label": True, "num_labels": K, "curve": "PR"}),
        (yes, {"multi_label": True, "label_weights": [0.1, 0.2, 0.3, 0.4]}),
        (yes_logits, {"from_logits": True}),
    ],
    "FBetaScore": [
        (yes, {}),
        (yes, {"beta": 2.0, "threshold": 0.4, "average": "macro"}),
        (yes, {"beta": 0.5, "average": "micro"}),
        (one_hot, {"average": "weighted"}),
    ],
    "F1Score": [(one_hot, {}), (yes, {"threshold": 0.5, "average": "weighted"})],
    "ConfusionMatrix": [(numbered, {"num_classes": K}), (numbers, {"num_classes": K})],
    "IoU": [(numbers, {"num_classes": K, "target_class_ids": [0, 2]})],
    "BinaryIoU": [(flat_yes, {}), (flat_yes, {"target_class_ids": [1], "threshold": 0.3})],
    "MeanIoU": [
        (numbers, {"num_classes": K}),
        (numbers, {"num_classes": K, "ignore_class": 1}),
        (numbered, {"num_classes": K, "sparse_y_pred": False}),
    ],
    "OneHotIoU": [(one_hot, {"num_classes": K, "target_class_ids": [1, 3]})],
    "OneHotMeanIoU": [(one_hot, {"num_classes": K})],
}  # fmt: skip
EVERY = [(name, *case) for name, cases in CASES.items() for case in cases]
PEERS = [case for case in EVERY if case[0] not in OURS]
WHOLE_WEIGHTS = {"IoU", "BinaryIoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU"}


def made(kind, /, **options):
    return metrics.registry.find(kind)(**options)


def batches(sample, dtype, sizes=(N, N, 5), weighted=None, seed=0):
    """Draw batches: the arguments of `update_state`, and weights of a shape."""
    rng = np.random.default_rng(seed)
    for n in sizes:
        arrays = sample(rng, n)
        arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
        weight = None
        if weighted is not None:
            weight = rng.integers(0, 3, n) / 2
            weight = weight.astype(dtype).reshape((n,) if weighted == "(n,)" else (n, 1))
        yield arrays, weight


def test_every_metric_has_a_case():
    known = {kind.__name__ for kind in CLASSES} - {"MeanMetricWrapper"}
    assert known <= set(CASES), f"add to CASES in tests/test_metrics.py: {known - set(CASES)}"
    assert set(CASES) <= known, f"CASES names what is no metric: {set(CASES) - known}"


@pytest.mark.parametrize("name", [n for n in metrics.registry.names() if n not in NEITHER])
def test_names_tell_which_way_is_better(name):
    stop = EarlyStopping(f"val_{name}")
    assert stop.greater_is_better() in (True, False)


@pytest.mark.parametrize("name", sorted(NEITHER))
def test_names_that_tell_of_neither_way(name):
    with pytest.raises(UserError, match="does not tell whether more is better"):
        EarlyStopping(name).greater_is_better()


# ------------------------------------------------------------------------------------- on its own


@pytest.mark.parametrize(("name", "sample", "options"), EVERY)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bound_compiled_and_plain_agree(name, sample, options, dtype):
    """A twin gathers in a compiled step what the object gathers at once."""
    plain, metric = (made(name, **options, dtype=dtype) for _ in range(2))
    (first, _), *_ = batches(sample, dtype)
    if not metric.built:
        metric.build(first[0].shape, first[-1].shape)

    def step(arrays, batch, weight):
        twin = state.bind(metric, arrays)
        twin.update_state(*batch, sample_weight=weight)
        return state.read(twin), twin.result()

    run = backend.compiled(step, "xla")
    arrays, before = state.read(metric), dict(state.read(metric))
    assert arrays
    for batch, weight in batches(sample, dtype, sizes=(N, N), weighted="(n,)"):
        plain.update_state(*batch, sample_weight=weight)
        arrays, result = run(arrays, batch, weight)
    tolerance = 2e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(result, plain.result(), rtol=tolerance, atol=tolerance)
    assert np.asarray(plain.result()).dtype == dtype
    for path, array in backend.to_numpy(arrays).items():
        assert array.dtype == dtype
        np.testing.assert_allclose(array, state.read(plain)[path], rtol=tolerance, atol=tolerance)
        assert metric.__dict__[path] is before[path]  # the object itself saw nothing


@pytest.mark.parametrize(("name", "sample", "options"), EVERY)
def test_nothing_seen_reset_and_config(name, sample, options):
    metric = made(name, **options, name="mine")
    assert np.isfinite(metric.result()).all()
    batch, _ = next(batches(sample, "float32"))
    first = np.array(metric(*batch))
    metric.update_state(*batch)
    metric.reset_state()
    np.testing.assert_array_equal(metric(*batch), first)
    again = metrics.deserialize(metrics.serialize(metric))
    assert type(again) is type(metric)
    assert again.name == "mine"
    np.testing.assert_array_equal(again(*batch), first)
    assert [v.shape for v in metric.variables] == [a.shape for a in state.read(metric).values()]
    assert not metric.trainable_weights


@pytest.mark.parametrize(
    "name", [n for n in CASES if n not in {"Mean", "Sum", "ConfusionMatrix", *WHOLE_WEIGHTS}]
)
def test_wrong_shapes_are_said(name):
    options = next(options for _, options in CASES[name])
    with pytest.raises(UserError, match=r"\(5, 3\).*\(8, 4\)"):
        made(name, **options).update_state(np.zeros((5, 3)), np.ones((8, 4)))


def test_lists_will_do():
    assert metrics.MeanSquaredError()([[0, 1]], [[0, 3]]) == 2
    assert metrics.Precision()([0, 1], [1, 1]) == 0.5
    assert metrics.R2Score()([1, 2, 3], [1, 2, 3]) == 1


def test_r2_keeps_its_digits():
    """Targets far from zero: sums of squares would cancel in float32."""
    rng = np.random.default_rng(0)
    y = (2000 + rng.normal(0, 3, (300, 1))).astype(np.float32)
    p = y + rng.normal(0, 1, y.shape).astype(np.float32)
    metric = metrics.R2Score()
    for i in range(0, 300, 50):
        metric.update_state(y[i : i + 50], p[i : i + 50])
    wide = [a.astype(np.float64) for a in (y, p)]
    exact = 1 - np.sum((wide[0] - wide[1]) ** 2) / np.sum((wide[0] - wide[0].mean()) ** 2)
    assert metric.result() == pytest.approx(exact, abs=1e-5)
    assert metrics.R2Score()([[2.0], [2.0]], [[2.0], [3.0]]) == 0
    assert metrics.R2Score()([[2.0], [2.0]], [[2.0], [2.0]]) == 1


def test_confusion_matrix_takes_what_a_model_gives():
    truth = np.array([0, 1, 1, 1])
    expected = [[1, 0], [1, 2]]
    p = np.array([0.2, 0.7, 0.8, 0.4])
    both = np.stack([1 - p, p], axis=1)
    for y in (truth, truth[:, None]):
        for called in (p, p[:, None], both, (p > 0.5).astype(int)):
            assert metrics.ConfusionMatrix(2)(y, called).tolist() == expected
    assert metrics.ConfusionMatrix(2)(np.eye(2)[truth], both).tolist() == expected
    weighted = metrics.ConfusionMatrix(2)(truth, both, sample_weight=[1, 1, 1, 0.5])
    assert weighted.tolist() == [[1, 0], [0.5, 2]]


def test_ignored_targets_do_not_count():
    y, p = numbered(np.random.default_rng(0))
    rest = y != 2
    metric = metrics.SparseCategoricalCrossentropy(ignore_class=2)
    expected = np.mean(losses.sparse_categorical_crossentropy(y[rest], p[rest]))
    assert metric(y, p) == pytest.approx(expected, rel=1e-6)


def test_wrong_arguments_are_said():
    for make in (
        lambda: metrics.Precision(thresholds=2),
        lambda: metrics.AUC(curve="RAC"),
        lambda: metrics.AUC(num_thresholds=1),
        lambda: metrics.AUC(num_labels=3),
        lambda: metrics.FBetaScore(beta=0.0),
        lambda: metrics.F1Score(average="makro"),
        lambda: metrics.F1Score(threshold=0.0),
        lambda: metrics.F1Score()([1.0, 0.0], [0.5, 0.6]),
        lambda: metrics.R2Score(class_aggregation="mean"),
        lambda: metrics.R2Score(num_regressors=-1),
        lambda: metrics.RecallAtPrecision(1.5),
        lambda: metrics.SensitivityAtSpecificity(0.5, num_thresholds=0),
        lambda: metrics.IoU(2, [2]),
        lambda: metrics.get("acuracy"),
    ):
        with pytest.raises(UserError):
            make()


# ------------------------------------------------------------------------------- names and own ones


@pytest.mark.parametrize(
    ("y_shape", "p_shape", "kind"),
    [
        ((8,), (8, 1), "Binary"),
        ((8, 1), (8, 1), "Binary"),
        ((8,), (8, 3), "SparseCategorical"),
        ((8, 1), (8, 3), "SparseCategorical"),
        ((8, 3), (8, 3), "Categorical"),
        ((8, 5), (8, 5, 3), "SparseCategorical"),
    ],
)
def test_names_that_shapes_decide(y_shape, p_shape, kind):
    for short in ("accuracy", "acc", "Accuracy"):
        metric = metrics.resolve(short, y_shape, p_shape)
        assert type(metric).__name__ == f"{kind}Accuracy"
        assert metric.name == short
    loss = losses.resolve("crossentropy", y_shape, p_shape)
    loss.from_logits = True
    metric = metrics.resolve("ce", y_shape, p_shape, loss)
    assert type(metric).__name__ == f"{kind}Crossentropy"
    assert metric.from_logits


def test_resolving_gives_built_metrics():
    assert metrics.resolve("mse", (8, 1), (8, 1)).name == "mse"
    assert metrics.resolve(metrics.F1Score(), (8, 3), (8, 3)).true_positives.shape == (3,)
    assert metrics.resolve("r2_score", (8,), (8, 2)).built
    own = metrics.resolve(lambda y, p: ops.sum(y * p, axis=-1), (8, 3), (8, 3))
    assert own([[1.0, 2.0]], [[3.0, 4.0]]) == 11
    assert metrics.resolve(metrics.AUC, (8,), (8, 1)).name == "auc"
    wrapped = metrics.MeanMetricWrapper(losses.huber, delta=0.5)
    again = metrics.deserialize(metrics.serialize(wrapped))
    assert again([[0.0]], [[2.0]]) == losses.Huber(0.5)([[0.0]], [[2.0]])


def test_own_metrics():
    class Most(metrics.Metric):
        def __init__(self, name="most", **kwargs):
            super().__init__(name=name, **kwargs)
            self.most = self.add_variable((), initializer="zeros", name="most")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.most = ops.maximum(self.most, ops.max(ops.absolute(y_true - y_pred)))

        def result(self):
            return self.most

    metric = Most(dtype="float64")
    assert metric.most.dtype == np.float64
    metric.update_state(np.array([1.0, 2.0]), np.array([1.0, 5.0]))
    assert metric(np.array([1.0]), np.array([2.0])) == 3
    metric.reset_state()
    assert metric.result() == 0


# ----------------------------------------------------------------------------------------- a peer


@pytest.mark.interop
@pytest.mark.filterwarnings("ignore:More independent predictors")  # the peer's
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64")  # the peer's
@pytest.mark.parametrize(("name", "sample", "options"), PEERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weighted", [None, "(n,)"])
def test_against_keras(name, sample, options, dtype, weighted):
    """Equal to the peer after each of several batches, up to the ε that it adds to denominators."""
    if options.get("ignore_class") == 2 and weighted is None:
        pytest.skip("the peer counts ignored targets as 0 unless there are weights")
    whole = name in WHOLE_WEIGHTS  # the peer cuts weights down to whole numbers
    with keras_in(dtype) as keras:
        peer = getattr(keras.metrics, name)(**options)
        ours = made(name, **options, dtype=dtype)
        for seed in range(2):
            for batch, weight in batches(sample, dtype, weighted=weighted, seed=seed):
                if name == "R2Score" and weight is not None:
                    weight = weight + 0.5
                weight = (weight * 2).astype(int) if whole and weight is not None else weight
                ours.update_state(*batch, sample_weight=weight)
                peer.update_state(*batch, sample_weight=weight)
                expected = np.asarray(peer.result())
                assert np.shape(ours.result()) == expected.shape
                tolerance = 3e-5 if dtype == "float32" else 3e-7
                np.testing.assert_allclose(ours.result(), expected, rtol=tolerance, atol=tolerance)
            ours.reset_state()
            peer.reset_state()


@pytest.mark.interop
@pytest.mark.parametrize("weight", [0.5, (N, 1), (N, K)])
@pytest.mark.parametrize("name", ["Mean", "Sum", "BinaryAccuracy", "RootMeanSquaredError"])
def test_other_weights_against_keras(name, weight):
    (sample, _), *_ = CASES[name]
    rng = np.random.default_rng(0)
    for batch, _ in batches(sample, "float64", sizes=(N,)):
        w = weight if isinstance(weight, float) else rng.uniform(0, 2, weight)
        ours = made(name, dtype="float64")(*batch, sample_weight=w)
        with keras_in("float64") as keras:
            expected = getattr(keras.metrics, name)()(*batch, sample_weight=w)
        np.testing.assert_allclose(ours, expected, rtol=1e-12)
