"""Learning rates that follow the step: pure functions of it, so that a compiled loop can call them.

A schedule answers in the floating type of the step it is asked for, or in `floatx()` for a whole
number. Steps count from 0, the first update.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trasluz.autodiff import ops
from trasluz.autodiff.backend import namespace
from trasluz.autodiff.tape import Traced
from trasluz.config import floatx
from trasluz.errors import UserError
from trasluz.state.registry import Configurable, Registry, serialize

__all__ = [
    "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay",
    "LearningRateSchedule", "PiecewiseConstantDecay", "PolynomialDecay", "deserialize", "get",
    "serialize",
]  # fmt: skip

registry = Registry("learning rate schedule")


class LearningRateSchedule(Configurable):
    """A learning rate for every step: write `__call__(step)`."""

    def __call__(self, step: Any) -> Any:
        """Give the learning rate of a step."""
        raise NotImplementedError


def real(step: Any) -> Any:
    """Give a step as a floating number."""
    if not isinstance(step, Traced):
        step = namespace(step).asarray(step)
    return step if step.dtype.kind == "f" else step.astype(np.dtype(floatx()))


def chosen(condition: Any, a: Any, b: Any, t: Any) -> Any:
    """Choose between two rates without a branch, in the floating type of the step."""
    a, b = (t.dtype.type(x) if isinstance(x, (int, float)) else x for x in (a, b))
    return ops.where(condition, a, b)


def rounds(guess: Any, t: Any, begin: Callable[[Any], Any]) -> Any:
    """Count the rounds after the first that have begun: the greatest i with `begin(i) ≤ t`.

    The guess may be off by one: a quotient or a logarithm rounds, and compiled not as eager.
    """
    late, early = t >= begin(guess + 1), t < begin(guess)
    return guess + ops.astype(late, dtype=t.dtype) - ops.astype(early, dtype=t.dtype)


def quotient(t: Any, steps: float) -> Any:
    """Divide and round down, exactly."""
    return rounds(ops.floor(t / steps), t, lambda i: i * steps)


def check_steps(steps: float, name: str) -> None:
    """Check that a number of steps is positive.

    Raises:
        UserError: if it is not.
    """
    if steps <= 0:
        raise UserError(f"{name} is {steps}", "learning rate schedule", "give a number above 0")


@registry.register()
@dataclass
class ExponentialDecay(LearningRateSchedule):
    """Shrink by a factor every so many steps: `η₀ · rate^(t / decay_steps)`.

    Args:
        initial_learning_rate: η₀.
        decay_steps: steps until the factor has been applied once.
        decay_rate: the factor.
        staircase: whether the exponent is rounded down.
        name: a name.

    Raises:
        UserError: if `decay_steps` is not positive.

    >>> float(ExponentialDecay(1.0, decay_steps=10, decay_rate=0.5)(20))
    0.25
    """

    initial_learning_rate: float
    decay_steps: float
    decay_rate: float
    staircase: bool = False
    name: str = "ExponentialDecay"

    def __post_init__(self) -> None:
        check_steps(self.decay_steps, "decay_steps")

    def __call__(self, step: Any) -> Any:
        t, steps = real(step), self.decay_steps
        p = quotient(t, steps) if self.staircase else t / steps
        return self.initial_learning_rate * self.decay_rate**p


@registry.register()
@dataclass
class InverseTimeDecay(LearningRateSchedule):
    """Shrink like a hyperbola: `η₀ / (1 + rate · t / decay_steps)`.

    Args:
        initial_learning_rate: η₀.
        decay_steps: steps that count as one.
        decay_rate: the rate.
        staircase: whether the quotient is rounded down.
        name: a name.

    Raises:
        UserError: if `decay_steps` is not positive.

    >>> float(InverseTimeDecay(1.0, decay_steps=10, decay_rate=0.5)(20))
    0.5
    """

    initial_learning_rate: float
    decay_steps: float
    decay_rate: float
    staircase: bool = False
    name: str = "InverseTimeDecay"

    def __post_init__(self) -> None:
        check_steps(self.decay_steps, "decay_steps")

    def __call__(self, step: Any) -> Any:
        t, steps = real(step), self.decay_steps
        p = quotient(t, steps) if self.staircase else t / steps
        return self.initial_learning_rate / (1 + self.decay_rate * p)


@registry.register()
@dataclass
class PiecewiseConstantDecay(LearningRateSchedule):
    """Change at given steps: `values[i]`, i being how many boundaries the step has passed.

    Args:
        boundaries: rising steps; each is the last one of its piece.
        values: one more than boundaries.
        name: a name.

    Raises:
        UserError: if the numbers of boundaries and values do not fit.

    >>> rate = PiecewiseConstantDecay([10, 20], [1.0, 0.5, 0.25])
    >>> [float(rate(t)) for t in (10, 11, 21)]
    [1.0, 0.5, 0.25]
    """

    boundaries: Sequence[float]
    values: Sequence[float]
    name: str = "PiecewiseConstant"

    def __post_init__(self) -> None:
        if len(self.boundaries) != len(self.values) - 1:
            raise UserError(
                f"{len(self.boundaries)} boundaries and {len(self.values)} values were given",
                type(self).__name__,
                "give one value more than boundaries",
            )

    def __call__(self, step: Any) -> Any:
        t = real(step)
        rate = t.dtype.type(self.values[0])
        for boundary, value in zip(self.boundaries, self.values[1:], strict=True):
            rate = chosen(t > boundary, value, rate, t)
        return rate


@registry.register()
@dataclass
class PolynomialDecay(LearningRateSchedule):
    """Go to an end in so many steps: `(η₀ − η₁)(1 − t / decay_steps)^power + η₁`.

    Args:
        initial_learning_rate: η₀.
        decay_steps: steps until the end is reached.
        end_learning_rate: η₁.
        power: 1 for a straight line.
        cycle: whether to start again, each time for longer, instead of staying at the end.
        name: a name.

    Raises:
        UserError: if `decay_steps` is not positive.

    >>> float(PolynomialDecay(1.0, decay_steps=10, end_learning_rate=0.0)(5))
    0.5
    """

    initial_learning_rate: float
    decay_steps: float
    end_learning_rate: float = 0.0001
    power: float = 1.0
    cycle: bool = False
    name: str = "PolynomialDecay"

    def __post_init__(self) -> None:
        check_steps(self.decay_steps, "decay_steps")

    def __call__(self, step: Any) -> Any:
        t, steps = real(step), self.decay_steps
        if self.cycle:
            done = quotient(t, steps)
            begun = done + ops.astype(t > done * steps, dtype=t.dtype)
            p = t / (steps * ops.maximum(begun, 1))
        else:
            p = ops.minimum(t, steps) / steps
        start, end = self.initial_learning_rate, self.end_learning_rate
        return (start - end) * (1 - p) ** self.power + end


@registry.register()
@dataclass
class CosineDecay(LearningRateSchedule):
    """Go down half a cosine: `η₀ ((1 − α)(1 + cos(πt / decay_steps)) / 2 + α)`.

    With a `warmup_target` the rate first rises from η₀ to the target in a straight line, and the
    cosine starts from there.

    Args:
        initial_learning_rate: η₀.
        decay_steps: length of the half cosine.
        alpha: α, the part of the rate that is left at its end.
        name: a name.
        warmup_target: where the rise ends.
        warmup_steps: length of the rise.

    Raises:
        UserError: if `decay_steps` is not positive.

    Source: Loshchilov, Hutter, SGDR (ICLR 2017).

    >>> rate = CosineDecay(0.0, decay_steps=10, warmup_target=1.0, warmup_steps=4)
    >>> [round(float(rate(t)), 4) for t in (2, 4, 9, 14)]
    [0.5, 1.0, 0.5, 0.0]
    """

    initial_learning_rate: float
    decay_steps: float
    alpha: float = 0.0
    name: str = "CosineDecay"
    warmup_target: float | None = None
    warmup_steps: float = 0

    def __post_init__(self) -> None:
        check_steps(self.decay_steps, "decay_steps")

    def __call__(self, step: Any) -> Any:
        t = real(step)
        if self.warmup_target is None:
            return self.initial_learning_rate * self.decay(t)
        start, rise = self.initial_learning_rate, self.warmup_target - self.initial_learning_rate
        return chosen(
            t < self.warmup_steps,
            start + rise * (t / max(self.warmup_steps, 1)),
            self.warmup_target * self.decay(t - self.warmup_steps),
            t,
        )

    def decay(self, t: Any) -> Any:
        """Which part of the rate is left."""
        p = ops.minimum(t, self.decay_steps) / self.decay_steps
        return (1 - self.alpha) * 0.5 * (1 + ops.cos(math.pi * p)) + self.alpha


@registry.register()
@dataclass
class CosineDecayRestarts(LearningRateSchedule):
    """Go down half a cosine again and again: `η₀ ((1 − α) mⁱ (1 + cos πp) / 2 + α)`.

    i counts the restarts so far, p is how much of the present round is done.

    Args:
        initial_learning_rate: η₀.
        first_decay_steps: length of the first round.
        t_mul: how many times longer each round is than the one before.
        m_mul: m, how many times higher it starts.
        alpha: α, the part of the rate that is left at the end of a round.
        name: a name.

    Raises:
        UserError: if `first_decay_steps` is not positive.

    Source: Loshchilov, Hutter, SGDR (ICLR 2017).

    >>> rate = CosineDecayRestarts(1.0, first_decay_steps=10, m_mul=0.5)
    >>> [round(float(rate(t)), 4) for t in (0, 5, 10, 20, 30)]
    [1.0, 0.5, 0.5, 0.25, 0.25]
    """

    initial_learning_rate: float
    first_decay_steps: float
    t_mul: float = 2.0
    m_mul: float = 1.0
    alpha: float = 0.0
    name: str = "SGDRDecay"

    def __post_init__(self) -> None:
        check_steps(self.first_decay_steps, "first_decay_steps")

    def __call__(self, step: Any) -> Any:
        t = real(step)
        i = rounds(self.guess(t / self.first_decay_steps), t, self.begin)
        p = (t - self.begin(i)) / (self.first_decay_steps * self.t_mul**i)
        cosine = 0.5 * self.m_mul**i * (1 + ops.cos(math.pi * p))
        return self.initial_learning_rate * ((1 - self.alpha) * cosine + self.alpha)

    def begin(self, i: Any) -> Any:
        """At which step round i begins: after `first_decay_steps · (1 + t_mul + … + t_mulⁱ⁻¹)`."""
        before = i if self.t_mul == 1 else (1 - self.t_mul**i) / (1 - self.t_mul)
        return self.first_decay_steps * before

    def guess(self, x: Any) -> Any:
        """Which round runs after x times the first one's length, give or take one."""
        if self.t_mul == 1:
            return ops.floor(x)
        return ops.floor(ops.log(1 - x * (1 - self.t_mul)) / math.log(self.t_mul))


def get(identifier: Any) -> Any:
    """Give a schedule from a config, or itself.

    Raises:
        UserError: if its class is not known; the nearest is suggested.
    """
    return registry.get(identifier)


deserialize = get
