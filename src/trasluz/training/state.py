"""The state of a training: taken out of the model, moved by steps, put back."""

from __future__ import annotations

from typing import Any

import numpy as np

from trasluz.autodiff import backend, random
from trasluz.state.module import carried_in
from trasluz.training.engine import Engine
from trasluz.training.objective import State
from trasluz.training.ready import Ready


class TrainingState:
    """The arrays that steps take and give, and the model that they came from.

    Args:
        ready: the model, ready for the data.
        engine: what computes the steps.

    Attributes:
        arrays: the state of the steps; see `training.step.initial`.
    """

    def __init__(self, ready: Ready, engine: Engine) -> None:
        self.ready, self.engine, self.model = ready, engine, ready.model
        self.arrays: State = {}
        self._start()

    def _start(self) -> None:
        """Gather what to start from: the model's arrays, the optimizer's, the trackers'."""
        model = self.model
        if model._root is None:
            model._root = random.next_key()
        state = self.ready.state()
        slots = model._slots
        if slots is not None and array_shapes(slots) == array_shapes(state["slots"]):
            state["slots"] = refilled(state["slots"], slots)
        state["step"] = np.asarray(model.optimizer.iterations, np.int32)
        state["metrics"] = self.ready.fresh()
        self.arrays = self.engine.put(state)
        self._known_structure = model._structure()
        self._left = self._held()

    def weights(self) -> State:
        """The arrays of the model, by path."""
        return {**self.arrays["params"], **self.arrays["buffers"]}

    def results(self) -> dict[str, Any]:
        """Work out what the trackers say."""
        return self.ready.results(self.arrays["metrics"])

    def forget_metrics(self) -> None:
        """Let the trackers begin anew."""
        self.arrays["metrics"] = self.engine.fresh(self.ready, "train", self.arrays["metrics"])

    def carry(self, arrays: State) -> None:
        """Take up the states that layers carried on while they were measured."""
        states = {path: arrays[path] for path in carried_in(self.model)}
        if states:
            self.arrays["buffers"] = self.arrays["buffers"] | states
            self.store()

    def store(self) -> None:
        """Put what was reached back into the model."""
        kept = ("params", "buffers", "slots", "step")
        state = backend.to_numpy({name: self.arrays[name] for name in kept})
        arrays = {**state["params"], **state["buffers"]}
        for weight in self._known_structure.weights:
            weight.module.__dict__[weight.attribute] = arrays[weight.path]
        self.model._slots = state["slots"]
        own = self.ready.own
        if own is not None:
            own.keep(self.arrays["metrics"])
            for name, rule in own.optimizers.items():
                rule.iterations = int(state["slots"][name]["iterations"])
        self.model.optimizer.iterations = int(state["step"])
        self._left = self._held()

    def load(self) -> None:
        """Take up what callbacks changed in the model (restored weights, resumed state)."""
        if self._changed():
            metrics = self.arrays["metrics"]
            self._start()
            self.arrays["metrics"] = metrics

    def move(self) -> None:
        """Go where the engine has gone."""
        self.store()
        self.arrays = self.engine.put(self.arrays)

    def average(self) -> None:
        """Give the model the averages of its weights, where the optimizer keeps them."""
        arrays, own = self.arrays, self.ready.own
        rules = {"": self.model.optimizer} if own is None else own.optimizers
        for name, rule in rules.items():
            slots = arrays["slots"] if own is None else arrays["slots"][name]["slots"]
            arrays["params"] = rule.finalize(arrays["params"], slots)
        self.store()

    def _held(self) -> list[Any]:
        """List what the model holds: arrays, and what says which of them move."""
        model, structure = self.model, self._known_structure
        arrays = [weight.value for weight in structure.weights]
        moving = [part.trainable for part in structure.parts] + [
            w.spec.trainable for w in structure.weights
        ]
        return [*arrays, model._slots, model._root, model.optimizer.iterations, *moving]

    def _changed(self) -> bool:
        """Tell whether the model is no longer as it was left."""
        held = self._held()
        if len(held) != len(self._left) or any(
            a is not b for a, b in zip(held, self._left, strict=True)
        ):
            return True
        if not self.engine.compiles:  # the arrays are the model's own
            return False
        ours = self.weights()
        return not all(np.array_equal(w.value, ours[w.path]) for w in self._known_structure.weights)


def array_shapes(tree: Any) -> Any:
    """Give the shapes of nested arrays, nested likewise; what holds none is left out."""
    if not isinstance(tree, dict):
        return np.shape(tree)
    shapes = {name: array_shapes(branch) for name, branch in tree.items()}
    return {name: shape for name, shape in shapes.items() if shape != {}}


def refilled(tree: Any, other: Any) -> Any:
    """Take the arrays of another tree, which may lack branches that hold none."""
    if not isinstance(tree, dict):
        return other
    return {name: refilled(branch, other.get(name, {})) for name, branch in tree.items()}
