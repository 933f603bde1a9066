"""Rows on their way to the steps: in blocks, read ahead, and put where steps are computed."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from trasluz.autodiff import random
from trasluz.base.tree import leaves
from trasluz.data import blocks
from trasluz.data.arrays import Arrays, Batch
from trasluz.data.blocks import Block
from trasluz.data.reader import Reader
from trasluz.data.streams import Stream
from trasluz.errors import UserError
from trasluz.training.engine import Engine

# Data up to so many bytes are kept where XLA computes.
_KEPT_BYTES = 2**31


class Feed:
    """What feeds the steps with the rows of some data.

    Args:
        data: the rows, or an iterable of batches.
        batch_size: how many a step takes; `None` for all, or as the iterable gives them.
        engine: what computes the steps.
        reader: the thread that reads; a run has one for all its data.
        shuffle: whether each pass takes the rows in another order.
        limit: how many batches a pass has at most.
        since: the epoch that training begins with; `None` where every pass begins anew.

    Attributes:
        size: how many rows a step takes; 0 for as the iterable gives them.
        kept: the rows where XLA computes, once they are there.
    """

    def __init__(
        self,
        data: Arrays | Stream,
        batch_size: int | None,
        engine: Engine,
        reader: Reader,
        shuffle: bool = False,
        limit: int | None = None,
        since: int | None = None,
    ) -> None:
        self.data, self.engine, self.reader = data, engine, reader
        self.size = _checked_size(batch_size, data)
        self.shuffle, self.limit, self.since = shuffle, limit, since
        self.kept: Batch | None = None
        self._orders: dict[int, np.ndarray] = {}  # that of one pass, by the step it begins at
        if isinstance(data, Stream):
            reader.streams.append(data)

    @property
    def steps(self) -> int | None:
        """How many batches a pass has, if that is known."""
        if isinstance(self.data, Stream):
            return self.data.steps
        return self._counted(self.data)

    def _counted(self, data: Arrays) -> int:
        steps = math.ceil(len(data) / self.size)
        return min(steps, self.limit or steps)

    def sample(self) -> Batch:
        """Give the rows to prepare for."""
        if isinstance(self.data, Stream):
            return self.reader.result(self.reader.ask(self.data.peek))
        return self.data.sample()

    def order(self, root: Any, begun: int) -> np.ndarray | None:
        """Shuffle the rows for a pass: a function of the run's key and the step it begins at."""
        if not self.shuffle or isinstance(self.data, Stream):
            return None
        if begun not in self._orders:
            key = random.fold(np.asarray(root), "order", begun)
            self._orders = {begun: random.permutation(key, len(self.data))}
        return self._orders[begun]

    @property
    def stays(self) -> bool:
        """Whether the data are one block: nothing is read then, nor copied twice."""
        if isinstance(self.data, Stream) or not self.data.in_memory:
            return False
        everything = leaves((self.data.x, self.data.y, self.data.w))
        for_numpy = not self.engine.compiles and self.engine.moves_at is None
        return for_numpy or sum(a.nbytes for a in everything) <= _KEPT_BYTES

    def blocks(
        self,
        epoch: int = 0,
        begin: int = 0,
        order: np.ndarray | None = None,
        every: bool = False,
        check: Callable[[Batch], Any] | None = None,
        placed: bool = True,
    ) -> Generator[Block]:
        """Go through the data in blocks, each read while the one before is in use.

        Args:
            epoch: which pass.
            begin: the first batch.
            order: the order of all rows.
            every: whether batches are asked for one by one: no more than one is read ahead then.
            check: looks at rows with targets that were read.
            placed: whether to put what is read where XLA computes.
        """
        data = self.data
        if isinstance(data, Arrays):
            end = self._counted(data)
            if self.stays:
                yield blocks.whole(data, self.size, order, begin, end)
                return
            coming = blocks.of_arrays(data, self.size, order, begin, end)
        else:
            # By the clock; several processes have to cut their calls alike.
            haste = (lambda *_: False) if self.engine.joint else self.reader.in_haste
            turn = self._turn(data, epoch)
            coming = blocks.of_stream(data, turn, begin, lambda *when: every or haste(*when))
        yield from self.reader.ahead(self._looked_at(coming, epoch, check, placed))

    def _turn(self, data: Stream, epoch: int) -> int:
        """Say which pass of an iterable an epoch is."""
        if self.since is None:
            return 0
        return epoch - self.since if data.limit else epoch

    def _looked_at(
        self,
        coming: Generator[Block],
        epoch: int,
        check: Callable[[Batch], Any] | None,
        placed: bool,
    ) -> Generator[Block]:
        """Check the rows of blocks that were read, and put them where XLA computes."""
        number = 0
        try:
            for block in coming:
                self.engine.model._check_choices(block.filled().x)
                if check is not None and block.rows.y is not None:
                    check(block.filled())
                number = block.end
                yield self.place(block) if placed else block
        except Exception as error:
            error.add_note(f"It happened in reading batch {number} (or later) of epoch {epoch + 1}")
            raise

    def place(self, block: Block) -> Block:
        """Put a block where XLA computes, if it does; data that are one block, once."""
        if not self.engine.compiles or block.placed is not None:
            return block
        rows = self.kept
        if rows is None:
            rows = self.engine.put(block.rows, lent=True)
            if self.stays:
                self.kept = rows
        return block._replace(placed=rows)

    def on(self, engine: Engine) -> Feed:
        """Give the same rows for another engine."""
        twin = copy.copy(self)
        twin.engine, twin.kept = engine, None
        return twin

    def whole(self, order: np.ndarray | None = None) -> Block:
        """Give data that stay as one block, in its place."""
        assert isinstance(self.data, Arrays)
        return self.place(blocks.whole(self.data, self.size, order, 0, self._counted(self.data)))

    def example(self, sample: Batch) -> Block:
        """Give a block, in its place, of the shape that those of a pass have, whatever is in it.

        Args:
            sample: the rows to prepare for.
        """
        if isinstance(self.data, Arrays) and self.stays:
            order = np.arange(len(self.data)) if self.shuffle else None
            return self.place(blocks.whole(self.data, self.size, order, 0, 0))
        return self.place(blocks.example(self.data, sample, self.size, self.shuffle))


def _checked_size(size: int | None, data: Arrays | Stream) -> int:
    if size is None:
        return len(data) if isinstance(data, Arrays) else 0
    if not isinstance(size, (int, np.integer)) or size < 1:
        raise UserError(
            f"batch_size has to be a positive whole number or None, it is {size!r}",
            mend="None takes all rows at once",
        )
    return min(int(size), 2**62)  # any more is as much
