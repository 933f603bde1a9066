r"""Rosenblatt's perceptron, every correction of which can be read, and three of them for XOR.

>>> x, y = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]]), np.array([-1, -1, -1, 1])
>>> unit = Perceptron().fit(x, y)
>>> unit.score(x, y), unit.n_iter_
(1.0, 2)
>>> print(unit.corrections_[0])
w_{0}^{\prime} = w_{0} + η\,y\,x_{0} = 0 + 1 \cdot \left(-1\right) \cdot 1 = -1
w_{1}^{\prime} = w_{1} + η\,y\,x_{1} = 0 + 1 \cdot \left(-1\right) \cdot \left(-1\right) = 1
w_{2}^{\prime} = w_{2} + η\,y\,x_{2} = 0 + 1 \cdot \left(-1\right) \cdot \left(-1\right) = 1
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from trasluz.errors import UserError
from trasluz.state.registry import Configurable
from trasluz.typeset.entries import Entries, listed, named
from trasluz.typeset.symbols import Symbol, number


def corrected(w: Any, eta: Any, y: Any, x: Any) -> Any:
    """Turn the weights towards a row that was misclassified: `w ← w + ηyx`.

    Args:
        w: the weights, w0 first.
        eta: the learning rate.
        y: the label, −1 or 1.
        x: the row, with a 1 before it.

    >>> corrected(np.array([0.0, 1.0]), 0.5, -1, np.array([1.0, 2.0]))
    array([-0.5,  0. ])
    """
    return w + eta * y * x


@dataclass(frozen=True)
class Correction:
    """One mistake of a perceptron, and how the weights answered.

    Args:
        epoch: in which pass over the rows, from 1.
        row: which row.
        x: the row, with a 1 before it.
        y: its label, −1 or 1.
        eta: the learning rate.
        before: the weights before, w0 first.
        after: the weights after.
    """

    epoch: int
    row: int
    x: np.ndarray
    y: float
    eta: float
    before: np.ndarray
    after: np.ndarray

    @property
    def sum(self) -> float:
        """What the perceptron computed: `w·x + w0`; its sign was not the label's."""
        return float(self.before @ self.x)

    def latex(self) -> list[str]:
        """Spell the correction of each weight, from the rule that made it."""
        w, x = (_named(sign, array) for sign, array in (("w", self.before), ("x", self.x)))
        spelled = corrected(w, named("η", self.eta), named("y", self.y), x)
        return [
            rf"w_{{{i}}}^{{\prime}} = {one.latex} = {one.numbers()} = {number(float(one.value))}"
            for i, one in enumerate(spelled.at((k,)) for k in range(spelled.size))
        ]

    def __str__(self) -> str:
        return "\n".join(self.latex())


@dataclass
class Perceptron(Configurable):
    """Rosenblatt's perceptron: `sign(w·x + w0)`, corrected row by row by `w ← w + ηyx`.

    Args:
        eta0: η, the learning rate.
        max_iter: how many times it goes over the rows at most.
        shuffle: whether each pass takes the rows in another order.
        random_state: where the orders come from.

    Attributes:
        coef_: w, of shape (1, columns).
        intercept_: w0, of shape (1,).
        n_iter_: how many passes there were; the last had no mistake, unless there were `max_iter`.
        corrections_: every correction, in order.
        classes_: the two labels; the second stands for 1.

    Raises:
        UserError: from `fit` for what is not a table and its labels, or not two classes.

    >>> unit = Perceptron().fit([[0.0], [1.0], [2.0]], ["low", "low", "high"])
    >>> unit.predict([[0.5], [3.0]])
    array(['low', 'high'], dtype='<U4')
    """

    eta0: float = 1.0
    max_iter: int = 1000
    shuffle: bool = False
    random_state: int | None = None
    coef_: np.ndarray = field(init=False, repr=False)
    intercept_: np.ndarray = field(init=False, repr=False)
    n_iter_: int = field(init=False, repr=False)
    corrections_: list[Correction] = field(init=False, repr=False)
    classes_: np.ndarray = field(init=False, repr=False)

    def fit(self, x: Any, y: Any) -> Self:
        """Correct every mistake until a pass over the rows has none."""
        rows, labels = _table(x), np.asarray(y)
        if labels.shape != (len(rows),):
            raise UserError(
                f"{len(rows)} rows need as many labels, not shape {labels.shape}",
                "y",
                "give one label a row",
            )
        if self.eta0 <= 0 or self.max_iter < 1:
            raise UserError(
                "eta0 has to be above 0 and max_iter at least 1",
                "Perceptron",
                "e.g. eta0=1.0, max_iter=1000",
            )
        self.classes_ = np.unique(labels)
        if len(self.classes_) != 2:
            raise UserError(
                f"a perceptron tells two classes apart, not {len(self.classes_)}",
                "y",
                "give rows of two classes, or train a network",
            )
        signs = np.where(labels == self.classes_[1], 1.0, -1.0)
        w = np.zeros(rows.shape[1] + 1)
        orders = np.random.default_rng(self.random_state)
        self.corrections_ = []
        for self.n_iter_ in range(1, self.max_iter + 1):  # noqa: B020
            before = len(self.corrections_)
            order = orders.permutation(len(rows)) if self.shuffle else range(len(rows))
            for i in order:
                seen = np.concatenate([[1.0], rows[i]])
                if signs[i] * (w @ seen) <= 0:
                    new = corrected(w, self.eta0, signs[i], seen)
                    self.corrections_.append(
                        Correction(self.n_iter_, int(i), seen, signs[i], self.eta0, w, new)
                    )
                    w = new
            if len(self.corrections_) == before:
                break
        self.coef_, self.intercept_ = w[None, 1:], w[:1]
        return self

    def decision_function(self, x: Any) -> np.ndarray:
        """Compute `w·x + w0` of each row.

        Raises:
            UserError: before `fit`, or if the columns are not those of the fit.
        """
        if not hasattr(self, "coef_"):
            raise UserError("the perceptron has not been fitted", mend="call fit(x, y) first")
        rows = _table(x)
        if rows.shape[1] != self.coef_.shape[1]:
            raise UserError(
                f"{rows.shape[1]} columns; it was fitted on {self.coef_.shape[1]}",
                "x",
                "give the same columns",
            )
        return rows @ self.coef_[0] + self.intercept_

    def predict(self, x: Any) -> np.ndarray:
        """Give the class of each row."""
        positive = self.decision_function(x) > 0
        return self.classes_[positive.astype(int)]

    def score(self, x: Any, y: Any) -> float:
        """Give the share of rows whose class is right."""
        return float(np.mean(self.predict(x) == np.asarray(y)))


