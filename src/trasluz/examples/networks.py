"""The networks that lecture notes and walkthroughs work out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from trasluz import ops
from trasluz.examples.network import (
    Network,
    Point,
    SharedBias,
    milestones,
    named,
    shown,
)
from trasluz.examples.page import Erratum, Example, Parts, Step, Word
from trasluz.explain.plain import plain
from trasluz.layers import Dense

DEEP = "float64"
Table = dict[str, tuple[str, tuple[int, ...]]]
NAME, VALUE = Word("name"), Word("value")


def _array(*rows: Any) -> np.ndarray:
    return np.array(rows, DEEP)


# ------------------------------------------------------------------------------ 2-2-2, sigmoid

GRID = {
    (layer, i, j): 4 * n + 2 * j + i + 1
    for n, layer in enumerate(("hidden", "output"))
    for i in range(2)
    for j in range(2)
}
HIDDEN, OUTPUT = named("n", 2), named(r"\hat{y}", 2)


def _two_two_two(
    x: Any,
    y: Any,
    weights: Sequence[float],
    biases: tuple[float, float],
    rate: float,
    by_unit: bool,
) -> Network:
    """Make a 2-2-2 network; its hidden weights are counted by unit or by input."""
    names: Table = {}
    for (layer, i, j), n in GRID.items():
        by_input = layer == "hidden" and not by_unit
        number = 2 * i + j + 1 if by_input else n
        names[f"w{number}"] = (f"{layer}/kernel", (i, j))
    names = dict(sorted(names.items())) | {"B1": ("hidden/bias", ()), "B2": ("output/bias", ())}
    blank = {
        "hidden/kernel": np.zeros((2, 2)), "hidden/bias": np.zeros(()),
        "output/kernel": np.zeros((2, 2)), "output/bias": np.zeros(()),
    }  # fmt: skip
    letters = {
        **dict(zip(named("a^{(1)}", 2), HIDDEN, strict=True)),
        "z^{(1)}": r"\mathrm{sum}^{(1)}",
        "z^{(2)}": r"\mathrm{sum}^{(2)}",
    }
    net = Network(
        lambda: [
            SharedBias(2, "sigmoid", name="hidden", dtype=DEEP),
            SharedBias(2, "sigmoid", name="output", dtype=DEEP),
        ],
        blank, "half_squared_error", _array(x), _array(y), rate, names, letters,
    )  # fmt: skip
    given = {f"w{n}": value for n, value in enumerate(weights, 1)}
    return net.at(**given, B1=biases[0], B2=biases[1])


def forward_of(net: Network) -> list[tuple[str, float]]:
    """List every sum, activation and prediction of a single row, under the course's names."""
    return [
        (net.spelled(f"{sign}_{{{k + 1}}}"), float(value))
        for sign, row in net.forward().items()
        for k, value in enumerate(row[0])
    ]


def _errors(net: Network) -> list[tuple[str, float]]:
    outputs = net.y.shape[1]
    parts = [(shown(f"E{k + 1}"), net.one_output(k).total) for k in range(outputs)]
    return [*parts, ("E", net.total)]


def _weights(net: Network) -> list[str]:
    return [name for name in net.names if name.startswith("w")]


def _two_two_two_steps(net: Network, outer: str, inner: str) -> list[Step]:
    """Work a 2-2-2 network out: forward, errors, derivatives, update, again, to convergence."""
    weights = _weights(net)
    slopes = [net.one_output(k).gradient() for k in range(2)] + [net.gradient()]
    after = net.descend(net.names, 1)[-1].params
    moved = {Word("biases-frozen"): weights, Word("biases-trained"): list(net.names)}
    second, repeated = [], []
    for convention, names in moved.items():
        path = net.descend(names, 20_000, 1e-4)
        second.append((convention, *_at(net, path[1])))
        repeated += [(convention, n, *_at(net, path[n])) for n in milestones(path)]
    predictions = [plain(name) for name in OUTPUT]
    return [
        Step("forward", (NAME, VALUE), forward_of(net)),
        Step("errors", (NAME, VALUE), _errors(net)),
        Step("output-weight", lines=net.lines(outer)),
        Step("hidden-weight", lines=net.lines(inner, after=outer)),
        Step(
            "derivatives",
            (NAME, VALUE, "∂E₁/∂", "∂E₂/∂", "∂E/∂", Word("new")),
            [
                (shown(n), net.pick(net.params, n), *(s[n] for s in slopes), net.pick(after, n))
                for n in net.names
            ],
        ),
        net.checks(),
        Step("second-forward", (Word("biases"), *predictions, "E"), second),
        Step("convergence", (Word("biases"), Word("step"), *predictions, "E"), repeated, digits=6),
    ]


