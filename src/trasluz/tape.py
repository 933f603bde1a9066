"""The tape, `vjp`, and all that follows from it.

Programs import it from here; it is at home in `trasluz.autodiff.tape`.
"""

from trasluz.autodiff.tape import *  # noqa: F403
