"""The networks that lecture notes and walkthroughs work out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from trasluz.autodiff import ops
from trasluz.drawing.panels import summed, tangent
from trasluz.examples.course_network import Network, Point, lowered, milestones, shown
from trasluz.examples.page import Erratum, Example, Formula, Parts, Step, Story, Word
from trasluz.explain.names import Place
from trasluz.layers.core import Dense, SharedBias
from trasluz.losses.probabilities import smooth_labels
from trasluz.optimizers.rules import RMSprop
from trasluz.regularizers import L1, L2

DEEP = "float64"
Table = dict[str, tuple[str, Place]]
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
UNITS: dict[tuple[str, Place], str] = {
    (layer, (k,)): f"{sign}_{{{k + 1}}}"
    for layer, sign in (("hidden", "n"), ("output", r"\hat{y}"))
    for k in range(2)
}
SUMS = {(f"{layer}/sum", at): rf"\mathrm{{sum}}_{{{name}}}" for (layer, at), name in UNITS.items()}


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
    net = Network(
        lambda: [
            SharedBias(2, "sigmoid", name="hidden", dtype=DEEP),
            SharedBias(2, "sigmoid", name="output", dtype=DEEP),
        ],
        blank, "half_squared_error", _array(x), _array(y), rate, names, UNITS | SUMS,
    )  # fmt: skip
    named = {f"w{n}": value for n, value in enumerate(weights, 1)}
    return net.at(**named, B1=biases[0], B2=biases[1])


def _errors(net: Network) -> list[tuple[str, float]]:
    parts = [(shown(f"E{k + 1}"), net.one_output(k).total) for k in range(2)]
    return [*parts, (Formula("E"), net.total)]


def _weights(net: Network) -> list[str]:
    return [name for name in net.names if name.startswith("w")]


def _two_two_two_steps(net: Network) -> list[Step]:
    """Work a 2-2-2 network out: forward, errors, derivatives, update, again, to convergence."""
    weights, story = _weights(net), Story()
    hidden, outer = weights[:4], weights[4:]
    slopes = [net.one_output(k).gradient() for k in range(2)] + [net.gradient()]
    after = net.descend(net.names, 1)[-1].params
    moved = {Word("biases-frozen"): weights, Word("biases-trained"): list(net.names)}
    second, repeated = [], []
    for convention, names in moved.items():
        path = net.descend(names, 20_000, 1e-4)
        second.append((convention, *_at(net, path[1])))
        repeated += [(convention, n, *_at(net, path[n])) for n in milestones(path)]
    predictions = [Formula(UNITS["output", (k,)]) for k in range(2)]
    return [
        Step("forward", (NAME, VALUE), net.units()),
        Step("errors", (NAME, VALUE), _errors(net)),
        Step("output-weights", derivation=story.tell(*(net.derive(n, True) for n in outer))),
        Step("hidden-weights", derivation=story.tell(*(net.derive(n, True) for n in hidden))),
        Step(
            "derivatives",
            (NAME, VALUE, slope_of("E_{1}"), slope_of("E_{2}"), slope_of("E"), Word("new")),
            [
                (shown(n), net.pick(net.params, n), *(s[n] for s in slopes), net.pick(after, n))
                for n in net.names
            ],
        ),
        net.checks(),
        Step("second-forward", (Word("biases"), *predictions, Formula("E")), second),
        Step(
            "convergence",
            (Word("biases"), Word("step"), *predictions, Formula("E")),
            repeated,
            digits=6,
        ),
    ]


def slope_of(sign: str, more: str = "") -> Formula:
    """Head a column of derivatives in what its rows name."""
    return Formula(rf"\frac{{\partial {sign}}}{{\partial}}{more}")


def _at(net: Network, point: Point) -> tuple[float, ...]:
    there = replace(net, params=point.params)
    return (*there.forward()["output"][0], point.loss)


def unam_2_2_2() -> Example:
    """Make the 2-2-2 network of the notes, with its eight weights and a bias for each layer."""
    weights = [n / 10 for n in range(1, 9)]
    net = _two_two_two([0.1, 0.5], [0.05, 0.95], weights, (0.25, 0.35), 0.6, by_unit=False)

    def work() -> Parts:
        return _two_two_two_steps(net), _unam_errata(net)

    return Example("unam-2-2-2", net.x, net.y, work, net.model, names=net.naming)


def _unam_errata(net: Network) -> list[Erratum]:
    layers = net.forward()
    kernel, bias = net.params["output/kernel"], net.params["output/bias"]
    w = np.array([net.pick(net.params, name) for name in _weights(net)])
    g, smooth, zero = np.float64(net.gradient()["w5"]), 1e-7, np.float64(0)
    v = RMSprop(rho=0.9).step(g, {"velocity": zero}, 1, net.rate, zero)[1]["velocity"]
    truth = np.eye(5)[2]
    return [
        Erratum(
            "unam-sum",
            ops.matmul(layers["output"], kernel)[0, 0] + bias,
            layers["output/sum"][0, 0],
        ),
        Erratum("unam-linear", layers["output/sum"][0], layers["output"][0]),
        Erratum("unam-normalisation", "σ, β", "γ, β"),
        Erratum("unam-rmsprop", g / np.sqrt(np.sqrt(v) + smooth), g / (np.sqrt(v) + smooth)),
        Erratum("unam-penalties", [L1(0.5)(w), L2(0.5)(w)], [L1(1.0)(w), L2(0.5)(w)]),
        Erratum(
            "unam-smoothing",
            smooth_labels(truth, 0.01, 5, "course"),
            smooth_labels(truth, 0.01, 5, "keras"),
        ),
    ]


def walkthrough_2_2_2() -> Example:
    """Make the 2-2-2 network of a widely read walkthrough."""
    weights = [0.15, 0.20, 0.25, 0.30, 0.40, 0.45, 0.50, 0.55]
    net = _two_two_two([0.05, 0.10], [0.01, 0.99], weights, (0.35, 0.60), 0.5, by_unit=True)
    return Example(
        "walkthrough-2-2-2", net.x, net.y,
        lambda: (_two_two_two_steps(net), []), net.model, names=net.naming,
    )  # fmt: skip


# --------------------------------------------------------------------------- 1-2-1, nine doses

DOSES = [0, 0.1, 0.2, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
CURED = [0, 0, 0, 1, 1, 1, 0, 0, 0]
SSR = Formula(r"\mathrm{SSR}")
UPPER, LOWER = Formula("y_{U}"), Formula("y_{L}")
SCALED = [Formula(r"y_{U} \cdot w_{3}"), Formula(r"y_{L} \cdot w_{4}")]


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
        ("hidden/sum", (0,)): "x_{U}", ("hidden/sum", (1,)): "x_{L}",
        ("hidden", (0,)): "y_{U}", ("hidden", (1,)): "y_{L}", ("output", (0,)): r"\hat{y}",
        ("output/sum", (0,)): "s", ("x", (0,)): "x", ("y", (0,)): "t", ("loss", ()): SSR.latex,
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
    layers = net.forward()
    predicted = layers["output"]
    columns = [net.x, layers["hidden/sum"], layers["hidden"], predicted, net.y, net.y - predicted]
    header = (Word("dose"), Formula("x_{U}"), Formula("x_{L}"), UPPER, LOWER, Word("predicted"))
    return Step(
        "predictions", (*header, Word("observed"), Word("residual")), np.hstack(columns).tolist()
    )


def _dssr(name: str) -> Formula:
    return Formula(rf"\frac{{\mathrm{{dSSR}}}}{{d{lowered(name)}}}")


def _trace(net: Network, path: Sequence[Point], name: str) -> Step:
    """List how a descent went on in one entry."""
    rows = [
        (n, net.pick(path[n].params, name), net.pick(path[n].gradient, name), path[n].loss)
        for n in milestones(path)
    ]
    header = (Word("step"), shown(name), _dssr(name), SSR)
    return Step("repetition", header, rows)


def aisc_dose() -> Example:
    """Make the 1-2-1 network of the notes that tells which doses work."""
    net = _dose_network(
        "relu", (DOSES, CURED), [(1.43, -0.61), (2.63, -0.27)], [0, 1.35], None, 0.01
    )
    path = lambda: net.descend(["w3"], 2_000, 1e-12)  # noqa: E731

    def work() -> Parts:
        return _aisc_steps(net, path()), _aisc_errata(net)

    def draw() -> Sequence[Any]:
        best = _ended(net, path(), "w3")
        w3 = np.linspace(-6.5, 0.5, 141)
        return [
            tangent(
                w3, [net.at(w3=w).total for w in w3],
                [(w, net.at(w3=w).total, net.at(w3=w).gradient()["w3"]) for w in (0.0, -3.0)],
                best.pick(best.params, "w3"), (shown("w3"), SSR),
            ),
            _summed(best),
        ]  # fmt: skip

    return Example("aisc-dose", net.x, net.y, work, net.model, draw, net.naming)


def _ended(net: Network, path: Sequence[Point], name: str) -> Network:
    """Give the network where a descent in one entry ended."""
    return net.at(**{name: net.pick(path[-1].params, name)})


def _aisc_steps(net: Network, path: Sequence[Point]) -> list[Step]:
    """Work the doses out: one weight, then all; and what each unit has learnt."""
    best, story = _ended(net, path, "w3"), Story()
    return [
        _dose_table(net),
        Step("curve", (shown("w3"), SSR), [(w, net.at(w3=w).total) for w in range(-6, 1)]),
        Step("chain-rule", derivation=story.tell(net.rows()[5].derive("w3"))),
        _sum_of_rows(net, "w3"),
        _first_update(net, path),
        _trace(net, path, "w3"),
        _all_derivatives(net, best),
        Step(
            "hidden-chain-rule",
            derivation=story.tell(*(best.rows()[5].derive(n) for n in ("w1", "b1"))),
        ),
        _all_trained(net),
        Step(
            "unit-curves",
            (Word("dose"), *SCALED, Word("sum"), Word("observed")),
            np.hstack([net.x, *_curves(best, net.x), net.y]).tolist(),
            digits=6,
        ),
        _counted(net),
    ]


def _first_update(net: Network, path: Sequence[Point]) -> Step:
    before, after = (net.pick(point.params, "w3") for point in path[:2])
    return Step("update", (NAME, VALUE), [
        (Word("derivative"), net.gradient()["w3"]),
        (Word("rate"), net.rate),
        (Word("step-size"), before - after),
        (shown("w3"), after),
    ])  # fmt: skip


def _all_derivatives(net: Network, best: Network) -> Step:
    """List the derivatives where the descent began and where it ended."""
    begun, ended = net.gradient(), best.gradient()
    bottom = rf"\ \left(w_{{3}} = {best.pick(best.params, 'w3'):.6f}\right)"
    start = r"\ \left(w_{3} = 0\right)"
    return Step(
        "all-derivatives",
        (NAME, VALUE, slope_of(SSR.latex, start), slope_of(SSR.latex, bottom)),
        [(shown(n), net.pick(net.params, n), begun[n], ended[n]) for n in net.names],
    )


def _all_trained(net: Network) -> Step:
    path = net.descend(net.names, 5_000, 1e-7)
    return Step(
        "all-trained",
        (Word("step"), *map(shown, net.names), SSR),
        [
            (n, *(net.pick(path[n].params, name) for name in net.names), path[n].loss)
            for n in milestones(path)
        ],
        digits=6,
    )


def _aisc_errata(net: Network) -> list[Erratum]:
    """Make the mistakes of the notes: the dose in place of the cure, and a dose of 8."""
    dosed = replace(net, y=net.x)
    wrong, right = dosed.gradient()["w3"], net.gradient()["w3"]
    slipped = net.x * np.where(net.x == 0.8, 10, 1)
    return [
        Erratum("aisc-derivative", wrong, right),
        Erratum("aisc-rows", *(
            [row.gradient()["w3"] for row in one.rows() if _counts(row)] for one in (dosed, net)
        )),
        Erratum("aisc-step", wrong * -net.rate, right * -net.rate),
        Erratum("aisc-dose", slipped[6], net.x[6]),
    ]  # fmt: skip


def _counts(row: Network) -> bool:
    """Tell whether a row has a part in the derivative: its upper unit is not silent."""
    return bool(row.forward()["hidden"][0, 0] > 0)


def _sum_of_rows(net: Network, name: str) -> Step:
    layers = net.forward()
    residuals = net.y - layers["output"]
    terms = [row.gradient()[name] for row in net.rows()]
    rows: list[Any] = [
        (*map(float, (net.x[i, 0], residuals[i, 0], layers["hidden"][i, 0])), terms[i])
        for i in range(len(terms))
    ]
    header = (Word("dose"), Word("residual"), UPPER, _dssr(name))
    return Step("sum-of-rows", header, [*rows, (Word("sum"), None, None, net.gradient()[name])])


def _curves(net: Network, x: np.ndarray) -> list[np.ndarray]:
    """Give each hidden unit's curve scaled by its outgoing weight, and their sum."""
    there = replace(net, x=x, y=np.zeros_like(x))
    layers = there.forward()
    scaled = layers["hidden"] * net.params["output/kernel"][:, 0]
    return [scaled[:, :1], scaled[:, 1:], layers["output"]]


