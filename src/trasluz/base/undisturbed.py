"""Generators that belong to the user's program: what is loaded for us does not draw from them."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

_LOCK = threading.RLock()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let this thread draw from generators of its own, where it asks for shared ones.

    Libraries draw from NumPy's or Python's when they are imported (jax does). Where that happens
    in a thread, at a moment of the clock, a program that seeded the shared generators would get
    other numbers in each run. Setting the state back would not do: another thread may have drawn
    meanwhile, so other threads keep drawing from the shared ones.

    >>> np.random.seed(3)
    >>> with undisturbed():
    ...     drawn = np.random.rand(5)
    >>> bool(np.random.rand() == np.random.RandomState(3).rand())
    True
    """
    own = ((np.random, np.random.RandomState(0)), (random, random.Random(0)))
    with _LOCK:  # one thread at a time puts its draws in the place of the shared ones
        put = [
            (module, name, shared, _in_this_thread(getattr(generator, name), shared))
            for module, generator in own
            for name, shared in _draws(module)
        ]
        for module, name, _, draw in put:
            setattr(module, name, draw)
        try:
            yield
        finally:
            for module, name, shared, draw in put:
                if getattr(module, name) is draw:
                    setattr(module, name, shared)


def _draws(module: Any) -> list[tuple[str, Callable[..., Any]]]:
    """List the functions of a module that are methods of its shared generator."""
    shared = module.random.__self__
    return [(n, f) for n, f in vars(module).items() if getattr(f, "__self__", None) is shared]


def _in_this_thread(own: Callable[..., Any], shared: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function that is one thing in this thread, and another in all others."""
    here = threading.get_ident()

    def draw(*args: Any, **kwargs: Any) -> Any:
        return (own if threading.get_ident() == here else shared)(*args, **kwargs)

    return draw
