"""One file a model: weights, config, optimizer state and whatever goes with it, never half of it.

A file is in the safetensors format, so any reader of that format sees the weights. Beside them it
holds one JSON document (what the model is, how it was compiled) and a checksum over everything.
No pickle: nothing in a file is ever run.
"""

from trasluz.saving.archive import FORMAT, flat, nested, pack, unpack
from trasluz.saving.checkpoints import load_checkpoint, save_checkpoint
from trasluz.saving.models import (
    describe,
    load_extras,
    load_model,
    load_weights,
    restore,
    save_model,
    save_weights,
)
from trasluz.state.registry import custom_object_scope, known, register, register_keras_serializable

__all__ = [
    "FORMAT",
    "custom_object_scope",
    "describe",
    "flat",
    "known",
    "load_checkpoint",
    "load_extras",
    "load_model",
    "load_weights",
    "nested",
    "pack",
    "register",
    "register_keras_serializable",
    "restore",
    "save_checkpoint",
    "save_model",
    "save_weights",
    "unpack",
]
