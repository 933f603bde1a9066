"""How weights move: one rule for one array, lifted over all arrays of a model.

A rule is a dataclass of hyper-parameters with two methods: `slots(p)` gives the arrays that it
remembers for a weight `p`, `step(g, s, t, lr, p)` the weight and the slots after an update with
the derivative `g`. `t` counts updates from 1, as papers do. Rules use operators and rows only, so
they run on NumPy, compile, and can be spelled.

What all rules share — clipping, weight decay, averages — is done once, in `Optimizer.update`.
"""

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
