"""How weights move: optimizers, and learning rates that follow the step."""

from trasluz.optimizers import schedules
from trasluz.optimizers.base import Arrays, Optimizer, State, like, registry, scalar, takes_step
from trasluz.optimizers.rules import (
    SGD,
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Ftrl,
    Lamb,
    Lion,
    Nadam,
    RMSprop,
    deserialize,
    get,
    rms,
)
from trasluz.state.registry import serialize

__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Arrays",
    "Ftrl",
    "Lamb",
    "Lion",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "State",
    "deserialize",
    "get",
    "like",
    "registry",
    "rms",
    "scalar",
    "schedules",
    "serialize",
    "takes_step",
]
