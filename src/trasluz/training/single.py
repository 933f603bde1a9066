"""Steps on single batches, one a call."""

from __future__ import annotations

from typing import Any

import numpy as np

from trasluz.autodiff import backend
from trasluz.base.tree import leaves
from trasluz.data.arrays import Arrays, Batch
from trasluz.training.engine import Engine
from trasluz.training.finite import checked, non_finite
from trasluz.training.ready import Ready
from trasluz.training.state import TrainingState
from trasluz.training.step import CARRIED, carrying


class SingleSteps:
    """Takes steps of a model on batches that come one by one, as long as its structure stays.

    Args:
        model: a compiled model.
    """

    def __init__(self, model: Any) -> None:
        self.model, self.engine = model, Engine(model, None)
        self._shapes: list[Any] = []  # of a row of the batches that it is ready for
        self._ready: Any = None
        self._state: Any = None

    def _take_in(self, data: Arrays) -> Batch:
        """Make ready for a batch."""
        batch = data.rows(slice(None))
        shapes = [(a.shape[1:], a.dtype) for a in leaves(batch)]
        if shapes != self._shapes:
            self._ready = Ready(self.model, batch)
            self.engine.try_out(self._ready, "train", batch, 0)
            self._state = TrainingState(self._ready, self.engine)
            self._shapes = shapes
        else:
            self._ready.check_targets(batch)
            self._state.load()
            self._state.forget_metrics()
        self.engine.look_again()
        return batch

    def measure(self, data: Arrays) -> dict[str, Any]:
        """Measure on one batch."""
        batch, state, ready = self._take_in(data), self._state, self._ready
        self.engine.try_out(ready, "test", batch, 0)
        step = self.engine.program("test", ready.test_step)
        with np.errstate(all="ignore"):
            arrays = state.weights()
            tracked = carrying(self.model, self.engine.fresh(ready, "test"), arrays)
            tracked = step(tracked, batch, arrays)[0]
            state.carry(arrays | tracked.get(CARRIED, {}))
            results: dict[str, Any] = ready.results(tracked, "test")
            return results

    def train(self, data: Arrays) -> dict[str, Any]:
        """Take one training step.

        Raises:
            NonFiniteError: if the loss or a weight stops being finite; the weights stay.
        """
        batch, state = self._take_in(data), self._state
        step = self.engine.program("step", lambda: checked(self._ready.train_step()))
        with np.errstate(all="ignore"):
            arrays, fine = step(state.arrays, batch, self.engine.rate(self._ready.own))
            if fine:
                state.arrays = arrays
        state.store()
        if not fine:
            before = backend.to_numpy(state.arrays)
            raise non_finite(self._ready, before, batch)
        return state.results()
