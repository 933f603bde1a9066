"""A training among many: what it is trained with, and how its model is made.

A setting is a number of the training (rate, seed, size of a batch, factor of a penalty), an
argument of the function that makes the model, or a field of its layers.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import itertools
import math
import random as python_random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from trasluz import initializers, optimizers, regularizers
from trasluz.autodiff import ops, random
from trasluz.base.naming import unique
from trasluz.base.tree import tree_map
from trasluz.errors import UserError, unknown
from trasluz.layers.base import registry
from trasluz.models.model import Model
from trasluz.state.binding import read, write
from trasluz.state.context import current
from trasluz.state.module import Weight, own_things, weights_of
from trasluz.state.registry import custom_object_scope, overrides, serialize
from trasluz.training.objective import State
from trasluz.utils import set_random_seed

Settings = dict[str, Any]
_FACTORS = ("l1", "l2")  # of penalties on kernels
_PENALTIES = {
    ("l1",): regularizers.L1,
    ("l2",): regularizers.L2,
    ("l1", "l2"): regularizers.L1L2,
}
_KNOWN = ("model", "learning_rate", "seed", "batch_size", "optimizer", *_FACTORS)
# Initializers of which one call draws for many keys, or which draw nothing.
_DRAWS_ALL = (
    initializers.Zeros, initializers.Ones, initializers.Constant, initializers.Identity,
    initializers.RandomNormal, initializers.RandomUniform, initializers.TruncatedNormal,
    initializers.VarianceScaling, initializers.GlorotNormal, initializers.GlorotUniform,
    initializers.HeNormal, initializers.HeUniform, initializers.LecunNormal,
    initializers.LecunUniform,
)  # fmt: skip


class Member:
    """One training: its settings, and what it reached.

    Args:
        source: a compiled model, or a function that makes one.
        settings: what it is trained with, by name.
        group: what it shares with the members that can train in one program.
        start: what it shares with those whose initial weights differ by the seed alone.
    """

    def __init__(self, source: Any, settings: Settings, group: Any, start: Any) -> None:
        self.source, self.settings, self.group, self.start = source, settings, group, start
        self.logs: dict[str, list[float]] = {}
        self.diverged: int | None = None  # the step, from 1, whose numbers were not finite
        self.reached: State | None = None  # once it has begun

    def __repr__(self) -> str:
        lost = f", diverged at step {self.diverged}" if self.diverged else ""
        return f"<Member {self.settings}{lost}>"

    @property
    def arguments(self) -> Settings:
        """The settings that the function which makes the model takes."""
        names = set() if isinstance(self.source, Model) else _arguments(self.source)
        return {name: value for name, value in self.settings.items() if name in names}

    @property
    def factors(self) -> dict[str, float]:
        """The factors of the penalties that are put in."""
        taken = self.arguments
        return {k: self.settings[k] for k in _FACTORS if k in self.settings and k not in taken}

    @property
    def rate(self) -> float | None:
        """The learning rate that is put in."""
        given = "learning_rate" in self.settings and "learning_rate" not in self.arguments
        return self.settings["learning_rate"] if given else None

    def made(self) -> Any:
        """Make its model as it is before training."""
        set_random_seed(self.settings["seed"])
        if isinstance(self.source, Model):
            model = _copied(self.source, self.settings)
        else:
            model = self.source(**self.arguments)
            if not isinstance(model, Model) or not model.compiled:
                raise UserError(
                    f"the function gave {type(model).__name__}, not a compiled model",
                    "fit_many",
                    "let it call model.compile(...) and return the model",
                )
        if self.rate is not None:
            model.optimizer.learning_rate = self.rate
        return model

    def built(self, example: Any) -> Any:
        """Make its model with the arrays it begins with, for rows like the example."""
        model = self.made()
        model._require_built(example)
        if self.factors:
            penalise(model, self.factors)
        return model

    def trained(self) -> Any:
        """Make its model with what it reached."""
        assert self.reached is not None
        with own_random_numbers():
            model = self.built(self.reached["example"])
        own = lambda array: np.array(array)  # noqa: E731 (several members lie in one array)
        write(model, tree_map(own, self.reached["arrays"]))
        model._slots = tree_map(own, self.reached["slots"])
        model._root = self.reached["root"]
        model.optimizer.iterations = int(self.reached["step"])
        return model


def named(given: Any) -> dict[str, Any]:
    """Name the models and functions that were given."""
    if isinstance(given, Mapping):
        named = dict(given)
    else:
        several = list(given) if isinstance(given, (list, tuple)) else [given]
        taken: set[str] = set()
        names = [str(getattr(s, "name", None) or getattr(s, "__name__", "model")) for s in several]
        named = {unique(name, taken): s for name, s in zip(names, several, strict=True)}
    if not named:
        raise UserError("there is no model to train", "fit_many", "let build(...) return a model")
    for name, source in named.items():
        if not callable(source) or (isinstance(source, Model) and not source.compiled):
            raise UserError(
                f"{name!r} is not a compiled model, nor a function that makes one",
                "fit_many",
                "call model.compile(...) first",
            )
    return named


def choices_of(
    sources: Mapping[str, Any], seeds: Any, rates: Any, grid: Mapping[str, Sequence[Any]]
) -> dict[str, list[Any]]:
    """List the values of each setting, those of the seed last."""
    if not isinstance(grid, Mapping):
        raise UserError(f"grid is {grid!r}", "fit_many", "give a dict of lists: {'l2': [0, 1e-3]}")
    for name, argument in (("seed", "seeds"), ("model", "model")):
        if name in grid:
            raise UserError(f"{name!r} stands in the grid", "fit_many", f"give {argument}=[...]")
    given: dict[str, Any] = {"model": list(sources)} if len(sources) > 1 else {}
    given |= {} if rates is None else {"learning_rate": rates}
    given |= {**grid, "seed": range(seeds) if isinstance(seeds, (int, np.integer)) else seeds}
    choices: dict[str, list[Any]] = {}
    for name, values in given.items():
        if isinstance(values, str) or not np.iterable(values) or not len(list(values)):
            raise UserError(f"{name} is {values!r}", "fit_many", "give a list of values")
        choices[name] = [v.item() if isinstance(v, np.generic) else v for v in values]
    for value in choices["seed"]:
        if not isinstance(value, int) or not 0 <= value < 2**32:
            raise UserError(f"{value!r} is not a seed", "fit_many", "give whole numbers from 0")
    for value in choices.get("learning_rate", []):
        if not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
            raise UserError(f"{value!r} is not a learning rate", "fit_many", "e.g. 0.001")
    for name, values in choices.items():
        for value in values:
            if name in _FACTORS:
                regularizers.check_factor(value, name)
            elif name.endswith("initializer"):
                initializers.get(value)
    return choices


def combined(sources: Mapping[str, Any], choices: dict[str, list[Any]]) -> list[Member]:
    """Combine all values with each other."""
    members = []
    for numbers in itertools.product(*(range(len(values)) for values in choices.values())):
        turn = dict(zip(choices, numbers, strict=True))
        settings = {name: choices[name][i] for name, i in turn.items()}
        source = sources[settings.get("model", next(iter(sources)))]
        arrays, starts = {"seed", "learning_rate", *_FACTORS}, set[str]()
        check_names(source, choices)
        if isinstance(source, Model):
            starts = {name for name in choices if name.endswith("initializer")}
        else:
            arrays -= _arguments(source)
        group = tuple((k, i) for k, i in turn.items() if k not in arrays | starts)
        start = tuple((k, i) for k, i in turn.items() if k in starts)
        members.append(Member(source, settings, group, start))
    return members


def check_names(source: Any, names: Iterable[str]) -> None:
    """Check that a function takes the settings of these names; a model says so when it is copied.

    Raises:
        UserError: if it does not.
    """
    if isinstance(source, Model):
        return
    usable = _arguments(source) | {*_KNOWN} - {"optimizer"}
    for name in names:
        if name not in usable:
            raise unknown("setting", name, usable - {"model"})


def _arguments(function: Callable[..., Any]) -> set[str]:
    return set(inspect.signature(function).parameters)


@contextlib.contextmanager
def own_random_numbers() -> Iterator[None]:
    """Let what is drawn inside leave the program's random numbers as they were."""
    python, numpy = python_random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with random.set_aside():
            yield
    finally:
        python_random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def _copied(model: Any, settings: Settings) -> Any:
    """Make a model anew, compiled in the same way, with settings put into its layers."""
    if overrides(model, "compile"):
        raise UserError(
            "the model has a compile of its own, and nothing says what to call it with",
            "fit_many",
            "give a function in its place that makes the model and compiles it",
        )
    config = serialize(model)
    for name, value in settings.items():
        if name not in _KNOWN:
            _put(config, name, value)
    with custom_object_scope(
        own_things(model, "give a function that makes the model in its place")
    ):
        twin = registry.get(config)
    optimizer = copy.copy(optimizers.get(settings.get("optimizer", model.optimizer)))
    optimizer.iterations = 0
    how = {k: v for k, v in model._compiled_with.items() if k != "optimizer"}
    twin.compile(optimizer, **copy.deepcopy(how), engine=model._engine)
    twin.__dict__["_programs"] = model._programs  # what is compiled once serves later calls too
    return twin


