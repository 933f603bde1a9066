"""The tape, `vjp`, and all that follows from it.

Programs import it from here; it is at home in `trasluz.autodiff.tape`.
"""

from trasluz.autodiff.tape import *  # noqa: F403
from trasluz.autodiff.tape import Line as Step  # noqa: F401 (their names in version 0.1)
from trasluz.autodiff.tape import Primitive as Row  # noqa: F401
