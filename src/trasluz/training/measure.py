"""Passes that learn nothing: measuring, and predicting."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from trasluz.autodiff import backend
from trasluz.base.tree import leaves, tree_map
from trasluz.callbacks.listed import CallbackList
from trasluz.data.arrays import Arrays
from trasluz.data.reader import Reader
from trasluz.data.streams import Stream
from trasluz.errors import UserError, shown
from trasluz.state.binding import read, write
from trasluz.state.module import carried_in
from trasluz.training.engine import CompiledSteps, Engine
from trasluz.training.feed import Feed
from trasluz.training.objective import State
from trasluz.training.ready import Ready
from trasluz.training.step import CARRIED, carrying, carrying_step, predict_step

# So many evaluation steps take about as long as one training step: they go forward only.
_STEPS_A_TRAINING_STEP = 3


def evaluate(
    model: Any,
    data: Arrays | Stream,
    batch_size: int | None,
    callbacks: Any,
    verbose: Any,
    devices: Any = None,
) -> dict[str, Any]:
    """Measure; see `Model.evaluate`."""
    engine = Engine(model, None, devices)
    with contextlib.closing(Reader()) as reader, engine.together():
        feed = Feed(data, batch_size, engine, reader)
        sample = feed.sample()
        ready = Ready(model, sample)
        engine.try_out(ready, "test", sample, feed.size)
        size = feed.size or len(leaves(sample.x)[0])
        if isinstance(data, Arrays):
            steps = (feed.steps or 0) // _STEPS_A_TRAINING_STEP
            engine.settle_auto(sample, size, steps, at_once=True)
        listed = _listed(model, feed, callbacks, verbose)
        with engine.computing(sample, size):
            arrays = engine.put(read(model))
            logs = measured(ready, feed, arrays, listed)
            _keep_states(model, arrays)
            return logs


def measured(
    ready: Ready, feed: Feed, arrays: State, listed: CallbackList, epoch: int = 0
) -> dict[str, Any]:
    """Take one pass over data with a model: what its trackers say.

    Args:
        ready: the model, ready for the data.
        feed: the data.
        arrays: those of the model, where steps are computed; the states that layers carry on are
            replaced in it.
        listed: the callbacks.
        epoch: that of training, where one is on.
    """
    engine = feed.engine
    listed.on_test_begin()
    tracked, number = carrying(ready.model, engine.fresh(ready, "test"), arrays), 0
    say = lambda: ready.results(tracked, "test")  # noqa: E731
    every = listed.wants_every_batch
    coming = feed.blocks(epoch, every=every, check=ready.check_targets)
    with contextlib.closing(coming):
        for block in coming:
            steps = CompiledSteps(engine, feed.place(block))
            while number < block.end:
                listed.on_test_batch_begin(number)
                if engine.compiles:
                    end = steps.end("test", number, number + 1 if every else block.end)
                    tracked, _ = steps.test(ready, tracked, number, end, arrays)
                    number = end
                else:
                    step = engine.program("test", ready.test_step)
                    tracked, _ = step(tracked, block.batch(number), arrays)
                    number += 1
                listed.on_test_batch_end(number - 1, say)
    if number == 0:
        raise UserError(
            "the iterable to measure on gave no batch",
            mend="give one that can start anew, or steps",
        )
    arrays.update(tracked.get(CARRIED, {}))
    logs = ready.results(tracked, "test")
    listed.on_test_end(logs)
    return logs


def predict(
    model: Any,
    data: Arrays | Stream,
    batch_size: int | None,
    callbacks: Any,
    verbose: Any,
    devices: Any = None,
) -> Any:
    """Compute outputs; see `Model.predict`."""
    engine = Engine(model, None, devices)
    with contextlib.closing(Reader()) as reader, engine.together():
        feed = Feed(data, batch_size, engine, reader)
        if isinstance(data, Stream):
            model._require_built(feed.sample().x)
        model._structure()  # gives paths anew: a layer may lie in another model since
        listed = _listed(model, feed, callbacks, verbose)
        arrays = engine.put(read(model))
        carried = carried_in(model)
        make = carrying_step if carried else predict_step
        program = engine.program("predict", lambda: make(model))
        pieces = []
        listed.on_predict_begin()
        coming = feed.blocks(every=listed.wants_every_batch, placed=False)
        with np.errstate(all="ignore"), contextlib.closing(coming):
            for block in coming:
                for number in range(block.begin, block.end):
                    listed.on_predict_batch_begin(number)
                    rows = backend.split(block.batch(number).x, engine.where)
                    given = program(arrays, rows)
                    if carried:
                        given, states = given
                        arrays |= states
                    outputs = backend.to_numpy(given)
                    pieces.append(outputs)
                    listed.on_predict_batch_end(number, {"outputs": outputs})
        listed.on_predict_end()
        _keep_states(model, arrays)
        return tree_map(lambda *parts: np.concatenate(parts), pieces[0], *pieces[1:])


def _keep_states(model: Any, arrays: State) -> None:
    """Put the states that layers carry on back into the model."""
    write(model, backend.to_numpy({path: arrays[path] for path in carried_in(model)}))


def verbosity(verbose: Any) -> int:
    """Give a number for how much to print: 1 where it is left open."""
    if verbose is None or isinstance(verbose, (int, np.integer, np.bool_)):
        return int(verbose or 0)
    if isinstance(verbose, str) and verbose == "auto":
        return 1
    raise UserError(
        f"verbose is {shown(verbose)}",
        mend="give 0 for silence, 1 for a bar, 2 for lines, or 'auto'",
    )


def _listed(model: Any, feed: Feed, callbacks: Any, verbose: Any) -> CallbackList:
    """Gather callbacks and progress for one pass."""
    level = verbosity(verbose)
    return CallbackList(
        callbacks,
        add_progbar=level != 0,
        model=model,
        verbose=level,
        steps=feed.steps,
        epochs=1,
    )