def _put(config: Any, name: str, value: Any) -> None:
    """Put a value into the fields of a name in a model's configuration."""
    layer, _, field = name.rpartition("/")
    known: set[str] = {"batch_size", "optimizer", *_FACTORS}
    found = False
    for part in _parts(config):
        own = part["config"]
        known |= {f"{own.get('name')}/{key}" if layer else key for key in own}
        if field in own and layer in ("", own.get("name")):
            own[field], found = value, True
    if not found or field in ("name", "layers"):
        raise unknown("setting", name, known - {"name", "layers"})


def _parts(tree: Any) -> Iterator[Any]:
    """List what has a class and a configuration of its own, and a name: models and layers."""
    if isinstance(tree, dict) and "name" in (tree.get("config") or ()) and "class_name" in tree:
        yield tree
    if isinstance(tree, (dict, list)):
        for branch in list(tree.values() if isinstance(tree, dict) else tree):
            yield from _parts(branch)


class Penalty:
    """A penalty whose factors, by "l1" or "l2", are given to the step, for all kernels alike.

    Args:
        own: the factors of a kernel of its own, for what the step is not given.
    """

    def __init__(self, own: Mapping[str, float]) -> None:
        self.own = {name: factor for name, factor in own.items() if factor}

    def __call__(self, x: Any) -> Any:
        sums, context = {"l1": ops.absolute, "l2": ops.square}, current()
        factors = self.own | dict(context.factors if context else {})
        terms = [ops.sum(sums[name](x)) * factor for name, factor in factors.items()]
        return terms[0] if len(terms) == 1 else terms[0] + terms[1]


