"""Rosenblatt's perceptron: what it learns, what it cannot, and what it tells."""

import numpy as np
import pytest

from trasluz.errors import UserError
from trasluz.families.perceptron import Committee, Perceptron

CORNERS = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
XOR = np.array([-1, 1, 1, -1])


def clouds(seed, n=60):
    generator = np.random.default_rng(seed)
    y = np.where(np.arange(n) % 2, 1, -1)
    return generator.normal(size=(n, 3)) + 4 * y[:, None], y


@pytest.mark.parametrize("shuffle", [False, True])
def test_what_a_line_parts_is_learnt(shuffle):
    x, y = clouds(3)
    unit = Perceptron(eta0=0.5, shuffle=shuffle, random_state=1).fit(x, y)
    assert unit.score(x, y) == 1
    assert unit.n_iter_ < unit.max_iter
    assert unit.coef_.shape == (1, 3) and unit.intercept_.shape == (1,)


def test_corrections_lead_from_nothing_to_the_weights():
    x, y = clouds(5)
    unit = Perceptron().fit(x + 3, y)
    w = np.zeros(4)
    for one in unit.corrections_:
        assert np.array_equal(one.before, w)
        assert one.y * one.sum <= 0
        w = w + one.eta * one.y * one.x
        assert np.array_equal(one.after, w)
    assert np.array_equal(w, np.r_[unit.intercept_, unit.coef_[0]])
    assert str(unit.corrections_[0]).count("\n") == 3


def test_xor_never_ends_and_three_solve_it():
    unit = Perceptron(max_iter=20).fit(CORNERS, XOR)
    assert unit.n_iter_ == 20
    assert unit.score(CORNERS, XOR) <= 0.75
    either, both = np.array([1, 1, 1, -1]), np.array([1, -1, -1, -1])
    three = Committee().fit(CORNERS, XOR, either, both)
    assert np.array_equal(three.predict(CORNERS), XOR)


def test_any_two_classes_and_the_same_orders_again():
    x, y = clouds(7)
    words = np.where(y > 0, "yes", "no")
    one, other = (Perceptron(shuffle=True, random_state=4).fit(x, words) for _ in range(2))
    assert set(one.predict(x)) == {"yes", "no"}
    assert np.array_equal(one.coef_, other.coef_)
    assert Perceptron.from_config(one.get_config()).eta0 == 1.0


def test_bad_input_is_named():
    for x, y, message in (
        ([1.0, 2.0], [1, 2], "table of rows"),
        ([[1.0], [2.0]], [1], "as many labels"),
        ([[1.0], [2.0]], [1, 1], "two classes apart, not 1"),
        ([[1.0], [np.nan]], [1, 2], "not finite"),
    ):
        with pytest.raises(UserError, match=message):
            Perceptron().fit(x, y)
    with pytest.raises(UserError, match="not been fitted"):
        Perceptron().predict([[1.0]])
    with pytest.raises(UserError, match="2 columns; it was fitted on 1"):
        Perceptron().fit([[1.0], [2.0]], [0, 1]).predict([[1.0, 2.0]])
    with pytest.raises(UserError, match="eta0"):
        Perceptron(eta0=0).fit([[1.0], [2.0]], [0, 1])
