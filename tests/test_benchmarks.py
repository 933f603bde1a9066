"""The benchmarks' quick modes: they run, and their bars hold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = sorted((Path(__file__).parent.parent / "benchmarks").glob("[a-z]*.py"))


@pytest.mark.interop
@pytest.mark.parametrize("script", BENCHMARKS, ids=lambda path: path.stem)
def test_quick_mode(script):
    done = subprocess.run(
        [sys.executable, script, "--quick"], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
