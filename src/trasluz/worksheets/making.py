"""Drawing the problems: every student gets numbers of their own, all of them good to work with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from trasluz import activations, examples, losses, optimizers
from trasluz.base.messages import enumerated, language, problem, say, suggest
from trasluz.base.naming import snake
from trasluz.explain.derivation import Derivation
from trasluz.explain.reading import Reading
from trasluz.layers.core import Dense
from trasluz.models.sequential import Sequential
from trasluz.pages.text import plain
from trasluz.saving.models import describe, restore
from trasluz.state.registry import Registry
from trasluz.state.symbolic import Input
from trasluz.worksheets.sheet import (
    ASKED,
    Entry,
    Sheet,
    candidates,
    chosen,
    stage_of,
)

TRIES = 300
MOST_UNITS, MOST_LAYERS, MOST_STEPS, MOST_ROWS = 5, 4, 250, 60
BLANKS = 12

# What targets have to be: one class of several, shares of them, bits, signs, the number of a
# class, counts, above 0.
_TARGETS = {
    "categorical_crossentropy": "one-hot",
    "categorical_focal_crossentropy": "one-hot",
    "categorical_hinge": "one-hot",
    "kl_divergence": "shares",
    "binary_crossentropy": "bits",
    "binary_focal_crossentropy": "bits",
    "hinge": "signs",
    "squared_hinge": "signs",
    "perceptron": "signs",
    "perceptron_loss": "signs",
    "sparse_categorical_crossentropy": "class",
    "poisson": "counts",
    "mean_squared_logarithmic_error": "positive",
    "mean_absolute_percentage_error": "positive",
}
# The worksheets of examples: the order of the weights, the values and the weights left blank.
EXAMPLES = {
    "unam-2-2-2": (
        ("w5", "w6", "w7", "w8", "w1", "w2", "w3", "w4"),
        (r"\mathrm{sum}_{n_{2}}", "n_{2}", r"\mathrm{sum}_{\hat{y}_{2}}", r"\hat{y}_{2}", "E_{2}"),
        ("w_{2}", "w_{3}", "w_{4}"),
    )
}
# What the last activation may be where a loss asks something of it, such as probabilities or a
# rate above 0; the first is taken where none that fits is named.
_FITS = {
    "categorical_crossentropy": ("softmax", "sigmoid"),
    "categorical_focal_crossentropy": ("softmax", "sigmoid"),
    "sparse_categorical_crossentropy": ("softmax",),
    "kl_divergence": ("softmax",),
    "binary_crossentropy": ("sigmoid",),
    "binary_focal_crossentropy": ("sigmoid",),
    "categorical_hinge": ("softmax", "sigmoid", "linear", "tanh", "softsign"),
    "hinge": ("linear", "tanh", "softsign"),
    "squared_hinge": ("linear", "tanh", "softsign"),
    "perceptron": ("linear", "tanh", "softsign"),
    "perceptron_loss": ("linear", "tanh", "softsign"),
    "poisson": ("softplus", "exponential"),
    "mean_squared_logarithmic_error": ("softplus", "exponential", "relu", "sigmoid"),
}
_CLASSES = ("one-hot", "class", "shares", "bits")
_RANGES = {"sigmoid": (0.05, 0.95), "softmax": (0.05, 0.95), "tanh": (-0.95, 0.95)}
_SATURATED = 2.5
_TINY = 1e-4
_FLAT = ("sigmoid", "tanh", "softmax", "softsign")
_BENT = ("relu", "leaky_relu", "relu6")


@dataclass(frozen=True)
class Plan:
    """What all sheets of a class have in common.

    Args:
        network: how many inputs, units of each layer.
        activation: that of hidden layers and, where it fits the loss, of the output; or one a
            layer with commas between them. A last one that is not named is one that fits.
        loss: the name of a loss.
        optimizer: the name of an optimizer.
        learning_rate: η; drawn for each student unless given.
    """

    network: tuple[int, ...] = (2, 2, 2)
    activation: str = "sigmoid"
    loss: str = "half_squared_error"
    optimizer: str = "sgd"
    learning_rate: float | None = None

    def __post_init__(self) -> None:
        _known("loss", self.loss, losses.registry)
        _known("optimizer", self.optimizer, optimizers.registry)
        for name in self.activations:
            _known("activation", name, activations.registry)
        widths = self.network
        if not 2 <= len(widths) <= MOST_LAYERS or not all(1 <= n <= MOST_UNITS for n in widths):
            raise problem(
                "worksheet-network", sizes=self.sizes, layers=MOST_LAYERS - 1, units=MOST_UNITS
            )
        alone = widths[-1] == 1
        if alone and (
            self.targets in ("one-hot", "class", "shares") or self.activations[-1] == "softmax"
        ):
            raise problem("worksheet-classes", sizes=self.sizes)
        last = self.activations[-1]
        if last not in (self.fits or (last,)):
            raise problem(
                "worksheet-fit", loss=self.loss, activation=last, fits=enumerated(self.fits)
            )

    @property
    def sizes(self) -> str:
        """The network's widths with dashes between them."""
        return "-".join(map(str, self.network))

    @property
    def targets(self) -> str:
        """What the loss asks of the targets."""
        return _TARGETS.get(self._loss, "")

    @property
    def fits(self) -> tuple[str, ...]:
        """What the last activation may be; anything if there are none."""
        return _FITS.get(self._loss, ())

    @property
    def _loss(self) -> str:
        """The loss by the name of its function, whichever of its names was given."""
        loss = losses.get(self.loss)
        return str(getattr(loss, "__name__", "") or snake(type(loss).__name__))

    @property
    def activations(self) -> list[str]:
        """The activation of each layer."""
        names, layers = self.activation.split(","), len(self.network) - 1
        if len(names) == 1:
            last = names[0] if names[0] in (self.fits or _FLAT) else "linear"
            if self.fits and (last not in self.fits or self.targets in _CLASSES):
                last = self.fits[0]
            return [names[0]] * (layers - 1) + [last]
        if len(names) != layers:
            raise problem("worksheet-activations", names=self.activation, layers=layers)
        return [name.strip() for name in names]

    # ---------------------------------------------------------------------------------- numbers

    def draw(self, rng: np.random.Generator) -> tuple[Sequential, np.ndarray, np.ndarray]:
        """Draw a network and a row for it, in steps of 0.05."""
        names = [f"hidden_{n}" for n in range(1, len(self.network) - 1)]
        names = ["hidden"] if len(names) == 1 else names
        model = Sequential(
            [
                Input((self.network[0],), dtype="float64"),
                *(
                    Dense(units, None if a == "linear" else a, name=name, dtype="float64")
                    for units, a, name in zip(
                        self.network[1:], self.activations, [*names, "output"], strict=True
                    )
                ),
            ],
            name="network",
        )
        model.set_weights([_weights(rng, v.shape, len(v.shape) == 1) for v in model.weights])
        rates = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6) if self.optimizer == "sgd" else (0.01, 0.02, 0.05)
        rate = self.learning_rate or float(rng.choice(rates))
        optimizer = optimizers.get(self.optimizer).get_config() | {"learning_rate": rate}
        model.compile(type(optimizers.get(self.optimizer)).from_config(optimizer), self.loss)
        x = _steps(rng, 0.05, 1, (1, self.network[0]))
        return model, x, self._target(rng)

    def _target(self, rng: np.random.Generator) -> np.ndarray:
        units = self.network[-1]
        if self.targets == "one-hot":
            return np.eye(units)[[rng.integers(units)]]
        if self.targets == "shares":
            return (1 + rng.multinomial(20 - units, [1 / units] * units, 1)) / 20
        if self.targets == "class":
            return rng.integers(units, size=(1, 1))
        if self.targets == "counts":
            return rng.integers(1, 5, (1, units)).astype(float)
        if self.targets in ("bits", "signs"):
            return rng.choice((0.0 if self.targets == "bits" else -1.0, 1.0), (1, units))
        if self.activations[-1] == "softmax":
            return np.eye(units)[[rng.integers(units)]]
        low, high = _RANGES.get(self.activations[-1], (-1, 1))
        return _steps(rng, 0.05 if self.targets else low, high, (1, units))


