"""The rules of optimizers: for ONE array each, the lines of its paper."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from trasluz.autodiff import ops
from trasluz.autodiff.tape import note
from trasluz.errors import UserError
from trasluz.optimizers.base import Arrays, Optimizer, like, registry


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

    >>> import numpy as np
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
    optimizer = registry.get(identifier.lower() if isinstance(identifier, str) else identifier)
    if isinstance(optimizer, Optimizer):
        return optimizer
    raise UserError(f"{identifier!r} is not an optimizer", mend="give a name or an optimizer")


def deserialize(config: Any) -> Optimizer:
    """Make an optimizer from what `serialize` gave."""
    return get(config)
