"""The terminal: train on a table, evaluate, predict and look, in English or Spanish."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 a mistake to mend, 130 interrupted, 1 a defect."""
    from trasluz.cli.app import run

    sys.exit(run(sys.argv[1:] if arguments is None else arguments))
