"""Trasluz: neural networks held up to the light.

Train networks as with Keras, on NumPy or XLA, and see every number on the way. Names, arguments
and defaults follow Keras 3 wherever it has the concept.

>>> import trasluz
>>> trasluz.layers.Dense(3)
Dense(units=3)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from trasluz import former
from trasluz.base.version import __version__ as __version__

if TYPE_CHECKING:
    from trasluz import (
        activations,
        callbacks,
        config,
        constraints,
        distribution,
        initializers,
        layers,
        losses,
        metrics,
        models,
        optimizers,
        regularizers,
        saving,
        utils,
    )
    from trasluz.autodiff import ops
    from trasluz.data import ParquetStream
    from trasluz.layers import Input, Layer
    from trasluz.models import Model, Sequential
    from trasluz.state import GradientTape, Param, Variable
    from trasluz.studies.many import fit_many
    from trasluz.studies.search import search

former.install()

_MODULES = (
    "activations", "callbacks", "config", "constraints", "datasets", "distribution", "examples",
    "initializers", "layers", "linear", "losses", "metrics", "models", "ops", "optimizers",
    "random", "regularizers", "saving", "tape", "utils", "worksheets",
)  # fmt: skip
_NAMES = {
    "GradientTape": "trasluz.state.gradient",
    "Input": "trasluz.state.symbolic",
    "Layer": "trasluz.layers.base",
    "Model": "trasluz.models.model",
    "Param": "trasluz.state.module",
    "ParquetStream": "trasluz.data.parquet",
    "Sequential": "trasluz.models.sequential",
    "Variable": "trasluz.state.module",
    "fit_many": "trasluz.studies.many",
    "search": "trasluz.studies.search",
}

__all__ = [
    "GradientTape",
    "Input",
    "Layer",
    "Model",
    "Param",
    "ParquetStream",
    "Sequential",
    "Variable",
    "activations",
    "callbacks",
    "config",
    "constraints",
    "distribution",
    "fit_many",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "regularizers",
    "saving",
    "search",
    "utils",
]


def __getattr__(name: str) -> Any:
    """Import a part when it is first asked for: `import trasluz` itself costs next to nothing."""
    if name in _MODULES:
        return importlib.import_module(f"trasluz.{name}")
    if name in _NAMES:
        value = getattr(importlib.import_module(_NAMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'trasluz' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, *_NAMES})
