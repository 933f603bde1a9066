"""`trasluz sweep`: one table, many settings, side by side."""

from __future__ import annotations

import csv
import io
import itertools
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from trasluz import metrics
from trasluz.base.files import write_atomically
from trasluz.base.messages import decimal_sign, problem, say
from trasluz.base.numbers import about, number
from trasluz.cli.folder import CURVES, FIGURE, MODEL, REPORT, RESULTS, RunFolder, entered, finished
from trasluz.cli.options import Span
from trasluz.cli.output import Output, json_text
from trasluz.cli.progress import Bar
from trasluz.cli.report import measure, show_measures
from trasluz.cli.settings import Settings, command
from trasluz.cli.train import introduce, say_what_next
from trasluz.drawing.curves import Curves, side_by_side
from trasluz.families.tabular import PartArrays, arrays, fitting
from trasluz.saving.models import save_model
from trasluz.studies.many import fit_many
from trasluz.studies.member import Member
from trasluz.studies.runs import Trainings
from trasluz.tables.preparation import Prepared
from trasluz.tables.reading import Table

DATA_LOSS = "data_loss"

_RATES, _SIZES = (0.001, 0.01, 0.1), (16, 32, 64)
_RATES_SEARCHED = Span(1e-4, 1e-1)
_AXES = {
    "learning_rate": "learning_rates", "batch_size": "batch_sizes", "hidden": "hidden",
    "activation": "activation", "optimizer": "optimizer", "dropout": "dropout", "l1": "l1",
    "l2": "l2",
}  # fmt: skip
_SHOWN = 20  # lines of a printed table
_MOST = 1_000_000  # trainings
_DRAWN = 8  # rows and columns of the figure


@dataclass(frozen=True)
class SweepPlan:
    """What is to be trained.

    Attributes:
        base: what all trainings have in common.
        axes: the values, or the span, of each setting that has several.
        table: the rows.
        prepared: the rows prepared.
        parts: their arrays.
    """

    base: Settings
    axes: Mapping[str, Any]
    table: Table
    prepared: Prepared
    parts: Mapping[str, PartArrays]

    @classmethod
    def of(
        cls, data: str, target: str | None, options: Mapping[str, Any], searched: bool
    ) -> SweepPlan:
        """Read the table, and tell what has one value from what has several.

        Raises:
            UserError: the table, or a setting, does not allow it.
        """
        values = {name: options[option] for name, option in _AXES.items()}
        values["learning_rate"] = values["learning_rate"] or (
            _RATES_SEARCHED if searched else _RATES
        )
        values["batch_size"] = values["batch_size"] or _SIZES
        several = {k for k, v in values.items() if isinstance(v, Span) or len(v) > 1}
        for name in several if not searched else ():
            if isinstance(values[name], Span):
                raise problem("sweep-span", option=_AXES[name].replace("_", "-"))
        if searched and not several:
            raise problem("search-nothing")
        axes = several if searched else several | {"learning_rate", "batch_size"}
        one: dict[str, Any] = {
            name: value[0] for name, value in values.items() if name not in several
        }
        if "hidden" in one:
            one["hidden"] = _widths(one["hidden"])
        rest = {name: value for name, value in options.items() if name not in _AXES.values()}
        base = Settings(data=data, target=target or "", patience=0, **rest, **one)
        table, prepared = base.table()
        chosen = {name: values[name] for name in _AXES if name in axes}
        return cls(base, chosen, table, prepared, arrays(prepared, base.label_smoothing))

    @property
    def name(self) -> str:
        """What the sweep is called: by the table and its targets."""
        return f"{self.table.name}-{'-'.join(self.prepared.preparation.targets)}"

    def build(
        self,
        hidden: str | None = None,
        activation: str | None = None,
        optimizer: str | None = None,
        dropout: float | None = None,
        l1: float | None = None,
        l2: float | None = None,
    ) -> Any:
        """Make the network with some settings in place of what all have in common."""
        changed: dict[str, Any] = {
            "hidden": None if hidden is None else _widths(hidden), "activation": activation,
            "optimizer": optimizer, "dropout": dropout, "l1": l1, "l2": l2,
        }  # fmt: skip
        own = {name: value for name, value in changed.items() if value is not None}
        preparation, inputs = self.prepared.preparation, self.parts["train"].x.shape[1]
        measures = []
        if self.measured == DATA_LOSS:  # the loss less the penalties
            smoothing = self.base.label_smoothing
            measures = [fitting(metrics, preparation.task, smoothing, name=DATA_LOSS)]
        return replace(self.base, **own).model(preparation, inputs, measures)

    @property
    def measured(self) -> str:
        """What settings are compared by: the loss, less the penalties where those differ."""
        return DATA_LOSS if {"l1", "l2"} & {*self.axes} else "loss"

    @property
    def monitor(self) -> str:
        """What has to become least, on the rows held out if there are any."""
        return f"val_{self.measured}" if "validation" in self.parts else self.measured

    @property
    def data(self) -> dict[str, Any]:
        """The rows to train on, and those to watch the training with, if there are any."""
        held_out = self.parts.get("validation")
        return {
            "x": self.parts["train"].x,
            "y": self.parts["train"].y,
            "validation_data": (held_out.x, held_out.y) if held_out else None,
        }

    def settled(self, chosen: Mapping[str, Any]) -> Settings:
        """Give the settings of one training."""
        own = dict(chosen)
        if "hidden" in own:
            own["hidden"] = _widths(own["hidden"])
        return replace(self.base, **own)

    def report(self, model: Any, seconds: float) -> tuple[dict[str, Any], dict[str, Any]]:
        """Measure the best model, and gather what the report of every sweep has."""
        preparation = self.prepared.preparation
        measures = {
            name: measure(preparation, part.truths, model.predict(part.x))
            for name, part in self.parts.items()
        }
        return measures, {
            "settings": asdict(self.base),
            "axes": {
                k: list(v) if not isinstance(v, Span) else v._asdict() for k, v in self.axes.items()
            },
            "task": str(preparation.task),
            "targets": list(preparation.targets),
            "classes": list(preparation.classes),
            "rows": {name: part.frame.height for name, part in self.prepared.parts.items()},
            "seconds": round(seconds, 3),
            "parts": measures,
            "notes": list(self.prepared.notes),
        }


