"""What is said to people, in two languages.

Programs import it from here; it is at home in `trasluz.base.messages`.
"""

from trasluz.base.messages import *  # noqa: F403
