"""Tests read English messages and compile anew, whatever the environment says."""

import os

os.environ.pop("TRASLUZ_LANG", None)
os.environ["TRASLUZ_CACHE"] = ""
