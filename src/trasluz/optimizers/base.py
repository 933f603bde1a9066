"""What all optimizers share: state, clipping, decay, averages, the rate."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import numpy as np

from trasluz.autodiff import ops
from trasluz.autodiff.backend import namespace
from trasluz.autodiff.tape import Traced, note, released
from trasluz.base.naming import unique
from trasluz.base.tree import leaves
from trasluz.errors import MISFITS, UserError, is_misfit, misfit, shown
from trasluz.optimizers import schedules
from trasluz.optimizers.schedules import LearningRateSchedule
from trasluz.state.module import Module, Variable, join_path, modules_in
from trasluz.state.registry import Configurable, Registry, serialize

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


def _paired(grads: Any, variables: list[Any], wrong: Callable[..., UserError]) -> Any:
    if not isinstance(grads, Iterable):
        raise wrong(f"the derivatives are {shown(grads)}", "give a list: one a variable")
    grads = list(grads)
    if len(grads) != len(variables):
        what = f"{len(grads)} derivatives were given for {len(variables)} variables"
        raise wrong(what, "give one a variable; None leaves it as it is")
    return zip(grads, variables, strict=True)


def _derivative(g: Any, v: Variable) -> Any:
    """Take in a derivative: of the variable's type, and of its shape.

    Raises:
        UserError: if it has another shape, or is no numbers.
    """
    g = released(g)
    if isinstance(g, Traced) or (hasattr(g, "__array_namespace__") and namespace(g) is not np):
        g = g if g.dtype == v.dtype else ops.astype(g, dtype=v.dtype)
    else:
        try:
            g = np.asarray(g, v.dtype)
        except (TypeError, ValueError):
            raise UserError(
                f"a derivative is {shown(g)}", v.path, "give an array of the variable's shape"
            ) from None
    if tuple(g.shape) != v.shape:
        raise UserError(
            f"a derivative of shape {tuple(g.shape)} was given, the variable has {v.shape}",
            v.path,
            "give derivatives in the order of the variables",
        )
    return g


class Acting(Protocol):
    """What the step of a model tells its optimizers."""

    @property
    def weights(self) -> list[Any]:
        """Handles on the weights that training moves."""

    def path(self, variable: Variable) -> str:
        """Give the path of a weight; raise if it is none of the model's."""

    def rate(self, optimizer: Optimizer) -> Any:
        """Give the learning rate; `None` where the optimizer works it out."""


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
        if steps is not None and not 2 <= steps < 2**31:
            raise self._wrong(f"gradient_accumulation_steps is {steps}", "give 2 or more")
        self.name = self.name or type(self).__name__.lower()
        self.iterations = 0
        self._state: State = {}
        self._keys: dict[tuple[int, str | None], str] = {}
        self._variables: list[Variable] = []
        self._spared: list[Variable] = []
        self._decays_not: set[str] = set()
        self._decays_not_pattern: re.Pattern[str] | None = None
        self._acting: Acting | None = None

    def _wrong(self, what: str, mend: str) -> UserError:
        return UserError(what, type(self).__name__, mend)

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

        >>> from trasluz.optimizers import SGD
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
        rate = self._learning_rate
        given = None if self._acting is None else self._acting.rate(self)
        if given is not None or not callable(rate):
            return rate if given is None else given
        try:
            return rate(self.iterations if t is None else t) if self.scheduled else rate()
        except MISFITS as error:
            if not is_misfit(error):
                raise
            mend = "let the function take the step, or nothing"
            raise misfit(error, "the learning rate fails", type(self).__name__, mend) from error

    @property
    def scheduled(self) -> bool:
        """Whether the learning rate is a function of the step, which `update` can call itself."""
        return callable(self._learning_rate) and takes_step(self._learning_rate)

    def _clock(self, t: Any, learning_rate: Any, dtype: Any) -> tuple[Any, Any]:
        """Give the learning rate and the number of updates so far in a floating type."""
        k = self.gradient_accumulation_steps or 1
        rate = self.rate(scalar(t, dtype)) if learning_rate is None else learning_rate
        if not isinstance(rate, (int, float)) and not hasattr(rate, "astype"):
            mend = "let the function of the learning rate give a number"
            raise self._wrong(f"the learning rate is {shown(rate)}", mend)
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

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the state of standing-alone variables."""
        taken: set[str] = set()
        self._variables = list(variables)
        self._keys = {(id(v.module), v.name): unique(v.path, taken) for v in variables}
        self._decays_not = {self._key(v) for v in self._spared}
        self._state = self.init({self._key(v): v.value for v in variables})

    def _key(self, variable: Variable) -> str:
        if self._acting is not None:
            return self._acting.path(variable)
        try:
            return self._keys[id(variable.module), variable.name]
        except KeyError:
            raise self._wrong(
                f"the variable {variable.path!r} is not known to the optimizer",
                "build it with all variables that it will move",
            ) from None

    def acting(self, acting: Acting, iterations: Any, state: State) -> Self:
        """Make a twin for a step of a model: its state is what the step is given, and gives.

        Args:
            acting: what the step knows.
            iterations: how many updates there were.
            state: by path of the weights; what is missing begins when it is needed.
        """
        twin = copy.copy(self)
        twin._acting, twin.iterations, twin._state = acting, iterations, dict(state)
        return twin

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> int:
        """Update variables from pairs of derivative and variable; gives the number of updates.

        >>> from trasluz.optimizers import SGD
        >>> v = Variable([1.0, 2.0])
        >>> SGD(0.5).apply_gradients([(np.ones(2, np.float32), v)])
        1
        >>> v.numpy()
        array([0.5, 1.5], dtype=float32)
        """
        pairs = list(grads_and_vars)
        self.apply([g for g, _ in pairs], [v for _, v in pairs])
        return self.iterations

    def apply(self, grads: Sequence[Any], trainable_variables: Any = None) -> None:
        """Update variables and bring them back into their constraints.

        Args:
            grads: one derivative a variable; `None` leaves it as it is.
            trainable_variables: the variables; those of `build` if not given.

        Raises:
            UserError: if there is no derivative, or a variable is not known.
        """
        if self._acting is not None:
            given = trainable_variables
            variables = self._acting.weights if given is None else list(given)
        elif trainable_variables is None:
            variables = self._variables
        else:
            variables = list(trainable_variables)
            if not self._variables:
                self.build(variables)
        keys = [self._key(v) for v in variables]
        pairs = _paired(grads, list(variables), self._wrong)
        moved = {key: pair for key, pair in zip(keys, pairs, strict=True) if pair[0] is not None}
        if not moved:
            raise self._wrong(
                "there is no derivative for any variable",
                "differentiate the loss in the variables that it depends on, computed on the tape",
            )
        gradients = {key: _derivative(g, v) for key, (g, v) in moved.items()}
        params = {key: v.value for key, (_, v) in moved.items()}
        fresh = {key: p for key, p in params.items() if key not in self._state}
        state = {**self._state, **self.init(fresh)}
        rate = None if self._acting is None else self._acting.rate(self)
        params, self._state = self.update(gradients, state, params, self.iterations, rate)
        for key, (_, v) in moved.items():
            v.assign(v.constraint(params[key]) if v.constraint else params[key])
        self.iterations = self.iterations + 1

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

    def get_config(self) -> dict[str, Any]:
        """List the constructor's arguments as plain data, with the learning rate as it is now."""
        return {**super().get_config(), "learning_rate": serialize(self._learning_rate)}

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
    if self.__dict__.get("_acting") is not None:
        mend = "give a schedule, or assign it between steps, in a callback"
        raise self._wrong("a step assigns the learning rate, which would be lost", mend)
    if isinstance(self.__dict__.get("_learning_rate"), LearningRateSchedule) and not callable(rate):
        raise self._wrong(
            "the learning rate follows a schedule, so no number can be assigned",
            "make the optimizer with a number",
        )
    if not callable(rate) and np.size(getattr(rate, "shape", ())):
        raise self._wrong(f"the learning rate has shape {np.shape(rate)}", "give one number")
    if isinstance(rate, str):  # how a plain function is written down
        raise self._wrong(f"the learning rate is {rate!r}", "give a number, schedule or function")
    try:
        self._learning_rate = rate if callable(rate) else float(rate)
    except (TypeError, ValueError, OverflowError):
        mend = "give a number, schedule or function"
        raise self._wrong(f"the learning rate is {shown(rate)}", mend) from None


# Set here because in the class body it would be taken for the field's default.
Optimizer.learning_rate = property(_read_rate, _assign_rate)


def is_rule(value: Any) -> bool:
    """Tell optimizers from all else."""
    return isinstance(value, Optimizer)


def optimizers_in(module: Module) -> dict[str, Optimizer]:
    """Name the optimizers that a model and its layers keep, by the attributes that hold them."""
    found: dict[str, Optimizer] = {}
    for one in modules_in(module):
        for name, value in dict(vars(one)).items():
            kept = [] if name in one._apart else [v for v in leaves(value) if is_rule(v)]
            for number, rule in enumerate(kept):
                label = join_path(one._path, name) + (f"/{number}" if len(kept) > 1 else "")
                if all(rule is not other for other in found.values()):
                    found[label] = rule
    return found
