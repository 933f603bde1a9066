"""Derivations: the chain rule of any parameter, read off the rules that computed it."""

from trasluz.explain.asking import explain
from trasluz.explain.derivation import Derivation

__all__ = ["Derivation", "explain"]
