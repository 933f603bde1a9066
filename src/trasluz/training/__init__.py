"""Training: the pure step, and what drives it over data.

`step(state, batch, rate) -> (state, loss)` is the only code that trains: it is called as it is on
NumPy and compiled on XLA. The state is a flat dict of dicts of arrays: everything that a run is,
and all that a checkpoint holds. What is minimised stands in `objective`, many steps as one compiled
call in `fold`, a model made ready for data in `ready`.

What drives the step is imported from its own file, for a light start: where steps are computed
(`engine`), the rows on their way there (`feed`), the arrays between steps (`state`), one pass over
the rows (`epoch`, `measure`), the run of epochs (`run`), and single batches (`single`).
"""

from trasluz.training.cost import Cost, cost_of
from trasluz.training.finite import (
    NonFiniteError,
    all_finite,
    checked,
    diagnose,
    finite_sums,
    non_finite,
)
from trasluz.training.fold import find_fold, folded, test_fold, train_fold
from trasluz.training.objective import Objective, State, Trackers, per_output
from trasluz.training.ready import Ready
from trasluz.training.step import NO_KEY, Problem, initial, predict_step, test_step, train_step

__all__ = [
    "NO_KEY",
    "Cost",
    "NonFiniteError",
    "Objective",
    "Problem",
    "Ready",
    "State",
    "Trackers",
    "all_finite",
    "checked",
    "cost_of",
    "diagnose",
    "find_fold",
    "finite_sums",
    "folded",
    "initial",
    "non_finite",
    "per_output",
    "predict_step",
    "test_fold",
    "test_step",
    "train_fold",
    "train_step",
]
