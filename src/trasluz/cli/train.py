"""`trasluz train`: from a table to a model file, with all that is worth knowing about it."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from trasluz import distribution
from trasluz.base.files import write_atomically
from trasluz.base.messages import enumerated, problem, say
from trasluz.base.numbers import number
from trasluz.cli.checkpoint import Checkpoint
from trasluz.cli.folder import (
    BROKEN,
    CHECKPOINT,
    CURVE,
    HISTORY,
    MODEL,
    REPORT,
    SETTINGS,
    RunFolder,
    entered,
    workplace,
)
from trasluz.cli.output import Output, json_text
from trasluz.cli.progress import Progress
from trasluz.cli.report import measure, show_measures
from trasluz.cli.settings import Settings, command, program
from trasluz.drawing.curves import learning_curve
from trasluz.families.tabular import PartArrays, arrays
from trasluz.saving.kinds import wrong
from trasluz.saving.models import save_model
from trasluz.tables.preparation import Preparation, Prepared
from trasluz.tables.reading import Table
from trasluz.tables.split import PARTS
from trasluz.training.finite import NonFiniteError
from trasluz.utils import set_random_seed

_SAMPLES = 5
_MAY_CHANGE = frozenset(["epochs", "patience", "engine", "devices", "distributed", "data"])


def train_on_table(settings: Settings, out: str | None, resume: bool, output: Output) -> None:
    """Train, measure, write the files, and say what was found.

    Of several processes that train together, the first does all but the training.

    Raises:
        UserError: the table, a setting or the folder does not allow it.
        LostProcess: another process that trains with this one is gone.
    """
    if settings.engine == "numpy" and (settings.distributed or settings.devices is not None):
        raise problem("devices-numpy", "--engine")
    if settings.distributed:
        distribution.initialize()
    first = distribution.process_index() == 0
    output = output if first else Output(quiet=True)
    table, prepared = settings.table()
    preparation = prepared.preparation
    folder = Path(out or f"runs/{table.name}-{'-'.join(preparation.targets)}")
    introduce(prepared, output)
    parts = arrays(prepared, settings.label_smoothing)
    set_random_seed(settings.seed, settings.deterministic)
    model = settings.model(preparation, parts["train"].x.shape[1])
    if resume:
        place = workplace(folder, "train", resume)
        if not all((place / name).exists() for name in (CHECKPOINT, SETTINGS)):
            raise problem("resume-nothing", str(folder))
    if not first:
        run = RunFolder(folder, "train")
        run.place = workplace(folder, "train", resume)
        _fit(model, parts, settings, run, resume, output)
        return
    with entered(folder, "train", resume) as run:
        _agree_on_settings(settings, table, run.place, resume)
        start = time.perf_counter()
        try:
            history = _fit(model, parts, settings, run, resume, output)
        except NonFiniteError as error:
            file = run.place / BROKEN
            save_model(model, file, extras=preparation.dump())
            kept = say("kept-finite", file=str(file))
            raise NonFiniteError(f"{error.what} ({kept})", error.where, error.mend) from error
        seconds = time.perf_counter() - start
        measures = {
            name: measure(preparation, part.truths, model.predict(part.x))
            for name, part in parts.items()
        }
        report = _report(prepared, settings, model, history, measures, seconds)
        run.check_there()
        _write(model, preparation, history, report, run.next, table.name)
        run.take_over()
        (folder / BROKEN).unlink(missing_ok=True)  # of an earlier training
    show_measures(preparation, measures, output)
    _show_samples(model, prepared, parts, output)
    _say_what_next(folder, settings, output)
    output.document({**report, "folder": str(folder)})


def introduce(prepared: Prepared, output: Output) -> None:
    """Say what was found out about the table."""
    preparation = prepared.preparation
    output.note(prepared.notes)
    output.tell(
        say(
            "introduce-task",
            targets=enumerated(preparation.targets),
            task=say(f"task-{preparation.task}"),
            columns=len(preparation.columns),
            inputs=len(preparation.features),
        ),
        style="bold",
    )
    if preparation.classes:
        output.tell(say("introduce-classes", classes=enumerated(preparation.classes)))
    rows = {name: prepared.parts[name].frame.height for name in PARTS if name in prepared.parts}
    output.tell(", ".join(f"{say(f'part-{name}')} {count}" for name, count in rows.items()))


def _agree_on_settings(settings: Settings, table: Table, folder: Path, resume: bool) -> None:
    """Write the settings down, or find that those of the interrupted run are the same."""
    now = {**json.loads(json.dumps(asdict(settings))), "rows": table.fingerprint()}
    file = folder / SETTINGS
    if resume:
        before = {**asdict(Settings("")), **_settings_of(file)}  # of an older version, maybe
        if before.get("rows") != now["rows"]:
            raise problem("resume-rows", str(folder), data=settings.data)
        for name, value in now.items():
            if name not in _MAY_CHANGE and before.get(name) != value:
                option = name.replace("_", "-")
                was = str(before.get(name))
                raise problem("resume-differs", str(folder), option=option, was=was, now=str(value))
        done = Checkpoint(folder / CHECKPOINT, None).begun()
        if done > settings.epochs:
            raise problem("resume-fewer", str(folder), done=done, epochs=settings.epochs)
    write_atomically(file, json_text(now).encode())


def _settings_of(file: Path) -> dict[str, Any]:
    """Read what an interrupted run was asked for."""
    with contextlib.suppress(ValueError, RecursionError):
        before = json.loads(file.read_bytes())
        if isinstance(before, dict):
            return before
    raise problem("settings-damaged", str(file))


def _fit(
    model: Any,
    parts: Mapping[str, PartArrays],
    settings: Settings,
    run: RunFolder,
    resume: bool,
    output: Output,
) -> dict[str, list[float]]:
    """Run the epochs; ctrl-C leaves a checkpoint and says how to go on from it."""
    held_out = parts.get("validation")
    stopping = settings.early_stopping(held_out is not None)
    checkpoint = Checkpoint(run.place / CHECKPOINT, stopping, run.check_there)
    begun = checkpoint.begun() if resume else 0
    progress = Progress(output, begun, settings.epochs)
    try:
        distribution.meet()  # the first has put the folder in order by then
        history = model.fit(
            parts["train"].x,
            parts["train"].y,
            batch_size=settings.batch_size,
            epochs=settings.epochs,
            initial_epoch=begun,
            validation_data=(held_out.x, held_out.y) if held_out else None,
            callbacks=[*([stopping] if stopping else []), checkpoint, progress],
            verbose=0,
            devices="all" if settings.distributed else settings.devices,
        )
    except KeyboardInterrupt:
        if not checkpoint.path.exists():
            raise
        going_on = command(settings, "--out", str(run.folder), "--resume")
        news = f"{say('interrupted-saved')} {going_on}"
        raise KeyboardInterrupt(news) from None
    except distribution.LostProcess as error:
        more = ["--resume"] if checkpoint.path.exists() else []
        go_on = command(settings, "--out", str(run.folder), *more)
        told = problem(
            "process-lost",
            error.where,
            number=error.number,
            total=error.total,
            epoch=error.epoch,
            command=go_on,
        )
        raise distribution.LostProcess(told.what, told.where, told.mend) from error
    finally:
        progress.stop()
    if stopping and stopping.stopped_epoch:
        epochs, best = stopping.stopped_epoch + 1, stopping.best_epoch + 1
        output.tell(say("stopped-early", epochs=epochs, patience=settings.patience, best=best))
    logs = history.history
    if not all(isinstance(v, float | int) for values in logs.values() for v in values) or (
        len({len(values) for values in logs.values()}) != 1
    ):
        raise wrong("the history in the file is not a number for each epoch", str(checkpoint.path))
    return {name: [float(v) for v in values] for name, values in logs.items()}


def _report(
    prepared: Prepared,
    settings: Settings,
    model: Any,
    history: Mapping[str, Sequence[float]],
    measures: Mapping[str, Any],
    seconds: float,
) -> dict[str, Any]:
    preparation = prepared.preparation
    return {
        "settings": asdict(settings),
        "task": str(preparation.task),
        "targets": list(preparation.targets),
        "classes": list(preparation.classes),
        "features": list(preparation.features),
        "rows": {name: part.frame.height for name, part in prepared.parts.items()},
        "parameters": model.count_params(),
        "epochs": len(history["loss"]),
        "seconds": round(seconds, 3),
        "parts": measures,
        "notes": list(prepared.notes),
    }


def _write(
    model: Any,
    preparation: Preparation,
    history: Mapping[str, Sequence[float]],
    report: Mapping[str, Any],
    folder: Path,
    title: str,
) -> None:
    save_model(model, folder / MODEL, extras=preparation.dump())
    write_atomically(folder / HISTORY, _history_csv(history).encode())
    write_atomically(folder / CURVE, learning_curve(history, title=title))
    write_atomically(folder / REPORT, json_text(report).encode())


def _history_csv(history: Mapping[str, Sequence[float]]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["epoch", *history])
    rows.writerows(
        [epoch, *values]
        for epoch, values in enumerate(zip(*history.values(), strict=True), start=1)
    )
    return text.getvalue()


def _show_samples(
    model: Any, prepared: Prepared, parts: Mapping[str, PartArrays], output: Output
) -> None:
    """Show predictions of a few rows, of the part furthest from the training."""
    preparation = prepared.preparation
    name = next(part for part in reversed(PARTS) if part in parts)
    height = len(parts[name].x)
    chosen = np.linspace(0, height - 1, min(_SAMPLES, height)).astype(int)
    outputs = model.predict(parts[name].x[chosen])
    truths = prepared.parts[name].frame.select(preparation.targets)[chosen]
    predicted = preparation.predictions(outputs)
    header = [*preparation.targets, *(say("samples-predicted", target=t) for t in truths.columns)]
    rows = [
        [_cell(value) for value in (*truth, *guess[: len(preparation.targets)])]
        for truth, guess in zip(truths.rows(), predicted.rows(), strict=True)
    ]
    if preparation.classes:
        header.append(say("samples-probability"))
        sure = preparation.probabilities(outputs).max(axis=1)
        rows = [[*row, number(float(share))] for row, share in zip(rows, sure, strict=True)]
    output.table(say("samples-title", part=say(f"part-{name}")), header, rows)


def _cell(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)


def _say_what_next(folder: Path, settings: Settings, output: Output) -> None:
    output.tell(say("written", folder=str(folder)))
    say_what_next(folder, settings.data, f"{shlex.quote(program())} train --help", output)


def say_what_next(folder: Path, data: str, last: str, output: Output) -> None:
    """Say what can be done with the model in a folder, and one thing more."""
    output.tell(say("what-next"), style="bold")
    table, place = shlex.quote(data), shlex.quote(str(folder))
    for words in (
        f"predict {place} {table} --out predictions.csv",
        f"evaluate {place} {table}",
        f"summary {place}",
    ):
        output.tell(f"  {shlex.quote(program())} {words}")
    output.tell(f"  {last}")
    output.note([say("what-next-rows", data=data)])