def _summed(net: Network, bias: float = 0.0) -> Any:
    """Draw the units' curves and their sum, with the observed doses."""
    dose = np.linspace(0, 1, 101)
    *scaled, total = (curve[:, 0] for curve in _curves(net, dose[:, None]))
    units = dict(zip(SCALED, scaled, strict=True))
    return summed(dose, units, total, (net.x[:, 0], net.y[:, 0]), bias)


def _counted(net: Network) -> Step:
    rows: list[Any] = [
        (layer.name, " + ".join("×".join(map(str, v.shape)) for v in layer.weights),
         layer.count_params())
        for layer in net.model.layers
    ]  # fmt: skip
    total = (Word("sum"), None, net.model.count_params())
    header = (Word("layer"), Word("shapes"), Word("parameters"))
    return Step("count", header, [*rows, total])


def walkthrough_dose() -> Example:
    """Make the 1-2-1 softplus network of a widely watched walkthrough."""
    net = _dose_network(
        "softplus", ([0, 0.5, 1], [0, 1, 0]), [(3.34, -1.43), (-3.53, 0.57)], [-1.22, -2.30], 0, 0.1
    )
    path = lambda: net.descend(["b3"], 200, 1e-12)  # noqa: E731

    def work() -> Parts:
        steps = [
            _dose_table(net),
            Step("chain-rule", derivation=Story().tell(net.rows()[1].derive("b3"))),
            _trace(net, path(), "b3"),
        ]
        return steps, []

    def draw() -> Sequence[Any]:
        best = _ended(net, path(), "b3")
        b3 = np.linspace(-0.5, 4, 91)
        return [
            tangent(
                b3, [net.at(b3=b).total for b in b3],
                [(p.params["output/bias"][0], p.loss, p.gradient["output/bias"][0])
                 for p in path()[:2]],
                best.pick(best.params, "b3"), (shown("b3"), SSR),
            ),
            _summed(best, best.pick(best.params, "b3")),
        ]  # fmt: skip

    return Example("walkthrough-dose", net.x, net.y, work, net.model, draw, net.naming)
