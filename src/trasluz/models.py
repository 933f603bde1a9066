"""Models under Keras's names."""

import json
from typing import Any

from trasluz.functional import Functional
from trasluz.layer import registry
from trasluz.model import Model, Sequential
from trasluz.registry import serialize
from trasluz.saving import custom_object_scope, load_model, save_model


def clone_model(model: Any) -> Any:
    """Make a model of the same architecture, with weights of its own."""
    return registry.get(serialize(model))


def model_from_json(json_string: str, custom_objects: dict[str, Any] | None = None) -> Any:
    """Make a model from what `model.to_json()` gave.

    Args:
        json_string: the architecture.
        custom_objects: classes and functions of your own that it uses, by name.
    """
    with custom_object_scope(custom_objects):
        return registry.get(json.loads(json_string))


__all__ = [
    "Functional",
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_json",
    "save_model",
]
