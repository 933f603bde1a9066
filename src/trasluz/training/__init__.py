"""Training: the pure step, what it minimises, and what drives it over data on an engine."""

from trasluz.training.cost import Work, work
from trasluz.training.finite import NonFiniteError, all_finite, checked, diagnose, finite_sums
from trasluz.training.fold import find_fold, folded, test_fold, train_fold
from trasluz.training.objective import Objective, State, Trackers, spread
from trasluz.training.step import NO_KEY, Bound, initial, predict_step, test_step, train_step

__all__ = [
    "NO_KEY",
    "Bound",
    "NonFiniteError",
    "Objective",
    "State",
    "Trackers",
    "Work",
    "all_finite",
    "checked",
    "diagnose",
    "find_fold",
    "finite_sums",
    "folded",
    "initial",
    "predict_step",
    "spread",
    "test_fold",
    "test_step",
    "train_fold",
    "train_step",
    "work",
]
