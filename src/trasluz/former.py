"""Paths of modules in the first version: what programs imported from them, they still can.

A module that moved is found under its former path too, as one that hands on what its homes have.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# The former path of each module that moved, and where its parts are at home now.
MOVED = {
    "backend": "autodiff.backend",
    "blocks": "data.blocks data.reader",
    "entries": "typeset.entries",
    "examples.network": "examples.course_network layers.core",
    "explain.diagram": "drawing.network",
    "explain.formula": "typeset.formula",
    "explain.html": "pages.html",
    "explain.latex": "pages.latex",
    "explain.markdown": "pages.markdown",
    "explain.pages": "explain.document typeset.formula base.messages",
    "explain.plain": "pages.text",
    "explain.print": "pages.typst",
    "explain.tree": "explain.definitions typeset.symbols",
    "files": "base.files",
    "fitted": "tables.fitted",
    "functional": "models.functional",
    "layer": "layers.base state.module state.symbolic",
    "loop": (
        "training.run training.engine training.feed training.epoch training.measure "
        "training.single training.ready training.state"
    ),
    "many": "studies.many studies.runs studies.member",
    "member": "studies.member",
    "model": "models.model models.sequential",
    "parquet": "data.parquet",
    "plots": "drawing.curves drawing.figure drawing.panels drawing.searches",
    "preparation": "tables.preparation tables.columns tables.split tables.task",
    "recording": "models.recording",
    "registry": "state.registry",
    "scan": "autodiff.scan",
    "schedules": "optimizers.schedules",
    "study": "studies.search studies.storage",
    "summary": "models.summary",
    "symbolic": "state.symbolic",
    "tree": "base.tree",
    "worksheets.pages": "worksheets.document worksheets.folder",
}


class _Former(ModuleType):
    """A module under its former path."""

    def __getattr__(self, name: str) -> Any:
        path = self.__name__.removeprefix("trasluz.")
        for home in MOVED[path].split():
            module = importlib.import_module(f"trasluz.{home}")
            if hasattr(module, name):
                return getattr(module, name)
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


class _Finder:
    """Finds modules under their former paths, when nothing else does."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        moved = name.removeprefix("trasluz.") in MOVED and name.startswith("trasluz.")
        return ModuleSpec(name, _Finder) if moved else None  # type: ignore[arg-type]

    @staticmethod
    def create_module(spec: ModuleSpec) -> ModuleType:
        return _Former(spec.name)

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """Nothing is to be run: each name is looked up when it is asked for."""


def install() -> None:
    """Let Python look here, after everywhere else."""
    if _Finder not in sys.meta_path:
        sys.meta_path.append(_Finder)  # type: ignore[arg-type]
