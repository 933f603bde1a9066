"""A derivation by hand, and backpropagation written with matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from trasluz.autodiff import ops
from trasluz.autodiff.tape import Box, Tape
from trasluz.examples.course_network import Network, shown
from trasluz.examples.networks import DEEP, NAME, VALUE, Table, slope_of
from trasluz.examples.page import Erratum, Example, Formula, Parts, Step, Story, Word
from trasluz.explain.names import derivative_name
from trasluz.explain.tidy import tidied
from trasluz.layers.core import Dense
from trasluz.losses.probabilities import categorical_crossentropy
from trasluz.optimizers.rules import SGD
from trasluz.typeset.symbols import Symbol, derivative, named_by_value


def toledo_tanh_sigmoid() -> Example:
    """Make the network `f = S(w20 + w21·tanh(w10 + w11·x1 + w12·x2))`."""
    names: Table = {
        "w20": ("output/bias", (0,)), "w21": ("output/kernel", (0, 0)),
        "w10": ("hidden/bias", (0,)), "w11": ("hidden/kernel", (0, 0)),
        "w12": ("hidden/kernel", (1, 0)),
    }  # fmt: skip
    params = {
        "hidden/kernel": np.array([[0.4], [-0.7]]), "hidden/bias": np.array([0.2]),
        "output/kernel": np.array([[0.9]]), "output/bias": np.array([-0.3]),
    }  # fmt: skip
    letters = {
        ("hidden/sum", (0,)): "z_{g}", ("hidden", (0,)): "g", ("output/sum", (0,)): "z_{f}",
        ("output", (0,)): "f", ("y", (0,)): "y", ("loss", ()): "e",
    }  # fmt: skip
    x, y = np.array([[0.8, 0.5]]), np.array([[1.0]])
    net = Network(
        lambda: [
            Dense(1, "tanh", name="hidden", dtype=DEEP),
            Dense(1, "sigmoid", name="output", dtype=DEEP),
        ],
        params, "half_squared_error", x, y, 0.5, names, letters,
    )  # fmt: skip

    def work() -> Parts:
        slopes, after = net.gradient(), net.descend(names, 1)[-1]
        z, g = (net.forward()[path][0, 0] for path in ("hidden/sum", "hidden"))
        slope = derivative(ops.tanh, 0, Symbol("g", g), Symbol("z_{g}", z))
        assert slope is not None
        truth, said = np.array([[0.0, 0.0, 1.0]]), np.array([[0.1, 0.2, 0.7]])
        crossed = float(categorical_crossentropy(truth, said)[0])
        steps = [
            Step("forward", (NAME, VALUE), [*net.units(), (Formula("e"), net.total)]),
            Step("derivation", derivation=Story().tell(*(net.derive(n, True) for n in names))),
            Step(
                "updates",
                (NAME, VALUE, slope_of("e"), Word("new")),
                [
                    (shown(n), net.pick(net.params, n), slopes[n], net.pick(after.params, n))
                    for n in names
                ],
            ),
            net.checks(),
            Step("after", (NAME, VALUE), [(Formula("e"), after.loss)]),
        ]
        return steps, [
            Erratum("toledo-tanh", g**2, slope.value),
            Erratum("toledo-crossentropy", -crossed, crossed),
        ]

    return Example("toledo-tanh-sigmoid", x, y, work, net.model, names=net.naming)


class Matrices(Tape):
    """A tape of whole matrices: each line that is given a name is spelled, and listed."""

    __slots__ = ("listed", "signs")

    def __init__(self) -> None:
        super().__init__()
        self.signs: dict[int, str] = {}
        self.listed: list[tuple[str, Symbol]] = []

    def start(self, sign: str, array: np.ndarray) -> Box:
        """Begin with a matrix of that name."""
        box = self.input(Symbol(sign, array))
        self.signs[box.index] = sign
        return box

    def name(self, sign: str, box: Box) -> Box:
        """Name what was computed: formulas further on speak of the name."""
        self.signs[box.index] = sign
        self.listed.append((sign, box.value))
        box.value = Symbol(sign, box.value.value)
        self.lines[box.index].value = box.value  # type: ignore[union-attr]
        return box

    def slope(self, index: int, g: Symbol) -> Symbol:
        """Name the derivative in a line that has a name."""
        if self.signs.get(index, "C") == "C":
            return g
        sign = derivative_name("C", self.signs[index])
        self.listed.append((sign, tidied(g)))
        return Symbol(sign, g.value)


def t8_matrix() -> Example:
    """Make a 3-2-2 network and run backpropagation on its matrices: `z = W a + b`, `a = σ(z)`."""
    x, y = np.array([[0.5], [-1.0], [0.8]]), np.array([[1.0], [0.0]])
    start = {
        "W^{(1)}": np.array([[0.2, -0.4, 0.1], [0.7, 0.3, -0.5]]),
        "b^{(1)}": np.array([[0.1], [-0.2]]),
        "W^{(2)}": np.array([[0.6, -0.1], [-0.3, 0.8]]),
        "b^{(2)}": np.array([[0.05], [0.15]]),
    }
    rate = 0.5

    def run(params: dict[str, Any]) -> tuple[Matrices, dict[str, Box], Box]:
        tape = Matrices()
        p = {sign: tape.start(sign, array) for sign, array in params.items()}
        a: Any = Symbol("a^{(0)}", x)
        for n, f in ((1, ops.tanh), (2, ops.sigmoid)):
            z = tape.name(f"z^{{({n})}}", ops.matmul(p[f"W^{{({n})}}"], a) + p[f"b^{{({n})}}"])
            a = tape.name(f"a^{{({n})}}", f(z))
        return tape, p, tape.name("C", (Symbol("y", y) - a) ** 2)

    def work() -> Parts:
        tape, p, cost = run(start)
        forward, tape.listed = tape.listed, []
        grads = tape.backward({cost.index: named_by_value(1)}, visit=tape.slope)
        for box in reversed(p.values()):
            tape.slope(box.index, grads[box.index])
        g = {sign: grads[box.index].value for sign, box in p.items()}
        sgd = SGD(rate)
        after, _ = sgd.update(g, sgd.init(start), start, 0)
        again = run(after)[0].listed[-1][1]
        header = (NAME, Word("formula"), Word("shape"), Word("numbers"))
        return [
            Step("given", (NAME, Word("shape"), Word("numbers")), [
                (Formula(sign), _shape(array), array)
                for sign, array in {"a^{(0)}": x, "y": y, **start}.items()
            ], digits=5),
            Step("matrix-forward", header, [_row(*one) for one in forward], digits=5),
            Step("matrix-backward", header, [_row(*one) for one in tape.listed], digits=5),
            Step("matrix-update", (NAME, Word("shape"), Word("numbers")), [
                (Formula(sign), _shape(array), array) for sign, array in after.items()
            ], digits=5),
            Step("after", (NAME, VALUE), [
                (Word("cost-before"), float(cost.value.value.sum())),
                (Word("cost-after"), float(again.value.sum())),
            ]),
        ], []  # fmt: skip

    rows = Network(
        lambda: [
            Dense(2, "tanh", name="hidden", dtype=DEEP),
            Dense(2, "sigmoid", name="output", dtype=DEEP),
        ],
        {
            "hidden/kernel": start["W^{(1)}"].T, "hidden/bias": start["b^{(1)}"][:, 0],
            "output/kernel": start["W^{(2)}"].T, "output/bias": start["b^{(2)}"][:, 0],
        },
        "sum_of_squared_residuals", x.T, y.T, rate, {},
    )  # fmt: skip
    return Example("t8-matrix", x, y, work, rows.model)


def _shape(array: Any) -> str:
    return "×".join(map(str, array.shape))


def _row(sign: str, spelled: Symbol) -> tuple[Formula, Formula, str, Any]:
    return Formula(sign), Formula(spelled.latex), _shape(spelled.value), spelled.value