@dataclass
class Committee(Configurable):
    """Two perceptrons that feed a third: `sign(v0 + v1·sign(…) + v2·sign(…))`.

    Each is trained alone by Rosenblatt's rule: the hidden ones on labels of their own, the third
    on what those say.

    Args:
        max_iter: how many times each goes over the rows at most.

    Attributes:
        hidden_: the two perceptrons that see the rows.
        output_: the third, that sees what they say.

    >>> x, y = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]]), np.array([-1, 1, 1, -1])
    >>> either, both = np.array([-1, 1, 1, 1]), np.array([-1, -1, -1, 1])
    >>> Committee().fit(x, y, either, both).score(x, y)
    1.0
    """

    max_iter: int = 1000
    hidden_: list[Perceptron] = field(init=False, repr=False)
    output_: Perceptron = field(init=False, repr=False)

    def fit(self, x: Any, y: Any, *hidden: Any) -> Self:
        """Fit the hidden perceptrons on their own labels, then the third on `y`.

        Args:
            x: the rows.
            y: their labels.
            hidden: the labels that each hidden perceptron learns.
        """
        if not hidden:
            raise UserError(
                "no labels for hidden perceptrons were given",
                "Committee",
                "give the labels that each of them learns: fit(x, y, first, second)",
            )
        self.hidden_ = [Perceptron(max_iter=self.max_iter).fit(x, labels) for labels in hidden]
        self.output_ = Perceptron(max_iter=self.max_iter).fit(self.seen(x), y)
        return self

    def seen(self, x: Any) -> np.ndarray:
        """Give what the hidden perceptrons say of each row: −1 or 1 each."""
        said = [np.where(unit.decision_function(x) > 0, 1.0, -1.0) for unit in self.hidden_]
        return np.stack(said, axis=1)

    def predict(self, x: Any) -> np.ndarray:
        """Give the class of each row."""
        return self.output_.predict(self.seen(x))

    def score(self, x: Any, y: Any) -> float:
        """Give the share of rows whose class is right."""
        return float(np.mean(self.predict(x) == np.asarray(y)))


def _named(sign: str, array: np.ndarray) -> Entries:
    """Name entries after their places, from 0."""
    return listed([Symbol(f"{sign}_{{{i}}}", v) for i, v in enumerate(array)])


def _table(x: Any) -> np.ndarray:
    rows = np.asarray(x, dtype=float)
    if rows.ndim != 2 or not len(rows):
        raise UserError(
            f"a table of rows and columns is needed, not shape {rows.shape}",
            "x",
            "give one row a sample: x.reshape(-1, 1) makes a column of a list",
        )
    if not np.isfinite(rows).all():
        raise UserError("there is a number that is not finite", "x", "leave that row out")
    return rows


__all__ = ["Committee", "Correction", "Perceptron", "corrected"]
