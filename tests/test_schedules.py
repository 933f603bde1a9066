"""Learning rates that follow the step, against Keras and on both engines."""

from __future__ import annotations

import numpy as np
import pytest

from trasluz.autodiff import backend
from trasluz.errors import UserError
from trasluz.optimizers import schedules

SAMPLES: dict[str, list[dict]] = {
    "ExponentialDecay": [
        {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5},
        {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.9, "staircase": True},
    ],
    "InverseTimeDecay": [
        {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5},
        {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.9, "staircase": True},
    ],
    "PiecewiseConstantDecay": [
        {"boundaries": [5, 20], "values": [0.1, 0.05, 0.01]},
        {"boundaries": [3], "values": [0.1, 0.3]},
    ],
    "PolynomialDecay": [
        {"initial_learning_rate": 0.1, "decay_steps": 10},
        {"initial_learning_rate": 0.1, "decay_steps": 10, "power": 2.0, "end_learning_rate": 0.0},
        {"initial_learning_rate": 0.1, "decay_steps": 7, "power": 0.5, "cycle": True},
    ],
    "CosineDecay": [
        {"initial_learning_rate": 0.1, "decay_steps": 10},
        {"initial_learning_rate": 0.1, "decay_steps": 10, "alpha": 0.2},
        {
            "initial_learning_rate": 0.01,
            "decay_steps": 20,
            "warmup_target": 0.1,
            "warmup_steps": 6,
            "alpha": 0.1,
        },
    ],
    "CosineDecayRestarts": [
        {"initial_learning_rate": 0.1, "first_decay_steps": 7, "t_mul": 1.0, "m_mul": 0.5},
        {"initial_learning_rate": 0.1, "first_decay_steps": 4, "alpha": 0.1},
        {"initial_learning_rate": 0.1, "first_decay_steps": 5, "t_mul": 1.5, "m_mul": 0.9},
        {"initial_learning_rate": 0.1, "first_decay_steps": 3, "t_mul": 3.0},
    ],
}
CASES = [(name, kwargs) for name, several in SAMPLES.items() for kwargs in several]
STEPS = range(60)


def each(f):
    ids = [f"{name}-{i}" for name, several in SAMPLES.items() for i in range(len(several))]
    return pytest.mark.parametrize(("name", "kwargs"), CASES, ids=ids)(f)


def test_every_schedule_has_a_sample():
    known = {c.__name__ for c in schedules.registry.known.values()}
    assert known == set(SAMPLES)
    assert known <= set(schedules.__all__)


def exact_restarts(kwargs, step):
    """Where a round begins, found by adding lengths up."""
    length, i = float(kwargs["first_decay_steps"]), 0
    while step >= length - 1e-9:
        step -= length
        length *= kwargs.get("t_mul", 2.0)
        i += 1
    return i, step / length


@pytest.mark.interop
@each
def test_keras_agrees(name, kwargs):
    keras = pytest.importorskip("keras")
    ours = getattr(schedules, name)(**kwargs)
    theirs = getattr(keras.optimizers.schedules, name)(**kwargs)
    assert ours.get_config() == theirs.get_config()
    # Keras takes a tenth of a second for a step of its cosines
    for step in STEPS[1::5] if "Cosine" in name else STEPS:
        if name == "CosineDecayRestarts" and exact_restarts(kwargs, step)[1] < 1e-6:
            continue  # where a round begins Keras may still be at the end of the one before
        mine, other = float(ours(step)), float(theirs(step))
        assert mine == pytest.approx(other, rel=2e-5, abs=1e-7), step


@pytest.mark.parametrize("kwargs", SAMPLES["CosineDecayRestarts"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_restarts_are_never_missed(kwargs, dtype):
    schedule = schedules.CosineDecayRestarts(**kwargs)
    for step in range(400):
        i, done = exact_restarts(kwargs, step)
        alpha = kwargs.get("alpha", 0.0)
        height = kwargs.get("m_mul", 1.0) ** i * (1 + np.cos(np.pi * done)) / 2
        expected = kwargs["initial_learning_rate"] * ((1 - alpha) * height + alpha)
        assert float(schedule(dtype(step))) == pytest.approx(expected, rel=1e-4, abs=1e-6), step


@each
def test_numpy_and_xla_agree(name, kwargs):
    jax = pytest.importorskip("jax")
    schedule = getattr(schedules, name)(**kwargs)
    with jax.numpy_dtype_promotion("strict"):
        program = backend.compiled(lambda step: schedule(step), "xla")
        for step in STEPS:
            eager, compiled = schedule(np.int32(step)), program(np.asarray(step, np.int32))
            assert np.asarray(eager).dtype == compiled.dtype == np.float32
            assert float(eager) == pytest.approx(float(compiled), rel=2e-5, abs=1e-7), step


@each
def test_answers_in_the_type_of_the_step(name, kwargs):
    schedule = getattr(schedules, name)(**kwargs)
    for dtype in (np.float32, np.float64):
        assert np.asarray(schedule(dtype(3))).dtype == dtype
    assert np.asarray(schedule(3)).dtype == np.float32


@each
def test_round_trip_of_the_config(name, kwargs):
    schedule = getattr(schedules, name)(**kwargs)
    assert schedules.deserialize(schedules.serialize(schedule)) == schedule


def test_what_cannot_be():
    with pytest.raises(UserError, match="decay_steps is 0"):
        schedules.CosineDecay(0.1, decay_steps=0)
    with pytest.raises(UserError, match="first_decay_steps is -1"):
        schedules.CosineDecayRestarts(0.1, first_decay_steps=-1)
    with pytest.raises(UserError, match="1 boundaries and 1 values"):
        schedules.PiecewiseConstantDecay([1], [0.1])
