"""What training minimises and what it reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from trasluz import losses, metrics
from trasluz.autodiff import backend
from trasluz.errors import UserError, shown
from trasluz.losses.lookup import awaits_shapes
from trasluz.state.binding import bind, read
from trasluz.state.module import Module, assign_paths
from trasluz.state.symbolic import is_numeric

State = dict[str, Any]
CARRIED = "carried"  # the states that layers carry on, beside the trackers' arrays
NONE = np.zeros((0,))  # stands for targets that are not there


class Trackers(Module):
    """The metrics of a compiled model, and the mean of its loss."""

    name = "trackers"
    _aside: ClassVar[bool] = True

    def __init__(self, tracked: list[metrics.Metric]) -> None:
        self.tracked = tracked
        assign_paths(self)


class Objective:
    """What training minimises and what it reports, for each output of a model.

    Args:
        names: the outputs' names.
        loss: a loss, or one an output (list, or dict by name).
        loss_weights: how much each output's loss counts.
        given_metrics: metrics, likewise; they see no sample weights.
        weighted_metrics: metrics that do.
    """

    def __init__(
        self,
        names: Sequence[str],
        loss: Any,
        loss_weights: Any = None,
        given_metrics: Any = None,
        weighted_metrics: Any = None,
    ) -> None:
        self.names = list(names)
        self.loss_identifiers = self._each(loss, "loss")
        self.losses = [
            None if awaits_shapes(one) else losses.resolve(one) for one in self.loss_identifiers
        ]
        weights = self._each(loss_weights, "loss_weights")
        self.loss_weights = [_loss_weight(w) for w in weights]
        self.identifiers = [
            [(m, weighted) for m in _listed(one)]
            for weighted, given in ((False, given_metrics), (True, weighted_metrics))
            for one in self._each(given, "metrics", nested=True)
        ]
        n = len(self.names)
        self.identifiers = [self.identifiers[i] + self.identifiers[n + i] for i in range(n)]
        self.trackers: Trackers | None = None
        self.by_output: list[list[tuple[metrics.Metric, bool]]] = []

    def _each(self, value: Any, what: str, nested: bool = False) -> list[Any]:
        """List what compile was given for each output; `nested`: lists for one output are usual."""
        names = self.names
        sequence, named = isinstance(value, (list, tuple)), _is_named(value)
        if len(names) < 2 and not named:
            return [value[0] if sequence and not nested and len(value) == 1 else value]
        if nested and sequence and not _is_nested(value, len(names)):
            raise UserError(
                f"{what} for {len(names)} outputs have to say which belong to which",
                mend=f"give a dict by name ({', '.join(names)}) or a list of lists",
            )
        return per_output(
            value if named or sequence else [value] * len(names),
            names,
            what,
            outputs=f"{len(names)} outputs",
            mend="give one an output, None for an output without",
            known=f"the outputs are {names}",
        )

    def prepare(self, y: list[Any], p: list[Any]) -> None:
        """Choose the metrics that names like "accuracy" mean for targets of these shapes."""
        if self.trackers is not None:
            return
        for i, identifier in enumerate(self.loss_identifiers):
            if awaits_shapes(identifier):
                self.losses[i] = losses.resolve(identifier, y[i].shape, p[i].shape)
        loss_mean = metrics.Mean(name="loss")
        self.by_output, several = [], len(self.names) > 1
        parts: list[metrics.Metric] = []
        if several:
            parts = [metrics.Mean(name=f"{name}_loss") for name in self.names]
        taken = {"loss"} | {m.name for m in parts}
        for i, name in enumerate(self.names):
            chosen = []
            for identifier, weighted in self.identifiers[i]:
                metric = metrics.resolve(identifier, y[i].shape, p[i].shape, self.losses[i])
                if not hasattr(metric, "name"):
                    mend = "call super().__init__(name=...) first"
                    raise UserError(
                        "its __init__ leaves it unfinished", type(metric).__name__, mend
                    )
                label = metric.name if not several else f"{name}_{metric.name}"
                if label in taken:
                    if several or isinstance(identifier, str):
                        continue
                    n = 1
                    while f"{label}_{n}" in taken:
                        n += 1
                    label = f"{label}_{n}"
                taken.add(label)
                metric.name = label
                chosen.append((metric, weighted))
            self.by_output.append(chosen)
        chosen_metrics = [m for output in self.by_output for m, _ in output]
        self.trackers = Trackers([loss_mean, *parts, *chosen_metrics])

    def value(self, y: list[Any], p: list[Any], w: list[Any]) -> tuple[Any, list[Any]]:
        """Add up the outputs' losses: `(total, one an output)`; the total is `None` without any."""
        parts = [
            None if loss is None or y[i] is None else loss(y[i], p[i], sample_weight=w[i])
            for i, loss in enumerate(self.losses)
        ]
        terms = [
            part if weight == 1.0 else part * weight
            for part, weight in zip(parts, self.loss_weights, strict=True)
            if part is not None
        ]
        total = None
        for term in terms:
            total = term if total is None else total + term
        return total, parts

    def track(
        self, tracked: list[Any], total: Any, parts: list[Any], y: Any, p: list[Any], w: Any
    ) -> None:
        """Let metrics (those of `trackers`, or twins of them) see a batch."""
        tracked[0].update_state(total, sample_weight=p[0].shape[0])
        self.track_parts(tracked, parts, p)
        self.track_metrics(tracked, y, p, w)

    def track_parts(self, tracked: list[Any], parts: list[Any], p: list[Any]) -> None:
        """Let the means of the outputs' losses see a batch, where there are several outputs."""
        if len(self.names) > 1:
            for mean, part in zip(tracked[1:], parts, strict=False):
                if part is not None:
                    mean.update_state(part, sample_weight=p[0].shape[0])

    def track_metrics(self, tracked: list[Any], y: Any, p: list[Any], w: Any) -> None:
        """Let the metrics that compile was given see a batch."""
        metric = iter(tracked[1 + (len(self.names) if len(self.names) > 1 else 0) :])
        for i, output in enumerate(self.by_output):
            for _, weighted in output:
                one = next(metric)
                if y[i] is not None:
                    one.update_state(y[i], p[i], sample_weight=w[i] if weighted else None)

    def results(self, arrays: State) -> dict[str, float]:
        """Work out what the trackers say."""
        assert self.trackers is not None
        twin = bind(self.trackers, backend.to_numpy(arrays))
        logs: dict[str, Any] = {}
        for metric in twin.tracked:
            value = metric.result()
            numbers = list(value.values()) if isinstance(value, dict) else [value]
            if not all(isinstance(n, (int, float)) or is_numeric(n) for n in numbers):
                mend = "let result() give a number, or a dict of numbers"
                raise UserError(f"its result is {shown(value)}", metric.name, mend)
            if isinstance(value, dict):
                logs |= {k: float(v) for k, v in value.items()}
            else:
                logs[metric.name] = float(value) if np.ndim(value) == 0 else np.asarray(value)
        return logs

    def fresh(self) -> State:
        """The trackers' arrays before anything was seen."""
        assert self.trackers is not None
        for metric in self.trackers.tracked:
            metric.reset_state()
        return read(self.trackers)


