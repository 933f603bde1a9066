"""How weights move: one rule for one array, lifted over all arrays of a model.

A rule is a dataclass of hyper-parameters with two methods: `slots(p)` gives the arrays that it
remembers for a weight `p`, `step(g, s, t, lr, p)` the weight and the slots after an update with
the derivative `g`. `t` counts updates from 1, as papers do. Rules use operators and rows only, so
they run on NumPy, compile, and can be spelled.

What all rules share — clipping, weight decay, averages — is done once, in `Optimizer.update`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from trasluz import ops, schedules
from trasluz.backend import namespace
from trasluz.errors import UserError
from trasluz.registry import Configurable, Registry, serialize
from trasluz.schedules import LearningRateSchedule
from trasluz.state import Variable, unique
from trasluz.tape import note

__all__ = [
    "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lamb", "Lion",
    "Nadam", "Optimizer", "RMSprop", "deserialize", "get", "schedules", "serialize",
]  # fmt: skip

Arrays = dict[str, Any]
State = dict[str, Arrays]

registry = Registry("optimizer")


def like(p: Any, value: float = 0.0, shape: tuple[int, ...] | None = None) -> Any:
    """Make a slot: one number everywhere, in the shape and floating type of a weight."""
    return namespace(p).full(p.shape if shape is None else shape, value, dtype=p.dtype)


def scalar(x: Any, dtype: Any) -> Any:
    """Give a number, of Python, NumPy or XLA, a floating type."""
    plain = isinstance(x, (int, float, np.generic, np.ndarray))
    return dtype.type(x) if plain else x.astype(dtype)


def takes_step(rate: Callable[..., Any]) -> bool:
    """Tell whether a learning rate is a function of the step (else of nothing)."""
    if isinstance(rate, LearningRateSchedule):
        return True
    parameters = inspect.signature(rate).parameters.values()
    return any(p.default is p.empty and p.kind is not p.VAR_KEYWORD for p in parameters)


@dataclass(eq=False)
class Optimizer(Configurable):
    """A rule lifted over the weights of a model, with what all rules share.

    Args:
        learning_rate: η: a number, a schedule, or a function of the step or of nothing.
        weight_decay: λ; before each update a weight loses λη of itself.
        clipnorm: the greatest length of the derivative in one weight.
        clipvalue: the greatest absolute value of its entries.
        global_clipnorm: the greatest length of the derivative in all weights together.
        use_ema: whether to keep a moving average of the weights.
        ema_momentum: how much of the average stays at an update.
        ema_overwrite_frequency: after how many updates the weights are set to their average;
            `None`: only by `finalize`.
        gradient_accumulation_steps: over how many calls derivatives are averaged before an update.
        name: a name.

    Raises:
        UserError: if an argument is out of its range, or two kinds of clipping are asked for.
    """

    learning_rate: Any = 0.001
    weight_decay: float | None = field(default=None, kw_only=True)
    clipnorm: float | None = field(default=None, kw_only=True)
    clipvalue: float | None = field(default=None, kw_only=True)
    global_clipnorm: float | None = field(default=None, kw_only=True)
    use_ema: bool = field(default=False, kw_only=True)
    ema_momentum: float = field(default=0.99, kw_only=True)
    ema_overwrite_frequency: int | None = field(default=None, kw_only=True)
    gradient_accumulation_steps: int | None = field(default=None, kw_only=True)
    name: str | None = field(default=None, kw_only=True)
    _learning_rate: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        clips = {k: getattr(self, k) for k in ("clipnorm", "clipvalue", "global_clipnorm")}
        if sum(v is not None for v in clips.values()) > 1:
            raise self._wrong(f"several kinds of clipping are asked for: {clips}", "choose one")
        if not 0 <= self.ema_momentum <= 1:
            raise self._wrong(f"ema_momentum is {self.ema_momentum}", "choose from 0 to 1")
        if self.ema_overwrite_frequency is not None and self.ema_overwrite_frequency < 1:
            raise self._wrong(
                f"ema_overwrite_frequency is {self.ema_overwrite_frequency}", "give 1 or more"
            )
        steps = self.gradient_accumulation_steps
        if steps is not None and steps < 2:
            raise self._wrong(f"gradient_accumulation_steps is {steps}", "give 2 or more")
        self.name = self.name or type(self).__name__.lower()
        self.iterations = 0
        self._state: State = {}
        self._keys: dict[tuple[int, str | None], str] = {}
        self._variables: list[Variable] = []
        self._spared: list[Variable] = []
        self._decays_not: set[str] = set()
        self._decays_not_pattern: re.Pattern[str] | None = None

    def _wrong(self, what: str, mend: str) -> UserError:
        return UserError(what, type(self).__name__, mend)

    # ------------------------------------------------------------------------------------ the rule

    def slots(self, p: Any) -> Arrays:
        """Make the arrays that the rule remembers for a weight, as they are before any update."""
        return {}

    def step(self, g: Any, s: Arrays, t: Any, lr: Any, p: Any) -> tuple[Any, Arrays]:
        """Update one weight.

        Args:
            g: the derivative in the weight.
            s: the weight's slots.
            t: which update this is, from 1, in the weight's floating type.
            lr: the learning rate, in the same.
            p: the weight.

        Returns:
            The new weight and the new slots.
        """
        raise NotImplementedError

    # ------------------------------------------------------------------------- lifted, as functions

    def init(self, params: Arrays) -> State:
        """Make the state of all weights: `{path: {slot: array}}`."""
        state = {}
        for path, p in params.items():
            state[path] = dict(self.slots(p))
            if self.use_ema:
                state[path]["average"] = like(p)
            if self.gradient_accumulation_steps:
                state[path]["gradient_accumulator"] = like(p)
        return state

    def update(
        self, grads: Arrays, state: State, params: Arrays, t: Any, learning_rate: Any = None
    ) -> tuple[Arrays, State]:
        """Update all weights that have a derivative: a pure function, fit to be compiled.

        Args:
            grads: derivatives by path.
            state: what `init` or the last update gave.
            params: weights by path.
            t: how many updates there were, 0 for the first.
            learning_rate: taken instead of the optimizer's own, so that a compiled step need not
                be compiled again when that is changed.

        Returns:
            The new weights and the new state.

        >>> sgd = SGD(0.5)
        >>> sgd.update({"w": np.array([1.0])}, sgd.init({"w": np.ones(1)}), {"w": np.ones(1)}, 0)
        ({'w': array([0.5])}, {'w': {}})
        """
        new_params, new_state = dict(params), dict(state)
        k = self.gradient_accumulation_steps or 1
        sums = grads
        if k > 1:
            sums = {path: g + state[path]["gradient_accumulator"] for path, g in grads.items()}
            grads = {path: total / k for path, total in sums.items()}
        grads = {path: note(g, "clipped") for path, g in self._clipped(grads).items()}
        clocks: dict[Any, tuple[Any, Any]] = {}
        for path, g in grads.items():
            p, s = params[path], state[path]
            if p.dtype not in clocks:
                clocks[p.dtype] = self._clock(t, learning_rate, p.dtype)
            lr, n = clocks[p.dtype]
            if not self._spares(path):
                decayed = note(p - p * self.weight_decay * lr, "decayed")
            else:
                decayed = p
            new_p, new_s = self.step(g, s, note(n + 1, "count"), lr, decayed)
            if k > 1:  # between updates nothing moves but the sum
                due = (t + 1) % k == 0
                new_p = ops.where(due, new_p, p)
                new_s = {name: ops.where(due, new, s[name]) for name, new in new_s.items()}
                new_s["gradient_accumulator"] = ops.where(due, ops.zero(p), sums[path])
            if self.use_ema:
                done = t if k == 1 else t // k
                new_p, new_s["average"] = self._averaged(new_p, s["average"], done, n)
            new_params[path], new_state[path] = new_p, new_s
        return new_params, new_state

    def finalize(self, params: Arrays, state: State) -> Arrays:
        """Give the weights at the end of training: with `use_ema`, their averages."""
        if not self.use_ema:
            return params
        return {path: state[path]["average"] if path in state else p for path, p in params.items()}

    def rate(self, t: Any = None) -> Any:
        """Give the learning rate of the update after `t` updates; of the next one if not given."""
        given = self._learning_rate
        if not callable(given):
            return given
        return given(self.iterations if t is None else t) if self.scheduled else given()

    @property
    def scheduled(self) -> bool:
        """Whether the learning rate is a function of the step, which `update` can call itself."""
        return callable(self._learning_rate) and takes_step(self._learning_rate)

    def _clock(self, t: Any, learning_rate: Any, dtype: Any) -> tuple[Any, Any]:
        """Give the learning rate and the number of updates so far in a floating type."""
        k = self.gradient_accumulation_steps or 1
        rate = self.rate(scalar(t, dtype)) if learning_rate is None else learning_rate
        return note(scalar(rate, dtype), "rate"), scalar(t if k == 1 else t // k, dtype)

    def _clipped(self, grads: Arrays) -> Arrays:
        if self.clipnorm:
            c = self.clipnorm
            return {path: g * (c / ops.maximum(ops.norm(g), c)) for path, g in grads.items()}
        if self.global_clipnorm:
            c = self.global_clipnorm
            length = sum(ops.sum(ops.square(g)) for g in grads.values()) ** 0.5
            return {path: g * (c / ops.maximum(length, c)) for path, g in grads.items()}
        if self.clipvalue:
            c = self.clipvalue
            return {path: ops.clip(g, -c, c) for path, g in grads.items()}
        return grads

    def _averaged(self, p: Any, average: Any, t: Any, n: Any) -> tuple[Any, Any]:
        """Move the average towards the weight, and the weight to the average where that is due."""
        momentum = ops.astype(n != 0, dtype=p.dtype) * self.ema_momentum
        average = momentum * average + (1 - momentum) * p
        if self.ema_overwrite_frequency:
            p = ops.where((t + 1) % self.ema_overwrite_frequency == 0, average, p)
        return p, average

    def _spares(self, path: str) -> bool:
        """Tell whether a weight does not decay."""
        if not self.weight_decay or path in self._decays_not:
            return True
        return bool(self._decays_not_pattern and self._decays_not_pattern.search(path))

    def exclude_from_weight_decay(
        self, var_list: Iterable[Variable] = (), var_names: Iterable[str] = ()
    ) -> None:
        """Keep weights from decaying.

        Args:
            var_list: which weights.
            var_names: regular expressions; what has one in its path does not decay.

        Raises:
            UserError: if the optimizer has already been built.
        """
        if self._variables:
            raise self._wrong(
                "weights were excluded from decay after the optimizer was built",
                "call exclude_from_weight_decay() first",
            )
        self._spared = list(var_list or ())
        self._decays_not = {v.path for v in self._spared}
        names = "|".join(var_names or ())
        self._decays_not_pattern = re.compile(names) if names else None

    # ------------------------------------------------------------------------ outside of a model

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the state of standing-alone variables."""
        taken: set[str] = set()
        self._variables = list(variables)
        self._keys = {(id(v.holder), v.name): unique(v.path, taken) for v in variables}
        self._decays_not = {self._key(v) for v in self._spared}
        self._state = self.init({self._key(v): v.value for v in variables})

    def _key(self, variable: Variable) -> str:
        try:
            return self._keys[id(variable.holder), variable.name]
        except KeyError:
            raise self._wrong(
                f"the variable {variable.path!r} is not known to the optimizer",
                "build it with all variables that it will move",
            ) from None

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> int:
        """Update variables from pairs of derivative and variable; gives the number of updates.

        >>> v = Variable([1.0, 2.0])
        >>> SGD(0.5).apply_gradients([(np.ones(2, np.float32), v)])
        1
        >>> v.numpy()
        array([0.5, 1.5], dtype=float32)
        """
        grads, variables = zip(*grads_and_vars, strict=True)
        self.apply(grads, variables)
        return self.iterations

    def apply(self, grads: Sequence[Any], trainable_variables: Any = None) -> None:
        """Update variables and bring them back into their constraints.

        Args:
            grads: one derivative a variable; `None` leaves it as it is.
            trainable_variables: the variables; those of `build` if not given.

        Raises:
            UserError: if there is no derivative, or a variable is not known.
        """
        if trainable_variables is None:
            trainable_variables = self._variables
        elif not self._variables:
            self.build(list(trainable_variables))
        pairs = zip(grads, trainable_variables, strict=True)
        moved = {self._key(v): (g, v) for g, v in pairs if g is not None}
        if not moved:
            raise self._wrong("there is no derivative for any variable", "differentiate the loss")
        given = {key: np.asarray(g, v.dtype) for key, (g, v) in moved.items()}
        params = {key: v.value for key, (_, v) in moved.items()}
        params, self._state = self.update(given, self._state, params, self.iterations)
        for key, (_, v) in moved.items():
            v.assign(v.constraint(params[key]) if v.constraint else params[key])
        self.iterations += 1

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """Set variables to their averages, if averages are kept."""
        for v in var_list:
            key = self._key(v)
            v.assign(self.finalize({key: v.value}, self._state)[key])

    @property
    def variables(self) -> list[Variable]:
        """Copies of the state: the number of updates, the learning rate, the slots."""
        slots = {
            f"{path.replace('/', '_')}_{slot}": array
            for path, arrays in self._state.items()
            for slot, array in arrays.items()
        }
        every: dict[str, Any] = {"iteration": np.asarray(self.iterations, np.int32)}
        if not callable(self._learning_rate):
            every["learning_rate"] = np.asarray(self._learning_rate, np.float32)
        every |= slots
        return [Variable(a, trainable=False, dtype=a.dtype, name=n) for n, a in every.items()]

    # ------------------------------------------------------------------------------- written down

    def get_config(self) -> dict[str, Any]:
        """List the constructor's arguments as plain data, with the learning rate as it is now."""
        given = self._learning_rate
        return {**super().get_config(), "learning_rate": serialize(given)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make an optimizer from what `get_config` gave.

        Raises:
            UserError: if a field is not known.
        """
        rate = config.get("learning_rate")
        if isinstance(rate, dict):
            config = {**config, "learning_rate": schedules.deserialize(rate)}
        return super().from_config(config)


def _read_rate(self: Optimizer) -> Any:
    """The learning rate of the next update; a number may be assigned at any time."""
    return self.rate()


def _assign_rate(self: Optimizer, rate: Any) -> None:
    if isinstance(self.__dict__.get("_learning_rate"), LearningRateSchedule) and not callable(rate):
        raise self._wrong(
            "the learning rate follows a schedule, so no number can be assigned",
            "make the optimizer with a number",
        )
    if not callable(rate) and np.ndim(rate):
        raise self._wrong(f"the learning rate has shape {np.shape(rate)}", "give one number")
    if isinstance(rate, str):  # how a plain function is written down
        raise self._wrong(f"the learning rate is {rate!r}", "give a number, schedule or function")
    self._learning_rate = rate if callable(rate) else float(rate)


# Set here because in the class body it would be taken for the field's default.
Optimizer.learning_rate = property(_read_rate, _assign_rate)


# -------------------------------------------------------------------------------------- the rules


@registry.register("sgd")
@dataclass(eq=False)
class SGD(Optimizer):
    """Gradient descent: `θ ← θ − ηg`, with momentum `m ← μm − ηg`, `θ ← θ + m`.

    Nesterov's form looks ahead: `θ ← θ + μm − ηg`. The rest of the arguments are `Optimizer`'s.

    Args:
        learning_rate: η.
        momentum: μ, from 0 to 1.
        nesterov: whether to look ahead.

    Raises:
        UserError: if the momentum is out of its range.

    Source: Sutskever et al., On the importance of initialization and momentum (ICML 2013).

    >>> SGD(0.1).step(g=1.0, s={}, t=1, lr=0.1, p=1.0)
    (0.9, {})
    """

    learning_rate: Any = field(default_factory=lambda: 0.01)
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.momentum <= 1:
            raise self._wrong(f"momentum is {self.momentum}", "choose from 0 to 1")

    def slots(self, p: Any) -> Arrays:
        """The velocity, if there is momentum."""
        return {"momentum": like(p)} if self.momentum else {}

    def step(self, g: Any, s: Arrays, t: Any, lr: Any, p: Any) -> tuple[Any, Arrays]:
        """Update one weight."""
        if not self.momentum:
            return p - lr * g, {}
        m = self.momentum * s["momentum"] - lr * g
        return p + (self.momentum * m - lr * g if self.nesterov else m), {"momentum": m}


@registry.register("rmsprop")
@dataclass(eq=False)
class RMSprop(Optimizer):
    """Divide by the root mean square of recent derivatives.

    `v ← ρv + (1 − ρ)g²`, `θ ← θ − ηg / √(v + ε)`; centered, with `a ← ρa + (1 − ρ)g`, it is
    `√(v − a² + ε)`; with momentum `m ← μm + ηg / √(v + ε)`, `θ ← θ − m`.

    Args:
        learning_rate: η.
        rho: ρ.
        momentum: μ.
        epsilon: ε.
        centered: whether to divide by the standard deviation instead.

    Source: Tieleman, Hinton, Lecture 6.5 (Coursera 2012); Graves, Generating sequences with
    recurrent neural networks (2013) for the centered form.
    """

    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False

    def slots(self, p: Any) -> Arrays:
        """Mean square, and mean and velocity where asked for."""
        slots = {"velocity": like(p)}
        if self.momentum:
            slots["momentum"] = like(p)
        if self.centered:
            slots["average_gradient"] = like(p)
        return slots

    def step(self, g: Any, s: Arrays, t: Any, lr: Any, p: Any) -> tuple[Any, Arrays]:
        """Update one weight."""
        rho = self.rho
        v = rho * s["velocity"] + (1 - rho) * g**2
        new, variance = {"velocity": v}, v
        if self.centered:
            a = new["average_gradient"] = rho * s["average_gradient"] + (1 - rho) * g
            variance = v - a**2
        m = lr * g / ops.sqrt(variance + self.epsilon)
        if self.momentum:
            m = new["momentum"] = self.momentum * s["momentum"] + m
        return p - m, new


@registry.register()
@dataclass(eq=False)
class Adagrad(Optimizer):
    """Divide by the root of the sum of all squares so far: `a ← a + g²`, `θ ← θ − ηg / √(a + ε)`.

    Args:
        learning_rate: η.
        initial_accumulator_value: where a starts.
        epsilon: ε.

    Raises:
        UserError: if the start is negative.

    Source: Duchi, Hazan, Singer, Adaptive subgradient methods (JMLR 2011).
    """

    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-7

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.initial_accumulator_value < 0:
            raise self._wrong("initial_accumulator_value is negative", "give 0 or more")

    def slots(self, p: Any) -> Arrays:
        """The sum of squares."""
        return {"accumulator": like(p, self.initial_accumulator_value)}

    def step(self, g: Any, s: Arrays, t: Any, lr: Any, p: Any) -> tuple[Any, Arrays]:
        """Update one weight."""
        a = s["accumulator"] + g**2
        return p - lr * g / ops.sqrt(a + self.epsilon), {"accumulator": a}


@registry.register()
@dataclass(eq=False)
class Adadelta(Optimizer):
    """Give steps the unit of the weight: `Δ = −g √(d + ε) / √(v + ε)`, `θ ← θ + ηΔ`.

    `v ← ρv + (1 − ρ)g²` before, `d ← ρd + (1 − ρ)Δ²` after.

    Args:
        learning_rate: η; the paper has 1.
        rho: ρ.
        epsilon: ε.

    Source: Zeiler, ADADELTA (2012).
    """

    rho: float = 0.95
    epsilon: float = 1e-7

    def slots(self, p: Any) -> Arrays:
        """Mean squares of derivatives and of steps."""
        return {"accumulated_grad": like(p), "accumulated_delta_var": like(p)}

    def step(self, g: Any, s: Arrays, t: Any, lr: Any, p: Any) -> tuple[Any, Arrays]:
        """Update one weight."""
        rho, d = self.rho, s["accumulated_delta_var"]
        v = rho * s["accumulated_grad"] + (1 - rho) * g**2
        delta = -(g * ops.sqrt(d + self.epsilon)) / ops.sqrt(v + self.epsilon)
        d = rho * d + (1 - rho) * delta**2
        return p + lr * delta, {"accumulated_grad": v, "accumulated_delta_var": d}


@registry.register()
@dataclass(eq=False)
class Adam(Optimizer):
    """Mean over root mean square of recent derivatives, corrected for having started at zero.

    `m ← β₁m + (1 − β₁)g`, `v ← β₂v + (1 − β₂)g²`, `α = η √(1 − β₂ᵗ) / (1 − β₁ᵗ)`,
    `θ ← θ − αm / (√v + ε)`; AMSGrad takes the greatest v so far.

    Args:
        learning_rate: η.
        beta_1: β₁.
        beta_2: β₂.
        epsilon: ε (the ε̂ of the paper's section 2).
        amsgrad: whether v never falls.

    Source: Kingma, Ba, Adam (ICLR 2015); Reddi et al., On the convergence of Adam (ICLR 2018).

    >>> adam = Adam(0.1)
    >>> p = {"w": np.array([1.0])}
    >>> adam.update({"w": np.array([20.0])}, adam.init(p), p, t=0)[0]["w"].round(6)
    array([0.9])
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False

    def slots(self, p: Any) -> Arrays:
        """Mean, mean square and, for AMSGrad, the greatest mean square."""
        slots = {"momentum": like(p), "velocity": like(p)}
        return slots | {"velocity_hat": like(p)} if self.amsgrad else slots

    def step(self, g: Any, s: Arrays, t: Any, lr: Any, p: Any) -> tuple[Any, Arrays]:
        """Update one weight."""
        m, v = s["momentum"], s["velocity"]
        m = self.beta_1 * m + (1 - self.beta_1) * g
        v = self.beta_2 * v + (1 - self.beta_2) * g**2
        new = {"momentum": m, "velocity": v}
        if self.amsgrad:
            v = new["velocity_hat"] = ops.maximum(s["velocity_hat"], v)
        alpha = note(lr * ops.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t), "corrected rate")
        return p - alpha * m / (ops.sqrt(v) + self.epsilon), new


@registry.register("adamw")
@dataclass(eq=False)
class AdamW(Adam):
    """Adam with weight decay that does not pass through its averages: `θ ← θ − ηλθ`, then Adam.

    Args:
        learning_rate: η.
        weight_decay: λ.
        beta_1: β₁.
        beta_2: β₂.
        epsilon: ε.
        amsgrad: whether v never falls.

    Raises:
        UserError: if there is no weight decay.

    Source: Loshchilov, Hutter, Decoupled weight decay regularization (ICLR 2019).
    """

    weight_decay: float | None = 0.004

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weight_decay is None:
            raise self._wrong("weight_decay is None", "give a number, or use Adam")


@registry.register()
@dataclass(eq=False)
class Adamax(Optimizer):
    """Adam with the greatest recent derivative instead of the root mean square.

    `m ← β₁m + (1 − β₁)g`, `u ← max(β₂u, |g|)`, `θ ← θ − ηm / ((1 − β₁ᵗ)(u + ε))`.

    Args:
        learning_rate: η.
        beta_1: β₁.
        beta_2: β₂.
        epsilon: ε.

    Source: Kingma, Ba, Adam, section 7 (ICLR 2015).
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    def slots(self, p: Any) -> Arrays:
        """Mean and greatest."""
        return {"momentum": like(p), "norm": like(p)}

    def step(self, g: Any, s: Arrays, t: Any, lr: Any, p: Any) -> tuple[Any, Arrays]:
        """Update one weight."""
        m = self.beta_1 * s["momentum"] + (1 - self.beta_1) * g
        u = ops.maximum(self.beta_2 * s["norm"], ops.absolute(g))
        return p - lr * m / ((1 - self.beta_1**t) * (u + self.epsilon)), {"momentum": m, "norm": u}


@registry.register()
@dataclass(eq=False)
class Nadam(Optimizer):
    """Adam that looks ahead as Nesterov does, with a momentum that grows.

    `μₜ = β₁(1 − ½·0.96ᵗ)`, `m̂ = μₜ₊₁m / (1 − Πμ₁…ₜ₊₁) + (1 − μₜ)g / (1 − Πμ₁…ₜ)`,
    `v̂ = v / (1 − β₂ᵗ)`, `θ ← θ − ηm̂ / (√v̂ + ε)`; m and v as in Adam.

    Args:
        learning_rate: η.
        beta_1: β₁.
        beta_2: β₂.
        epsilon: ε.

    Source: Dozat, Incorporating Nesterov momentum into Adam (2016).
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    def slots(self, p: Any) -> Arrays:
        """Mean, mean square, and the product of all momenta."""
        return {"momentum": like(p), "velocity": like(p), "u_product": like(p, 1.0, ())}

    def step(self, g: Any, s: Arrays, t: Any, lr: Any, p: Any) -> tuple[Any, Arrays]:
        """Update one weight."""
        m, v = s["momentum"], s["velocity"]
        mu = self.beta_1 * (1 - 0.5 * 0.96**t)
        mu_next = self.beta_1 * (1 - 0.5 * 0.96 ** (t + 1))
        product = s["u_product"] * mu
        m = self.beta_1 * m + (1 - self.beta_1) * g
        v = self.beta_2 * v + (1 - self.beta_2) * g**2
        m_hat = mu_next * m / (1 - product * mu_next) + (1 - mu) * g / (1 - product)
        m_hat = note(m_hat, "corrected momentum")
        v_hat = note(v / (1 - self.beta_2**t), "corrected velocity")
        new = {"momentum": m, "velocity": v, "u_product": product}
        return p - lr * m_hat / (ops.sqrt(v_hat) + self.epsilon), new


@registry.register()
@dataclass(eq=False)
class Lion(Optimizer):
    """Steps of one size: `θ ← θ − η sign(β₁m + (1 − β₁)g)`, `m ← β₂m + (1 − β₂)g`.

    Args:
        learning_rate: η; a third to a tenth of what Adam would have.
        beta_1: β₁, above 0 and at most 1.
        beta_2: β₂.

    Raises:
        UserError: if β₁ is out of its range.

    Source: Chen et al., Symbolic discovery of optimization algorithms (NeurIPS 2023).
    """

    beta_1: float = 0.9
    beta_2: float = 0.99

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.beta_1 <= 1:
            raise self._wrong(f"beta_1 is {self.beta_1}", "choose above 0 and at most 1")

    def slots(self, p: Any) -> Arrays:
        """The mean of recent derivatives."""
        return {"momentum": like(p)}

    def step(self, g: Any, s: Arrays, t: Any, lr: Any, p: Any) -> tuple[Any, Arrays]:
        """Update one weight."""
        m = s["momentum"]
        new = {"momentum": self.beta_2 * m + (1 - self.beta_2) * g}
        return p - lr * ops.sign(self.beta_1 * m + (1 - self.beta_1) * g), new


@registry.register()
@dataclass(eq=False)
class Lamb(Optimizer):
    """Adam whose step is as long as the weight: `θ ← θ − η (‖θ‖ / ‖u‖) u`, `u = m̂ / (√v̂ + ε)`.

    The quotient is 1 where one of the lengths is 0.

    Args:
        learning_rate: η.
        beta_1: β₁.
        beta_2: β₂.
        epsilon: ε.

    Source: You et al., Large batch optimization for deep learning (ICLR 2020).
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    def slots(self, p: Any) -> Arrays:
        """Mean and mean square."""
        return {"momentum": like(p), "velocity": like(p)}

    def step(self, g: Any, s: Arrays, t: Any, lr: Any, p: Any) -> tuple[Any, Arrays]:
        """Update one weight."""
        m, v = s["momentum"], s["velocity"]
        m = self.beta_1 * m + (1 - self.beta_1) * g
        v = self.beta_2 * v + (1 - self.beta_2) * g**2
        m_hat, v_hat = m / (1 - self.beta_1**t), v / (1 - self.beta_2**t)
        u = m_hat / (ops.sqrt(v_hat) + self.epsilon)
        p_norm, u_norm = ops.norm(p), ops.norm(u)
        none = p_norm * u_norm == 0
        one = p.dtype.type(1)
        ratio = ops.where(none, one, p_norm / ops.where(none, one, u_norm))
        return p - lr * ratio * u, {"momentum": m, "velocity": v}


@registry.register()
@dataclass(eq=False)
class Ftrl(Optimizer):
    """Follow the regularised leader: weights of little use become exactly zero.

    `n' = n + g²`, `z ← z + g + 2λₛθ − (n'⁻ᵏ − n⁻ᵏ)θ / η`,
    `θ ← (clip(z, −λ₁, λ₁) − z) / (n'⁻ᵏ / η + 2λ₂ + β / η)`.

    Args:
        learning_rate: η.
        learning_rate_power: k, at most 0.
        initial_accumulator_value: where n starts.
        l1_regularization_strength: λ₁.
        l2_regularization_strength: λ₂.
        l2_shrinkage_regularization_strength: λₛ.
        beta: β.

    Raises:
        UserError: if an argument has the wrong sign.

    Source: McMahan et al., Ad click prediction: a view from the trenches (KDD 2013).
    """

    learning_rate_power: float = -0.5
    initial_accumulator_value: float = 0.1
    l1_regularization_strength: float = 0.0
    l2_regularization_strength: float = 0.0
    l2_shrinkage_regularization_strength: float = 0.0
    beta: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.learning_rate_power > 0:
            raise self._wrong("learning_rate_power is positive", "give 0 or less")
        for name in ("initial_accumulator_value", *(f"{k}_regularization_strength" for k in
                     ("l1", "l2", "l2_shrinkage"))):  # fmt: skip
            if getattr(self, name) < 0:
                raise self._wrong(f"{name} is negative", "give 0 or more")

    def slots(self, p: Any) -> Arrays:
        """The sums n and z."""
        return {"accumulator": like(p, self.initial_accumulator_value), "linear": like(p)}

    def step(self, g: Any, s: Arrays, t: Any, lr: Any, p: Any) -> tuple[Any, Arrays]:
        """Update one weight."""
        k, l1, l2 = (
            self.learning_rate_power,
            self.l1_regularization_strength,
            self.l2_regularization_strength + self.beta / (2 * lr),
        )
        n = s["accumulator"] + g**2
        shrunk = g + 2 * self.l2_shrinkage_regularization_strength * p
        z = s["linear"] + (shrunk - (n**-k - s["accumulator"] ** -k) / lr * p)
        p = (ops.clip(z, -l1, l1) - z) / (n**-k / lr + 2 * l2)
        return p, {"accumulator": n, "linear": z}


@registry.register()
@dataclass(eq=False)
class Adafactor(Optimizer):
    """Adam's division with row and column means in place of the mean square of a matrix.

    `v = r cᵀ / mean(r)`, `u = g / √v`, `û = u / max(1, rms(u) / d)`,
    `θ ← θ − max(ε₂, rms(θ)) min(η, 1/√t) û`; means move by `β = 1 − t^beta_2_decay`.

    Args:
        learning_rate: η, the greatest relative step.
        beta_2_decay: exponent of the means' memory.
        epsilon_1: added to squares.
        epsilon_2: ε₂.
        clip_threshold: d.
        relative_step: taken for Keras's sake; the step is bounded by 1/√t either way, as there.

    Source: Shazeer, Stern, Adafactor (ICML 2018).
    """

    beta_2_decay: float = -0.8
    epsilon_1: float = 1e-30
    epsilon_2: float = 1e-3
    clip_threshold: float = 1.0
    relative_step: bool = True

    def slots(self, p: Any) -> Arrays:
        """Row and column means of a matrix; the mean square of what has one axis."""
        if len(p.shape) < 2:
            return {"velocity": like(p)}
        return {"r": like(p, 0.0, p.shape[:-1]), "c": like(p, 0.0, p.shape[:-2] + p.shape[-1:])}

    def step(self, g: Any, s: Arrays, t: Any, lr: Any, p: Any) -> tuple[Any, Arrays]:
        """Update one weight."""
        beta = 1 - t**self.beta_2_decay
        squares = g**2 + self.epsilon_1
        if len(p.shape) < 2:
            v = beta * s["velocity"] + (1 - beta) * squares
            new = {"velocity": v}
        else:
            r = beta * s["r"] + (1 - beta) * ops.mean(squares, axis=-1)
            c = beta * s["c"] + (1 - beta) * ops.mean(squares, axis=-2)
            r_part = ops.expand_dims(r / ops.mean(r, axis=-1, keepdims=True), -1)
            v = r_part * ops.expand_dims(c, -2)
            new = {"r": r, "c": c}
        u = g / ops.sqrt(v)
        u = u / ops.maximum(rms(u) / self.clip_threshold, 1)
        relative = ops.minimum(lr, 1 / ops.sqrt(t))
        return p - ops.maximum(rms(p), self.epsilon_2) * relative * u, new


def rms(x: Any) -> Any:
    """Root mean square."""
    return ops.sqrt(ops.mean(ops.square(x)))


def get(identifier: Any) -> Optimizer:
    """Give an optimizer from a name, a config, or itself.

    Raises:
        UserError: if a name is not known; the nearest is suggested.

    >>> get("adam").learning_rate
    0.001
    """
    found = registry.get(identifier.lower() if isinstance(identifier, str) else identifier)
    if isinstance(found, Optimizer):
        return found
    raise UserError(f"{identifier!r} is not an optimizer", mend="give a name or an optimizer")


def deserialize(config: Any) -> Optimizer:
    """Make an optimizer from what `serialize` gave."""
    return get(config)
