"""A pass over data in blocks of batches, each read by a thread while the one before is in use.

A block is as large as memory should bear, and small beside the data. All blocks of a pass have
the same shape, so that one compiled program serves for them: a block with fewer batches leaves
room, which is not even touched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from typing import Any, NamedTuple

import numpy as np

from trasluz.autodiff import backend
from trasluz.base.tree import leaves, tree_map
from trasluz.data.arrays import Arrays, Batch, OnDisk, take_rows
from trasluz.data.parquet import ParquetStream
from trasluz.data.streams import Stream

BLOCK_BYTES = 2**24
# An iterable is read ahead by no more batches than this, since it may mind.
MOST_BATCHES = 1024
# The first block of a pass is filled to this part alone, so that less is waited for; the next ones
# to twice as much each, until they are full.
_FIRST = 8


class Block(NamedTuple):
    """Some batches of a pass, one behind the other.

    Attributes:
        rows: the arrays.
        order: in which order the batches take the rows; `None` for as they stand.
        size: how many rows a batch has; the last of a pass may have fewer.
        offset: the number, in the pass, of the batch that begins at the first row.
        begin: the number of the first batch that is there.
        end: the number behind the last.
        placed: the arrays where XLA computes.
    """

    rows: Batch
    order: Any
    size: int
    offset: int
    begin: int
    end: int
    placed: Any = None

    def batch(self, number: int) -> Batch:
        """Give the rows of a batch."""
        return backend.rows(self.rows, self.order, (number - self.offset) * self.size, self.size)

    def filled(self) -> Batch:
        """Give all rows that are there, in the order in which they lie."""
        part = slice((self.begin - self.offset) * self.size, (self.end - self.offset) * self.size)
        return Batch(*(tree_map(lambda a: a[part], tree) for tree in self.rows))


def whole(data: Arrays, size: int, order: np.ndarray | None, begin: int, end: int) -> Block:
    """Give data that are in memory as one block."""
    short = None if order is None else order.astype(np.int32)
    return Block(Batch(data.x, data.y, data.w), short, size, 0, begin, end)


def example(data: Arrays | Stream, first: Batch, size: int, shuffle: bool) -> Block:
    """Give a block of the shape that those of a pass have, whatever is in it.

    Args:
        data: the data.
        first: the first batch of an iterable.
        size: how many rows a batch has, if the data are arrays.
        shuffle: whether there is an order.
    """

    def fill(rows: Batch, *_: int) -> np.ndarray | None:
        return np.zeros(len(leaves(rows.x)[0]), np.int32) if shuffle else None

    if isinstance(data, Arrays):
        return next(_planned(data.rows(slice(0, 1)), len(data), size, 0, len(data), fill))
    source, shuffle = data.source, False
    if isinstance(source, ParquetStream) and data.class_weight is None:
        one = data.batch(source.like(1))
        return next(_planned(one, source.n, source.batch_size, 0, len(source), fill))
    return _Gathered(first, None, 0).block()


def of_arrays(
    data: Arrays, size: int, order: np.ndarray | None, begin: int, end: int
) -> Generator[Block]:
    """Cut data into blocks.

    The rows of a block are read in the order in which they lie in the file, and shuffled within.

    Args:
        data: the rows.
        size: how many a batch has.
        order: the order of all rows; as they stand if it is not given.
        begin: the first batch.
        end: the batch before which to end.
    """

    def fill(rows: Batch, low: int, high: int, first: int) -> np.ndarray | None:
        chosen: Any = slice(low, high)
        places = None
        if order is not None:
            chosen, lying = backend.sorted_places(order[low:high])
            places = np.zeros(len(leaves(rows.x)[0]), np.int32)
            places[first + lying] = np.arange(first, first + high - low, dtype=np.int32)
        everything = leaves((data.x, data.y, data.w))
        for source, room in zip(everything, leaves(tuple(rows)), strict=True):
            _read(source, chosen, room[first : first + high - low])
        return places

    yield from _planned(data.rows(slice(0, 1)), len(data), size, begin, end, fill)


def _read(source: Any, chosen: Any, out: np.ndarray) -> None:
    if isinstance(source, OnDisk):
        source.read(chosen, out)
    elif isinstance(chosen, slice):
        out[...] = source[chosen]
    else:
        take_rows(source, chosen, out)


def _planned(
    one: Batch, n: int, size: int, begin: int, end: int, fill: Callable[..., Any], offset: int = 0
) -> Generator[Block]:
    """Lay out blocks of whole batches, with room for the shorter last batch behind them.

    Where that one comes, the others of its block stand right before it, so that room is left at
    the front: a program takes them as it takes the end of data in memory.

    Args:
        one: a row.
        n: how many rows there are.
        size: how many a batch has.
        begin: the first batch.
        end: the batch before which to end.
        fill: `fill(rows, low, high, first) -> order`, puts rows low … high of the data into a
            block, from the first on.
        offset: the number that the data's first batch has in the pass.
    """
    many, rest = divmod(n, size)
    wide = max(1, size * sum(a.nbytes for a in leaves(tuple(one))))
    count = min(many, max(1, BLOCK_BYTES // wide))
    last, number, filled = min(end, many + bool(rest)), begin, max(1, count // _FIRST)
    while number < last:
        stop = min(number + filled, many, last)
        filled = min(count, 2 * filled)
        start = number
        if stop == many and last > many:  # the shorter one comes too
            stop, start = many + 1, many - count
        rows = _room(one, count * size + rest)
        low, high = number * size, min(stop * size, n)
        order = fill(rows, low, high, (number - start) * size)
        yield Block(rows, order, size, start + offset, number + offset, stop + offset)
        number = stop


def _room(like: Batch, n: int) -> Batch:
    """Make room for so many rows of a kind."""
    return tree_map(lambda a: backend.room((n, *a.shape[1:]), a.dtype), like)


def of_stream(
    stream: Stream, epoch: int, begin: int, in_haste: Callable[[float, float], bool]
) -> Generator[Block]:
    """Gather the batches of an iterable into blocks.

    Args:
        stream: the iterable.
        epoch: which epoch.
        begin: the first batch.
        in_haste: whether a block that was begun at a time (`time.perf_counter`), and whose last
            batch took so many seconds, is to be handed over as it is.
    """
    if isinstance(stream.source, ParquetStream) and stream.class_weight is None:
        yield from _of_parquet(stream, stream.source, epoch, begin)
        return
    gathered: _Gathered | None = None
    first, items = begin, stream.items(epoch, begin)
    failed: BaseException | None = None
    while True:
        batch = None
        try:
            item = next(items)
            kind = _kind(item)
            if gathered is None or kind is None or kind != gathered.kind:
                batch = stream.batch(item)
        except StopIteration:
            break
        except BaseException as error:  # what came before it is used first
            failed = error
            break
        if batch is not None and (gathered is None or not gathered.suits(batch)):
            if gathered is not None and gathered.count:
                yield gathered.block()
                begin += gathered.count
            gathered = _Gathered(batch, None if stream.class_weight else kind, begin)
        assert gathered is not None
        gathered.put(item if batch is None else leaves(tuple(batch)))
        full = gathered.count == gathered.most
        # Training need not wait for the second batch.
        if gathered.number == first or full or in_haste(gathered.since, stream.took):
            yield gathered.block()
            begin += gathered.count
            gathered = _Gathered(gathered.like, gathered.kind, begin)
    if gathered is not None and gathered.count:
        yield gathered.block()
    if failed is not None:
        raise failed


def _kind(item: Any) -> Any:
    """Tell what batches have in common that need no second look: types and shapes of arrays."""
    if type(item) is not tuple or not all(type(p) in (np.ndarray, np.memmap) for p in item):
        return None
    return [(p.shape, p.dtype) for p in item if p.dtype.kind in "fiub"]


class _Gathered:
    """Batches of one kind, in the room of a block.

    Args:
        like: one of them.
        kind: what `_kind` says of it.
        number: the number of the first in the pass.
    """

    def __init__(self, like: Batch, kind: Any, number: int) -> None:
        self.like, self.kind, self.number = like, kind, number
        parts = leaves(tuple(like))
        self.size, self.count, self.since = len(parts[0]), 0, time.perf_counter()
        wide = max(1, sum(a.nbytes for a in parts))
        self.most = max(1, min(MOST_BATCHES, BLOCK_BYTES // wide))
        self.rows = _room(like, self.most * self.size)
        self.parts = leaves(tuple(self.rows))

    def suits(self, batch: Batch) -> bool:
        """Tell whether a batch is of the same kind."""
        mine, its = leaves(tuple(self.like)), leaves(tuple(batch))
        same = len(mine) == len(its)
        return same and all(
            a.shape == b.shape and a.dtype == b.dtype for a, b in zip(mine, its, strict=True)
        )

    def put(self, parts: Any) -> None:
        """Put a batch behind the others."""
        part = slice(self.count * self.size, (self.count + 1) * self.size)
        for room, array in zip(self.parts, parts, strict=True):
            room[part] = array
        self.count += 1

    def block(self) -> Block:
        """Give what is there."""
        end = self.number + self.count
        return Block(self.rows, None, self.size, self.number, self.number, end)


def _of_parquet(stream: Stream, source: ParquetStream, epoch: int, begin: int) -> Generator[Block]:
    """Gather rows of Parquet files into blocks; where one batch ends, makes no difference there."""
    turn, at, left = stream.turns(epoch, begin)
    one, size, length = stream.batch(source.like(1)), source.batch_size, len(source)
    left = length - at if left is None else left
    while left > 0:
        end = min(length, at + left)
        fill = _pouring(source.rows(turn, at * size))
        yield from _planned(one, source.n, size, at, end, fill, begin - at)
        begin, left = begin + end - at, left - (end - at)
        turn, at = turn + 1, 0


def _pouring(buffers: Iterator[tuple[Any, np.ndarray]]) -> Callable[..., None]:
    """Make what fills blocks with rows that come a buffer at a time."""
    buffer: Any = ()
    chosen = np.arange(0)

    def fill(rows: Batch, low: int, high: int, first: int) -> None:
        nonlocal buffer, chosen
        while low < high:
            if not len(chosen):
                buffer, chosen = next(buffers)
            n = min(high - low, len(chosen))
            for room, source in zip(leaves(tuple(rows)), buffer, strict=True):
                take_rows(source, chosen[:n], room[first : first + n])
            chosen, low, first = chosen[n:], low + n, first + n

    return fill