def _known(kind: str, name: str, registry: Registry) -> None:
    """Check that a name is one of a kind's.

    Raises:
        UserError: it is not.
    """
    if name not in registry.known:
        nearest = suggest(name, [one for one in registry.shown if one.islower()])
        raise problem("worksheet-unknown", kind=kind, name=name, nearest=nearest)


def make(
    plan: Plan | None = None,
    seed: int = 0,
    students: int = 1,
    blanks: int | None = None,
    stages: Sequence[str] = ASKED,
    wrt: Sequence[Entry | str] = (),
    lang: str | None = None,
) -> list[Sheet]:
    """Make a worksheet for each student, the same ones each time for the same seed.

    Args:
        plan: network, loss and optimizer; the course's 2-2-2 network unless given.
        seed: the seed of all numbers.
        students: how many sheets.
        blanks: how many steps are left blank, evenly from the first to the last; 12 at most
            unless given, all there are if only stages are given.
        stages: where the blanks are: "forward", "loss", "backward", "update".
        wrt: the weights to derive, as path and entry or by name, "w5"; one of the last and one
            of the first layer unless given.
        lang: the language of the sheets; that of messages unless given.

    Returns:
        The sheets, no two alike.

    Raises:
        UserError: the plan cannot be met, or there are fewer steps than blanks.

    >>> one, two = make(Plan((1, 2, 1)), seed=7, students=2, blanks=5)
    >>> list(one.blanks), one.id != two.id
    (['q1', 'q2', 'q3', 'q4', 'q5'], True)
    """
    plan = plan or Plan()
    sheets: dict[str, Sheet] = {}
    for student in range(1, students + 1):
        sheet = _drawn(plan, seed, student, list(wrt), lang or language(), set(sheets))
        sheet = asked(sheet, blanks, stages)
        sheets[_numbers(sheet)] = sheet
    return list(sheets.values())


