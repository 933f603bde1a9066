"""What a forward pass does, and how long it takes on NumPy: counted, not measured."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from trasluz.autodiff import tape
from trasluz.autodiff.scan import unrolled
from trasluz.autodiff.tape import bare
from trasluz.base.tree import leaves
from trasluz.state.binding import read
from trasluz.training.step import predict_step

# What NumPy takes for a training step and each line of its forward pass, and, there and back, for
# a number and for a product of a matrix multiplication.
_SECONDS_A_STEP, _SECONDS_A_LINE = 1e-4, 15e-6
_SECONDS_A_NUMBER, _SECONDS_A_PRODUCT = 4e-9, 4e-11


class Cost(NamedTuple):
    """What a forward pass does.

    Attributes:
        lines: how many rows are run.
        numbers: how many numbers they give, for a row of the data.
        products: how many multiplications its matrix products take, for a row of the data.
        largest: how many of them the largest product takes.
        weights: how many numbers the model holds.
    """

    lines: int
    numbers: float
    products: float
    largest: float
    weights: int

    def seconds(self, size: int) -> float:
        """Work out roughly how long a training step on so many rows takes on NumPy."""
        a_row = self.products * _SECONDS_A_PRODUCT + self.numbers * _SECONDS_A_NUMBER
        whole = self.lines * _SECONDS_A_LINE + self.weights * _SECONDS_A_NUMBER
        return _SECONDS_A_STEP + whole + size * a_row


def cost_of(model: Any, x: Any) -> Cost:
    """Count what a forward pass of a built model does, on a few rows."""
    book = tape.Tape()
    boxes = {path: book.input(value) for path, value in read(model).items()}
    with unrolled(), np.errstate(all="ignore"):
        predict_step(model)(boxes, x)
    weights = sum(box.value.size for box in boxes.values())
    return _counted(book, len(leaves(x)[0]), weights)


def cost_of_step(book: tape.Tape, rows: int, weights: int) -> Cost:
    """Count what a whole step did on a tape, and take a third of it for its forward pass."""
    whole = _counted(book, rows, weights)
    return whole._replace(
        lines=whole.lines // 3, numbers=whole.numbers / 3, products=whole.products / 3
    )


def _counted(book: tape.Tape, rows: int, weights: int) -> Cost:
    lines = [step for step in book.lines if step is not None]
    sizes = [sum(np.size(v) for v in leaves(bare(step.value))) for step in lines]
    products = [s.value.size * s.args[0].shape[-1] for s in lines if s.primitive.name == "matmul"]
    largest = max(products, default=0)
    return Cost(len(lines), sum(sizes) / rows, sum(products) / rows, largest / rows, weights)
