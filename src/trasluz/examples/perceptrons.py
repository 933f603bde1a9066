"""Rosenblatt's perceptron on what a line can part and on what it cannot, and XOR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from trasluz.autodiff import ops, tape
from trasluz.drawing.panels import parted
from trasluz.examples.course_network import Network, milestones
from trasluz.examples.networks import DEEP, NAME, VALUE, Table
from trasluz.examples.page import Erratum, Example, Formula, Parts, Step, Word
from trasluz.families.perceptron import Committee, Perceptron, corrected
from trasluz.layers.core import Dense
from trasluz.losses.margins import hinge, perceptron

CORNERS = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
AND = np.where(CORNERS.min(axis=1) > 0, 1, -1)
OR = np.where(CORNERS.max(axis=1) > 0, 1, -1)
XOR = np.where(CORNERS.prod(axis=1) < 0, 1, -1)
WEIGHTS = tuple(Formula(f"w_{{{k}}}") for k in range(3))
INPUTS = (Formula("x_{1}"), Formula("x_{2}"))
LABEL = Formula("y")


def _corrections(unit: Perceptron, most: int = 12) -> Step:
    rows = [
        (c.epoch, c.row + 1, c.x[1:], c.y, c.sum, c.before, c.after)
        for c in unit.corrections_[:most]
    ]
    score, w = Formula(r"w \cdot x + w_{0}"), Formula("w")
    header = (Word("epoch"), Word("row"), Formula("x"), LABEL, score, w, Word("new"))
    return Step("corrections", header, rows)


def _result(unit: Perceptron, x: np.ndarray, y: np.ndarray) -> Step:
    weights = zip(WEIGHTS, [*unit.intercept_, *unit.coef_[0]], strict=True)
    return Step("result", (NAME, VALUE), [
        *weights, (Word("epochs"), unit.n_iter_), (Word("mistakes"), len(unit.corrections_)),
        (Word("accuracy"), unit.score(x, y)),
    ])  # fmt: skip


def _labels(x: np.ndarray, y: np.ndarray) -> Step:
    return Step("data", (*INPUTS, LABEL), [(*row, t) for row, t in zip(x, y, strict=True)])


def perceptron_and() -> Example:
    """Make the perceptron that learns AND, which a line can part."""
    unit = Perceptron().fit(CORNERS, AND)

    def work() -> Parts:
        return [
            _labels(CORNERS, AND),
            _corrections(unit),
            Step("correction-spelled", lines=unit.corrections_[0].latex()),
            _result(unit, CORNERS, AND),
        ], _lecture_errata(unit)  # fmt: skip

    def draw() -> Sequence[Any]:
        return [parted(CORNERS, AND, [(unit.coef_[0], unit.intercept_[0], "AND")], unit.predict)]

    return Example("perceptron-and", CORNERS, AND, work, draw=draw)


def _lecture_errata(unit: Perceptron) -> list[Erratum]:
    """Run the lecture's wrong rules and losses beside the right ones."""
    swapped = np.zeros(3)
    for x, y in zip(np.c_[np.ones(4), CORNERS], AND, strict=True):
        if y * (swapped @ x) > 0:  # well classified: the case that has to leave w alone
            swapped = corrected(swapped, unit.eta0, y, x)
    learnt = (np.c_[np.ones(4), CORNERS] @ swapped > 0) == (AND > 0)
    w, x, y = np.array([0.5, -1.0]), np.array([[1.0, 1.0]]), np.array([[1.0]])
    score = lambda w: ops.matmul(x, ops.reshape(w, shape=(2, 1)))  # noqa: E731
    loss = lambda f: tape.grad(lambda w: perceptron(y, f(score(w))).sum())(w)  # noqa: E731
    margin = np.array([[0.4]])
    return [
        Erratum("toledo-update", learnt.mean(), unit.score(CORNERS, AND)),
        Erratum("toledo-epoch", 1, len(CORNERS)),
        Erratum("toledo-surrogate", loss(ops.sign), loss(lambda s: s)),
        Erratum("toledo-hinge", perceptron(y, margin)[0], hinge(y, margin)[0]),
    ]


