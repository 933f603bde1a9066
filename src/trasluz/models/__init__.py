"""Models under Keras's names."""

from trasluz.models.cloning import clone_model, model_from_json
from trasluz.models.functional import Functional
from trasluz.models.model import Model
from trasluz.models.sequential import Sequential
from trasluz.saving.models import load_model, save_model

__all__ = [
    "Functional",
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_json",
    "save_model",
]
