"""Rosenblatt's perceptron, and committees of them.

Programs import it from here; it is at home in `trasluz.families.perceptron`.
"""

from trasluz.families.perceptron import *  # noqa: F403