def perceptron_xor() -> Example:
    """Make the perceptron that never learns XOR, and the three that do."""
    unit = Perceptron(max_iter=50).fit(CORNERS, XOR)
    three = Committee().fit(CORNERS, XOR, OR, AND)

    def work() -> Parts:
        units = [*three.hidden_, three.output_]
        said = np.c_[CORNERS, three.seen(CORNERS), three.predict(CORNERS), XOR]
        named = [(n, *one.intercept_, *one.coef_[0]) for n, one in zip(
            (Word("first"), Word("second"), Word("third")), units, strict=True)]  # fmt: skip
        return [
            _labels(CORNERS, XOR),
            _corrections(unit),
            _result(unit, CORNERS, XOR),
            Step("three", (Word("perceptron"), *WEIGHTS), named),
            Step("three-say", (
                *INPUTS, Word("first"), Word("second"), Word("third"), LABEL), said.tolist()),
        ], [_xor_data()]  # fmt: skip

    def draw() -> Sequence[Any]:
        lines = [(one.coef_[0], one.intercept_[0], label)
                 for one, label in zip(three.hidden_, ("OR", "AND"), strict=True)]  # fmt: skip
        return [
            parted(CORNERS, XOR, [(unit.coef_[0], unit.intercept_[0], "")], unit.predict),
            parted(CORNERS, XOR, lines, three.predict),
        ]

    return Example("perceptron-xor", CORNERS, XOR, work, draw=draw)


def _xor_data() -> Erratum:
    """Read the rows as they are printed, the last one (−1, 1) labelled −1: no unit can fit both."""
    printed = np.where(np.arange(4)[:, None] == 3, [-1.0, 1.0], CORNERS)
    fits = lambda x: Committee(max_iter=50).fit(x, XOR, OR, AND).score(x, XOR)  # noqa: E731
    return Erratum("toledo-xor-data", fits(printed), fits(CORNERS))


NAMES: Table = {
    "w1": ("hidden/kernel", (0, 0)), "w2": ("hidden/kernel", (0, 1)),
    "w3": ("hidden/kernel", (1, 0)), "w4": ("hidden/kernel", (1, 1)),
    "b1": ("hidden/bias", (0,)), "b2": ("hidden/bias", (1,)),
    "w5": ("output/kernel", (0, 0)), "w6": ("output/kernel", (1, 0)), "b3": ("output/bias", (0,)),
}  # fmt: skip


def xor() -> Example:
    """Make the 2-2-1 network that fails at XOR with linear units and solves it with tanh."""
    y = XOR[:, None].astype(float)
    params = {
        "hidden/kernel": np.array([[0.5, -0.4], [0.3, -0.6]]), "hidden/bias": np.array([0.1, -0.1]),
        "output/kernel": np.array([[0.4], [0.7]]), "output/bias": np.array([0.2]),
    }  # fmt: skip

    def net(activation: str) -> Network:
        return Network(
            lambda: [
                Dense(2, activation, name="hidden", dtype=DEEP),
                Dense(1, activation, name="output", dtype=DEEP),
            ],
            params, "mse", CORNERS, y, 0.2, NAMES,
        )  # fmt: skip

    nets = {Word("linear-units"): net("linear"), Word("tanh-units"): net("tanh")}

    @cache
    def trained() -> dict[Word, Any]:
        return {word: one.descend(NAMES, 1000, 1e-9) for word, one in nets.items()}

    def work() -> Parts:
        rows: list[Any] = []
        accuracies = {}
        for word, path in trained().items():
            for n in milestones(path)[-3:]:
                out = _outputs(nets[word], path[n].params)
                accuracies[word] = (np.sign(out.round(6)) == XOR).mean()
                rows.append((word, n, path[n].loss, out, accuracies[word]))
        best = max(
            np.mean(np.sign(CORNERS @ [a, b] + c) == XOR)
            for a, b, c in product(np.linspace(-1, 1, 9), repeat=3)
        )
        last = trained()[Word("linear-units")][-1].params
        one = last["hidden/kernel"] @ last["output/kernel"]
        shift = last["hidden/bias"] @ last["output/kernel"] + last["output/bias"]
        gap = np.abs(CORNERS @ one + shift - _outputs(nets[Word("linear-units")], last)[:, None])
        return [
            _labels(CORNERS, XOR),
            Step("training", (
                Word("units"), Word("step"), "MSE", Word("outputs"), Word("accuracy")), rows,
                digits=4),
            Step("collapse", (NAME, VALUE), [
                (Formula("W^{(1)} W^{(2)}"), one[:, 0]),
                (Formula("b^{(1)} W^{(2)} + b^{(2)}"), shift),
                (Word("difference-of-outputs"), float(gap.max())),
                (Word("best-line"), best),
            ], digits=4),
        ], [Erratum("toledo-xor-network", best, accuracies[Word("tanh-units")])]  # fmt: skip

    def draw() -> Sequence[Any]:
        return [
            parted(CORNERS, XOR, [], _sign_of(nets[word], path[-1].params), word.spelled())
            for word, path in trained().items()
        ]

    return Example("xor", CORNERS, XOR, work, net("tanh").model, draw, net("tanh").naming)


def _outputs(net: Network, params: Any, x: np.ndarray | None = None) -> np.ndarray:
    rows = net.x if x is None else x
    return replace(net, params=params).model.predict(rows, None)[:, 0]


def _sign_of(net: Network, params: Any) -> Any:
    return lambda x: np.where(_outputs(net, params, x) > 1e-6, 1, -1)
