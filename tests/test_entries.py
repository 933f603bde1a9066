"""Every row, spelled entry by entry: the numbers are those of the forward and backward pass."""

from __future__ import annotations

import numpy as np
import pytest

from rows import Sample, each, floats
from trasluz import ops
from trasluz.tape import Line, unbroadcast
from trasluz.typeset.entries import Entries, named, numbered


def values(entries):
    """Give the numbers that the formulas of the entries stand for: those of the array too."""
    spelled = [float(entries.at(place).value) for place in np.ndindex(entries.shape)]
    again = [float(entries.at(place).at({})) for place in np.ndindex(entries.shape)]
    np.testing.assert_allclose(again, entries.value.ravel(), rtol=1e-12, atol=1e-14)
    return np.array(spelled).reshape(entries.shape)


def spelled_arguments(sample: Sample, how):
    own = set(floats(sample))
    return [how("abc"[i], a) if i in own else a for i, a in enumerate(sample.args)]


@pytest.mark.parametrize(("name", "sample"), each())
def test_entries_agree_with_the_tape(name, sample):
    if name in ("argmax", "argsort"):
        pytest.skip("gives places, not entries")
    row = ops.PRIMITIVES[name]
    y = np.asarray(row.forward(*sample.args, **sample.params))
    g = np.cos(np.arange(y.size) + 1.0).reshape(y.shape)
    parents = tuple(i if i in floats(sample) else -1 for i in range(len(sample.args)))
    wanted = dict(row.pullback(Line(row, sample.args, sample.params, parents, y), g))
    for how in (named, lambda _, a: numbered(a, 17)):
        args = spelled_arguments(sample, how)
        np.testing.assert_allclose(values(row(*args, **sample.params)), y, rtol=1e-12)
        step = Line(row, tuple(args), sample.params, parents, how("y", y))
        found = dict(row.pullback(step, how("g", g)))
        assert set(found) == set(wanted)
        for place, derivative in found.items():
            assert isinstance(derivative, Entries)
            d = values(derivative)
            np.testing.assert_allclose(
                unbroadcast(d, wanted[place].shape), wanted[place], rtol=1e-12, atol=1e-14
            )


def test_an_altered_rule_alters_the_entries(monkeypatch):
    monkeypatch.setattr(ops.PRIMITIVES["tanh"], "rules", (lambda y, x: 2 - y**2,))
    row, x = ops.PRIMITIVES["tanh"], np.array([0.5])
    step = Line(row, (named("x", x),), {}, (0,), named("y", np.tanh(x)))
    ((_, derivative),) = row.pullback(step, named("g", x))
    assert str(derivative) == r"g_{1}\,\left(2 - y_{1}^{2}\right)"


def test_names_of_a_whole_layer():
    x, w, b = named("x", np.ones((1, 2))), named("w", np.ones((2, 1))), named("b", np.ones(1))
    z = ops.matmul(x, w) + b
    assert str(z) == r"x_{1,1}\,w_{1,1} + x_{1,2}\,w_{2,1} + b_{1}"
    assert (
        str(ops.sigmoid(named("z", np.zeros(2))))
        == "\\sigma\\left(z_{1}\\right)\n\\sigma\\left(z_{2}\\right)"
    )
    assert str(ops.logsumexp(named("z", np.zeros(2)))) == r"\ln\left(e^{z_{1}} + e^{z_{2}}\right)"
    assert str(ops.max(named("z", np.array([1.0, 2.0])))) == r"\max\left(z_{1}, z_{2}\right)"
