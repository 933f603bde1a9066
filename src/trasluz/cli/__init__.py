"""The terminal: train on a table, evaluate, predict and look, in English or Spanish."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Sequence

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 a mistake to mend, 130 interrupted, 70 a defect."""
    code = _INTERRUPTED
    with contextlib.suppress(KeyboardInterrupt):  # one more, at whatever moment, spoils nothing
        try:
            from trasluz.cli.app import run

            code = run(sys.argv[1:] if arguments is None else arguments)
        except KeyboardInterrupt:  # while the program starts, or a second one while it ends
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    if code != _INTERRUPTED:
        sys.exit(code)
    with contextlib.suppress(KeyboardInterrupt, OSError, ValueError, AttributeError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)  # Python would end by the signal itself where it came while text was compiled
