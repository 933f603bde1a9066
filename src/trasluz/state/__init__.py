"""Objects for people, flat dicts for machines: the bridge between the two.

A `Module` (a layer, a model, a metric) keeps arrays as plain attributes and modules in attributes,
lists or dicts. `read` gives all arrays as `{"dense/kernel": array}`, `bind` makes a twin of the
object with other arrays in it (boxes, tracers), `write` puts arrays back. A pure function of
arrays binds a twin, calls it and reads it: what happens to the twin leaves the object untouched.
"""

from trasluz.base.naming import snake, unique
from trasluz.state.binding import Binding, Structure, bind, read, write
from trasluz.state.context import Context, current
from trasluz.state.gradient import GradientTape
from trasluz.state.limits import weights_up_to
from trasluz.state.module import (
    Buffer,
    Module,
    Param,
    Variable,
    Weight,
    assign_paths,
    modules_in,
    weights_of,
)

__all__ = [
    "Binding",
    "Buffer",
    "Context",
    "GradientTape",
    "Module",
    "Param",
    "Structure",
    "Variable",
    "Weight",
    "assign_paths",
    "bind",
    "current",
    "modules_in",
    "read",
    "snake",
    "unique",
    "weights_of",
    "weights_up_to",
    "write",
]
