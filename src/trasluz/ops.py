"""The table of rules, and what is made of them.

Programs import it from here; it is at home in `trasluz.autodiff.ops`.
"""

from trasluz.autodiff.ops import *  # noqa: F403
from trasluz.autodiff.ops import PRIMITIVES as ROWS  # noqa: F401 (its name in version 0.1)
from trasluz.autodiff.slicing import slice, slice_update  # noqa: A004, F401