def penalised(model: Any) -> list[Weight]:
    """List the kernels that factors are for: those that have a penalty, or all if none has.

    Raises:
        UserError: if there is none, or one has a penalty of another kind.
    """
    kernels = [weight for weight in weights_of(model) if weight.attribute == "kernel"]
    found = [weight for weight in kernels if weight.regularizer is not None] or kernels
    if not found:
        raise UserError("no layer has a kernel", "fit_many", "leave l1 and l2 out")
    for weight in found:
        if not isinstance(weight.regularizer, (*_PENALTIES.values(), type(None))):
            raise UserError(
                f"{weight.path} has a penalty without l1 and l2, {weight.regularizer}",
                "fit_many",
                "take it off, or leave l1 and l2 out",
            )
    return found


def penalise(model: Any, given: Mapping[str, float]) -> None:
    """Put factors into the penalties of kernels, in place of those of the same name."""
    for weight in penalised(model):
        factors = {**own_factors(weight), **given}
        penalty = _PENALTIES[tuple(sorted(factors))](**factors)
        weight.spec.regularizer = penalty
        weight.module.kernel_regularizer = penalty  # type: ignore[attr-defined]


def own_factors(weight: Weight) -> dict[str, float]:
    """Give the factors of a kernel's penalty."""
    return dict(vars(weight.regularizer)) if weight.regularizer else {}


def initial_arrays(members: list[Member], first: Any, example: Any) -> tuple[State, Any]:
    """Draw the initial arrays of members that differ in the seed: stacked by path, and keys.

    Each array was drawn from a key that follows from the seed, so those of all members are drawn
    at once. Where the first member's model came by one in another way, every model is made.
    """
    seed = random.key(members[0].settings["seed"])
    seeds = np.stack([random.key(member.settings["seed"]) for member in members])
    turns = {random.fold(seed, n).tobytes(): n for n in range(1, random.times_asked() + 1)}
    weights, turn = weights_of(first), turns.get(first._root.tobytes())
    if turn is None or not all(_follows(weight, turns) for weight in weights):
        models = [first, *(member.made() for member in members[1:])]
        for model in models:
            model._require_built(example)
        stacked = tree_map(lambda *parts: np.stack(parts), *map(read, models))
        return stacked, np.stack([model._root for model in models])
    arrays: State = {}
    for weight in weights:
        keys = random.fold(seeds, turns[weight.spec.origin[0].tobytes()])
        if type(weight.spec.init) in _DRAWS_ALL:
            drawn = _drawn(weight, keys)
            arrays[weight.path] = np.broadcast_to(drawn, (len(seeds), *weight.shape))
        else:
            arrays[weight.path] = np.stack([_drawn(weight, key) for key in keys])
    return arrays, random.fold(seeds, turn)


def _follows(weight: Weight, turns: Mapping[bytes, int]) -> bool:
    """Tell whether an array is what it was drawn as, from one of the seed's keys."""
    origin = weight.spec.origin
    if origin is None or origin[0].tobytes() not in turns:
        return False
    return np.array_equal(_drawn(weight, origin[0]), weight.value)


def _drawn(weight: Weight, root: Any) -> Any:
    """Draw an array as it was drawn, from another root, or from several at once."""
    path = weight.spec.origin[1]
    key = root if path is None else random.fold(random.fold(root, "weights"), path)
    return weight.spec.draw(weight.dtype, key)
