"""One pass over the training set: its steps, and what happens where numbers break."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Generator, Iterator
from typing import Any

from trasluz.autodiff import backend
from trasluz.callbacks.listed import CallbackList
from trasluz.data.arrays import Batch
from trasluz.data.blocks import Block
from trasluz.training.engine import CompiledSteps
from trasluz.training.feed import Feed
from trasluz.training.finite import checked, non_finite
from trasluz.training.ready import Ready
from trasluz.training.state import TrainingState


class Epoch:
    """One pass over the training set, or the rest of one.

    Args:
        ready: the model, ready for the data.
        feed: the training set.
        state: what steps move.
        listed: the callbacks.
        number: which epoch it is; the first is 0.
        last: whether no other follows.
        batch: the first batch to take.
        begun: the step at which it began; `None` if it is still to begin.
    """

    def __init__(
        self,
        ready: Ready,
        feed: Feed,
        state: TrainingState,
        listed: CallbackList,
        number: int,
        last: bool,
        batch: int = 0,
        begun: int | None = None,
    ) -> None:
        self.ready, self.feed, self.state, self.listed = ready, feed, state, listed
        self.number, self.last, self.batch, self.begun = number, last, batch, begun
        self.engine = feed.engine
        self.broken: Batch | None = None  # the rows at which numbers stopped being finite

    @property
    def done(self) -> int:
        """How many of its steps are behind it."""
        return 0 if self.begun is None else int(self.state.arrays["step"]) - self.begun

    def steps(self) -> Generator[None]:
        """Take its steps; after each, or each compiled call, callbacks have their turn.

        Raises:
            NonFiniteError: if numbers break, and no callback forgives it.
        """
        if self.begun is None:
            self.state.forget_metrics()
            self.begun = int(self.state.arrays["step"])
        order = self.feed.order(self.ready.model._root, self.begun)
        every, check = self.listed.wants_every_batch, self.ready.check_targets
        coming = self.feed.blocks(self.number, self.batch, order, every, check)
        with contextlib.closing(coming):
            for block in coming:
                while self.batch < block.end and self.broken is None:
                    if self._is_due():
                        self._move()
                    take = self._in_calls if self.engine.compiles else self._one_by_one
                    yield from take(self.feed.place(block))
                if self.broken is not None:
                    self._stop(self.broken)
                    return

    def _is_due(self) -> bool:
        return self.engine.is_due(self.state.arrays["step"])

    def _move(self) -> None:
        """Go over to XLA, if it is ready to take over."""
        if self.engine.move():
            self.state.move()

    def _announce(self) -> None:
        """Say that a batch begins; callbacks that hear of every batch may change the model."""
        self.listed.on_train_batch_begin(self.batch)
        if self.listed.wants_every_batch:
            self.state.load()

    def _one_by_one(self, block: Block) -> Iterator[None]:
        """Take steps one by one, till the block's end or till it is time to go over to XLA."""
        step = self.engine.program("step", lambda: checked(self.ready.train_step()))
        while self.batch < block.end and not self._is_due():
            self._announce()
            rows = block.batch(self.batch)
            arrays, fine = step(self.state.arrays, rows, self.engine.rate(self.ready.own))
            if not fine:
                self.broken = rows
                return
            self.state.arrays = arrays
            self.batch += 1
            yield

    def _in_calls(self, block: Block) -> Iterator[None]:
        """Take the steps of a block, many a compiled call."""
        steps, begun = CompiledSteps(self.engine, block), self.begun or 0
        following = self._following(block)
        while self.batch < block.end:
            self._announce()
            end = steps.end("fold", self.batch, min(block.end, self.listed.next_stop(self.batch)))
            meanwhile = following if end == block.end else None
            arrays, fine = steps.train(self.ready, self.state.arrays, self.batch, end, meanwhile)
            if not fine:  # what it started from is still there
                arrays, fine = steps.find(self.ready, self.state.arrays, self.batch, end)
            self.state.arrays = arrays
            self.batch = int(arrays["step"]) - begun
            if not fine:
                self.broken = block.batch(self.batch)
                return
            yield

    def _stop(self, batch: Batch) -> None:
        """Stop before the step whose numbers break: the weights from before it stay."""
        self.state.store()
        if self.listed.forgives:
            self.ready.model.stop_training = True
            return
        arrays = backend.to_numpy(self.state.arrays)
        raise non_finite(self.ready, arrays, batch)

    def logs(self) -> dict[str, Any]:
        """Work out what was measured; the loss is NaN where numbers broke."""
        logs = self.state.results()
        return logs if self.broken is None else {**logs, "loss": math.nan}

    def _following(self, block: Block) -> Callable[[], Any] | None:
        """Give what works out the order of the next epoch: once, since it is kept."""
        steps = self.feed.steps or 0
        if block.order is None or self.last or not (block.end == steps or block.begin > 0):
            return None
        begun = (self.begun or 0) + steps
        return lambda: self.feed.order(self.ready.model._root, begun)
