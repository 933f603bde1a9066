"""Libraries whose threads a forked process lacks: to use them there would wait for ever."""

from __future__ import annotations

import os

from trasluz.errors import UserError

_running: set[str] = set()
_lost: set[str] = set()


def runs_threads(library: str) -> None:
    """Take note that a library works with threads of its own in this process.

    Raises:
        UserError: if it did so in the process that this one was forked from.
    """
    if library in _running:
        return
    if library in _lost:
        raise UserError(
            f"this process was forked from one in which {library} had begun to work, and has none "
            "of its threads: it would wait for ever",
            "fork",
            'start it by multiprocessing.get_context("spawn"), or fork before anything is computed',
        )
    _running.add(library)


def _forked() -> None:
    _lost.update(_running)
    _running.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
