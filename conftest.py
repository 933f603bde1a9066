"""Tests and doctests read English messages, whatever the environment says."""

import os

os.environ.pop("TRASLUZ_LANG", None)
