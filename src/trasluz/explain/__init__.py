"""Derivations: the chain rule of any parameter, read off the rules that computed it."""

from trasluz.explain.derivation import Derivation
from trasluz.explain.reading import explain

__all__ = ["Derivation", "explain"]