def _widths(text: str) -> tuple[int, ...]:
    return tuple(int(units) for units in text.split(",") if units)


def train_all(plan: SweepPlan, seeds: int, out: str | None, output: Output) -> None:
    """Train with all settings from all seeds, draw, measure the best, and say what was found.

    Raises:
        UserError: the settings or the folder do not allow it, or no training came to an end.
    """
    folder = Path(out or f"runs/{plan.name}-sweep")
    introduce(plan.prepared, output)
    axes, first = dict(plan.axes), plan.base.seed
    many = math.prod(len(values) for values in axes.values()) * seeds
    if many > _MOST:
        raise problem("sweep-many", trainings=about(many), most=_MOST)
    output.tell(say("sweep-begins", trainings=many, settings=many // seeds, seeds=seeds))
    with entered(folder, "sweep") as run:
        bar = Bar(output, say("progress-epochs"), many * plan.base.epochs)
        began = time.perf_counter()
        bar.start()
        try:
            runs = fit_many(
                plan.build, **plan.data, seeds=range(first, first + seeds),
                learning_rates=axes.pop("learning_rate"), grid=axes, epochs=plan.base.epochs,
                verbose=0, progress=bar.move,
            )  # fmt: skip
        finally:
            bar.stop()
        seconds = time.perf_counter() - began
        if runs.interrupted and not runs.names:
            raise KeyboardInterrupt
        best = _best(plan, runs) if runs.names else None
        run.check_there()
        if runs.names:
            _write_runs(plan, runs, run.place if best is None else run.next)
        if best is None:
            raise problem("sweep-diverged", str(run.place if runs.names else folder))
        model = best.trained()
        measures, report = plan.report(model, seconds)
        report |= {
            "seeds": seeds,
            "monitor": plan.monitor,
            "interrupted": runs.interrupted,
            "best": best.settings,
            "results": _plain_names(runs.ranked(plan.monitor)),
        }
        save(plan, model, report, run)
    _show(plan, runs, output)
    tell_best(plan, best.settings, output)
    show_measures(plan.prepared.preparation, measures, output)
    output.tell(say("sweep-written", folder=str(folder)))
    once = {k: v for k, v in best.settings.items() if k in plan.axes}
    say_what_next(folder, plan.base.data, command(plan.settled(once)), output)
    output.document({**report, "folder": str(folder)})
    if runs.interrupted:
        raise KeyboardInterrupt(say("sweep-interrupted", folder=str(folder)))


def _best(plan: SweepPlan, runs: Trainings) -> Member | None:
    """Give the best training with the settings that are best in the mean over the seeds.

    The best of all would often be one of settings that do well once and badly otherwise.
    """
    ranked, name = runs.ranked(plan.monitor), plan.monitor
    mine = [
        (row[name], member)
        for row, member in zip(runs.table(), runs, strict=True)
        if all(row[axis] == ranked[0][axis] for axis in plan.axes) and math.isfinite(row[name])
    ]
    return min(mine, key=lambda pair: pair[0])[1] if mine else None


def save(plan: SweepPlan, model: Any, report: Mapping[str, Any], run: RunFolder) -> None:
    """Write the best model with its preparation, and the report: now all is there."""
    save_model(model, run.next / MODEL, extras=plan.prepared.preparation.dump())
    finished(run, [(REPORT, json_text(report).encode())])


def tell_best(plan: SweepPlan, settings: Mapping[str, Any], output: Output) -> None:
    """Say which training is the best."""
    shown = ", ".join(named(name, value) for name, value in settings.items() if name in plan.axes)
    output.tell(say("sweep-best", settings=shown, seed=settings["seed"]), style="bold")


def named(name: str, value: Any) -> str:
    """Write a setting with its name, for people."""
    return f"{label(name)} {cell(value)}"


def label(name: str) -> str:
    """Write the name of a setting, for people."""
    return say(f"setting-{name.replace('_', '-')}")


def cell(value: Any) -> str:
    """Write the value of a setting, for people; no hidden layers are a dash."""
    if isinstance(value, str):
        return value or "–"
    return number(value)


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Spell a table as CSV; what is not a finite number is left empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow(["" if isinstance(v, float) and not math.isfinite(v) else v for v in row])
    return text.getvalue().encode()


def _plain_names(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Let what is called ± in tables be called std in files."""
    return [
        {f"{name[2:]}_std" if name[:2] == "± " else name: value for name, value in row.items()}
        for row in rows
    ]


def _write_runs(plan: SweepPlan, runs: Trainings, folder: Path) -> None:
    """Write the results, the curves and the figure."""
    results = _plain_names(runs.ranked(plan.monitor))
    write_atomically(
        folder / RESULTS, csv_text(list(results[0]), [list(r.values()) for r in results])
    )
    names = list(runs[0].settings)
    lines = [
        [*member.settings.values(), epoch, *(values[epoch - 1] for values in logs)]
        for member in runs
        for logs in [[member.logs[name] for name in runs.names if name in member.logs]]
        for epoch in range(1, min(map(len, logs), default=0) + 1)
    ]
    write_atomically(folder / CURVES, csv_text([*names, "epoch", *runs.names], lines))
    write_atomically(folder / FIGURE, _figure(plan, runs))


def _figure(plan: SweepPlan, runs: Trainings) -> bytes:
    """Draw the curves: a column for each learning rate, a row for each of the rest."""
    others = [name for name in plan.axes if name != "learning_rate"]
    ranked = runs.ranked(plan.monitor)

    def place(settings: Mapping[str, Any]) -> tuple[tuple[Any, ...], Any]:
        return tuple(settings[name] for name in others), settings["learning_rate"]

    places = [place(row) for row in ranked]
    best = dict.fromkeys(row for row, _ in places), dict.fromkeys(rate for _, rate in places)
    rows = [
        one
        for one in itertools.product(*(plan.axes[name] for name in others))
        if one in list(best[0])[:_DRAWN]
    ]
    rates = [rate for rate in plan.axes["learning_rate"] if rate in list(best[1])[:_DRAWN]]
    history = runs.history
    loss, val_loss = history[plan.measured], history.get(f"val_{plan.measured}")
    of: dict[Any, list[int]] = {}
    for k, member in enumerate(runs):
        of.setdefault(place(member.settings), []).append(k)
    panels = [
        [
            Curves(
                loss[mine],
                None if val_loss is None else val_loss[mine],
                [runs[k].diverged for k in mine],
            )
            for rate in rates
            for mine in [of[row, rate]]
        ]
        for row in rows
    ]
    first = places[0]
    return side_by_side(
        panels,
        [_row_name(plan, dict(zip(others, row, strict=True))) for row in rows],
        [_drawn("learning_rate", rate) for rate in rates],
        (rows.index(first[0]), rates.index(first[1])),
        f"{plan.table.name}: {', '.join(plan.prepared.preparation.targets)}",
    )


def _row_name(plan: SweepPlan, settings: Mapping[str, Any]) -> str:
    """Write what tells a row of the figure from the others, a setting a line."""
    several = [name for name in settings if len(plan.axes[name]) > 1] or ["batch_size"]
    return "\n".join(_drawn(name, settings[name]) for name in several)


def _drawn(name: str, value: Any) -> str:
    """Write a setting as figures write numbers."""
    text = named(name, value)
    return text if isinstance(value, str) else text.replace(".", decimal_sign())


def _show(plan: SweepPlan, runs: Trainings, output: Output) -> None:
    """Print the results, the best first."""
    ranked = runs.ranked(plan.monitor)
    axes = [name for name, values in plan.axes.items() if len(values) > 1] or [*plan.axes]
    names = list(dict.fromkeys([plan.measured, plan.monitor]))
    names += [name for name in runs.names if name[:4] == "val_" and "loss" not in name]
    lost = any(row["diverged"] for row in ranked)
    header = [*map(label, axes), *names, *([say("sweep-lost")] if lost else [])]
    rows = [
        [
            *(cell(row[name]) for name in axes),
            *(
                _spread(row[name], row[f"± {name}"], name != plan.monitor and name == plan.measured)
                for name in names
            ),
            *([f"{row['diverged']}/{row['runs']}" if row["diverged"] else ""] if lost else []),
        ]
        for row in ranked[:_SHOWN]
    ]
    output.table(say("sweep-title", epochs=runs.epochs, seeds=ranked[0]["runs"]), header, rows)
    if len(ranked) > _SHOWN:
        output.note([say("sweep-more", more=len(ranked) - _SHOWN, file=RESULTS)])


def _spread(mean: float, deviation: float, alone: bool) -> str:
    """Write a mean, and its deviation if there is one and room for it."""
    if alone or math.isnan(deviation):
        return number(mean)
    return f"{mean:.3g}±{deviation:.1g}"
