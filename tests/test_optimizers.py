"""Every rule against Keras, on both engines, with everything that all rules share."""

from __future__ import annotations

import re

import numpy as np
import pytest

from peer import keras_in
from trasluz import optimizers
from trasluz.autodiff import backend
from trasluz.errors import UserError
from trasluz.optimizers import schedules
from trasluz.state import Variable
from trasluz.typeset import Symbol

# Keras reads its own variables in a way that NumPy is about to give up.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

# At least one entry for each registered rule; the first is its defaults.
SAMPLES: dict[str, list[dict]] = {
    "SGD": [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}],
    "RMSprop": [{}, {"momentum": 0.9}, {"centered": True}, {"centered": True, "momentum": 0.5}],
    "Adagrad": [{}, {"initial_accumulator_value": 0.5, "epsilon": 1e-3}],
    "Adadelta": [{}, {"learning_rate": 1.0, "rho": 0.9}],
    "Adam": [{}, {"amsgrad": True}, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}],
    "AdamW": [{}, {"weight_decay": 0.1, "amsgrad": True}],
    "Adamax": [{}, {"beta_2": 0.9}],
    "Nadam": [{}, {"beta_1": 0.5}],
    "Lion": [{}, {"beta_1": 0.5}],
    "Lamb": [{}, {"beta_1": 0.5}],
    "Ftrl": [
        {},
        {"l1_regularization_strength": 0.1, "l2_regularization_strength": 0.1, "beta": 0.5},
        {"l2_shrinkage_regularization_strength": 0.1, "learning_rate_power": -0.3},
    ],
    "Adafactor": [{}, {"learning_rate": 0.5, "clip_threshold": 0.5}],
}
SHARED: list[dict] = [
    {"clipnorm": 0.5},
    {"clipvalue": 0.3},
    {"global_clipnorm": 1.0},
    {"weight_decay": 0.1},
    {"use_ema": True, "ema_momentum": 0.7},
    {"use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 3},
    {"gradient_accumulation_steps": 3, "weight_decay": 0.1, "clipnorm": 0.5},
    {"gradient_accumulation_steps": 2, "use_ema": True, "ema_overwrite_frequency": 4},
]
CASES = [(name, kwargs) for name, several in SAMPLES.items() for kwargs in several]
CASES += [(name, shared) for name in ("SGD", "Adam") for shared in SHARED]
SHAPES = {"kernel": (4, 3), "bias": (3,), "filters": (2, 3, 2), "zeros": (3,)}


def each(cases):
    return pytest.mark.parametrize(
        ("name", "kwargs"), cases, ids=[f"{n}-{'-'.join(k) or 'default'}" for n, k in cases]
    )


def problem(dtype, steps=20, seed=0):
    rng = np.random.default_rng(seed)
    params = {n: rng.normal(size=s).astype(dtype) for n, s in SHAPES.items()}
    params["zeros"] *= 0
    grads = [{n: rng.normal(size=s).astype(dtype) for n, s in SHAPES.items()} for _ in range(steps)]
    return params, grads


def test_every_rule_has_a_sample():
    rules = {c.__name__ for c in optimizers.registry.known.values()}
    assert rules == set(SAMPLES)
    assert rules <= set(optimizers.__all__)


# ------------------------------------------------------------------------------- against Keras


@pytest.fixture
def keras64():
    """Keras in float64, so that a difference is one of formulas and not of rounding."""
    with keras_in("float64") as keras:
        yield keras


def train_both(keras, ours, theirs, steps=20):
    params, grads = problem(np.float64, steps)
    mine = [Variable(p, dtype="float64", name=n) for n, p in params.items()]
    other = [keras.Variable(p, dtype="float64", name=n) for n, p in params.items()]
    for g in grads:
        ours.apply_gradients(zip(g.values(), mine, strict=True))
        tensors = [keras.ops.convert_to_tensor(a) for a in g.values()]
        theirs.apply_gradients(list(zip(tensors, other, strict=True)))
        for a, b in zip(mine, other, strict=True):
            np.testing.assert_allclose(a.numpy(), np.asarray(b), rtol=1e-9, atol=1e-12)
    return mine, other


@pytest.mark.interop
@each(CASES)
def test_keras_agrees_over_twenty_steps(keras64, name, kwargs):
    kwargs = {"learning_rate": 0.01, **kwargs}
    ours = getattr(optimizers, name)(**kwargs)
    theirs = getattr(keras64.optimizers, name)(**kwargs)
    mine, other = train_both(keras64, ours, theirs)
    if kwargs.get("use_ema"):
        ours.finalize_variable_values(mine)
        theirs.finalize_variable_values(other)
        for a, b in zip(mine, other, strict=True):
            np.testing.assert_allclose(a.numpy(), np.asarray(b), rtol=1e-9, atol=1e-12)


@pytest.mark.interop
@pytest.mark.parametrize("name", SAMPLES)
def test_keras_has_the_same_defaults(keras64, name):
    ours = getattr(optimizers, name)().get_config()
    theirs = getattr(keras64.optimizers, name)().get_config()
    assert theirs.pop("loss_scale_factor") is None
    ours.pop("name"), theirs.pop("name")
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        assert ours[key] == pytest.approx(value), key


@pytest.mark.interop
@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop"])
def test_keras_agrees_under_a_schedule(keras64, name):
    def rate(module):
        return module.ExponentialDecay(0.05, decay_steps=4, decay_rate=0.5)

    kwargs = {"weight_decay": 0.1, **({} if name == "Adam" else {"momentum": 0.9})}
    ours = getattr(optimizers, name)(rate(schedules), **kwargs)
    theirs = getattr(keras64.optimizers, name)(rate(keras64.optimizers.schedules), **kwargs)
    train_both(keras64, ours, theirs)


@pytest.mark.interop
def test_keras_spares_the_same_weights_from_decay(keras64):
    ours, theirs = optimizers.AdamW(0.01), keras64.optimizers.AdamW(0.01)
    for optimizer in (ours, theirs):
        optimizer.exclude_from_weight_decay(var_names=["bias", "filt"])
    train_both(keras64, ours, theirs)


@pytest.mark.interop
def test_keras_agrees_when_the_rate_is_assigned_between_steps(keras64):
    ours, theirs = optimizers.SGD(0.1, momentum=0.9), keras64.optimizers.SGD(0.1, momentum=0.9)
    v, w = Variable([1.0], dtype="float64"), keras64.Variable([1.0], dtype="float64")
    for rate in (0.1, 0.03, 0.01):
        ours.learning_rate = theirs.learning_rate = rate
        ours.apply_gradients([(np.array([2.0]), v)])
        theirs.apply_gradients([(keras64.ops.convert_to_tensor([2.0], "float64"), w)])
    np.testing.assert_allclose(v.numpy(), np.asarray(w), rtol=1e-12)


# --------------------------------------------------------------------------- on both engines


def run(optimizer, engine, dtype, steps=10, rate=None):
    params, grads = problem(dtype, steps)
    state = optimizer.init(params)
    traces = []

    def step(g, state, params, t, rate):
        traces.append(t)
        return optimizer.update(g, state, params, t, rate)

    program = backend.compiled(step, engine)
    for t, g in enumerate(grads):
        lr = None if rate is None else np.asarray(rate(t), dtype)
        params, state = program(g, state, params, np.asarray(t, np.int32), lr)
    arrays = {**params, **{f"{p}/{n}": a for p, s in state.items() for n, a in s.items()}}
    return backend.to_numpy(arrays), len(traces)


@each(CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numpy_and_xla_agree_and_keep_the_dtype(name, kwargs, dtype):
    jax = pytest.importorskip("jax")
    optimizer = getattr(optimizers, name)(**{"learning_rate": 0.01, **kwargs})
    eager, _ = run(optimizer, "numpy", dtype)
    with jax.numpy_dtype_promotion("strict"):
        compiled, traces = run(optimizer, "xla", dtype)
    assert traces == 1
    assert eager.keys() == compiled.keys()
    tight = dtype == np.float64
    for path, a in eager.items():
        assert a.dtype == compiled[path].dtype == dtype, path
        tolerance = {"rtol": 1e-10, "atol": 1e-12} if tight else {"rtol": 2e-5, "atol": 2e-6}
        np.testing.assert_allclose(a, compiled[path], **tolerance, err_msg=path)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_schedule_compiles_and_keeps_the_dtype(dtype):
    pytest.importorskip("jax")
    optimizer = optimizers.Adam(schedules.CosineDecay(0.1, decay_steps=10))
    eager, _ = run(optimizer, "numpy", dtype)
    compiled, traces = run(optimizer, "xla", dtype)
    assert traces == 1
    for path, a in eager.items():
        assert a.dtype == compiled[path].dtype == dtype
        np.testing.assert_allclose(a, compiled[path], rtol=2e-5, atol=2e-6)


def test_another_rate_is_not_another_program():
    pytest.importorskip("jax")
    _, traces = run(optimizers.Adam(), "xla", np.float32, rate=lambda t: 0.1 / (t + 1))
    assert traces == 1


def test_updates_fold_into_one_loop():
    jax = pytest.importorskip("jax")
    optimizer = optimizers.AdamW(schedules.CosineDecay(0.1, 10), use_ema=True, clipnorm=1.0)
    params, grads = problem(np.float32, 10)
    stacked = {n: np.stack([g[n] for g in grads]) for n in SHAPES}

    def body(carry, g):
        params, state, t = carry
        params, state = optimizer.update(g, state, params, t)
        return (params, state, t + np.int32(1)), None

    start = (params, optimizer.init(params), np.asarray(0, np.int32))
    start = jax.tree.map(jax.numpy.asarray, start)
    (folded, _, _), _ = jax.jit(lambda c, xs: jax.lax.scan(body, c, xs))(start, stacked)
    eager, _ = run(optimizer, "numpy", np.float32)
    for name in SHAPES:
        np.testing.assert_allclose(eager[name], folded[name], rtol=2e-5, atol=2e-6)


# --------------------------------------------------------------------------------- behaviour

RATES = {"Adadelta": 10.0, "Adagrad": 0.5, "Ftrl": 0.5, "Adafactor": 1.0, "Lion": 0.003}


@pytest.mark.parametrize("name", SAMPLES)
def test_descends_a_quadratic(name):
    optimizer = getattr(optimizers, name)(RATES.get(name, 0.05))
    goal = {"w": np.linspace(-1.0, 1.0, 6).reshape(3, 2), "b": np.array([0.5, -0.5])}
    params = {"w": np.full((3, 2), 1.5), "b": np.full(2, 1.5)}
    state = optimizer.init(params)

    def loss(params):
        return sum(float(((params[n] - goal[n]) ** 2).sum()) for n in goal)

    start = loss(params)
    for t in range(1000):
        grads = {n: 2 * (params[n] - goal[n]) for n in goal}
        params, state = optimizer.update(grads, state, params, t)
    assert loss(params) < 0.02 * start


@each([(name, kwargs) for name, several in SAMPLES.items() for kwargs in several])
def test_the_rule_spells_itself(name, kwargs):
    optimizer = getattr(optimizers, name)(**kwargs)
    params, grads = problem(np.float64, 1)
    p, g = params["kernel"], grads[0]["kernel"]
    s, t, lr = optimizer.slots(p), np.float64(2), np.float64(0.1)
    symbols = {slot: Symbol(slot, a) for slot, a in s.items()}
    spelled, slots = optimizer.step(
        Symbol("g", g), symbols, Symbol("t", t), Symbol(r"\eta", lr), Symbol(r"\theta", p)
    )
    number, arrays = optimizer.step(g, s, t, lr, p)
    np.testing.assert_array_equal(spelled.value, number)
    assert {"g", r"\eta", r"\theta"} <= set(re.findall(r"\\?\w+", spelled.latex))
    assert slots.keys() == arrays.keys() == s.keys()


def test_adam_reads_as_in_the_paper():
    g, p = Symbol("g", np.ones(2)), Symbol(r"\theta", np.ones(2))
    slots = {"momentum": Symbol("m", np.zeros(2)), "velocity": Symbol("v", np.zeros(2))}
    _, new = optimizers.Adam().step(g, slots, Symbol("t", 1.0), Symbol(r"\eta", 0.1), p)
    assert new["momentum"].latex == r"0.9 \cdot m + 0.1 \cdot g"
    assert new["velocity"].latex == r"0.999 \cdot v + 0.001 \cdot g^{2}"


def test_update_is_pure():
    optimizer = optimizers.Adam(use_ema=True, weight_decay=0.1, clipnorm=1.0)
    params, grads = problem(np.float32, 1)
    state = optimizer.init(params)
    copies = {n: p.copy() for n, p in params.items()}
    optimizer.update(grads[0], state, params, 0)
    assert all((params[n] == copies[n]).all() for n in params)
    assert all((a == 0).all() for slots in state.values() for a in slots.values())


def test_weights_without_a_derivative_stay():
    optimizer = optimizers.Adam(weight_decay=0.1)
    params, grads = problem(np.float32, 1)
    new, _ = optimizer.update({"bias": grads[0]["bias"]}, optimizer.init(params), params, 0)
    assert (new["kernel"] == params["kernel"]).all()
    assert (new["bias"] != params["bias"]).all()


def test_clipping_holds_even_for_zero_derivatives():
    g = {"w": np.zeros(3)}
    for kwargs in ({"clipnorm": 1.0}, {"global_clipnorm": 1.0}, {"clipvalue": 1.0}):
        optimizer = optimizers.SGD(1.0, **kwargs)
        new, _ = optimizer.update(g, optimizer.init(g), {"w": np.ones(3)}, 0)
        assert (new["w"] == 1).all()


def test_two_variables_of_one_name_are_told_apart():
    a, b = Variable([1.0]), Variable([1.0])
    optimizer = optimizers.SGD(1.0, momentum=0.5)
    optimizer.apply_gradients([(np.array([1.0]), a), (np.array([2.0]), b)])
    optimizer.apply_gradients([(np.array([1.0]), a), (np.array([2.0]), b)])
    assert (a.numpy(), b.numpy()) == (-1.5, -4.0)
    assert [v.name for v in optimizer.variables] == [
        "iteration", "learning_rate", "variable_momentum", "variable_1_momentum",
    ]  # fmt: skip


def test_excluded_variables_are_told_apart_too():
    a, b = Variable([1.0]), Variable([1.0])
    optimizer = optimizers.SGD(0.5, weight_decay=0.5)
    optimizer.exclude_from_weight_decay([b])
    optimizer.apply_gradients([(np.array([0.0]), a), (np.array([0.0]), b)])
    assert (a.numpy(), b.numpy()) == (0.75, 1.0)
    with pytest.raises(UserError, match="after the optimizer was built"):
        optimizer.exclude_from_weight_decay([a])


def test_apply_says_what_is_wrong():
    a, b = Variable([1.0], name="a"), Variable([1.0], name="b")
    optimizer = optimizers.SGD(1.0)
    with pytest.raises(UserError, match="no derivative"):
        optimizer.apply([None], [a])
    optimizer.apply([np.array([1.0])], [a])
    with pytest.raises(UserError, match="'b' is not known"):
        optimizer.apply([np.array([1.0])], [b])
    with pytest.raises(UserError, match="derivatives are None"):
        optimizer.apply(None, [a])
    with pytest.raises(UserError, match="a derivative is 'x'"):
        optimizer.apply(["x"], [a])
    optimizer.apply([np.array([1.0])])
    assert a.numpy() == -1
    assert optimizer.iterations == 2


def test_learning_rate_is_read_and_assigned():
    optimizer = optimizers.Adam(0.1)
    assert optimizer.learning_rate == 0.1
    assert not optimizer.scheduled
    optimizer.learning_rate = np.float32(0.5)
    assert optimizer.learning_rate == 0.5
    assert optimizer.get_config()["learning_rate"] == 0.5
    rate = schedules.ExponentialDecay(1.0, 1, 0.5)
    optimizer.learning_rate = rate
    assert optimizer.scheduled
    optimizer.iterations = 2
    assert optimizer.learning_rate == 0.25
    assert optimizer.rate(3) == 0.125
    with pytest.raises(UserError, match="follows a schedule"):
        optimizer.learning_rate = 0.1


def test_learning_rate_may_be_a_function():
    rates = iter((0.5, 0.25))
    v = Variable([1.0])
    of_nothing = optimizers.SGD(lambda: next(rates))
    of_nothing.apply_gradients([(np.array([1.0]), v)])
    of_nothing.apply_gradients([(np.array([1.0]), v)])
    assert v.numpy() == 0.25
    of_step = optimizers.SGD(lambda step: 1 / (1 + step))
    assert (of_nothing.scheduled, of_step.scheduled) == (False, True)
    assert of_step.rate(1) == 0.5


@each(CASES)
def test_round_trip_of_the_config(name, kwargs):
    optimizer = getattr(optimizers, name)(**kwargs)
    again = optimizers.deserialize(optimizers.serialize(optimizer))
    assert type(again) is type(optimizer)
    assert again.get_config() == optimizer.get_config()


def test_round_trip_of_a_schedule():
    optimizer = optimizers.SGD(schedules.CosineDecay(0.1, 10, warmup_target=0.5, warmup_steps=3))
    again = optimizers.SGD.from_config(optimizer.get_config())
    assert again.rate(2) == optimizer.rate(2)


def test_names():
    assert type(optimizers.get("adam")) is optimizers.Adam
    assert type(optimizers.get("AdamW")) is optimizers.AdamW
    assert type(optimizers.get("RMSprop")) is optimizers.RMSprop
    assert type(optimizers.get(optimizers.SGD)) is optimizers.SGD
    with pytest.raises(UserError, match="did you mean 'adam'"):
        optimizers.get("adan")
    with pytest.raises(UserError):
        optimizers.get(3)
    with pytest.raises(UserError):
        optimizers.get(None)


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("SGD", {"momentum": 2.0}),
        ("SGD", {"learning_rate": "fast"}),
        ("SGD", {"learning_rate": [0.1, 0.2]}),
        ("SGD", {"clipnorm": 1.0, "clipvalue": 1.0}),
        ("SGD", {"use_ema": True, "ema_momentum": 1.5}),
        ("SGD", {"ema_overwrite_frequency": 0}),
        ("SGD", {"gradient_accumulation_steps": 1}),
        ("Lion", {"beta_1": 0.0}),
        ("AdamW", {"weight_decay": None}),
        ("Adagrad", {"initial_accumulator_value": -1.0}),
        ("Ftrl", {"learning_rate_power": 1.0}),
        ("Ftrl", {"l1_regularization_strength": -1.0}),
    ],
)
def test_arguments_out_of_range(name, kwargs):
    with pytest.raises(UserError):
        getattr(optimizers, name)(**kwargs)