def _at(net: Network, point: Point) -> tuple[float, ...]:
    there = replace(net, params=point.params)
    return (*there.forward()[r"\hat{y}"][0], point.loss)


def unam_2_2_2() -> Example:
    """Make the 2-2-2 network of the notes, with its eight weights and a bias for each layer."""
    weights = [n / 10 for n in range(1, 9)]
    net = _two_two_two([0.1, 0.5], [0.05, 0.95], weights, (0.25, 0.35), 0.6, by_unit=False)

    def work() -> Parts:
        return _two_two_two_steps(net, "w5", "w1"), _unam_errata(net)

    return Example("unam-2-2-2", net.x, net.y, work, net.model)


def _unam_errata(net: Network) -> list[Erratum]:
    found = net.forward()
    kernel, bias = net.params["output/kernel"], net.params["output/bias"]
    w = np.array([net.pick(net.params, name) for name in _weights(net)])
    g, smooth, rest = net.gradient()["w5"], 1e-7, 0.1
    v = rest * g**2
    k, share = 5, 0.01
    truth = np.eye(k)[2]
    return [
        Erratum(
            "unam-sum",
            ops.matmul(found[r"\hat{y}"], kernel)[0, 0] + bias,
            found["z^{(2)}"][0, 0],
        ),
        Erratum("unam-linear", found["z^{(2)}"][0], found[r"\hat{y}"][0]),
        Erratum("unam-normalisation", "σ, β", "γ, β"),
        Erratum("unam-rmsprop", g / np.sqrt(np.sqrt(v) + smooth), g / (np.sqrt(v) + smooth)),
        Erratum("unam-penalties", np.abs(w).sum() / 2, np.abs(w).sum()),
        Erratum(
            "unam-smoothing",
            truth * (1 - share) + (1 - truth) * share / (k - 1),
            truth * (1 - share) + share / k,
        ),
    ]


def walkthrough_2_2_2() -> Example:
    """Make the 2-2-2 network of a widely read walkthrough."""
    weights = [0.15, 0.20, 0.25, 0.30, 0.40, 0.45, 0.50, 0.55]
    net = _two_two_two([0.05, 0.10], [0.01, 0.99], weights, (0.35, 0.60), 0.5, by_unit=True)
    return Example(
        "walkthrough-2-2-2", net.x, net.y,
        lambda: (_two_two_two_steps(net, "w5", "w1"), []), net.model,
    )  # fmt: skip


# --------------------------------------------------------------------------- 1-2-1, nine doses

