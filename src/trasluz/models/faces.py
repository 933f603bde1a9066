"""What a model offers of the parts that stand above models."""

from __future__ import annotations

import importlib
from types import MethodType
from typing import Any


class Face:
    """A method that is at home in another part, which is imported when it is asked for.

    Args:
        home: the function, as `"module:function"`; it is given the model first.

    >>> import trasluz
    >>> trasluz.Model.explain.__module__
    'trasluz.explain.asking'
    """

    def __init__(self, home: str) -> None:
        self.home = home

    def __get__(self, model: Any, owner: type | None = None) -> Any:
        module, _, name = self.home.partition(":")
        function = getattr(importlib.import_module(module), name)
        return function if model is None else MethodType(function, model)
