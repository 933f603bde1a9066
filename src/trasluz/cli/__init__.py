"""The terminal: train on a table, evaluate, predict and look, in English or Spanish."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 a mistake to mend, 130 interrupted, 70 a defect."""
    try:
        from trasluz.cli.app import run

        code = run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:  # while the program starts, or a second one while it ends
        code = 130
    if code == 130:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # an impatient one more spoils nothing
    sys.exit(code)
