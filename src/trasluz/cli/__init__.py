"""The terminal: train on a table, evaluate, predict and look, in English or Spanish."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any, NoReturn

_INTERRUPTED = 130
_SECONDS_BETWEEN = 1.0
_interrupted_at = -_SECONDS_BETWEEN


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 2 a mistake to mend, 130 interrupted, 70 a defect."""
    code = _INTERRUPTED
    try:
        signal.signal(signal.SIGINT, _interrupt)
        from trasluz.cli.app import run

        code = run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:  # while the program starts
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if code != _INTERRUPTED:
        sys.exit(code)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # it is closed
            stream.flush()
    os._exit(code)  # Python would end by the signal itself, if it came while text was compiled


def _interrupt(*_: Any) -> None:
    """Interrupt, once a second: an impatient one more spoils nothing of what is being kept."""
    global _interrupted_at
    now = time.monotonic()
    if now - _interrupted_at >= _SECONDS_BETWEEN:
        _interrupted_at = now
        raise KeyboardInterrupt