def of_rows(
    model: Any,
    x: np.ndarray,
    y: np.ndarray,
    blanks: int | None = None,
    stages: Sequence[str] = ASKED,
    wrt: Sequence[Entry | str] = (),
    lang: str | None = None,
) -> list[Sheet]:
    """Make a worksheet of each row of a user's own data, with the user's own model.

    Weights, inputs and targets are rounded to three decimals, so that what is printed is exact.
    The optimizer begins anew: what it has kept of each weight is not on the sheet.

    Args:
        model: a small compiled model.
        x: the rows.
        y: their targets.
        blanks: as for `make`.
        stages: as for `make`.
        wrt: as for `make`.
        lang: as for `make`.

    Raises:
        UserError: the network is too large for paper, or there are fewer steps than blanks.
    """
    arrays, document = describe(model)
    if (count := model.count_params()) > MOST_STEPS:
        raise problem("worksheet-large", most=MOST_STEPS, count=count)
    rounded = {k: _rounded(a) for k, a in arrays.items() if k.startswith("weights")}
    model = restore(rounded, document | {"iterations": 0} if model.compiled else document)
    if len(x) > MOST_ROWS:
        raise problem("worksheet-many-rows", count=len(x), most=MOST_ROWS)
    rows = [(_rounded(x[n : n + 1]), _rounded(y[n : n + 1])) for n in range(len(x))]
    first = () if wrt else _default(model)
    sheets = [
        _aimed(Sheet(model, *row, first, (), n, lang or language(), names="math"), wrt)
        for n, row in enumerate(rows, 1)
    ]
    if (count := len(sheets[0].steps)) > MOST_STEPS:
        raise problem("worksheet-large", most=MOST_STEPS, count=count)
    return [asked(sheet, blanks, stages) for sheet in sheets]


