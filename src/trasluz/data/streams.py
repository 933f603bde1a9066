"""Iterables of batches."""

from __future__ import annotations

import inspect
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from trasluz.data.arrays import Arrays, Batch
from trasluz.data.parquet import ParquetStream
from trasluz.errors import UserError

_END = object()
_NOTHING: Iterator[Any] = iter(())


class Stream:
    """Batches from an iterable: each `x`, `(x, y)` or `(x, y, weights)`.

    A pass asks for the batches of an epoch from one of them on. What has `len()` and gives batches
    by number (a list, a `PyDataset`) is asked for that one, a `ParquetStream` goes there; any other
    iterable starts anew, and the batches before are left out. A generator cannot start anew: it is
    taken from where it stands, and in a run that is resumed as many batches of it are left out as
    the run had taken.

    Args:
        source: the iterable.
        dtype: the model's floating type.
        steps: how many batches an epoch has, beginning where the one before ended; all there are
            if it is not given.
        input_dtypes: the types of the inputs, where they are declared.
        class_weight: weights of classes in the loss.
    """

    def __init__(
        self,
        source: Any,
        dtype: str,
        steps: int | None = None,
        input_dtypes: list[Any] | None = None,
        class_weight: dict[int, float] | None = None,
    ) -> None:
        self.source, self.dtype, self.limit = source, dtype, steps
        self.input_dtypes, self.class_weight = input_dtypes, class_weight
        self.running: Iterator[Any] = _NOTHING
        self.turn, self.at = 0, 0  # how often it was gone through, and the next batch of `running`
        self.front: list[Any] = []  # what was looked at before its turn
        self.took = 0.0  # how many seconds the last batch took
        begun = inspect.isgenerator(source) and inspect.getgeneratorstate(source)
        self.begun = begun not in (False, inspect.GEN_CREATED)

    @property
    def length(self) -> int | None:
        """How many batches the source says it has."""
        try:
            return len(self.source)
        except TypeError:
            return None

    @property
    def steps(self) -> int | None:
        """How many batches an epoch has, if that is known."""
        return self.length if self.limit is None else self.limit

    def turns(self, epoch: int, begin: int) -> tuple[int, int, int | None]:
        """Say where an epoch goes on: which turn of the source, at which batch, how many more."""
        if self.limit is None:
            return epoch, begin, None
        turn, at = 0, epoch * self.limit + begin
        if self.length:
            turn, at = divmod(at, self.length)
        return turn, at, self.limit - begin

    def items(self, epoch: int, begin: int) -> Iterator[Any]:
        """Give an epoch's batches from one on, as the source gives them."""
        turn, at, left = self.turns(epoch, begin)
        self._go_to(turn, at)
        while left != 0 and (item := self._next()) is not _END:
            left = None if left is None else left - 1
            yield item

    def peek(self) -> Batch:
        """Give the first batch; it is not lost."""
        if isinstance(self.source, ParquetStream):  # no file has to be read for that
            return self.batch(self.source.like(min(self.source.n, self.source.batch_size)))
        self._go_to(0, 0)
        first = self._next()
        if first is _END:
            raise UserError("the iterable gave no batch", mend="yield (x, y) pairs")
        self.front, self.at = [first], 0
        return self.batch(first)

    def batch(self, item: Any) -> Batch:
        """Turn what the source gave into arrays."""
        if isinstance(item, list) and all(hasattr(part, "__array__") for part in item):
            item = tuple(item)
        parts = item if isinstance(item, tuple) else (item,)
        if not 1 <= len(parts) <= 3:
            raise UserError(
                f"a batch of {len(parts)} parts", mend="yield x, (x, y) or (x, y, sample_weight)"
            )
        x, y, w = (*parts, None, None)[:3]
        data = Arrays(x, y, w, self.dtype, self.input_dtypes)
        if self.class_weight is not None and y is not None:
            data.weigh(self.class_weight, self.dtype)
        return data.rows(slice(None))

    def close(self) -> None:
        """End what was begun of the source; a generator of the user's stays open."""
        if self.running is not self.source:
            running, self.running = self.running, _NOTHING
            getattr(running, "close", lambda: None)()

    @property
    def _once(self) -> bool:
        """Whether it cannot start anew."""
        return isinstance(self.source, Iterator)

    @property
    def _by_number(self) -> bool:
        return hasattr(self.source, "__getitem__") and hasattr(self.source, "__len__")

    def _next(self) -> Any:
        """Give the next batch; where epochs have steps, what comes to its end starts anew."""
        began = time.perf_counter()
        item = self.front.pop() if self.front else next(self.running, _END)
        self.took = time.perf_counter() - began
        if item is _END and self.limit is not None and not self._once:
            done = self.at
            self._open(self.turn + 1 if self.length else self.turn, 0)
            self.at = 0 if self.length else done
            item = next(self.running, _END)
        self.at += item is not _END
        return item

    def _go_to(self, turn: int, at: int) -> None:
        """Have the batch of some number come next."""
        jumps = self._by_number or isinstance(self.source, ParquetStream)
        near = turn == self.turn and (at == self.at or (at > self.at and not jumps))
        if self.running is _NOTHING or not (near or self._once):
            self._open(turn, at)
        if self.begun and at > self.at:
            warnings.warn(
                "the generator was in use before, so the resumed run takes what comes next from "
                "it; give a new one to go on exactly",
                stacklevel=2,
            )
            return
        while turn == self.turn and self.at < at and self._next() is not _END:
            pass

    def _open(self, turn: int, at: int) -> None:
        self.close()
        self.turn, self.at, self.front = turn, 0, []
        if isinstance(self.source, ParquetStream):
            self.running, self.at = self.source.batches(turn, at), at
        elif self._by_number:
            self.running, self.at = self._numbered(at), at
        else:
            self.running = iter(self.source)

    def _numbered(self, at: int) -> Iterator[Any]:
        yield from (self.source[i] for i in range(at, len(self.source)))
        getattr(self.source, "on_epoch_end", lambda: None)()


def is_stream(x: Any, y: Any) -> bool:
    """Tell batches, as an iterable or by number, from arrays."""
    if y is not None or hasattr(x, "__array__") or hasattr(x, "to_numpy") or isinstance(x, type):
        return False
    if isinstance(x, (list, tuple)):
        return len(x) > 0 and isinstance(x[0], tuple)
    numbered = hasattr(x, "__getitem__") and hasattr(x, "__len__")
    return (isinstance(x, Iterable) or numbered) and not isinstance(x, (Mapping, str))
