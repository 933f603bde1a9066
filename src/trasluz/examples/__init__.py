"""Worked examples of a course on neural networks: data that the library runs, step by step.

>>> example = load("unam-2-2-2")
>>> [round(slope, 8) for slope in example.step("derivatives").column("∂E/∂")[:2]]
[0.00110806, 0.00134024]
"""

from __future__ import annotations

from trasluz.errors import unknown
from trasluz.examples.descents import descent_1d, descent_2d
from trasluz.examples.lessons import t8_matrix, toledo_tanh_sigmoid
from trasluz.examples.networks import aisc_dose, unam_2_2_2, walkthrough_2_2_2, walkthrough_dose
from trasluz.examples.page import Erratum, Example, Step
from trasluz.examples.perceptrons import perceptron_and, perceptron_xor, xor

__all__ = ["Erratum", "Example", "Step", "load", "names"]

EXAMPLES = {
    "unam-2-2-2": unam_2_2_2,
    "aisc-dose": aisc_dose,
    "toledo-tanh-sigmoid": toledo_tanh_sigmoid,
    "t8-matrix": t8_matrix,
    "perceptron-and": perceptron_and,
    "perceptron-xor": perceptron_xor,
    "xor": xor,
    "descent-1d": descent_1d,
    "descent-2d": descent_2d,
    "walkthrough-2-2-2": walkthrough_2_2_2,
    "walkthrough-dose": walkthrough_dose,
}


def names() -> list[str]:
    """List the examples.

    >>> names()[:2]
    ['unam-2-2-2', 'aisc-dose']
    """
    return list(EXAMPLES)


def load(name: str) -> Example:
    """Make an example: its model and data are there at once, its steps when they are asked for.

    Args:
        name: one of `names()`.

    Raises:
        UserError: there is no example of that name.

    >>> load("aisc-dose").x[:, 0]
    array([0. , 0.1, 0.2, 0.5, 0.6, 0.7, 0.8, 0.9, 1. ])
    """
    if name not in EXAMPLES:
        raise unknown("example", name, names())
    return EXAMPLES[name]()