def of_example(name: str, lang: str | None = None) -> list[Sheet]:
    """Make the worksheet of a worked example: the boxes that the course leaves blank.

    Args:
        name: one of `EXAMPLES`.
        lang: the language of the sheet; that of messages unless given.

    Raises:
        UserError: there is none of that name.
    """
    if name not in EXAMPLES:
        raise problem("worksheet-example-unknown", name=name, nearest=suggest(name, EXAMPLES))
    order, values, derived = EXAMPLES[name]
    example = examples.load(name)
    sheet = Sheet(example.model, example.x, example.y, (), (), 1, lang or language())
    sheet = _aimed(sheet, order)
    blank = {rf"\partial {w}}}" for w in derived} | {rf"{w}^{{\prime}}" for w in derived}
    names = [
        sheet.keys[step]
        for step in sheet.steps
        if step.symbol in values
        or (step.kind in ("chain", "update") and any(step.symbol.endswith(end) for end in blank))
    ]
    return [replace(sheet, asked=names)]


def _aimed(sheet: Sheet, wrt: Sequence[Entry | str]) -> Sheet:
    """Choose the weights that a sheet derives."""
    entries = [sheet.entry(one) if isinstance(one, str) else one for one in wrt]
    return replace(sheet, wrt=entries) if entries else sheet


def asked(sheet: Sheet, blanks: int | None, stages: Sequence[str] = ASKED) -> Sheet:
    """Choose the blanks of a sheet.

    Raises:
        UserError: there are fewer steps than blanks.
    """
    names = candidates(sheet, stages)
    every = blanks is None and set(stages) != set(ASKED)
    count = len(names) if every else min(BLANKS, len(names)) if blanks is None else blanks
    if not 1 <= count <= len(names):
        raise problem("worksheet-blanks", blanks=count, steps=len(names))
    return replace(sheet, asked=chosen(names, count))


# ------------------------------------------------------------------------- whether they are good


def _drawn(
    plan: Plan, seed: int, student: int, wrt: Sequence[Entry | str], lang: str, taken: set[str]
) -> Sheet:
    """Draw numbers again and again until they are good to work with, and nobody else has them."""
    for attempt in range(TRIES):
        rng = np.random.default_rng([seed, student, attempt])
        model, x, y = plan.draw(rng)
        if not is_moderate(model, x, y):
            continue
        sheet = _aimed(Sheet(model, x, y, _default(model), (), student, lang), wrt)
        if _numbers(sheet) not in taken and is_workable(sheet):
            return sheet
    raise problem("worksheet-unmet", plan.sizes, tries=TRIES, student=student)


def is_moderate(model: Any, x: np.ndarray, y: np.ndarray) -> bool:
    """Tell whether no unit is saturated, near a kink, or dead with all its layer.

    >>> model, x, y = Plan((1, 1), "sigmoid").draw(np.random.default_rng(0))
    >>> is_moderate(model, x, y), is_moderate(model, 99 * x, y)
    (True, False)
    """
    reading = Reading(model, x, y)
    names = _activations(model)
    if _is_saturated(reading, names):
        return False
    for line, mark in reading.marks.items():
        values, name = reading.value(line), names.get(mark.where) if mark.role == "sum" else None
        if name in _BENT and (np.abs(values).min() < 0.05 or values.max() < 0):
            return False
        if mark.role == "prediction" and np.abs(values).max() >= 10:
            return False
    return True


def notes(sheets: Sequence[Sheet]) -> list[str]:
    """Say of which sheets the numbers are poor to work with: those of a model of one's own may be.

    Args:
        sheets: all of them.
    """
    saturated = [
        sheet.name
        for sheet in sheets
        if _is_saturated(Reading(sheet.model, sheet.x, sheet.y), _activations(sheet.model))
    ]
    flat: dict[str, list[str]] = {}
    for sheet in sheets:
        for step in sheet.slopes:
            if np.ndim(step.value) == 0 and abs(float(step.value)) < _TINY:
                flat.setdefault(plain(step.symbol), []).append(sheet.name)
    said = [say("worksheet-saturated", sheets=enumerated(saturated))] if saturated else []
    return said + [say("worksheet-flat", step=k, sheets=enumerated(v)) for k, v in flat.items()]