def _loss_weight(given: Any) -> float:
    try:
        return 1.0 if given is None else float(given)
    except (TypeError, ValueError) as error:
        raise UserError(f"{given!r} is not the weight of a loss", "compile", "e.g. 0.5") from error


def _listed(one: Any) -> list[Any]:
    given = one if isinstance(one, (list, tuple)) else [one]
    return [metric for metric in given if metric is not None]


def _is_nested(given: Sequence[Any], n: int) -> bool:
    return len(given) == n and all(g is None or isinstance(g, (list, tuple, str)) for g in given)


def _is_named(value: Any) -> bool:
    """Tell a dict by output from a loss or metric that is written down as one."""
    return isinstance(value, dict) and "class_name" not in value


def per_output(
    value: Any,
    names: Sequence[str],
    what: str,
    outputs: str = "",
    mend: str = "give one an output",
    known: str = "",
) -> list[Any]:
    """List one entry an output, from a value, a list or a dict by name.

    Args:
        value: what there is.
        names: those of the outputs.
        what: what errors call it.
        outputs: what they call the outputs.
        mend: what they say about a list of another length.
        known: what they say about a name that is not known.

    Raises:
        UserError: if it does not fit the outputs.
    """
    if value is None:
        return [None] * len(names)
    if isinstance(value, dict):
        for name in value:
            if name not in names:
                raise UserError(
                    f"{what} names an output {name!r}", mend=known or f"outputs: {list(names)}"
                )
        return [value.get(name) for name in names]
    if isinstance(value, (list, tuple)):
        if len(value) != len(names):
            outputs = outputs or f"the outputs {list(names)}"
            raise UserError(f"{what}: {len(value)} were given for {outputs}", mend=mend)
        return list(value)
    return [value] * len(names)
