"""Tests read English messages, and XLA compiles anew, but each program once in a run.

What jax compiles is kept for as long as a process of tests lives, for its later tests and for the
processes that they start; whatever the environment says, nothing older is found.
"""

import os
import tempfile

_PROGRAMS = tempfile.TemporaryDirectory(prefix="trasluz-programs-")

os.environ.pop("TRASLUZ_LANG", None)
os.environ["TRASLUZ_CACHE"] = ""
os.environ["JAX_COMPILATION_CACHE_DIR"] = _PROGRAMS.name
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
