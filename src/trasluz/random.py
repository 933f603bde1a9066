"""Random numbers that a key determines.

Programs import it from here; it is at home in `trasluz.autodiff.random`.
"""

from trasluz.autodiff.random import *  # noqa: F403
