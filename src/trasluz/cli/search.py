"""`trasluz sweep --trials`: a search for the best settings, which others may work on too."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from trasluz.base.files import write_atomically
from trasluz.base.messages import say
from trasluz.base.numbers import number
from trasluz.cli.folder import FIGURE, TRIALS, RunFolder, entered
from trasluz.cli.options import Span
from trasluz.cli.output import Output
from trasluz.cli.progress import Bar
from trasluz.cli.report import show_measures
from trasluz.cli.settings import Settings, command
from trasluz.cli.sweep import SweepPlan, cell, csv_text, label, save, tell_best
from trasluz.cli.train import introduce, say_what_next
from trasluz.drawing.searches import Slice, searched
from trasluz.errors import visible
from trasluz.studies.search import Search, distribution, search

STUDY = "study.db"

_PATIENCE = 20
_LINEAR = ("dropout",)
_FREE = ("data", "delimiter", "encoding", "engine")  # may differ between those who work together
_SHOWN = 10  # lines of a printed table


@dataclass(frozen=True)
class SearchRequest:
    """What a search is asked to do."""

    trials: int
    storage: str | None = None
    study: str | None = None
    patience: int | None = None
    heartbeat: int = 30


def find_best(plan: SweepPlan, request: SearchRequest, out: str | None, output: Output) -> None:
    """Search, train the best again, and say what was found.

    Raises:
        UserError: the settings, the storage or the folder do not allow it.
    """
    folder = Path(out or f"runs/{plan.name}-search")
    base = replace(plan.base, patience=_PATIENCE if request.patience is None else request.patience)
    introduce(plan.prepared, output)
    with entered(folder, "search") as run:
        _search(plan, request, base, run, output)


def _search(
    plan: SweepPlan, request: SearchRequest, base: Settings, run: RunFolder, output: Output
) -> None:
    """Search in a folder, which others may search in too."""
    folder = run.folder
    stopping = base.early_stopping("validation" in plan.parts)
    bar, began = Bar(output, say("progress-trials"), request.trials), time.perf_counter()

    def tell(result: Search) -> None:
        bar.move(result.done, _news(result))

    bar.start()
    try:
        result = search(
            plan.build, **plan.data, space=space(plan.axes), trials=request.trials,
            storage=request.storage or f"sqlite:///{folder / STUDY}",
            study=visible(request.study or plan.name, lines=False),
            epochs=base.epochs, batch_size=base.batch_size, seed=base.seed,
            callbacks=[stopping] if stopping else [], monitor=plan.monitor,
            heartbeat=request.heartbeat, about=_about(plan, base), progress=tell,
        )  # fmt: skip
    finally:
        bar.stop()
    try:
        _tell_result(plan, base, result, time.perf_counter() - began, run, output)
    finally:
        result.release()


def _tell_result(
    plan: SweepPlan, base: Settings, result: Search, seconds: float, run: RunFolder, output: Output
) -> None:
    """Train the best again, write the files, and say what was found."""
    if result.interrupted:
        raise KeyboardInterrupt(say("search-interrupted", done=result.done, trials=result.trials))
    best, rows = result.best, _rows(result)
    model = result.model(best)
    measures, report = plan.report(model, seconds)
    report |= {
        "settings": asdict(base),
        "study": result.study.study_name,
        "trials": result.trials,
        "pruned": sum(row["state"] == "pruned" for row in rows),
        "monitor": result.monitor,
        "best": {"trial": best.number, result.monitor: best.value, **result.settings(best)},
        "importances": result.importances(),
    }
    write_atomically(run.next / TRIALS, csv_text(list(rows[0]), [list(r.values()) for r in rows]))
    write_atomically(run.next / FIGURE, _figure(plan, result, rows))
    save(plan, model, report, run)
    folder = run.folder
    _show(plan, result, rows, output)
    tell_best(plan, result.settings(best), output)
    show_measures(plan.prepared.preparation, measures, output)
    output.tell(say("search-written", folder=str(folder)))
    chosen = plan.settled(best.params)
    say_what_next(folder, base.data, command(replace(chosen, patience=base.patience)), output)
    output.document({**report, "folder": str(folder)})


def space(axes: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a search chooses from: lists as they are, spans as Optuna's distributions."""
    return {
        name: distribution(*values, log=name not in _LINEAR) if isinstance(values, Span) else values
        for name, values in axes.items()
    }


def _about(plan: SweepPlan, base: Any) -> dict[str, Any]:
    """List what has to be the same for all who work on the study."""
    rest = {name: value for name, value in asdict(base).items() if name not in (*_FREE, *plan.axes)}
    return {**rest, "rows": plan.table.fingerprint()}


def _news(result: Search) -> str:
    """Say the best so far, and whom it waits for."""
    news, best = [], result.leading
    if best is not None:
        news.append(say("search-best-so-far", value=number(best.value), trial=best.number))
    if result.waiting:
        news.append(say("search-waiting", trials=result.waiting))
    return ", ".join(news)


def _rows(result: Search) -> list[dict[str, Any]]:
    """List the trials in order, a row each."""
    rows = []
    for trial in result.standing():
        state = "diverged" if "diverged" in trial.user_attrs else trial.state.name.lower()
        drawn = {name: trial.params.get(name) for name in result.space}
        took = trial.duration.total_seconds() if trial.duration else None
        value = trial.value if state == "complete" else None
        rows.append(
            {"trial": trial.number, "state": state, result.monitor: value, **drawn,
             "seed": result.settings(trial)["seed"], "seconds": took,
             "process": trial.user_attrs.get("process")}
        )  # fmt: skip
    return rows


def _figure(plan: SweepPlan, result: Search, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Draw how the search went."""
    rows = [row for row in rows if all(row[name] is not None for name in result.space)]
    shares = result.importances()
    names = sorted(result.space, key=lambda name: -shares.get(name, 0.0))
    slices = [_slice(name, plan.axes[name], rows, shares.get(name)) for name in names]
    title = f"{plan.table.name}: {', '.join(plan.prepared.preparation.targets)}"
    reached = [row[result.monitor] for row in rows]
    return searched(reached, slices, result.monitor, result.greater, title)


def _slice(name: str, axis: Any, rows: Sequence[Mapping[str, Any]], share: float | None) -> Any:
    """Gather the values of one setting for the figure."""
    values = [row[name] for row in rows]
    if isinstance(axis, Span):
        return Slice(label(name), values, log=name not in _LINEAR, share=share)
    choices = [cell(value) for value in axis]
    return Slice(label(name), [axis.index(value) for value in values], choices, share=share)


def _show(
    plan: SweepPlan, result: Search, rows: Sequence[Mapping[str, Any]], output: Output
) -> None:
    """Print the best trials, and how many were given up."""
    ended = [row for row in rows if row[result.monitor] is not None]
    ended.sort(key=lambda row: row[result.monitor], reverse=result.greater)
    output.table(
        say("search-title"),
        [say("search-trial"), *map(label, plan.axes), result.monitor],
        [
            [
                str(row["trial"]),
                *(cell(row[name]) for name in plan.axes),
                number(row[result.monitor]),
            ]
            for row in ended[:_SHOWN]
        ],
    )
    states = [row["state"] for row in rows]
    output.note(
        [
            say(
                "search-count",
                complete=states.count("complete"),
                pruned=states.count("pruned"),
                diverged=states.count("diverged"),
                lost=states.count("fail"),
            )
        ]
    )
