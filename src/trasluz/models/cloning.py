"""Models made from models, or from their description."""

from __future__ import annotations

import json
from typing import Any

from trasluz.layers.base import registry
from trasluz.state.module import own_things
from trasluz.state.registry import custom_object_scope, serialize


def clone_model(model: Any) -> Any:
    """Make a model of the same architecture, with weights of its own."""
    with custom_object_scope(own_things(model)):
        return registry.get(serialize(model))


def model_from_json(json_string: str, custom_objects: dict[str, Any] | None = None) -> Any:
    """Make a model from what `model.to_json()` gave.

    Args:
        json_string: the architecture.
        custom_objects: classes and functions of your own that it uses, by name.
    """
    with custom_object_scope(custom_objects):
        return registry.get(json.loads(json_string))
