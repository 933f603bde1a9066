"""The table of rules, and what is made of them.

Programs import it from here; it is at home in `trasluz.autodiff.ops`.
"""

from trasluz.autodiff.ops import *  # noqa: F403
