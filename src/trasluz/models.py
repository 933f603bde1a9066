"""Models under Keras's names."""

from trasluz.functional import Functional
from trasluz.model import Model, Sequential
from trasluz.saving import load_model, save_model

__all__ = ["Functional", "Model", "Sequential", "load_model", "save_model"]
