"""Steps that users write: a model's own `train_step`, `compute_loss` and the like, made pure.

What such a step moves lies in twins: of the model, with its metrics, of what it is compiled with,
and of its optimizers. A twin is given the arrays of the state before the step, and read after it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from trasluz.autodiff import backend
from trasluz.autodiff.tape import bare, held
from trasluz.base.tree import leaves, tree_map
from trasluz.data.arrays import Batch, packed
from trasluz.errors import UserError, shown
from trasluz.optimizers.base import Optimizer, is_rule, optimizers_in
from trasluz.state.binding import Binding
from trasluz.state.context import Context
from trasluz.state.module import (
    Module,
    Weight,
    modules_in,
    own_modules,
    set_aside,
    weights_of,
)
from trasluz.state.registry import overrides
from trasluz.state.symbolic import is_numeric
from trasluz.training.objective import CARRIED, Objective, State

# What a model may write itself, of what each kind of step is made of.
_OF_BOTH = ("compute_loss", "compute_metrics", "get_metrics_result", "metrics", "reset_metrics")
_STEPS = {"train": "train_step", "test": "test_step", "predict": "predict_step"}


def is_own(model: Any) -> bool:
    """Tell whether a model trains or measures by anything that its user wrote."""
    written = any(overrides(model, name) for name in (*_OF_BOTH, "train_step", "test_step"))
    return written or bool(set_aside(model))


class Acting:
    """What a step that a user wrote knows of itself, and takes down.

    Args:
        own: the steps of the model.
        twins: those of the model's parts, the model first.
        rates: the optimizers' learning rates by name; `None` where a schedule works it out.
        look: whether somebody wants to see the tapes.

    Attributes:
        targets: what was differentiated.
        tapes: the tapes that were opened, if somebody wants to see them.
    """

    def __init__(self, own: OwnSteps, twins: list[Any], rates: dict[str, Any], look: bool) -> None:
        self.own, self.twins, self.model, self.rates = own, twins, twins[0], rates
        self._numbers = {id(twin): number for number, twin in enumerate(twins)}
        self.names: dict[int, str] = {}
        self.targets: list[Any] = []
        self.tapes: list[Any] | None = [] if look else None

    def parted(self, module: Module) -> tuple[list[Module], list[Module]] | None:
        """List the twins of what is of a part, and of the metrics in it."""
        number = self._numbers.get(id(module))
        if number is None:
            return None
        of, aside = self.own.below(number)
        return [self.twins[i] for i in of], [self.twins[i] for i in aside]

    @property
    def weights(self) -> list[Weight]:
        """Handles on the weights that training moves."""
        return [w for w in weights_of(self.model) if w.trainable]

    def path(self, weight: Any) -> str:
        """Give the path of a weight.

        Raises:
            UserError: if it is none of the model's.
        """
        if not isinstance(weight, Weight) or id(weight.module) not in self._numbers:
            raise UserError(
                f"an optimizer is given {shown(weight)}, which is no weight of the model",
                type(self.model).__name__,
                "keep the layer that it belongs to in an attribute of the model",
            )
        return weight.path

    def rate(self, rule: Optimizer) -> Any:
        """Give the learning rate of an optimizer's twin."""
        return self.rates.get(self.names[id(rule)])