def _activations(model: Any) -> dict[str, str]:
    """Name the activations of the layers that have one, by the layer."""
    named = {layer.name: getattr(layer, "activation", None) for layer in model.layers}
    return {k: v if isinstance(v, str) else getattr(v, "__name__", "") for k, v in named.items()}


def _is_saturated(reading: Reading, names: Mapping[str, str]) -> bool:
    """Tell whether a unit is where its activation is flat.

    A layer that is an activation alone has no sum of its own: what it gives tells.
    """
    sums = {mark.where for mark in reading.marks.values() if mark.role == "sum"}
    for line, mark in reading.marks.items():
        name, values = names.get(mark.where, ""), reading.value(line)
        if mark.role == "sum" and name in _FLAT and np.abs(values).max() > _SATURATED:
            return True
        if mark.role in ("output", "prediction") and mark.where not in sums:
            centred = {"sigmoid": 2 * values - 1, "tanh": values}.get(name)
            most = np.tanh(_SATURATED / 2 if name == "sigmoid" else _SATURATED)
            if centred is not None and np.abs(centred).max() > most:
                return True
    return False


def is_workable(sheet: Sheet) -> bool:
    """Tell whether the steps can be worked out by hand with the digits that are printed.

    No result before the update is tiny (a derivative of exactly 0, behind a dead unit, may be),
    what is asked of the weights is not 0, and they move by fifty units of the last digit.
    """
    for step in sheet.steps:
        if stage_of(step) != "update" and not _is_plain(step):
            return False
    for (path, at), derivation in zip(sheet.wrt, sheet.derivations, strict=True):
        new = float(derivation.value)
        moved = abs(new - float(sheet.weights[path][at]))
        last_place = 10.0 ** (np.floor(np.log10(max(abs(new), 1e-9))) - sheet.digits + 1)
        if not moved >= 50 * last_place:
            return False
    return True


def _is_plain(step: Derivation) -> bool:
    """Tell whether a result is finite, and 0 or spelled without a power of ten."""
    values = np.abs(np.atleast_1d(step.value))
    return bool(np.all(np.isfinite(values) & ((values == 0) | (values >= _TINY) & (values < 1e4))))


def _default(model: Any) -> list[Entry]:
    """Choose a weight of the last layer and one of the first."""
    kernels = [v.path for v in model.trainable_weights if v.path.endswith("kernel")]
    if not kernels:
        raise problem("worksheet-no-weights")
    return [(path, (0, 0)) for path in dict.fromkeys((kernels[-1], kernels[0]))]


def _numbers(sheet: Sheet) -> str:
    """Spell all numbers of a problem, to tell students' problems apart."""
    return repr([*(w.tolist() for w in sheet.weights.values()), sheet.x.tolist(), sheet.y.tolist()])


def _rounded(a: Any) -> Any:
    array = np.asarray(a)
    return array.round(3) if array.dtype.kind == "f" else array


def _steps(rng: np.random.Generator, low: float, high: float, shape: tuple[int, ...]) -> Any:
    """Draw multiples of 0.05 from `low` to `high`."""
    return (rng.integers(round(low * 20), round(high * 20) + 1, shape) / 20).round(2)


def _weights(rng: np.random.Generator, shape: tuple[int, ...], bias: bool) -> np.ndarray:
    """Draw weights: mostly positive, never 0; biases are smaller."""
    sizes = _steps(rng, 0.05, 0.5 if bias else 0.95, shape)
    return np.where(rng.random(shape) < 0.3, -sizes, sizes)


__all__ = ["Plan", "asked", "make", "notes", "of_example", "of_rows"]
