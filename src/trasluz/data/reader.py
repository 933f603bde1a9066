"""The thread that reads ahead."""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, wait
from functools import partial
from typing import Any

import numpy as np

from trasluz.data.blocks import Block
from trasluz.data.streams import Stream

# A block that is waited for is handed over as it is when it is so many seconds old.
_PATIENCE = 0.01
# So long a run waits for its thread to end; what blocks longer is left to end by itself.
_GOODBYE = 1.0


class Reader:
    """A thread that does what it is asked, one thing after the other.

    What a run reads is read by one thread from first to last, so that an iterable may hold things
    that belong to a thread, such as a connection to SQLite. It starts when it is first asked.

    Attributes:
        streams: iterables to close in the end, after what was begun of them.
    """

    def __init__(self) -> None:
        self.asked: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.awaited = self.ending = self.started = False
        self.streams: list[Stream] = []

    def _start(self) -> None:
        self.started = True
        with np.errstate(all="ignore"):  # as all of a run is
            work = partial(self._work, contextvars.copy_context())
        threading.Thread(target=work, name="trasluz-reader", daemon=True).start()

    def _work(self, context: contextvars.Context) -> None:
        while (job := self.asked.get()) is not None:
            future, act = job
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(context.run(act))
                except BaseException as error:  # whoever waits for it gets it
                    future.set_exception(error)
            del job, future, act

    def ask(self, act: Callable[[], Any]) -> Future[Any]:
        """Have something done."""
        if not self.started:
            self._start()
        future: Future[Any] = Future()
        self.asked.put((future, act))
        return future

    def result(self, future: Future[Any]) -> Any:
        """Wait for what was asked for; what is raised there is raised here."""
        self.awaited = True
        while not (future.done() or wait([future], 0.5).done):  # wakes up to hear Ctrl-C
            pass
        self.awaited = False
        return future.result()

    def in_haste(self, since: float, took: float) -> bool:
        """Tell whether a block is to be handed over; see `of_stream`.

        Where a batch takes long, there is nothing to gain by gathering.
        """
        late = self.awaited and time.perf_counter() - since > _PATIENCE
        return self.ending or took > _PATIENCE or late

    def ahead(self, blocks: Generator[Block]) -> Generator[Block]:
        """Give blocks, while the next one is being read."""
        coming = self.ask(partial(next, blocks, None))
        try:
            while (block := self.result(coming)) is not None:
                coming = self.ask(partial(next, blocks, None))
                yield block
                del block
        finally:
            coming.cancel()
            self.ending = True
            wait([self.ask(blocks.close)], _GOODBYE)
            self.ending = False

    def close(self) -> None:
        """End the thread, if there is one, after closing what was begun of the iterables."""
        if self.started:
            self.ending = True
            wait([self.ask(stream.close) for stream in self.streams], _GOODBYE)
            self.asked.put(None)