class OwnSteps:
    """The steps of a model that writes some of them itself.

    Args:
        model: a compiled model.
        objective: what it is compiled for, prepared.

    Attributes:
        optimizers: those of the model and its layers by name; "optimizer" is that of compile.
        logs: for "train" and "test", what steps report, in order, with zeros for numbers.
    """

    def __init__(self, model: Any, objective: Objective) -> None:
        self.model, self.objective = model, objective
        self.binding = Binding(model)
        self.trackers = Binding(objective.trackers)  # type: ignore[arg-type]
        self.optimizers = optimizers_in(model)
        apart = {id(one) for metric in set_aside(model) for one in modules_in(metric)}
        self.metrics = {
            path for one, arrays, _ in self.binding.parts if id(one) in apart for _, path in arrays
        }
        self.logs: dict[str, dict[str, Any]] = {}
        self.moved: dict[str, list[str]] = {name: [] for name in self.optimizers}
        self._below: dict[int, tuple[list[int], list[int]]] = {}
        self._places = [
            (number, name, value)
            for number, (one, _, _) in enumerate(self.binding.parts)
            for name, value in vars(one).items()
            if name not in one._apart and any(map(is_rule, leaves(value)))
        ]

    def below(self, number: int) -> tuple[list[int], list[int]]:
        """Give the numbers of the parts that are of a part, and of the metrics in it."""
        if number not in self._below:
            numbers = {id(one): i for i, (one, _, _) in enumerate(self.binding.parts)}
            part = self.binding.parts[number][0]
            of, aside = own_modules(part), set_aside(part)
            self._below[number] = [numbers[id(o)] for o in of], [numbers[id(o)] for o in aside]
        return self._below[number]

    # ------------------------------------------------------------------------------------- state

    def slots(self, params: State) -> State:
        """Make the optimizers' state before any update, for the weights that each of them moves."""
        return {
            name: {
                "iterations": np.asarray(0, np.int32),
                "slots": rule.init({p: params[p] for p in self.moved[name] if p in params}),
            }
            for name, rule in self.optimizers.items()
        }

    def fresh(self, kind: str, before: State | None = None) -> State:
        """Give the arrays of metrics and logs that an epoch begins with: after `reset_metrics`.

        Args:
            kind: "train" or "test".
            before: those that there are; the model's own if not given.
        """
        compiled = self.objective.fresh()
        own = {} if before is None else backend.to_numpy(before["own"])
        twins, trackers = self.binding.twins(own), self.trackers.twins(compiled)
        twins[0].__dict__["_tracked"] = trackers[0].tracked
        twins[0].reset_metrics()
        return {
            "trackers": compiled,
            "own": {p: a for p, a in bare(self.binding.read(twins)).items() if p in self.metrics},
            "logs": self.logs.get(kind, {}),
        }

    def results(self, tracked: State, kind: str) -> dict[str, Any]:
        """Give what the last step reported."""
        logs = backend.to_numpy(tracked["logs"])
        number = lambda a: float(a) if np.ndim(a) == 0 else np.asarray(a)  # noqa: E731
        return {name: number(logs[name]) for name in self.logs.get(kind, logs)}

    def keep(self, tracked: State) -> None:
        """Let the model's metrics say what they say in the state."""
        own = backend.to_numpy(tracked["own"])
        for one, arrays, _ in self.binding.parts:
            for attribute, path in arrays:
                if path in self.metrics:
                    one.__dict__[attribute] = own[path]

    # ------------------------------------------------------------------------------------- steps

    def train_step(self) -> Callable[..., Any]:
        """Make the training step; see `training.step.train_step`."""

        def step(state: State, batch: Batch, rates: Any, factors: Any = None) -> tuple[State, Any]:
            context = Context(False, state["root"], state["step"], factors)
            after, loss, _ = self.run("train", state, batch, context, rates)
            return {**after, "step": state["step"] + np.int32(1), "root": state["root"]}, loss

        return step

    def test_step(self) -> Callable[..., Any]:
        """Make the evaluation step; see `training.step.test_step`."""

        def step(tracked: State, batch: Batch, arrays: State, _: Any = None) -> tuple[State, Any]:
            states = tracked.get(CARRIED, {})
            fixed = {path: array for path, array in arrays.items() if path not in states}
            state = {"params": fixed, "buffers": states, "slots": {}, "metrics": tracked}
            context = Context(False, np.zeros(2, np.uint32))
            after, loss, _ = self.run("test", state, batch, context, {})
            carried = {CARRIED: after["buffers"]} if states else {}
            return after["metrics"] | carried, loss

        return step

    def run(
        self,
        kind: str,
        state: State,
        batch: Batch,
        context: Context,
        rates: Any,
        look: bool = False,
    ) -> tuple[State, Any, Acting]:
        """Run a step on twins.

        Args:
            kind: "train" or "test".
            state: params, buffers, slots and metrics.
            batch: the rows.
            context: what layers know of the step.
            rates: the optimizers' learning rates by name.
            look: whether to look closely: at what is lost, and at the tapes.

        Returns:
            The state after it, the loss, and what the step took down.
        """
        tracked, params, buffers = state["metrics"], state["params"], state["buffers"]
        twins = self.binding.twins({**tracked["own"], **buffers, **params})
        trackers = self.trackers.twins(tracked["trackers"])
        before = [dict(vars(twin)) for twin in twins] if look else []
        root, method = twins[0], _STEPS[kind]
        root.__dict__["_tracked"] = trackers[0].tracked
        context.acting = acting = Acting(self, twins, rates, look)
        rules = self._rules(twins, acting, state["slots"])
        with context:
            given = getattr(root, method)(held(packed(batch)))
        logs = self._reported(given, method)
        arrays = bare(self.binding.read(twins))
        if look:
            self._check_kept(before, twins)
            if kind == "train":
                self._check_moved(bare({**buffers, **params}), arrays)
                names = {id(rule): name for name, rule in self.optimizers.items()}
                self.moved = {names[i]: list(rule._state) for i, rule in rules.items()}
        state = {
            "params": {path: arrays[path] for path in params},
            "buffers": {path: arrays[path] for path in buffers},
            "slots": {
                name: {
                    "iterations": rules[id(rule)].iterations,
                    "slots": bare(rules[id(rule)]._state),
                }
                for name, rule in self.optimizers.items()
                if state["slots"]
            },
            "metrics": {
                "trackers": bare(self.trackers.read(trackers)),
                "own": {path: arrays[path] for path in tracked["own"]},
                "logs": logs,
            },
        }
        parts = [part for target in acting.targets for part in leaves(target)]
        zero = np.zeros((), next(iter(params.values())).dtype) if params else np.float32(0)
        return state, sum((part.sum() for part in parts), zero), acting

    def _rules(self, twins: list[Any], acting: Acting, slots: State) -> dict[int, Any]:
        """Put twins of the optimizers into the twins of what keeps them."""
        rules = {}
        for name, rule in self.optimizers.items():
            own = slots.get(name, {"iterations": np.int32(0), "slots": {}})
            rules[id(rule)] = twin = rule.acting(acting, own["iterations"], own["slots"])
            acting.names[id(twin)] = name
        for number, attribute, value in self._places:
            of_step = lambda v: rules[id(v)] if is_rule(v) else v  # noqa: E731
            twins[number].__dict__[attribute] = tree_map(of_step, value)
        return rules

    def _reported(self, given: Any, method: str) -> State:
        """Take in what a step gives to be reported.

        Raises:
            UserError: if it is no dict of numbers.
        """
        mend = (
            "return a dict of names and numbers: {m.name: m.result() for m in self.metrics}, or "
            'such as {"loss": loss}'
        )
        if not isinstance(given, dict):
            what = f"its {method} gives {shown(bare(given))}"
            raise UserError(what, type(self.model).__name__, mend)
        logs: State = {}
        for name, value in bare(given).items():
            if isinstance(value, Weight):
                value = value.value
            if isinstance(value, dict):
                logs |= self._reported(value, method)
                continue
            if isinstance(value, (int, float)):
                value = np.asarray(value, np.float32)
            if not isinstance(name, str) or not is_numeric(value):
                what = f"its {method} reports {shown(value)} as {name!r}"
                raise UserError(what, type(self.model).__name__, mend)
            logs[name] = bare(value)
        return logs

    # ------------------------------------------------------------------------------------- trial

    def try_out(
        self, kind: str, state: State, batch: Batch, rates: Any, compiles: bool
    ) -> list[Any]:
        """Run a step that counts for nothing: what it reports and moves is known then.

        Args:
            kind: "train" or "test".
            state: what a step is given.
            batch: rows as a step gets them.
            rates: the optimizers' learning rates by name.
            compiles: whether to run it on shapes alone.

        Returns:
            The tapes that it opened.
        """
        found: list[Any] = []

        def step(state: State, batch: Batch, rates: Any) -> State:
            context = Context(False, state["root"], state["step"])
            after, _, acting = self.run(kind, state, batch, context, rates, look=True)
            found.append((list(after["metrics"]["logs"]), acting.tapes))
            logs: State = after["metrics"]["logs"]
            return logs

        run = functools.partial(backend.outlined, step) if compiles else step
        try:
            logs = run(state, batch, rates)
        except TypeError as error:
            if not type(error).__module__.startswith("jax"):
                raise
            raise UserError(
                "a step asks for the numbers of an array, which a compiled step does not have "
                f"({str(error).splitlines()[0]})",
                type(self.model).__name__,
                "use trasluz.ops, and ops.where in place of if; or engine='numpy'",
            ) from error
        order, tapes = found[-1]
        self.logs[kind] = {name: np.zeros_like(np.asarray(logs[name])) for name in order}
        return [] if compiles else tapes

    def _check_kept(self, before: list[dict[str, Any]], twins: list[Any]) -> None:
        """Look for numbers that a step assigns to attributes, and that would be lost."""
        for old, twin in zip(before, twins, strict=True):
            for name, value in old.items():
                now = vars(twin).get(name)
                number = isinstance(value, (int, float)) and not isinstance(value, bool)
                if number and name[:1] != "_" and now is not value and now is not None:
                    if isinstance(now, (int, float)) and now == value:
                        continue
                    raise UserError(
                        f"a step assigns {name!r}, and what it assigns would be lost: a compiled "
                        "step keeps arrays alone",
                        type(twin).__name__,
                        f"make it a variable: self.{name} = trasluz.Variable({value!r}, "
                        f"trainable=False), and self.{name}.assign_add(...)",
                    )

    def _check_moved(self, before: State, after: State) -> None:
        """Make sure that a step moves something."""
        if before and all(after[path] is array for path, array in before.items()):
            raise UserError(
                "its train_step moves no weight",
                type(self.model).__name__,
                "give derivatives to an optimizer: self.optimizer.apply(gradients, weights)",
            )