DOSES = [0, 0.1, 0.2, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
CURED = [0, 0, 0, 1, 1, 1, 0, 0, 0]


def _dose_network(
    activation: str, data: Any, hidden: Any, outputs: Any, output_bias: float | None, rate: float
) -> Network:
    """Make a 1-2-1 network; `hidden` gives weight and bias of each unit."""
    (w1, b1), (w2, b2) = hidden
    params = {
        "hidden/kernel": _array([w1, w2]),
        "hidden/bias": _array(b1, b2),
        "output/kernel": _array(*([w] for w in outputs)),
    }
    names: Table = {
        "w1": ("hidden/kernel", (0, 0)), "b1": ("hidden/bias", (0,)),
        "w2": ("hidden/kernel", (0, 1)), "b2": ("hidden/bias", (1,)),
        "w3": ("output/kernel", (0, 0)), "w4": ("output/kernel", (1, 0)),
    }  # fmt: skip
    if output_bias is not None:
        params["output/bias"] = _array(output_bias)
        names["b3"] = ("output/bias", (0,))
    letters = {
        "z^{(1)}_{1}": "x_U", "z^{(1)}_{2}": "x_L", "a^{(1)}_{1}": "y_U", "a^{(1)}_{2}": "y_L",
        r"\hat{y}_{1}": r"\hat{y}", "x_{1}": "x", "t_{1}": "t", r"\partial E": r"\partial SSR",
    }  # fmt: skip
    biased = output_bias is not None
    return Network(
        lambda: [
            Dense(2, activation, name="hidden", dtype=DEEP),
            Dense(1, use_bias=biased, name="output", dtype=DEEP),
        ],
        params, "sum_of_squared_residuals", _array(*data[0])[:, None], _array(*data[1])[:, None],
        rate, names, letters,
    )  # fmt: skip


def _dose_table(net: Network) -> Step:
    found = net.forward()
    predicted = found[r"\hat{y}"]
    columns = [net.x, found["z^{(1)}"], found["a^{(1)}"], predicted, net.y, net.y - predicted]
    header = (Word("dose"), "x_U", "x_L", "y_U", "y_L", Word("predicted"), Word("observed"))
    return Step("predictions", (*header, Word("residual")), np.hstack(columns).tolist())


def _trace(net: Network, path: Sequence[Point], name: str) -> Step:
    """List how a descent went on in one entry."""
    rows = [
        (n, net.pick(path[n].params, name), net.pick(path[n].gradient, name), path[n].loss)
        for n in milestones(path)
    ]
    header = (Word("step"), shown(name), f"dSSR/d{shown(name)}", "SSR")
    return Step("repetition", header, rows)


def aisc_dose() -> Example:
    """Make the 1-2-1 network of the notes that tells which doses work."""
    net = _dose_network(
        "relu", (DOSES, CURED), [(1.43, -0.61), (2.63, -0.27)], [0, 1.35], None, 0.01
    )
    final = lambda: net.descend(["w3"], 2_000, 1e-12)  # noqa: E731

    def work() -> Parts:
        path = final()
        best = net.at(w3=net.pick(path[-1].params, "w3"))
        every = net.descend(net.names, 5_000, 1e-7)
        names = list(net.names)
        begun, ended = net.gradient(), best.gradient()
        bottom = best.pick(best.params, "w3")
        dosed = replace(net, y=net.x)
        slipped = net.x * np.where(net.x == 0.8, 10, 1)
        steps = [
            _dose_table(net),
            Step("curve", (shown("w3"), "SSR"), [(w, net.at(w3=w).total) for w in range(-6, 1)]),
            Step("chain-rule", lines=net.rows()[5].lines("w3")),
            _sum_of_rows(net, "w3"),
            Step(
                "update",
                (NAME, VALUE),
                [
                    (Word("derivative"), begun["w3"]),
                    (Word("rate"), net.rate),
                    (
                        Word("step-size"),
                        net.pick(net.params, "w3") - net.pick(path[1].params, "w3"),
                    ),
                    (shown("w3"), net.pick(path[1].params, "w3")),
                ],
            ),
            _trace(net, path, "w3"),
            Step(
                "all-derivatives",
                (
                    NAME,
                    VALUE,
                    f"∂SSR/∂ ({shown('w3')} = 0)",
                    f"∂SSR/∂ ({shown('w3')} = {bottom:.6f})",
                ),
                [(shown(n), net.pick(net.params, n), begun[n], ended[n]) for n in names],
            ),
            Step("hidden-chain-rule", lines=best.rows()[5].lines("w1", "b1")),
            Step(
                "all-trained",
                (Word("step"), *map(shown, names), "SSR"),
                [
                    (n, *(net.pick(every[n].params, name) for name in names), every[n].loss)
                    for n in milestones(every)
                ],
                digits=6,
            ),
            Step(
                "unit-curves",
                (Word("dose"), "y_U·w₃", "y_L·w₄", Word("sum"), Word("observed")),
                np.hstack([net.x, *_curves(best, net.x), net.y]).tolist(),
                digits=6,
            ),
            _counted(net),
        ]
        errata = [
            Erratum("aisc-derivative", dosed.gradient()["w3"], begun["w3"]),
            Erratum("aisc-rows", [r.gradient()["w3"] for r in dosed.rows() if _counts(r)],
                    [r.gradient()["w3"] for r in net.rows() if _counts(r)]),
            Erratum("aisc-step", dosed.gradient()["w3"] * -net.rate, begun["w3"] * -net.rate),
            Erratum("aisc-dose", slipped[6], net.x[6]),
        ]  # fmt: skip
        return steps, errata

    def draw() -> Sequence[Any]:
        from trasluz.plots import summed, tangent

        best = net.at(w3=net.pick(final()[-1].params, "w3"))
        dense = np.linspace(0, 1, 101)[:, None]
        w3 = np.linspace(-6.5, 0.5, 141)
        upper, lower, total = _curves(best, dense)
        return [
            tangent(
                w3, [net.at(w3=w).total for w in w3],
                [(w, net.at(w3=w).total, net.at(w3=w).gradient()["w3"]) for w in (0.0, -3.0)],
                best.pick(best.params, "w3"), (shown("w3"), "SSR"),
            ),
            summed(
                dense[:, 0], {"y_U·w₃": upper[:, 0], "y_L·w₄": lower[:, 0]}, total[:, 0],
                (net.x[:, 0], net.y[:, 0]),
            ),
        ]  # fmt: skip

    return Example("aisc-dose", net.x, net.y, work, net.model, draw)


def _counts(row: Network) -> bool:
    """Tell whether a row has a part in the derivative: its upper unit is not silent."""
    return bool(row.forward()["a^{(1)}"][0, 0] > 0)


def _sum_of_rows(net: Network, name: str) -> Step:
    found = net.forward()
    residuals = net.y - found[r"\hat{y}"]
    terms = [row.gradient()[name] for row in net.rows()]
    rows: list[Any] = [
        (*map(float, (net.x[i, 0], residuals[i, 0], found["a^{(1)}"][i, 0])), terms[i])
        for i in range(len(terms))
    ]
    header = (Word("dose"), Word("residual"), "y_U", f"dSSR/d{shown(name)}")
    return Step("sum-of-rows", header, [*rows, (Word("sum"), None, None, net.gradient()[name])])


def _curves(net: Network, x: np.ndarray) -> list[np.ndarray]:
    """Give each hidden unit's curve scaled by its outgoing weight, and their sum."""
    there = replace(net, x=x, y=np.zeros_like(x))
    found = there.forward()
    scaled = found["a^{(1)}"] * net.params["output/kernel"][:, 0]
    return [scaled[:, :1], scaled[:, 1:], found[r"\hat{y}"]]


def _counted(net: Network) -> Step:
    rows: list[Any] = [
        (layer.name, " + ".join("×".join(map(str, v.shape)) for v in layer.weights),
         layer.count_params())
        for layer in net.model.layers
    ]  # fmt: skip
    total = (Word("sum"), None, net.model.count_params())
    return Step("count", (Word("layer"), Word("shapes"), Word("parameters")), [*rows, total])


def walkthrough_dose() -> Example:
    """Make the 1-2-1 softplus network of a widely watched walkthrough."""
    net = _dose_network(
        "softplus", ([0, 0.5, 1], [0, 1, 0]), [(3.34, -1.43), (-3.53, 0.57)], [-1.22, -2.30], 0, 0.1
    )
    path = lambda: net.descend(["b3"], 200, 1e-12)  # noqa: E731

    def work() -> Parts:
        steps = [
            _dose_table(net),
            Step("chain-rule", lines=net.rows()[1].lines("b3")),
            _trace(net, path(), "b3"),
        ]
        return steps, []

    def draw() -> Sequence[Any]:
        from trasluz.plots import summed, tangent

        best = net.at(b3=net.pick(path()[-1].params, "b3"))
        b3 = np.linspace(-0.5, 4, 91)
        dense = np.linspace(0, 1, 101)[:, None]
        upper, lower, total = _curves(best, dense)
        return [
            tangent(
                b3, [net.at(b3=b).total for b in b3],
                [(p.params["output/bias"][0], p.loss, p.gradient["output/bias"][0])
                 for p in path()[:2]],
                best.pick(best.params, "b3"), (shown("b3"), "SSR"),
            ),
            summed(
                dense[:, 0], {"y_U·w₃": upper[:, 0], "y_L·w₄": lower[:, 0]}, total[:, 0],
                (net.x[:, 0], net.y[:, 0]), best.pick(best.params, "b3"),
            ),
        ]  # fmt: skip

    return Example("walkthrough-dose", net.x, net.y, work, net.model, draw)
